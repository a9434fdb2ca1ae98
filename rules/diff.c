/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: comparing two policies: the whole of it, and what a region is made of */
#include "rules/diff.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- growing lists ---- */

static void *grow(struct differ *d, void *v, size_t n, size_t *cap, size_t size)
{
	void *grown;

	if (n < *cap)
		return v;
	grown = reallocarray(v, *cap != 0 ? *cap * 2 : 32, size);
	if (grown == NULL) {
		d->failed = true;
		return NULL;
	}
	*cap = *cap != 0 ? *cap * 2 : 32;
	return grown;
}

void diff_change(struct differ *d, enum diff_list list, struct diff_change c)
{
	struct diff_changes *l = &d->out->list[list];
	struct diff_change *v = grow(d, l->v, l->n, &l->cap, sizeof(*v));

	if (v == NULL)
		return;
	l->v = v;
	l->v[l->n++] = c;
}

const char *diff_range_text(struct differ *d, const struct netrange *r)
{
	char text[NETRANGE_STRLEN];
	const char *s = arena_printf(&d->arena, "%s", netrange_format(r, text));

	d->failed |= s == NULL;
	return s != NULL ? s : "";
}

/* ---- the rules behind a region ---- */

enum { CAUSES_MAX = 4096 };

struct causes {
	struct differ *d;
	int side;
	uint8_t v;
	const struct region_box *box;
	bool asleep; /* rules outside their schedule count too */
	struct diff_cause found[CAUSES_MAX];
	size_t n;
};

static void add_cause(struct causes *x, const char *rule, uint32_t host, uint32_t file,
    uint32_t line)
{
	const struct fs *fs = x->d->fs[x->side];

	if (x->n < CAUSES_MAX)
		x->found[x->n++] = (struct diff_cause){ rule,
			fs_str(fs, fs_host(fs, host)->name), fs_str(fs, file), line };
}

static bool rule_meets(const struct causes *x, const struct fs_rule *r,
    const struct region_axis *peer)
{
	const struct fs *fs = x->d->fs[x->side];
	bool service = false;

	for (uint32_t i = 0; i < r->services.count && !service; i++) {
		const struct fs_service *s = fs_service(fs, r->services.first + i);
		uint32_t lo, hi;

		space_service_keys(s, &lo, &hi);
		service = (s->family == 0 || s->family == x->v) && lo <= x->box->key_hi &&
		    hi >= x->box->key_lo;
	}
	for (uint32_t i = 0; i < r->peers.count && service; i++) {
		const struct netrange *q = fs_range(fs, r->peers.first + i);
		struct region_axis a = region_axis_of(q), m;

		if (q->lo.v == x->v && region_axis_meet(&a, peer, &m))
			return true;
	}
	return false;
}

static void host_causes(struct causes *x, uint32_t host, enum fs_dir dir,
    const struct region_axis *peer, bool few)
{
	const struct fs *fs = x->d->fs[x->side];
	const struct fs_host *h = fs_host(fs, host);

	if (h->mode == FS_OBSERVE) {
		if (few)
			add_cause(x, NULL, host, h->file, h->line);
		return; /* its rules decide nothing */
	}
	for (uint32_t i = 0; i < h->rules[dir].count; i++) {
		uint32_t index = h->rules[dir].first + i;
		const struct fs_rule *r = fs_rule(fs, index);

		if ((x->asleep ? r->expires > x->d->at :
				 space_active(x->d->space[x->side], index)) &&
		    rule_meets(x, r, peer))
			add_cause(x, fs_str(fs, r->id), host, r->file, r->line);
	}
}

static void axis_causes(struct causes *x, enum fs_dir dir)
{
	enum { FEW = 4 }; /* more observed hosts than this are not named */
	const struct region_axis *own = dir == FS_IN ? &x->box->dst : &x->box->src,
				 *peer = dir == FS_IN ? &x->box->src : &x->box->dst;
	struct netrange range = region_axis_range(own, x->v);
	const struct fs *fs = x->d->fs[x->side];
	uint32_t lo = 0, n = fs->table[FS_PLACES].count, hi = n, last = FS_NONE, end;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (netaddr_cmp(&FS_AT(fs, FS_PLACES, struct fs_place, mid)->range.hi,
			&range.lo) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (end = lo; end < n && end < lo + FEW + 1; end++) {
		if (netaddr_cmp(&FS_AT(fs, FS_PLACES, struct fs_place, end)->range.lo,
			&range.hi) > 0)
			break;
	}
	for (bool few = end - lo <= FEW; lo < n; lo++) {
		const struct fs_place *p = FS_AT(fs, FS_PLACES, struct fs_place, lo);

		if (netaddr_cmp(&p->range.lo, &range.hi) > 0)
			break;
		if (p->host != last)
			host_causes(x, p->host, dir, peer, few);
		last = p->host;
	}
}

static int by_cause(const void *a, const void *b)
{
	const struct diff_cause *x = a, *y = b;
	int c = strcmp(x->rule != NULL ? x->rule : "", y->rule != NULL ? y->rule : "");

	return c != 0 ? c : strcmp(x->host, y->host);
}

static void find_causes(struct differ *d, const struct region_box *b, uint8_t v, int side,
    struct diff_region *r)
{
	struct causes *x = calloc(1, sizeof(*x));
	size_t out = 0;

	if (x == NULL) {
		d->failed = true;
		return;
	}
	x->d = d;
	x->side = side;
	x->v = v;
	x->box = b;
	x->asleep = (r->why & DIFF_LATER) != 0;
	axis_causes(x, FS_OUT);
	axis_causes(x, FS_IN);
	if (x->n > 0) {
		qsort(x->found, x->n, sizeof(x->found[0]), by_cause);
		for (size_t i = 1; i < x->n; i++) {
			if (by_cause(&x->found[i], &x->found[out]) != 0)
				x->found[++out] = x->found[i];
		}
		r->causes = arena_calloc(&d->arena, out + 1, sizeof(*r->causes));
		d->failed |= r->causes == NULL;
	}
	if (r->causes != NULL) {
		memcpy(r->causes, x->found, (out + 1) * sizeof(*r->causes));
		r->ncauses = out + 1;
	}
	free(x);
}

/* ---- regions ---- */

static bool has_port(const struct diff_region *r, uint8_t proto, uint16_t port)
{
	return r->proto_lo <= proto && proto <= r->proto_hi && r->port_lo <= port &&
	    port <= r->port_hi;
}

/* One flow of the region, and of those one that says most. */
static void pick_witness(struct diff_region *r, int64_t at)
{
	static const uint16_t telling[] = { 445, 3389, 139, 22, 80 };

	r->witness = (struct fs_flow){ .src = r->src.lo, .dst = r->dst.lo,
		.proto = r->proto_lo, .dport = r->port_lo, .at = at };
	for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++) {
		if (!has_port(r, IPPROTO_TCP, telling[i]))
			continue;
		r->witness.proto = IPPROTO_TCP;
		r->witness.dport = telling[i];
		return;
	}
}

static struct diff_region *add_one(struct differ *d, struct diff_regions *list,
    const struct diff_region *r, const struct region_box *b, int side)
{
	struct diff_region *v = grow(d, list->v, list->n, &list->cap, sizeof(*v));

	if (v == NULL)
		return NULL;
	list->v = v;
	v = &list->v[list->n++];
	*v = *r;
	pick_witness(v, d->at);
	if (side != -1)
		find_causes(d, b, r->src.lo.v, side, v);
	return v;
}

static bool is_icmp(uint32_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

struct diff_region *diff_add_region(struct differ *d, struct diff_regions *list,
    const struct region_box *b, uint8_t v, int side, unsigned why)
{
	struct diff_region *last = NULL;
	struct region_box part = *b;

	for (uint32_t key = b->key_lo; key <= b->key_hi; key = part.key_hi + 1) {
		uint32_t proto = key >> 16, end = proto << 16 | 65535;
		struct diff_region r = { .src = region_axis_range(&b->src, v),
			.dst = region_axis_range(&b->dst, v), .why = why };

		part.key_lo = key;
		part.key_hi = end < b->key_hi ? end : b->key_hi;
		if ((key & 65535) == 0 && end < b->key_hi)
			part.key_hi = ((b->key_hi + 1) >> 16 << 16) - 1; /* whole protocols */
		r.proto_lo = (uint8_t)proto;
		r.proto_hi = (uint8_t)(part.key_hi >> 16);
		r.port_lo = (uint16_t)part.key_lo;
		r.port_hi = (uint16_t)part.key_hi;
		if (is_icmp(proto) && r.proto_hi == r.proto_lo) {
			if (r.port_lo > 255)
				continue; /* no such types */
			if (r.port_hi > 255)
				r.port_hi = 255;
		}
		last = add_one(d, list, &r, &part, side);
	}
	return last;
}

/* ---- the whole ---- */

static bool same_zone(const struct fs *a, const struct fs *b)
{
	uint32_t n = a->table[FS_TRANSITIONS].count;

	if (n != b->table[FS_TRANSITIONS].count)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const struct fs_transition *x = FS_AT(a, FS_TRANSITIONS,
					       struct fs_transition, i),
					   *y = FS_AT(b, FS_TRANSITIONS,
					       struct fs_transition, i);

		if (x->at != y->at || x->offset_s != y->offset_s)
			return false;
	}
	return true;
}

int rules_diff(const struct fs *old, const struct fs *new, int64_t at, struct diff **ret)
{
	struct differ d = { .fs = { old, new }, .at = at };
	struct arena *kept;

	d.out = calloc(1, sizeof(*d.out));
	kept = calloc(1, sizeof(*kept));
	d.space[DIFF_OLD] = space_new(old, at);
	d.space[DIFF_NEW] = space_new(new, at);
	d.failed = d.out == NULL || kept == NULL || d.space[DIFF_OLD] == NULL ||
	    d.space[DIFF_NEW] == NULL;
	if (!d.failed) {
		d.same_zone = same_zone(old, new);
		diff_pieces(&d);
		diff_modes_mark(&d);
		diff_flows(&d);
		if (!d.failed)
			diff_lists(&d);
		d.failed |= d.arena.failed;
	}
	for (int s = 0; s < DIFF_SIDES; s++)
		space_free(d.space[s]);
	free(d.pieces);
	if (kept != NULL)
		*kept = d.arena;
	if (d.out != NULL)
		d.out->memory = kept;
	if (d.failed) {
		diff_free(d.out);
		return d.too_large ? -E2BIG : -ENOMEM;
	}
	*ret = d.out;
	return 0;
}

void diff_free(struct diff *d)
{
	if (d == NULL)
		return;
	free(d->opened.v);
	free(d->closed.v);
	free(d->exposure.v);
	for (int i = 0; i < DIFF_LISTS; i++)
		free(d->list[i].v);
	if (d->memory != NULL)
		arena_free(d->memory);
	free(d->memory);
	free(d);
}

bool diff_is_empty(const struct diff *d)
{
	size_t n = d->opened.n + d->closed.n + d->exposure.n;

	for (int i = 0; i < DIFF_LISTS; i++)
		n += d->list[i].n;
	return n == 0;
}

const char *diff_why_name(enum diff_why bit)
{
	switch (bit) {
	case DIFF_OPENED:
		return "opened";
	case DIFF_SMB:
		return "smb granted";
	case DIFF_RDP:
		return "rdp granted";
	case DIFF_NO_NLA:
		return "nla not required";
	case DIFF_NO_SMB2:
		return "smb2 not required";
	case DIFF_NO_SIGNING:
		return "signing not required";
	case DIFF_GUARD:
		return "guard weaker";
	case DIFF_NEVER:
		return "never blocked";
	case DIFF_MANAGEMENT:
		return "management";
	case DIFF_UNPROTECTED:
		return "no longer protected";
	case DIFF_ON_LOSS:
		return "open without the sensor";
	case DIFF_LATER:
		return "at another time";
	}
	return "?";
}
