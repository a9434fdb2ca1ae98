/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: rules that can go and nothing changes: others of the host allow it all */
#include <stdlib.h>
#include <string.h>

#include "rules/check_review.h"

/* A rule is needless if every flow of it is allowed by other rules of the same host and
 * direction, at least as long and as often, with at least what it grants, and without a
 * requirement that it loosens.  Judged from the last rule to the first, and a rule that
 * was found covers no other: all that are reported can go together. */

/* One port range of a rule. */
struct offer {
	uint32_t key_lo, key_hi, rule; /* rule: index in the host's list */
	const struct pport *port;
};

struct shadow {
	struct review *x;
	struct prule *rules;
	uint32_t nrules, r; /* r: the one that is judged */
	bool *gone;         /* reported */
	struct offer *offers;
	size_t noffers;
	struct offer *near; /* of others, meeting one port range of r */
	size_t nnear;
	uint32_t named[3]; /* rules that cover it, the first of them */
	unsigned nnamed;
};

static bool same_schedule(const struct prule *a, const struct prule *b)
{
	return (a->schedule.s == NULL) == (b->schedule.s == NULL) &&
	    (a->schedule.s == NULL || strcmp(a->schedule.s, b->schedule.s) == 0);
}

/* Whether `other` holds whenever r does, and loosens no less. */
static bool may_cover(const struct prule *other, const struct prule *r)
{
	return other->expires.v >= r->expires.v &&
	    (other->schedule.s == NULL || same_schedule(other, r)) &&
	    (other->require.v & ~r->require.v) == 0;
}

static void find_near(struct shadow *s, const struct offer *own)
{
	const struct pport *q = own->port;

	s->nnear = 0;
	for (size_t i = 0; i < s->noffers; i++) {
		const struct offer *o = &s->offers[i];

		if (o->rule == s->r || o->key_lo > own->key_hi || o->key_hi < own->key_lo ||
		    s->gone[o->rule] || (q->grants & ~o->port->grants) != 0 ||
		    (q->short_opening && !o->port->short_opening) ||
		    !may_cover(&s->rules[o->rule], &s->rules[s->r]))
			continue;
		s->near[s->nnear++] = *o;
	}
}

static bool counts(const struct offer *o, uint8_t v, uint32_t key)
{
	return (o->port->family == 0 || o->port->family == v) && o->key_lo <= key &&
	    key <= o->key_hi;
}

/* The last key up to which the same of `near` are open as at `key`. */
static uint32_t slice_end(const struct shadow *s, uint8_t v, uint32_t key, uint32_t end)
{
	for (size_t i = 0; i < s->nnear; i++) {
		const struct offer *o = &s->near[i];

		if (counts(o, v, key))
			end = o->key_hi < end ? o->key_hi : end;
		else if (o->key_lo > key)
			end = o->key_lo - 1 < end ? o->key_lo - 1 : end;
	}
	return end;
}

static void name_rule(struct shadow *s, uint32_t rule)
{
	for (unsigned i = 0; i < s->nnamed; i++) {
		if (s->named[i] == rule)
			return;
	}
	if (s->nnamed < sizeof(s->named) / sizeof(s->named[0]))
		s->named[s->nnamed++] = rule;
}

static bool ranges_meet(const struct prangeset *a, const struct prangeset *b, uint8_t v)
{
	for (size_t i = 0; i < a->n; i++) {
		size_t k = netranges_from(b->r, b->n, &a->r[i].lo);

		if (a->r[i].lo.v == v && k < b->n && netrange_overlaps(&a->r[i], &b->r[k]))
			return true;
	}
	return false;
}

/* Whether the peers of r are all among those of the rules open at `key`. */
static bool peers_covered(struct shadow *s, uint8_t v, uint32_t key)
{
	const struct prangeset *own = &s->rules[s->r].ranges;
	struct space_axes want = { 0 }, have = { 0 }, rest = { 0 };
	bool covered;

	for (size_t i = 0; i < s->nnear; i++) {
		const struct prangeset *o = &s->rules[s->near[i].rule].ranges;

		if (!counts(&s->near[i], v, key))
			continue;
		for (size_t k = 0; k < o->n; k++) {
			if (o->r[k].lo.v == v)
				axes_add(&have, region_axis_of(&o->r[k]));
		}
		if (ranges_meet(own, o, v))
			name_rule(s, s->near[i].rule);
		if (o->r == own->r && o->n == own->n) { /* the same group */
			axes_free(&have);
			return true;
		}
	}
	axes_merge(&have);
	axes_of_ranges(own->r, own->n, v, &want);
	axes_subtract(&want, &have, &rest);
	s->x->failed |= rest.failed;
	covered = rest.n == 0;
	axes_free(&want);
	axes_free(&have);
	axes_free(&rest);
	return covered;
}

static bool offer_covered(struct shadow *s, const struct offer *own, uint8_t v)
{
	find_near(s, own);
	for (uint32_t key = own->key_lo, end;; key = end + 1) {
		bool any = false;

		end = slice_end(s, v, key, own->key_hi);
		for (size_t i = 0; i < s->nnear && !any; i++)
			any = counts(&s->near[i], v, key);
		if (!any || !peers_covered(s, v, key))
			return false;
		if (end == own->key_hi)
			return true;
	}
}

static bool has_family(const struct prangeset *s, uint8_t v)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->r[i].lo.v == v)
			return true;
	}
	return false;
}

/* A rule without flows is not shadowed; what is wrong with it is said elsewhere. */
static bool rule_covered(struct shadow *s, const struct phost *h)
{
	const struct prule *r = &s->rules[s->r];
	bool any = false;

	s->nnamed = 0;
	for (size_t i = 0; i < s->noffers; i++) {
		for (uint8_t v = 4; v <= 6; v += 2) {
			const struct offer *o = &s->offers[i];

			if (o->rule != s->r || !has_family(&h->ranges, v) ||
			    !has_family(&r->ranges, v) ||
			    (o->port->family != 0 && o->port->family != v))
				continue;
			if (!offer_covered(s, o, v))
				return false;
			any = true;
		}
	}
	return any;
}

static void key_range(const struct pport *q, uint32_t *ret_lo, uint32_t *ret_hi)
{
	struct fs_service s = { .lo = q->lo, .hi = q->hi, .proto = q->proto };

	space_service_keys(&s, ret_lo, ret_hi);
}

static bool same_ports(const struct prule *a, const struct prule *b)
{
	if (a->ports.n != b->ports.n)
		return false;
	for (uint32_t i = 0; i < a->ports.n; i++) {
		const struct pport *p = &a->ports.v[i], *q = &b->ports.v[i];

		if (p->lo != q->lo || p->hi != q->hi || p->proto != q->proto ||
		    p->grants != q->grants || p->family != q->family)
			return false;
	}
	return true;
}

static bool same_rule(const struct prule *a, const struct prule *b)
{
	return same_ports(a, b) && a->ranges.n == b->ranges.n &&
	    memcmp(a->ranges.r, b->ranges.r, a->ranges.n * sizeof(*a->ranges.r)) == 0 &&
	    a->expires.v == b->expires.v && a->require.v == b->require.v &&
	    same_schedule(a, b);
}

static void report(struct shadow *s)
{
	const struct prule *r = &s->rules[s->r], *by = &s->rules[s->named[0]];
	struct policy *p = s->x->p;

	for (unsigned i = 0; i < s->nnamed; i++) {
		if (!same_rule(r, &s->rules[s->named[i]]))
			continue;
		policy_error(p, "CRD101", r->loc, "rule \"%s\" says the same as \"%s\"",
		    r->full_id, s->rules[s->named[i]].full_id);
		diag_hint(p->diag, "remove one of them; the other is at %s",
		    policy_place(p, s->rules[s->named[i]].loc));
		return;
	}
	policy_error(p, "CRD100", r->loc,
	    "rule \"%s\" allows nothing that \"%s\"%s%s%s%s not allow already", r->full_id,
	    by->full_id, s->nnamed > 1 ? ", \"" : "",
	    s->nnamed > 1 ? s->rules[s->named[1]].full_id : "", s->nnamed > 1 ? "\"" : "",
	    s->nnamed > 2 ? " and others do" : s->nnamed > 1 ? " do" : " does");
	diag_hint(p->diag, "remove it, or narrow the other at %s", policy_place(p, by->loc));
}

static size_t count_offers(const struct shadow *s)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->nrules; i++)
		n += s->rules[i].ports.n;
	return n;
}

static void fill_offers(struct shadow *s)
{
	for (uint32_t i = 0; i < s->nrules; i++) {
		const struct prule *r = &s->rules[i];

		s->gone[i] = r->expires.v <= s->x->p->now; /* reported as such */
		for (uint32_t k = 0; k < r->ports.n; k++) {
			struct offer *o = &s->offers[s->noffers++];

			o->port = &r->ports.v[k];
			o->rule = i;
			key_range(o->port, &o->key_lo, &o->key_hi);
		}
	}
}

void review_shadow(struct review *x, struct phost *h, enum fs_dir dir)
{
	struct shadow s = { .x = x, .rules = h->allow.rules[dir].v,
		.nrules = h->allow.rules[dir].n };
	size_t n = count_offers(&s);

	if (s.nrules < 2 || n == 0)
		return;
	s.offers = calloc(2 * n, sizeof(*s.offers));
	s.gone = calloc(s.nrules, sizeof(*s.gone));
	if (s.offers == NULL || s.gone == NULL) {
		x->failed = true;
	} else {
		s.near = s.offers + n;
		fill_offers(&s);
		for (s.r = s.nrules; s.r-- > 0;) {
			if (s.gone[s.r] || !rule_covered(&s, h))
				continue;
			s.gone[s.r] = true;
			report(&s);
		}
	}
	free(s.offers);
	free(s.gone);
}
