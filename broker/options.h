/*
 * From the configuration to the options of the broker's parts: where the names of chat.conf end.
 * What is returned points into the configuration, which must live as long as the part says.
 */
#ifndef BROKER_OPTIONS_H
#define BROKER_OPTIONS_H

#include "broker/chat/chat.h"
#include "broker/registry/registry.h"
#include "broker/store/store.h"
#include "common/conf/conf.h"

/* Bytes of the name of a node. */
#define NODE_NAME 256

void options_registry(const struct conf *conf, struct registry_options *ret);

/* `app`: index of the chat's application. The rules are on the heap, for the caller to free(). */
void options_chat(const struct conf *conf, uint32_t app, struct chat_options *ret,
		  struct chat_rule **ret_rules);

/* `node`: of options_node(). The statements are on the heap, for the caller to free(). */
void options_store(const struct conf *conf, const char *node, struct store_options *ret,
		   struct store_sql **ret_sql);

/* [broker] node, or the host name. */
void options_node(const struct conf *conf, char out[NODE_NAME]);

/* "DIR/NAME" of the run directory on the heap. */
MALLOC_LIKE char *options_run_path(const struct conf *conf, const char *name);

#endif
