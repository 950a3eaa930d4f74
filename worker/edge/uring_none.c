/* In place of uring.c where liburing is not there or not wanted. */
#include "worker/edge/uring.h"

#include <errno.h>

#include "common/base/mem.h"

int uring_new(struct uring **ret)
{
	(void)ret;
	return -ENOTSUP;
}

void uring_free(struct uring *u)
{
	if (u != NULL)
		die("a ring in a build without io_uring");
}

int uring_send(struct uring *u, struct uring_send *sends, unsigned n)
{
	(void)u;
	(void)sends;
	die("%u sends in a build without io_uring", n);
}
