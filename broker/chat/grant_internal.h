/* What grant.c, grant_note.c and mark.c share. Nobody else includes this. */
#ifndef BROKER_CHAT_GRANT_INTERNAL_H
#define BROKER_CHAT_GRANT_INTERNAL_H

#include "broker/chat/grant.h"
#include "broker/chat/identity.h"
#include "common/base/limits.h"
#include "common/base/list.h"
#include "common/base/map.h"

/* A user was given an authorisation for a place. */
struct grant {
	LIST_ENTRY(grant) of_place;
	LIST_ENTRY(grant) of_mark;
	struct place *place;
	struct mark *mark;
};

/* A user may no longer. */
struct refusal {
	LIST_ENTRY(refusal) of_place;
	LIST_ENTRY(refusal) all;
	struct place *place;
	uint8_t id_n;
	char id[LIMIT_USER_ID];
};

/* A channel of a connection. */
struct place {
	UT_hash_handle hh;
	LIST_ENTRY(place) of_conn;
	struct holder *holder;
	LIST_HEAD(, grant) grants;
	LIST_HEAD(, refusal) refusals;
	bool revoked; /* the token behind it went; a new authorisation heals that */
	uint8_t name_n;
	char key[]; /* conn, then the channel */
};

/* A connection. */
struct holder {
	UT_hash_handle hh;
	uint64_t conn;
	LIST_HEAD(, place) places;
	uint32_t nplaces;
	struct mark *mark; /* token that identified it; NULL = none that we know */
	LIST_ENTRY(holder) of_mark;
};

/* A token in use: as long as it has grants or connections, or is being checked. */
struct mark {
	UT_hash_handle hh;
	LIST_ENTRY(mark) of_user;
	TAILQ_ENTRY(mark) suspects;
	struct owner *owner;
	struct identity *who;
	LIST_HEAD(, grant) grants;
	LIST_HEAD(, holder) holders;
	enum { MARK_IDLE, MARK_SUSPECT, MARK_ASKED, MARK_ASKED_AGAIN } state;
};

/* A user with tokens in use. */
struct owner {
	UT_hash_handle hh;
	LIST_HEAD(, mark) marks;
	uint8_t id_n;
	char text[LIMIT_USER_ID];
};

struct grants {
	grants_note_fn *note;
	void *ctx;
	struct place *places;
	struct holder *holders;
	struct mark *marks; /* by token id; several where a row was changed */
	struct owner *owners;
	TAILQ_HEAD(, mark) suspects;
	LIST_HEAD(, refusal) refusals;
	uint64_t count;
};

/* ---- mark.c ---- */

/* The mark of a token, made if it is new. */
struct mark *mark_of(struct grants *g, struct identity *who);
struct mark *mark_find(const struct grants *g, const struct identity *who);
struct owner *owner_find(const struct grants *g, struct slice user_id);
/* Frees it if nothing needs it. */
void mark_release(struct grants *g, struct mark *m);

/* It is to be checked, unless it is about to be. */
void mark_suspect(struct grants *g, struct mark *m);

/* Both release the mark. */
void grant_drop(struct grants *g, struct grant *gr);
void holder_unmark(struct grants *g, struct holder *h);

/* ---- grant.c: as it was in another broker; nothing is noted ---- */

/* NULL: the connection has too many. */
struct place *grant_restore_place(struct grants *g, uint64_t conn, struct slice channel);
void grant_restore(struct grants *g, struct place *p, struct identity *who);
void grant_restore_refusal(struct grants *g, struct place *p, struct slice user_id);
void grant_restore_holder(struct grants *g, uint64_t conn, struct identity *who);

/* ---- grant_note.c ---- */

/* Notes what stands now. */
void grant_note_place(struct grants *g, const struct place *p);
void grant_note_token(struct grants *g, uint64_t conn, const struct identity *who);

#endif
