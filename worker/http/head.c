#include "worker/http/head.h"

#include "common/base/macros.h"
#include "worker/http/target.h"

/* Lines that must not come twice: a proxy in front might go by the other one. */
static const struct slice UNIQUE[] = {
	SLICE_INIT("Host"),
	SLICE_INIT("Content-Length"),
	SLICE_INIT("Transfer-Encoding"),
	SLICE_INIT("Content-Type"),
	SLICE_INIT("Authorization"),
	SLICE_INIT("Origin"),
	SLICE_INIT("Expect"),
	SLICE_INIT("Sec-WebSocket-Key"),
	SLICE_INIT("Sec-WebSocket-Version"),
};

static bool bad(struct fault *err, uint16_t status, const char *text)
{
	*err = (struct fault){.http_status = status, .text = text};
	return false;
}

static bool lines_are_unique(const struct http_request *r)
{
	bool seen[ARRAY_LEN(UNIQUE)] = {false};

	for (unsigned i = 0; i < r->field_count; i++) {
		struct slice name = slice_of(r->head + r->fields[i].name, r->fields[i].name_n);

		for (size_t k = 0; k < ARRAY_LEN(UNIQUE); k++) {
			if (!slice_eq_nocase(name, UNIQUE[k]))
				continue;
			if (seen[k])
				return false;
			seen[k] = true;
		}
	}
	return true;
}

static bool judge_target(struct http_request *r, struct fault *err)
{
	struct slice host = http_header(r, SLICE("Host"));

	r->path = r->target;
	r->query = slice_skip(r->target, r->target.n);
	(void)slice_cut(r->target, '?', &r->path, &r->query); /* without '?' all of it is path */
	if (!http_path_is_sound(r->path))
		return bad(err, 400, "Malformed path");
	if (host.p == NULL && r->http_1_1)
		return bad(err, 400, "Host is missing");
	if (host.p != NULL && !http_host_is_sound(host))
		return bad(err, 400, "Malformed Host");
	return true;
}

static bool judge_length(struct slice length, size_t body_max, uint64_t *ret, struct fault *err)
{
	unsigned long long n = 0;

	if (length.n == 0)
		return bad(err, 400, "Malformed Content-Length");
	for (size_t i = 0; i < length.n; i++) {
		if (length.p[i] < '0' || length.p[i] > '9')
			return bad(err, 400, "Malformed Content-Length");
	}
	if (!slice_to_u64(length, &n) || n > body_max)
		return bad(err, 413, "Body too large");
	*ret = n;
	return true;
}

static bool judge_body(const struct http_request *r, size_t body_max, struct http_framing *ret,
		       struct fault *err)
{
	struct slice length = http_header(r, SLICE("Content-Length"));
	struct slice coding = http_header(r, SLICE("Transfer-Encoding"));
	struct slice expect = http_header(r, SLICE("Expect"));

	if (coding.p != NULL) {
		if (length.p != NULL)
			return bad(err, 400, "Content-Length together with Transfer-Encoding");
		if (!r->http_1_1 || !slice_eq_nocase(coding, SLICE("chunked")))
			return bad(err, 400, "Transfer-Encoding must be chunked");
		ret->chunked = true;
	}
	if (length.p != NULL && !judge_length(length, body_max, &ret->length, err))
		return false;
	if (expect.p != NULL && r->http_1_1) {
		if (!slice_eq_nocase(expect, SLICE("100-continue")))
			return bad(err, 417, "Unknown expectation");
		ret->expects = ret->chunked || ret->length > 0;
	}
	return true;
}

bool http_head_judge(struct http_request *r, size_t body_max, struct http_framing *ret,
		     struct fault *err)
{
	*ret = (struct http_framing){0};
	r->method = HTTP_OTHER;
	for (unsigned m = 0; m < HTTP_OTHER; m++) {
		if (slice_eq(r->method_name, http_method_text((enum http_method)m)))
			r->method = (enum http_method)m;
	}
	if (!lines_are_unique(r))
		return bad(err, 400, "A header line that must be unique is repeated");
	if (!judge_target(r, err) || !judge_body(r, body_max, ret, err))
		return false;
	if (http_header_has(r, SLICE("Connection"), SLICE("close")))
		r->keep_alive = false;
	else
		r->keep_alive =
			r->http_1_1 || http_header_has(r, SLICE("Connection"), SLICE("keep-alive"));
	return true;
}
