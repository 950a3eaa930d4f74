#include "common/conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct conf *parsed(const char *text)
{
	struct conf *c = conf_new();
	struct conf_fault fault = {""};

	if (!conf_parse(c, slice_str(text), "t.conf", &fault))
		fail_msg("%s", fault.text);
	return c;
}

static void assert_refused(const char *text, const char *want)
{
	struct conf *c = conf_new();
	struct conf_fault fault = {""};

	if (conf_parse(c, slice_str(text), "t.conf", &fault))
		fail_msg("accepted: %s", text);
	assert_string_equal(fault.text, want);
	conf_free(c);
}

static void defaults(void **state)
{
	struct conf *c = conf_new();
	struct conf_fault fault;

	(void)state;
	assert_int_equal(c->worker.listen.n, 1);
	assert_string_equal(c->worker.listen.v[0], "0.0.0.0:8080");
	assert_true(c->presence.grace == 3 * USEC_PER_SEC);
	assert_int_equal(c->limits.max_event_data, 10240);
	assert_int_equal(c->limits.max_body, 2 << 20);
	assert_int_equal(c->database.mirror, CONF_MIRROR_ALL);
	assert_string_equal(c->broker.user, "");
	assert_false(c->database.require_database);
	assert_int_equal(c->napps, 0);
	assert_int_equal(c->nchannels, 6);
	assert_string_equal(c->channels[1].name, "private-chat.{chat}");
	assert_string_equal(c->channels[1].rule, "participant");
	assert_true(c->channels[2].presence);
	assert_true(conf_check(c, &fault));
	conf_free(c);
	conf_free(NULL);
}

static void reads_every_type(void **state)
{
	struct conf *c = parsed("[worker]\n"
				"listen = 127.0.0.1:9000\n"
				"listen = [::1]:9000, unix:/run/x\n"
				"workers=4\r\n"
				"  \n"
				"# a comment\n"
				"; another\n"
				"ping_interval = 1500ms\n"
				"[limits]\n"
				"max_body = 1M\n"
				"[database]\n"
				"mirror = presence\n"
				"require_database = YES\n"
				"conninfo = host=/run/postgresql\n"
				"\tdbname=x ; not a comment\n"
				"\t# nor this\n");

	(void)state;
	assert_int_equal(c->worker.listen.n, 3);
	assert_string_equal(c->worker.listen.v[2], "unix:/run/x");
	assert_int_equal(c->worker.workers, 4);
	assert_true(c->worker.ping_interval == 1500 * USEC_PER_MSEC);
	assert_int_equal(c->limits.max_body, 1 << 20);
	assert_int_equal(c->database.mirror, CONF_MIRROR_PRESENCE);
	assert_true(c->database.require_database);
	assert_string_equal(c->database.conninfo,
			    "host=/run/postgresql\ndbname=x ; not a comment\n# nor this");
	conf_free(c);
}

static void reads_named_sections(void **state)
{
	struct conf *c = parsed("[app chatapp]\n"
				"key = chatapp-key\n"
				"secret = one, with a comma\n"
				"secret = two\n"
				"[channel \"private-\\\"x\\\\.*\"]\n"
				"rule = deny\n"
				"[app \"chatapp\"]\n"
				"id = 7\n"
				"[sql \"may_see\"]\n"
				"query = SELECT 1\n"
				"\n"
				"  FROM t WHERE a = $1\n"
				"[channel \"presence-users\"]\n"
				"rule = may_see\n");
	struct conf_fault fault = {""};

	(void)state;
	assert_int_equal(c->napps, 1);
	assert_string_equal(c->apps[0].name, "chatapp");
	assert_string_equal(c->apps[0].id, "7");
	assert_int_equal(c->apps[0].secret.n, 2);
	assert_string_equal(c->apps[0].secret.v[0], "one, with a comma");
	assert_int_equal(c->nchannels, 7);
	assert_string_equal(c->channels[6].name, "private-\"x\\.*");
	assert_string_equal(c->channels[3].rule, "may_see"); /* in its place, not behind */
	assert_true(c->channels[3].presence);
	assert_string_equal(conf_sql(c, "may_see"), "SELECT 1\nFROM t WHERE a = $1");
	assert_null(conf_sql(c, "other"));
	assert_true(conf_check(c, &fault));
	assert_ptr_equal(conf_chat_app(c), &c->apps[0]);
	conf_free(c);
}

static void later_texts_override(void **state)
{
	struct conf *c = parsed("[worker]\nlisten = 1.1.1.1:1\nworkers = 2\n[app a]\nkey = k\n");
	struct conf_fault fault;

	(void)state;
	assert_true(conf_parse(c,
			       SLICE("[worker]\nlisten = 2.2.2.2:2\nlisten = 3.3.3.3:3\n[app b]\n"
				     "[app a]\nkey = l\n"),
			       "u.conf", &fault));
	assert_int_equal(c->worker.listen.n, 2);
	assert_string_equal(c->worker.listen.v[0], "2.2.2.2:2");
	assert_int_equal(c->worker.workers, 2);
	assert_int_equal(c->napps, 2);
	assert_string_equal(c->apps[0].key, "l");
	assert_true(conf_parse(c, SLICE("[worker]\nlisten =\n"), "v.conf", &fault));
	assert_int_equal(c->worker.listen.n, 0);
	conf_free(c);
}

static void faults_name_place_and_range(void **state)
{
	(void)state;
	assert_refused("\n[presence]\ngrace = 11m\n",
		       "t.conf:3: [presence] grace = 11m: must be 0s to 10m");
	assert_refused("[worker]\nlisen = x\n",
		       "t.conf:2: [worker] has no key \"lisen\"; did you mean \"listen\"?");
	assert_refused("[worker]\nxyzzy = x\n", "t.conf:2: [worker] has no key \"xyzzy\"");
	assert_refused("[chat]\nuser_ids = uuid\n",
		       "t.conf:2: [chat] user_ids = uuid: must be integer or string");
	assert_refused("[database]\nmirror = some\n",
		       "t.conf:2: [database] mirror = some: must be all, presence or off");
	assert_refused("[broker]\nstandby = maybe\n",
		       "t.conf:2: [broker] standby = maybe: must be yes or no");
	assert_refused("[nowhere]\n", "t.conf:1: there is no section [nowhere]");
	assert_refused("[app]\n", "t.conf:1: section [app] needs a name: [app \"NAME\"]");
	assert_refused("[worker x]\n", "t.conf:1: section [worker] has no name");
	assert_refused("[worker\n", "t.conf:1: a section must end in ]");
	assert_refused("[app \"x]\n", "t.conf:1: the name of the section is malformed or too long");
	assert_refused("[app \"x\" y]\n",
		       "t.conf:1: the name of the section is malformed or too long");
	assert_refused("a = 1\n", "t.conf:1: \"a\" stands before the first [section]");
	assert_refused("[worker]\n= 1\n", "t.conf:2: a key must stand before =");
	assert_refused("[worker]\nworkers\n",
		       "t.conf:2: expected [section], key = value, a comment, or an indented line");
	assert_refused("  x\n", "t.conf:1: an indented line continues a value, and there is none");
	assert_refused("[worker]\n x\n",
		       "t.conf:2: an indented line continues a value, and there is none");
	assert_refused("[log]\nlevel = \x1b[1m\n",
		       "t.conf:2: [log] level =  [1m: must be err, warning, notice, info or debug");
	assert_refused("[log]\nlevel = \xFF\n", "t.conf: not UTF-8 text");
}

static void secrets_stay_out_of_faults(void **state)
{
	assert_refused("[app a]\nsecret = canary1\nsecret = canary2\nsecret = canary3\n",
		       "t.conf:4: [app \"a\"] secret: at most 2 values");
	(void)state;
}

static void numbers_hold_their_bounds(void **state)
{
	static const char *const bad[] = {"-1",	   "1.5", "",	"1x", "99999999999999999999",
					  "5 s s", "ms",  "257"};
	struct conf_fault fault;
	struct conf *c = conf_new();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(conf_set(c, "worker", "workers", slice_str(bad[i]), "x", &fault));
	assert_true(conf_set(c, "worker", "workers", SLICE("256"), "x", &fault));
	assert_false(conf_set(c, "database", "mirror_window", SLICE("19ms"), "x", &fault));
	assert_true(conf_set(c, "database", "mirror_window", SLICE("20ms"), "x", &fault));
	assert_true(conf_set(c, "database", "mirror_window", SLICE("1"), "x", &fault));
	assert_true(c->database.mirror_window == USEC_PER_SEC);
	assert_false(conf_set(c, "database", "mirror_window", SLICE("1001ms"), "x", &fault));
	assert_true(conf_set(c, "limits", "max_body", SLICE("64 m"), "x", &fault));
	assert_false(conf_set(c, "limits", "max_body", SLICE("65M"), "x", &fault));
	assert_false(conf_set(c, "limits", "max_body", SLICE("18014398509481984K"), "x", &fault));
	conf_free(c);
}

static void reads_the_environment(void **state)
{
	struct conf *c = conf_new();
	struct conf_fault fault = {""};

	(void)state;
	assert_true(conf_env(c, "CHAT_WORKER_LISTEN=1.2.3.4:5 6.7.8.9:10", &fault));
	assert_int_equal(c->worker.listen.n, 2);
	assert_true(conf_env(c, "CHAT_CHAT_USER_IDS=string", &fault));
	assert_int_equal(c->chat.user_ids, CONF_IDS_STRING);
	assert_true(conf_env(c, "CHAT_WORKER_PORT_8080_TCP=tcp://10.0.0.1:8080", &fault));
	assert_true(conf_env(c, "CHAT_WORKER=1", &fault));
	assert_true(conf_env(c, "PATH=/bin", &fault));
	assert_true(conf_env(c, "CHAT_SQL_QUERY=SELECT 1", &fault));
	assert_int_equal(c->nsqls, 0);
	assert_true(conf_env(c, "CHAT_APP_KEY=k", &fault));
	assert_true(conf_env(c, "CHAT_APP_SECRET=s", &fault));
	assert_int_equal(c->napps, 1);
	assert_string_equal(c->apps[0].name, "default");
	assert_string_equal(c->apps[0].key, "k");
	assert_false(conf_env(c, "CHAT_WORKER_WORKERS=many", &fault));
	assert_string_equal(fault.text,
			    "CHAT_WORKER_WORKERS: [worker] workers = many: must be 0 to 256");
	assert_true(conf_parse(c, SLICE("[app b]\n"), "t.conf", &fault));
	assert_false(conf_env(c, "CHAT_APP_KEY=k", &fault));
	assert_string_equal(fault.text, "CHAT_APP_KEY: there are 2 applications; use the file");
	conf_free(c);
}

static void a_dump_reads_back(void **state)
{
	struct conf *c = parsed("[worker]\nlisten = 1.1.1.1:1\n 2.2.2.2:2\n[app \"a\"]\nkey = k\n"
				"secret = canary\n[sql \"q\"]\nquery = SELECT 1\n FROM t\n"
				"[channel \"x\\\"y\"]\nrule = deny\n[database]\nconninfo =\n");
	struct conf_fault fault = {""};
	struct buf first;
	struct buf second;

	(void)state;
	buf_init(&first, 1 << 20);
	buf_init(&second, 1 << 20);
	assert_true(conf_dump(c, &first));
	assert_null(strstr(buf_cstr(&first), "canary"));
	assert_non_null(strstr(buf_cstr(&first), "secret = (hidden)\n"));
	struct conf *again = conf_new();

	if (!conf_parse(again, buf_slice(&first), "dump", &fault))
		fail_msg("%s", fault.text);
	assert_true(conf_dump(again, &second));
	assert_true(slice_eq(buf_slice(&first), buf_slice(&second)));
	assert_string_equal(conf_sql(again, "q"), "SELECT 1\nFROM t");
	buf_done(&first);
	buf_done(&second);
	conf_free(c);
	conf_free(again);
}

static void names_what_needs_a_restart(void **state)
{
	struct conf *old = parsed("[worker]\nping_interval = 10\n");
	struct conf *new = parsed("[worker]\nping_interval = 20\n");
	struct buf names;

	(void)state;
	buf_init(&names, 1000);
	assert_false(conf_needs_restart(old, new, &names));
	conf_free(new);
	new = parsed("[worker]\nlisten = 1.1.1.1:1\n[broker]\nrun_dir = /x\n[sql \"a\"]\n");
	assert_true(conf_needs_restart(old, new, &names));
	assert_string_equal(buf_cstr(&names), "[broker] run_dir, [worker] listen, [sql] query");
	buf_done(&names);
	conf_free(old);
	conf_free(new);
}

static void assert_check(const char *text, const char *want)
{
	struct conf *c = parsed(text);
	struct conf_fault fault = {""};

	if (conf_check(c, &fault))
		fail_msg("accepted: %s", text);
	if (strstr(fault.text, want) == NULL)
		fail_msg("\"%s\" is not in: %s", want, fault.text);
	assert_null(strstr(fault.text, "canary"));
	conf_free(c);
}

static void checks_what_no_key_shows(void **state)
{
	(void)state;
	assert_check("[database]\nconninfo = host=x password=canary\n", "password_file");
	assert_check("[database]\nconninfo = password = canary\n", "password_file");
	assert_check("[database]\nconninfo = postgresql://u:canary@h/chat\n", "password_file");
	assert_check("[redis]\nurl = redis://:canary@h:1\n", "password_file");
	assert_check("[broker]\nendpoint =\n", "[broker] endpoint");
	assert_check("[broker]\nendpoint = tcp://0.0.0.0:1\n", "curve_secret_file");
	assert_check("[broker]\nendpoint = http://x\n", "ipc:///PATH");
	assert_check("[worker]\nlisten =\n", "[worker] listen");
	assert_check("[worker]\nlisten = 8080\n", "[worker] listen = 8080");
	assert_check("[worker]\npath_prefix = ws\n", "path_prefix = ws");
	assert_check("[worker]\npath_prefix = /ws/\n", "path_prefix = /ws/");
	assert_check("[tls]\nlisten = 0.0.0.0:443\n", "[tls] certificate");
	assert_check("[tls]\nlisten = 0.0.0.0:443\ncertificate = /x\n", "[tls] private_key");
	assert_check("[proxy]\ntrusted = localhost\n", "trusted = localhost");
	assert_check("[chat]\npublic_url = chat.example.org\n", "public_url");
	assert_check("[admin]\nlisten = 8081\n", "[admin] listen");
	assert_check("[app a]\n", "key");
	assert_check("[app a]\nkey = k\n", "secret");
	assert_check("[app \"a/b\"]\nkey = k\nsecret = s\n", "id");
	assert_check("[app a]\nkey = k\nsecret = s\n[app b]\nkey = k\nsecret = s\n", "too");
	assert_check("[app a]\nkey = k\nsecret = s\n[app b]\nid = a\nkey = l\nsecret = s\n", "too");
	assert_check("[channel \"x\"]\n", "rule = ");
	assert_check("[channel \"x\"]\nrule = owner\n", "{user}");
	assert_check("[channel \"x\"]\nrule = participant\n", "{chat}");
	assert_check("[channel \"x\"]\nrule = nobody\n", "nobody");
	assert_check("[sql \"x\"]\n", "query");
}

static void passwords_that_are_none_are_fine(void **state)
{
	static const char *const fine[] = {
		"[database]\nconninfo = postgresql://u@h/chat\n",
		"[database]\nconninfo = passfile=/x\n",
		"[redis]\nurl = redis://h:6379/1\n",
		"[redis]\nurl = redis://h/a:b@c\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		struct conf *c = parsed(fine[i]);
		struct conf_fault fault = {""};

		if (!conf_check(c, &fault))
			fail_msg("%s", fault.text);
		conf_free(c);
	}
}

static void takes_addresses_apart(void **state)
{
	static const char *const bad[] = {"",	   "8080",   "a:",     "a:0",  "a:65536",
					  "a:1x",  "::1:1",  "[::1]1", "[]:1", "[::1:1",
					  "unix:", "unix:x", "unix:/"};
	struct slice host;
	uint16_t port;
	bool is_unix;

	(void)state;
	assert_true(conf_address(SLICE("[::1]:65535"), &host, &port, &is_unix));
	assert_true(slice_eq(host, SLICE("::1")));
	assert_int_equal(port, 65535);
	assert_false(is_unix);
	assert_true(conf_address(SLICE(":1"), &host, &port, &is_unix));
	assert_int_equal(host.n, 0);
	assert_true(conf_address(SLICE("unix:/run/x"), &host, &port, &is_unix));
	assert_true(slice_eq(host, SLICE("/run/x")));
	assert_true(is_unix);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(conf_address(slice_str(bad[i]), &host, &port, &is_unix));
}

static void bounds_sections_and_values(void **state)
{
	struct conf *c = conf_new();
	struct conf_fault fault = {""};
	struct buf text;

	(void)state;
	buf_init(&text, 1 << 20);
	for (int i = 0; i < CONF_SQL_MAX; i++)
		assert_true(buf_printf(&text, "[sql \"s%d\"]\n", i));
	assert_true(conf_parse(c, buf_slice(&text), "t", &fault));
	assert_false(conf_parse(c, SLICE("[sql \"more\"]\n"), "t", &fault));
	buf_clear(&text);
	assert_true(buf_add(&text, SLICE("[broker]\nnode = x\n")));
	for (int i = 0; i < 32 << 10; i++)
		assert_true(buf_add(&text, SLICE(" x\n")));
	assert_false(conf_parse(c, buf_slice(&text), "t", &fault));
	assert_non_null(strstr(fault.text, "64 KiB"));
	buf_done(&text);
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(reads_every_type),
		cmocka_unit_test(reads_named_sections),
		cmocka_unit_test(later_texts_override),
		cmocka_unit_test(faults_name_place_and_range),
		cmocka_unit_test(secrets_stay_out_of_faults),
		cmocka_unit_test(numbers_hold_their_bounds),
		cmocka_unit_test(reads_the_environment),
		cmocka_unit_test(a_dump_reads_back),
		cmocka_unit_test(names_what_needs_a_restart),
		cmocka_unit_test(checks_what_no_key_shows),
		cmocka_unit_test(passwords_that_are_none_are_fine),
		cmocka_unit_test(takes_addresses_apart),
		cmocka_unit_test(bounds_sections_and_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
