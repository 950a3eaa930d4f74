#include "common/base/slice.h"

#include <strings.h>

#include "common/base/mem.h"

bool slice_cut(struct slice s, char c, struct slice *ret_before, struct slice *ret_after)
{
	const char *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	if (at == NULL)
		return false;
	size_t before = (size_t)(at - s.p);
	*ret_before = slice_of(s.p, before);
	*ret_after = slice_of(at + 1, s.n - before - 1);
	return true;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = slice_skip(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool slice_to_u64(struct slice s, unsigned long long *ret_value)
{
	unsigned long long value = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(value, 10ULL, &value) ||
		    __builtin_add_overflow(value, (unsigned long long)(s.p[i] - '0'), &value))
			return false;
	}
	*ret_value = value;
	return true;
}

char *slice_dup(struct slice s)
{
	char *copy = mem_alloc(s.n + 1);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}
