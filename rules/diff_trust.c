/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: who and what is trusted: addresses, requirements, grants, settings */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/diff_lists.h"

const char *diff_time_text(int64_t t, char buf[static 32])
{
	time_t at = (time_t)t;
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL || strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		strcpy(buf, "?");
	return buf;
}

struct diff_region *diff_expose(struct differ *d, const struct netrange *src,
    const struct netrange *dst, uint8_t v, unsigned why)
{
	struct region_box b = { .key_hi = REGION_KEY_MAX };

	if (why == DIFF_GUARD) {
		b.key_lo = REGION_KEY(IPPROTO_TCP, 0);
		b.key_hi = REGION_KEY(IPPROTO_TCP, 65535);
	}
	b.src = src != NULL ? region_axis_of(src) : region_axis_all(v);
	b.dst = dst != NULL ? region_axis_of(dst) : region_axis_all(v);
	return diff_add_region(d, &d->out->exposure, &b, v, -1, why);
}

/* ---- text ---- */

const char *diff_ranges_text(struct differ *d, int side, struct fs_span s)
{
	enum { SHOWN = 16 };
	const char *text = "";

	for (uint32_t i = 0; i < s.count && i < SHOWN && text != NULL; i++)
		text = arena_printf(&d->arena, "%s%s%s", text, i > 0 ? ", " : "",
		    diff_range_text(d, fs_range(d->fs[side], s.first + i)));
	if (s.count > SHOWN && text != NULL)
		text = arena_printf(&d->arena, "%s, … (%u more)", text, s.count - SHOWN);
	return text != NULL ? text : "";
}

static int by_word(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, so that the order in the file makes no difference. */
static const char *words_text(struct differ *d, int side, struct fs_span s)
{
	const char **v = calloc(s.count + 1, sizeof(*v)), *text = "";

	for (uint32_t i = 0; i < s.count && v != NULL; i++)
		v[i] = fs_str(d->fs[side],
		    *FS_AT(d->fs[side], FS_WORDS, uint32_t, s.first + i));
	if (v == NULL) {
		d->failed = true;
		return "";
	}
	qsort(v, s.count, sizeof(*v), by_word);
	for (uint32_t i = 0; i < s.count && text != NULL; i++)
		text = arena_printf(&d->arena, "%s%s%s", text, i > 0 ? ", " : "", v[i]);
	free(v);
	return text != NULL ? text : "";
}

struct bit_name {
	unsigned bit;
	const char *name;
};

static const char *bits_text(struct differ *d, unsigned bits, const struct bit_name *names)
{
	const char *text = "";

	for (; names->name != NULL && text != NULL; names++) {
		if (bits & names->bit)
			text = arena_printf(&d->arena, "%s%s%s", text, *text ? ", " : "",
			    names->name);
	}
	return text != NULL && *text ? text : "none";
}

static void say(struct differ *d, const char *subject, const char *what, const char *old,
    const char *new, bool weaker)
{
	diff_change(d, DIFF_TRUST, (struct diff_change){ .subject = subject, .what = what,
		.old = old, .new = new, .weaker = weaker });
}

static void say_at(struct differ *d, struct diff_change c, int side, uint32_t file,
    uint32_t line)
{
	c.file = fs_str(d->fs[side], file);
	c.line = line;
	diff_change(d, DIFF_TRUST, c);
}

/* ---- hosts ---- */

static const struct bit_name require_names[] = { { FS_REQ_NLA, "nla" },
	{ FS_REQ_SMB2, "smb2" }, { FS_REQ_SIGNING, "signing" }, { 0, NULL } };

/* Rules of both are sorted by id. */
static void compare_requires(struct differ *d, const struct fs_host *x,
    const struct fs_host *y, enum fs_dir dir)
{
	uint32_t i = 0, k = 0;

	while (i < x->rules[dir].count && k < y->rules[dir].count) {
		const struct fs_rule *o = fs_rule(d->fs[DIFF_OLD], x->rules[dir].first + i),
				     *n = fs_rule(d->fs[DIFF_NEW], y->rules[dir].first + k);
		const char *id = fs_str(d->fs[DIFF_NEW], n->id);
		int c = strcmp(fs_str(d->fs[DIFF_OLD], o->id), id);

		if (c == 0 && o->require != n->require)
			say_at(d, (struct diff_change){ .subject = id, .what = "require",
				.old = bits_text(d, o->require, require_names),
				.new = bits_text(d, n->require, require_names),
				.weaker = (o->require & ~n->require) != 0 }, DIFF_NEW,
			    n->file, n->line);
		i += c <= 0;
		k += c >= 0;
	}
}

static const char *jit_text(struct differ *d, int side, const struct fs_jit *j)
{
	const char *s = arena_printf(&d->arena, "%s from %s for at most %u s",
	    fs_str(d->fs[side], j->service), diff_ranges_text(d, side, j->from), j->max_s);

	return s != NULL ? s : "";
}

static const char *jits_text(struct differ *d, int side, const struct fs_host *h)
{
	const char **v = calloc(h->jits.count + 1, sizeof(*v)), *text = "";

	for (uint32_t i = 0; i < h->jits.count && v != NULL; i++)
		v[i] = jit_text(d, side,
		    FS_AT(d->fs[side], FS_JITS, struct fs_jit, h->jits.first + i));
	if (v == NULL) {
		d->failed = true;
		return "";
	}
	qsort(v, h->jits.count, sizeof(*v), by_word);
	for (uint32_t i = 0; i < h->jits.count && text != NULL; i++)
		text = arena_printf(&d->arena, "%s%s%s", text, i > 0 ? "; " : "", v[i]);
	free(v);
	return text != NULL ? text : "";
}

static bool same_addresses(const struct differ *d, struct fs_span o, struct fs_span n)
{
	return o.count == n.count && (o.count == 0 ||
	    memcmp(fs_range(d->fs[DIFF_OLD], o.first), fs_range(d->fs[DIFF_NEW], n.first),
		o.count * sizeof(struct netrange)) == 0);
}

void diff_trust_host(struct differ *d, uint32_t o, uint32_t n)
{
	const struct fs_host *x = o != FS_NONE ? fs_host(d->fs[DIFF_OLD], o) : NULL,
			     *y = n != FS_NONE ? fs_host(d->fs[DIFF_NEW], n) : NULL;
	int side = y != NULL ? DIFF_NEW : DIFF_OLD;
	const struct fs_host *h = y != NULL ? y : x;
	struct diff_change c = { .subject = fs_str(d->fs[side], h->name),
		.weaker = y == NULL };

	if (x == NULL || y == NULL || !same_addresses(d, x->addresses, y->addresses)) {
		c.what = x == NULL || y == NULL ? "host" : "addresses";
		c.old = x != NULL ? diff_ranges_text(d, DIFF_OLD, x->addresses) : NULL;
		c.new = y != NULL ? diff_ranges_text(d, DIFF_NEW, y->addresses) : NULL;
		say_at(d, c, side, h->file, h->line);
	}
	if (x != NULL && y != NULL) {
		compare_requires(d, x, y, FS_IN);
		compare_requires(d, x, y, FS_OUT);
	}
	if ((x != NULL && x->jits.count > 0) || (y != NULL && y->jits.count > 0)) {
		c.what = "jit";
		c.old = x != NULL ? jits_text(d, DIFF_OLD, x) : "";
		c.new = y != NULL ? jits_text(d, DIFF_NEW, y) : "";
		if (strcmp(c.old, c.new) != 0)
			say_at(d, c, side, h->file, h->line);
	}
}

/* ---- sets of addresses ---- */

static void protect_axes(const struct fs *fs, uint8_t v, struct space_axes *ret)
{
	for (uint32_t i = 0; i < fs->table[FS_HOSTS].count; i++) {
		const struct fs_host *h = fs_host(fs, i);

		if (!h->declared)
			axes_of_ranges(fs_range(fs, h->addresses.first), h->addresses.count,
			    v, ret);
	}
}

static void management_axes(const struct fs *fs, uint8_t v, struct space_axes *ret)
{
	axes_of_ranges(fs_range(fs, fs->settings.management.first),
	    fs->settings.management.count, v, ret);
}

static void never_axes(const struct fs *fs, uint8_t v, struct space_axes *ret)
{
	axes_of_ranges(fs_range(fs, fs->settings.never.first), fs->settings.never.count, v,
	    ret);
}

static void gateway_axes(const struct fs *fs, uint8_t v, struct space_axes *ret)
{
	axes_of_ranges(fs_range(fs, fs->settings.addresses.first),
	    fs->settings.addresses.count, v, ret);
}

static void expose_management(struct differ *d, const struct netrange *src)
{
	struct space_axes own = { 0 };

	gateway_axes(d->fs[DIFF_NEW], src->lo.v, &own);
	for (size_t i = 0; i < own.n; i++) {
		struct netrange r = region_axis_range(&own.v[i], src->lo.v);

		diff_expose(d, src, &r, src->lo.v, DIFF_MANAGEMENT);
	}
	if (own.n == 0)
		diff_expose(d, src, NULL, src->lo.v, DIFF_MANAGEMENT);
	axes_free(&own);
}

static void expose_never(struct differ *d, const struct netrange *src)
{
	diff_expose(d, src, NULL, src->lo.v, DIFF_NEVER);
}

static void expose_unprotected(struct differ *d, const struct netrange *dst)
{
	diff_expose(d, NULL, dst, dst->lo.v, DIFF_UNPROTECTED);
}

/* Sets whose members are listed one by one.  subject NULL: only counted as exposure. */
static const struct address_set {
	const char *subject;
	void (*of)(const struct fs *fs, uint8_t v, struct space_axes *ret);
	void (*added)(struct differ *d, const struct netrange *r);   /* exposure */
	void (*removed)(struct differ *d, const struct netrange *r); /* exposure */
} address_sets[] = {
	{ "management", management_axes, expose_management, NULL },
	{ "never", never_axes, expose_never, NULL },
	{ "protect", protect_axes, NULL, NULL },
	{ "gateway addresses", gateway_axes, NULL, NULL },
	{ NULL, space_protected, NULL, expose_unprotected },
};

static void say_ranges(struct differ *d, const struct address_set *s, uint8_t v,
    const struct space_axes *a, bool added)
{
	void (*expose)(struct differ *, const struct netrange *) =
	    added ? s->added : s->removed;

	for (size_t i = 0; i < a->n; i++) {
		struct netrange r = region_axis_range(&a->v[i], v);
		const char *text = diff_range_text(d, &r);

		if (s->subject != NULL)
			say(d, s->subject, NULL, added ? NULL : text, added ? text : NULL,
			    expose != NULL);
		if (expose != NULL)
			expose(d, &r);
	}
}

static void compare_set(struct differ *d, const struct address_set *s, uint8_t v)
{
	struct space_axes o = { 0 }, n = { 0 }, more = { 0 }, less = { 0 };

	s->of(d->fs[DIFF_OLD], v, &o);
	s->of(d->fs[DIFF_NEW], v, &n);
	axes_subtract(&n, &o, &more);
	axes_subtract(&o, &n, &less);
	say_ranges(d, s, v, &more, true);
	say_ranges(d, s, v, &less, false);
	d->failed |= more.failed || less.failed;
	axes_free(&o);
	axes_free(&n);
	axes_free(&more);
	axes_free(&less);
}

/* ---- single settings ---- */

static const struct bit_name block_on_names[] = { { FS_ON_GUARD, "guard" },
	{ FS_ON_BRUTEFORCE, "bruteforce" }, { FS_ON_SCAN, "scan" },
	{ FS_ON_EXPOSURE, "exposure" }, { 0, NULL } };

static const char *interfaces_of(struct differ *d, int side)
{
	return words_text(d, side, d->fs[side]->settings.interfaces);
}
static const char *sensor_of(struct differ *d, int side)
{
	return words_text(d, side, d->fs[side]->settings.sensor_interfaces);
}
static const char *on_loss_of(struct differ *d, int side)
{
	return d->fs[side]->settings.fail_closed ? "closed" : "keep";
}
static const char *ttl_of(struct differ *d, int side)
{
	const char *s =
	    arena_printf(&d->arena, "%u s", d->fs[side]->settings.block_ttl_s);

	return s != NULL ? s : "";
}
static const char *scope_of(struct differ *d, int side)
{
	return d->fs[side]->settings.block_scope == FS_SCOPE_ALL ? "all" : "legacy";
}
static const char *block_on_of(struct differ *d, int side)
{
	return bits_text(d, d->fs[side]->settings.block_on, block_on_names);
}
static const char *scan_of(struct differ *d, int side)
{
	const struct fs_settings *s = &d->fs[side]->settings;
	const char *text = arena_printf(
	    &d->arena, "%u targets within %u s", s->scan_targets, s->scan_within_s);

	return text != NULL ? text : "";
}
static const char *bruteforce_of(struct differ *d, int side)
{
	const struct fs_settings *s = &d->fs[side]->settings;
	const char *text = arena_printf(&d->arena,
	    "%u failures or %u attempts within %u s", s->logon_failures,
	    s->logon_attempts, s->logon_within_s);

	return text != NULL ? text : "";
}
static const char *log_of(struct differ *d, int side)
{
	return fs_str(d->fs[side], d->fs[side]->settings.log_file);
}
static const char *journald_of(struct differ *d, int side)
{
	return d->fs[side]->settings.journald ? "yes" : "no";
}
static const char *quota_of(struct differ *d, int side)
{
	const struct fs_settings *s = &d->fs[side]->settings;
	const char *text = arena_printf(&d->arena, "%u a source, %u a host and minute",
	    s->log_source_quota, s->log_host_quota);

	return text != NULL ? text : "";
}

static const struct {
	const char *subject;
	const char *(*text)(struct differ *d, int side);
} settings[] = {
	{ "interfaces", interfaces_of },
	{ "sensor interfaces", sensor_of },
	{ "sensor on_loss", on_loss_of },
	{ "block ttl", ttl_of },
	{ "block scope", scope_of },
	{ "block on", block_on_of },
	{ "block scan", scan_of },
	{ "block bruteforce", bruteforce_of },
	{ "log file", log_of },
	{ "log journald", journald_of },
	{ "log quota", quota_of },
};

void diff_trust_settings(struct differ *d)
{
	for (size_t i = 0; i < sizeof(address_sets) / sizeof(address_sets[0]); i++) {
		compare_set(d, &address_sets[i], 4);
		compare_set(d, &address_sets[i], 6);
	}
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const char *old = settings[i].text(d, DIFF_OLD),
			   *new = settings[i].text(d, DIFF_NEW);

		if (strcmp(old, new) != 0)
			say(d, settings[i].subject, NULL, old, new, false);
	}
	if (d->fs[DIFF_OLD]->settings.fail_closed && !d->fs[DIFF_NEW]->settings.fail_closed) {
		diff_expose(d, NULL, NULL, 4, DIFF_ON_LOSS);
		diff_expose(d, NULL, NULL, 6, DIFF_ON_LOSS);
	}
}
