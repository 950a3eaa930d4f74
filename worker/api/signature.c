#include "worker/api/signature.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/encode.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/crypto/hmac.h"
#include "worker/http/param.h"

/* Later than that is no time of a signer: the end of the year 9999. */
#define LATEST 253402300799LL

enum auth_param { KEY, TIMESTAMP, VERSION, BODY_MD5, SIGNATURE, AUTH_PARAMS };

static const struct slice names[AUTH_PARAMS] = {
	[KEY] = SLICE_INIT("auth_key"),
	[TIMESTAMP] = SLICE_INIT("auth_timestamp"),
	[VERSION] = SLICE_INIT("auth_version"),
	[BODY_MD5] = SLICE_INIT("body_md5"),
	[SIGNATURE] = SLICE_INIT("auth_signature"),
};

struct param {
	struct slice name;
	struct slice value;
	size_t at; /* its place in the request */
};

/* The query, decoded and sorted. */
struct params {
	struct buf text; /* names and values */
	struct param *v;
	size_t n;
};

/* ---- reading ---- */

static int by_name(const void *a, const void *b)
{
	const struct param *x = a;
	const struct param *y = b;
	size_t n = MIN(x->name.n, y->name.n);
	int order = n > 0 ? memcmp(x->name.p, y->name.p, n) : 0;

	if (order != 0)
		return order;
	if (x->name.n != y->name.n)
		return x->name.n < y->name.n ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

static bool decode(struct buf *text, struct slice raw, bool plus_is_space, struct slice *ret)
{
	size_t from = text->n;

	if (!percent_decode(text, raw, plus_is_space))
		return false;
	*ret = slice_of(text->p + from, text->n - from);
	return true;
}

static void lower(struct buf *text, size_t from)
{
	for (size_t i = from; i < text->n; i++) {
		if (text->p[i] >= 'A' && text->p[i] <= 'Z')
			text->p[i] = (char)(text->p[i] + ('a' - 'A'));
	}
}

static void params_done(struct params *p)
{
	buf_done(&p->text);
	free(p->v);
}

/* False: a broken escape. Bounded by the length of a request line. */
static bool params_read(struct params *p, struct slice query, bool plus_is_space)
{
	struct slice rest = query;
	struct slice name;
	struct slice value;
	size_t max = 0;

	while (http_param_next(&rest, &name, &value))
		max++;
	p->n = 0;
	p->v = mem_calloc(max + 1, sizeof(*p->v));
	buf_init(&p->text, query.n + 1);
	(void)buf_reserve(&p->text, query.n + 1); /* decoding never grows: nothing moves */
	while (http_param_next(&query, &name, &value)) {
		struct param *it = &p->v[p->n];
		size_t from = p->text.n;

		it->at = p->n++;
		if (!decode(&p->text, name, plus_is_space, &it->name))
			return false;
		lower(&p->text, from);
		if (!decode(&p->text, value, plus_is_space, &it->value))
			return false;
	}
	qsort(p->v, p->n, sizeof(*p->v), by_name);
	return true;
}

/* ---- judging ---- */

static bool fails(struct buf *err_text, const char *text)
{
	(void)buf_add(err_text, slice_str(text)); /* it is large enough */
	return false;
}

/* The values of the auth parameters; each may stand once, and never as an array. */
static bool take(const struct params *p, struct slice values[AUTH_PARAMS], struct buf *err_text)
{
	for (size_t k = 0; k < AUTH_PARAMS; k++)
		values[k] = SLICE_NONE;
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < AUTH_PARAMS; k++) {
			struct slice rest = slice_skip(p->v[i].name, names[k].n);

			if (!slice_starts(p->v[i].name, names[k]))
				continue;
			if (rest.n > 0 && rest.p[0] != '[')
				continue;
			if (rest.n > 0 || values[k].p != NULL) {
				(void)buf_add(err_text, names[k]);
				return fails(err_text, " must stand exactly once");
			}
			values[k] = p->v[i].value;
		}
	}
	return true;
}

/* Leading digits, perhaps a fraction. */
static bool read_seconds(struct slice text, int64_t *ret)
{
	struct slice whole = text;
	struct slice fraction = SLICE("0");
	unsigned long long n;
	unsigned long long unused;

	(void)slice_cut(text, '.', &whole, &fraction); /* without it all of it is whole */
	if (whole.n == 0 || whole.n > 18 || !slice_to_u64(whole, &n) || fraction.n > 18 ||
	    !slice_to_u64(fraction, &unused))
		return false;
	*ret = (int64_t)MIN(n, (unsigned long long)LATEST);
	return true;
}

static void add_time(struct buf *out, int64_t seconds)
{
	struct buf text;

	buf_init(&text, 64);
	if (clock_rfc3339(&text, seconds * (int64_t)USEC_PER_SEC)) {
		(void)buf_add(out, slice_first(buf_slice(&text), 19)); /* without the fraction */
		(void)buf_addc(out, 'Z');
	}
	buf_done(&text);
}

static bool timestamp_ok(struct slice value, int64_t now, struct buf *err_text)
{
	int64_t given;

	if (!read_seconds(value, &given))
		return fails(err_text, "Invalid auth_timestamp");
	if (given >= now - SIGNATURE_WINDOW && given <= now + SIGNATURE_WINDOW)
		return true;
	(void)buf_add(err_text, SLICE("Timestamp expired: Given timestamp ("));
	add_time(err_text, given);
	(void)buf_printf(err_text, ") not within %ds of server time (", SIGNATURE_WINDOW);
	add_time(err_text, now);
	(void)buf_addc(err_text, ')');
	return false;
}

static bool md5_ok(struct slice value, struct slice body, struct buf *err_text)
{
	uint8_t want[MD5_SIZE];
	uint8_t have[MD5_SIZE];

	if (body.n == 0 && value.n == 0)
		return true;
	digest_md5(body, want);
	if (hex_decode(value, have, sizeof(have)) && memcmp(want, have, sizeof(want)) == 0)
		return true;
	return fails(err_text, "Invalid body_md5");
}

/* ---- the string to sign ---- */

static void add_params(struct buf *out, const struct params *p)
{
	bool first = true;

	for (size_t i = 0; i < p->n; i++) {
		if (slice_eq(p->v[i].name, names[SIGNATURE]))
			continue;
		if (!first)
			(void)buf_addc(out, '&');
		first = false;
		(void)buf_add(out, p->v[i].name);
		(void)buf_addc(out, '=');
		(void)buf_add(out, p->v[i].value); /* no longer than the query: it fits */
	}
}

static bool form_ok(const struct pusher_signer *signer, const struct signature_input *in,
		    const struct params *p, struct slice path, struct slice hex)
{
	struct buf params;
	bool good;

	buf_init(&params, 2 * in->query.n + 2);
	add_params(&params, p);

	struct slice parts[] = {in->method, SLICE("\n"), path, SLICE("\n"), buf_slice(&params)};

	good = buf_ok(&params) && pusher_signed(signer, parts, ARRAY_LEN(parts), hex);
	buf_done(&params);
	return good;
}

static bool paths_ok(const struct pusher_signer *signer, const struct signature_input *in,
		     const struct params *p, struct slice hex)
{
	struct buf decoded;
	bool good;

	if (form_ok(signer, in, p, in->path, hex))
		return true;
	if (memchr(in->path.p, '%', in->path.n) == NULL)
		return false;
	buf_init(&decoded, in->path.n);
	good = percent_decode(&decoded, in->path, false) &&
	       form_ok(signer, in, p, buf_slice(&decoded), hex);
	buf_done(&decoded);
	return good;
}

/* With every '+' of the query as it stands there. */
static bool literal_plus_ok(const struct pusher_signer *signer, const struct signature_input *in,
			    struct slice hex)
{
	struct params p;
	bool good;

	if (in->query.n == 0 || memchr(in->query.p, '+', in->query.n) == NULL)
		return false;
	good = params_read(&p, in->query, false) && paths_ok(signer, in, &p, hex);
	params_done(&p);
	return good;
}

static bool not_signed(const struct signature_input *in, const struct params *p,
		       struct buf *err_text)
{
	struct buf text;

	buf_init(&text, SIGNATURE_TEXT_MAX);
	(void)buf_add(&text, in->method);
	(void)buf_addc(&text, '\n');
	(void)buf_add(&text, in->path);
	(void)buf_addc(&text, '\n');
	add_params(&text, p);
	(void)buf_add(err_text, SLICE("Invalid signature. String to sign was: "));
	(void)buf_json_str(err_text, buf_slice(&text)); /* a request line with its escapes: fits */
	buf_done(&text);
	return false;
}

static bool judge(const struct pusher_signer *signer, struct slice key,
		  const struct signature_input *in, const struct params *p, struct buf *err_text)
{
	struct slice v[AUTH_PARAMS];
	uint8_t mac[HMAC_SIZE];

	if (!take(p, v, err_text))
		return false;
	if (v[KEY].p == NULL || !slice_eq(v[KEY], key))
		return fails(err_text, "Unknown auth_key");
	if (!slice_eq(v[VERSION], SLICE("1.0")))
		return fails(err_text, "Unknown auth_version: it must be 1.0");
	if (!hex_decode(v[SIGNATURE], mac, sizeof(mac)))
		return fails(err_text, "Invalid auth_signature: it must be 64 hex digits");
	if (!timestamp_ok(v[TIMESTAMP], in->now, err_text) ||
	    !md5_ok(v[BODY_MD5], in->body, err_text))
		return false;
	return paths_ok(signer, in, p, v[SIGNATURE]) || literal_plus_ok(signer, in, v[SIGNATURE]) ||
	       not_signed(in, p, err_text);
}

bool signature_ok(const struct pusher_signer *signer, struct slice key,
		  const struct signature_input *in, struct buf *err_text)
{
	struct params p;
	bool good;

	if (params_read(&p, in->query, true))
		good = judge(signer, key, in, &p, err_text);
	else
		good = fails(err_text, "Malformed query string");
	params_done(&p);
	return good;
}
