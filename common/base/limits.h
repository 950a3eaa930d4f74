/*
 * Every fixed maximum with its reason. Maxima that an operator may change are keys of
 * common/conf/conf.def; these are the ceilings above them.
 */
#ifndef COMMON_BASE_LIMITS_H
#define COMMON_BASE_LIMITS_H

#define LIMIT_CHANNEL_NAME 200	     /* what all official libraries and peers allow */
#define LIMIT_EVENT_NAME 200	     /* the same */
#define LIMIT_USER_ID 128	     /* Pusher's own limit */
#define LIMIT_SOCKET_ID 40	     /* two decimal numbers of at most 19 digits and a dot */
#define LIMIT_JSON_DEPTH 32	     /* deeper nesting is an attack, not a message */
#define LIMIT_HTTP_HEAD 8192	     /* request line and headers together, as nginx and Apache */
#define LIMIT_HTTP_LINE 4096	     /* request line */
#define LIMIT_HTTP_HEADERS 64	     /* header lines of one request */
#define LIMIT_CLOSE_REASON 123	     /* RFC 6455 section 5.5: 125 bytes less the code */
#define LIMIT_WIRE_RECORD (16 << 20) /* one record of the lane: the largest presence snapshot */
#define LIMIT_FRAME (17 << 20)	     /* one WebSocket frame of ours: a snapshot with its escapes */

#endif
