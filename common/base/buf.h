/*
 * A growing byte buffer that is given its maximum at birth. Every append can fail, and only for one
 * reason: the maximum. A failed append adds nothing and sets the `full` mark; from then on every
 * append fails until buf_clear(), so a sequence of appends may be checked once, with buf_ok().
 *
 *	struct buf b;
 *	buf_init(&b, LIMIT_FRAME);
 *	(void)buf_add(&b, SLICE("{\"event\":"));	// checked below
 *	(void)buf_json_str(&b, name);
 *	if (!buf_ok(&b)) ...
 *	buf_done(&b);
 */
#ifndef COMMON_BASE_BUF_H
#define COMMON_BASE_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/slice.h"

struct buf {
	char *p;    /* owned; NULL until the first append */
	size_t n;   /* bytes in use */
	size_t cap; /* bytes allocated */
	size_t max; /* never more than this */
	bool full;  /* an append did not fit */
};

void buf_init(struct buf *b, size_t max);
/* Frees the memory; the struct may be used again after buf_init(). */
void buf_done(struct buf *b);
/* Forgets the contents, keeps the memory. */
void buf_clear(struct buf *b);

static inline bool buf_ok(const struct buf *b)
{
	return !b->full;
}

static inline struct slice buf_slice(const struct buf *b)
{
	return slice_of(b->p, b->n);
}

/* Room for n more bytes, or NULL. The caller writes there and then adds to b->n. */
char *buf_reserve(struct buf *b, size_t n);

bool buf_add(struct buf *b, struct slice s);
bool buf_addc(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
bool buf_u64(struct buf *b, uint64_t value);
bool buf_i64(struct buf *b, int64_t value);

/* A JSON string with its quotes; the text must be valid UTF-8. Escapes only what JSON requires. */
bool buf_json_str(struct buf *b, struct slice text);

/* The same without quotes: a part of such a string. */
bool buf_json_part(struct buf *b, struct slice text);

/* Takes n bytes off the front. */
void buf_consume(struct buf *b, size_t n);

/* Ends the contents with a NUL that is not counted; NULL when it does not fit. */
const char *buf_cstr(struct buf *b);

#endif
