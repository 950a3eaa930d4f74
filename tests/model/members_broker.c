#include "tests/model/members_broker.h"

#include "broker/registry/presence.h"
#include "tests/unit/dispatch_fakes.h"

void broker_begin(broker_sent_fn *sent, uint32_t workers, uint32_t max_members)
{
	fake_sent = sent;
	fake_workers = 0;
	fake_max_members = max_members;
	fakes_begin(false);
	fake_expected = workers;
}

void broker_end(void)
{
	fakes_end();
}

bool broker_is_open(void)
{
	return dispatch_is_open(fake_d);
}

void broker_welcome(uint32_t worker)
{
	dispatch_server_ops.on_worker_new(fake_d, &fake_lanes[worker - 1]);
}

void broker_gone(uint32_t worker)
{
	fake_gone(worker);
}

void broker_hear(uint32_t worker, uint8_t kind, struct slice body)
{
	fake_record(worker, kind, body);
}

void broker_wait(unsigned milliseconds)
{
	fake_wait(milliseconds * USEC_PER_MSEC);
}

static void write_member(void *ctx, struct slice user_id, struct slice user_info)
{
	(void)buf_printf(ctx, "%.*s=%.*s ", SLICE_ARG(user_id), SLICE_ARG(user_info));
}

void broker_members(struct slice channel, struct buf *out)
{
	registry_members(fake_d->parts.registry, BROKER_APP, channel, write_member, out);
}
