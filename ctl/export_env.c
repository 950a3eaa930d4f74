/* chatctl export-env: how a Laravel application reaches an application of this server. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/crypto/hmac.h"
#include "ctl/commands.h"
#include "ctl/db.h"

#define URL_HOST 256

/* Where clients and backends connect. */
struct place {
	char host[URL_HOST];
	uint16_t port;
	bool tls;
};

/* By section name or id; without a word the one of the chat. */
static const struct conf_app *find_app(const struct conf *conf, const char *word)
{
	if (word == NULL)
		return conf_chat_app(conf);
	for (size_t i = 0; i < conf->napps; i++) {
		const struct conf_app *app = &conf->apps[i];

		if (strcmp(app->name, word) == 0 || strcmp(conf_app_id(app), word) == 0)
			return app;
	}
	return NULL;
}

static void set_host(struct place *place, struct slice host)
{
	(void)snprintf(place->host, sizeof(place->host), "%.*s", SLICE_ARG(host));
}

/* [chat] public_url, without its path. */
static bool place_of_url(struct slice url, struct place *ret)
{
	struct slice rest;
	bool is_unix;
	size_t end = 0;

	ret->tls = slice_starts(url, SLICE("https://"));
	rest = slice_skip(url, ret->tls ? 8 : 7);
	while (end < rest.n && rest.p[end] != '/')
		end++;
	rest = slice_first(rest, end);
	if (conf_address(rest, &rest, &ret->port, &is_unix) && !is_unix) {
		set_host(ret, rest);
		return true;
	}
	ret->port = ret->tls ? 443 : 80;
	set_host(ret, rest);
	return rest.n > 0;
}

/* The first address that is no unix socket; "any" is this host. */
static bool place_of_list(const struct conf_list *list, struct place *ret)
{
	for (size_t i = 0; i < list->n; i++) {
		struct slice host;
		bool is_unix;

		if (!conf_address(slice_str(list->v[i]), &host, &ret->port, &is_unix) || is_unix)
			continue;
		if (host.n == 0 || slice_eq(host, SLICE("0.0.0.0")) || slice_eq(host, SLICE("::")))
			host = SLICE("localhost");
		set_host(ret, host);
		return true;
	}
	return false;
}

static bool find_place(const struct conf *conf, struct place *ret)
{
	*ret = (struct place){0};
	if (conf->chat.public_url[0] != '\0')
		return place_of_url(slice_str(conf->chat.public_url), ret);
	if (place_of_list(&conf->tls.listen, ret)) {
		ret->tls = true;
		return true;
	}
	return place_of_list(&conf->worker.listen, ret);
}

/* As .env files want it: quoted unless every byte is plain. */
static void put_value(struct buf *out, const char *value)
{
	if (value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				"_-.:/+=")] == '\0') {
		(void)buf_add(out, slice_str(value));
		return;
	}
	(void)buf_addc(out, '"');
	for (; *value != '\0'; value++) {
		if (strchr("\"\\$", *value) != NULL)
			(void)buf_addc(out, '\\');
		(void)buf_addc(out, *value);
	}
	(void)buf_addc(out, '"');
}

static void put_line(struct buf *out, bool json, const char *name, const char *value)
{
	if (json) {
		(void)buf_addc(out, out->n == 0 ? '{' : ',');
		(void)buf_json_str(out, slice_str(name));
		(void)buf_addc(out, ':');
		(void)buf_json_str(out, slice_str(value));
	} else {
		(void)buf_printf(out, "%s=", name);
		put_value(out, value);
		(void)buf_addc(out, '\n');
	}
}

static void put_all(struct buf *out, bool json, const struct conf_app *app,
		    const struct place *place)
{
	const char *scheme = place->tls ? "https" : "http";
	const struct {
		const char *name;
		const char *value;
	} lines[] = {{"KEY", app->key}, {"HOST", place->host}, {"PORT", NULL}, {"SCHEME", scheme}};
	char port[8];

	(void)snprintf(port, sizeof(port), "%u", place->port);
	put_line(out, json, "BROADCAST_CONNECTION", "reverb");
	put_line(out, json, "REVERB_APP_ID", conf_app_id(app));
	put_line(out, json, "REVERB_APP_KEY", app->key);
	put_line(out, json, "REVERB_APP_SECRET", app->secret.v[0]);
	put_line(out, json, "REVERB_HOST", place->host);
	put_line(out, json, "REVERB_PORT", port);
	put_line(out, json, "REVERB_SCHEME", scheme);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "VITE_REVERB_%s%s", i == 0 ? "APP_" : "",
			       lines[i].name);
		put_line(out, json, name, lines[i].value != NULL ? lines[i].value : port);
	}
	if (json)
		(void)buf_add(out, SLICE("}\n"));
}

static int export(const struct args *args, const struct conf *conf)
{
	const char *word = args->noperands > 0 ? args->operands[0] : NULL;
	const struct conf_app *app = find_app(conf, word);
	struct place place;
	struct buf out;

	if (app == NULL || app->secret.n == 0) {
		(void)fprintf(stderr, "chatctl: there is no application%s%s with a secret\n",
			      word != NULL ? " " : "", word != NULL ? word : "");
		return CTL_REFUSED;
	}
	if (!find_place(conf, &place)) {
		(void)fputs("chatctl: nobody is told where to connect: set [chat] public_url\n",
			    stderr);
		return CTL_CONFIG;
	}
	buf_init(&out, 1 << 16);
	put_all(&out, args->json, app, &place);
	if (!buf_ok(&out))
		die("an environment of more than %d bytes", 1 << 16);
	(void)fwrite(out.p, 1, out.n, stdout); /* main() looks whether all was written */
	explicit_bzero(out.p, out.n);
	buf_done(&out);
	return CTL_OK;
}

int command_export_env(const struct args *args)
{
	struct conf_fault fault;
	struct conf *conf;
	int status = db_config(args, true, &conf);

	if (status != CTL_OK)
		return status;
	if (conf_check(conf, &fault)) {
		status = export(args, conf);
	} else {
		(void)fprintf(stderr, "chatctl: %s\n", fault.text);
		status = CTL_CONFIG;
	}
	conf_free(conf);
	return status;
}
