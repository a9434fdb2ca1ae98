/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the flows that a change of policy opens, closes and exposes */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rules/diff.h"

/* Only flows with a changed address at one end can differ.  Those with a changed
 * destination are compared first, then those with a changed source and an unchanged
 * destination; each piece of changed addresses by itself. */

/* Boxes of one facet and policy, in buckets by changed piece. */
struct bucketed {
	struct region boxes;
	size_t *first; /* of bucket i; first[n] is the end */
};

struct part {
	struct differ *d;
	uint8_t v;
	bool by_dst;
	const struct space_axes *changed, *others;
	struct bucketed side[DIFF_SIDES][SPACE_FACETS];
	/* results, of family v */
	struct region opened, closed, later, exposed, asleep, weaker[SPACE_FACETS];
};

static const struct {
	enum space_facet facet;
	unsigned why;
} weaker_rows[] = {
	{ SPACE_SMB, DIFF_SMB },
	{ SPACE_RDP, DIFF_RDP },
	{ SPACE_NO_NLA, DIFF_NO_NLA },
	{ SPACE_NO_SMB2, DIFF_NO_SMB2 },
	{ SPACE_NO_SIGNING, DIFF_NO_SIGNING },
};
enum { NWEAKER = sizeof(weaker_rows) / sizeof(weaker_rows[0]) };

static const uint16_t exposed_ports[] = { 139, 445, 3389 };

/* ---- buckets ---- */

static size_t bucket_of(const struct part *p, const struct region_box *b)
{
	return axes_from(p->changed, p->by_dst ? b->dst.lo : b->src.lo);
}

/* Counting sort. */
static void fill_buckets(struct part *p, struct bucketed *k)
{
	size_t n = p->changed->n, *at;
	struct region_box *sorted;

	k->first = calloc(n + 2, sizeof(*k->first));
	sorted = calloc(k->boxes.n + 1, sizeof(*sorted));
	if (k->first == NULL || sorted == NULL) {
		p->d->failed = true;
		free(sorted);
		return;
	}
	at = k->first + 1; /* shifted by one: ends as starts of the next */
	for (size_t i = 0; i < k->boxes.n; i++)
		at[bucket_of(p, &k->boxes.v[i])]++;
	for (size_t i = 1; i < n; i++)
		at[i] += at[i - 1];
	for (size_t i = k->boxes.n; i-- > 0;)
		sorted[--at[bucket_of(p, &k->boxes.v[i])]] = k->boxes.v[i];
	/* at[i] is now the start of bucket i. */
	memmove(k->first, at, n * sizeof(*at));
	k->first[n] = k->boxes.n;
	free(k->boxes.v);
	k->boxes.v = sorted;
	k->boxes.cap = k->boxes.n + 1;
}

static void collect(struct part *p, int side, enum space_facet f)
{
	struct bucketed *k = &p->side[side][f];
	struct space_query q = { .facet = f, .v = p->v, .key_hi = REGION_KEY_MAX,
		.src = p->by_dst ? p->others : p->changed,
		.dst = p->by_dst ? p->changed : p->others };

	space_collect(p->d->space[side], &q, &k->boxes);
	p->d->failed |= k->boxes.failed;
	if (!p->d->failed)
		fill_buckets(p, k);
}

/* ---- one bucket ---- */

static void without(const struct part *p, size_t i, enum space_facet f, int from,
    struct region *ret)
{
	const struct bucketed *a = &p->side[from][f], *b = &p->side[!from][f];

	region_subtract(a->boxes.v + a->first[i], a->first[i + 1] - a->first[i],
	    b->boxes.v + b->first[i], b->first[i + 1] - b->first[i], ret);
}

static void append(struct region *to, const struct region *from)
{
	for (size_t i = 0; i < from->n; i++)
		region_add(to, &from->v[i]);
	to->failed |= from->failed;
}

/* What of the newly allowed flows is exposure: ports by number, the rest by grant. */
static void expose(struct part *p, size_t i, const struct region *opened)
{
	struct region want = { 0 };

	for (size_t k = 0; k < sizeof(exposed_ports) / sizeof(exposed_ports[0]); k++) {
		struct region_box b = { .src = region_axis_all(p->v),
			.dst = region_axis_all(p->v) };

		b.key_lo = b.key_hi = REGION_KEY(IPPROTO_TCP, exposed_ports[k]);
		region_add(&want, &b);
	}
	for (int f = SPACE_SMB; f <= SPACE_RDP; f++) {
		const struct bucketed *g = &p->side[DIFF_NEW][f];

		for (size_t k = g->first[i]; k < g->first[i + 1]; k++)
			region_add(&want, &g->boxes.v[k]);
	}
	region_meet(opened, &want, &p->exposed);
	region_free(&want);
}

/* SMB and RDP granted by a rule that sleeps now: a review at night must not miss it. */
static void expose_asleep(struct part *p, size_t i)
{
	struct region gained = { 0 }, awake = { 0 };

	without(p, i, SPACE_EVER, DIFF_NEW, &gained);
	for (int f = SPACE_SMB; f <= SPACE_RDP && gained.n > 0; f++) {
		const struct bucketed *g = &p->side[DIFF_NEW][f];

		for (size_t k = g->first[i]; k < g->first[i + 1]; k++)
			region_add(&awake, &g->boxes.v[k]);
	}
	region_subtract(gained.v, gained.n, awake.v, awake.n, &p->asleep);
	p->d->failed |= gained.failed || awake.failed;
	region_free(&gained);
	region_free(&awake);
}

static void compare_bucket(struct part *p, size_t i)
{
	struct region opened = { 0 }, closed = { 0 }, always = { 0 }, seen = { 0 };

	without(p, i, SPACE_ALLOW, DIFF_NEW, &opened);
	without(p, i, SPACE_ALLOW, DIFF_OLD, &closed);
	without(p, i, SPACE_ALWAYS, DIFF_NEW, &always);
	without(p, i, SPACE_ALWAYS, DIFF_OLD, &always);
	append(&seen, &opened);
	append(&seen, &closed);
	region_subtract(always.v, always.n, seen.v, seen.n, &p->later);
	if (opened.n > 0)
		expose(p, i, &opened);
	expose_asleep(p, i);
	for (size_t k = 0; k < NWEAKER; k++) {
		struct region gained = { 0 };
		enum space_facet f = weaker_rows[k].facet;

		without(p, i, f, DIFF_NEW, &gained);
		region_subtract(gained.v, gained.n, opened.v, opened.n, &p->weaker[f]);
		p->d->failed |= gained.failed;
		region_free(&gained);
	}
	append(&p->opened, &opened);
	append(&p->closed, &closed);
	p->d->failed |= always.failed || seen.failed;
	region_free(&opened);
	region_free(&closed);
	region_free(&always);
	region_free(&seen);
}

static void compare_part(struct part *p)
{
	for (int s = 0; s < DIFF_SIDES; s++) {
		for (int f = 0; f < SPACE_FACETS && !p->d->failed; f++)
			collect(p, s, (enum space_facet)f);
	}
	for (size_t i = 0; i < p->changed->n && !p->d->failed; i++)
		compare_bucket(p, i);
	for (int s = 0; s < DIFF_SIDES; s++) {
		for (int f = 0; f < SPACE_FACETS; f++) {
			region_free(&p->side[s][f].boxes);
			free(p->side[s][f].first);
			p->side[s][f].first = NULL;
		}
	}
}

/* ---- results ---- */

static void add_regions(struct part *p, struct region *r, struct diff_regions *list,
    int side, unsigned why)
{
	struct region plain = { 0 };

	region_canonical(r, p->v == 4 ? 32 : 128, &plain);
	p->d->failed |= plain.failed;
	for (size_t i = 0; i < plain.n && !p->d->failed; i++)
		diff_add_region(p->d, list, &plain.v[i], p->v, side, why);
	region_free(&plain);
}

/* Flows that are granted more or required less, by what exactly: disjoint sets, one for
 * each combination of reasons. */
static void add_weaker(struct part *p)
{
	for (unsigned set = (1u << NWEAKER) - 1; set > 0; set--) {
		struct region in = { 0 }, left = { 0 };
		unsigned why = 0;
		bool first = true;

		for (size_t k = 0; k < NWEAKER; k++) {
			const struct region *w = &p->weaker[weaker_rows[k].facet];
			struct region next = { 0 };

			if ((set >> k & 1) == 0)
				continue;
			why |= weaker_rows[k].why;
			if (first)
				append(&next, w);
			else
				region_meet(&in, w, &next);
			first = false;
			region_free(&in);
			in = next;
		}
		for (size_t k = 0; k < NWEAKER; k++) {
			const struct region *w = &p->weaker[weaker_rows[k].facet];

			if ((set >> k & 1) != 0)
				continue;
			region_subtract(in.v, in.n, w->v, w->n, &left);
			left.failed |= in.failed;
			region_free(&in);
			in = left;
			left = (struct region){ 0 };
		}
		add_regions(p, &in, &p->d->out->exposure, DIFF_NEW, why);
		region_free(&in);
	}
}

/* What always holds differs, what holds now does not: some timed rule hides it. */
static void add_later(struct part *p)
{
	struct diff_regions list = { 0 };

	if (p->d->out->list[DIFF_TIMES].n == 0)
		add_regions(p, &p->later, &list, -1, 0);
	for (size_t i = 0; i < list.n; i++) {
		struct diff_change c = { .what = "validity" };

		c.subject = arena_printf(&p->d->arena, "%s -> %s",
		    diff_range_text(p->d, &list.v[i].src),
		    diff_range_text(p->d, &list.v[i].dst));
		c.old = "allowed at this time, at others by other rules";
		c.new = c.old;
		diff_change(p->d, DIFF_TIMES, c);
	}
	free(list.v);
}

static void finish_part(struct part *p)
{
	struct diff *out = p->d->out;

	add_regions(p, &p->opened, &out->opened, DIFF_NEW, 0);
	add_regions(p, &p->closed, &out->closed, DIFF_OLD, 0);
	add_regions(p, &p->exposed, &out->exposure, DIFF_NEW, DIFF_OPENED);
	add_weaker(p);
	add_regions(p, &p->asleep, &out->exposure, DIFF_NEW, DIFF_LATER);
}

static void free_part(struct part *p)
{
	region_free(&p->opened);
	region_free(&p->closed);
	region_free(&p->exposed);
	region_free(&p->later);
	region_free(&p->asleep);
	for (int f = 0; f < SPACE_FACETS; f++)
		region_free(&p->weaker[f]);
}

/* Results that nobody could read, nor this machine hold. */
enum { PARTS_MAX = 1 << 20, CHUNK = 256 };

static void check_size(struct part *p)
{
	size_t n = p->opened.n + p->closed.n + p->later.n + p->exposed.n + p->asleep.n;

	for (int f = 0; f < SPACE_FACETS; f++)
		n += p->weaker[f].n;
	p->d->too_large |= n > PARTS_MAX;
	p->d->failed |= p->d->too_large;
}

/* In chunks, so that what is compared at a time stays small. */
static void compare_changed(struct part *p, const struct space_axes *all,
    const struct space_axes *changed, const struct space_axes *same)
{
	for (size_t i = 0; i < changed->n && !p->d->failed; i += CHUNK) {
		struct space_axes chunk = { .v = changed->v + i, .n = changed->n - i };

		if (chunk.n > CHUNK)
			chunk.n = CHUNK;
		p->changed = &chunk;
		p->by_dst = true;
		p->others = all;
		compare_part(p);
		p->by_dst = false;
		p->others = same;
		if (!p->d->failed)
			compare_part(p);
		check_size(p);
	}
}

static void compare_family(struct differ *d, struct part *p)
{
	struct space_axes all = { 0 }, changed = { 0 }, same = { 0 };

	axes_add(&all, region_axis_all(p->v));
	for (size_t i = 0; i < d->npieces; i++) {
		if (d->pieces[i].changed && !d->pieces[i].together &&
		    d->pieces[i].range.lo.v == p->v)
			axes_add(&changed, region_axis_of(&d->pieces[i].range));
	}
	axes_subtract(&all, &changed, &same);
	d->failed |= all.failed || changed.failed || same.failed;
	compare_changed(p, &all, &changed, &same);
	axes_free(&all);
	axes_free(&changed);
	axes_free(&same);
}

void diff_flows(struct differ *d)
{
	struct part part[2] = { { .d = d, .v = 4 }, { .d = d, .v = 6 } };

	for (int k = 0; k < 2 && !d->failed; k++) {
		compare_family(d, &part[k]);
		if (!d->failed)
			finish_part(&part[k]);
		if (!d->failed)
			diff_modes_flows(d, part[k].v);
	}
	if (!d->failed)
		diff_times(d);
	for (int k = 0; k < 2; k++) {
		if (!d->failed)
			add_later(&part[k]);
		free_part(&part[k]);
	}
}
