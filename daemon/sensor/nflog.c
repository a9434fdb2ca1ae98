/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: log prefixes of the compiled rules -> sightings */
#include "sensor/nflog.h"

#include <netinet/in.h>
#include <string.h>

#include "wire/decode.h"

static const struct {
	const char *word;
	bool copy, established;
	enum sighting_kind kind;
} kinds[] = {
    {"denied", false, false, SIGHT_DENIED},
    {"would_deny", false, false, SIGHT_WOULD_DENY},
    {"spoof", false, false, SIGHT_SPOOF},
    {"exposure", false, true, SIGHT_EXPOSURE},
    {"guard", false, true, SIGHT_GUARD},
    {"condemned", false, true, SIGHT_CONDEMNED},
    {"blocked", false, false, SIGHT_BLOCKED},
    {"copy", true, false, SIGHT_KINDS},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* The next word of *s (up to a blank or the end), and advance past it and one blank. */
static size_t word(const char **s, const char *end, const char **ret)
{
	const char *at = *s, *blank = memchr(at, ' ', (size_t)(end - at));
	size_t len = (size_t)((blank ? blank : end) - at);

	*ret = at;
	*s = blank ? blank + 1 : end;
	return len;
}

static int kind_of(const char *w, size_t len)
{
	for (int i = 0; i < KINDS; i++)
		if (strlen(kinds[i].word) == len && memcmp(kinds[i].word, w, len) == 0)
			return i;
	return -1;
}

static bool generation_of(const char *w, size_t len, uint32_t *ret)
{
	uint64_t n = 0;

	if (len < 2 || len > 11 || w[0] != 'g')
		return false;
	for (size_t i = 1; i < len; i++) {
		if (w[i] < '0' || w[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(w[i] - '0');
	}
	*ret = (uint32_t)n;
	return n <= UINT32_MAX;
}

/* Only what ids are made of. */
static bool detail_ok(const char *w, size_t len)
{
	static const char also[] = "_-./+";

	for (size_t i = 0; i < len; i++) {
		char c = w[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || (c && strchr(also, c))))
			return false;
	}
	return len < MSG_DETAIL_LEN;
}

bool nflog_parse(const uint8_t *prefix, size_t len, struct nflog_prefix *ret)
{
	const char *s = (const char *)prefix, *end = s + len, *w;
	struct nflog_prefix p = {.kind = SIGHT_KINDS};
	size_t n;
	int kind;

	n = word(&s, end, &w);
	if (n != 6 || memcmp(w, "cordon", 6) != 0)
		return false;
	n = word(&s, end, &w);
	kind = kind_of(w, n);
	n = word(&s, end, &w);
	if (kind < 0 || !generation_of(w, n, &p.generation))
		return false;
	n = word(&s, end, &w);
	if (s != end || !detail_ok(w, n))
		return false;
	p.copy = kinds[kind].copy;
	p.kind = kinds[kind].kind;
	memcpy(p.detail, w, n);
	*ret = p;
	return true;
}

bool nflog_established(const struct nflog_prefix *p)
{
	for (int i = 0; i < KINDS; i++)
		if (kinds[i].copy == p->copy && kinds[i].kind == p->kind)
			return kinds[i].established;
	return false;
}

bool nflog_sighting(const struct nflog_prefix *p, const struct pkt_view *v,
    int64_t ts_us, struct msg_sighting *ret)
{
	if (!v->src.v || v->src.v != v->dst.v)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->time_us = ts_us;
	ret->src = v->src;
	ret->dst = v->dst;
	ret->sport = v->sport;
	ret->dport = v->dport;
	ret->proto = v->proto;
	if (v->proto == IPPROTO_ICMP || v->proto == IPPROTO_ICMPV6)
		ret->dport = v->icmp_type;
	ret->kind = (uint8_t)p->kind;
	ret->tcp_flags = v->tcp_flags;
	ret->from_nflog = true;
	ret->handshake = v->proto == IPPROTO_TCP && nflog_established(p);
	ret->generation = p->generation;
	ret->count = 1;
	memcpy(ret->detail, p->detail, sizeof(ret->detail));
	return true;
}
