#include "ctl/sql_split.h"

#include <stddef.h>

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static bool at(struct slice s, size_t i, const char *text)
{
	return slice_starts(slice_skip(s, i), slice_str(text));
}

/* Each of these is given the place of an opening mark and gives the place behind the closing one.
 */

static size_t skip_line(struct slice s, size_t i)
{
	while (i < s.n && s.p[i] != '\n')
		i++;
	return i;
}

static size_t skip_comment(struct slice s, size_t i)
{
	size_t depth = 0;

	while (i < s.n) {
		if (at(s, i, "/*")) {
			depth++;
			i += 2;
		} else if (at(s, i, "*/")) {
			i += 2;
			if (--depth == 0)
				return i;
		} else {
			i++;
		}
	}
	return s.n;
}

static size_t skip_quoted(struct slice s, size_t i)
{
	char quote = s.p[i];
	/* E'...', but not the end of a longer word */
	bool escapes = quote == '\'' && i > 0 && (s.p[i - 1] == 'E' || s.p[i - 1] == 'e') &&
		       (i == 1 || !is_word(s.p[i - 2]));

	for (i++; i < s.n; i++) {
		if (escapes && s.p[i] == '\\')
			i++;
		else if (s.p[i] == quote)
			return i + 1; /* a doubled one begins the next piece at once */
	}
	return s.n;
}

/* $tag$ ... $tag$; a dollar that opens none is passed over. */
static size_t skip_dollar(struct slice s, size_t i)
{
	size_t end = i + 1;
	struct slice tag;

	if (i > 0 && is_word(s.p[i - 1]))
		return i + 1;
	while (end < s.n && s.p[end] != '$' && is_word(s.p[end]))
		end++;
	if (end == s.n || s.p[end] != '$' || (s.p[i + 1] >= '0' && s.p[i + 1] <= '9'))
		return i + 1;
	tag = slice_of(s.p + i, end + 1 - i);
	for (end++; end < s.n; end++) {
		if (slice_starts(slice_skip(s, end), tag))
			return end + tag.n;
	}
	return s.n;
}

bool sql_next(struct slice *rest, struct slice *ret_statement)
{
	struct slice s = *rest;
	bool any = false;
	size_t i = 0;

	while (i < s.n && !(s.p[i] == ';' && any)) {
		char c = s.p[i];

		if (at(s, i, "--")) {
			i = skip_line(s, i);
			continue;
		}
		if (at(s, i, "/*")) {
			i = skip_comment(s, i);
			continue;
		}
		if (c == '\'' || c == '"')
			i = skip_quoted(s, i);
		else if (c == '$')
			i = skip_dollar(s, i);
		else
			i++;
		any = any || !(c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';');
	}
	if (!any)
		return false;
	*ret_statement = slice_trim(slice_first(s, i));
	*rest = slice_skip(s, i + 1);
	return true;
}
