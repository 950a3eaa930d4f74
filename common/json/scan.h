/*
 * A strict JSON scanner (RFC 8259) over slices. json_scan() judges a whole text in one pass: full
 * grammar, UTF-8, at most LIMIT_JSON_DEPTH levels, no recursion, no memory. The values it gives are
 * spans of the text, so what is relayed stays byte for byte as it was sent.
 *
 *	struct json_value root;
 *	struct json_field f[] = {{.name = SLICE_INIT("event")}, {.name = SLICE_INIT("data")}};
 *	struct slice event;
 *
 *	if (!json_scan(text, &root) || !json_fields(&root, f, 2, JSON_LAST_WINS)) ...
 *	json_scratch(&scratch, text.n);
 *	if (json_is(&f[0].value, JSON_STRING))
 *		event = json_text(&f[0].value, &scratch);
 *
 * All functions but json_scan() trust that their value came from a text that json_scan() accepted.
 */
#ifndef COMMON_JSON_SCAN_H
#define COMMON_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/base/slice.h"

enum json_kind {
	JSON_NONE, /* no value: a field that is not there */
	JSON_NULL,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_value {
	enum json_kind type;
	struct slice raw; /* without blanks around it; a string with its quotes */
};

/* One value with nothing but blanks around it. False: not JSON, bad UTF-8 or nested too deep. */
MUST_CHECK bool json_scan(struct slice text, struct json_value *ret_root);

static inline bool json_is(const struct json_value *v, enum json_kind type)
{
	return v->type == type;
}

/* Neither there nor null. */
static inline bool json_given(const struct json_value *v)
{
	return v->type != JSON_NONE && v->type != JSON_NULL;
}

/* What to do with a name that an object has twice. */
enum json_twice {
	JSON_LAST_WINS, /* as JavaScript: for frames of clients */
	JSON_REFUSE,	/* where signer and server must read the same: for the HTTP API */
};

struct json_field {
	struct slice name;
	struct json_value value; /* JSON_NONE when the object has no such member */
};

/*
 * Finds members by name, in one pass; names match after their escapes are undone. False: the value
 * is no object, or, with JSON_REFUSE, one of these names stands twice.
 */
MUST_CHECK bool json_fields(const struct json_value *object, struct json_field *fields, size_t n,
			    enum json_twice twice);

/* Walks an array or object; start with the value and `it` zeroed. */
struct json_iter {
	size_t at;
};

/* The next element; false at the end, and at once when the value is no array. */
MUST_CHECK bool json_next(const struct json_value *array, struct json_iter *it,
			  struct json_value *ret_value);
/* The next member; the name is a JSON_STRING. */
MUST_CHECK bool json_next_member(const struct json_value *object, struct json_iter *it,
				 struct json_value *ret_name, struct json_value *ret_value);

/* Number of elements or members. */
size_t json_count(const struct json_value *v);

/*
 * Makes `scratch` empty with room for all strings of a text of n bytes, so that the slices which
 * json_text() gives for it stay where they are. n must be within the buffer's maximum.
 */
void json_scratch(struct buf *scratch, size_t n);

/*
 * The text of a string, escapes undone: a slice of the input where there are none, else of
 * `scratch`, which json_scratch() has prepared. A surrogate without its half becomes U+FFFD. May
 * hold NUL bytes.
 */
struct slice json_text(const struct json_value *string, struct buf *scratch);

/* Appends the text of a string; false when the buffer is full. */
MUST_CHECK bool json_append_text(const struct json_value *string, struct buf *out);

bool json_string_is(const struct json_value *string, struct slice text);

/* A number that is an integer in plain digits: "7", not "7.0", "7e0" or "-0". */
MUST_CHECK bool json_u64(const struct json_value *v, uint64_t *ret_value);

#endif
