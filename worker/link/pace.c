#include "worker/link/pace.h"

#include "common/wire/flow.h"
#include "common/wire/wire.h"

static const uint8_t paced[PACE_KINDS] = {
	WIRE_CONN_OPEN,
	WIRE_CONN_CLOSE,
	WIRE_SUBSCRIBE,
	WIRE_UNSUBSCRIBE,
};

void pace_add(struct pace *p, uint8_t kind)
{
	for (unsigned i = 0; i < PACE_KINDS; i++) {
		if (paced[i] == kind) {
			p->waiting |= (uint8_t)(1U << i);
			return;
		}
	}
	p->urgent = true;
}

bool pace_is_due(const struct pace *p, usec_t now)
{
	if (p->urgent)
		return true;
	for (unsigned i = 0; i < PACE_KINDS; i++) {
		if ((p->waiting & 1U << i) != 0 && now - p->last[i] >= FLOW_DELAY)
			return true;
	}
	return false;
}

void pace_hurry(struct pace *p)
{
	p->urgent = true;
}

void pace_sent(struct pace *p, usec_t now)
{
	for (unsigned i = 0; i < PACE_KINDS; i++) {
		if ((p->waiting & 1U << i) != 0)
			p->last[i] = now;
	}
	p->waiting = 0;
	p->urgent = false;
}
