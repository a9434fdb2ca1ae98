/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: rules that hold at other times than before, or do something else then */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/diff.h"

static bool is_timed(const struct fs_rule *r)
{
	return r->expires != FS_FOREVER || r->schedule != FS_NONE;
}

static const char *validity_text(struct differ *d, int side, const struct fs_rule *r)
{
	const struct fs *fs = d->fs[side];
	const char *schedule = "", *text;
	char until[64] = "";
	struct tm tm;
	time_t t = (time_t)r->expires;

	if (!is_timed(r))
		return "always";
	if (r->schedule != FS_NONE)
		schedule = fs_str(fs,
		    FS_AT(fs, FS_SCHEDULES, struct fs_schedule, r->schedule)->text);
	if (r->expires != FS_FOREVER && gmtime_r(&t, &tm) != NULL)
		strftime(until, sizeof(until), "until %Y-%m-%dT%H:%M:%SZ", &tm);
	text = arena_printf(&d->arena, "%s%s%s", schedule, *schedule && *until ? ", " : "",
	    until);
	return text != NULL ? text : "";
}

/* ---- does the other side say the same at the same times? ---- */

static void add_boxes(const struct fs *fs, const struct fs_rule *r, uint8_t v,
    uint8_t grants, struct region *ret)
{
	for (uint32_t i = 0; i < r->services.count; i++) {
		const struct fs_service *s = fs_service(fs, r->services.first + i);
		struct region_box b = { 0 };

		if (s->grants != grants || (s->family != 0 && s->family != v))
			continue;
		space_service_keys(s, &b.key_lo, &b.key_hi);
		for (uint32_t k = 0; k < r->peers.count; k++) {
			const struct netrange *p = fs_range(fs, r->peers.first + k);

			b.src = region_axis_of(p);
			if (p->lo.v == v)
				region_add(ret, &b);
		}
	}
}

/* Whether all of r (a rule of `side`) is said by rules of the other side's host that
 * hold at the same times and require the same. */
static bool is_kept(struct differ *d, int side, const struct fs_rule *r, uint32_t other)
{
	const struct fs *fs = d->fs[!side];
	const struct fs_span *rules = &fs_host(fs, other)->rules[r->dir];
	bool kept = true;

	for (int k = 0; k < 2 * 4 && kept; k++) {
		struct region want = { 0 }, have = { 0 }, left = { 0 };
		uint8_t v = k % 2 != 0 ? 6 : 4, grants = (uint8_t)(k / 2);

		add_boxes(d->fs[side], r, v, grants, &want);
		for (uint32_t i = 0; i < rules->count && want.n > 0; i++) {
			const struct fs_rule *o = fs_rule(fs, rules->first + i);

			if (o->require == r->require &&
			    (side == DIFF_OLD ? diff_same_validity(d, r, o)
					      : diff_same_validity(d, o, r)))
				add_boxes(fs, o, v, grants, &have);
		}
		region_subtract(want.v, want.n, have.v, have.n, &left);
		kept = left.n == 0;
		d->failed |= want.failed || have.failed || left.failed;
		region_free(&want);
		region_free(&have);
		region_free(&left);
	}
	return kept;
}

/* ---- what is said of it ---- */

static const struct fs_rule *rule_by_id(const struct fs *fs, uint32_t host,
    enum fs_dir dir, const char *id, uint32_t *ret_index)
{
	const struct fs_span *s;

	if (host == FS_NONE)
		return NULL;
	s = &fs_host(fs, host)->rules[dir];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct fs_rule *r = fs_rule(fs, s->first + i);

		if (strcmp(fs_str(fs, r->id), id) == 0) {
			*ret_index = s->first + i;
			return r;
		}
	}
	return NULL;
}

static bool named_in(const struct diff_regions *list, const char *id)
{
	for (size_t i = 0; i < list->n; i++) {
		for (size_t k = 0; k < list->v[i].ncauses; k++) {
			const char *rule = list->v[i].causes[k].rule;

			if (rule != NULL && strcmp(rule, id) == 0)
				return true;
		}
	}
	return false;
}

/* Rule `id` of hosts host[] has a part that holds at other times than before. */
static void say_rule(struct differ *d, const uint32_t host[DIFF_SIDES], enum fs_dir dir,
    const char *id)
{
	const struct fs_rule *r[DIFF_SIDES];
	bool active = false;
	struct diff_change c = { .subject = id, .what = "validity" };

	for (int s = 0; s < DIFF_SIDES; s++) {
		uint32_t index = 0;

		r[s] = rule_by_id(d->fs[s], host[s], dir, id, &index);
		if (r[s] == NULL)
			continue;
		active |= space_active(d->space[s], index);
		c.file = fs_str(d->fs[s], r[s]->file);
		c.line = r[s]->line;
	}
	if (r[DIFF_OLD] != NULL)
		c.old = validity_text(d, DIFF_OLD, r[DIFF_OLD]);
	if (r[DIFF_NEW] != NULL)
		c.new = validity_text(d, DIFF_NEW, r[DIFF_NEW]);
	if (r[DIFF_OLD] != NULL && r[DIFF_NEW] != NULL &&
	    diff_same_validity(d, r[DIFF_OLD], r[DIFF_NEW]))
		c.what = "content while it exists";
	/* The regions say it already. */
	if ((r[DIFF_OLD] == NULL || r[DIFF_NEW] == NULL ||
		diff_same_validity(d, r[DIFF_OLD], r[DIFF_NEW])) &&
	    active && (named_in(&d->out->opened, id) || named_in(&d->out->closed, id)))
		return;
	c.weaker = r[DIFF_OLD] != NULL && r[DIFF_NEW] != NULL &&
	    r[DIFF_NEW]->expires > r[DIFF_OLD]->expires;
	diff_change(d, DIFF_TIMES, c);
}

static void compare_hosts(struct differ *d, const uint32_t host[DIFF_SIDES])
{
	for (int s = 0; s < DIFF_SIDES; s++) {
		const struct fs_host *h = host[s] != FS_NONE ? fs_host(d->fs[s], host[s])
							     : NULL;

		for (int dir = FS_IN; h != NULL && dir <= FS_OUT; dir++) {
			for (uint32_t i = 0; i < h->rules[dir].count; i++) {
				const struct fs_rule *r =
				    fs_rule(d->fs[s], h->rules[dir].first + i);

				if (is_timed(r) && (host[!s] == FS_NONE ||
					!is_kept(d, s, r, host[!s])))
					say_rule(d, host, (enum fs_dir)dir,
					    fs_str(d->fs[s], r->id));
			}
		}
	}
}

static int by_subject(const void *a, const void *b)
{
	const struct diff_change *x = a, *y = b;

	return strcmp(x->subject, y->subject);
}

void diff_times(struct differ *d)
{
	struct diff_changes *list = &d->out->list[DIFF_TIMES];
	const char *old = fs_str(d->fs[DIFF_OLD], d->fs[DIFF_OLD]->settings.timezone),
		   *new = fs_str(d->fs[DIFF_NEW], d->fs[DIFF_NEW]->settings.timezone);

	for (size_t i = 0; i < d->npieces; i++) {
		const struct diff_piece *p = &d->pieces[i];

		if (p->changed && (i == 0 || p[-1].host[DIFF_OLD] != p->host[DIFF_OLD] ||
			p[-1].host[DIFF_NEW] != p->host[DIFF_NEW]))
			compare_hosts(d, p->host);
	}
	if (list->n > 1) { /* a rule was met once for each address of its host */
		size_t out = 0;

		qsort(list->v, list->n, sizeof(*list->v), by_subject);
		for (size_t i = 1; i < list->n; i++) {
			if (by_subject(&list->v[i], &list->v[out]) != 0)
				list->v[++out] = list->v[i];
		}
		list->n = out + 1;
	}
	if (strcmp(old, new) != 0 || !d->same_zone)
		diff_change(d, DIFF_TIMES, (struct diff_change){ .subject = "timezone",
			.what = "setting", .old = old, .new = new });
}
