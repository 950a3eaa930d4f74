/*
 * What backends ask of the truth: GET /apps/{id}/channels, /channels/{name},
 * /channels/{name}/users, /connections, and POST /apps/{id}/users/{user}/terminate_connections. The
 * broker's answer is the JSON body.
 */
#ifndef WORKER_API_CHANNELS_H
#define WORKER_API_CHANNELS_H

struct api_call;

void channels_serve_list(const struct api_call *c);
void channels_serve_one(const struct api_call *c);
void channels_serve_users(const struct api_call *c);
void channels_serve_connections(const struct api_call *c);
void channels_serve_terminate(const struct api_call *c);

#endif
