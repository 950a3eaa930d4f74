/* Who is shown as online, hiding, who may see when somebody was last there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/chat_fakes.h"

static int setup(void **state)
{
	(void)state;
	fake_begin();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

#define ONLINE \
	"publish presence-users user.status.changed " \
	"{\"user\":{\"id\":1,\"name\":\"Ada\",\"is_online\":true,"
#define OFFLINE \
	"publish presence-users user.status.changed " \
	"{\"user\":{\"id\":1,\"name\":\"Ada\",\"is_online\":false,"

static struct fake_reply *show(const char *user, bool is_online)
{
	return fake_ask(user,
			(struct chat_call){.route = WIRE_CHAT_ONLINE_STATUS, .flag = is_online});
}

static struct fake_reply *policy(const char *user, const char *name)
{
	return fake_ask(user, (struct chat_call){.route = WIRE_CHAT_ME, .name = slice_str(name)});
}

static struct fake_reply *who(const char *user)
{
	return fake_ask(user, (struct chat_call){.route = WIRE_CHAT_USERS_ONLINE});
}

static void come(uint64_t conn)
{
	fake_open(conn);
	assert_true(fake_join("1", conn, "private-user.1"));
}

/* The last connection goes and the grace passes. */
static void go(uint64_t conn)
{
	fake_close(conn);
	fake_pass(10 * USEC_PER_SEC);
}

/* ---- coming and going ---- */

static void coming_is_told_once_a_user(void **state)
{
	(void)state;
	come(7);
	expect_told(ONLINE "\"last_seen_at\":null}} exclude=0\n");
	expect_told("publish presence-presence-users user.status.changed");
	come(8);
	assert_int_equal(fake_count(ONLINE), 1);
	fake_close(7);
	fake_pass(60 * USEC_PER_SEC);
	assert_int_equal(fake_count("publish presence-users"), 1);
}

static void going_waits_for_the_grace(void **state)
{
	(void)state;
	come(7);
	fake_close(7);
	fake_pass(10 * USEC_PER_SEC - 1);
	expect_untold(OFFLINE);
	fake_pass(1);
	/* the moment when the connection went, not the end of the grace */
	expect_told(OFFLINE "\"last_seen_at\":\"2025-11-25T08:30:00.000Z\"}}");
}

static void coming_back_within_the_grace_is_silent(void **state)
{
	(void)state;
	come(7);
	fake_forget();
	fake_close(7);
	fake_pass(9 * USEC_PER_SEC);
	come(8);
	fake_pass(60 * USEC_PER_SEC);
	expect_untold("user.status.changed");
}

static void who_came_and_went_while_asked_is_not_told(void **state)
{
	(void)state;
	fake_open(7);
	assert_int_equal(fake_authorize("1", 7, "private-user.1")->status, 200);
	assert_true(fake_subscribe(7, "private-user.1", true, NULL)); /* asks */
	fake_close(7);
	fake_now += 11 * USEC_PER_SEC;
	registry_turn(fake_registry, (struct moment){fake_now, fake_wall});
	fake_settle();
	expect_untold("user.status.changed");
}

static void a_crowd_is_asked_for_together(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		char id[16];
		char channel[32];

		(void)snprintf(id, sizeof(id), "%d", 100 + i);
		(void)snprintf(channel, sizeof(channel), "presence-x.%d", i);
		fake_add_user(id, "Guest");
		fake_open(100U + (unsigned)i);
		assert_true(fake_subscribe(100U + (unsigned)i, channel, true, id));
	}
	assert_int_equal(fake_calls, 1);
	fake_settle();
	assert_int_equal(fake_calls, 2);
	assert_int_equal(fake_count("publish presence-users"), 40);
}

static void users_the_database_does_not_know_are_not_told(void **state)
{
	(void)state;
	fake_open(7);
	assert_true(fake_subscribe(7, "presence-x", true, "77"));
	fake_settle();
	expect_untold("publish");
}

/* A broker that was restarted hears of connections that are older than it. */
static void who_was_there_before_is_not_told_again(void **state)
{
	(void)state;
	fake_wall -= 60 * (wall_us_t)USEC_PER_SEC;
	fake_open(7);
	fake_wall += 60 * (wall_us_t)USEC_PER_SEC;
	assert_true(fake_subscribe(7, "presence-users", true, "1"));
	fake_settle();
	expect_untold("user.status.changed");
	fake_close(7);
	fake_pass(10 * USEC_PER_SEC);
	expect_told(OFFLINE);
}

/* ---- hiding ---- */

static void hiding_looks_like_going(void **state)
{
	struct fake_reply *r;

	(void)state;
	come(7);
	fake_pass(5 * USEC_PER_SEC);
	fake_forget();
	r = show("1", false);
	assert_int_equal(r->status, 200);
	assert_string_equal(r->body, "{\"user\":{\"id\":1,\"name\":\"Ada\",\"is_online\":false,"
				     "\"last_seen_at\":\"2025-11-25T08:30:05.000Z\"}}");
	expect_told(OFFLINE "\"last_seen_at\":\"2025-11-25T08:30:05.000Z\"}}");
	assert_true(fake_in_order(OFFLINE, "answer 200"));
	assert_int_equal(fake_last_seen("1"), fake_wall);
	fake_forget();
	(void)show("1", false);
	expect_untold("publish");
	assert_true(registry_is_subscribed(fake_registry, 7, SLICE("private-user.1")));
}

static void the_time_stands_still_until_shown_again(void **state)
{
	(void)state;
	come(7);
	(void)show("1", false);
	fake_pass(5 * USEC_PER_SEC);
	fake_forget();
	go(7);
	expect_untold("publish");
	assert_non_null(strstr(who("3")->body, "\"id\":1,\"name\":\"Ada\",\"is_online\":false,"
					       "\"last_seen_at\":\"2025-11-25T08:30:00.000Z\""));
}

static void showing_is_told(void **state)
{
	(void)state;
	come(7);
	(void)show("1", false);
	fake_forget();
	assert_non_null(strstr(show("1", true)->body, "\"is_online\":true"));
	expect_told(ONLINE);
	fake_forget();
	(void)show("1", true);
	expect_untold("publish");
}

static void a_reload_leaves_it_hidden(void **state)
{
	(void)state;
	come(7);
	(void)show("1", false);
	fake_pass(USEC_PER_SEC);
	fake_close(7);
	fake_pass(9 * USEC_PER_SEC);
	fake_forget();
	come(8);
	fake_pass(60 * USEC_PER_SEC);
	expect_untold("publish");
	assert_non_null(strstr(who("3")->body, "\"id\":1,\"name\":\"Ada\",\"is_online\":false"));
}

static void being_away_for_longer_shows_again(void **state)
{
	(void)state;
	come(7);
	(void)show("1", false);
	fake_pass(USEC_PER_SEC);
	go(7);
	fake_forget();
	come(8);
	expect_told(ONLINE);
	assert_non_null(strstr(who("3")->body, "\"id\":1,\"name\":\"Ada\",\"is_online\":true"));
}

static void it_outlives_a_restart_of_the_broker(void **state)
{
	(void)state;
	come(7);
	(void)show("1", false);
	fake_forget();
	/* The next broker hears of the same connection. */
	chat_user_offline(fake_chat, fake_now, SLICE("1"), 0);
	chat_user_online(fake_chat, fake_now, SLICE("1"));
	fake_settle();
	expect_untold("publish");
}

static void hiding_without_a_connection_keeps_the_time_and_the_next_one_hidden(void **state)
{
	(void)state;
	come(7);
	go(7);
	fake_pass(60 * USEC_PER_SEC);
	fake_forget();
	assert_non_null(strstr(show("1", false)->body, "\"last_seen_at\":\"2025-11-25T08:30:00"));
	come(8);
	expect_untold("publish");
}

static void of_one_who_is_offline_nothing_is_told(void **state)
{
	(void)state;
	(void)show("1", false);
	(void)show("1", true);
	expect_untold("publish");
}

/* ---- who may see it ---- */

static void the_time_is_shown_as_its_user_wants(void **state)
{
	static const char *const hidden =
		"\"id\":1,\"name\":\"Ada\",\"is_online\":false,\"last_seen_at\":null";
	static const char *const shown =
		"\"id\":1,\"name\":\"Ada\",\"is_online\":false,\"last_seen_at\":\"2025";
	struct fake_reply *r;

	(void)state;
	come(7);
	go(7);
	assert_non_null(strstr(who("3")->body, shown));
	r = policy("1", "contacts");
	assert_string_equal(r->body, "{\"user\":{\"id\":1,\"name\":\"Ada\",\"is_online\":false,"
				     "\"last_seen_at\":\"2025-11-25T08:30:00.000Z\","
				     "\"last_seen\":\"contacts\"}}");
	assert_non_null(strstr(who("3")->body, shown));
	(void)policy("1", "nobody");
	assert_non_null(strstr(who("3")->body, hidden));
	assert_int_equal(policy("1", "x")->status, 422);
}

static void an_event_shows_it_to_everyone_or_to_nobody(void **state)
{
	(void)state;
	(void)policy("1", "contacts");
	come(7);
	go(7);
	expect_told(OFFLINE "\"last_seen_at\":null}}");
	(void)policy("1", "everyone");
	fake_forget();
	come(8);
	go(8);
	expect_told(OFFLINE "\"last_seen_at\":\"2025");
}

static void lists_of_participants_obey_it_and_show_ones_own(void **state)
{
	struct fake_reply *r;

	(void)state;
	come(7);
	go(7);
	(void)policy("1", "nobody");
	r = fake_ask("3", (struct chat_call){.route = WIRE_CHAT_ACTIVE_CHATS});
	assert_non_null(strstr(r->body, "\"id\":1,\"name\":\"Ada\",\"is_online\":false,"
					"\"last_seen_at\":null"));
	r = fake_ask("1", (struct chat_call){.route = WIRE_CHAT_ACTIVE_CHATS});
	assert_non_null(strstr(r->body, "\"id\":1,\"name\":\"Ada\",\"is_online\":false,"
					"\"last_seen_at\":\"2025"));
}

static void only_those_who_share_a_chat_are_listed(void **state)
{
	struct fake_reply *r;
	struct buf ids;

	(void)state;
	come(7);
	assert_string_equal(who("2")->body, "{\"data\":[{\"id\":1,\"name\":\"Ada\","
					    "\"is_online\":true,\"last_seen_at\":null}]}");
	assert_string_equal(who("4")->body, "{\"data\":[]}");
	buf_init(&ids, 100);
	assert_true(wire_list_add(&ids, SLICE("3")));
	assert_true(wire_list_add(&ids, SLICE("4")));
	r = fake_ask("1",
		     (struct chat_call){.route = WIRE_CHAT_USERS_ONLINE, .ids = buf_slice(&ids)});
	assert_string_equal(r->body, "{\"data\":[{\"id\":3,\"name\":\"Cyd\","
				     "\"is_online\":false,\"last_seen_at\":null}]}");
	buf_done(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(coming_is_told_once_a_user, setup, teardown),
		cmocka_unit_test_setup_teardown(going_waits_for_the_grace, setup, teardown),
		cmocka_unit_test_setup_teardown(coming_back_within_the_grace_is_silent, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_came_and_went_while_asked_is_not_told, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_crowd_is_asked_for_together, setup, teardown),
		cmocka_unit_test_setup_teardown(users_the_database_does_not_know_are_not_told,
						setup, teardown),
		cmocka_unit_test_setup_teardown(who_was_there_before_is_not_told_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(hiding_looks_like_going, setup, teardown),
		cmocka_unit_test_setup_teardown(the_time_stands_still_until_shown_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(showing_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_leaves_it_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(being_away_for_longer_shows_again, setup, teardown),
		cmocka_unit_test_setup_teardown(it_outlives_a_restart_of_the_broker, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			hiding_without_a_connection_keeps_the_time_and_the_next_one_hidden, setup,
			teardown),
		cmocka_unit_test_setup_teardown(of_one_who_is_offline_nothing_is_told, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_time_is_shown_as_its_user_wants, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_event_shows_it_to_everyone_or_to_nobody, setup,
						teardown),
		cmocka_unit_test_setup_teardown(lists_of_participants_obey_it_and_show_ones_own,
						setup, teardown),
		cmocka_unit_test_setup_teardown(only_those_who_share_a_chat_are_listed, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
