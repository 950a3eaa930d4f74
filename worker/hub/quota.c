#include "worker/hub/quota.h"

bool quota_take(struct quota *q, uint32_t rate, usec_t now)
{
	usec_t each;
	usec_t full_at;

	if (rate == 0)
		return true;
	each = USEC_PER_SEC / rate;
	full_at = q->full_at > now ? q->full_at : now;
	/* Every token that is missing puts the moment off by the time that it takes to regain. */
	if (full_at + each > now + USEC_PER_SEC)
		return false;
	q->full_at = full_at + each;
	return true;
}
