#include "common/conf/conf_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_conf_file.XXXXXX");
	return mkdtemp(dir) == NULL;
}

static const char *const names[] = {"main.conf",     "extra.conf",    "secret",
				    "empty",	     "d/10-a.conf",   "d/20-b.conf",
				    "d/ignored.txt", "d/.hidden.conf"};

static void path_of(const char *name, char *out, size_t n)
{
	assert_true(snprintf(out, n, "%s/%s", dir, name) < (int)n);
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(names[i], path, sizeof(path));
		(void)unlink(path);
	}
	path_of("d", path, sizeof(path));
	(void)rmdir(path);
	return rmdir(dir);
}

static void put(const char *name, const char *text)
{
	char path[128];

	path_of(name, path, sizeof(path));
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void reads_in_order(void **state)
{
	char main_path[128];
	char extra_path[128];
	char text[256];
	const char *more[] = {extra_path};
	char *env[] = {(char[]){"CHAT_WORKER_WORKERS=9"}, NULL};
	struct conf_fault fault = {""};
	struct conf *c;

	(void)state;
	path_of("d", text, sizeof(text));
	assert_int_equal(mkdir(text, 0700), 0);
	path_of("main.conf", main_path, sizeof(main_path));
	path_of("extra.conf", extra_path, sizeof(extra_path));
	(void)snprintf(text, sizeof(text),
		       "include = %s/d\n[broker]\nnode = main\n[log]\nlevel = info\n", dir);
	put("main.conf", text);
	put("d/20-b.conf", "[broker]\nnode = b\n[worker]\nweb_root = /b\n");
	put("d/10-a.conf", "[broker]\nnode = a\n[worker]\nbacklog = 7\n");
	put("d/ignored.txt", "rubbish");
	put("d/.hidden.conf", "rubbish");
	put("extra.conf", "[worker]\nweb_root = /extra\nworkers = 3\n");

	struct conf_source source = {.file = main_path, .more = more, .nmore = 1, .env = env};
	if (!conf_load(&source, &c, &fault))
		fail_msg("%s", fault.text);
	assert_string_equal(c->broker.node, "b");
	assert_int_equal(c->log.level, CONF_LOG_INFO);
	assert_int_equal(c->worker.backlog, 7);
	assert_string_equal(c->worker.web_root, "/extra");
	assert_int_equal(c->worker.workers, 9);
	conf_free(c);
}

static void a_missing_file_is_an_error_unless_optional(void **state)
{
	char path[128];
	struct conf_fault fault = {""};
	struct conf *c;

	(void)state;
	path_of("none.conf", path, sizeof(path));
	struct conf_source source = {.file = path};
	assert_false(conf_load(&source, &c, &fault));
	assert_non_null(strstr(fault.text, "No such file"));
	source.optional = true;
	assert_true(conf_load(&source, &c, &fault));
	conf_free(c);
	source.file = dir;
	assert_false(conf_load(&source, &c, &fault));
	assert_non_null(strstr(fault.text, "directory"));
}

static void reads_secrets_of_applications(void **state)
{
	char path[128];
	char secret[128];
	char text[512];
	struct conf_fault fault = {""};
	struct conf *c;

	(void)state;
	path_of("main.conf", path, sizeof(path));
	path_of("secret", secret, sizeof(secret));
	put("secret", "newest\nolder\n");
	(void)snprintf(text, sizeof(text), "[app a]\nkey = k\nsecret_file = %s\n", secret);
	put("main.conf", text);
	struct conf_source source = {.file = path, .secrets = true};
	if (!conf_load(&source, &c, &fault))
		fail_msg("%s", fault.text);
	assert_int_equal(c->apps[0].secret.n, 2);
	assert_string_equal(c->apps[0].secret.v[0], "newest");
	conf_free(c);
	source.secrets = false; /* workers may not read them */
	assert_true(conf_load(&source, &c, &fault));
	assert_int_equal(c->apps[0].secret.n, 0);
	assert_true(conf_check(c, &fault));
	conf_free(c);
	assert_int_equal(unlink(secret), 0);
	source.secrets = true;
	assert_false(conf_load(&source, &c, &fault));
	assert_non_null(strstr(fault.text, "secret_file"));
}

static void reads_one_secret(void **state)
{
	char path[128];
	char *secret = NULL;

	(void)state;
	path_of("secret", path, sizeof(path));
	put("secret", "  token \r\nsecond line\n");
	assert_int_equal(conf_secret(path, &secret), 0);
	assert_string_equal(secret, "token");
	free(secret);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
	assert_int_equal(conf_secret("secret", &secret), 0);
	assert_string_equal(secret, "token");
	free(secret);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_int_equal(conf_secret("secret", &secret), -ENOENT);
	path_of("empty", path, sizeof(path));
	put("empty", "\n");
	assert_int_equal(conf_secret(path, &secret), -EINVAL);
	path_of("none", path, sizeof(path));
	assert_int_equal(conf_secret(path, &secret), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_file_is_an_error_unless_optional, setup,
						teardown),
		cmocka_unit_test_setup_teardown(reads_secrets_of_applications, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_one_secret, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
