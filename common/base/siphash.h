/*
 * SipHash-2-4 (Aumasson, Bernstein): keyed hash for tables whose keys clients choose, so that
 * nobody can aim collisions. The process draws one key at start.
 */
#ifndef COMMON_BASE_SIPHASH_H
#define COMMON_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const void *bytes, size_t n, const uint64_t key[2]);

/* With the process's own key, drawn at the first call. */
uint64_t hash_bytes(const void *bytes, size_t n);

#endif
