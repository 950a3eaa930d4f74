#include "worker/wheel.h"

#include <stdlib.h>

#include "common/base/mem.h"

LIST_HEAD(timer_list, timer);

struct wheel {
	void (*fire)(void *ctx, struct timer *t);
	void *ctx;
	uint64_t at; /* the tick that was turned last */
	struct timer_list slots[WHEEL_SLOTS];
};

struct wheel *wheel_new(usec_t now, void (*fire)(void *ctx, struct timer *t), void *ctx)
{
	struct wheel *w = NEW(struct wheel);

	w->fire = fire;
	w->ctx = ctx;
	w->at = now / WHEEL_TICK;
	return w;
}

void wheel_free(struct wheel *w)
{
	free(w);
}

void wheel_cancel(struct timer *t)
{
	if (t->deadline == 0)
		return;
	LIST_REMOVE(t, link);
	t->deadline = 0;
}

void wheel_arm(struct wheel *w, struct timer *t, usec_t deadline)
{
	/* The slot whose turn comes at or after the deadline; the past is due at the next turn. */
	uint64_t tick = (deadline + WHEEL_TICK - 1) / WHEEL_TICK;

	if (tick <= w->at)
		tick = w->at + 1;
	wheel_cancel(t);
	t->deadline = deadline != 0 ? deadline : 1;
	LIST_INSERT_HEAD(&w->slots[tick % WHEEL_SLOTS], t, link);
}

/*
 * Moves what is due in one slot to a list of its own first: a callback may arm its timer again into
 * this very slot.
 */
static void turn_slot(struct wheel *w, struct timer_list *slot, usec_t now)
{
	struct timer_list due = LIST_HEAD_INITIALIZER(due);
	struct timer *t;
	struct timer *next;

	LIST_FOREACH_SAFE (t, slot, link, next) {
		if (t->deadline > now)
			continue;
		LIST_REMOVE(t, link);
		LIST_INSERT_HEAD(&due, t, link);
	}
	while ((t = LIST_FIRST(&due)) != NULL) {
		wheel_cancel(t);
		w->fire(w->ctx, t);
	}
}

void wheel_turn(struct wheel *w, usec_t now)
{
	uint64_t to = now / WHEEL_TICK;
	uint64_t from = w->at;

	if (to <= from)
		return;
	/* Late by more than a whole turn: every slot once. */
	if (to - from > WHEEL_SLOTS)
		from = to - WHEEL_SLOTS;
	for (uint64_t tick = from + 1; tick <= to; tick++) {
		w->at = tick;
		turn_slot(w, &w->slots[tick % WHEEL_SLOTS], now);
	}
}
