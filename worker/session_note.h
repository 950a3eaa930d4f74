/*
 * What the broker wants to be told again about a connection after its own restart: NOTE in
 * wire.def. Kept with the session, told to another broker in a resync.
 */
#ifndef WORKER_SESSION_NOTE_H
#define WORKER_SESSION_NOTE_H

#include <stdbool.h>

#include "common/base/list.h"
#include "common/base/slice.h"

struct session;
struct session_note;
struct session_socket;

STAILQ_HEAD(session_notes, session_note);

/* An empty value takes the key back. */
void session_on_note(struct session *s, struct slice key, struct slice value);
/* Tells a new broker all of them; false when the lane is full. */
bool session_tell_notes(struct session *s);
/* .p == NULL: there is no such note. Lives until the next one of that key. */
struct slice session_note_value(const struct session_socket *ws, struct slice key);
void session_notes_done(struct session_socket *ws);

#endif
