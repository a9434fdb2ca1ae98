/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: is a flat policy block from another process well-formed */
#include <cordon/flowspace.h>
#include <cordon/guard.h>

#include <string.h>

#include "rules/flat.h"
#include "rules/fs_tables.h"

const size_t fs_elem_size[FS_NTABLES] = {
	[FS_STRINGS] = 1,
	[FS_WORDS] = sizeof(uint32_t),
	[FS_RANGES] = sizeof(struct netrange),
	[FS_PLACES] = sizeof(struct fs_place),
	[FS_HOSTS] = sizeof(struct fs_host),
	[FS_RULES] = sizeof(struct fs_rule),
	[FS_SERVICES] = sizeof(struct fs_service),
	[FS_SCHEDULES] = sizeof(struct fs_schedule),
	[FS_WINDOWS] = sizeof(struct fs_window),
	[FS_TRANSITIONS] = sizeof(struct fs_transition),
	[FS_GUARDS] = sizeof(struct guard),
	[FS_GUARD_TERMS] = sizeof(struct guard_term),
	[FS_GUARD_USES] = sizeof(struct fs_guard_use),
	[FS_JITS] = sizeof(struct fs_jit),
};

static bool in(const struct fs *fs, enum fs_table t, uint32_t i)
{
	return i < fs->table[t].count;
}

static bool span_in(const struct fs *fs, enum fs_table t, uint32_t first, uint32_t count)
{
	return count == 0 ||
	    (first < fs->table[t].count && count <= fs->table[t].count - first);
}

static bool str_in(const struct fs *fs, uint32_t i)
{
	return in(fs, FS_STRINGS, i);
}

static bool ranges_ok(const struct fs *fs, struct fs_span s)
{
	const struct netrange *r = fs_range(fs, s.first);

	if (!span_in(fs, FS_RANGES, s.first, s.count))
		return false;
	for (uint32_t i = 1; i < s.count; i++)
		if (netaddr_cmp(&r[i - 1].hi, &r[i].lo) >= 0)
			return false;
	return true;
}

static bool every_range_ok(const struct fs *fs)
{
	for (uint32_t i = 0; i < fs->table[FS_RANGES].count; i++) {
		const struct netrange *r = fs_range(fs, i);

		if ((r->lo.v != 4 && r->lo.v != 6) || r->hi.v != r->lo.v ||
		    netaddr_cmp(&r->lo, &r->hi) > 0)
			return false;
	}
	return true;
}

static bool words_ok(const struct fs *fs)
{
	for (uint32_t i = 0; i < fs->table[FS_WORDS].count; i++)
		if (!str_in(fs, *FS_AT(fs, FS_WORDS, uint32_t, i)))
			return false;
	return true;
}

static bool places_ok(const struct fs *fs)
{
	const struct fs_place *p = fs_table(fs, FS_PLACES);

	for (uint32_t i = 0; i < fs->table[FS_PLACES].count; i++) {
		if (!in(fs, FS_HOSTS, p[i].host) ||
		    netaddr_cmp(&p[i].range.lo, &p[i].range.hi) > 0 ||
		    (p[i].range.lo.v != 4 && p[i].range.lo.v != 6) ||
		    (i > 0 && netaddr_cmp(&p[i - 1].range.hi, &p[i].range.lo) >= 0))
			return false;
	}
	return true;
}

static bool hosts_ok(const struct fs *fs)
{
	for (uint32_t i = 0; i < fs->table[FS_HOSTS].count; i++) {
		const struct fs_host *h = fs_host(fs, i);

		if (!str_in(fs, h->name) || !str_in(fs, h->owner) || !str_in(fs, h->file) ||
		    !str_in(fs, h->product) || !str_in(fs, h->profile) ||
		    !ranges_ok(fs, h->addresses) ||
		    !span_in(fs, FS_RULES, h->rules[0].first, h->rules[0].count) ||
		    !span_in(fs, FS_RULES, h->rules[1].first, h->rules[1].count) ||
		    !span_in(fs, FS_GUARD_USES, h->guards.first, h->guards.count) ||
		    !span_in(fs, FS_JITS, h->jits.first, h->jits.count) ||
		    !span_in(fs, FS_WORDS, h->updates.first, h->updates.count) ||
		    h->mode > FS_OBSERVE)
			return false;
	}
	return true;
}

enum { BREATH_RULES = 10000 }; /* most of the time goes there */

static bool rules_ok(const struct fs *fs, void (*breathe)(void *arg), void *arg)
{
	for (uint32_t i = 0; i < fs->table[FS_RULES].count; i++) {
		const struct fs_rule *r = fs_rule(fs, i);

		if (!str_in(fs, r->id) || !in(fs, FS_HOSTS, r->host) ||
		    !str_in(fs, r->reason) || !str_in(fs, r->ticket) ||
		    !str_in(fs, r->file) || r->dir > FS_OUT ||
		    (r->schedule != FS_NONE && !in(fs, FS_SCHEDULES, r->schedule)) ||
		    !span_in(fs, FS_SERVICES, r->services.first, r->services.count) ||
		    !ranges_ok(fs, r->peers))
			return false;
		if (breathe != NULL && (i + 1) % BREATH_RULES == 0)
			breathe(arg);
	}
	return true;
}

static bool services_ok(const struct fs *fs)
{
	for (uint32_t i = 0; i < fs->table[FS_SERVICES].count; i++) {
		const struct fs_service *s = fs_service(fs, i);

		if (!str_in(fs, s->name) || s->lo > s->hi ||
		    (s->family != 0 && s->family != 4 && s->family != 6))
			return false;
	}
	return true;
}

static bool times_ok(const struct fs *fs)
{
	const struct fs_transition *t = fs_table(fs, FS_TRANSITIONS);

	for (uint32_t i = 0; i < fs->table[FS_SCHEDULES].count; i++) {
		const struct fs_schedule *s = FS_AT(fs, FS_SCHEDULES, struct fs_schedule, i);

		if (!span_in(fs, FS_WINDOWS, s->windows.first, s->windows.count) ||
		    !str_in(fs, s->text))
			return false;
	}
	for (uint32_t i = 0; i < fs->table[FS_WINDOWS].count; i++) {
		const struct fs_window *w = FS_AT(fs, FS_WINDOWS, struct fs_window, i);

		if (w->from >= w->to || w->from >= 1440 || w->to > 2880)
			return false;
	}
	for (uint32_t i = 0; i < fs->table[FS_TRANSITIONS].count; i++)
		if (t[i].offset_s < -86400 || t[i].offset_s > 86400 ||
		    (i > 0 && t[i - 1].at >= t[i].at))
			return false;
	return true;
}

/* Only the sensor searches, and no more than it may. */
static bool alternatives_ok(const struct fs *fs, const struct guard *g)
{
	const struct guard_term *t =
	    FS_AT(fs, FS_GUARD_TERMS, struct guard_term, g->term_first);
	uint32_t terms = 0;

	for (size_t i = 0; i < GUARD_ALTERNATIVE_MAX && g->alternative_len[i] > 0; i++) {
		uint8_t n = g->alternative_len[i];
		uint32_t places;

		if (n > g->term_count - terms)
			return false;
		places = guard_searches(t + terms, n);
		if (places == 0 || (places > 1 && g->where != GUARD_SENSOR))
			return false;
		terms += n;
	}
	return terms == g->term_count;
}

static bool guard_ok(const struct fs *fs, const struct guard *g)
{

	if (!str_in(fs, g->id) || !str_in(fs, g->title) || !str_in(fs, g->attack) ||
	    !str_in(fs, g->note) || !str_in(fs, g->validated) ||
	    !span_in(fs, FS_WORDS, g->cve_first, g->cve_count) ||
	    !span_in(fs, FS_WORDS, g->ref_first, g->ref_count) ||
	    !span_in(fs, FS_GUARD_TERMS, g->term_first, g->term_count) ||
	    g->where > GUARD_BUILTIN || g->dir > GUARD_BOTH ||
	    g->affects > GUARD_AFFECTS_UNKNOWN || g->action > FS_GUARD_DROP)
		return false;
	return alternatives_ok(fs, g);
}

static bool guards_ok(const struct fs *fs)
{
	for (uint32_t i = 0; i < fs->table[FS_GUARDS].count; i++)
		if (!guard_ok(fs, FS_AT(fs, FS_GUARDS, struct guard, i)))
			return false;
	for (uint32_t i = 0; i < fs->table[FS_GUARD_TERMS].count; i++) {
		const struct guard_term *t = FS_AT(fs, FS_GUARD_TERMS, struct guard_term, i);

		if (t->len < 1 || t->len > 8 || t->within > GUARD_WITHIN_MAX ||
		    (t->within > 0 && t->negate))
			return false;
	}
	for (uint32_t i = 0; i < fs->table[FS_GUARD_USES].count; i++) {
		const struct fs_guard_use *u =
		    FS_AT(fs, FS_GUARD_USES, struct fs_guard_use, i);

		if (!in(fs, FS_GUARDS, u->guard) || !str_in(fs, u->reason) ||
		    !ranges_ok(fs, u->except) ||
		    u->action > FS_GUARD_DROP || u->default_action > FS_GUARD_DROP)
			return false;
	}
	for (uint32_t i = 0; i < fs->table[FS_JITS].count; i++) {
		const struct fs_jit *j = FS_AT(fs, FS_JITS, struct fs_jit, i);

		if (!str_in(fs, j->service) || !ranges_ok(fs, j->from) ||
		    !span_in(fs, FS_SERVICES, j->services.first, j->services.count))
			return false;
	}
	return true;
}

static bool settings_ok(const struct fs *fs)
{
	const struct fs_settings *s = &fs->settings;

	return span_in(fs, FS_WORDS, s->interfaces.first, s->interfaces.count) &&
	    span_in(fs, FS_WORDS, s->sensor_interfaces.first, s->sensor_interfaces.count) &&
	    ranges_ok(fs, s->addresses) && ranges_ok(fs, s->management) &&
	    ranges_ok(fs, s->never) && str_in(fs, s->timezone) && str_in(fs, s->log_file) &&
	    s->block_scope <= FS_SCOPE_ALL;
}

static bool (*const checks[])(const struct fs *fs) = { every_range_ok, words_ok, places_ok,
	hosts_ok, services_ok, times_ok, guards_ok, settings_ok };

bool fs_valid(const void *buf, size_t len)
{
	return fs_valid_calmly(buf, len, NULL, NULL);
}

bool fs_valid_calmly(const void *buf, size_t len, void (*breathe)(void *arg), void *arg)
{
	const struct fs *fs = buf;

	if (len < sizeof(*fs) || memcmp(fs->magic, "cordonfs", 8) != 0 ||
	    fs->version != FS_VERSION || fs->size != len)
		return false;
	if (!flat_valid(&fs->table[0].off, fs_elem_size, FS_NTABLES, sizeof(*fs), buf, len))
		return false;
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		if (!checks[i](fs))
			return false;
		if (breathe != NULL)
			breathe(arg);
	}
	return rules_ok(fs, breathe, arg);
}
