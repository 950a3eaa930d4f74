/*
 * Compiler attributes and small helpers used everywhere. No project knowledge.
 */
#ifndef COMMON_BASE_MACROS_H
#define COMMON_BASE_MACROS_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MALLOC_LIKE __attribute__((malloc, returns_nonnull, warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define FALLTHROUGH __attribute__((fallthrough))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that embeds the given member. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
