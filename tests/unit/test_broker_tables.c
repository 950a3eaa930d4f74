/* Applications, names of channels, held records, early ones and origins of the broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/apps.h"
#include "broker/channel_kind.h"
#include "broker/early.h"
#include "broker/hold.h"
#include "broker/origins.h"
#include "common/base/limits.h"
#include "common/wire/wire.h"

/* ---- names ---- */

static void test_kinds_of_channels(void **state)
{
	struct slice user = SLICE_NONE;

	(void)state;
	assert_true(channel_is_presence(SLICE("presence-a")));
	assert_true(channel_is_presence(SLICE("presence-cache-a")));
	assert_false(channel_is_presence(SLICE("presencea")));
	assert_true(channel_is_cache(SLICE("cache-a")));
	assert_true(channel_is_cache(SLICE("private-encrypted-cache-")));
	assert_true(channel_is_cache(SLICE("presence-cache-a")));
	assert_false(channel_is_cache(SLICE("private-a-cache-")));
	assert_true(channel_is_to_user(SLICE("#server-to-user-7"), &user));
	assert_true(slice_eq(user, SLICE("7")));
	assert_false(channel_is_to_user(SLICE("server-to-user-7"), &user));
	assert_false(channel_is_listed(SLICE("#server-to-user-7")));
	assert_true(channel_is_listed(SLICE("a")));
}

/* ---- applications ---- */

static struct conf *conf_of(const char *text)
{
	struct conf *conf = conf_new();
	struct conf_fault fault;

	assert_true(conf_parse(conf, slice_str(text), "test", &fault));
	return conf;
}

static struct wire_app told(const struct apps *apps, uint32_t index, struct buf *record)
{
	struct wire_app m;

	buf_clear(record);
	assert_true(apps_encode(apps, index, record));
	assert_true(wire_decode_app(buf_slice(record), &m));
	return m;
}

static void test_an_index_belongs_to_one_id(void **state)
{
	struct conf *first = conf_of("[app one]\nkey = k1\nsecret = s\n"
				     "[app two]\nid = 22\nkey = k2\nsecret = s\n");
	struct conf *second = conf_of("[chat]\napp = three\n[app three]\nkey = k3\nsecret = s\n"
				      "[app two]\nid = 22\nkey = new\nsecret = s\n");
	struct apps *apps = apps_new(first);
	struct buf record;

	(void)state;
	buf_init(&record, LIMIT_WIRE_RECORD);
	assert_int_equal(apps_find(apps, SLICE("22")), 1);
	assert_int_equal(apps_chat(apps), 0);
	assert_true(apps_load(apps, second));
	assert_int_equal(apps_count(apps), 3);
	assert_int_equal(apps_live(apps), 2);
	assert_int_equal(apps_chat(apps), 2);
	assert_false(told(apps, 0, &record).enabled);
	assert_true(slice_eq(told(apps, 1, &record).key, SLICE("new")));
	assert_null(apps_at(apps, 3));
	assert_int_equal(apps_find(apps, SLICE("two")), APPS_NONE);
	assert_true(apps_load(apps, first));
	assert_true(told(apps, 0, &record).enabled);
	buf_done(&record);
	apps_free(apps);
	conf_free(first);
	conf_free(second);
}

static void test_what_workers_are_told(void **state)
{
	struct conf *conf = conf_of("[app one]\nkey = k\nsecret = newest\nsecret = older\n"
				    "client_events = all\nauthorize_timeout = 30\n"
				    "allowed_origins = https://a.example\nmax_connections = 9\n");
	struct apps *apps = apps_new(conf);
	struct slice item;
	struct wire_app m;
	struct buf record;

	(void)state;
	buf_init(&record, LIMIT_WIRE_RECORD);
	m = told(apps, 0, &record);
	assert_true(slice_eq(m.id, SLICE("one")));
	assert_true(wire_list_next(&m.secrets, &item) && slice_eq(item, SLICE("newest")));
	assert_true(wire_list_next(&m.secrets, &item) && slice_eq(item, SLICE("older")));
	assert_false(wire_list_next(&m.secrets, &item));
	assert_true(wire_list_next(&m.origins, &item) &&
		    slice_eq(item, SLICE("https://a.example")));
	assert_int_equal(m.client_events, CONF_CLIENT_EVENTS_ALL);
	assert_int_equal(m.authorize_timeout, 30);
	assert_int_equal(m.max_connections, 9);
	assert_int_equal(m.max_event_data, 10240);
	buf_done(&record);
	apps_free(apps);
	conf_free(conf);
}

static void test_limits_of_one_application(void **state)
{
	struct conf *conf = conf_of(
		"[limits]\nmax_event_data = 20K\nclient_event_rate = 7\nmax_channel_name = 100\n"
		"[app plain]\nkey = k1\nsecret = s\n"
		"[app own]\nkey = k2\nsecret = s\nmax_event_data = 1K\nclient_event_rate = 2\n"
		"max_client_event_data = 50\nmax_channel_name = 20\n");
	struct apps *apps = apps_new(conf);
	struct wire_app m;
	struct buf record;

	(void)state;
	buf_init(&record, LIMIT_WIRE_RECORD);
	m = told(apps, 0, &record);
	assert_int_equal(m.max_event_data, 20480);
	assert_int_equal(m.max_client_event_data, 10240);
	assert_int_equal(m.client_event_rate, 7);
	assert_int_equal(m.max_channel_name, 100);
	m = told(apps, 1, &record);
	assert_int_equal(m.max_event_data, 1024);
	assert_int_equal(m.max_client_event_data, 50);
	assert_int_equal(m.client_event_rate, 2);
	assert_int_equal(m.max_channel_name, 20);
	buf_done(&record);
	apps_free(apps);
	conf_free(conf);
}

static void test_without_an_application(void **state)
{
	struct conf *conf = conf_new();
	struct apps *apps = apps_new(conf);

	(void)state;
	assert_int_equal(apps_count(apps), 0);
	assert_int_equal(apps_chat(apps), APPS_NONE);
	assert_null(apps_at(apps, APPS_NONE));
	apps_free(apps);
	conf_free(conf);
}

/* ---- held records ---- */

static void test_held_records_come_back_in_order(void **state)
{
	struct slice body;
	struct hold h;
	uint32_t worker;
	uint8_t kind;

	(void)state;
	hold_init(&h, 64);
	assert_false(hold_next(&h, &worker, &kind, &body));
	assert_true(hold_add(&h, 3, WIRE_PUBLISH, SLICE("first")));
	assert_true(hold_add(&h, 4, HOLD_GONE, SLICE_NONE));
	assert_false(hold_add(&h, 3, WIRE_PUBLISH,
			      SLICE("one that has no room any more in here at all")));
	assert_true(hold_next(&h, &worker, &kind, &body));
	assert_int_equal(worker, 3);
	assert_int_equal(kind, WIRE_PUBLISH);
	assert_true(slice_eq(body, SLICE("first")));
	assert_true(hold_next(&h, &worker, &kind, &body));
	assert_int_equal(worker, 4);
	assert_int_equal(kind, HOLD_GONE);
	assert_int_equal(body.n, 0);
	assert_false(hold_next(&h, &worker, &kind, &body));
	hold_done(&h);
}

/* ---- early records ---- */

static void expect_row(struct early_row *row, uint32_t worker, const char *body)
{
	assert_non_null(row);
	assert_int_equal(row->worker, worker);
	assert_true(slice_eq(slice_of(row->body, row->n), slice_str(body)));
	free(row);
}

static void test_early_records_come_with_their_connection(void **state)
{
	struct early e;

	(void)state;
	early_init(&e);
	assert_int_equal(early_deadline(&e), USEC_NEVER);
	assert_true(early_add(&e, 1000, 7, 1, SLICE("a")));
	assert_true(early_add(&e, 2000, 8, 2, SLICE("b")));
	assert_true(early_add(&e, 3000, 7, 2, SLICE_NONE));
	assert_int_equal(early_deadline(&e), 1000 + EARLY_WAIT);
	assert_null(early_take(&e, 9));
	expect_row(early_take(&e, 7), 1, "a");
	expect_row(early_take(&e, 7), 2, "");
	assert_null(early_take(&e, 7));
	assert_null(early_give_up(&e, 1999 + EARLY_WAIT));
	expect_row(early_give_up(&e, 2000 + EARLY_WAIT), 2, "b");
	assert_null(early_give_up(&e, USEC_NEVER));
	for (unsigned i = 0; i < EARLY_MOST; i++)
		assert_true(early_add(&e, 1, i, 1, SLICE("c")));
	assert_false(early_add(&e, 1, EARLY_MOST, 1, SLICE("c")));
	early_done(&e);
}

/* ---- publishes ---- */

static void test_an_origin_is_ordered_in_rising_numbers(void **state)
{
	struct origins *o = origins_new();

	(void)state;
	assert_true(origins_add(o, 1, 5));
	assert_false(origins_add(o, 1, 5));
	assert_false(origins_add(o, 1, 4));
	assert_true(origins_add(o, 1, 9));
	assert_true(origins_add(o, 2, 5));
	/* The one that published longest ago makes room. */
	for (uint64_t i = 0; i < 4096; i++) {
		assert_true(origins_add(o, 100 + i, 1));
		if (i < 4000)
			assert_true(origins_add(o, 2, 6 + i));
	}
	assert_true(origins_add(o, 1, 9));
	assert_false(origins_add(o, 2, 6));
	origins_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_of_channels),
		cmocka_unit_test(test_an_index_belongs_to_one_id),
		cmocka_unit_test(test_what_workers_are_told),
		cmocka_unit_test(test_limits_of_one_application),
		cmocka_unit_test(test_without_an_application),
		cmocka_unit_test(test_held_records_come_back_in_order),
		cmocka_unit_test(test_early_records_come_with_their_connection),
		cmocka_unit_test(test_an_origin_is_ordered_in_rising_numbers),
	};

	return cmocka_run_group_tests_name("broker_tables", tests, NULL, NULL);
}
