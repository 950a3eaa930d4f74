#include "worker/edge/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "common/base/encode.h"

#define UNIX_PREFIX SLICE("unix:")

static bool parse_unix(struct slice path, struct address *ret)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	if (path.n == 0 || path.n >= sizeof(un.sun_path) || path.p[0] != '/' ||
	    memchr(path.p, '\0', path.n) != NULL)
		return false;
	memcpy(un.sun_path, path.p, path.n);
	memcpy(&ret->sa, &un, sizeof(un));
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
	return true;
}

/* The last colon parts host and port. */
static bool split(struct slice text, struct slice *ret_host, in_port_t *ret_port)
{
	const char *colon = text.n > 0 ? memrchr(text.p, ':', text.n) : NULL;
	unsigned long long port;

	if (colon == NULL)
		return false;
	*ret_host = slice_of(text.p, (size_t)(colon - text.p));
	if (!slice_to_u64(slice_skip(text, ret_host->n + 1), &port) || port > UINT16_MAX)
		return false;
	*ret_port = htons((uint16_t)port);
	return true;
}

bool address_parse(struct slice text, struct address *ret)
{
	char host[INET6_ADDRSTRLEN];
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct slice name;
	in_port_t port;

	*ret = (struct address){0};
	if (slice_starts(text, UNIX_PREFIX))
		return parse_unix(slice_skip(text, UNIX_PREFIX.n), ret);
	if (!split(text, &name, &port))
		return false;

	bool six = name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']';

	if (six)
		name = slice_of(name.p + 1, name.n - 2);
	if (name.n == 0 || name.n >= sizeof(host) || memchr(name.p, '\0', name.n) != NULL)
		return false;
	memcpy(host, name.p, name.n);
	host[name.n] = '\0';
	if (six && inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
		in6.sin6_port = port;
		memcpy(&ret->sa, &in6, sizeof(in6));
		ret->len = sizeof(in6);
		return true;
	}
	if (!six && inet_pton(AF_INET, host, &in.sin_addr) == 1) {
		in.sin_port = port;
		memcpy(&ret->sa, &in, sizeof(in));
		ret->len = sizeof(in);
		return true;
	}
	return false;
}

static void unix_text(const struct address *a, char *out)
{
	struct sockaddr_un un;
	size_t base = offsetof(struct sockaddr_un, sun_path);
	size_t n = a->len > base ? a->len - base : 0;

	memcpy(&un, &a->sa, sizeof(un));
	if (n == 0 || un.sun_path[0] == '\0')
		n = 0;
	(void)snprintf(out, ADDRESS_TEXT, "unix:%.*s", (int)strnlen(un.sun_path, n), un.sun_path);
}

/* As inet_ntop() does it, for every connection: without printf. */
static void ipv4_text(const void *bytes, char *host)
{
	uint8_t four[4];
	size_t n = 0;

	memcpy(four, bytes, sizeof(four));
	for (size_t i = 0; i < sizeof(four); i++) {
		if (i > 0)
			host[n++] = '.';
		n += decimal_encode(four[i], host + n); /* INET6_ADDRSTRLEN has room for more */
	}
	host[n] = '\0';
}

/* Host and port; IPv4 inside IPv6 is written as IPv4, for it is one and the same client. */
static unsigned ip_text(const struct address *a, char *host, bool *ret_six)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	*ret_six = false;
	if (a->sa.ss_family == AF_INET) {
		memcpy(&in, &a->sa, sizeof(in));
		ipv4_text(&in.sin_addr, host);
		return ntohs(in.sin_port);
	}
	memcpy(&in6, &a->sa, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		ipv4_text(&in6.sin6_addr.s6_addr[12], host);
	} else {
		(void)inet_ntop(AF_INET6, &in6.sin6_addr, host, INET6_ADDRSTRLEN);
		*ret_six = true;
	}
	return ntohs(in6.sin6_port);
}

void address_text(const struct address *a, char ret_text[ADDRESS_TEXT])
{
	char host[INET6_ADDRSTRLEN];
	unsigned port;
	bool six;

	if (a->sa.ss_family != AF_INET && a->sa.ss_family != AF_INET6) {
		unix_text(a, ret_text);
		return;
	}
	port = ip_text(a, host, &six);
	(void)snprintf(ret_text, ADDRESS_TEXT, six ? "[%s]:%u" : "%s:%u", host, port); /* fits */
}

void address_host(const struct address *a, char ret_text[ADDRESS_TEXT])
{
	bool six;

	if (a->sa.ss_family != AF_INET && a->sa.ss_family != AF_INET6)
		memcpy(ret_text, "unix", sizeof("unix"));
	else
		(void)ip_text(a, ret_text, &six); /* the port is not wanted */
}
