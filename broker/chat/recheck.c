/*
 * Tokens that changed while connections live by them: the database is asked again, and what is
 * revoked closes its connections. Few are under way at once: "all tokens" may be many.
 */
#include <stdlib.h>

#include "broker/chat/chat_internal.h"
#include "common/crypto/hmac.h"

#define UNDER_WAY_MAX 32
#define CLOSE_CODE 4009 /* final: to connect again with the same token is no use */

struct check {
	TAILQ_ENTRY(check) entry;
	struct chat *c;
	struct mark *mark;
};

static void on_revoked(void *ctx, uint64_t conn)
{
	struct chat *c = ctx;

	c->ops->close(c->ctx, conn, CLOSE_CODE, SLICE("Connection is no longer authorised"));
}

/* Another user under the same token is as good as none. */
static enum mark_verdict judge(const struct identity *who, const struct chat_result *r,
			       const struct chat_token_row *row)
{
	switch (r->code) {
	case CHAT_STORE_OK:
	case CHAT_STORE_FORBIDDEN:
	case CHAT_STORE_INVALID:
		if (row != NULL && crypto_equal(row->hash, who->hash) &&
		    slice_eq(row->user_id, who->user_id))
			return MARK_GOOD;
		return MARK_REVOKED;
	case CHAT_STORE_UNAVAILABLE:
		return MARK_UNKNOWN;
	case CHAT_STORE_FAULT:
		break;
	}
	return MARK_GOOD; /* nothing was said about the token */
}

static void on_token(void *ctx, const struct chat_result *r, const struct chat_token_row *row)
{
	struct check *check = ctx;
	struct chat *c = check->c;
	struct mark *m = check->mark;
	enum mark_verdict verdict = judge(mark_identity(m), r, row);

	TAILQ_REMOVE(&c->checks, check, entry);
	c->checks_under_way--;
	free(check);
	if (verdict == MARK_UNKNOWN)
		chat_retry_later(c);
	grants_checked(c->grants, m, verdict, on_revoked, c);
	recheck_pump(c);
}

void recheck_pump(struct chat *c)
{
	const struct chat_store *store = c->store;
	struct mark *m;

	while (c->retry_at == USEC_NEVER && c->checks_under_way < UNDER_WAY_MAX &&
	       (m = grants_next_suspect(c->grants)) != NULL) {
		struct check *check = NEW(struct check);

		check->c = c;
		check->mark = m;
		TAILQ_INSERT_TAIL(&c->checks, check, entry);
		c->checks_under_way++;
		store->find_token(store->self, SLICE_NONE, mark_identity(m)->hash, on_token, check);
	}
}

void recheck_free_all(struct chat *c)
{
	struct check *check;

	while ((check = TAILQ_FIRST(&c->checks)) != NULL) {
		TAILQ_REMOVE(&c->checks, check, entry);
		free(check);
	}
}
