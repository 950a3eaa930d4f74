/*
 * What a worker keeps for us of a connection, so that what was allowed, and what was taken back,
 * outlives this broker (NOTE in wire.def). One note for each place that says anything, under "g"
 * and the channel, and one, under "t", for the token that identified the connection:
 *
 *	x			the token behind it was revoked
 *	r USER			the user may no longer
 *	g ID USER HASH		the user was given an authorisation
 *
 * ID is eight bytes, little endian; USER is a length and text; HASH is 32 bytes.
 */
#include <stdlib.h>

#include "broker/chat/chat_store.h"
#include "broker/chat/grant_internal.h"
#include "common/base/buf.h"
#include "common/base/encode.h"

#define KEY_PLACE 'g'
#define KEY_TOKEN 't'
#define HASH_BYTES 32
#define NOTE_MAX 65536

/* ---- writing ---- */

static void put_user(struct buf *b, struct slice id)
{
	(void)buf_addc(b, (char)id.n); /* send() checks */
	(void)buf_add(b, id);
}

static void put_identity(struct buf *b, const struct identity *who)
{
	unsigned char hash[HASH_BYTES];
	char id[sizeof(uint64_t)];

	if (!hex_decode(who->hash, hash, sizeof(hash)))
		return; /* of no token that can be asked for again */
	for (size_t i = 0; i < sizeof(id); i++)
		id[i] = (char)((uint64_t)who->token_id >> (8 * i));
	(void)buf_addc(b, 'g');
	(void)buf_add(b, slice_of(id, sizeof(id)));
	put_user(b, who->user_id);
	(void)buf_add(b, slice_of(hash, sizeof(hash)));
}

static void send(struct grants *g, uint64_t conn, struct slice key, struct buf *value)
{
	if (buf_ok(value))
		g->note(g->ctx, conn, key, buf_slice(value));
	buf_done(value);
}

void grant_note_place(struct grants *g, const struct place *p)
{
	char key[1 + LIMIT_CHANNEL_NAME] = {KEY_PLACE};
	const struct refusal *r;
	const struct grant *gr;
	struct buf b;

	buf_init(&b, NOTE_MAX);
	if (p->revoked)
		(void)buf_addc(&b, 'x');
	LIST_FOREACH (r, &p->refusals, of_place) {
		(void)buf_addc(&b, 'r');
		put_user(&b, slice_of(r->id, r->id_n));
	}
	LIST_FOREACH (gr, &p->grants, of_place)
		put_identity(&b, gr->mark->who);
	memcpy(key + 1, p->key + sizeof(uint64_t), p->name_n);
	send(g, p->holder->conn, slice_of(key, 1U + p->name_n), &b);
}

void grant_note_token(struct grants *g, uint64_t conn, const struct identity *who)
{
	static const char key[] = {KEY_TOKEN};
	struct buf b;

	buf_init(&b, NOTE_MAX);
	put_identity(&b, who);
	send(g, conn, slice_of(key, sizeof(key)), &b);
}

/* ---- reading ---- */

static bool take(struct slice *from, size_t n, struct slice *ret)
{
	if (from->n < n)
		return false;
	*ret = slice_of(from->p, n);
	*from = slice_skip(*from, n);
	return true;
}

static bool take_user(struct slice *from, struct slice *ret)
{
	struct slice n;

	return take(from, 1, &n) && (unsigned char)n.p[0] > 0 &&
	       (unsigned char)n.p[0] <= LIMIT_USER_ID && take(from, (unsigned char)n.p[0], ret);
}

/* NULL: it is cut. Behind its 'g'. */
static struct identity *take_identity(struct slice *from)
{
	char text[2 * HASH_BYTES + 1];
	struct slice id;
	struct slice user;
	struct slice hash;
	uint64_t token = 0;

	if (!take(from, sizeof(token), &id) || !take_user(from, &user) ||
	    !take(from, HASH_BYTES, &hash))
		return NULL;
	for (size_t i = 0; i < sizeof(token); i++)
		token |= (uint64_t)(unsigned char)id.p[i] << (8 * i);
	hex_encode(hash.p, hash.n, text);

	struct chat_token_row row = {
		.token_id = (int64_t)token,
		.user_id = user,
		.hash = slice_str(text),
	};

	return identity_new(&row);
}

static void recall_token(struct grants *g, uint64_t conn, struct slice value)
{
	struct identity *who = take_identity(&value);

	if (who == NULL)
		return;
	grant_restore_holder(g, conn, who);
	identity_unref(who);
}

static void recall_place(struct grants *g, uint64_t conn, struct slice channel, struct slice value,
			 grants_recalled_fn *fn, void *ctx)
{
	struct place *p = grant_restore_place(g, conn, channel);
	struct identity *who;
	struct slice what;
	struct slice user;

	while (p != NULL && take(&value, 1, &what)) {
		if (what.p[0] == 'x') {
			p->revoked = true;
		} else if (what.p[0] == 'r' && take_user(&value, &user)) {
			grant_restore_refusal(g, p, user);
		} else if (what.p[0] == 'g' && (who = take_identity(&value)) != NULL) {
			grant_restore(g, p, who);
			fn(ctx, who->user_id, channel);
			identity_unref(who);
		} else {
			return; /* not what we wrote */
		}
	}
}

void grants_recall(struct grants *g, uint64_t conn, struct slice key, struct slice value,
		   grants_recalled_fn *fn, void *ctx)
{
	struct slice channel = slice_skip(key, 1);

	if (key.n == 0)
		return;
	if (key.p[0] == KEY_PLACE && channel.n <= LIMIT_CHANNEL_NAME)
		recall_place(g, conn, channel, value, fn, ctx);
	else if (key.p[0] == KEY_TOKEN && take(&value, 1, &channel) && channel.p[0] == 'g')
		recall_token(g, conn, value);
}
