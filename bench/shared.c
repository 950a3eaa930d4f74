#include "bench/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/mem.h"

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("no shared memory of %zu bytes: %s", size, strerror(errno));
	return p;
}

struct shared *shared_new(uint32_t processes, uint32_t groups)
{
	struct shared *s = map(sizeof(*s));

	s->processes = processes;
	s->groups = groups;
	s->process = map(processes * sizeof(*s->process));
	s->group = map(MAX(groups, 1U) * sizeof(*s->group));
	return s;
}

uint64_t shared_count(const struct shared *s, enum count which)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->processes; i++)
		sum += __atomic_load_n(&s->process[i].counts[which], __ATOMIC_RELAXED);
	return sum;
}

void shared_show(struct shared_process *p, const uint64_t counts[COUNTS])
{
	for (unsigned i = 0; i < COUNTS; i++)
		__atomic_store_n(&p->counts[i], counts[i], __ATOMIC_RELAXED);
}
