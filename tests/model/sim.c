#include "tests/model/sim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

#include <cmocka.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/list.h"
#include "common/base/mem.h"

#define EVENTS_MAX 16
#define BATCH 16			 /* messages of one turn */
#define CONNECT_MAX (20 * USEC_PER_MSEC) /* how long a connection takes */
#define NOTICE_MAX (50 * USEC_PER_MSEC)	 /* until an end knows that it is broken */
#define UNNOTICED_MAX (2 * USEC_PER_SEC) /* the same for a router whose peer says nothing */
#define RETRY (100 * USEC_PER_MSEC)	 /* between tries to connect */
#define ROUNDS_MAX 10000		 /* of a turn; more is a loop without end */

struct message {
	STAILQ_ENTRY(message) link;
	usec_t at;
	size_t n;
	char bytes[];
};

STAILQ_HEAD(message_queue, message);

enum side { TO_ROUTER, TO_DEALER };

/* From a dealer to the router. Lives until both have forgotten it and all has arrived. */
struct conn {
	TAILQ_ENTRY(conn) link;
	struct zsock *dealer; /* NULL: has let go of it */
	struct zsock *router;
	uint32_t name;
	uint32_t pid; /* of the dealer */
	struct message_queue way[2];
	usec_t last_at[2]; /* when the last one of each way arrives */
	usec_t hush;	   /* nothing arrives before */
	usec_t up_at;
	usec_t broken_at[2]; /* when each end notices; USEC_NEVER: it is well */
	bool told;	     /* the dealer knows that it stands */
	bool broken;	     /* nothing more gets through */
};

TAILQ_HEAD(conns, conn);

struct zsock {
	struct loop *loop;
	const struct zsock_ops *ops;
	void *ctx;
	enum zsock_type type;
	struct conn *conn; /* a dealer's */
	usec_t retry_at;
	bool wanted; /* connects, or is bound */
	uint32_t from_pid;
};

struct loop {
	TAILQ_ENTRY(loop) link;
	usec_t now;
	usec_t stopped; /* until */
	struct event *timers[EVENTS_MAX];
	struct event *active[EVENTS_MAX];
	unsigned timer_count;
	unsigned active_count;
	struct zsock *z;
	struct event_base *base; /* we, where nobody looks into it */
	uint32_t pid;
	bool dead;
	sim_turn_fn *fn;
	void *ctx;
};

TAILQ_HEAD(loops, loop);

struct sim_weather sim_weather;
usec_t sim_now;
uint64_t sim_steps;

static struct loops loops = TAILQ_HEAD_INITIALIZER(loops);
static struct conns conns = TAILQ_HEAD_INITIALIZER(conns);
static struct zsock *router; /* that is bound; NULL = none */
static uint64_t chance;
static uint32_t next_name;

/* ---- chance ---- */

static uint64_t draw(void)
{
	chance += 0x9E3779B97F4A7C15ULL; /* splitmix64 */
	uint64_t x = chance;

	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
	x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
	return x ^ x >> 31;
}

uint32_t sim_below(uint32_t n)
{
	return (uint32_t)((draw() >> 32) * n >> 32);
}

bool sim_chance(unsigned percent)
{
	return sim_below(100) < percent;
}

static usec_t within(usec_t most)
{
	return sim_below((uint32_t)most + 1);
}

ssize_t __wrap_getrandom(void *bytes, size_t n, unsigned flags);

ssize_t __wrap_getrandom(void *bytes, size_t n, unsigned flags)
{
	(void)flags;
	for (size_t i = 0; i < n; i++)
		((unsigned char *)bytes)[i] = (unsigned char)draw();
	return (ssize_t)n;
}

void sim_begin(uint64_t seed)
{
	assert_true(TAILQ_EMPTY(&loops));
	assert_true(TAILQ_EMPTY(&conns));
	assert_null(router);
	chance = seed;
	next_name = 0;
	sim_now = 1000 * USEC_PER_SEC;
	sim_weather = (struct sim_weather){0};
}

/* ---- processes ---- */

struct loop *sim_process(uint32_t pid, sim_turn_fn *fn, void *ctx)
{
	struct loop *p = NEW(struct loop);

	p->now = sim_now;
	p->base = (struct event_base *)p;
	p->pid = pid;
	p->fn = fn;
	p->ctx = ctx;
	TAILQ_INSERT_TAIL(&loops, p, link);
	return p;
}

int __wrap_kill(pid_t pid, int sig);

int __wrap_kill(pid_t pid, int sig)
{
	const struct loop *p;

	assert_int_equal(sig, 0);
	TAILQ_FOREACH (p, &loops, link) {
		if (p->pid == (uint32_t)pid && !p->dead)
			return 0;
	}
	errno = ESRCH;
	return -1;
}

void sim_stop(struct loop *p, usec_t until)
{
	p->stopped = until;
}

usec_t loop_now(struct loop *loop)
{
	return loop->now;
}

struct event_base *loop_base(const struct loop *loop)
{
	return loop->base;
}

/* ---- events ---- */

static struct loop *loop_of(const struct event *ev)
{
	return (struct loop *)ev->ev_base;
}

static usec_t due_of(const struct event *ev)
{
	return (usec_t)ev->ev_timeout.tv_sec * USEC_PER_SEC + (usec_t)ev->ev_timeout.tv_usec;
}

static bool drop_from(struct event **list, unsigned *count, const struct event *ev)
{
	for (unsigned i = 0; i < *count; i++) {
		if (list[i] != ev)
			continue;
		(*count)--;
		for (; i < *count; i++)
			list[i] = list[i + 1];
		return true;
	}
	return false;
}

int event_assign(struct event *ev, struct event_base *base, evutil_socket_t fd, short what,
		 event_callback_fn fn, void *arg)
{
	*ev = (struct event){.ev_base = base, .ev_fd = fd, .ev_events = what};
	ev->ev_evcallback.evcb_cb_union.evcb_callback = fn;
	ev->ev_evcallback.evcb_arg = arg;
	return 0;
}

int event_add(struct event *ev, const struct timeval *timeout)
{
	struct loop *loop = loop_of(ev);
	struct timeval at = loop_timeval(sim_now + (usec_t)timeout->tv_sec * USEC_PER_SEC +
					 (usec_t)timeout->tv_usec);

	if (!drop_from(loop->timers, &loop->timer_count, ev))
		assert_true(loop->timer_count < EVENTS_MAX);
	loop->timers[loop->timer_count++] = ev;
	ev->ev_timeout = at;
	ev->ev_.ev_io.ev_timeout = *timeout;
	return 0;
}

int event_del(struct event *ev)
{
	struct loop *loop = loop_of(ev);

	(void)drop_from(loop->timers, &loop->timer_count, ev);
	(void)drop_from(loop->active, &loop->active_count, ev);
	return 0;
}

void event_active(struct event *ev, int res, short ncalls)
{
	struct loop *loop = loop_of(ev);

	(void)res;
	(void)ncalls;
	(void)drop_from(loop->active, &loop->active_count, ev);
	assert_true(loop->active_count < EVENTS_MAX);
	loop->active[loop->active_count++] = ev;
}

int event_pending(const struct event *ev, short events, struct timeval *tv)
{
	const struct loop *loop = loop_of(ev);

	(void)tv;
	for (unsigned i = 0; i < loop->timer_count; i++) {
		if (loop->timers[i] == ev)
			return events;
	}
	return 0;
}

static void call(struct event *ev, short what)
{
	ev->ev_evcallback.evcb_cb_union.evcb_callback(ev->ev_fd, what, ev->ev_evcallback.evcb_arg);
}

/* ---- connections ---- */

static struct conn *conn_new(struct zsock *dealer)
{
	struct conn *c = NEW(struct conn);

	c->dealer = dealer;
	c->router = router;
	c->name = ++next_name;
	c->pid = dealer->loop->pid;
	c->up_at = sim_now + within(CONNECT_MAX);
	for (int i = 0; i < 2; i++) {
		STAILQ_INIT(&c->way[i]);
		c->broken_at[i] = USEC_NEVER;
	}
	TAILQ_INSERT_TAIL(&conns, c, link);
	return c;
}

static void drop_first(struct conn *c, enum side to)
{
	struct message *m = STAILQ_FIRST(&c->way[to]);

	STAILQ_REMOVE_HEAD(&c->way[to], link);
	free(m);
}

static void drop_all(struct conn *c, enum side to)
{
	while (!STAILQ_EMPTY(&c->way[to]))
		drop_first(c, to);
}

static void conn_free(struct conn *c)
{
	if (c->dealer != NULL)
		c->dealer->conn = NULL;
	drop_all(c, TO_ROUTER);
	drop_all(c, TO_DEALER);
	TAILQ_REMOVE(&conns, c, link);
	free(c);
}

/* Only a beginning of what is under way arrives. */
static void tear(struct conn *c, enum side to)
{
	struct message *m;
	uint32_t n = 0;
	uint32_t kept;

	STAILQ_FOREACH(m, &c->way[to], link)
	n++;
	kept = sim_below(n + 1);
	m = STAILQ_FIRST(&c->way[to]);
	for (uint32_t i = 0; i < kept; i++)
		m = STAILQ_NEXT(m, link);
	while (m != NULL) {
		struct message *next = STAILQ_NEXT(m, link);

		STAILQ_REMOVE(&c->way[to], m, message, link);
		free(m);
		m = next;
	}
}

static void conn_break(struct conn *c)
{
	if (c->broken)
		return;
	c->broken = true;
	for (int i = 0; i < 2; i++) {
		tear(c, (enum side)i);
		c->broken_at[i] = MAX(sim_now, c->hush) + within(NOTICE_MAX);
	}
	if (sim_chance(50))
		c->broken_at[TO_ROUTER] += within(UNNOTICED_MAX);
}

void sim_cut(struct loop *dealer)
{
	if (dealer->z != NULL && dealer->z->conn != NULL)
		conn_break(dealer->z->conn);
}

void sim_hush(struct loop *dealer, usec_t until)
{
	if (dealer->z != NULL && dealer->z->conn != NULL)
		dealer->z->conn->hush = until;
}

static void release(struct zsock *z)
{
	struct conn *c;
	struct conn *next;

	TAILQ_FOREACH_SAFE (c, &conns, link, next) {
		if (c->router == z) {
			conn_break(c);
			c->router = NULL;
			drop_all(c, TO_ROUTER);
		} else if (c->dealer == z) {
			z->conn = NULL;
			c->dealer = NULL;
			drop_all(c, TO_DEALER);
		}
	}
	if (router == z)
		router = NULL;
}

void sim_kill(struct loop *p)
{
	p->dead = true;
	if (p->z == NULL)
		return;
	sim_cut(p);
	release(p->z);
}

void sim_bury(struct loop *p)
{
	assert_null(p->z);
	TAILQ_REMOVE(&loops, p, link);
	free(p);
}

/* ---- sockets ---- */

struct zsock *zsock_new(struct loop *loop, enum zsock_type type, size_t most,
			const struct zsock_ops *ops, void *ctx)
{
	struct zsock *z = NEW(struct zsock);

	(void)most;
	assert_null(loop->z);
	*z = (struct zsock){.loop = loop, .type = type, .ops = ops, .ctx = ctx};
	loop->z = z;
	return z;
}

void zsock_free(struct zsock *z, usec_t linger)
{
	if (z == NULL)
		return;
	if (z->conn != NULL) {
		if (linger == 0)
			conn_break(z->conn);
		/* What was sent arrives, then the end is seen. */
		z->conn->broken_at[TO_ROUTER] =
			MIN(z->conn->broken_at[TO_ROUTER], sim_now + NOTICE_MAX);
		z->conn->broken = true;
	}
	release(z);
	z->loop->z = NULL;
	free(z);
}

int zsock_bind(struct zsock *z, const char *endpoint)
{
	(void)endpoint;
	assert_null(router);
	router = z;
	return 0;
}

int zsock_connect(struct zsock *z, const char *endpoint)
{
	(void)endpoint;
	z->wanted = true;
	return 0;
}

void zsock_disconnect(struct zsock *z, const char *endpoint)
{
	(void)z;
	(void)endpoint;
	fail_msg("there is one endpoint");
}

static void put(struct conn *c, enum side to, struct slice head, struct slice body)
{
	struct message *m = mem_alloc(sizeof(*m) + head.n + body.n);
	struct message *first = STAILQ_FIRST(&c->way[to]);
	usec_t last = c->last_at[to];

	m->at = sim_now + within(sim_weather.delay);
	m->n = head.n + body.n;
	memcpy(m->bytes, head.p, head.n);
	if (body.n > 0)
		memcpy(m->bytes + head.n, body.p, body.n);
	if (first != NULL && sim_chance(sim_weather.reorder)) {
		m->at = first->at;
		STAILQ_INSERT_HEAD(&c->way[to], m, link);
		return;
	}
	c->last_at[to] = m->at = MAX(m->at, last);
	STAILQ_INSERT_TAIL(&c->way[to], m, link);
}

static int send_over(struct conn *c, enum side to, struct slice head, struct slice body)
{
	if (c->broken || sim_chance(sim_weather.loss))
		return 0;
	put(c, to, head, body);
	if (sim_chance(sim_weather.twice))
		put(c, to, head, body);
	return 0;
}

static struct conn *find_name(const struct zsock *z, struct slice peer)
{
	struct conn *c;
	uint32_t name;

	if (peer.n != sizeof(name))
		return NULL;
	memcpy(&name, peer.p, sizeof(name));
	TAILQ_FOREACH (c, &conns, link) {
		if (c->router == z && c->name == name)
			return c;
	}
	return NULL;
}

int zsock_send(struct zsock *z, struct slice peer, struct slice head, struct slice body)
{
	struct conn *c = z->type == ZSOCK_ROUTER ? find_name(z, peer) : z->conn;

	if (z->type == ZSOCK_DEALER)
		return c == NULL || !c->told ? -EAGAIN : send_over(c, TO_ROUTER, head, body);
	if (c == NULL || c->broken_at[TO_ROUTER] <= sim_now)
		return -EHOSTUNREACH;
	return send_over(c, TO_DEALER, head, body);
}

/* No worker here has clients whose output could be behind. */
void zsock_hold(struct zsock *z, bool hold)
{
	(void)z;
	(void)hold;
}

uint32_t zsock_peer_pid(const struct zsock *z)
{
	return z->from_pid;
}

uint64_t zsock_missed(const struct zsock *z)
{
	(void)z;
	return 0;
}

/* ---- turns ---- */

static enum side side_of(const struct zsock *z)
{
	return z->type == ZSOCK_ROUTER ? TO_ROUTER : TO_DEALER;
}

static struct zsock *end_of(const struct conn *c, enum side to)
{
	return to == TO_ROUTER ? c->router : c->dealer;
}

static usec_t arrival(const struct conn *c, enum side to)
{
	const struct message *m = STAILQ_FIRST(&c->way[to]);

	return m == NULL ? USEC_NEVER : MAX(MAX(m->at, c->hush), c->up_at);
}

/* When something happens to this socket next. */
static usec_t next_of_socket(const struct zsock *z)
{
	enum side to = side_of(z);
	usec_t at = USEC_NEVER;
	const struct conn *c;

	if (z->type == ZSOCK_DEALER && z->wanted && z->conn == NULL)
		at = z->retry_at;
	TAILQ_FOREACH (c, &conns, link) {
		if (end_of(c, to) != z)
			continue;
		if (to == TO_DEALER && !c->told)
			at = MIN(at, c->up_at);
		else if (to == TO_DEALER && STAILQ_EMPTY(&c->way[to]))
			at = MIN(at, c->broken_at[to]);
		else
			at = MIN(at, arrival(c, to));
	}
	return at;
}

static usec_t next_of(const struct loop *p)
{
	usec_t at = p->active_count > 0 ? sim_now : USEC_NEVER;

	if (p->dead)
		return USEC_NEVER;
	for (unsigned i = 0; i < p->timer_count; i++)
		at = MIN(at, due_of(p->timers[i]));
	if (p->z != NULL)
		at = MIN(at, next_of_socket(p->z));
	return MAX(at, p->stopped);
}

static void deliver(struct zsock *z, struct conn *c, enum side to)
{
	struct message *m = STAILQ_FIRST(&c->way[to]);
	struct slice name = slice_of((const char *)&c->name, sizeof(c->name));

	STAILQ_REMOVE_HEAD(&c->way[to], link);
	z->from_pid = c->pid;
	sim_steps++;
	z->ops->on_message(z->ctx, to == TO_ROUTER ? name : SLICE_NONE, slice_of(m->bytes, m->n));
	free(m);
}

/* The first message that is there. */
static bool take_one(struct zsock *z)
{
	enum side to = side_of(z);
	struct conn *first = NULL;
	struct conn *c;

	TAILQ_FOREACH (c, &conns, link) {
		if (end_of(c, to) != z || arrival(c, to) > sim_now)
			continue;
		if (to == TO_DEALER && !c->told)
			continue;
		if (first == NULL || arrival(c, to) < arrival(first, to))
			first = c;
	}
	if (first != NULL)
		deliver(z, first, to);
	return first != NULL;
}

static void look_at_connection(struct zsock *z)
{
	struct conn *c = z->conn;

	if (c == NULL && z->wanted && z->retry_at <= sim_now) {
		z->retry_at = sim_now + RETRY;
		if (router != NULL)
			z->conn = conn_new(z);
	} else if (c != NULL && !c->told && c->up_at <= sim_now) {
		c->told = true;
		z->ops->on_connection(z->ctx, true);
	} else if (c != NULL && c->told && c->broken_at[TO_DEALER] <= sim_now &&
		   STAILQ_EMPTY(&c->way[TO_DEALER])) {
		z->conn = NULL;
		c->dealer = NULL;
		z->retry_at = sim_now + within(RETRY);
		z->ops->on_connection(z->ctx, false);
	}
}

static void run_timers(struct loop *p)
{
	for (unsigned n = 0; n < p->timer_count; n++) {
		struct event *ev = p->timers[n];

		if (due_of(ev) > sim_now)
			continue;
		if ((ev->ev_events & EV_PERSIST) != 0)
			(void)event_add(ev, &ev->ev_.ev_io.ev_timeout); /* cannot fail */
		else
			(void)event_del(ev);
		sim_steps++;
		call(ev, EV_TIMEOUT);
		n = UINT32_MAX; /* the list has changed: from its start */
	}
}

static void turn(struct loop *p)
{
	unsigned rounds = 0;

	p->now = sim_now;
	for (unsigned n = 0; n < BATCH && p->z != NULL && take_one(p->z); n++)
		continue;
	if (p->z != NULL && p->z->type == ZSOCK_DEALER)
		look_at_connection(p->z);
	run_timers(p);
	while (p->active_count > 0) {
		struct event *ev = p->active[0];

		assert_true(rounds++ < ROUNDS_MAX);
		(void)drop_from(p->active, &p->active_count, ev);
		call(ev, 0);
	}
	if (p->fn != NULL)
		p->fn(p->ctx);
}

/* Connections that nobody needs any more. */
static void sweep(void)
{
	struct conn *c;
	struct conn *next;

	TAILQ_FOREACH_SAFE (c, &conns, link, next) {
		bool to_router = c->router != NULL && !STAILQ_EMPTY(&c->way[TO_ROUTER]);

		if (c->dealer == NULL && !to_router &&
		    (c->router == NULL || c->broken_at[TO_ROUTER] <= sim_now))
			conn_free(c);
	}
}

void sim_run(usec_t until)
{
	for (;;) {
		struct loop *first = NULL;
		usec_t at = USEC_NEVER;
		struct loop *p;

		TAILQ_FOREACH (p, &loops, link) {
			if (next_of(p) < at) {
				at = next_of(p);
				first = p;
			}
		}
		if (first == NULL || at > until)
			break;
		sim_now = MAX(sim_now, at);
		turn(first);
		sweep();
	}
	sim_now = until;
	sweep();
}
