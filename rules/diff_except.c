/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: exceptions of guards compared: whom a guard no longer stops */
#include <string.h>

#include "rules/diff_lists.h"

/* The exceptions that hold at t; none where the guard is off anyway. */
static struct fs_span except_at(const struct fs_guard_use *u, int64_t t)
{
	const struct fs_span none = { 0, 0 };

	return t < u->expires && u->action != FS_GUARD_OFF ? u->except : none;
}

bool diff_same_except(const struct differ *d, const struct fs_guard_use *o,
    const struct fs_guard_use *n)
{
	struct fs_span x = except_at(o, d->at), y = except_at(n, d->at);

	return x.count == y.count && (x.count == 0 || (o->expires == n->expires &&
	    memcmp(fs_range(d->fs[DIFF_OLD], x.first), fs_range(d->fs[DIFF_NEW], y.first),
		x.count * sizeof(struct netrange)) == 0));
}

const char *diff_except_text(struct differ *d, int side, const struct fs_guard_use *u,
    const char *text)
{
	struct fs_span s = except_at(u, d->at);

	if (s.count == 0)
		return text;
	text = arena_printf(
	    &d->arena, "%s except %s", text, diff_ranges_text(d, side, s));
	return text != NULL ? text : "";
}

static void axes_of(struct differ *d, int side, struct fs_span s, uint8_t v,
    struct space_axes *ret)
{
	if (s.count > 0)
		axes_of_ranges(fs_range(d->fs[side], s.first), s.count, v, ret);
}

/* What n leaves out at t and o does not. */
static bool more_at(struct differ *d, const struct fs_guard_use *o,
    const struct fs_guard_use *n, int64_t t, uint8_t v, struct space_axes *ret)
{
	struct space_axes was = { 0 }, is = { 0 };

	if (fs_use_action(d->fs[DIFF_OLD], o, NULL, t) != FS_GUARD_OFF) {
		axes_of(d, DIFF_OLD, except_at(o, t), v, &was);
		axes_of(d, DIFF_NEW, except_at(n, t), v, &is);
		axes_subtract(&is, &was, ret);
	}
	axes_free(&was);
	axes_free(&is);
	return ret->n > 0;
}

static void expose_peers(struct differ *d, const struct fs_host *h, const char *guard,
    const struct space_axes *peers, uint8_t v)
{
	for (size_t i = 0; i < peers->n; i++) {
		struct netrange src = region_axis_range(&peers->v[i], v);

		for (uint32_t a = 0; a < h->addresses.count; a++) {
			const struct netrange *dst =
			    fs_range(d->fs[DIFF_NEW], h->addresses.first + a);
			struct diff_region *e = dst->lo.v != v ? NULL :
			    diff_expose(d, &src, dst, v, DIFF_GUARD);

			if (e != NULL)
				e->guard = guard;
		}
	}
}

bool diff_except(struct differ *d, const struct fs_host *h, const char *guard,
    const struct fs_guard_use *o, const struct fs_guard_use *n)
{
	const int64_t when[2] = { d->at, o->expires };
	bool weaker = false;

	for (uint8_t v = 4; v <= 6; v += 2) {
		struct space_axes more = { 0 };

		/* what is left out later is listed where less is left out now */
		for (int i = 1; i >= 0 && more.n == 0; i--)
			if (when[i] >= d->at)
				weaker |= more_at(d, o, n, when[i], v, &more);
		d->failed |= more.failed;
		expose_peers(d, h, guard, &more, v);
		axes_free(&more);
	}
	return weaker;
}
