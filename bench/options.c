#include "bench/options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/env.h"
#include "bench/load.h"
#include "bench/modes.h"
#include "common/base/mem.h"

#define FILES_RESERVED 128UL /* descriptors of a load process that are no connections */
#define PER_SOURCE 1000 /* connections of one address: with many, free ports are hard to find */
#define LINES_MAX 10000
#define CONNECTIONS_MAX 4000000
#define EVENT_SIZE_MAX 1000000

/* Before they are put into the plan. 0, negative or NULL: not given. */
struct wish {
	const char *env;
	const char *host;
	const char *port;
	const char *source;
	uint32_t connections;
	uint32_t channels;
	uint32_t members;
	uint32_t talkers;
	uint32_t lines;
	uint32_t pipeline;
	uint32_t outstanding;
	uint32_t size;
	uint32_t processes;
	double rate;
	bool http;
	bool named; /* processes are, so that the file's do not count */
};

static bool wrong(const char *format, ...) PRINTF(1, 2);

static bool wrong(const char *format, ...)
{
	va_list args;

	(void)fputs("chat-bench: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputs("\n", stderr);
	return false;
}

/* ---- the command line ---- */

static const struct option longs[] = {
	{"env", required_argument, NULL, 'e'},
	{"host", required_argument, NULL, 'h'},
	{"port", required_argument, NULL, 'p'},
	{"tls", no_argument, NULL, 'T'},
	{"app-id", required_argument, NULL, 'i'},
	{"key", required_argument, NULL, 'k'},
	{"secret", required_argument, NULL, 's'},
	{"token", required_argument, NULL, 't'},
	{"chat", required_argument, NULL, 'C'},
	{"process", required_argument, NULL, 'P'},
	{"beside", required_argument, NULL, 'B'},
	{"source", required_argument, NULL, 'S'},
	{"connections", required_argument, NULL, 'c'},
	{"channels", required_argument, NULL, 'g'},
	{"members", required_argument, NULL, 'm'},
	{"talkers", required_argument, NULL, 'x'},
	{"lines", required_argument, NULL, 'l'},
	{"pipeline", required_argument, NULL, 'L'},
	{"outstanding", required_argument, NULL, 'o'},
	{"rate", required_argument, NULL, 'r'},
	{"size", required_argument, NULL, 'z'},
	{"http", no_argument, NULL, 'H'},
	{"processes", required_argument, NULL, 'j'},
	{"opening", required_argument, NULL, 'O'},
	{"warmup", required_argument, NULL, 'w'},
	{"duration", required_argument, NULL, 'd'},
	{"repeats", required_argument, NULL, 'n'},
	{"patience", required_argument, NULL, 'W'},
	{"json", no_argument, NULL, 'J'},
	{"save", required_argument, NULL, 'v'},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, '?'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

void options_usage(void)
{
	(void)puts("usage: chat-bench MODE [options]\n");
	for (size_t i = 0; mode_at(i) != NULL; i++)
		(void)printf("  %-14s %s\n", mode_at(i)->name, mode_at(i)->help);
	(void)puts(
		"\nwhere\n"
		"  -e, --env FILE         lines of KEY=VALUE, as of ./dev run; options override "
		"it\n"
		"      --host ADDRESS --port PORT --tls\n"
		"      --app-id ID --key KEY --secret SECRET\n"
		"      --token TOKEN ... --chat ID ...   for the chat\n"
		"      --process ROLE=PID,...            processes to be measured\n"
		"      --beside NAME=PID                 shown, with its children, not counted\n"
		"      --source ADDRESS[+N]              connect from this and the N that follow\n"
		"how much\n"
		"  -c, --connections N    listeners, in one channel unless --channels is given\n"
		"  -g, --channels N       -m, --members N  of each channel\n"
		"      --talkers N        sources of events in each channel\n"
		"  -o, --outstanding N    events under way in a channel\n"
		"  -r, --rate N           events a second instead of as many as can be\n"
		"  -z, --size BYTES       data of an event\n"
		"      --http             publish over HTTP in place of client events\n"
		"      --lines N          HTTP connections of each process; --pipeline N requests "
		"each\n"
		"  -j, --processes N      load processes\n"
		"      --opening N        handshakes under way in each\n"
		"how long\n"
		"  -w, --warmup S  -d, --duration S  -n, --repeats N  --patience S\n"
		"what is shown\n"
		"      --json  --save FILE    JSON in place of the page; or beside it, in a file\n"
		"  -q, --quiet  --help  --version");
}

static bool number(const char *name, const char *text, unsigned long long most, uint32_t *ret)
{
	unsigned long long value;

	if (!slice_to_u64(slice_str(text), &value) || value == 0 || value > most)
		return wrong("%s is a number from 1 to %llu", name, most);
	*ret = (uint32_t)value;
	return true;
}

static bool decimal(const char *name, const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	if (end == text || *end != '\0' || !(*ret > 0) || *ret > 1e9)
		return wrong("%s is a positive number", name);
	return true;
}

static bool seconds(const char *name, const char *text, usec_t *ret)
{
	double value;

	if (!decimal(name, text, &value))
		return false;
	*ret = (usec_t)(value * USEC_PER_SEC);
	return true;
}

static bool add_text(const char *name, const char **list, uint32_t *n, uint32_t most,
		     const char *text)
{
	if (*n == most)
		return wrong("%s at most %u times", name, most);
	list[(*n)++] = text;
	return true;
}

static bool take_where(struct options *o, struct wish *w, int c)
{
	struct plan *p = &o->plan;

	switch (c) {
	case 'e':
		w->env = optarg;
		return true;
	case 'h':
		w->host = optarg;
		return true;
	case 'p':
		w->port = optarg;
		return true;
	case 'T':
		p->target.tls = true;
		return true;
	case 'i':
		p->app_id = optarg;
		return true;
	case 'k':
		p->app_key = optarg;
		return true;
	case 's':
		p->app_secret = optarg;
		return true;
	case 't':
		return add_text("--token", p->tokens, &p->token_count, PLAN_TOKENS, optarg);
	case 'C':
		return add_text("--chat", p->chats, &p->chat_count, PLAN_CHATS, optarg);
	case 'S':
		w->source = optarg;
		return true;
	default:
		w->named = w->named || c == 'P';
		if (servers_add(&o->servers, slice_str(optarg), c == 'B'))
			return true;
		return wrong("no such process: %s", optarg);
	}
}

static bool take_how_much(struct options *o, struct wish *w, int c)
{
	switch (c) {
	case 'c':
		return number("--connections", optarg, CONNECTIONS_MAX, &w->connections);
	case 'g':
		return number("--channels", optarg, CONNECTIONS_MAX, &w->channels);
	case 'm':
		return number("--members", optarg, CONNECTIONS_MAX, &w->members);
	case 'x':
		return number("--talkers", optarg, PLAN_TALKERS_MAX, &w->talkers);
	case 'l':
		return number("--lines", optarg, LINES_MAX, &w->lines);
	case 'L':
		return number("--pipeline", optarg, PLAN_PIPELINE, &w->pipeline);
	case 'o':
		return number("--outstanding", optarg, 1000000, &w->outstanding);
	case 'z':
		return number("--size", optarg, EVENT_SIZE_MAX, &w->size);
	case 'j':
		return number("--processes", optarg, 1024, &w->processes);
	case 'O':
		return number("--opening", optarg, 65536, &o->plan.opening);
	case 'r':
		return decimal("--rate", optarg, &w->rate);
	default:
		w->http = true;
		return true;
	}
}

static bool take(struct options *o, struct wish *w, int c)
{
	switch (c) {
	case 'w':
		return seconds("--warmup", optarg, &o->plan.warmup);
	case 'd':
		return seconds("--duration", optarg, &o->plan.duration);
	case 'W':
		return seconds("--patience", optarg, &o->plan.patience);
	case 'n':
		return number("--repeats", optarg, PLAN_ROUNDS, &o->plan.rounds);
	case 'J':
		o->json = true;
		return true;
	case 'v':
		o->save = optarg;
		return true;
	case 'q':
		o->quiet = true;
		return true;
	case 'V':
		o->version = true;
		return true;
	case '?':
		o->help = optopt == 0;
		return o->help;
	default:
		return strchr("ehpTikstCSPB", c) != NULL ? take_where(o, w, c)
							 : take_how_much(o, w, c);
	}
}

/* ---- the environment file ---- */

static const char *first(const char *a, const char *b, const char *c)
{
	return a != NULL ? a : b != NULL ? b : c;
}

static bool env_processes(struct options *o, const struct env *env)
{
	static const struct {
		const char *key;
		struct slice role;
	} rows[] = {
		{"BROKER_PID", SLICE_INIT("broker")},
		{"SUPERVISOR_PID", SLICE_INIT("supervisor")},
		{"WORKER_PIDS", SLICE_INIT("worker")},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *pids = env_get(env, rows[i].key);

		if (pids != NULL &&
		    !servers_add_pids(&o->servers, rows[i].role, slice_str(pids), false))
			return wrong("%s=%s: no such process", rows[i].key, pids);
	}
	return true;
}

static void env_chat(struct plan *p, const struct env *env)
{
	static const char *const keys[] = {"USER1_TOKEN", "USER2_TOKEN"};
	const char *chat = env_get(env, "CHAT_ID");

	for (size_t i = 0; i < ARRAY_LEN(keys) && p->token_count <= i; i++) {
		const char *token = env_get(env, keys[i]);

		if (token != NULL)
			p->tokens[p->token_count++] = token;
	}
	if (p->chat_count == 0 && chat != NULL)
		p->chats[p->chat_count++] = chat;
}

static bool use_env(struct options *o, struct wish *w)
{
	struct plan *p = &o->plan;
	struct env *env;
	int r;

	if (w->env == NULL)
		return true;
	r = env_read(w->env, &env);
	if (r < 0)
		return wrong("%s: %s", w->env, strerror(-r));
	w->host = first(w->host, env_get(env, "HOST"), NULL);
	w->port = first(w->port, env_get(env, "PORT"), NULL);
	p->app_id = first(p->app_id, env_get(env, "APP_ID"), NULL);
	p->app_key = first(p->app_key, env_get(env, "APP_KEY"), NULL);
	p->app_secret = first(p->app_secret, env_get(env, "APP_SECRET"), NULL);
	env_chat(p, env);
	return w->named || env_processes(o, env);
}

/* ---- the plan ---- */

static void change_part(struct part *part, const struct wish *w)
{
	if (w->http && part->talk == TALK_GUEST)
		part->talk = TALK_HTTP;
	if (w->channels > 0)
		part->channels = w->channels;
	if (w->members > 0)
		part->members = w->members;
	if (w->connections > 0)
		part->members = MAX(w->connections / part->channels, 1U);
	if (w->talkers > 0)
		part->talkers = w->talkers;
	if (w->lines > 0)
		part->lines = w->lines;
	if (w->pipeline > 0)
		part->pipeline = w->pipeline;
	if (w->outstanding > 0)
		part->window = w->outstanding;
	if (w->size > 0)
		part->size = w->size;
	if (w->rate > 0) {
		part->rate = w->rate;
		part->window = w->outstanding;
	}
}

static bool possible(const struct plan *p, const struct part *part)
{
	bool http = part->talk == TALK_HTTP;
	bool is_signed = strncmp(part->prefix, "private-", 8) == 0 || part->presence;

	if ((http || is_signed) && p->app_secret == NULL)
		return wrong("%s needs --secret", p->mode);
	if (http && p->app_id == NULL)
		return wrong("%s needs --app-id", p->mode);
	if (part->talk == TALK_CHAT && (p->token_count == 0 || p->chat_count == 0))
		return wrong("%s needs --token and --chat", p->mode);
	if (part->talk == TALK_CLIENT && (part->members < 2 || part->talkers > part->members))
		return wrong("%s needs two members of each channel, and no more talkers", p->mode);
	return true;
}

static bool make_parts(struct plan *p, const struct mode *mode, const struct wish *w)
{
	bool single = mode->parts[1].name == NULL;

	for (uint32_t i = 0; i < PLAN_PARTS && mode->parts[i].name != NULL; i++) {
		struct part part = mode->parts[i];

		if (single)
			change_part(&part, w);
		/* Without what they need, these are left out. */
		if (p->shape == SHAPE_HOLD && (p->app_secret == NULL || p->app_id == NULL))
			part.talk = TALK_NONE;
		if (!single && part.talk == TALK_CHAT &&
		    (p->token_count == 0 || p->chat_count == 0))
			continue;
		if (single && part.talk == TALK_CHAT && w->channels == 0)
			part.channels = MAX(p->chat_count, 1U);
		part.first_group = p->groups;
		p->groups += part.channels;
		p->listeners += part.channels * part.members;
		p->parts[p->part_count++] = part;
		if (!possible(p, &part))
			return false;
	}
	return true;
}

static bool find_target(struct plan *p, const struct wish *w)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int r;

	p->host = first(w->host, "127.0.0.1", NULL);
	p->port = first(w->port, "8080", NULL);
	p->target.host = p->host;
	r = getaddrinfo(p->host, p->port, &hints, &list);
	if (r != 0)
		return wrong("%s port %s: %s", p->host, p->port, gai_strerror(r));
	memcpy(&p->target.address, list->ai_addr, list->ai_addrlen);
	p->target.address_n = list->ai_addrlen;
	freeaddrinfo(list);
	return true;
}

/* Where the server is on this machine's loopback, every 127.x.y.z is ours to connect from. */
static bool find_sources(struct plan *p, const struct wish *w)
{
	const struct sockaddr_in *to = (const struct sockaddr_in *)&p->target.address;
	struct slice address = slice_str(w->source);
	struct slice more;
	struct in_addr from;
	char *text;

	p->sources.count = load_clients(p) / PER_SOURCE + 1;
	if (w->source == NULL) {
		if (to->sin_family == AF_INET && ntohl(to->sin_addr.s_addr) >> 24 == 127)
			p->sources.first = (127U << 24) + 2;
		else
			p->sources.count = 0;
		return true;
	}
	p->sources.count = 1;
	if (slice_cut(slice_str(w->source), '+', &address, &more)) {
		text = slice_dup(more);
		if (!number("--source ADDRESS+N: N", text, 65536, &p->sources.count))
			return false;
		p->sources.count++;
	}
	text = slice_dup(address);
	if (inet_pton(AF_INET, text, &from) != 1)
		return wrong("--source is an IPv4 address");
	p->sources.first = ntohl(from.s_addr);
	return true;
}

/* As many processes as the descriptors need, and at least one for each half of the processors. */
static bool find_processes(struct plan *p, const struct wish *w)
{
	struct rlimit files;
	uint64_t each;
	uint64_t needed;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return wrong("no limit of descriptors");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		return wrong("the limit of descriptors cannot be raised");
	each = files.rlim_cur > 2 * FILES_RESERVED ? files.rlim_cur - FILES_RESERVED
						   : FILES_RESERVED;
	needed = (load_clients(p) + each - 1) / each;
	if (w->processes > 0 && w->processes < needed)
		return wrong("%u connections need --processes %llu", load_clients(p),
			     (unsigned long long)needed);
	p->processes = w->processes > 0 ? w->processes : (uint32_t)MAX(needed, 2ULL);
	return true;
}

static bool make_plan(struct options *o, const char *name, const struct wish *w)
{
	const struct mode *mode = mode_find(name);
	struct plan *p = &o->plan;

	if (mode == NULL)
		return wrong("there is no mode %s", name);
	p->mode = mode->name;
	p->shape = mode->shape;
	p->run = (uint32_t)getpid();
	if (p->app_key == NULL)
		return wrong("no application: give --env or --key");
	if (!make_parts(p, mode, w))
		return false;
	p->app_secret = first(p->app_secret, "", NULL);
	p->app_id = first(p->app_id, "", NULL);
	return find_target(p, w) && find_sources(p, w) && find_processes(p, w);
}

bool options_read(struct options *o, int argc, char **argv)
{
	struct wish w = {0};
	int c;

	*o = (struct options){
		.plan =
			{
				.opening = 64,
				.warmup = USEC_PER_SEC,
				.duration = 5 * USEC_PER_SEC,
				.patience = 10 * USEC_PER_SEC,
				.rounds = 3,
			},
	};
	while ((c = getopt_long(argc, argv, "e:c:g:m:o:r:z:j:w:d:n:q", longs, NULL)) != -1) {
		if (!take(o, &w, c))
			return false;
	}
	if (o->help || o->version)
		return true;
	if (optind + 1 != argc)
		return wrong("which mode? --help shows them");
	return use_env(o, &w) && make_plan(o, argv[optind], &w);
}
