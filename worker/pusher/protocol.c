#include "worker/pusher/protocol.h"

#define PUSHER_EVENT(NAME, text) [PUSHER_EV_##NAME] = SLICE_INIT(text),
#define PUSHER_ERROR(NAME, code, text)
#define PUSHER_CLOSE(NAME, code, text)
#define PUSHER_REFUSAL(NAME, type, error, status, ERROR)
static const struct slice events[PUSHER_EV_COUNT] = {
#include "worker/pusher/protocol.def"
};
#undef PUSHER_EVENT
#undef PUSHER_ERROR
#undef PUSHER_CLOSE
#undef PUSHER_REFUSAL

#define PUSHER_EVENT(NAME, text)
#define PUSHER_ERROR(NAME, code, text) [PUSHER_ERR_##NAME] = {(code), SLICE_INIT(text)},
#define PUSHER_CLOSE(NAME, code, text) [PUSHER_END_##NAME] = {(code), SLICE_INIT(text)},
#define PUSHER_REFUSAL(NAME, type, error, status, ERROR)
static const struct pusher_error errors[PUSHER_ERR_COUNT] = {
#include "worker/pusher/protocol.def"
};
#undef PUSHER_ERROR
#undef PUSHER_CLOSE
#undef PUSHER_REFUSAL

#define PUSHER_ERROR(NAME, code, text)
#define PUSHER_CLOSE(NAME, code, text)
#define PUSHER_REFUSAL(NAME, type, error, status, ERROR) \
	[PUSHER_REF_##NAME] = {SLICE_INIT(type), SLICE_INIT(error), (status), PUSHER_ERR_##ERROR},
static const struct pusher_refusal refusals[PUSHER_REF_COUNT] = {
#include "worker/pusher/protocol.def"
};

struct slice pusher_event_name(enum pusher_event ev)
{
	return events[ev];
}

const struct pusher_error *pusher_error(enum pusher_error_id id)
{
	return &errors[id];
}

const struct pusher_refusal *pusher_refusal(enum pusher_refusal_id id)
{
	return &refusals[id];
}
