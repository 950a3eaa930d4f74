#include "broker/early.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

void early_init(struct early *e)
{
	TAILQ_INIT(&e->rows);
	e->n = 0;
}

static struct early_row *take(struct early *e, struct early_row *row)
{
	TAILQ_REMOVE(&e->rows, row, link);
	e->n--;
	return row;
}

void early_done(struct early *e)
{
	while (!TAILQ_EMPTY(&e->rows))
		free(take(e, TAILQ_FIRST(&e->rows)));
}

bool early_add(struct early *e, usec_t now, uint64_t conn, uint32_t worker, struct slice body)
{
	struct early_row *row;

	if (e->n == EARLY_MOST)
		return false;
	row = mem_alloc(sizeof(*row) + body.n);
	row->conn = conn;
	row->until = now + EARLY_WAIT;
	row->worker = worker;
	row->n = (uint32_t)body.n;
	if (body.n > 0)
		memcpy(row->body, body.p, body.n);
	TAILQ_INSERT_TAIL(&e->rows, row, link);
	e->n++;
	return true;
}

struct early_row *early_take(struct early *e, uint64_t conn)
{
	struct early_row *row;

	TAILQ_FOREACH (row, &e->rows, link) {
		if (row->conn == conn)
			return take(e, row);
	}
	return NULL;
}

struct early_row *early_give_up(struct early *e, usec_t now)
{
	struct early_row *row = TAILQ_FIRST(&e->rows);

	return row != NULL && row->until <= now ? take(e, row) : NULL;
}

usec_t early_deadline(const struct early *e)
{
	const struct early_row *row = TAILQ_FIRST(&e->rows);

	return row != NULL ? row->until : USEC_NEVER;
}
