/*
 * /api/websocket/...: the chat. A request becomes one CHAT_CALL to the broker, whose answer is the
 * body. What is wrong with the input is told by the broker as well, once the token has proved good:
 * strangers learn nothing but 401.
 */
#ifndef WORKER_API_CHAT_H
#define WORKER_API_CHAT_H

struct api_call;

/* c->match.id is API_CHAT + enum wire_chat. */
void chat_serve(const struct api_call *c);

#endif
