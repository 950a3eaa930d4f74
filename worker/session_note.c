/*
 * What the broker wants to be told again about a connection after its own restart. Keys and values
 * are its own affair; it also bounds their number.
 */
#include "worker/session_note.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/session_internal.h"
#include "worker/worker_internal.h"

struct session_note {
	STAILQ_ENTRY(session_note) link;
	uint32_t key_n;
	uint32_t value_n;
	char bytes[]; /* the key, then the value */
};

static struct slice key_of(const struct session_note *n)
{
	return slice_of(n->bytes, n->key_n);
}

static struct slice value_of(const struct session_note *n)
{
	return slice_of(n->bytes + n->key_n, n->value_n);
}

static struct session_note *find(const struct session_socket *ws, struct slice key)
{
	struct session_note *n;

	STAILQ_FOREACH(n, &ws->notes, link)
	{
		if (slice_eq(key_of(n), key))
			return n;
	}
	return NULL;
}

static struct session_note *note_new(struct slice key, struct slice value)
{
	struct session_note *n = mem_alloc(sizeof(*n) + key.n + value.n);

	n->key_n = (uint32_t)key.n;
	n->value_n = (uint32_t)value.n;
	memcpy(n->bytes, key.p, key.n);
	memcpy(n->bytes + key.n, value.p, value.n);
	return n;
}

void session_on_note(struct session *s, struct slice key, struct slice value)
{
	struct session_socket *ws = s->ws;
	struct session_note *old = find(ws, key);
	struct session_note *n;

	if (key.n == 0)
		return;
	if (value.n > 0) {
		n = note_new(key, value);
		/* In the place of the old one: they are retold in the order of their keys' first.
		 */
		if (old != NULL)
			STAILQ_INSERT_AFTER(&ws->notes, old, n, link);
		else
			STAILQ_INSERT_TAIL(&ws->notes, n, link);
	}
	if (old == NULL)
		return;
	STAILQ_REMOVE(&ws->notes, old, session_note, link);
	free(old);
}

struct slice session_note_value(const struct session_socket *ws, struct slice key)
{
	const struct session_note *n = find(ws, key);

	return n != NULL ? value_of(n) : SLICE_NONE;
}

bool session_tell_notes(struct session *s)
{
	struct worker *w = s->w;
	const struct session_note *n;

	STAILQ_FOREACH(n, &s->ws->notes, link)
	{
		struct wire_note_again m = {
			.conn = s->sub.conn,
			.key = key_of(n),
			.value = value_of(n),
		};

		if (!worker_send_encoded(w, wire_encode_note_again(&w->record, &m),
					 WIRE_NOTE_AGAIN))
			return false;
	}
	return true;
}

void session_notes_done(struct session_socket *ws)
{
	struct session_note *n;

	while ((n = STAILQ_FIRST(&ws->notes)) != NULL) {
		STAILQ_REMOVE_HEAD(&ws->notes, link);
		free(n);
	}
}
