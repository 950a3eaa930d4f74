/*
 * Chats with their participants, for answers and chat.created. What the rows say is written down as
 * JSON at once; then the participants are asked for, then who they are.
 */
#ifndef BROKER_CHAT_VIEW_H
#define BROKER_CHAT_VIEW_H

#include <stddef.h>

#include "broker/chat/chat_internal.h"

typedef void view_fn(struct call *call, const struct chat_result *r);

/*
 * Gets participants and users of the chats that rows show, at most `most` of them; done() when all
 * is there, or why not. The view is the call's, in call->view.
 */
void view_start(struct call *call, const struct chat_row *rows, size_t n, size_t most,
		view_fn *done);
size_t view_count(const struct view *v);
/* Where the next page begins, when not all rows were shown; else .p == NULL. */
struct slice view_cursor(const struct view *v);
/*
 * Appends a chat as a contact or (an event is one for all) anybody may see its participants. The
 * buffer is full afterwards when the view itself did not fit.
 */
void view_encode(const struct call *call, size_t i, enum viewer viewer, struct buf *out);
void view_free(struct view *v);

#endif
