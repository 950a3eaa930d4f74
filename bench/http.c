#include "bench/http.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/macros.h"
#include "common/crypto/hmac.h"

#define QUERY_MAX 512

void http_put_event(struct buf *out, const struct http_app *app, int64_t seconds, struct slice body)
{
	uint8_t digest[MD5_SIZE];
	uint8_t mac[HMAC_SIZE];
	char md5[2 * MD5_SIZE + 1];
	char signature[2 * HMAC_SIZE + 1];
	struct buf query;

	digest_md5(body, digest);
	hex_encode(digest, sizeof(digest), md5);
	buf_init(&query, QUERY_MAX);
	(void)buf_printf(&query,
			 "auth_key=%.*s&auth_timestamp=%" PRId64 "&auth_version=1.0&body_md5=%s",
			 SLICE_ARG(app->key), seconds, md5);

	struct slice parts[] = {SLICE("POST\n/apps/"), app->id, SLICE("/events\n"),
				buf_slice(&query)};

	hmac_sha256(app->secret, parts, ARRAY_LEN(parts), mac);
	hex_encode(mac, sizeof(mac), signature);
	(void)buf_printf(out,
			 "POST /apps/%.*s/events?%.*s&auth_signature=%s HTTP/1.1\r\n"
			 "Host: %.*s\r\nContent-Type: application/json\r\n"
			 "Content-Length: %zu\r\n\r\n",
			 SLICE_ARG(app->id), SLICE_ARG(buf_slice(&query)), signature,
			 SLICE_ARG(app->host), body.n);
	(void)buf_add(out, body);
	buf_done(&query);
}

void http_put_message(struct buf *out, struct slice host, struct slice chat, struct slice token,
		      struct slice body)
{
	(void)buf_printf(out,
			 "POST /api/websocket/chats/%.*s/messages HTTP/1.1\r\nHost: %.*s\r\n"
			 "Authorization: Bearer %.*s\r\nContent-Type: application/json\r\n"
			 "Content-Length: %zu\r\n\r\n",
			 SLICE_ARG(chat), SLICE_ARG(host), SLICE_ARG(token), body.n);
	(void)buf_add(out, body);
}

static size_t content_length(struct slice head)
{
	struct slice line;
	struct slice name;
	struct slice value;
	unsigned long long n = 0;

	while (slice_cut(head, '\n', &line, &head)) {
		if (slice_cut(line, ':', &name, &value) &&
		    slice_eq_nocase(name, SLICE("Content-Length")) &&
		    slice_to_u64(slice_trim(value), &n))
			return (size_t)n;
	}
	return 0;
}

bool http_take_answer(struct slice bytes, size_t *ret_n, struct http_answer *ret)
{
	static const struct slice begin = SLICE_INIT("HTTP/1.1 ");
	const char *end = memmem(bytes.p, bytes.n, "\r\n\r\n", 4);
	unsigned long long status = 0;
	struct slice head;
	size_t n;

	if (end == NULL)
		return false;
	head = slice_first(bytes, (size_t)(end - bytes.p) + 4);
	n = content_length(head);
	if (bytes.n - head.n < n)
		return false;
	if (!slice_starts(head, begin) ||
	    !slice_to_u64(slice_first(slice_skip(head, begin.n), 3), &status))
		status = 0;
	*ret_n = head.n + n;
	ret->status = (unsigned)status;
	ret->body = slice_of(bytes.p + head.n, n);
	return true;
}
