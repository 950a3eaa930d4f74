/* What a decoder accepts must be what an encoder makes; percent-encoding never grows. */
#include <stdlib.h>

#include "common/base/encode.h"
#include "common/base/mem.h"
#include "worker/http/param.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_base64(struct slice text, uint8_t *bytes)
{
	struct buf back;
	size_t n = 0;

	if (!base64_decode(text, bytes, text.n, &n))
		return;
	buf_init(&back, text.n + 4);
	if (!base64_encode(&back, bytes, n) || !slice_eq(buf_slice(&back), text))
		die("base64 has changed");
	if (n > 0 && base64_decode(text, bytes, n - 1, &n))
		die("base64 beyond its room");
	buf_done(&back);
}

static void check_hex(struct slice text, uint8_t *bytes)
{
	char *back = mem_alloc(text.n + 1);

	if (hex_decode(text, bytes, text.n / 2)) {
		hex_encode(bytes, text.n / 2, back);
		if (!slice_eq_nocase(slice_of(back, text.n), text))
			die("hex has changed");
	}
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	uint8_t *bytes = mem_alloc(size + 1);
	struct buf plain;

	check_base64(text, bytes);
	check_hex(text, bytes);
	buf_init(&plain, size);
	if (percent_decode(&plain, text, true) != http_param_is(text, buf_slice(&plain)))
		die("two opinions on %%");
	buf_done(&plain);
	free(bytes);
	return 0;
}
