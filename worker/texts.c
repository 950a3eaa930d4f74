#include "worker/texts.h"

#include <stdint.h>
#include <stdlib.h>

#include "common/base/map.h"

struct text {
	UT_hash_handle hh;
	uint32_t holders;
	uint32_t n;
	char s[];
};

struct text *texts_take(struct texts *t, struct slice s)
{
	struct text *text;

	HASH_FIND(hh, t->table, s.p, s.n, text);
	if (text == NULL) {
		text = mem_zalloc(sizeof(*text) + s.n);
		text->n = (uint32_t)s.n;
		if (s.n > 0)
			memcpy(text->s, s.p, s.n);
		HASH_ADD(hh, t->table, s, text->n, text);
	}
	text->holders++;
	return text;
}

void texts_drop(struct texts *t, struct text *text)
{
	if (text == NULL || --text->holders > 0)
		return;
	HASH_DELETE(hh, t->table, text);
	free(text);
}

struct slice text_slice(const struct text *text)
{
	return slice_of(text->s, text->n);
}
