/*
 * Eight bytes at a time: which of them cannot stand in a JSON string as they are, that is a quote,
 * a backslash or a control character.
 */
#ifndef COMMON_BASE_PLAIN_H
#define COMMON_BASE_PLAIN_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/slice.h"

/*
 * Top bits of the bytes of a word that are not plain, the first byte lowest. A byte below n makes
 * its top bit show in (w - n) & ~w; a carry only adds false ones above a true one, so the lowest
 * bit is always true.
 */
static inline uint64_t plain_not(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101U;
	uint64_t w = le64toh(word);
	uint64_t quote = w ^ ones * '"';
	uint64_t slash = w ^ ones * '\\';

	return (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
	       ones << 7;
}

static inline uint64_t plain_word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Whether a byte is plain. */
static inline bool plain_byte(char c)
{
	return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

/* How many bytes of a word stand before the first that is not plain; `bad` is from plain_not(). */
static inline size_t plain_before(uint64_t bad)
{
	return bad != 0 ? (size_t)__builtin_ctzll(bad) / 8 : sizeof(bad);
}

/* How many bytes of the text from `at` on are plain, up to the first that is not. */
static inline size_t plain_run(struct slice text, size_t at)
{
	size_t begin = at;

	for (; at + sizeof(uint64_t) <= text.n; at += sizeof(uint64_t)) {
		uint64_t bad = plain_not(plain_word(text.p + at));

		if (bad != 0)
			return at - begin + plain_before(bad);
	}
	while (at < text.n && plain_byte(text.p[at]))
		at++;
	return at - begin;
}

#endif
