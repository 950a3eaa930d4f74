#include "broker/chat/rule.h"

#include <inttypes.h>
#include <stdio.h>

#include "broker/chat/chat.h"
#include "common/base/limits.h"
#include "common/base/macros.h"

static const struct chat_rule shipped[] = {
	{"private-user.{user}", "owner", false},
	{"private-chat.{chat}", "participant", false},
	{"presence-chat.{chat}", "participant", true},
	{"presence-users", "authenticated", true},
	/* What echo.join() makes of names that say presence- already. */
	{"presence-presence-chat.{chat}", "participant", true},
	{"presence-presence-users", "authenticated", true},
};

/* ---- patterns ---- */

/* Digits as the server itself writes them: no other name leads to the same chat. */
static bool is_chat(struct slice s, uint64_t *ret)
{
	unsigned long long n;

	if (s.n == 0 || s.p[0] == '0' || !slice_to_u64(s, &n) || n > RULE_CHAT_MAX)
		return false;
	*ret = n;
	return true;
}

static bool placeholder(struct slice pattern, struct slice name, struct slice *ret_rest)
{
	if (!slice_starts(pattern, name))
		return false;
	*ret_rest = slice_skip(pattern, name.n);
	return true;
}

/*
 * Depth is bounded by the number of placeholders of an operator's pattern, and each tries at most
 * the length of a channel's name.
 */
static bool matches(struct slice pattern, struct slice name, struct rule_match *m)
{
	struct slice rest;

	while (pattern.n > 0 && pattern.p[0] != '*' && pattern.p[0] != '{') {
		if (name.n == 0 || name.p[0] != pattern.p[0])
			return false;
		pattern = slice_skip(pattern, 1);
		name = slice_skip(name, 1);
	}
	if (pattern.n == 0)
		return name.n == 0;
	for (size_t n = name.n + 1; n-- > 0;) {
		struct slice part = slice_first(name, n);

		if (placeholder(pattern, SLICE("{user}"), &rest)) {
			if (n == 0 || !matches(rest, slice_skip(name, n), m))
				continue;
			m->user = part;
		} else if (placeholder(pattern, SLICE("{chat}"), &rest)) {
			uint64_t chat;

			if (!is_chat(part, &chat) || !matches(rest, slice_skip(name, n), m))
				continue;
			m->chat = chat;
		} else if (placeholder(pattern, SLICE("*"), &rest)) {
			if (!matches(rest, slice_skip(name, n), m))
				continue;
		} else {
			/* A brace that opens nothing we know stands for itself. */
			return name.n > 0 && name.p[0] == pattern.p[0] &&
			       matches(slice_skip(pattern, 1), slice_skip(name, 1), m);
		}
		return true;
	}
	return false;
}

/* ---- rows ---- */

static enum rule_kind kind_of(struct slice rule)
{
	static const struct {
		struct slice name;
		enum rule_kind kind;
	} kinds[] = {
		{SLICE_INIT("owner"), RULE_OWNER},
		{SLICE_INIT("participant"), RULE_PARTICIPANT},
		{SLICE_INIT("authenticated"), RULE_AUTHENTICATED},
		{SLICE_INIT("deny"), RULE_DENY},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (slice_eq(rule, kinds[i].name))
			return kinds[i].kind;
	}
	return rule.n > 0 ? RULE_STATEMENT : RULE_DENY;
}

static bool try_row(const struct chat_rule *row, struct slice channel, struct rule_match *ret)
{
	struct slice rule = slice_str(row->rule);

	*ret = (struct rule_match){0};
	if (!matches(slice_str(row->pattern), channel, ret))
		return false;
	ret->kind = kind_of(rule);
	if (ret->kind == RULE_STATEMENT)
		ret->statement = rule;
	return true;
}

static bool is_catch_all(const struct chat_rule *row)
{
	return slice_eq(slice_str(row->pattern), SLICE("*"));
}

static bool try_rows(const struct chat_rule *rows, uint32_t n, bool catch_all, struct slice channel,
		     struct rule_match *ret)
{
	for (uint32_t i = 0; i < n; i++) {
		if (is_catch_all(&rows[i]) == catch_all && try_row(&rows[i], channel, ret))
			return true;
	}
	return false;
}

void rule_find(const struct chat_rule *rules, uint32_t n, struct slice channel,
	       struct rule_match *ret)
{
	if (try_rows(rules, n, false, channel, ret) ||
	    try_rows(shipped, ARRAY_LEN(shipped), false, channel, ret) ||
	    try_rows(rules, n, true, channel, ret))
		return;
	*ret = (struct rule_match){0};
}

/* ---- names ---- */

/* Of patterns in which nothing but {chat} is open; the table must say "participant" for the name.
 */
static void name_row(const struct chat_rule *rules, uint32_t n, const struct chat_rule *row,
		     uint64_t chat, rule_channel_fn *fn, void *ctx)
{
	const char *at = strstr(row->pattern, "{chat}");
	char name[LIMIT_CHANNEL_NAME + 1];
	struct rule_match match;
	int length;

	if (at == NULL || strstr(row->pattern, "{user}") != NULL ||
	    strchr(row->pattern, '*') != NULL)
		return;
	length = snprintf(name, sizeof(name), "%.*s%" PRIu64 "%s", (int)(at - row->pattern),
			  row->pattern, chat, at + sizeof("{chat}") - 1);
	if (length < 0 || (size_t)length >= sizeof(name))
		return;
	rule_find(rules, n, slice_of(name, (size_t)length), &match);
	if (match.kind == RULE_PARTICIPANT && match.chat == chat)
		fn(ctx, slice_of(name, (size_t)length));
}

void rule_channels(const struct chat_rule *rules, uint32_t n, uint64_t chat, rule_channel_fn *fn,
		   void *ctx)
{
	for (uint32_t i = 0; i < n; i++)
		name_row(rules, n, &rules[i], chat, fn, ctx);
	for (size_t i = 0; i < ARRAY_LEN(shipped); i++)
		name_row(rules, n, &shipped[i], chat, fn, ctx);
}
