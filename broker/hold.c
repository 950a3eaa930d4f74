#include "broker/hold.h"

#include <string.h>

/* In front of each body; never leaves the process. */
struct head {
	uint32_t worker;
	uint32_t n;
	uint8_t kind;
};

void hold_init(struct hold *h, size_t max)
{
	buf_init(&h->bytes, max);
	h->at = 0;
}

void hold_done(struct hold *h)
{
	buf_done(&h->bytes);
	h->at = 0;
}

bool hold_add(struct hold *h, uint32_t worker, uint8_t kind, struct slice body)
{
	struct head head = {.worker = worker, .n = (uint32_t)body.n, .kind = kind};
	char *room = buf_reserve(&h->bytes, sizeof(head) + body.n);

	if (room == NULL)
		return false;
	memcpy(room, &head, sizeof(head));
	if (body.n > 0)
		memcpy(room + sizeof(head), body.p, body.n);
	h->bytes.n += sizeof(head) + body.n;
	return true;
}

bool hold_next(struct hold *h, uint32_t *ret_worker, uint8_t *ret_kind, struct slice *ret_body)
{
	struct head head;

	if (h->at >= h->bytes.n)
		return false;
	memcpy(&head, h->bytes.p + h->at, sizeof(head));
	*ret_worker = head.worker;
	*ret_kind = head.kind;
	*ret_body = slice_of(h->bytes.p + h->at + sizeof(head), head.n);
	h->at += sizeof(head) + head.n;
	return true;
}
