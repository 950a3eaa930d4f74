/*
 * The applications that this worker serves, as the broker tells them. Pure.
 *
 * An app stays where it is until the table is freed, also when the broker says that it is gone
 * (enabled = false then), so sessions may keep pointers to it.
 */
#ifndef WORKER_HUB_APP_H
#define WORKER_HUB_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/slice.h"
#include "worker/pusher/auth.h"

enum app_client_events { APP_EVENTS_OFF, APP_EVENTS_MEMBERS, APP_EVENTS_ALL };

/* Texts of an app; owned. */
struct app_texts {
	struct slice *v;
	size_t n;
};

/* Read it, do not write it. */
struct app {
	uint32_t index; /* the broker's number */
	struct slice id;
	struct slice key;
	struct pusher_signer *signer;
	bool enabled;
	bool subscription_count;
	bool watchlist;
	uint8_t client_events; /* enum app_client_events */
	struct app_texts origins;
	struct app_texts cors_origins;
	uint32_t max_connections;   /* of this worker; 0 = no limit */
	uint32_t client_event_rate; /* a second and connection; 0 = no limit */
	uint32_t max_event_data;
	uint32_t max_client_event_data;
	uint32_t max_channel_name;
	uint32_t authorize_timeout; /* seconds; 0 = never */
	uint32_t connections;	    /* WebSockets of this worker; kept by app_count() */
};

/* What APP of the lane says. Lists are arrays of the caller. */
struct app_spec {
	uint32_t index;
	struct slice id;
	struct slice key;
	const struct slice *secrets;
	size_t secret_count;
	const struct slice *origins;
	size_t origin_count;
	const struct slice *cors_origins;
	size_t cors_origin_count;
	bool enabled;
	bool subscription_count;
	bool watchlist;
	uint8_t client_events;
	uint32_t max_connections;
	uint32_t client_event_rate;
	uint32_t max_event_data;
	uint32_t max_client_event_data;
	uint32_t max_channel_name;
	uint32_t authorize_timeout;
};

struct apps;

/* Indexes that the broker may use. */
#define APPS_INDEX_MAX 65536

MALLOC_LIKE struct apps *apps_new(void);
void apps_free(struct apps *t);

/* Adds or changes an app, known by its id; copies everything. NULL: the index is too high, or there
 * are more secrets than PUSHER_SECRETS_MAX. */
struct app *apps_put(struct apps *t, const struct app_spec *spec);
/* A new broker numbers anew: marks all as gone; those it tells again by id keep their place. */
void apps_begin(struct apps *t);

/* NULL when there is none. An app that is gone is found by nothing but its pointer. */
struct app *apps_by_index(const struct apps *t, uint32_t index);
struct app *apps_by_id(const struct apps *t, struct slice id);
struct app *apps_by_key(const struct apps *t, struct slice key);

static inline void app_count(struct app *a, int by)
{
	a->connections = (uint32_t)((int64_t)a->connections + by);
}

/*
 * Whether a page of this origin may connect. Patterns: "*" (anything, also no origin),
 * "https://example.org[:8443]" (the whole origin), "example.org" (the host), "*.example.org" (the
 * hosts below it); the star may follow a scheme too. Letters compare without case. An empty origin
 * (not a browser) passes only with "*".
 */
bool app_origin_ok(const struct app *a, struct slice origin);
/* The same rules over another list; an empty list allows nothing. */
bool app_cors_ok(const struct app *a, struct slice origin);

#endif
