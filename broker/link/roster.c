#include "broker/link/roster.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/encode.h"
#include "common/base/mem.h"
#include "common/log/log.h"

#define FILE_MAX (256U << 10)
#define WORKERS_MAX 4096 /* of a file; more are not believed */
#define GIVEN_UP_MAX 256 /* remembered; such a worker ends as soon as it hears of it */

enum standing {
	HERE,
	AWAITED, /* from the file, not seen yet */
	GIVEN_UP,
};

struct entry {
	struct roster_worker worker;
	enum standing standing;
};

struct roster {
	char *path; /* NULL = nowhere */
	char *path_new;
	struct entry *entries;
	size_t count;
	size_t cap;
	uint64_t place; /* 0 = not known */
	bool ours;	/* the file's place, too: its processes can be looked for */
	uint32_t next;
	bool found;
};

/* ---- entries ---- */

static struct entry *find(const struct roster *r, uint64_t life)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->entries[i].worker.life == life)
			return &r->entries[i];
	}
	return NULL;
}

static void append(struct roster *r, const struct roster_worker *worker, enum standing standing)
{
	if (r->count == r->cap) {
		r->cap = r->cap == 0 ? 16 : r->cap * 2;
		r->entries = mem_grow(r->entries, r->cap, sizeof(*r->entries));
	}
	r->entries[r->count++] = (struct entry){.worker = *worker, .standing = standing};
}

/* ---- reading ---- */

/* The next word of a line, as a number. */
static bool take_number(struct slice *line, uint64_t most, uint64_t *ret)
{
	unsigned long long value;
	struct slice word = *line;
	struct slice rest = SLICE_NONE;

	(void)slice_cut(*line, ' ', &word, &rest); /* the last word has nothing behind it */
	if (!slice_to_u64(word, &value) || value > most)
		return false;
	*line = rest;
	*ret = value;
	return true;
}

/* The namespace of process numbers that we see; 0 = it cannot be told. */
static uint64_t place_of_us(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

static bool is_dead(uint32_t pid)
{
	return pid > 1 && pid <= INT_MAX && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Whoever ends before it has found us never will. */
static void drop_dead(struct roster *r)
{
	for (size_t i = r->ours ? r->count : 0; i > 0; i--) {
		const struct entry *e = &r->entries[i - 1];
		const struct roster_worker *w = &e->worker;

		if (e->standing == HERE || !is_dead(w->pid))
			continue;
		log_notice("roster.dead", "number=%u slot=%u pid=%u", w->number, w->slot, w->pid);
		r->entries[i - 1] = r->entries[--r->count];
	}
}

static bool read_worker(struct roster *r, struct slice line, enum standing standing)
{
	struct roster_worker w;
	unsigned char life[sizeof(w.life)];
	struct slice word;
	uint64_t slot;
	uint64_t number;
	uint64_t pid;

	if (!slice_cut(line, ' ', &word, &line) || !hex_decode(word, life, sizeof(life)) ||
	    !take_number(&line, UINT32_MAX, &slot) ||
	    !take_number(&line, UINT64_MAX, &w.generation) ||
	    !take_number(&line, ROSTER_NUMBERS - 1, &number) ||
	    !take_number(&line, UINT32_MAX, &pid) || line.n > 0 || r->count == WORKERS_MAX)
		return false;
	w.life = 0;
	for (size_t i = 0; i < sizeof(life); i++)
		w.life = w.life << 8 | life[i];
	w.slot = (uint32_t)slot;
	w.number = (uint32_t)number;
	w.pid = (uint32_t)pid;
	append(r, &w, standing);
	return true;
}

/* "NAME 123" */
static bool take_line(struct slice *text, struct slice name, uint64_t most, uint64_t *ret)
{
	struct slice line;

	if (!slice_cut(*text, '\n', &line, text) || !slice_starts(line, name))
		return false;
	line = slice_skip(line, name.n);
	return take_number(&line, most, ret) && line.n == 0;
}

static bool read_lines(struct roster *r, struct slice text)
{
	struct slice line;
	uint64_t place = 0;
	uint64_t next = 0;

	if (!slice_cut(text, '\n', &line, &text) || !slice_eq(line, SLICE("chat-roster 2")) ||
	    !take_line(&text, SLICE("place "), UINT64_MAX, &place) ||
	    !take_line(&text, SLICE("next "), ROSTER_NUMBERS - 1, &next) || next == 0)
		return false;
	while (slice_cut(text, '\n', &line, &text)) {
		bool gone = slice_starts(line, SLICE("gone "));

		if (!gone && !slice_starts(line, SLICE("worker ")))
			return false;
		if (!read_worker(r, slice_skip(line, gone ? 5 : 7), gone ? GIVEN_UP : AWAITED))
			return false;
	}
	r->ours = place != 0 && place == r->place;
	r->next = (uint32_t)next;
	return text.n == 0;
}

static int read_file(const char *path, struct buf *ret_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return -errno;
	do {
		char *at = buf_reserve(ret_text, 4096);

		if (at == NULL) {
			r = -EFBIG;
			break;
		}
		n = read(fd, at, 4096);
		if (n < 0)
			r = -errno;
		else
			ret_text->n += (size_t)n;
	} while (n > 0);
	(void)close(fd); /* was only read */
	return r;
}

static void read_roster(struct roster *r)
{
	struct buf text;
	int err;

	buf_init(&text, FILE_MAX);
	err = read_file(r->path, &text);
	if (err == 0)
		r->found = read_lines(r, buf_slice(&text));
	if (!r->found) {
		r->count = 0;
		if (err != -ENOENT)
			log_warning("roster.unreadable", "path=%s error=%d", r->path, -err);
	}
	drop_dead(r);
	buf_done(&text);
}

/* ---- writing ---- */

static int write_file(const char *path, struct slice text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	int r = 0;

	if (fd < 0)
		return -errno;
	while (text.n > 0 && r == 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0)
			r = -errno;
		else
			text = slice_skip(text, (size_t)n);
	}
	if (close(fd) != 0 && r == 0)
		r = -errno;
	return r;
}

static void save(const struct roster *r)
{
	struct buf text;
	int err;

	if (r->path == NULL)
		return;
	buf_init(&text, FILE_MAX);
	(void)buf_printf(&text, "chat-roster 2\nplace %" PRIu64 "\nnext %" PRIu32 "\n", r->place,
			 r->next); /* checked below */
	for (size_t i = 0; i < r->count; i++) {
		const struct roster_worker *w = &r->entries[i].worker;

		(void)buf_printf(&text,
				 "%s %016" PRIx64 " %" PRIu32 " %" PRIu64 " %" PRIu32 " %" PRIu32
				 "\n",
				 r->entries[i].standing == GIVEN_UP ? "gone" : "worker", w->life,
				 w->slot, w->generation, w->number, w->pid);
	}
	err = buf_ok(&text) ? write_file(r->path_new, buf_slice(&text)) : -EFBIG;
	if (err == 0 && rename(r->path_new, r->path) != 0)
		err = -errno;
	if (err < 0)
		log_warning("roster.unwritten", "path=%s error=%d", r->path, -err);
	buf_done(&text);
}

/* ---- the life ---- */

static char *path_of(const char *dir, const char *suffix)
{
	struct buf b;
	char *path;

	buf_init(&b, PATH_MAX);
	(void)buf_printf(&b, "%s/" ROSTER_FILE "%s", dir,
			 suffix); /* a longer one is cut: no file */
	path = slice_dup(buf_slice(&b));
	buf_done(&b);
	return path;
}

/*
 * Without a file, as after a boot: the clock, in steps of two seconds, is ahead of every number of
 * yesterday unless more workers than that were started.
 */
static uint32_t first_number(void)
{
	return (uint32_t)((uint64_t)clock_wall() / (2 * USEC_PER_SEC) % (ROSTER_NUMBERS - 1)) + 1;
}

struct roster *roster_new(const char *dir)
{
	struct roster *r = NEW(struct roster);

	r->next = first_number();
	r->place = place_of_us();
	if (dir != NULL && dir[0] != '\0') {
		r->path = path_of(dir, "");
		r->path_new = path_of(dir, ".new");
		read_roster(r);
	}
	return r;
}

void roster_free(struct roster *r)
{
	if (r == NULL)
		return;
	free(r->path);
	free(r->path_new);
	free(r->entries);
	free(r);
}

size_t roster_awaited(struct roster *r)
{
	size_t n = 0;

	drop_dead(r);
	for (size_t i = 0; i < r->count; i++)
		n += r->entries[i].standing == AWAITED;
	return n;
}

bool roster_found(const struct roster *r)
{
	return r->found;
}

/* ---- numbers ---- */

static bool is_taken(const struct roster *r, uint64_t life, uint32_t number)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->entries[i].worker.number == number && r->entries[i].worker.life != life)
			return true;
	}
	return false;
}

uint32_t roster_number(struct roster *r, uint64_t life, uint32_t wanted)
{
	uint32_t number;

	if (wanted > 0 && wanted < ROSTER_NUMBERS && !is_taken(r, life, wanted))
		return wanted;
	do {
		number = r->next;
		r->next = number + 1 < ROSTER_NUMBERS ? number + 1 : 1;
	} while (is_taken(r, life, number));
	return number;
}

void roster_add(struct roster *r, const struct roster_worker *worker)
{
	struct entry *e = find(r, worker->life);

	if (e != NULL)
		*e = (struct entry){.worker = *worker};
	else
		append(r, worker, HERE);
	save(r);
}

void roster_remove(struct roster *r, uint64_t life)
{
	struct entry *e = find(r, life);

	if (e == NULL)
		return;
	*e = r->entries[--r->count];
	save(r);
}

void roster_await(struct roster *r, uint64_t life)
{
	struct entry *e = find(r, life);

	if (e != NULL)
		e->standing = AWAITED;
}

/* One more is to be remembered: makes room. */
static void forget_one(struct roster *r)
{
	size_t first = r->count;
	size_t n = 0;

	for (size_t i = r->count; i > 0; i--) {
		if (r->entries[i - 1].standing != GIVEN_UP)
			continue;
		first = i - 1;
		n++;
	}
	if (n >= GIVEN_UP_MAX)
		r->entries[first] = r->entries[--r->count];
}

void roster_give_up(struct roster *r, uint64_t life)
{
	struct entry *e = find(r, life);

	if (e == NULL)
		return;
	if (is_dead(e->worker.pid)) {
		roster_remove(r, life);
		return;
	}
	forget_one(r);
	e = find(r, life);
	if (e != NULL)
		e->standing = GIVEN_UP;
	save(r);
}

bool roster_gave_up(const struct roster *r, uint64_t life)
{
	const struct entry *e = find(r, life);

	return e != NULL && e->standing == GIVEN_UP;
}
