/* What no single key shows. Pure. */
#include <stdio.h>

#include "common/conf/conf_internal.h"

bool conf_address(struct slice text, struct slice *ret_host, uint16_t *ret_port, bool *ret_is_unix)
{
	unsigned long long port;
	size_t colon = text.n;

	if (slice_starts(text, SLICE("unix:"))) {
		struct slice path = slice_skip(text, 5);

		if (path.n < 2 || path.p[0] != '/' || path.n > 107) /* sun_path */
			return false;
		*ret_host = path;
		*ret_port = 0;
		*ret_is_unix = true;
		return true;
	}
	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon == 0 || !slice_to_u64(slice_skip(text, colon), &port) || port == 0 ||
	    port > 65535)
		return false;
	struct slice host = slice_first(text, colon - 1);

	if (host.n > 0 && host.p[0] == '[') {
		if (host.n < 3 || host.p[host.n - 1] != ']')
			return false;
		host = slice_of(host.p + 1, host.n - 2);
	} else if (host.n > 0 && memchr(host.p, ':', host.n) != NULL) {
		return false; /* an IPv6 address needs its brackets */
	}
	*ret_host = host;
	*ret_port = (uint16_t)port;
	*ret_is_unix = false;
	return true;
}

static bool check_addresses(const char *section, const struct conf_list *list, struct conf_fault *f)
{
	struct slice host;
	uint16_t port;
	bool is_unix;

	for (size_t i = 0; i < list->n; i++) {
		if (!conf_address(slice_str(list->v[i]), &host, &port, &is_unix))
			return conf_fail(f,
					 "[%s] listen = %.80s: must be IPV4:PORT, [IPV6]:PORT or "
					 "unix:/PATH",
					 section, list->v[i]);
	}
	return true;
}

/* USER:PASSWORD@ in a URL. */
static bool url_has_password(const char *url)
{
	const char *at = strstr(url, "://");

	if (at == NULL)
		return false;
	struct slice rest = slice_str(at + 3);
	struct slice user;
	struct slice host;
	struct slice ignored;
	size_t slash = 0;

	while (slash < rest.n && rest.p[slash] != '/')
		slash++;
	return slice_cut(slice_first(rest, slash), '@', &user, &host) &&
	       slice_cut(user, ':', &ignored, &ignored);
}

/* password=, with blanks before the sign; not passfile= or sslpassword_file. */
static bool conninfo_has_password(const char *conninfo)
{
	for (const char *p = conninfo; (p = strstr(p, "password")) != NULL; p += 8) {
		const char *end = p + 8;

		while (*end == ' ' || *end == '\t' || *end == '\n')
			end++;
		if (*end == '=')
			return true;
	}
	return url_has_password(conninfo);
}

static bool check_passwords(const struct conf *c, struct conf_fault *f)
{
	if (conninfo_has_password(c->database.conninfo))
		return conf_fail(
			f, "[database] conninfo: holds a password, which every process that "
			   "reads this file could read; put it into [database] password_file");
	if (url_has_password(c->redis.url))
		return conf_fail(f, "[redis] url: holds a password, which every process that reads "
				    "this file could read; put it into [redis] password_file");
	if (url_has_password(c->chat.public_url))
		return conf_fail(f, "[chat] public_url: holds a password and is shown to clients");
	return true;
}

/* `key` is how it is named in the fault. */
static bool check_endpoints(const struct conf *c, const char *key, const struct conf_list *list,
			    struct conf_fault *f)
{
	for (size_t i = 0; i < list->n; i++) {
		struct slice e = slice_str(list->v[i]);
		bool tcp = slice_starts(e, SLICE("tcp://"));

		if (!tcp && !slice_starts(e, SLICE("ipc:///")))
			return conf_fail(f, "%s = %.80s: must be ipc:///PATH or tcp://ADDRESS:PORT",
					 key, e.p);
		if (!tcp && e.n > 6 + 107)
			return conf_fail(f, "%s: a socket path has at most 107 bytes", key);
		if (tcp && c->broker.curve_secret_file[0] == '\0')
			return conf_fail(f, "%s = %.80s: tcp needs curve_secret_file", key, e.p);
	}
	return true;
}

static bool check_broker(const struct conf *c, struct conf_fault *f)
{
	if (c->broker.endpoint.n == 0)
		return conf_fail(f, "[broker] endpoint: must not be empty");
	if (!check_endpoints(c, "[broker] endpoint", &c->broker.endpoint, f) ||
	    !check_endpoints(c, "[worker] brokers", &c->worker.brokers, f))
		return false;
	if (c->broker.run_dir[0] != '/')
		return conf_fail(f, "[broker] run_dir = %.80s: must be an absolute path",
				 c->broker.run_dir);
	return true;
}

static bool check_proxies(const struct conf *c, struct conf_fault *f)
{
	for (size_t i = 0; i < c->proxy.trusted.n; i++) {
		const char *v = c->proxy.trusted.v[i];

		if (v[strspn(v, "0123456789abcdefABCDEF.:/")] != '\0' || strpbrk(v, ".:") == NULL)
			return conf_fail(f,
					 "[proxy] trusted = %.80s: must be an address or a "
					 "network as 10.0.0.0/8",
					 v);
	}
	return true;
}

static bool check_worker(const struct conf *c, struct conf_fault *f)
{
	struct slice prefix = slice_str(c->worker.path_prefix);

	if (c->worker.listen.n == 0 && c->tls.listen.n == 0)
		return conf_fail(f, "[worker] listen: must not be empty without [tls] listen");
	if (!check_addresses("worker", &c->worker.listen, f) ||
	    !check_addresses("tls", &c->tls.listen, f))
		return false;
	if (prefix.n > 0 && (prefix.p[0] != '/' || slice_ends(prefix, SLICE("/")) ||
			     strpbrk(prefix.p, "?#% \n") != NULL))
		return conf_fail(
			f, "[worker] path_prefix = %.80s: must begin with / and not end in it",
			prefix.p);
	if (c->tls.listen.n > 0 && c->tls.certificate[0] == '\0')
		return conf_fail(f, "[tls] certificate: is needed when listen is set");
	if (c->tls.listen.n > 0 && c->tls.private_key[0] == '\0')
		return conf_fail(f, "[tls] private_key: is needed when listen is set");
	return check_proxies(c, f);
}

static bool check_chat(const struct conf *c, struct conf_fault *f)
{
	struct slice url = slice_str(c->chat.public_url);

	if (url.n > 0 &&
	    ((!slice_starts(url, SLICE("http://")) && !slice_starts(url, SLICE("https://"))) ||
	     strpbrk(url.p, "?#@ \n\"\\") != NULL))
		return conf_fail(f,
				 "[chat] public_url = %.80s: must be http(s)://HOST[:PORT][/PATH]",
				 url.p);
	return true;
}

/* Ids and keys stand in paths and in front of a colon. */
static bool is_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= 64 &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") == n;
}

const char *conf_app_id(const struct conf_app *app)
{
	return app->id[0] != '\0' ? app->id : app->name;
}

static bool check_app(const struct conf *c, size_t i, struct conf_fault *f)
{
	const struct conf_app *app = &c->apps[i];
	const char *id = conf_app_id(app);

	if (!is_name(id))
		return conf_fail(f, "[app \"%.60s\"] id: must be 1 to 64 of A-Z a-z 0-9 _ - .",
				 app->name);
	if (!is_name(app->key))
		return conf_fail(f, "[app \"%.60s\"] key: must be 1 to 64 of A-Z a-z 0-9 _ - .",
				 app->name);
	if (app->secret.n == 0 && app->secret_file[0] == '\0')
		return conf_fail(f, "[app \"%.60s\"] secret: needs a secret or secret_file",
				 app->name);
	for (size_t k = 0; k < i; k++) {
		if (strcmp(id, conf_app_id(&c->apps[k])) == 0)
			return conf_fail(f,
					 "[app \"%.60s\"] id = %s: is that of [app \"%.60s\"] too",
					 app->name, id, c->apps[k].name);
		if (strcmp(app->key, c->apps[k].key) == 0)
			return conf_fail(f,
					 "[app \"%.60s\"] key = %s: is that of [app \"%.60s\"] too",
					 app->name, app->key, c->apps[k].name);
	}
	return true;
}

static bool check_channel(const struct conf *c, const struct conf_channel *ch, struct conf_fault *f)
{
	if (strcmp(ch->rule, "owner") == 0) {
		if (strstr(ch->name, "{user}") == NULL)
			return conf_fail(
				f, "[channel \"%.60s\"] rule = owner: the pattern needs {user}",
				ch->name);
		return true;
	}
	if (strcmp(ch->rule, "participant") == 0) {
		if (strstr(ch->name, "{chat}") == NULL)
			return conf_fail(
				f,
				"[channel \"%.60s\"] rule = participant: the pattern needs "
				"{chat}",
				ch->name);
		return true;
	}
	if (strcmp(ch->rule, "authenticated") == 0 || strcmp(ch->rule, "deny") == 0 ||
	    conf_sql(c, ch->rule) != NULL)
		return true;
	return conf_fail(f,
			 "[channel \"%.60s\"] rule = %.60s: must be owner, participant, "
			 "authenticated, deny or the name of a [sql] section",
			 ch->name, ch->rule);
}

bool conf_check(const struct conf *c, struct conf_fault *err_fault)
{
	struct slice host;
	uint16_t port;
	bool is_unix;

	if (!check_passwords(c, err_fault) || !check_broker(c, err_fault) ||
	    !check_worker(c, err_fault) || !check_chat(c, err_fault))
		return false;
	if (c->admin.listen[0] != '\0' &&
	    !conf_address(slice_str(c->admin.listen), &host, &port, &is_unix))
		return conf_fail(err_fault, "[admin] listen = %.80s: must be ADDRESS:PORT",
				 c->admin.listen);
	for (size_t i = 0; i < c->napps; i++) {
		if (!check_app(c, i, err_fault))
			return false;
	}
	for (size_t i = 0; i < c->nchannels; i++) {
		if (!check_channel(c, &c->channels[i], err_fault))
			return false;
	}
	for (size_t i = 0; i < c->nsqls; i++) {
		if (c->sqls[i].query[0] == '\0')
			return conf_fail(err_fault, "[sql \"%.60s\"] query: must not be empty",
					 c->sqls[i].name);
	}
	return true;
}
