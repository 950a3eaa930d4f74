#include "common/base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *fmt, ...)
{
	va_list args;

	fputs("<2>fatal: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

#define KEEP (4 << 20) /* bytes */

void mem_setup(void)
{
	/* A hint each: where it is refused, all works as before. */
	(void)mallopt(M_TRIM_THRESHOLD, KEEP);
	(void)mallopt(M_MMAP_THRESHOLD, KEEP);
}

void *mem_alloc(size_t size)
{
	void *p = malloc(size > 0 ? size : 1);

	if (p == NULL)
		die("out of memory allocating %zu bytes", size);
	return p;
}

void *mem_zalloc(size_t size)
{
	return mem_calloc(1, size);
}

void *mem_calloc(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	if (p == NULL)
		die("out of memory allocating %zu x %zu bytes", count, size);
	return p;
}

void *mem_realloc(void *p, size_t size)
{
	void *q = realloc(p, size > 0 ? size : 1);

	if (q == NULL)
		die("out of memory allocating %zu bytes", size);
	return q;
}

void *mem_grow(void *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		die("allocation of %zu x %zu bytes overflows", count, size);
	return mem_realloc(p, bytes);
}

char *mem_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(mem_alloc(n), s, n);
}
