/*
 * Memory for what comes in a rush and is gone soon, apart from what stays: rows that live about as
 * long as their neighbours share blocks of their own, and a block goes back to the system when the
 * last of them is freed. In the heap they would leave holes between what was made meanwhile.
 */
#ifndef COMMON_BASE_SLAB_H
#define COMMON_BASE_SLAB_H

#include <stddef.h>

#include "common/base/macros.h"

struct slab_block;

/* Zeroed = empty. */
struct slab {
	struct slab_block *block; /* the one that is being filled; NULL = none yet */
};

/* Zeroed, for any type. */
MALLOC_LIKE void *slab_zalloc(struct slab *s, size_t size);
/* NULL is allowed. */
void slab_free(struct slab *s, void *p);
/* Dies if the newest have not been freed. */
void slab_done(const struct slab *s);

#endif
