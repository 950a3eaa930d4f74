#include <string.h>

#include "broker/store/pg_chat_internal.h"

static void drop(struct pg_doubts *d, size_t i)
{
	d->n--;
	memmove(&d->v[i], &d->v[i + 1], (d->n - i) * sizeof(d->v[0]));
}

void pg_doubt_add(struct pg_doubts *d, const struct pg_doubt *doubt)
{
	if (d->n == PG_DOUBTS_MAX)
		drop(d, 0);
	d->v[d->n++] = *doubt;
}

bool pg_doubt_take(struct pg_doubts *d, const struct pg_doubt *doubt)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct pg_doubt *x = &d->v[i];

		if (x->chat != doubt->chat || x->sender != doubt->sender ||
		    memcmp(x->key, doubt->key, sizeof(x->key)) != 0)
			continue;
		drop(d, i);
		return true;
	}
	return false;
}

void pg_doubt_forget(struct pg_doubts *d, uint64_t chat)
{
	for (size_t i = d->n; i > 0; i--)
		if (d->v[i - 1].chat == chat)
			drop(d, i - 1);
}
