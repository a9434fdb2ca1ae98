/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a change of mode of very many hosts at once: said of them together */
#include <netinet/in.h>
#include <string.h>

#include "rules/diff.h"

/* What a change of mode opens is "all but what the rules allow": thousands of regions a
 * host, that only a program reads.  Of more addresses than this not even that: then one
 * region of each run of addresses says what can differ at most. */
enum { EXACT_MAX = 64 };

static uint8_t mode_of(const struct differ *d, const struct diff_piece *p, int side)
{
	return fs_host(d->fs[side], p->host[side])->mode;
}

static bool mode_changed(const struct differ *d, const struct diff_piece *p)
{
	return p->host[DIFF_OLD] != FS_NONE && p->host[DIFF_NEW] != FS_NONE &&
	    mode_of(d, p, DIFF_OLD) != mode_of(d, p, DIFF_NEW);
}

void diff_modes_mark(struct differ *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->npieces; i++)
		n += mode_changed(d, &d->pieces[i]);
	if (n <= EXACT_MAX)
		return;
	for (size_t i = 0; i < d->npieces; i++)
		d->pieces[i].together = mode_changed(d, &d->pieces[i]);
}

/* ---- the regions ---- */

static bool differs(const struct differ *d, const struct fs_flow *f)
{
	struct fs_verdict v[DIFF_SIDES];

	for (int s = 0; s < DIFF_SIDES; s++)
		fs_judge(d->fs[s], f, &v[s]);
	return v[DIFF_OLD].result != v[DIFF_NEW].result;
}

/* Not all flows of the region differ: one that does. */
static void pick_one(const struct differ *d, struct diff_region *r)
{
	static const uint16_t telling[] = { 445, 3389, 139, 22, 80, 7, 9 };
	struct fs_flow f = r->witness;

	f.proto = IPPROTO_TCP;
	for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++) {
		f.dport = telling[i];
		if (differs(d, &f)) {
			r->witness = f;
			return;
		}
	}
}

static void add(struct differ *d, struct diff_regions *list, const struct region_axis *src,
    const struct region_axis *dst, uint8_t v, bool tcp)
{
	struct region_box b = { .src = *src, .dst = *dst, .key_hi = REGION_KEY_MAX };
	struct diff_region *r;

	if (tcp) {
		b.key_lo = REGION_KEY(IPPROTO_TCP, 0);
		b.key_hi = REGION_KEY(IPPROTO_TCP, 65535);
	}
	r = diff_add_region(d, list, &b, v, -1, tcp ? DIFF_OPENED : 0);
	if (r == NULL)
		return;
	r->at_most = true;
	pick_one(d, r);
}

/* From and to the addresses in `a`. */
static void add_both(struct differ *d, struct diff_regions *list,
    const struct space_axes *a, uint8_t v, bool tcp)
{
	struct region_axis all = region_axis_all(v);

	for (size_t i = 0; i < a->n && !d->failed; i++) {
		add(d, list, &all, &a->v[i], v, tcp);
		add(d, list, &a->v[i], &all, v, tcp);
	}
}

void diff_modes_flows(struct differ *d, uint8_t v)
{
	for (uint8_t mode = FS_ENFORCE; mode <= FS_OBSERVE; mode++) {
		struct space_axes a = { 0 };

		for (size_t i = 0; i < d->npieces; i++) {
			const struct diff_piece *p = &d->pieces[i];

			if (p->together && p->range.lo.v == v &&
			    mode_of(d, p, DIFF_NEW) == mode)
				axes_add(&a, region_axis_of(&p->range));
		}
		axes_merge(&a);
		d->failed |= a.failed;
		add_both(d, mode == FS_OBSERVE ? &d->out->opened : &d->out->closed, &a, v,
		    false);
		if (mode == FS_OBSERVE)
			add_both(d, &d->out->exposure, &a, v, true);
		axes_free(&a);
	}
}
