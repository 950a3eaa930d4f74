#include "worker/api/health.h"

#include "worker/api/answer.h"
#include "worker/api/api_internal.h"

void health_serve(const struct api_call *c)
{
	bool draining = worker_is_draining(c->w);
	struct answer a = {
		.status = draining ? 503 : 200,
		.body = draining ? SLICE("{\"health\":\"draining\"}")
				 : SLICE("{\"health\":\"OK\"}"),
	};

	answer_send(c->w, session_id(c->s), &a);
}
