/*
 * The applications of the configuration, by the index under which workers, registry and records
 * know them. An index belongs to one id for the life of the broker: an application that a reload
 * takes away keeps its place, disabled, and gets it back when it returns. Pure.
 */
#ifndef BROKER_APPS_H
#define BROKER_APPS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/base/slice.h"
#include "common/conf/conf.h"

/* Places for ids; with all of them used, ids that a reload brings are refused. */
#define APPS_MAX (4 * CONF_APPS_MAX)

/* No application has this index. */
#define APPS_NONE UINT32_MAX

struct app {
	char *id;
	const struct conf_app *conf; /* NULL = gone */
};

struct apps;

/* conf must live until the next apps_load() or apps_free(). */
MALLOC_LIKE struct apps *apps_new(const struct conf *conf);
void apps_free(struct apps *apps);

/* Takes over another configuration. False: there was no place for some new id. */
MUST_CHECK bool apps_load(struct apps *apps, const struct conf *conf);

/* Indexes in use are 0 ... apps_count() - 1. */
uint32_t apps_count(const struct apps *apps);
/* Those of them that are configured now. */
uint32_t apps_live(const struct apps *apps);

/* NULL when there never was such an index. */
const struct app *apps_at(const struct apps *apps, uint32_t index);

/* The index of an id, also of one that is gone; APPS_NONE when it was never seen. */
uint32_t apps_find(const struct apps *apps, struct slice id);

/* The application that the chat belongs to; APPS_NONE when there is none. */
uint32_t apps_chat(const struct apps *apps);

/* Appends the record APP as workers are told it; one that is gone is told as disabled. */
MUST_CHECK bool apps_encode(const struct apps *apps, uint32_t index, struct buf *record);

#endif
