#include "common/wire/wire.h"

/* ---- integers and strings ---- */

static void put(struct buf *out, uint64_t value, size_t bytes)
{
	char *at = buf_reserve(out, bytes);

	if (at == NULL)
		return;
	for (size_t i = 0; i < bytes; i++)
		at[i] = (char)(value >> (8 * i));
	out->n += bytes;
}

static void put_str(struct buf *out, struct slice s)
{
	if (s.n > UINT32_MAX)
		out->full = true; /* like everything else that does not fit */
	put(out, s.n, 4);
	(void)buf_add(out, s); /* `full` is sticky: asked for at the end of the record */
}

/* What is left of a body; `bad` once something did not fit. */
struct reader {
	struct slice left;
	bool bad;
};

static uint64_t take(struct reader *r, size_t bytes)
{
	uint64_t value = 0;

	if (r->left.n < bytes) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)(unsigned char)r->left.p[i] << (8 * i);
	r->left = slice_skip(r->left, bytes);
	return value;
}

static struct slice take_str(struct reader *r)
{
	uint64_t n = take(r, 4);
	struct slice s;

	if (r->left.n < n) {
		r->bad = true;
		return SLICE_NONE;
	}
	s = slice_first(r->left, (size_t)n);
	r->left = slice_skip(r->left, (size_t)n);
	return s;
}

/* ---- records ---- */

#define U8(f) put(out, m->f, 1);
#define U16(f) put(out, m->f, 2);
#define U32(f) put(out, m->f, 4);
#define U64(f) put(out, m->f, 8);
#define I64(f) put(out, (uint64_t)m->f, 8);
#define STR(f) put_str(out, m->f);
#define LIST(f) put_str(out, m->f);
#define WIRE_MESSAGE(name, NAME, number, fields) \
	bool wire_encode_##name(struct buf *out, const struct wire_##name *m) \
	{ \
		fields return buf_ok(out); \
	}
#include "common/wire/wire.def"
#undef WIRE_MESSAGE
#undef U8
#undef U16
#undef U32
#undef U64
#undef I64
#undef STR
#undef LIST

#define U8(f) m.f = (uint8_t)take(&r, 1);
#define U16(f) m.f = (uint16_t)take(&r, 2);
#define U32(f) m.f = (uint32_t)take(&r, 4);
#define U64(f) m.f = take(&r, 8);
#define I64(f) m.f = (int64_t)take(&r, 8);
#define STR(f) m.f = take_str(&r);
#define LIST(f) m.f = take_str(&r);
#define WIRE_MESSAGE(name, NAME, number, fields) \
	bool wire_decode_##name(struct slice body, struct wire_##name *ret_m) \
	{ \
		struct reader r = {.left = body}; \
		struct wire_##name m; \
		fields if (r.bad || r.left.n > 0) return false; \
		*ret_m = m; \
		return true; \
	}
#include "common/wire/wire.def"
#undef WIRE_MESSAGE

/* ---- names ---- */

static const char *const names[] = {
#define WIRE_MESSAGE(name, NAME, number, fields) [number] = #NAME,
#include "common/wire/wire.def"
#undef WIRE_MESSAGE
};

const char *wire_kind_name(uint8_t kind)
{
	return kind < ARRAY_LEN(names) && names[kind] != NULL ? names[kind] : "?";
}

/* ---- lists ---- */

bool wire_list_add(struct buf *list, struct slice item)
{
	put_str(list, item);
	return buf_ok(list);
}

bool wire_list_next(struct slice *list, struct slice *ret_item)
{
	struct reader r = {.left = *list};
	struct slice item = take_str(&r);

	if (r.bad)
		return false;
	*list = r.left;
	*ret_item = item;
	return true;
}
