/* The scanner over any text; what it accepts must be walkable and its strings valid UTF-8. */
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/json/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct json_value *v, struct buf *scratch)
{
	struct json_iter it = {0};
	struct json_value name;
	struct json_value value;
	struct json_value again;

	while (json_next_member(v, &it, &name, &value)) {
		if (!utf8_valid(json_text(&name, scratch)) || !json_scan(value.raw, &again) ||
		    again.type != value.type)
			die("a member is no value");
	}
	it = (struct json_iter){0};
	while (json_next(v, &it, &value)) {
		if (!json_scan(value.raw, &again) || again.raw.n != value.raw.n)
			die("an element is no value");
	}
	if (v->type == JSON_STRING && !json_string_is(v, json_text(v, scratch)))
		die("a string is not itself");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_value root;
	struct json_field fields[] = {{.name = SLICE_INIT("event")}, {.name = SLICE_INIT("data")}};
	struct buf scratch;

	if (!json_scan(slice_of(data, size), &root))
		return 0;
	buf_init(&scratch, size);
	json_scratch(&scratch, size);
	walk(&root, &scratch);
	if (json_fields(&root, fields, 2, JSON_LAST_WINS) && json_given(&fields[1].value))
		walk(&fields[1].value, &scratch);
	buf_done(&scratch);
	return 0;
}
