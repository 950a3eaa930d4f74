#include "common/crypto/random.h"

#include <stdlib.h>

#include "common/base/mem.h"

void random_bytes(void *out, size_t n)
{
	arc4random_buf(out, n); /* glibc asks the kernel each time: nothing to reseed after fork */
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}

uint32_t random_below(uint32_t below)
{
	if (below == 0)
		die("random_below(0)");
	return arc4random_uniform(below);
}
