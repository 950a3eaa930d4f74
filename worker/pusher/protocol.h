/*
 * Names, codes and texts of the Pusher Channels protocol (versions 4 to 7), made from protocol.def.
 * Pure tables.
 */
#ifndef WORKER_PUSHER_PROTOCOL_H
#define WORKER_PUSHER_PROTOCOL_H

#include <stdint.h>

#include "common/base/slice.h"

/* Versions that a client may name in ?protocol= */
#define PUSHER_PROTOCOL_MIN 4
#define PUSHER_PROTOCOL_MAX 7

/* What a socket that is wrong this often in this time is closed for (1008). */
#define PUSHER_FAULTS_MAX 10
#define PUSHER_FAULTS_SECONDS 10

#define PUSHER_EVENT(NAME, text) PUSHER_EV_##NAME,
#define PUSHER_ERROR(NAME, code, text)
#define PUSHER_CLOSE(NAME, code, text)
#define PUSHER_REFUSAL(NAME, type, error, status, ERROR)
enum pusher_event {
#include "worker/pusher/protocol.def"
	PUSHER_EV_COUNT
};
#undef PUSHER_EVENT
#undef PUSHER_ERROR
#undef PUSHER_CLOSE

#define PUSHER_EVENT(NAME, text)
#define PUSHER_ERROR(NAME, code, text) PUSHER_ERR_##NAME,
#define PUSHER_CLOSE(NAME, code, text) PUSHER_END_##NAME,
enum pusher_error_id {
#include "worker/pusher/protocol.def"
	PUSHER_ERR_COUNT
};
#undef PUSHER_ERROR
#undef PUSHER_CLOSE
#undef PUSHER_REFUSAL

#define PUSHER_ERROR(NAME, code, text)
#define PUSHER_CLOSE(NAME, code, text)
#define PUSHER_REFUSAL(NAME, type, error, status, ERROR) PUSHER_REF_##NAME,
enum pusher_refusal_id {
#include "worker/pusher/protocol.def"
	PUSHER_REF_COUNT
};
#undef PUSHER_EVENT
#undef PUSHER_ERROR
#undef PUSHER_CLOSE
#undef PUSHER_REFUSAL

struct pusher_error {
	int32_t code; /* 0 = null in a frame */
	struct slice text;
};

struct pusher_refusal {
	struct slice type;
	struct slice error;
	uint32_t status;
	enum pusher_error_id then; /* the pusher:error that follows */
};

struct slice pusher_event_name(enum pusher_event ev);
const struct pusher_error *pusher_error(enum pusher_error_id id);
const struct pusher_refusal *pusher_refusal(enum pusher_refusal_id id);

#endif
