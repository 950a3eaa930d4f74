/*
 * POST /broadcasting/auth and /broadcasting/user-auth: may the bearer's user subscribe this channel
 * with this socket, or sign in? The broker decides; the signature is made here, with the newest
 * secret of the chat's application, and takes effect when the connection itself presents it.
 */
#ifndef WORKER_API_BROADCASTING_H
#define WORKER_API_BROADCASTING_H

struct api_call;

void broadcasting_serve_channel(const struct api_call *c);
void broadcasting_serve_user(const struct api_call *c);

#endif
