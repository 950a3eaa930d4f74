/*
 * Allocation that ends the process instead of returning NULL. Therefore every size that a client
 * can influence is bounded before it comes here.
 */
#ifndef COMMON_BASE_MEM_H
#define COMMON_BASE_MEM_H

#include <stddef.h>

#include "common/base/macros.h"

/*
 * To be called first in a process that works for long: some megabytes that are free stay with it,
 * and blocks of up to that size come from the heap. Else each queue that comes and goes, and each
 * list of the members of a large channel, has the kernel map its pages anew.
 */
void mem_setup(void);

MALLOC_LIKE void *mem_alloc(size_t size);
MALLOC_LIKE void *mem_zalloc(size_t size);
MALLOC_LIKE void *mem_calloc(size_t count, size_t size);
__attribute__((returns_nonnull, warn_unused_result)) void *mem_realloc(void *p, size_t size);
/* Room for count elements; ends the process when count * size overflows. */
__attribute__((returns_nonnull, warn_unused_result)) void *mem_grow(void *p, size_t count,
								    size_t size);
MALLOC_LIKE char *mem_strdup(const char *s);

/* A fault of ours, not of the input: says where and aborts, in release builds too. */
NORETURN void die(const char *fmt, ...) PRINTF(1, 2);

#define NEW(type) ((type *)mem_zalloc(sizeof(type)))

#endif
