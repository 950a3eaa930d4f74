/*
 * A read-only view of bytes that somebody else owns: passed and returned by value, never freed.
 * It need not end in NUL; NUL-terminated strings appear only at the border to C libraries.
 *
 *	struct slice name = SLICE("pusher:ping");
 *	if (slice_eq(name, SLICE("pusher:ping"))) ...
 */
#ifndef COMMON_BASE_SLICE_H
#define COMMON_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *p;
	size_t n;
};

/* A slice of a string literal, for expressions and for static initialisers. */
#define SLICE(literal) ((struct slice){"" literal "", sizeof(literal) - 1})
#define SLICE_INIT(literal) \
	{ \
		"" literal "", sizeof(literal) - 1 \
	}
#define SLICE_NONE ((struct slice){NULL, 0})

/* For printf: printf("%.*s", SLICE_ARG(s)) */
#define SLICE_ARG(s) (int)(s).n, (s).p

static inline struct slice slice_of(const void *p, size_t n)
{
	return (struct slice){p, n};
}

/* A NULL string gives the empty slice. */
static inline struct slice slice_str(const char *s)
{
	return (struct slice){s, s != NULL ? strlen(s) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool slice_ends(struct slice s, struct slice suffix)
{
	return s.n >= suffix.n &&
	       (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* What follows the first n bytes; n is capped at the length. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
	if (n > s.n)
		n = s.n;
	return (struct slice){n > 0 ? s.p + n : s.p, s.n - n};
}

static inline struct slice slice_first(struct slice s, size_t n)
{
	return (struct slice){s.p, n < s.n ? n : s.n};
}

/* Splits at the first occurrence of c. False, and nothing set, if there is none. */
bool slice_cut(struct slice s, char c, struct slice *ret_before, struct slice *ret_after);

/* Compares ASCII letters without regard to case. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* Takes off blanks, tabs, CR and LF at both ends. */
struct slice slice_trim(struct slice s);

/* A strict decimal number: digits only, at least one, no sign, in range. */
bool slice_to_u64(struct slice s, unsigned long long *ret_value);

/* A NUL-terminated copy on the heap, for the border to C libraries; the caller frees it. */
char *slice_dup(struct slice s);

#endif
