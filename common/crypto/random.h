/* Unpredictable numbers from the kernel, which is asked for many small ones at once. Fork-safe. */
#ifndef COMMON_CRYPTO_RANDOM_H
#define COMMON_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t n);

uint64_t random_u64(void);

/* Evenly from 0 to below - 1; `below` must not be 0. */
uint32_t random_below(uint32_t below);

#endif
