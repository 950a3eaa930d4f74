/* Exact texts and their order; the rest is checked by model_registry.c. */
#include "broker/registry/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/registry/presence.h"

static struct registry *reg;
static struct buf told; /* one line an op */
static struct moment now;

static void line(const char *what, struct slice channel, struct slice text, uint64_t n)
{
	(void)buf_printf(&told, "%s %.*s %.*s %llu\n", what, SLICE_ARG(channel), SLICE_ARG(text),
			 (unsigned long long)n);
}

static void on_subscribed(void *ctx, uint64_t conn, uint32_t worker, struct slice channel)
{
	(void)ctx;
	(void)worker;
	line("subscribed", channel, SLICE(""), conn);
}

static void add_member(void *ctx, struct slice user_id, struct slice user_info)
{
	(void)ctx;
	(void)buf_printf(&told, " %.*s=%.*s", SLICE_ARG(user_id), SLICE_ARG(user_info));
}

static void on_members(void *ctx, uint32_t worker, uint32_t app, struct slice channel)
{
	(void)ctx;
	(void)buf_printf(&told, "members to %u:", worker);
	registry_members(reg, app, channel, add_member, NULL);
	(void)buf_addc(&told, '\n');
}

static void on_member(void *ctx, const struct registry_change *change)
{
	static const char *const kinds[] = {"added", "removed", "changed"};

	(void)ctx;
	(void)buf_printf(&told, "%s%s", kinds[change->kind], change->announce ? "" : " silently");
	add_member(NULL, change->user_id, change->user_info);
	(void)buf_printf(&told, " %llu\n", (unsigned long long)change->exclude);
}

static void on_event(void *ctx, uint32_t app, struct slice channel, struct slice event,
		     struct slice data)
{
	(void)ctx;
	(void)app;
	(void)channel;
	line("event", event, data, 0);
}

static void on_left(void *ctx, uint32_t app, struct slice user_id, struct slice channel)
{
	(void)ctx;
	(void)app;
	line("left", channel, user_id, 0);
}

static void on_settled(void *ctx, uint64_t conn, struct slice channel)
{
	(void)ctx;
	line("settled", channel, SLICE(""), conn);
}

static void on_user(void *ctx, uint32_t app, struct slice user_id)
{
	(void)ctx;
	(void)app;
	line("online", user_id, SLICE(""), 0);
}

static void on_offline(void *ctx, uint32_t app, struct slice user_id, wall_us_t last_seen)
{
	(void)ctx;
	(void)app;
	line("offline", user_id, SLICE(""), (uint64_t)last_seen);
}

static void on_unconnected(void *ctx, uint32_t app, struct slice user_id, wall_us_t at)
{
	(void)ctx;
	(void)app;
	line("unconnected", user_id, SLICE(""), (uint64_t)at);
}

static void no_conn_row(void *ctx, const struct registry_conn *row)
{
	(void)ctx;
	(void)row;
}

static void no_conn_gone(void *ctx, uint32_t worker, uint64_t conn)
{
	(void)ctx;
	(void)worker;
	(void)conn;
}

static void no_sub_row(void *ctx, const struct registry_sub *row)
{
	(void)ctx;
	(void)row;
}

static void no_sub_gone(void *ctx, uint32_t worker, uint64_t conn, struct slice channel)
{
	(void)ctx;
	(void)worker;
	(void)conn;
	(void)channel;
}

static void no_user_row(void *ctx, const struct registry_user *row)
{
	(void)ctx;
	(void)row;
}

static void no_user_gone(void *ctx, uint32_t app, struct slice user_id)
{
	(void)ctx;
	(void)app;
	(void)user_id;
}

static void no_worker_gone(void *ctx, uint32_t worker)
{
	(void)ctx;
	(void)worker;
}

static const struct registry_ops ops = {
	.subscribed = on_subscribed,
	.members = on_members,
	.member = on_member,
	.event = on_event,
	.settled = on_settled,
	.left = on_left,
	.user_online = on_user,
	.user_offline = on_offline,
	.user_unconnected = on_unconnected,
	.conn_row = no_conn_row,
	.conn_gone = no_conn_gone,
	.sub_row = no_sub_row,
	.sub_gone = no_sub_gone,
	.user_row = no_user_row,
	.user_gone = no_user_gone,
	.worker_gone = no_worker_gone,
};

static void begin(const struct registry_options *options)
{
	now = (struct moment){.mono = 1000, .wall = 7};
	reg = registry_new(options, &ops, NULL);
	buf_init(&told, 1 << 20);
	for (uint64_t i = 1; i <= 4; i++) {
		struct registry_conn row = {.conn = i, .worker = (uint32_t)(i % 2)};

		registry_open(reg, now, &row);
	}
}

static void end(void)
{
	registry_free(reg);
	buf_done(&told);
}

static void assert_told(const char *text)
{
	assert_string_equal(told.n > 0 ? buf_cstr(&told) : "", text);
	buf_clear(&told);
}

static enum registry_result join(uint64_t conn, const char *channel, const char *user,
				 const char *info)
{
	struct registry_subscribe r = {
		.conn = conn,
		.channel = slice_str(channel),
		.presence = user != NULL,
		.user_id = slice_str(user),
		.user_info = slice_str(info),
	};

	return registry_subscribe(reg, now, &r);
}

static void test_join_and_leave(void **state)
{
	(void)state;
	begin(&(struct registry_options){.presence_grace = 0});
	/* the worker that becomes interested hears of all, who is so already of the new one */
	assert_int_equal(join(1, "presence-r", "7", "{\"name\":\"Z\"}"), REGISTRY_OK);
	assert_told("added 7={\"name\":\"Z\"} 1\n"
		    "members to 1: 7={\"name\":\"Z\"}\n"
		    "subscribed presence-r  1\n");
	assert_int_equal(join(2, "presence-r", "9", NULL), REGISTRY_OK);
	assert_told("added 9= 2\n"
		    "members to 0: 7={\"name\":\"Z\"} 9=\n"
		    "subscribed presence-r  2\n");
	/* a second connection of a member is nobody new */
	assert_int_equal(join(3, "presence-r", "9", "1"), REGISTRY_OK);
	assert_told("subscribed presence-r  3\n");
	/* user_info is that of the first subscription that still stands */
	registry_unsubscribe(reg, now, 2, SLICE("presence-r"));
	assert_told("changed silently 9=1 0\n");
	assert_int_equal(join(4, "presence-r", "7", NULL), REGISTRY_OK);
	assert_told("members to 0: 7={\"name\":\"Z\"} 9=1\n"
		    "subscribed presence-r  4\n");
	registry_close(reg, now, 3);
	assert_told("left presence-r 9 0\n"
		    "removed 9= 0\n"
		    "settled presence-r  3\n");
	end();
}

static void test_a_member_comes_back_from_its_grace(void **state)
{
	(void)state;
	begin(&(struct registry_options){.presence_grace = 10});
	assert_int_equal(join(1, "presence-r", "7", "1"), REGISTRY_OK);
	registry_close(reg, now, 1);
	buf_clear(&told);
	now.mono += 9;
	registry_turn(reg, now);
	assert_int_equal(join(3, "presence-r", "7", "2"), REGISTRY_OK);
	assert_told("changed silently 7=2 0\n"
		    "members to 1: 7=2\n"
		    "subscribed presence-r  3\n");
	assert_true(registry_deadline(reg) == USEC_NEVER);
	end();
}

/* An hour either way: graces are as long as ever, last seen is what the clock said. */
static void test_the_wall_clock_steps(void **state)
{
	static const wall_us_t steps[] = {-3600LL * 1000000, 3600LL * 1000000};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin(&(struct registry_options){.presence_grace = 10, .offline_grace = 20});
		now.wall = 3600LL * 1000000;
		assert_true(registry_identify(reg, now, 1, SLICE("7")));
		assert_int_equal(join(1, "presence-r", "7", NULL), REGISTRY_OK);
		registry_close(reg, now, 1);
		buf_clear(&told);
		now.wall += steps[i];
		now.mono += 9;
		registry_turn(reg, now);
		assert_told("");
		now.mono += 1;
		registry_turn(reg, now);
		assert_told("removed 7= 0\nsettled presence-r  1\n");
		now.mono += 10;
		registry_turn(reg, now);
		assert_told("offline 7  3600000000\n");
		end();
	}
}

static void test_recalled_members(void **state)
{
	struct slice r = SLICE("presence-r");

	(void)state;
	begin(&(struct registry_options){.presence_grace = 10});
	registry_recall(reg, now, 0, r, SLICE("7"), SLICE("1"));
	registry_recall(reg, now, 0, r, SLICE("7"), SLICE("2"));
	registry_recall(reg, now, 0, r, SLICE("8"), SLICE_NONE);
	now.mono += 50;
	registry_recalled(reg, now);
	assert_int_equal(registry_deadline(reg), now.mono + 10);
	assert_int_equal(join(1, "presence-r", "8", NULL), REGISTRY_OK);
	assert_told("members to 1: 7=1 8=\n"
		    "subscribed presence-r  1\n");
	now.mono += 10;
	registry_turn(reg, now);
	assert_told("removed 7= 0\n");
	/* a channel of none but such goes with them */
	registry_recall(reg, now, 0, SLICE("presence-s"), SLICE("7"), SLICE_NONE);
	now.mono += 10;
	registry_turn(reg, now);
	assert_told("removed 7= 0\n");
	end();
}

static void test_limits(void **state)
{
	(void)state;
	begin(&(struct registry_options){.max_members = 2});
	assert_int_equal(join(1, "presence-r", "1", NULL), REGISTRY_OK);
	assert_int_equal(join(2, "presence-r", "2", NULL), REGISTRY_OK);
	assert_int_equal(join(3, "presence-r", "3", NULL), REGISTRY_FULL);
	assert_int_equal(join(3, "presence-r", "2", NULL), REGISTRY_OK);
	assert_int_equal(join(9, "presence-r", "2", NULL), REGISTRY_UNKNOWN);
	end();
}

static void test_many_members_are_silent(void **state)
{
	(void)state;
	begin(&(struct registry_options){.member_events_max = 1});
	assert_int_equal(join(1, "presence-r", "1", NULL), REGISTRY_OK);
	buf_clear(&told);
	assert_int_equal(join(2, "presence-r", "2", NULL), REGISTRY_OK);
	assert_told("added silently 2= 2\nmembers to 0: 1= 2=\nsubscribed presence-r  2\n");
	assert_false(registry_announces(reg, 0, SLICE("presence-r")));
	registry_unsubscribe(reg, now, 2, SLICE("presence-r"));
	assert_told("left presence-r 2 0\nremoved silently 2= 0\nsettled presence-r  2\n");
	assert_true(registry_announces(reg, 0, SLICE("presence-r")));
	end();
}

static void test_a_list_never_outgrows_its_record(void **state)
{
	static char info[1 << 20];
	char user[2] = "a";

	(void)state;
	begin(&(struct registry_options){.max_members = 0});
	memset(info, '1', sizeof(info) - 1);
	buf_done(&told);
	buf_init(&told, (size_t)1 << 30);
	for (; user[0] < 'a' + 15; user[0]++)
		assert_int_equal(join(1 + (uint64_t)(user[0] % 4),
				      user[0] % 2 != 0 ? "presence-r" : "presence-s", user, info),
				 REGISTRY_OK);
	end();
}

static void test_counts_of_large_channels_rest(void **state)
{
	(void)state;
	begin(&(struct registry_options){0});
	registry_app(reg, 0, true);
	for (uint64_t i = 10; i < 111; i++) {
		struct registry_conn row = {.conn = i};

		registry_open(reg, now, &row);
		assert_int_equal(join(i, "news", NULL, NULL), REGISTRY_OK);
	}
	buf_clear(&told);
	assert_int_equal(join(1, "news", NULL, NULL), REGISTRY_OK);
	assert_told("subscribed news  1\n");
	assert_int_equal(join(2, "news", NULL, NULL), REGISTRY_OK);
	assert_told("subscribed news  2\n");
	now.mono = registry_deadline(reg);
	registry_turn(reg, now);
	assert_told("event pusher_internal:subscription_count {\"subscription_count\":103} 0\n");
	assert_true(registry_deadline(reg) == USEC_NEVER);
	end();
}

static void test_users(void **state)
{
	(void)state;
	begin(&(struct registry_options){.offline_grace = 10});
	assert_true(registry_identify(reg, now, 1, SLICE("7")));
	assert_true(registry_identify(reg, now, 2, SLICE("7")));
	assert_told("online 7  0\n");
	assert_true(registry_sign_in(reg, now, 3, SLICE("7")));
	assert_false(registry_sign_in(reg, now, 3, SLICE("8")));
	assert_true(registry_is_signed_in(reg, 3, SLICE("7")));
	assert_false(registry_is_signed_in(reg, 1, SLICE("7")));
	registry_close(reg, now, 1);
	registry_close(reg, now, 2);
	assert_told("");
	now.wall = 70;
	registry_worker_gone(reg, now, 1);
	assert_told("unconnected 7  70\n");
	now.mono += 10;
	now.wall = 80;
	registry_turn(reg, now);
	assert_told("offline 7  70\n");
	/* signed in as one user, identified as another before */
	assert_true(registry_identify(reg, now, 4, SLICE("5")));
	assert_true(registry_sign_in(reg, now, 4, SLICE("6")));
	registry_close(reg, now, 4);
	assert_told("online 5  0\nunconnected 5  80\n");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_join_and_leave),
		cmocka_unit_test(test_a_member_comes_back_from_its_grace),
		cmocka_unit_test(test_the_wall_clock_steps),
		cmocka_unit_test(test_recalled_members),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_members_are_silent),
		cmocka_unit_test(test_a_list_never_outgrows_its_record),
		cmocka_unit_test(test_counts_of_large_channels_rest),
		cmocka_unit_test(test_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
