#include "ctl/screen.h"

#include <inttypes.h>
#include <string.h>

#define COLUMNS_MAX 12

/* A part of the answer as a table: one line for each object of an array. */
struct table {
	const char *array;
	size_t n;
	const char *columns[COLUMNS_MAX]; /* members of the objects, and the titles */
};

static const struct table workers = {
	"workers",
	12,
	{"number", "slot", "draining", "drain_left", "sockets", "websockets", "waiting",
	 "output_bytes", "late_bytes", "unacknowledged_bytes", "slow", "dropped"},
};
static const struct table apps = {"apps", 4, {"id", "enabled", "chat", "connections"}};
static const struct table sessions = {"connections", 4, {"role", "ready", "queued", "connects"}};

static struct json_value member(const struct json_value *object, const char *name)
{
	struct json_field field = {.name = slice_str(name)};

	if (!json_is(object, JSON_OBJECT) || !json_fields(object, &field, 1, JSON_LAST_WINS))
		return (struct json_value){0};
	return field.value;
}

/* A string without its quotes, and without what a terminal would obey; anything else as it is. */
static void put_value(struct buf *out, const struct json_value *value)
{
	size_t from = out->n;

	if (!json_given(value)) {
		(void)buf_addc(out, '-');
		return;
	}
	if (!json_is(value, JSON_STRING) || !json_append_text(value, out))
		(void)buf_add(out, value->raw);
	for (size_t i = from; i < out->n; i++) {
		if ((unsigned char)out->p[i] < 0x20 || out->p[i] == 0x7f)
			out->p[i] = '?';
	}
}

static void put(struct buf *out, const struct json_value *object, const char *name)
{
	struct json_value value = member(object, name);

	put_value(out, &value);
}

/* "published 12   sent 40": members by their names. */
static void put_line(struct buf *out, const char *title, const struct json_value *object,
		     const char *const *names, size_t n)
{
	(void)buf_printf(out, "%-12s", title);
	for (size_t i = 0; i < n; i++) {
		(void)buf_printf(out, "%s%s ", i > 0 ? "   " : "", names[i]);
		put(out, object, names[i]);
	}
	(void)buf_addc(out, '\n');
}

/* ---- tables ---- */

static void pad(struct buf *out, size_t from, size_t width)
{
	while (out->n - from < width + 2 && buf_addc(out, ' '))
		;
}

static void put_table(struct buf *out, const struct table *t, const struct json_value *array)
{
	size_t widths[COLUMNS_MAX];
	struct json_iter it = {0};
	struct json_value row;
	struct buf cell;

	if (json_count(array) == 0)
		return;
	buf_init(&cell, out->max);
	for (size_t c = 0; c < t->n; c++)
		widths[c] = strlen(t->columns[c]);
	while (json_next(array, &it, &row)) {
		for (size_t c = 0; c < t->n; c++) {
			buf_clear(&cell);
			put(&cell, &row, t->columns[c]);
			widths[c] = MAX(widths[c], cell.n);
		}
	}
	buf_done(&cell);
	(void)buf_printf(out, "\n%s\n", t->array);
	for (size_t c = 0; c < t->n; c++)
		(void)buf_printf(out, "  %-*s", c + 1 < t->n ? (int)widths[c] : 0, t->columns[c]);
	(void)buf_addc(out, '\n');
	it = (struct json_iter){0};
	while (json_next(array, &it, &row)) {
		for (size_t c = 0; c < t->n; c++) {
			size_t from = out->n;

			(void)buf_add(out, SLICE("  "));
			put(out, &row, t->columns[c]);
			if (c + 1 < t->n)
				pad(out, from, widths[c]);
		}
		(void)buf_addc(out, '\n');
	}
}

/* ---- the broker ---- */

static uint64_t number(const struct json_value *object, const char *name)
{
	struct json_value value = member(object, name);
	uint64_t n = 0;

	return json_u64(&value, &n) ? n : 0;
}

static void put_age(struct buf *out, uint64_t s)
{
	if (s >= 86400)
		(void)buf_printf(out, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		(void)buf_printf(out, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		(void)buf_printf(out, "%" PRIu64 " min", s / 60);
	else
		(void)buf_printf(out, "%" PRIu64 " s", s);
}

static void put_broker(struct buf *out, const struct json_value *status,
		       const struct json_value *counts)
{
	struct json_value ready = member(status, "ready");
	struct json_value standby = member(status, "standby");

	(void)buf_add(out, SLICE("broker      "));
	if (json_is(&ready, JSON_TRUE))
		(void)buf_add(out, SLICE("ready"));
	else
		(void)buf_add(out,
			      json_is(&standby, JSON_TRUE) ? SLICE("standby") : SLICE("not ready"));
	(void)buf_add(out, SLICE("   node "));
	put(out, status, "node");
	(void)buf_add(out, SLICE("   pid "));
	put(out, status, "pid");
	(void)buf_add(out, SLICE("   version "));
	put(out, status, "version");
	(void)buf_add(out, SLICE("   up "));
	put_age(out, number(counts, "uptime_s"));
	(void)buf_printf(out, "   memory %" PRIu64 " MiB\n", number(counts, "memory_bytes") >> 20);
}

static void put_database(struct buf *out, const struct json_value *database)
{
	struct json_value fault = member(database, "fault");

	(void)buf_add(out, SLICE("database    "));
	put(out, database, "state");
	if (json_given(&fault) && !json_string_is(&fault, SLICE(""))) {
		(void)buf_add(out, SLICE("   "));
		put_value(out, &fault);
	}
	(void)buf_addc(out, '\n');
}

/* How far the database is behind. */
static void put_lags(struct buf *out, const struct json_value *counts)
{
	(void)buf_printf(out,
			 "lags        messages waiting %" PRIu64 ", oldest %" PRIu64
			 " ms   mirror rows %" PRIu64 ", %" PRIu64 " ms\n",
			 number(counts, "messages_queued"),
			 number(counts, "messages_oldest_us") / 1000,
			 number(counts, "mirror_pending"), number(counts, "mirror_lag_us") / 1000);
}

bool screen_put(struct buf *out, const struct json_value *status)
{
	static const char *const now[] = {"connections", "users", "channels", "subscriptions",
					  "members"};
	static const char *const rates[] = {"published", "client_events", "chat_events", "sent",
					    "calls"};
	struct json_value counts = member(status, "counts");
	struct json_value rate = member(status, "rates");
	struct json_value database = member(status, "database");
	struct json_value rows;

	if (!json_is(status, JSON_OBJECT))
		return false;
	put_broker(out, status, &counts);
	put_database(out, &database);
	put_line(out, "now", &counts, now, ARRAY_LEN(now));
	put_line(out, "a second", &rate, rates, ARRAY_LEN(rates));
	put_lags(out, &counts);
	rows = member(status, workers.array);
	put_table(out, &workers, &rows);
	rows = member(&database, sessions.array);
	put_table(out, &sessions, &rows);
	rows = member(status, apps.array);
	put_table(out, &apps, &rows);
	return true;
}
