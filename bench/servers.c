#include "bench/servers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/macros.h"

#define FILE_MAX 16384
#define PAGE 4096

/* ---- who ---- */

static bool find_role(struct servers *s, struct slice name, bool beside, uint8_t *ret)
{
	uint32_t i = 0;

	while (i < s->role_count && !slice_eq(slice_str(s->roles[i]), name))
		i++;
	if (i == SERVERS_ROLES || name.n == 0 || name.n >= SERVERS_ROLE_NAME)
		return false;
	if (i == s->role_count) {
		(void)snprintf(s->roles[i], SERVERS_ROLE_NAME, "%.*s", SLICE_ARG(name));
		s->beside[i] = beside;
		s->role_count++;
	}
	*ret = (uint8_t)i;
	return true;
}

static bool add_one(struct servers *s, uint8_t role, pid_t pid)
{
	struct server_process *p = &s->v[s->n];

	if (s->n == SERVERS_MAX || clock_getcpuclockid(pid, &p->clock) != 0)
		return false;
	p->pid = pid;
	p->role = role;
	s->n++;
	return true;
}

/* A small file of /proc; what is longer is cut. */
static struct slice read_file(const char *path, char text[FILE_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return SLICE_NONE;
	n = read(fd, text, FILE_MAX);
	(void)close(fd); /* was only read */
	return slice_of(text, n > 0 ? (size_t)n : 0);
}

static bool take_number(struct slice *text, uint64_t *ret)
{
	size_t n = 0;
	size_t from = 0;
	unsigned long long value;

	while (from < text->n && strchr(" ,\t\n", text->p[from]) != NULL)
		from++;
	while (from + n < text->n && text->p[from + n] >= '0' && text->p[from + n] <= '9')
		n++;
	if (!slice_to_u64(slice_of(text->p + from, n), &value))
		return false;
	*text = slice_skip(*text, from + n);
	*ret = value;
	return true;
}

static bool is_known(const struct servers *s, pid_t pid)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->v[i].pid == pid)
			return true;
	return false;
}

static bool add_with_children(struct servers *s, uint8_t role, pid_t pid)
{
	char path[64];
	char text[FILE_MAX];

	if (!add_one(s, role, pid))
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	/* The kernel may pass over some while others end: what is missed once comes the next time.
	 */
	for (int i = 0; i < 5; i++) {
		struct slice children = read_file(path, text);
		uint64_t child;

		while (take_number(&children, &child))
			if (!is_known(s, (pid_t)child))
				(void)add_one(s, role,
					      (pid_t)child); /* it may have ended just now */
	}
	return true;
}

bool servers_add_pids(struct servers *s, struct slice role, struct slice pids, bool beside)
{
	uint8_t which;
	uint64_t pid;

	if (!find_role(s, role, beside, &which))
		return false;
	while (take_number(&pids, &pid)) {
		if (pid > INT32_MAX || !(beside ? add_with_children(s, which, (pid_t)pid)
						: add_one(s, which, (pid_t)pid)))
			return false;
	}
	return slice_trim(pids).n == 0;
}

bool servers_add(struct servers *s, struct slice text, bool beside)
{
	struct slice role;
	struct slice pids;

	return slice_cut(text, '=', &role, &pids) && pids.n > 0 &&
	       servers_add_pids(s, role, pids, beside);
}

uint32_t servers_counted(const struct servers *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++)
		n += !s->beside[s->v[i].role];
	return n;
}

/* ---- what they use ---- */

/* The number behind a name at the start of a line; 0 if there is none. */
static uint64_t number_of(struct slice text, const char *name)
{
	struct slice line;
	uint64_t value = 0;

	while (slice_cut(text, '\n', &line, &text)) {
		struct slice rest = slice_skip(line, strlen(name));

		if (slice_starts(line, slice_str(name)) && take_number(&rest, &value))
			return value;
	}
	return 0;
}

static uint64_t memory_of(pid_t pid)
{
	char path[64];
	char text[FILE_MAX];

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	return number_of(read_file(path, text), "Pss:") * 1024;
}

/* "TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 1", in pages */
static uint64_t socket_memory(void)
{
	char text[FILE_MAX];
	struct slice all = read_file("/proc/net/sockstat", text);
	const char *at = all.n > 0 ? memmem(all.p, all.n, "TCP: ", 5) : NULL;
	struct slice rest = SLICE_NONE;
	uint64_t pages = 0;

	if (at != NULL)
		rest = slice_skip(all, (size_t)(at - all.p));
	at = rest.n > 0 ? memmem(rest.p, rest.n, " mem ", 5) : NULL;
	if (at != NULL)
		rest = slice_skip(rest, (size_t)(at - rest.p) + 5);
	return at != NULL && take_number(&rest, &pages) ? pages * PAGE : 0;
}

static uint64_t kernel_memory(void)
{
	char text[FILE_MAX];

	return number_of(read_file("/proc/meminfo", text), "Slab:") * 1024 + socket_memory();
}

/* One that has ended keeps what it had used: sums never fall. */
static usec_t cpu_of(struct server_process *p)
{
	struct timespec t;

	if (clock_gettime(p->clock, &t) == 0)
		p->used = (usec_t)t.tv_sec * USEC_PER_SEC + (usec_t)t.tv_nsec / 1000;
	return p->used;
}

void servers_sample(struct servers *s, bool memory, struct server_sample *ret)
{
	*ret = (struct server_sample){.at = clock_mono()};
	for (uint32_t i = 0; i < s->n; i++)
		ret->cpu[s->v[i].role] += cpu_of(&s->v[i]);
	if (!memory)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		ret->memory[s->v[i].role] += memory_of(s->v[i].pid);
	ret->kernel = kernel_memory();
}

usec_t servers_cpu(const struct servers *s, const struct server_sample *from,
		   const struct server_sample *to)
{
	usec_t sum = 0;

	for (uint32_t i = 0; i < s->role_count; i++) {
		if (!s->beside[i] && to->cpu[i] > from->cpu[i])
			sum += to->cpu[i] - from->cpu[i];
	}
	return sum;
}

uint64_t servers_memory(const struct servers *s, const struct server_sample *at)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->role_count; i++)
		sum += s->beside[i] ? 0 : at->memory[i];
	return sum;
}
