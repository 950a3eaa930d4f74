/*
 * uthash with our keyed hash. Include this, never <uthash.h>, and hide each table behind three or
 * four functions of its module: the macros are large and confuse every analyser.
 */
#ifndef COMMON_BASE_MAP_H
#define COMMON_BASE_MAP_H

#include "common/base/mem.h"
#include "common/base/siphash.h"

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#define uthash_malloc(size) mem_alloc(size)
#define uthash_fatal(msg) die("uthash: %s", (msg))

#include <uthash.h>

#endif
