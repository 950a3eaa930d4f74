/*
 * Socket addresses and their text, as in the configuration: "0.0.0.0:8080", "[::]:8080",
 * "unix:/run/chat/http.sock".
 */
#ifndef WORKER_EDGE_ADDRESS_H
#define WORKER_EDGE_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/base/slice.h"

#define ADDRESS_TEXT 113 /* the longest: "unix:" and a path of 107 bytes, with NUL at the end */

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* Reads an address; false if it is none (names are not looked up). Port 0 asks for any free one. */
bool address_parse(struct slice text, struct address *ret);

/* "192.0.2.7:443", "[2001:db8::1]:443", "unix:/path", "unix:" for a nameless peer. */
void address_text(const struct address *a, char ret_text[ADDRESS_TEXT]);

/* The address without the port, for limits by address and for logs; "unix" for unix sockets. */
void address_host(const struct address *a, char ret_text[ADDRESS_TEXT]);

#endif
