/*
 * What was allowed to which connection: for each socket and channel the users who were given an
 * authorisation for it, with the token they showed, and what was taken back. All of a connection is
 * forgotten when it closes. Pure.
 *
 * An authorisation identifies a connection only when that connection presents it; where two users
 * asked for the same socket and channel neither counts. A signature that a socket holds stays valid
 * for ever, therefore what is withdrawn is remembered until the socket closes or the user may
 * again.
 *
 * Tokens by which connections were identified, or may yet be, stand here too: when one is revoked,
 * these are the connections to close.
 *
 * All of this is as old as the connections, older than a broker may be: each change is noted, to be
 * kept by somebody who outlives us and recalled by our successor.
 */
#ifndef BROKER_CHAT_GRANT_H
#define BROKER_CHAT_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

struct grants;
struct identity;
struct mark;

/* Most channels of one connection; more than it can subscribe by default, counted twice. */
#define GRANTS_PER_CONN 4096

/* What now stands under a key of a connection; an empty value = nothing. */
typedef void grants_note_fn(void *ctx, uint64_t conn, struct slice key, struct slice value);

MALLOC_LIKE struct grants *grants_new(grants_note_fn *note, void *ctx);
/* NULL is allowed. */
void grants_free(struct grants *g);

/*
 * The user was given an authorisation for that socket and channel (empty: to sign in). What was
 * withdrawn there from this user is allowed again. False: the connection has too many.
 */
bool grants_add(struct grants *g, uint64_t conn, struct slice channel, struct identity *who);

/* Whom an authorisation for that socket and channel identifies; NULL = nobody, or not clear whom.
 */
const struct identity *grants_user(const struct grants *g, uint64_t conn, struct slice channel);

/* Whether the socket may not subscribe the channel, whatever it shows. */
bool grants_refused(const struct grants *g, uint64_t conn, struct slice channel);

/* The connection counts as identified by that token, if by none before. */
void grants_identified(struct grants *g, uint64_t conn, const struct identity *who);

void grants_conn_closed(struct grants *g, uint64_t conn);

/*
 * Something that was noted by a broker before this one. fn for each authorisation in it. Tokens in
 * it are suspect: they may have been revoked meanwhile.
 */
typedef void grants_recalled_fn(void *ctx, struct slice user_id, struct slice channel);
void grants_recall(struct grants *g, uint64_t conn, struct slice key, struct slice value,
		   grants_recalled_fn *fn, void *ctx);

/* ---- participants come and go ---- */

/* Remembers that the user may no longer. False: the connection has too many. */
bool grants_withdraw(struct grants *g, uint64_t conn, struct slice channel, struct slice user_id);
/* The user may again, on all connections. */
void grants_restore(struct grants *g, struct slice channel, struct slice user_id);

/*
 * Each connection that holds an authorisation of the user for the channel. `alone`: no other user
 * asked for the same. fn may call grants_withdraw() for that conn and channel.
 */
typedef void grants_conn_fn(void *ctx, uint64_t conn, bool alone);
void grants_each(struct grants *g, struct slice channel, struct slice user_id, grants_conn_fn *fn,
		 void *ctx);

/* ---- tokens ---- */

/* All marks of a token id, or of all tokens, are to be checked. */
void grants_suspect(struct grants *g, int64_t token_id);
void grants_suspect_all(struct grants *g);
/* The next one to be checked, which is then being checked; NULL = none. */
struct mark *grants_next_suspect(struct grants *g);
const struct identity *mark_identity(const struct mark *m);

/*
 * The check is over. Still good: nothing. Not known: it is suspect again. Revoked: fn for each
 * connection that it identified, and its authorisations that nobody has used are refused. The mark
 * may be gone afterwards.
 */
enum mark_verdict { MARK_GOOD, MARK_UNKNOWN, MARK_REVOKED };
typedef void mark_conn_fn(void *ctx, uint64_t conn);
void grants_checked(struct grants *g, struct mark *m, enum mark_verdict verdict, mark_conn_fn *fn,
		    void *ctx);

/* Authorisations in memory. */
uint64_t grants_count(const struct grants *g);

#endif
