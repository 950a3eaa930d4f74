#include "worker/api/health.h"

#include "worker/api/answer.h"
#include "worker/api/api_internal.h"

void health_serve(const struct api_call *c)
{
	/*
	 * Also while this worker drains: whoever asks has reached the address, and for a balancer
	 * in front its health is that of all workers. The listeners are closed, so when there are
	 * no others the next one who asks is refused.
	 */
	const struct answer a = {.status = 200, .body = SLICE("{\"health\":\"OK\"}")};

	answer_send(c->w, session_id(c->s), &a);
}
