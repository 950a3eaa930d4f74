/*
 * What is wrong with an input, as its decoder judges it. The place that knows the rule fills the
 * fault in; the place that owns the socket sends it.
 */
#ifndef COMMON_BASE_FAULT_H
#define COMMON_BASE_FAULT_H

#include <stdint.h>

/* Result of a resumable decoder. */
enum parse {
	PARSE_DONE, /* a whole item was decoded */
	PARSE_MORE, /* right so far, needs more bytes */
	PARSE_BAD,  /* wrong; the fault says how */
};

struct fault {
	uint16_t close_code;  /* WebSocket close code, 0 = the connection stays */
	uint16_t http_status; /* for HTTP, else 0 */
	int32_t pusher_code;  /* code of pusher:error; 0 = null */
	const char *text;     /* static text, safe to show */
};

#endif
