/*
 * The broker's process: the recipe of its life. It owns the truth about channels, members, users
 * and chats; it never sees a client's socket.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include "common/base/macros.h"
#include "common/conf/conf.h"

/* Reads the configuration anew, for SIGHUP; NULL: it was bad and has been logged. */
typedef struct conf *broker_load_fn(void *ctx);

/*
 * Runs until SIGTERM or SIGINT, or until another broker takes the node over. Takes the
 * configuration over and frees it. Returns the exit status.
 */
MUST_CHECK int broker_run(struct conf *conf, broker_load_fn *load, void *ctx);

#endif
