/* chatctl import-env: the .env of a Laravel application becomes sections of chat.conf. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/crypto/hmac.h"
#include "ctl/commands.h"
#include "ctl/conf_rows.h"
#include "ctl/dotenv.h"
#include "ctl/outcome.h"

#define CONF_TEXT_MAX (1 << 20)
#define ROWS_TEXT_MAX (1 << 24) /* names of sections are repeated */

/* Two sets of names for the same things. */
enum family { REVERB, PUSHER, FAMILIES };

static const char *const prefixes[FAMILIES] = {[REVERB] = "REVERB_", [PUSHER] = "PUSHER_"};

struct import {
	const char *file;
	struct dotenv env;
	struct buf out;
	int status;
};

/* ---- saying what is wrong ---- */

static void complain(const struct import *im, const struct dotenv_var *v, const char *text)
{
	(void)fprintf(stderr, "chatctl: %s:%u: %s: %s\n", im->file, v->line, v->name, text);
}

static bool fails(struct import *im, const struct dotenv_var *v, const char *text)
{
	complain(im, v, text);
	im->status = CTL_CONFIG;
	return false;
}

/*
 * The value of PREFIX + name; *ret NULL when it is not set or empty. False: it has one that cannot
 * be used.
 */
static bool value_of(struct import *im, enum family f, const char *name,
		     const struct dotenv_var **ret)
{
	char whole[64];
	const struct dotenv_var *v;

	*ret = NULL;
	(void)snprintf(whole, sizeof(whole), "%s%s", prefixes[f], name);
	v = dotenv_find(&im->env, whole);
	if (v == NULL || v->value == NULL || v->value[0] == '\0')
		return true;
	if (v->missing != NULL) {
		(void)fprintf(stderr, "chatctl: %s:%u: %s uses ${%s}, which is not set above it\n",
			      im->file, v->line, v->name, v->missing);
		im->status = CTL_CONFIG;
		return false;
	}
	for (const char *p = v->value; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7F)
			return fails(im, v, "control characters cannot stand in chat.conf");
	}
	if (v->value[0] == ' ' || v->value[strlen(v->value) - 1] == ' ')
		return fails(im, v, "chat.conf has no blanks at the ends of a value");
	*ret = v;
	return true;
}

/* ---- what a variable becomes ---- */

enum use {
	IN_APP,	   /* the key of the application's section */
	IN_WORKER, /* the key of [worker] */
	USED,	   /* by code below */
	NOT_TAKEN, /* the text says why */
};

static const struct rule {
	const char *name; /* without the prefix; "*" at the end: all that begin so */
	enum use use;
	const char *text;
} rules[] = {
	{"APP_ID", USED, NULL},
	{"APP_KEY", USED, NULL},
	{"APP_SECRET", USED, NULL},
	{"HOST", USED, NULL},
	{"PORT", USED, NULL},
	{"SCHEME", USED, NULL},
	{"SERVER_HOST", USED, NULL},
	{"SERVER_PORT", USED, NULL},
	{"SERVER_PATH", IN_WORKER, "path_prefix"},
	{"APP_PING_INTERVAL", IN_WORKER, "ping_interval"},
	{"APP_ACTIVITY_TIMEOUT", IN_WORKER, "activity_timeout"},
	{"APP_MAX_CONNECTIONS", IN_APP, "max_connections"},
	{"APP_ACCEPT_CLIENT_EVENTS_FROM", IN_APP, "client_events"},
	{"APP_MAX_MESSAGE_SIZE", NOT_TAKEN,
	 "the data of events is limited here: see max_event_data and max_client_event_data"},
	{"MAX_REQUEST_SIZE", NOT_TAKEN, "see [limits] max_body"},
	{"APP_RATE_LIMIT*", NOT_TAKEN,
	 "client events are limited by the second: see client_event_rate"},
	{"SCALING_*", NOT_TAKEN, "the workers of a node share one broker, without Redis"},
	{"PULSE_*", NOT_TAKEN, "see the broker's /metrics"},
	{"TELESCOPE_*", NOT_TAKEN, "see the broker's /metrics"},
	{"APP_CLUSTER", NOT_TAKEN, "there are no clusters: clients name a host"},
};

static const struct rule *rule_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		size_t n = strlen(rules[i].name);
		bool open_end = rules[i].name[n - 1] == '*';

		if (open_end ? strncmp(rules[i].name, name, n - 1) == 0
			     : strcmp(rules[i].name, name) == 0)
			return &rules[i];
	}
	return NULL;
}

/* Every variable of ours that changes nothing is named. */
static void name_the_rest(const struct import *im)
{
	for (size_t i = 0; i < im->env.n; i++) {
		const struct dotenv_var *v = &im->env.v[i];

		for (int f = 0; f < FAMILIES; f++) {
			size_t n = strlen(prefixes[f]);
			const struct rule *rule;

			if (strncmp(v->name, prefixes[f], n) != 0 || v->value == NULL ||
			    v->value[0] == '\0')
				continue;
			rule = rule_of(v->name + n);
			if (rule == NULL)
				complain(im, v, "not taken over: nobody knows it here");
			else if (rule->use == NOT_TAKEN) {
				(void)fprintf(stderr, "chatctl: %s:%u: %s: not taken over: %s\n",
					      im->file, v->line, v->name, rule->text);
			}
		}
	}
}

/* ---- writing sections ---- */

static void put(struct import *im, const char *key, const char *value)
{
	(void)buf_printf(&im->out, "%s = %s\n", key, value); /* `full` is looked at in the end */
}

static void put_section_name(struct import *im, const char *name)
{
	(void)buf_add(&im->out, SLICE("[app \""));
	for (; *name != '\0'; name++) {
		if (*name == '"' || *name == '\\')
			(void)buf_addc(&im->out, '\\');
		(void)buf_addc(&im->out, *name);
	}
	(void)buf_add(&im->out, SLICE("\"]\n"));
}

/* The keys of one use, of this family. */
static bool put_keys(struct import *im, enum family f, enum use use)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct rule *rule = &rules[i];
		const struct dotenv_var *v;

		if (rule->use != use)
			continue;
		if (!value_of(im, f, rule->name, &v))
			return false;
		if (v == NULL)
			continue;
		if (strcmp(rule->text, "client_events") == 0 && strcmp(v->value, "none") == 0)
			put(im, rule->text, "off");
		else if (strcmp(rule->text, "path_prefix") == 0 && v->value[0] != '/')
			(void)buf_printf(&im->out, "path_prefix = /%s\n", v->value);
		else
			put(im, rule->text, v->value);
	}
	return true;
}

struct app {
	const struct dotenv_var *id;
	const struct dotenv_var *key;
	const struct dotenv_var *secret;
};

/* False: something is wrong. An application that is not there has no id. */
static bool read_app(struct import *im, enum family f, struct app *ret)
{
	*ret = (struct app){0};
	if (!value_of(im, f, "APP_ID", &ret->id) || !value_of(im, f, "APP_KEY", &ret->key) ||
	    !value_of(im, f, "APP_SECRET", &ret->secret))
		return false;
	if (ret->id == NULL && ret->key == NULL && ret->secret == NULL)
		return true;
	if (ret->id != NULL && ret->key != NULL && ret->secret != NULL)
		return true;
	(void)fprintf(stderr, "chatctl: %s: %sAPP_%s is missing or empty\n", im->file, prefixes[f],
		      ret->id == NULL	 ? "ID"
		      : ret->key == NULL ? "KEY"
					 : "SECRET");
	im->status = CTL_CONFIG;
	return false;
}

static bool same(const struct dotenv_var *a, const struct dotenv_var *b)
{
	return strcmp(a->value, b->value) == 0;
}

static bool put_app(struct import *im, enum family f, const struct app *app)
{
	put_section_name(im, app->id->value);
	put(im, "key", app->key->value);
	put(im, "secret", app->secret->value);
	return put_keys(im, f, IN_APP);
}

static bool put_apps(struct import *im, enum family first)
{
	struct app apps[FAMILIES];
	enum family other = first == REVERB ? PUSHER : REVERB;

	if (!read_app(im, REVERB, &apps[REVERB]) || !read_app(im, PUSHER, &apps[PUSHER]))
		return false;
	if (apps[REVERB].id == NULL && apps[PUSHER].id == NULL) {
		(void)fprintf(stderr, "chatctl: %s: there is no REVERB_APP_ID or PUSHER_APP_ID\n",
			      im->file);
		im->status = CTL_REFUSED;
		return false;
	}
	if (apps[first].id != NULL && !put_app(im, first, &apps[first]))
		return false;
	if (apps[other].id == NULL)
		return true;
	if (apps[first].id == NULL)
		return put_app(im, other, &apps[other]);
	if (!same(apps[first].id, apps[other].id) && !same(apps[first].key, apps[other].key)) {
		(void)buf_addc(&im->out, '\n');
		return put_app(im, other, &apps[other]);
	}
	if (same(apps[first].id, apps[other].id) && same(apps[first].key, apps[other].key) &&
	    same(apps[first].secret, apps[other].secret))
		return true;
	return fails(im, apps[other].id, "another application has the same id or key");
}

static bool put_listen(struct import *im)
{
	const struct dotenv_var *host;
	const struct dotenv_var *port;

	if (!value_of(im, REVERB, "SERVER_HOST", &host) ||
	    !value_of(im, REVERB, "SERVER_PORT", &port))
		return false;
	if (host != NULL || port != NULL)
		(void)buf_printf(&im->out, "listen = %s:%s\n", host ? host->value : "0.0.0.0",
				 port ? port->value : "8080");
	return true;
}

static bool put_worker(struct import *im)
{
	size_t before;

	(void)buf_add(&im->out, SLICE("\n[worker]\n"));
	before = im->out.n;
	if (!put_listen(im) || !put_keys(im, REVERB, IN_WORKER))
		return false;
	if (im->out.n == before)
		im->out.n -= sizeof("\n[worker]\n") - 1;
	return true;
}

/* Where clients and backends connect: of the family that is used, else of the other one. */
static bool put_url(struct import *im, enum family first)
{
	for (int i = 0; i < FAMILIES; i++) {
		enum family f = i == 0 ? first : first == REVERB ? PUSHER : REVERB;
		const struct dotenv_var *host;
		const struct dotenv_var *port;
		const struct dotenv_var *scheme;
		const char *usual;

		if (!value_of(im, f, "HOST", &host) || !value_of(im, f, "PORT", &port) ||
		    !value_of(im, f, "SCHEME", &scheme))
			return false;
		if (host == NULL)
			continue;
		if (scheme != NULL && strcmp(scheme->value, "http") != 0 &&
		    strcmp(scheme->value, "https") != 0)
			return fails(im, scheme, "http or https is wanted");
		usual = scheme == NULL || strcmp(scheme->value, "https") == 0 ? "443" : "80";
		(void)buf_printf(&im->out, "\n[chat]\npublic_url = %s://%s",
				 scheme != NULL ? scheme->value : "https", host->value);
		if (port != NULL && strcmp(port->value, usual) != 0)
			(void)buf_printf(&im->out, ":%s", port->value);
		(void)buf_addc(&im->out, '\n');
		return true;
	}
	return true;
}

/* ---- the command ---- */

/* Of a file that the daemons will read: it must be right as a whole. */
static bool judge(struct import *im)
{
	struct conf *conf = conf_new();
	struct conf_fault fault;
	bool ok = conf_parse(conf, buf_slice(&im->out), "what would be written", &fault) &&
		  conf_check(conf, &fault);

	conf_free(conf);
	if (ok)
		return true;
	(void)fprintf(stderr, "chatctl: %s: %s\n", im->file, fault.text);
	im->status = CTL_CONFIG;
	return false;
}

static bool build(struct import *im)
{
	const struct dotenv_var *used = dotenv_find(&im->env, "BROADCAST_CONNECTION");
	enum family first = REVERB;

	if (used == NULL)
		used = dotenv_find(&im->env, "BROADCAST_DRIVER"); /* before Laravel 11 */
	if (used != NULL && used->value != NULL && strcmp(used->value, "pusher") == 0)
		first = PUSHER;
	(void)buf_add(&im->out,
		      SLICE("# Taken over from the environment file of an application.\n"));
	if (!put_apps(im, first) || !put_worker(im) || !put_url(im, first))
		return false;
	if (!buf_ok(&im->out)) {
		(void)fprintf(stderr, "chatctl: %s: larger than chat.conf may be\n", im->file);
		im->status = CTL_CONFIG;
		return false;
	}
	return judge(im);
}

/* The whole file or nothing; it holds a secret. */
static bool write_file(struct import *im, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	FILE *to;
	bool ok;

	if (fd < 0) {
		(void)fprintf(stderr, "chatctl: %s: %s\n", path, strerror(errno));
		im->status = errno == EEXIST ? CTL_REFUSED : CTL_IO;
		return false;
	}
	to = fdopen(fd, "w");
	if (to == NULL)
		die("no memory for a stream");
	ok = fwrite(im->out.p, 1, im->out.n, to) == im->out.n;
	if (fclose(to) == 0 && ok)
		return true;
	(void)fprintf(stderr, "chatctl: %s could not be written\n", path);
	(void)unlink(path); /* what stands there is of no use */
	im->status = CTL_IO;
	return false;
}

static bool read_file(struct import *im, struct buf *text)
{
	FILE *from = fopen(im->file, "re");
	size_t n = 0;

	if (from != NULL) {
		/* One byte more than is allowed shows that it is too long. */
		n = fread(buf_reserve(text, DOTENV_TEXT_MAX + 1), 1, DOTENV_TEXT_MAX + 1, from);
		text->n = n;
	}
	if (from == NULL || ferror(from)) {
		(void)fprintf(stderr, "chatctl: %s: %s\n", im->file, strerror(errno));
		im->status = CTL_REFUSED;
	}
	if (from != NULL)
		(void)fclose(from); /* it was only read */
	return im->status == CTL_OK;
}

static bool parse(struct import *im, const struct buf *text)
{
	struct dotenv_fault fault;

	if (dotenv_parse(buf_slice(text), &im->env, &fault))
		return true;
	if (fault.line > 0)
		(void)fprintf(stderr, "chatctl: %s:%u: %s\n", im->file, fault.line, fault.text);
	else
		(void)fprintf(stderr, "chatctl: %s: %s\n", im->file, fault.text);
	im->status = CTL_CONFIG;
	return false;
}

static void erase(struct buf *b)
{
	if (b->p != NULL)
		crypto_erase(b->p, b->cap);
	buf_done(b);
}

/* main() looks whether standard output took it. */
static void show(struct import *im, bool json)
{
	struct buf rows;

	if (!json) {
		(void)fwrite(im->out.p, 1, im->out.n, stdout);
		return;
	}
	buf_init(&rows, ROWS_TEXT_MAX);
	if (!conf_rows_put(buf_slice(&im->out), &rows))
		die("a configuration of more than %d bytes", ROWS_TEXT_MAX);
	(void)fwrite(rows.p, 1, rows.n, stdout);
	erase(&rows);
}

static void report(const struct args *args)
{
	struct outcome o;

	outcome_begin(&o, args->json, false);
	outcome_add(&o, args->output, "written");
	outcome_end(&o);
}

int command_import_env(const struct args *args)
{
	struct import im = {0};
	struct buf text;

	if (args->noperands != 1) {
		(void)fputs("chatctl: import-env needs the name of a file\n", stderr);
		return CTL_USAGE;
	}
	im.file = args->operands[0];
	buf_init(&im.out, CONF_TEXT_MAX);
	buf_init(&text, DOTENV_TEXT_MAX + 1);
	if (read_file(&im, &text) && parse(&im, &text) && build(&im)) {
		if (args->output == NULL)
			show(&im, args->json);
		else if (write_file(&im, args->output))
			report(args);
		name_the_rest(&im);
	}
	dotenv_done(&im.env);
	erase(&text);
	erase(&im.out);
	return im.status;
}
