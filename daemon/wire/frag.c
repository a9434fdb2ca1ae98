/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: IP datagrams put together from fragments, in a small bounded pool */
#include "wire/frag.h"

#include <stdlib.h>
#include <string.h>

enum { DATAGRAM_MAX = 65536, UNITS = DATAGRAM_MAX / 8, TIMEOUT_US = 30 * 1000000 };

/* Pieces start at multiples of eight, so a bit a unit of eight tells what is
 * there.  A second, different claim to a unit gives up the datagram (RFC 5722;
 * Linux does so for IPv4 too): which piece a host would take is a guess. */
struct datagram {
	bool used, bad;
	uint8_t proto;
	struct netaddr src, dst;
	uint32_t id, units;
	uint32_t top, total; /* where the pieces end; 0: the last piece has not come */
	int64_t since_us;
	uint8_t have[UNITS / 8];
	uint8_t bytes[DATAGRAM_MAX];
};

struct frag_pool {
	uint32_t n;
	struct frag_stats stats;
	struct datagram d[];
};

struct frag_pool *frag_pool_new(uint32_t n)
{
	struct frag_pool *p = calloc(1, sizeof(*p) + (size_t)n * sizeof(p->d[0]));

	if (p)
		p->n = n;
	return p;
}

void frag_pool_free(struct frag_pool *p)
{
	free(p);
}

const struct frag_stats *frag_pool_stats(const struct frag_pool *p)
{
	return &p->stats;
}

static bool same_datagram(const struct datagram *d, const struct pkt_view *v)
{
	/* The protocol of a later IPv6 piece is the first one's next header. */
	return d->used && d->id == v->frag.id && netaddr_cmp(&d->src, &v->src) == 0 &&
	    netaddr_cmp(&d->dst, &v->dst) == 0 && d->proto == v->proto;
}

/* The datagram of a fragment: known, or in the place of the oldest. */
static struct datagram *datagram_of(struct frag_pool *p, const struct pkt_view *v,
    int64_t ts_us)
{
	struct datagram *d, *free_one = &p->d[0];

	for (uint32_t i = 0; i < p->n; i++) {
		d = &p->d[i];
		if (same_datagram(d, v) && ts_us - d->since_us < TIMEOUT_US)
			return d;
		if (free_one->used && (!d->used || d->since_us < free_one->since_us))
			free_one = d;
	}
	p->stats.dropped += free_one->used && !free_one->bad;
	d = free_one;
	memset(d, 0, offsetof(struct datagram, bytes));
	d->used = true;
	d->proto = v->proto;
	d->src = v->src;
	d->dst = v->dst;
	d->id = v->frag.id;
	d->since_us = ts_us;
	return d;
}

/* Whether the piece fits what is known of the datagram; takes its units. */
static bool claim(struct datagram *d, const struct pkt_view *v, uint32_t len)
{
	uint32_t unit = v->frag.off / 8, end = v->frag.off + len, n = (len + 7) / 8;
	uint32_t there = 0;

	if (len == 0 || end > DATAGRAM_MAX || (v->frag.more && len % 8 != 0))
		return false;
	if (d->total ? end > d->total || (!v->frag.more && end != d->total)
		     : !v->frag.more && end < d->top)
		return false; /* what lies behind the end would count for what is missing */
	if (!v->frag.more)
		d->total = end;
	d->top = end > d->top ? end : d->top;
	for (uint32_t i = unit; i < unit + n; i++)
		there += d->have[i / 8] >> (i % 8) & 1;
	if (there) /* a plain repetition is a retransmit, anything else an overlap */
		return there == n && memcmp(d->bytes + v->frag.off, v->body.at, len) == 0;
	for (uint32_t i = unit; i < unit + n; i++)
		d->have[i / 8] |= (uint8_t)(1u << (i % 8));
	d->units += n;
	/* of a tunnel's packet that was in pieces too, the bytes may lie in this very place */
	memmove(d->bytes + v->frag.off, v->body.at, len);
	return true;
}

bool frag_add(struct frag_pool *p, struct pkt_view *v, int64_t ts_us)
{
	struct datagram *d = datagram_of(p, v, ts_us);
	uint32_t len = (uint32_t)cursor_left(&v->body);

	p->stats.fragments++;
	if (d->bad)
		return false;
	/* A piece cut by the snap length would leave a hole that looks filled. */
	if (len != v->body_wire_len || !claim(d, v, len)) {
		d->bad = true;
		p->stats.dropped++;
		return false;
	}
	if (!d->total || d->units != (d->total + 7) / 8)
		return false;
	d->used = false;
	p->stats.datagrams++;
	v->body = cursor_of(d->bytes, d->total);
	v->body_wire_len = d->total;
	return true;
}
