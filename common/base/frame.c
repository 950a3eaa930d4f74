#include "common/base/frame.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"

struct frame *frame_new(uint32_t len)
{
	struct frame *f = mem_alloc(sizeof(*f) + len);

	f->refs = 1;
	f->len = len;
	return f;
}

struct frame *frame_copy(struct slice bytes)
{
	if (bytes.n > UINT32_MAX)
		die("frame of %zu bytes", bytes.n);
	struct frame *f = frame_new((uint32_t)bytes.n);

	if (bytes.n > 0)
		memcpy(f->data, bytes.p, bytes.n);
	return f;
}

void frame_unref(struct frame *f)
{
	if (f == NULL)
		return;
	assert(f->refs > 0);
	if (--f->refs == 0)
		free(f);
}
