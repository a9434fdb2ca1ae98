/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: rules that no packet can match */
#include <string.h>

#include "rules/check_review.h"

/* ---- never matching ---- */

/* What no packet through a gateway has as source or destination: RFC 6890 and 4291. */
static bool never_routed(const struct netrange *r)
{
	static const struct {
		uint8_t v, len;
		uint8_t b[16];
	} rows[] = {
		{ 4, 8, { 0 } },          /* this network */
		{ 4, 8, { 127 } },        /* loopback */
		{ 4, 16, { 169, 254 } },  /* link-local */
		{ 4, 3, { 224 } },        /* multicast, reserved, broadcast */
		{ 6, 127, { 0 } },        /* unspecified, loopback */
		{ 6, 10, { 0xfe, 0x80 } }, /* link-local */
		{ 6, 8, { 0xff } },       /* multicast */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct netaddr a = { .v = rows[i].v };
		struct netrange row;

		if (a.v != r->lo.v)
			continue;
		memcpy(a.b, rows[i].b, netaddr_size(&a));
		row = netrange_of_prefix(&a, rows[i].len);
		if (netrange_has(&row, &r->lo) && netrange_has(&row, &r->hi))
			return true;
	}
	return false;
}

/* A host does not talk to itself through the gateway. */
static bool is_own(const struct phost *h, const struct netrange *r)
{
	return netaddr_cmp(&r->lo, &r->hi) == 0 &&
	    netranges_have(h->ranges.r, h->ranges.n, &r->lo);
}

static bool is_protected(const struct review *x, const struct netrange *r)
{
	const struct space_axes *a = &x->protected[r->lo.v == 6];
	struct region_axis own = region_axis_of(r);
	size_t i = axes_from(a, own.lo);

	return i < a->n && a->v[i].lo <= own.lo && own.hi <= a->v[i].hi;
}

static void add_keys(const struct prule *r, struct space_query *q, struct space *s,
    struct region *ret)
{
	for (uint32_t i = 0; i < r->ports.n && ret->n == 0; i++) {
		const struct pport *o = &r->ports.v[i];
		struct fs_service svc = { .lo = o->lo, .hi = o->hi, .proto = o->proto };

		if (o->family != 0 && o->family != q->v)
			continue;
		space_service_keys(&svc, &q->key_lo, &q->key_hi);
		space_collect(s, q, ret);
	}
}

/* Whether the other side ever agrees to a flow of the rule, now or later. */
static bool has_consent(struct review *x, uint32_t host, enum fs_dir dir,
    const struct prule *r)
{
	const struct fs_host *h = fs_host(x->fs, host);
	const struct netrange *own = fs_range(x->fs, h->addresses.first);
	bool any = false;

	if (x->space == NULL)
		x->space = space_new(x->fs, x->p->now);
	for (uint8_t v = 4; v <= 6 && !any && x->space != NULL; v += 2) {
		struct space_axes near = { 0 }, far = { 0 };
		struct region found = { 0 };
		struct space_query q = { .facet = SPACE_SOMETIME, .v = v,
			.src = dir == FS_IN ? &far : &near,
			.dst = dir == FS_IN ? &near : &far };

		axes_of_ranges(own, h->addresses.count, v, &near);
		axes_of_ranges(r->ranges.r, r->ranges.n, v, &far);
		if (near.n > 0 && far.n > 0)
			add_keys(r, &q, x->space, &found);
		any = found.n > 0;
		x->failed |= near.failed || far.failed || found.failed;
		axes_free(&near);
		axes_free(&far);
		region_free(&found);
	}
	x->failed |= x->space == NULL;
	return any || x->failed;
}

/* How all its peers are out of reach. */
enum dead { DEAD_NOT, DEAD_UNROUTED, DEAD_OWN, DEAD_CONSENT };

static enum dead dead_of(struct review *x, uint32_t host, const struct phost *h,
    enum fs_dir dir, const struct prule *r)
{
	enum dead dead = DEAD_NOT;

	for (size_t i = 0; i < r->ranges.n; i++) {
		if (never_routed(&r->ranges.r[i]))
			dead = dead != DEAD_NOT ? dead : DEAD_UNROUTED;
		else if (is_own(h, &r->ranges.r[i]))
			dead = dead == DEAD_CONSENT ? dead : DEAD_OWN;
		else if (is_protected(x, &r->ranges.r[i]))
			dead = DEAD_CONSENT;
		else
			return DEAD_NOT;
	}
	return dead == DEAD_CONSENT && has_consent(x, host, dir, r) ? DEAD_NOT : dead;
}

static void check_dead(struct review *x, uint32_t host, const struct phost *h,
    enum fs_dir dir, const struct prule *r)
{
	struct policy *p = x->p;

	if (r->expires.v <= p->now || h->ranges.n == 0)
		return;
	switch (dead_of(x, host, h, dir, r)) {
	case DEAD_NOT:
		break;
	case DEAD_UNROUTED:
		policy_error(p, "CRD102", r->peers.loc,
		    "rule \"%s\" matches nothing: no gateway forwards packets %s there",
		    r->full_id, dir == FS_IN ? "from" : "to");
		break;
	case DEAD_OWN:
		policy_error(p, "CRD102", r->peers.loc,
		    "rule \"%s\" matches nothing: \"%s\" does not reach itself through "
		    "the gateway",
		    r->full_id, h->name.s);
		break;
	case DEAD_CONSENT:
		policy_error(p, "CRD102", r->peers.loc,
		    "rule \"%s\" matches nothing: no %s rule of the other side agrees",
		    r->full_id, dir == FS_IN ? "outbound" : "inbound");
		diag_hint(p->diag,
		    "between two protected addresses both sides need a rule; add the "
		    "other one, or remove this");
		break;
	}
}

void review_reach(struct review *x, uint32_t host, struct phost *h, enum fs_dir dir,
    struct prule *r)
{
	check_dead(x, host, h, dir, r);
	if (dir == FS_IN && r->expires.v > x->p->now)
		review_never_rule(x, r);
}
