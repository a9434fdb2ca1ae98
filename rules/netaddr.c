/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: addresses and address ranges as values; no names, no DNS */
#include <cordon/netaddr.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int netaddr_cmp(const struct netaddr *a, const struct netaddr *b)
{
	return memcmp(a, b, sizeof(*a));
}

/* As inet_pton(): four numbers without leading zeros; policies hold very many. */
static bool parse_v4(const char *s, uint8_t b[static 4])
{
	for (int i = 0; i < 4; i++) {
		const char *start = s;
		unsigned n = 0;

		for (; *s >= '0' && *s <= '9' && s - start < 3; s++)
			n = n * 10 + (unsigned)(*s - '0');
		if (s == start || n > 255 || (*start == '0' && s - start > 1) ||
		    *s++ != (i < 3 ? '.' : '\0'))
			return false;
		b[i] = (uint8_t)n;
	}
	return true;
}

int netaddr_parse(const char *s, struct netaddr *ret)
{
	struct netaddr a = { 0 };

	if (parse_v4(s, a.b))
		a.v = 4;
	else if (inet_pton(AF_INET6, s, a.b) == 1)
		a.v = 6;
	else
		return -1;
	*ret = a;
	return 0;
}

const char *netaddr_format(const struct netaddr *a, char buf[static NETADDR_STRLEN])
{
	if (a->v != 4 && a->v != 6)
		memcpy(buf, "none", 5);
	else if (inet_ntop(a->v == 4 ? AF_INET : AF_INET6, a->b, buf, NETADDR_STRLEN) ==
		 NULL)
		buf[0] = '\0';
	return buf;
}

bool netaddr_next(struct netaddr *a)
{
	struct netaddr n = *a;

	for (size_t i = netaddr_size(a); i-- > 0;) {
		if (++n.b[i] != 0) {
			*a = n;
			return true;
		}
	}
	return false;
}

bool netaddr_prev(struct netaddr *a)
{
	struct netaddr n = *a;

	for (size_t i = netaddr_size(a); i-- > 0;) {
		if (n.b[i]-- != 0) {
			*a = n;
			return true;
		}
	}
	return false;
}

struct netrange netrange_of_prefix(const struct netaddr *a, unsigned len)
{
	struct netrange r = { *a, *a };

	for (size_t i = len / 8; i < netaddr_size(a); i++) {
		uint8_t host = (uint8_t)(i == len / 8 ? 0xff >> len % 8 : 0xff);

		r.lo.b[i] &= (uint8_t)~host;
		r.hi.b[i] |= host;
	}
	return r;
}

struct netrange netrange_all(uint8_t v)
{
	struct netaddr zero = { .v = v };

	return netrange_of_prefix(&zero, 0);
}

static int parse_prefix(
    const char *s, const char *slash, struct netrange *ret, const char **why)
{
	char text[NETADDR_STRLEN];
	struct netaddr a;
	char *end;
	unsigned long len;

	*why = "not an IPv4 or IPv6 address";
	if ((size_t)(slash - s) >= sizeof(text))
		return -1;
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = '\0';
	if (netaddr_parse(text, &a) == -1)
		return -1;
	*why =
	    a.v == 4 ? "prefix length is not in 0-32" : "prefix length is not in 0-128";
	if (slash[1] < '0' || slash[1] > '9')
		return -1;
	len = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || end - slash > 4 || len > netaddr_size(&a) * 8)
		return -1;
	*ret = netrange_of_prefix(&a, (unsigned)len);
	if (netaddr_cmp(&ret->lo, &a) != 0) {
		*why = "address has bits set behind its prefix length";
		return -1;
	}
	return 0;
}

static int parse_span(
    const char *s, const char *dash, struct netrange *ret, const char **why)
{
	char text[NETADDR_STRLEN];

	*why = "not an IPv4 or IPv6 address";
	if ((size_t)(dash - s) >= sizeof(text))
		return -1;
	memcpy(text, s, (size_t)(dash - s));
	text[dash - s] = '\0';
	if (netaddr_parse(text, &ret->lo) == -1 ||
	    netaddr_parse(dash + 1, &ret->hi) == -1)
		return -1;
	if (ret->lo.v != ret->hi.v) {
		*why = "range mixes IPv4 and IPv6";
		return -1;
	}
	if (netaddr_cmp(&ret->lo, &ret->hi) > 0) {
		*why = "range ends before it starts";
		return -1;
	}
	return 0;
}

int netrange_parse(const char *s, struct netrange *ret, const char **ret_why)
{
	const char *slash = strchr(s, '/'), *dash = strchr(s, '-');
	const char *why = "not an IPv4 or IPv6 address";
	struct netrange r;
	int rc;

	if (slash != NULL) {
		rc = parse_prefix(s, slash, &r, &why);
	} else if (dash != NULL) {
		rc = parse_span(s, dash, &r, &why);
	} else {
		rc = netaddr_parse(s, &r.lo);
		r.hi = r.lo;
	}
	if (rc == 0)
		*ret = r;
	else if (ret_why != NULL)
		*ret_why = why;
	return rc;
}

int netrange_prefixlen(const struct netrange *r)
{
	size_t size = netaddr_size(&r->lo), i = 0;
	unsigned host;

	while (i < size && r->lo.b[i] == r->hi.b[i])
		i++;
	if (i == size)
		return (int)size * 8;
	/* the first byte that differs: 0s in the one, 1s in the other, to its end */
	host = (unsigned)(r->lo.b[i] ^ r->hi.b[i]);
	if ((host & (host + 1)) != 0 || (r->lo.b[i] & host) != 0)
		return -1;
	for (size_t k = i + 1; k < size; k++) {
		if (r->lo.b[k] != 0 || r->hi.b[k] != 0xff)
			return -1;
	}
	return (int)(i * 8) + __builtin_clz(host) - 24;
}

const char *netrange_format(const struct netrange *r, char buf[static NETRANGE_STRLEN])
{
	char lo[NETADDR_STRLEN], hi[NETADDR_STRLEN];
	int len = netrange_prefixlen(r);

	netaddr_format(&r->lo, lo);
	if (len == (int)netaddr_size(&r->lo) * 8)
		snprintf(buf, NETRANGE_STRLEN, "%s", lo);
	else if (len >= 0)
		snprintf(buf, NETRANGE_STRLEN, "%s/%d", lo, len);
	else
		snprintf(buf, NETRANGE_STRLEN, "%s-%s", lo, netaddr_format(&r->hi, hi));
	return buf;
}

bool netrange_has(const struct netrange *r, const struct netaddr *a)
{
	return netaddr_cmp(&r->lo, a) <= 0 && netaddr_cmp(a, &r->hi) <= 0;
}

bool netrange_overlaps(const struct netrange *a, const struct netrange *b)
{
	return netaddr_cmp(&a->lo, &b->hi) <= 0 && netaddr_cmp(&b->lo, &a->hi) <= 0;
}

static int by_lo(const void *a, const void *b)
{
	const struct netrange *x = a, *y = b;
	int c = netaddr_cmp(&x->lo, &y->lo);

	return c != 0 ? c : netaddr_cmp(&x->hi, &y->hi);
}

size_t netranges_merge(struct netrange *r, size_t n)
{
	size_t out = 0, sorted = 1;

	if (n == 0)
		return 0;
	while (sorted < n && by_lo(&r[sorted - 1], &r[sorted]) <= 0)
		sorted++;
	if (sorted < n) /* most lists come from one that was merged before */
		qsort(r, n, sizeof(*r), by_lo);
	for (size_t i = 1; i < n; i++) {
		struct netaddr after = r[out].hi;
		bool more = netaddr_next(&after);

		if (r[i].lo.v == r[out].hi.v &&
		    (!more || netaddr_cmp(&r[i].lo, &after) <= 0)) {
			if (netaddr_cmp(&r[i].hi, &r[out].hi) > 0)
				r[out].hi = r[i].hi;
		} else {
			r[++out] = r[i];
		}
	}
	return out + 1;
}

size_t netranges_from(const struct netrange *r, size_t n, const struct netaddr *a)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (netaddr_cmp(&r[mid].hi, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool netranges_have(const struct netrange *r, size_t n, const struct netaddr *a)
{
	size_t i = netranges_from(r, n, a);

	return i < n && netrange_has(&r[i], a);
}

bool netrange_pop_prefix(struct netrange *r, struct netrange *ret_prefix)
{
	struct netrange p = { r->lo, r->lo };

	/* One bit shorter as long as it starts here and ends within. */
	for (unsigned len = (unsigned)netaddr_size(&r->lo) * 8; len > 0; len--) {
		uint8_t bit = (uint8_t)(0x80 >> (len - 1) % 8);
		struct netaddr wider = p.hi;

		wider.b[(len - 1) / 8] |= bit;
		if ((r->lo.b[(len - 1) / 8] & bit) != 0 || netaddr_cmp(&wider, &r->hi) > 0)
			break;
		p.hi = wider;
	}
	*ret_prefix = p;
	if (netaddr_cmp(&p.hi, &r->hi) == 0)
		return false;
	r->lo = p.hi;
	return netaddr_next(&r->lo);
}

bool netaddr_is_multicast(const struct netaddr *a)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	if (a->v == 4)
		return (a->b[0] & 0xf0) == 0xe0 || memcmp(a->b, broadcast, 4) == 0;
	return a->b[0] == 0xff;
}

bool netaddr_is_linklocal(const struct netaddr *a)
{
	if (a->v == 4)
		return a->b[0] == 169 && a->b[1] == 254;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}
