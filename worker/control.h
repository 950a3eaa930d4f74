/*
 * A worker's end of the control socket to its supervisor: tells that it lives (every second) and is
 * ready, and hears when to drain.
 *
 * When the socket ends, the supervisor is dead: that is an order to drain as well. No parent-death
 * signal is used, for it would leave no time to drain.
 */
#ifndef WORKER_CONTROL_H
#define WORKER_CONTROL_H

#include <stdbool.h>

#include "common/base/macros.h"

struct loop;
struct control;

struct control_ops {
	/*
	 * Stop accepting, tell the clients to reconnect (4200) spread over the drain time, then
	 * end. `orphan`: because the supervisor is gone. Comes at most once.
	 */
	void (*on_drain)(void *ctx, bool orphan);
	/* End now. Comes at most once, perhaps without on_drain() before it. */
	void (*on_stop)(void *ctx);
};

/* Takes the fd over (-1: no supervisor, nothing ever happens). ops and ctx must outlive it. */
MALLOC_LIKE struct control *control_new(struct loop *loop, int fd, const struct control_ops *ops,
					void *ctx);

/* The worker serves now: its predecessor may drain, and systemd be told. */
void control_ready(struct control *c);

/* An operator wants it: to read the configuration anew, or another worker in place of this one. */
void control_ask_reload(struct control *c);
void control_ask_replacement(struct control *c);

/* Not from within its callbacks. NULL is allowed. */
void control_free(struct control *c);

#endif
