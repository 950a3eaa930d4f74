#include "common/crypto/random.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define POOL 512

/*
 * What the kernel gave and nobody had yet: glibc asks it for each number, and a system call is most
 * of what a small one costs. What is given out is erased; a child begins with none.
 */
static struct {
	uint8_t bytes[POOL];
	size_t left; /* the first so many */
	bool watched;
} pool;

static void forget(void)
{
	explicit_bzero(pool.bytes, sizeof(pool.bytes));
	pool.left = 0;
}

static void refill(void)
{
	if (!pool.watched && pthread_atfork(NULL, NULL, forget) != 0)
		die("pthread_atfork()");
	pool.watched = true;
	arc4random_buf(pool.bytes, sizeof(pool.bytes));
	pool.left = sizeof(pool.bytes);
}

void random_bytes(void *out, size_t n)
{
	if (n > POOL / 8) {
		arc4random_buf(out, n);
		return;
	}
	if (pool.left < n)
		refill();
	pool.left -= n;
	memcpy(out, pool.bytes + pool.left, n);
	explicit_bzero(pool.bytes + pool.left, n);
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}

uint32_t random_below(uint32_t below)
{
	uint32_t value;

	if (below == 0)
		die("random_below(0)");
	/* The lowest 2^32 % below values would come once more often than the others. */
	do
		random_bytes(&value, sizeof(value));
	while (value < (0U - below) % below);
	return value % below;
}
