/*
 * Who is typing where. Starts, extends and ends indicators and says what to tell; the repeat rule
 * and the time-out are here. Pure.
 */
#ifndef BROKER_CHAT_TYPING_H
#define BROKER_CHAT_TYPING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

struct typings;

/* `exclude`: the connection that said so and does not get it; 0 = none. */
typedef void typing_tell_fn(void *ctx, uint64_t chat, struct slice user_id, struct slice name,
			    bool is_typing, uint64_t exclude);

MALLOC_LIKE struct typings *typings_new(typing_tell_fn *tell, void *ctx);
/* Tells nobody. NULL is allowed. */
void typings_free(struct typings *t);

/*
 * The user types, until timeout from now. Told when it begins, and again on a repeat when the last
 * telling is at least `repeat` ago.
 */
void typings_start(struct typings *t, usec_t now, usec_t timeout, usec_t repeat, uint64_t chat,
		   struct slice user_id, struct slice name, uint64_t exclude);
/* Told when the user was typing there. */
void typings_stop(struct typings *t, uint64_t chat, struct slice user_id, uint64_t exclude);
/* The same in every chat. */
void typings_stop_all(struct typings *t, struct slice user_id);

uint32_t typings_count(const struct typings *t);

/* When the next one ends by itself; USEC_NEVER = none. */
usec_t typings_deadline(const struct typings *t);
void typings_turn(struct typings *t, usec_t now);

#endif
