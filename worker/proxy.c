#include "worker/proxy.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "common/base/map.h"

struct network {
	unsigned char bytes[16];
	unsigned bits;
	bool v6;
	bool local; /* unix sockets */
};

struct proxies {
	struct network *v;
	size_t n;
};

/* Sixteen bytes and the kind of a numeric address. */
static bool parse(struct slice text, struct network *ret)
{
	char s[INET6_ADDRSTRLEN];

	*ret = (struct network){0};
	if (slice_eq(text, SLICE("unix"))) {
		ret->local = true;
		return true;
	}
	if (text.n == 0 || text.n >= sizeof(s))
		return false;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	ret->bits = 32;
	if (inet_pton(AF_INET, s, ret->bytes) == 1)
		return true;
	ret->v6 = true;
	ret->bits = 128;
	return inet_pton(AF_INET6, s, ret->bytes) == 1;
}

static bool parse_network(struct slice text, struct network *ret)
{
	struct slice address;
	struct slice bits;
	unsigned long long n;

	if (!slice_cut(text, '/', &address, &bits))
		return parse(text, ret);
	if (!parse(address, ret) || ret->local || !slice_to_u64(bits, &n) || n > ret->bits)
		return false;
	ret->bits = (unsigned)n;
	return true;
}

struct proxies *proxies_new(char *const *texts, size_t n)
{
	struct proxies *p = NEW(struct proxies);

	p->v = mem_calloc(n + 1, sizeof(*p->v));
	for (size_t i = 0; i < n; i++) {
		if (parse_network(slice_str(texts[i]), &p->v[p->n]))
			p->n++;
	}
	return p;
}

void proxies_free(struct proxies *p)
{
	if (p == NULL)
		return;
	free(p->v);
	free(p);
}

static bool inside(const struct network *net, const struct network *a)
{
	unsigned whole = net->bits / 8;
	unsigned rest = net->bits % 8;

	if (net->local || a->local)
		return net->local && a->local;
	if (net->v6 != a->v6 || memcmp(net->bytes, a->bytes, whole) != 0)
		return false;
	return rest == 0 || ((net->bytes[whole] ^ a->bytes[whole]) >> (8 - rest)) == 0;
}

bool proxies_trust(const struct proxies *p, struct slice address)
{
	struct network a;

	if (p->n == 0 || !parse(address, &a))
		return false;
	for (size_t i = 0; i < p->n; i++) {
		if (inside(&p->v[i], &a))
			return true;
	}
	return false;
}

struct slice proxies_client(const struct proxies *p, struct slice forwarded_for)
{
	struct slice rest = forwarded_for;
	struct network a;

	while (rest.n > 0) {
		size_t from = rest.n;

		while (from > 0 && rest.p[from - 1] != ',')
			from--;
		struct slice one = slice_trim(slice_skip(rest, from));

		if (!parse(one, &a) || a.local)
			return SLICE("");
		if (!proxies_trust(p, one))
			return one;
		rest = slice_first(rest, from > 0 ? from - 1 : 0);
	}
	return SLICE("");
}

/* ---- connections of each address ---- */

struct address_row {
	unsigned char
		key[9]; /* an IPv4 address, the first half of an IPv6 one; the last byte is which */
	uint32_t count;
	UT_hash_handle hh;
};

struct addresses {
	struct address_row *rows;
};

struct addresses *addresses_new(void)
{
	return NEW(struct addresses);
}

void addresses_free(struct addresses *a)
{
	struct address_row *row;
	struct address_row *next;

	if (a == NULL)
		return;
	HASH_ITER(hh, a->rows, row, next)
	{
		HASH_DEL(a->rows, row);
		free(row);
	}
	free(a);
}

/* Who has one IPv6 address has 2^64 of them: a /64 counts as one. */
static void make_key(struct slice address, unsigned char key[9])
{
	struct network net;

	memset(key, 0, 9);
	if (!parse(address, &net) || net.local)
		return;
	memcpy(key, net.bytes, 8);
	key[8] = net.v6 ? 6 : 4;
}

bool addresses_take(struct addresses *a, struct slice address, uint32_t max)
{
	unsigned char key[9];
	struct address_row *row;

	make_key(address, key);
	HASH_FIND(hh, a->rows, key, sizeof(key), row);
	if (row == NULL) {
		row = NEW(struct address_row);
		memcpy(row->key, key, sizeof(key));
		HASH_ADD(hh, a->rows, key, sizeof(row->key), row);
	}
	if (max != 0 && key[8] != 0 && row->count >= max)
		return false;
	row->count++;
	return true;
}

void addresses_drop(struct addresses *a, struct slice address)
{
	unsigned char key[9];
	struct address_row *row;

	make_key(address, key);
	HASH_FIND(hh, a->rows, key, sizeof(key), row);
	if (row == NULL || --row->count > 0)
		return;
	HASH_DEL(a->rows, row);
	free(row);
}
