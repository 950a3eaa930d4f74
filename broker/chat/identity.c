#include "broker/chat/identity.h"

#include <stdlib.h>

#include "broker/chat/chat_store.h"
#include "common/base/mem.h"

static char *put(char *at, struct slice from, struct slice *ret)
{
	if (from.n > 0)
		memcpy(at, from.p, from.n);
	*ret = from.p != NULL ? slice_of(at, from.n) : SLICE_NONE;
	return at + from.n;
}

struct identity *identity_new(const struct chat_token_row *row)
{
	struct identity *who =
		mem_zalloc(sizeof(*who) + row->user_id.n + row->user_name.n + row->hash.n);
	char *at = who->text;

	who->refs = 1;
	who->token_id = row->token_id;
	who->expires_at = row->expires_at;
	at = put(at, row->user_id, &who->user_id);
	at = put(at, row->user_name, &who->user_name);
	(void)put(at, row->hash, &who->hash);
	return who;
}

struct identity *identity_ref(struct identity *who)
{
	who->refs++;
	return who;
}

void identity_unref(struct identity *who)
{
	if (who != NULL && --who->refs == 0)
		free(who);
}
