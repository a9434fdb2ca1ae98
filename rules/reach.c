/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the verdict on a set of flows, as regions that one pair of rules decides */
#include <cordon/reach.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rules/flowset.h"
#include "rules/pipeline.h"

/* The set is cut by destination host, by the rules of that host in the order of their
 * ids, by source host, and by the rules of that one: each piece has one pair of deciding
 * rules.  Pieces of a pair are then merged into their readable form. */

enum { PIECES_MAX = 1 << 20 };

struct piece {
	struct region_box box;
	struct fs_verdict verdict; /* zeroed before it is filled: compared as bytes */
};

struct reach {
	const struct fs *fs;
	struct space *space;
	const struct flowset *set;
	uint8_t v;
	struct space_axes groups; /* multicast and broadcast of the family */
	struct piece *v_piece;
	size_t n, cap, work;
	bool failed, too_large;
};

static void keep(struct reach *x, const struct region_box *b, enum fs_result result,
    enum fs_reason reason, const struct fs_side *out, const struct fs_side *in)
{
	struct piece *p;

	if (x->n == PIECES_MAX) {
		x->too_large = true;
		return;
	}
	if (x->n == x->cap) {
		size_t cap = x->cap != 0 ? x->cap * 2 : 64;

		p = reallocarray(x->v_piece, cap, sizeof(*p));
		if (p == NULL) {
			x->failed = true;
			return;
		}
		x->v_piece = p;
		x->cap = cap;
	}
	p = &x->v_piece[x->n++];
	memset(p, 0, sizeof(*p));
	p->box = *b;
	p->verdict.result = result;
	p->verdict.reason = reason;
	if (out != NULL)
		memcpy(&p->verdict.side[p->verdict.nsides++], out, sizeof(*out));
	if (in != NULL)
		memcpy(&p->verdict.side[p->verdict.nsides++], in, sizeof(*in));
}

/* ---- one host's rules over a list of boxes ---- */

typedef void decided_fn(struct reach *x, const struct region_box *b,
    const struct fs_side *mine, const struct fs_side *other);

static void side_set(struct fs_side *s, const struct reach *x, uint32_t host,
    enum fs_dir dir, uint32_t rule)
{
	memset(s, 0, sizeof(*s));
	s->host = host;
	s->dir = dir;
	s->rule = rule;
	s->asleep = FS_NONE;
	s->match = rule != FS_NONE;
	s->observed = fs_host(x->fs, host)->mode == FS_OBSERVE;
}

/* What of *todo is in `hole` is decided; the rest stays. */
static void decide(struct reach *x, struct region *todo, const struct region_box *hole,
    const struct fs_side *mine, const struct fs_side *other, decided_fn *fn)
{
	struct region left = { 0 };
	struct region_box met;
	bool any = false;

	x->work += todo->n;
	x->too_large |= x->work > (size_t)PIECES_MAX * 64;
	for (size_t i = 0; i < todo->n && !x->too_large; i++) {
		if (!region_box_meet(&todo->v[i], hole, &met))
			continue;
		any = true;
		fn(x, &met, mine, other);
	}
	if (!any)
		return;
	region_subtract(todo->v, todo->n, hole, 1, &left);
	x->failed |= left.failed;
	region_free(todo);
	*todo = left;
}

/* The hull of a list of boxes, so that rules far from it cost nothing. */
static struct region_axis hull(const struct region *r, enum fs_dir dir)
{
	struct region_axis h = { ~(region_addr)0, 0 };

	for (size_t i = 0; i < r->n; i++) {
		const struct region_axis *a =
		    dir == FS_IN ? &r->v[i].src : &r->v[i].dst;

		h.lo = a->lo < h.lo ? a->lo : h.lo;
		h.hi = a->hi > h.hi ? a->hi : h.hi;
	}
	return h;
}

static void ask_peers(struct reach *x, struct region *todo, struct region_box hole,
    const struct fs_side *mine, const struct fs_side *other, decided_fn *fn)
{
	const struct fs_rule *r = fs_rule(x->fs, mine->rule);
	const struct netrange *peers = fs_range(x->fs, r->peers.first);
	struct region_axis within = hull(todo, mine->dir);
	struct netaddr lo = region_to_addr(within.lo, x->v);

	for (size_t i = netranges_from(peers, r->peers.count, &lo);
	     i < r->peers.count && peers[i].lo.v == x->v && todo->n > 0; i++) {
		struct region_axis peer = region_axis_of(&peers[i]);

		if (peer.lo > within.hi)
			break;
		if (mine->dir == FS_IN)
			hole.src = peer;
		else
			hole.dst = peer;
		decide(x, todo, &hole, mine, other, fn);
	}
}

/* All of *todo is decided by the first rule (by id) that holds it; what none holds is
 * left in it. */
static void ask_rules(struct reach *x, struct region *todo, uint32_t host,
    enum fs_dir dir, const struct fs_side *other, decided_fn *fn)
{
	const struct fs_span *rules = &fs_host(x->fs, host)->rules[dir];

	for (uint32_t i = 0; i < rules->count && todo->n > 0; i++) {
		const struct fs_rule *r = fs_rule(x->fs, rules->first + i);
		struct fs_side mine;

		if (!space_active(x->space, rules->first + i))
			continue;
		side_set(&mine, x, host, dir, rules->first + i);
		for (uint32_t k = 0; k < r->services.count && todo->n > 0; k++) {
			const struct fs_service *s =
			    fs_service(x->fs, r->services.first + k);
			struct region_box hole = { .src = region_axis_all(x->v),
				.dst = region_axis_all(x->v) };

			if (s->family != 0 && s->family != x->v)
				continue;
			space_service_keys(s, &hole.key_lo, &hole.key_hi);
			ask_peers(x, todo, hole, &mine, other, fn);
		}
	}
}

static enum fs_reason refusal(const struct reach *x, uint32_t host)
{
	return fs_host(x->fs, host)->declared ? FS_WHY_NO_RULE : FS_WHY_UNDECLARED;
}

/* ---- the source's side, once the destination's is known ---- */

static void both_decided(struct reach *x, const struct region_box *b,
    const struct fs_side *out, const struct fs_side *in)
{
	bool observed = !out->match || (in != NULL && !in->match);

	keep(x, b, FS_ALLOW, observed ? FS_WHY_OBSERVED : FS_WHY_RULES, out, in);
}

static void source_place(struct reach *x, const struct region_box *b, uint32_t host,
    const struct fs_side *in)
{
	struct region todo = { 0 };
	struct fs_side mine;

	region_add(&todo, b);
	x->failed |= todo.failed;
	ask_rules(x, &todo, host, FS_OUT, in, both_decided);
	side_set(&mine, x, host, FS_OUT, FS_NONE);
	for (size_t i = 0; i < todo.n; i++) {
		if (mine.observed)
			both_decided(x, &todo.v[i], &mine, in);
		else
			keep(x, &todo.v[i], FS_DENY, refusal(x, host), &mine, NULL);
	}
	region_free(&todo);
}

/* The first place of the family that does not end before addr. */
static uint32_t place_from(const struct reach *x, region_addr addr)
{
	struct netaddr a = region_to_addr(addr, x->v);
	uint32_t lo = 0, hi = x->fs->table[FS_PLACES].count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (netaddr_cmp(&FS_AT(x->fs, FS_PLACES, struct fs_place, mid)->range.hi,
			&a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct fs_place *place_at(const struct reach *x, uint32_t i,
    struct region_axis *ret)
{
	const struct fs_place *p;

	if (i >= x->fs->table[FS_PLACES].count)
		return NULL;
	p = FS_AT(x->fs, FS_PLACES, struct fs_place, i);
	if (p->range.lo.v != x->v)
		return NULL;
	*ret = region_axis_of(&p->range);
	return p;
}

/* The destination consents by `in` (or is not ours: NULL): cut by who the source is. */
static void by_source(struct reach *x, const struct region_box *whole,
    const struct fs_side *in, const struct fs_side *unused)
{
	struct region_box b = *whole;
	struct region_axis at;
	const struct fs_place *p;

	(void)unused;
	for (uint32_t i = place_from(x, b.src.lo); !x->too_large &&
	     (p = place_at(x, i, &at)) != NULL && at.lo <= whole->src.hi; i++) {
		struct region_axis rest = { at.hi + 1, whole->src.hi };

		if (b.src.lo < at.lo) {
			b.src.hi = at.lo - 1;
			keep(x, &b, FS_ALLOW,
			    in->match ? FS_WHY_RULES : FS_WHY_OBSERVED, NULL, in);
		}
		region_axis_meet(&at, &whole->src, &b.src);
		source_place(x, &b, p->host, in);
		if (at.hi >= whole->src.hi)
			return;
		b.src = rest;
	}
	keep(x, &b, FS_ALLOW, in->match ? FS_WHY_RULES : FS_WHY_OBSERVED, NULL, in);
}

/* ---- destinations ---- */

/* All sources and services of the set to one interval of destinations. */
static void all_to(struct reach *x, const struct space_axes *src,
    const struct region_axis *dst, struct region *ret)
{
	const struct region *keys = &x->set->keys[x->v == 6];

	for (size_t i = 0; i < src->n; i++) {
		for (size_t k = 0; k < keys->n; k++) {
			struct region_box b = keys->v[k];
			struct region one = { 0 };

			b.src = src->v[i];
			b.dst = *dst;
			/* services may overlap: what the former hold is not said twice */
			region_subtract(&b, 1, ret->v, ret->n, &one);
			for (size_t m = 0; m < one.n; m++)
				region_add(ret, &one.v[m]);
			ret->failed |= one.failed;
			region_free(&one);
		}
	}
	x->failed |= ret->failed;
}

static void to_place(struct reach *x, const struct region_axis *dst, uint32_t host)
{
	struct region todo = { 0 };
	struct fs_side mine;

	all_to(x, &x->set->src[x->v == 6], dst, &todo);
	ask_rules(x, &todo, host, FS_IN, NULL, by_source);
	side_set(&mine, x, host, FS_IN, FS_NONE);
	for (size_t i = 0; i < todo.n; i++) {
		if (mine.observed)
			by_source(x, &todo.v[i], &mine, NULL);
		else
			keep(x, &todo.v[i], FS_DENY, refusal(x, host), NULL, &mine);
	}
	region_free(&todo);
}

/* Flows of one source host to ends that are not ours; broadcast and multicast never. */
static void from_place(struct reach *x, const struct region_axis *src, uint32_t host,
    const struct space_axes *dst)
{
	struct space_axes from = { 0 }, single = { 0 }, multi = { 0 };
	struct fs_side mine;

	axes_add(&from, *src);
	axes_subtract(dst, &x->groups, &single);
	axes_meet(dst, &x->groups, &multi);
	for (size_t i = 0; i < single.n; i++) {
		struct region all = { 0 };

		all_to(x, &from, &single.v[i], &all);
		for (size_t k = 0; k < all.n; k++)
			source_place(x, &all.v[k], host, NULL);
		region_free(&all);
	}
	side_set(&mine, x, host, FS_OUT, FS_NONE);
	mine.observed = false; /* as fs_judge() says it */
	for (size_t i = 0; i < multi.n; i++) {
		struct region all = { 0 };

		all_to(x, &from, &multi.v[i], &all);
		for (size_t k = 0; k < all.n; k++)
			keep(x, &all.v[k], FS_DENY, FS_WHY_MULTICAST, &mine, NULL);
		region_free(&all);
	}
	x->failed |= from.failed || single.failed || multi.failed;
	axes_free(&from);
	axes_free(&single);
	axes_free(&multi);
}

/* fn for each place that meets the list, with what they share. */
static void each_place(struct reach *x, const struct space_axes *a,
    void (*fn)(struct reach *, const struct region_axis *, uint32_t, const struct space_axes *),
    const struct space_axes *ctx)
{
	for (size_t i = 0; i < a->n; i++) {
		struct region_axis at, met;
		const struct fs_place *p;

		for (uint32_t k = place_from(x, a->v[i].lo);
		     (p = place_at(x, k, &at)) != NULL && at.lo <= a->v[i].hi &&
		     !x->too_large && !x->failed; k++) {
			if (region_axis_meet(&at, &a->v[i], &met))
				fn(x, &met, p->host, ctx);
		}
	}
}

static void on_target(struct reach *x, const struct region_axis *at, uint32_t host,
    const struct space_axes *unused)
{
	(void)unused;
	to_place(x, at, host);
}

static void passed(struct reach *x, const struct space_axes *src,
    const struct space_axes *dst)
{
	for (size_t i = 0; i < dst->n; i++) {
		struct region all = { 0 };

		all_to(x, src, &dst->v[i], &all);
		for (size_t k = 0; k < all.n; k++)
			keep(x, &all.v[k], FS_PASS, FS_WHY_NOT_OURS, NULL, NULL);
		region_free(&all);
	}
}

static void judge_family(struct reach *x)
{
	const struct space_axes *src = &x->set->src[x->v == 6],
				*dst = &x->set->dst[x->v == 6];
	struct space_axes places = { 0 }, free_src = { 0 }, free_dst = { 0 };
	struct netaddr group = { .v = x->v };
	struct netrange r;

	group.b[0] = x->v == 4 ? 224 : 255;
	r = netrange_of_prefix(&group, x->v == 4 ? 4 : 8);
	axes_add(&x->groups, region_axis_of(&r));
	if (x->v == 4)
		axes_add(&x->groups, (struct region_axis){ UINT32_MAX, UINT32_MAX });
	space_protected(x->fs, x->v, &places);
	axes_subtract(src, &places, &free_src);
	axes_subtract(dst, &places, &free_dst);
	x->failed |= places.failed || free_src.failed || free_dst.failed || x->groups.failed;
	each_place(x, dst, on_target, NULL);
	if (free_dst.n > 0)
		each_place(x, src, from_place, &free_dst);
	passed(x, &free_src, &free_dst);
	axes_free(&places);
	axes_free(&free_src);
	axes_free(&free_dst);
	axes_free(&x->groups);
}

/* ---- the readable form ---- */

static int by_verdict(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	/* allowed, passed, denied */
	static const int order[] = { [FS_ALLOW] = 0, [FS_PASS] = 1, [FS_DENY] = 2 };
	int rc = order[x->verdict.result] - order[y->verdict.result];

	return rc != 0 ? rc : memcmp(&x->verdict, &y->verdict, sizeof(x->verdict));
}

struct teller {
	struct reach *x;
	reach_fn *fn;
	void *ctx;
	const struct fs_verdict *verdict;
};

static void tell_keys(const struct teller *t, const struct region_box *b, uint32_t lo,
    uint32_t hi)
{
	bool icmp = lo >> 16 == hi >> 16 &&
	    (lo >> 16 == IPPROTO_ICMP || lo >> 16 == IPPROTO_ICMPV6);
	struct reach_region r = { .src = region_axis_range(&b->src, t->x->v),
		.dst = region_axis_range(&b->dst, t->x->v), .proto_lo = (uint8_t)(lo >> 16),
		.proto_hi = (uint8_t)(hi >> 16), .port_lo = (uint16_t)lo,
		.port_hi = (uint16_t)hi, .verdict = *t->verdict };

	if (icmp && r.port_lo > 255)
		return; /* there is no such type */
	if (icmp && r.port_hi > 255)
		r.port_hi = 255;
	t->fn(t->ctx, t->x->fs, &r);
}

/* Cut where a protocol is held in part, so that the others are whole. */
static void tell(const struct teller *t, const struct region_box *b)
{
	uint32_t lo = b->key_lo, hi = b->key_hi;

	if (lo >> 16 != hi >> 16 && (lo & 0xffff) != 0) {
		tell_keys(t, b, lo, lo | 0xffff);
		lo = (lo | 0xffff) + 1;
	}
	if (lo >> 16 != hi >> 16 && (hi & 0xffff) != 0xffff) {
		tell_keys(t, b, lo, (hi & 0xffff0000) - 1);
		lo = hi & 0xffff0000;
	}
	tell_keys(t, b, lo, hi);
}

static void tell_all(struct teller *t)
{
	struct reach *x = t->x;

	qsort(x->v_piece, x->n, sizeof(*x->v_piece), by_verdict);
	for (size_t i = 0, k; i < x->n && !x->failed; i = k) {
		struct region all = { 0 }, plain = { 0 };

		for (k = i; k < x->n && memcmp(&x->v_piece[k].verdict,
			&x->v_piece[i].verdict, sizeof(struct fs_verdict)) == 0; k++)
			region_add(&all, &x->v_piece[k].box);
		region_canonical(&all, x->v == 4 ? 32 : 128, &plain);
		x->failed |= plain.failed;
		t->verdict = &x->v_piece[i].verdict;
		for (size_t m = 0; m < plain.n; m++)
			tell(t, &plain.v[m]);
		region_free(&all);
		region_free(&plain);
	}
}

/* ---- from words ---- */

struct question {
	const char *flows;
	int64_t at;
	reach_fn *fn;
	void *ctx;
	int rc;
};

static int answer(struct policy *p, const struct fs *fs, void *arg)
{
	struct question *q = arg;
	struct pstr text = { .s = q->flows, .loc = { .file = UINT32_MAX } };
	struct reach x = { .fs = fs };
	struct flowset set;

	q->rc = flowset_parse(p, &text, &set);
	if (q->rc != 0)
		return q->rc;
	x.set = &set;
	x.space = space_new(fs, q->at);
	x.failed = x.space == NULL;
	for (x.v = 4; x.v <= 6 && !x.failed && !x.too_large; x.v += 2) {
		struct teller t = { .x = &x, .fn = q->fn, .ctx = q->ctx };

		x.n = 0;
		judge_family(&x);
		if (!x.failed && !x.too_large)
			tell_all(&t);
	}
	free(x.v_piece);
	space_free(x.space);
	flowset_free(&set);
	q->rc = x.too_large ? -E2BIG : x.failed ? -1 : 0;
	return x.failed ? policy_no_memory(p) : q->rc;
}

int rules_reach(const struct rules_source *src, int64_t at, const char *flows,
    struct diaglist *d, reach_fn *fn, void *ctx)
{
	struct question q = { .flows = flows, .at = at, .fn = fn, .ctx = ctx, .rc = -1 };
	struct fs *fs = NULL;
	int rc = pipeline_load(src, d, answer, &q, &fs);

	free(fs);
	return rc == 0 ? 0 : q.rc;
}
