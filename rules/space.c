/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a policy allows, as boxes of flows: both sides' rules intersected */
#include "rules/space.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define KEY_TCP_LO REGION_KEY(IPPROTO_TCP, 0)
#define KEY_TCP_HI REGION_KEY(IPPROTO_TCP, 65535)

/* Which rules count for a facet: those that grant the protocol and do not require. */
static const struct {
	uint8_t grants, require;
} facets[SPACE_SOMETIME + 1] = {
	[SPACE_ALLOW] = { 0, 0 },
	[SPACE_ALWAYS] = { 0, 0 },
	[SPACE_SMB] = { FS_SMB, 0 },
	[SPACE_RDP] = { FS_RDP, 0 },
	[SPACE_NO_NLA] = { FS_RDP, FS_REQ_NLA },
	[SPACE_NO_SMB2] = { FS_SMB, FS_REQ_SMB2 },
	[SPACE_NO_SIGNING] = { FS_SMB, FS_REQ_SIGNING },
	[SPACE_EVER] = { FS_SMB | FS_RDP, 0 },
	[SPACE_SOMETIME] = { 0, 0 },
};

/* A place as numbers; those of IPv4 first. */
struct place {
	struct region_axis at;
	uint32_t host;
};

struct space {
	const struct fs *fs;
	int64_t at;
	uint8_t *active; /* by rule */
	struct place *places;
	size_t nplaces, nplaces4;
	struct space_axes protected[2]; /* the places merged: IPv4, IPv6 */
};

void space_service_keys(const struct fs_service *s, uint32_t *ret_lo, uint32_t *ret_hi)
{
	bool icmp = s->proto == IPPROTO_ICMP || s->proto == IPPROTO_ICMPV6;

	*ret_lo = REGION_KEY(s->proto, s->lo);
	/* There is no type 256: all types are the whole protocol. */
	*ret_hi = REGION_KEY(s->proto, icmp && s->hi >= 255 ? 65535 : s->hi);
}

struct space *space_new(const struct fs *fs, int64_t at)
{
	uint32_t nrules = fs->table[FS_RULES].count, n = fs->table[FS_PLACES].count;
	struct space *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->fs = fs;
	s->at = at;
	s->active = calloc(nrules + 1, 1);
	s->places = calloc(n + 1, sizeof(*s->places));
	if (s->active == NULL || s->places == NULL) {
		space_free(s);
		return NULL;
	}
	for (uint32_t i = 0; i < nrules; i++)
		s->active[i] = fs_rule_active(fs, fs_rule(fs, i), at, NULL);
	for (uint32_t i = 0; i < n; i++) {
		const struct fs_place *p = FS_AT(fs, FS_PLACES, struct fs_place, i);

		s->places[i].at = region_axis_of(&p->range);
		s->places[i].host = p->host;
		if (p->range.lo.v == 4)
			s->nplaces4 = i + 1;
	}
	s->nplaces = n;
	space_protected(fs, 4, &s->protected[0]);
	space_protected(fs, 6, &s->protected[1]);
	if (s->protected[0].failed || s->protected[1].failed) {
		space_free(s);
		return NULL;
	}
	return s;
}

void space_free(struct space *s)
{
	if (s == NULL)
		return;
	axes_free(&s->protected[0]);
	axes_free(&s->protected[1]);
	free(s->active);
	free(s->places);
	free(s);
}

bool space_active(const struct space *s, uint32_t rule)
{
	return s->active[rule];
}

void space_protected(const struct fs *fs, uint8_t v, struct space_axes *ret)
{
	for (uint32_t i = 0; i < fs->table[FS_PLACES].count; i++) {
		const struct fs_place *p = FS_AT(fs, FS_PLACES, struct fs_place, i);

		if (p->range.lo.v == v)
			axes_add(ret, region_axis_of(&p->range));
	}
	axes_merge(ret);
}

const struct space_axes *space_places(const struct space *s, uint8_t v)
{
	return &s->protected[v == 6];
}

/* ---- one side: what the rules of a host say, whoever is at the other end ---- */

/* Peers and services that the host's rules of one direction let through. */
struct consent {
	struct region_axis peer;
	uint32_t key_lo, key_hi;
};
/* Called for each; may be called with overlapping ones. */
typedef void consent_fn(void *ctx, const struct consent *c);

struct asked {
	struct space *s;
	enum space_facet facet;
	uint8_t v;
	enum fs_dir dir;
	struct consent within; /* only what lies in here matters */
	consent_fn *fn;
	void *ctx;
};

/* The host stops nothing, whatever its rules say. */
static bool host_free(const struct space *s, uint32_t host)
{
	return fs_host(s->fs, host)->mode == FS_OBSERVE;
}

static bool rule_counts(const struct asked *a, uint32_t index, const struct fs_rule *r)
{
	if (a->facet == SPACE_ALWAYS)
		return r->expires == FS_FOREVER && r->schedule == FS_NONE;
	if (a->facet == SPACE_EVER || a->facet == SPACE_SOMETIME)
		return r->expires > a->s->at;
	return a->s->active[index] && (r->require & facets[a->facet].require) == 0;
}

static bool service_counts(const struct asked *a, const struct fs_service *s,
    struct consent *ret)
{
	uint8_t grants = facets[a->facet].grants;

	if ((s->family != 0 && s->family != a->v) ||
	    (grants != 0 && (s->grants & grants) == 0))
		return false;
	space_service_keys(s, &ret->key_lo, &ret->key_hi);
	if (ret->key_lo < a->within.key_lo)
		ret->key_lo = a->within.key_lo;
	if (ret->key_hi > a->within.key_hi)
		ret->key_hi = a->within.key_hi;
	return ret->key_lo <= ret->key_hi;
}

static void ask_peers(const struct asked *a, const struct fs_rule *r, struct consent *c)
{
	const struct netrange *peers = fs_range(a->s->fs, r->peers.first);
	struct netaddr lo = region_to_addr(a->within.peer.lo, a->v);

	for (size_t i = netranges_from(peers, r->peers.count, &lo);
	     i < r->peers.count && peers[i].lo.v == a->v; i++) {
		struct region_axis p = region_axis_of(&peers[i]);

		if (!region_axis_meet(&p, &a->within.peer, &c->peer))
			break;
		a->fn(a->ctx, c);
	}
}

static void ask_rules(const struct asked *a, uint32_t host)
{
	const struct fs_span *rules = &fs_host(a->s->fs, host)->rules[a->dir];

	for (uint32_t i = 0; i < rules->count; i++) {
		const struct fs_rule *r = fs_rule(a->s->fs, rules->first + i);

		if (!rule_counts(a, rules->first + i, r))
			continue;
		for (uint32_t k = 0; k < r->services.count; k++) {
			struct consent c;

			if (service_counts(a,
				fs_service(a->s->fs, r->services.first + k), &c))
				ask_peers(a, r, &c);
		}
	}
}

static void ask_host(const struct asked *a, uint32_t host)
{
	if (host_free(a->s, host))
		a->fn(a->ctx, &a->within);
	else
		ask_rules(a, host);
}

/* ---- both sides ---- */

/* `near` is the end whose host was asked first, `far` the one that its rule names. */
struct pairing {
	struct space *s;
	const struct space_query *q;
	struct region *out;
	struct region_axis near;
	const struct space_axes *far; /* what of the far end is wanted */
	enum fs_dir dir;              /* FS_IN: near is the destination */
};

static void emit(const struct pairing *p, const struct region_axis *near,
    const struct region_axis *far, uint32_t key_lo, uint32_t key_hi)
{
	struct region_box b = { .key_lo = key_lo, .key_hi = key_hi };

	b.src = p->dir == FS_IN ? *far : *near;
	b.dst = p->dir == FS_IN ? *near : *far;
	region_add(p->out, &b);
}

struct second {
	const struct pairing *p;
	struct region_axis far;
};

static void second_consent(void *ctx, const struct consent *c)
{
	const struct second *x = ctx;

	emit(x->p, &c->peer, &x->far, c->key_lo, c->key_hi);
}

static void ask_far(const struct pairing *p, uint32_t host, struct region_axis far,
    const struct consent *c)
{
	struct second x = { p, far };
	struct asked a = { .s = p->s, .facet = p->q->facet, .v = p->q->v,
		.dir = p->dir == FS_IN ? FS_OUT : FS_IN,
		.within = { p->near, c->key_lo, c->key_hi }, .fn = second_consent,
		.ctx = &x };

	ask_host(&a, host);
}

static const struct place *place_from(const struct space *s, uint8_t v, region_addr addr,
    const struct place **ret_end)
{
	size_t lo = v == 4 ? 0 : s->nplaces4, hi = v == 4 ? s->nplaces4 : s->nplaces;

	*ret_end = s->places + hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->places[mid].at.hi < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return s->places + lo;
}

/* One interval of far ends that near's rule names: cut where somebody else is to
 * consent.  What needs no consent (unprotected, observed) stays in one piece. */
static void pair_interval(const struct pairing *p, struct region_axis far,
    const struct consent *c)
{
	const struct place *end, *at = place_from(p->s, p->q->v, far.lo, &end);

	for (; at < end && at->at.lo <= far.hi; at++) {
		struct region_axis in, before;

		if (host_free(p->s, at->host))
			continue;
		region_axis_meet(&at->at, &far, &in);
		if (in.lo > far.lo) {
			before = (struct region_axis){ far.lo, in.lo - 1 };
			emit(p, &p->near, &before, c->key_lo, c->key_hi);
		}
		ask_far(p, at->host, in, c);
		if (in.hi == far.hi)
			return;
		far.lo = in.hi + 1;
	}
	emit(p, &p->near, &far, c->key_lo, c->key_hi);
}

static void first_consent(void *ctx, const struct consent *c)
{
	const struct pairing *p = ctx;

	for (size_t i = axes_from(p->far, c->peer.lo); i < p->far->n; i++) {
		struct region_axis m;

		if (!region_axis_meet(&p->far->v[i], &c->peer, &m))
			break;
		pair_interval(p, m, c);
	}
}

/* All flows with their `dir` end at a place and in `near`, the other in `far`. */
static void pair_places(struct pairing *p, enum fs_dir dir, const struct space_axes *near,
    const struct space_axes *far)
{
	p->dir = dir;
	p->far = far;
	for (size_t i = 0; i < near->n && far->n > 0; i++) {
		const struct place *end,
		    *at = place_from(p->s, p->q->v, near->v[i].lo, &end);

		for (; at < end && at->at.lo <= near->v[i].hi; at++) {
			struct asked a = { .s = p->s, .facet = p->q->facet, .v = p->q->v,
				.dir = dir, .fn = first_consent, .ctx = p };

			region_axis_meet(&at->at, &near->v[i], &p->near);
			a.within.peer.lo = far->v[0].lo;
			a.within.peer.hi = far->v[far->n - 1].hi;
			a.within.key_lo = p->q->key_lo;
			a.within.key_hi = p->q->key_hi;
			ask_host(&a, at->host);
		}
	}
}

/* Groups and broadcast: protected sources reach none of them. */
static void multicast_axes(uint8_t v, struct space_axes *ret)
{
	struct netaddr group = { .v = v };
	struct netrange r;

	group.b[0] = v == 4 ? 224 : 255;
	r = netrange_of_prefix(&group, v == 4 ? 4 : 8);
	axes_add(ret, region_axis_of(&r));
	if (v == 4)
		axes_add(ret, (struct region_axis){ UINT32_MAX, UINT32_MAX });
}

static size_t count_places(const struct space *s, uint8_t v, const struct space_axes *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct place *end, *at = place_from(s, v, a->v[i].lo, &end),
					 *behind = place_from(s, v, a->v[i].hi, &end);

		n += (size_t)(behind - at) +
		    (behind < end && behind->at.lo <= a->v[i].hi);
	}
	return n;
}

/* The end with fewer hosts leads: its rules name the others. */
static void collect_single(struct pairing *p, const struct space_axes *src,
    const struct space_axes *dst, const struct space_axes *free_src)
{
	const struct space_axes *places = &p->s->protected[p->q->v == 6];
	struct space_axes free_dst = { 0 };

	if (count_places(p->s, p->q->v, src) < count_places(p->s, p->q->v, dst)) {
		pair_places(p, FS_OUT, src, dst);
		pair_places(p, FS_IN, dst, free_src);
		return;
	}
	axes_subtract(dst, places, &free_dst);
	pair_places(p, FS_IN, dst, src);
	pair_places(p, FS_OUT, src, &free_dst);
	p->out->failed |= free_dst.failed;
	axes_free(&free_dst);
}

void space_collect(struct space *s, const struct space_query *query, struct region *ret)
{
	struct space_query q = *query;
	struct space_axes groups = { 0 }, single = { 0 }, multi = { 0 }, free_src = { 0 };
	struct pairing p = { .s = s, .q = &q, .out = ret };

	if (facets[q.facet].grants != 0) {
		q.key_lo = q.key_lo > KEY_TCP_LO ? q.key_lo : KEY_TCP_LO;
		q.key_hi = q.key_hi < KEY_TCP_HI ? q.key_hi : KEY_TCP_HI;
	}
	multicast_axes(q.v, &groups);
	axes_subtract(q.dst, &groups, &single);
	axes_meet(q.dst, &groups, &multi);
	axes_subtract(q.src, &s->protected[q.v == 6], &free_src);
	if (q.key_lo <= q.key_hi) {
		collect_single(&p, q.src, &single, &free_src);
		pair_places(&p, FS_IN, &multi, &free_src);
	}
	ret->failed |= groups.failed || single.failed || multi.failed || free_src.failed;
	axes_free(&groups);
	axes_free(&single);
	axes_free(&multi);
	axes_free(&free_src);
}
