#include "worker/api/info.h"

#include "common/base/macros.h"
#include "common/wire/wire.h"

static uint8_t info_of(struct slice word)
{
	static const struct {
		struct slice word;
		uint8_t bit;
	} rows[] = {
		{SLICE_INIT("user_count"), WIRE_INFO_USER_COUNT},
		{SLICE_INIT("subscription_count"), WIRE_INFO_SUBSCRIPTION_COUNT},
		{SLICE_INIT("cache"), WIRE_INFO_CACHE},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_eq(word, rows[i].word))
			return rows[i].bit;
	}
	return 0;
}

bool info_parse(struct slice text, uint8_t *ret_info)
{
	bool all_known = true;

	*ret_info = 0;
	while (text.n > 0) {
		struct slice word = text;
		struct slice rest = SLICE_NONE;
		uint8_t bit;

		(void)slice_cut(text, ',', &word, &rest); /* without it all is the last word */
		text = rest;
		word = slice_trim(word);
		if (word.n == 0)
			continue;
		bit = info_of(word);
		*ret_info |= bit;
		all_known = all_known && bit != 0;
	}
	return all_known;
}
