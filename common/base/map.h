/*
 * uthash with our keyed hash. Include this, never <uthash.h>, and hide each table behind three or
 * four functions of its module: the macros are large.
 */
#ifndef COMMON_BASE_MAP_H
#define COMMON_BASE_MAP_H

#include "common/base/mem.h"
#include "common/base/siphash.h"

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#define uthash_malloc(size) mem_alloc(size)
#define uthash_fatal(msg) die("uthash: %s", (msg))

#include <uthash.h>

/*
 * Static analysers lose themselves in the buckets, and take freed rows for linked ones. For their
 * eyes only, what stands in a table is unknown after every change.
 */
#ifdef __clang_analyzer__
void *map_any_row(const void *table, const void *key, size_t keylen);
#undef HASH_FIND
#undef HASH_ADD
#undef HASH_ADD_KEYPTR
#undef HASH_DELETE
#undef HASH_COUNT
#define HASH_FIND(hh, head, keyptr, keylen, out) ((out) = map_any_row((head), (keyptr), (keylen)))
#define HASH_ADD_KEYPTR(hh, head, keyptr, keylen, add) \
	((add)->hh.prev = (head), (head) = map_any_row((add), (keyptr), (keylen)))
#define HASH_ADD(hh, head, name, keylen, add) HASH_ADD_KEYPTR(hh, head, &(add)->name, keylen, add)
#define HASH_DELETE(hh, head, row) ((head) = map_any_row((row)->hh.next, NULL, 0))
#define HASH_COUNT(head) ((head) == NULL ? 0U : (head)->hh.hashv)
#endif

#endif
