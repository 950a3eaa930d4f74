#include "broker/chat/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/chat/chat.h"
#include "common/base/buf.h"

static const struct chat_rule rules[] = {
	{"private-room.{chat}", "participant", false},
	{"private-mine.{user}.box", "owner", false},
	{"*", "deny", false},
	{"private-asked.*", "my_statement", false},
	{"private-user.9", "deny", false},
	{"private-{brace}.*", "authenticated", false},
};

static enum rule_kind kind(const char *channel, struct rule_match *ret)
{
	rule_find(rules, 6, slice_str(channel), ret);
	return ret->kind;
}

static void shipped_rows_hold(void **state)
{
	struct rule_match m;

	(void)state;
	rule_find(NULL, 0, SLICE("private-user.a.b"), &m);
	assert_int_equal(m.kind, RULE_OWNER);
	assert_true(slice_eq(m.user, SLICE("a.b")));
	rule_find(NULL, 0, SLICE("private-chat.12"), &m);
	assert_int_equal(m.kind, RULE_PARTICIPANT);
	assert_int_equal(m.chat, 12);
	rule_find(NULL, 0, SLICE("presence-chat.12"), &m);
	assert_int_equal(m.kind, RULE_PARTICIPANT);
	rule_find(NULL, 0, SLICE("presence-users"), &m);
	assert_int_equal(m.kind, RULE_AUTHENTICATED);
}

static void doubled_names_are_aliases(void **state)
{
	struct rule_match m;

	(void)state;
	rule_find(NULL, 0, SLICE("presence-presence-chat.3"), &m);
	assert_int_equal(m.kind, RULE_PARTICIPANT);
	assert_int_equal(m.chat, 3);
	rule_find(NULL, 0, SLICE("presence-presence-users"), &m);
	assert_int_equal(m.kind, RULE_AUTHENTICATED);
}

static void others_match_nothing(void **state)
{
	static const char *const names[] = {
		"private-chat.",
		"private-chat.0",
		"private-chat.01",
		"private-chat.1x",
		"private-chat.-1",
		"private-chat.9007199254740992",
		"private-chat.1.2",
		"private-user.",
		"presence-users2",
		"public",
		"",
	};
	struct rule_match m;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		rule_find(NULL, 0, slice_str(names[i]), &m);
		assert_int_equal(m.kind, RULE_NONE);
	}
	rule_find(NULL, 0, SLICE("private-chat.9007199254740991"), &m);
	assert_int_equal(m.kind, RULE_PARTICIPANT);
}

static void rows_of_the_configuration_come_first(void **state)
{
	struct rule_match m;

	(void)state;
	assert_int_equal(kind("private-room.7", &m), RULE_PARTICIPANT);
	assert_int_equal(m.chat, 7);
	assert_int_equal(kind("private-mine.ada.box", &m), RULE_OWNER);
	assert_true(slice_eq(m.user, SLICE("ada")));
	assert_int_equal(kind("private-asked.x", &m), RULE_STATEMENT);
	assert_true(slice_eq(m.statement, SLICE("my_statement")));
	assert_int_equal(kind("private-user.9", &m), RULE_DENY);
	assert_int_equal(kind("private-user.8", &m), RULE_OWNER);
	assert_int_equal(kind("private-{brace}.x", &m), RULE_AUTHENTICATED);
}

static void the_catch_all_comes_last(void **state)
{
	struct rule_match m;

	(void)state;
	assert_int_equal(kind("private-chat.1", &m), RULE_PARTICIPANT);
	assert_int_equal(kind("news", &m), RULE_DENY);
	assert_int_equal(kind("private-other", &m), RULE_DENY);
}

static void add_name(void *ctx, struct slice channel)
{
	(void)buf_add(ctx, channel);
	(void)buf_addc(ctx, ' ');
}

static void names_of_a_chat_are_all_that_lead_to_it(void **state)
{
	struct buf names;

	(void)state;
	buf_init(&names, 4096);
	rule_channels(rules, 6, 5, add_name, &names);
	assert_true(
		slice_eq(buf_slice(&names), SLICE("private-room.5 private-chat.5 presence-chat.5 "
						  "presence-presence-chat.5 ")));
	buf_done(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_rows_hold),
		cmocka_unit_test(doubled_names_are_aliases),
		cmocka_unit_test(others_match_nothing),
		cmocka_unit_test(rows_of_the_configuration_come_first),
		cmocka_unit_test(the_catch_all_comes_last),
		cmocka_unit_test(names_of_a_chat_are_all_that_lead_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
