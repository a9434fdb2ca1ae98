/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: each host's rules as keys: which list of peers may use which port */
#include "rules/compile_hosts.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/compile_classes.h"
#include "rules/compile_lists.h"

/* A port is looked up as it is, and as one of its class: several rules that match are an
 * "or".  Within each of both a key stands once, so what several rules say of it is
 * joined here. */
struct scratch {
	struct want *wants; /* of one host and direction, by protocol and ports */
	size_t n, cap;
	const struct want **some; /* of them, those that a key joins */
	size_t nsome, some_cap;
	const struct want **part; /* of these, those of one plane or profile */
	size_t part_cap;
};

/* Where keys of one host's address go. */
struct target {
	const struct fam *f;
	enum fs_dir dir;
	const struct netaddr *host;
	bool observed;
	int family; /* index of f */
};

int icmp_reply_of(uint8_t icmp_proto, uint16_t type)
{
	static const uint8_t pairs4[][2] = { { 8, 0 }, { 13, 14 }, { 15, 16 }, { 17, 18 } };

	if (icmp_proto == IPPROTO_ICMPV6)
		return type == 128 ? 129 : -1;
	for (size_t i = 0; i < sizeof(pairs4) / sizeof(pairs4[0]); i++)
		if (pairs4[i][0] == type)
			return pairs4[i][1];
	return -1;
}

/* ---- what a host's rules want ---- */

static const char *id_of(const struct compile *c, const struct want *w)
{
	return fs_str(c->fs, fs_rule(c->fs, w->rule)->id);
}

static int by_key(const void *x, const void *y)
{
	const struct want *a = x, *b = y;

	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

static void gather(struct compile *c, struct scratch *s, const struct fs_host *h,
    enum fs_dir dir)
{
	s->n = 0;
	for (uint32_t i = 0; i < h->rules[dir].count; i++) {
		uint32_t index = h->rules[dir].first + i;
		const struct fs_rule *r = fs_rule(c->fs, index);
		int64_t until;

		if (!fs_rule_active(c->fs, r, c->o->at, &until))
			continue;
		for (uint32_t k = 0; k < r->services.count; k++) {
			const struct fs_service *sv = fs_service(c->fs, r->services.first + k);

			s->wants = compile_grow(c, s->wants, &s->cap, s->n + 1, sizeof(*s->wants));
			if (c->failed)
				return;
			s->wants[s->n++] = (struct want){ .lo = sv->lo, .hi = sv->hi,
				.proto = sv->proto, .family = sv->family,
				.grants = sv->grants, .short_ok = sv->short_opening,
				.waived = compile_waived(c, r->require, sv->grants),
				.rule = index, .until = until };
		}
	}
	if (s->n > 1)
		qsort(s->wants, s->n, sizeof(*s->wants), by_key);
	s->some = compile_grow(c, s->some, &s->some_cap, s->n, sizeof(*s->some));
	s->part = compile_grow(c, s->part, &s->part_cap, s->n, sizeof(*s->part));
}

/* ---- times ---- */

#define LAST_END (UINT32_MAX - 1)

/* An end as a number, 0: none.  The last one is in 2106: what ends later ends there in the
 * kernel, and is subject to the clock's floor as all timed rules are. */
static uint32_t end_of(int64_t until)
{
	if (until == FS_FOREVER)
		return 0;
	if (until == TIME_OVER) /* a number that is taken: a second in 2038 */
		until--;
	return until > LAST_END ? LAST_END : until < 1 ? 1 : (uint32_t)until;
}

static void note_end(struct compile *c, uint32_t end)
{
	if (c->nends > 0 && c->ends[c->nends - 1] == end)
		return;
	c->ends = compile_grow(c, c->ends, &c->ends_cap, c->nends + 1, sizeof(*c->ends));
	if (!c->failed)
		c->ends[c->nends++] = end;
}

/* Plane 0 takes what has no end, the next ones each the latest end that is left; the last
 * one all that remain, to the earliest of their ends: the daemon compiles again then. */
static uint32_t next_end(const struct scratch *s, uint32_t below, bool last)
{
	uint32_t end = 0;

	for (size_t i = 0; i < s->nsome; i++) {
		uint32_t e = end_of(s->some[i]->until);

		if (e != 0 && e < below && (end == 0 || (last ? e < end : e > end)))
			end = e;
	}
	return end;
}

static size_t take_plane(struct scratch *s, uint32_t end, uint32_t below, bool last)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nsome; i++) {
		uint32_t e = end_of(s->some[i]->until);

		if (end == 0 ? e == 0 : last ? e != 0 && e < below : e == end)
			s->part[n++] = s->some[i];
	}
	return n;
}

/* Who has what some[] grant goes into k, a plane an end. */
static void put_lists(struct compile *c, struct scratch *s, const struct target *t,
    struct keys *k, const struct key *key)
{
	uint32_t below = LAST_END + 1, end = 0;

	for (unsigned p = 0; p < PLANES && !c->failed; p++) {
		bool last = p + 1 == PLANES;
		uint32_t number;
		size_t n;

		if (p > 0 && (end = next_end(s, below, last)) == 0)
			return;
		n = take_plane(s, end, below, last);
		if (end != 0)
			below = end;
		number = n == 0 ? 0 : lists_number(c, s->part, n, t->f);
		if (number == 0)
			continue;
		keys_put(c, t->f, k, key, p, end, number, id_of(c, s->part[0]));
		if (end != 0)
			note_end(c, end);
	}
}

/* ---- what connections are granted at their opening ---- */

static unsigned profile_of(const struct want *w)
{
	return w->grants | (unsigned)w->short_ok << 2 | (unsigned)w->waived << 3;
}

/* Whether all rules for any of these ports grant alike.  Then who got as far as the
 * opening, by one of them, has what they grant; but for an observed host, which lets
 * others in, too. */
static bool is_alike(const struct scratch *s, const struct target *t, uint16_t lo,
    uint16_t hi)
{
	unsigned profile = profile_of(s->some[0]);

	for (size_t i = 0; i < s->n; i++) {
		const struct want *w = &s->wants[i];

		if (w->proto == IPPROTO_TCP && w->lo <= hi && w->hi >= lo &&
		    (w->family == 0 || w->family == t->f->v) && profile_of(w) != profile)
			return false;
	}
	return !t->observed;
}

static struct keys *mixed_keys(struct compile *c, const struct target *t, unsigned profile)
{
	struct keys **k = &c->hosts->mixed[t->family][t->dir][profile];
	char base[16];

	snprintf(base, sizeof(base), "%sgrant%u", t->dir == FS_IN ? "in" : "out", profile);

	if (*k == NULL) {
		*k = calloc(1, sizeof(**k));
		if (*k == NULL) {
			c->failed = true;
			return NULL;
		}
		keys_init(*k, base);
	}
	return *k;
}

static void put_mixed(struct compile *c, struct scratch *s, const struct target *t,
    const struct key *key)
{
	for (unsigned profile = 1; profile < PROFILES && !c->failed; profile++) {
		struct scratch those = *s;
		struct keys *keys;

		for (size_t i = those.nsome = 0; i < s->nsome; i++)
			if (profile_of(s->some[i]) == profile)
				those.nsome++;
		if (those.nsome == 0 || (keys = mixed_keys(c, t, profile)) == NULL)
			continue;
		those.some = calloc(those.nsome, sizeof(*those.some));
		if (those.some == NULL) {
			c->failed = true;
			return;
		}
		for (size_t i = those.nsome = 0; i < s->nsome; i++)
			if (profile_of(s->some[i]) == profile)
				those.some[those.nsome++] = s->some[i];
		put_lists(c, &those, t, keys, key);
		free(those.some);
	}
}

static void put_labels(struct compile *c, struct scratch *s, const struct target *t,
    const struct key *key, uint16_t lo, uint16_t hi)
{
	unsigned profile = profile_of(s->some[0]);

	if (s->some[0]->proto != IPPROTO_TCP)
		return;
	if (!is_alike(s, t, lo, hi)) {
		put_mixed(c, s, t, key);
	} else if (profile != 0) {
		c->hosts->used[t->dir][profile] = true;
		keys_put(c, t->f, &c->hosts->labels[t->family][t->dir], key, 0, 0,
		    profile_number(profile), id_of(c, s->some[0]));
	}
}

/* ---- keys ---- */

static void put_key(struct compile *c, struct scratch *s, const struct target *t,
    enum key_kind kind, uint32_t rest, uint16_t lo, uint16_t hi)
{
	struct key key = { kind, t->host, s->some[0]->proto, rest };

	put_lists(c, s, t, &c->hosts->consent[t->family][t->dir], &key);
	if (kind == KEY_PORT || kind == KEY_RANGE)
		put_labels(c, s, t, &key, lo, hi);
}

/* Those of wants[from..to) that this family has and that hold all of lo..hi. */
static bool join(struct scratch *s, const struct target *t, size_t from, size_t to,
    uint16_t lo, uint16_t hi, bool ranges)
{
	s->nsome = 0;
	for (size_t i = from; i < to; i++) {
		const struct want *w = &s->wants[i];

		if (w->lo <= lo && w->hi >= hi && (w->family == 0 || w->family == t->f->v) &&
		    (!ranges || w->lo != w->hi))
			s->some[s->nsome++] = w;
	}
	return s->nsome > 0;
}

static void put_port(struct compile *c, struct scratch *s, const struct target *t,
    size_t from, size_t to, size_t at)
{
	uint16_t port = s->wants[at].lo;
	size_t end = at;

	if (at > from && s->wants[at - 1].lo == port && s->wants[at - 1].hi == port)
		return; /* was joined with the one before */
	while (end < to && s->wants[end].lo == port && s->wants[end].hi == port)
		end++;
	if (join(s, t, at, end, port, port, false))
		put_key(c, s, t, KEY_PORT, port, port, port);
}

/* The classes of a range, but for those that a range before it has, too. */
static void put_range(struct compile *c, struct scratch *s, const struct target *t,
    size_t from, size_t to, size_t at)
{
	const struct want *w = &s->wants[at];
	const struct port_class *k;
	size_t n = classes_of(c, w->proto, w->lo, w->hi, &k);

	for (size_t i = 0; i < n && !c->failed; i++) {
		bool before = false;

		for (size_t j = from; j < at && !before; j++)
			before = s->wants[j].lo != s->wants[j].hi &&
			    s->wants[j].lo <= k[i].lo && s->wants[j].hi >= k[i].hi &&
			    (s->wants[j].family == 0 || s->wants[j].family == t->f->v);
		if (!before && join(s, t, from, to, k[i].lo, k[i].hi, true))
			put_key(c, s, t, KEY_RANGE, class_number(w->proto, k[i].lo), k[i].lo,
			    k[i].hi);
	}
}

static void put_ports(struct compile *c, struct scratch *s, const struct target *t,
    size_t from, size_t to)
{
	for (size_t at = from; at < to && !c->failed; at++) {
		if (s->wants[at].lo == s->wants[at].hi)
			put_port(c, s, t, from, to, at);
		else
			put_range(c, s, t, from, to, at);
	}
}

static void put_types(struct compile *c, struct scratch *s, const struct target *t,
    size_t from, size_t to)
{
	for (unsigned type = 0; type <= UINT8_MAX && !c->failed; type++) {
		int reply = icmp_reply_of(t->f->icmp, (uint16_t)type);

		if (!join(s, t, from, to, (uint16_t)type, (uint16_t)type, false))
			continue;
		put_key(c, s, t, KEY_ICMP, type, 0, 0);
		if (reply >= 0)
			put_key(c, s, t, KEY_ANSWER, (uint32_t)reply, 0, 0);
	}
}

/* ---- hosts ---- */

static void host_address(struct compile *c, struct scratch *s, const struct fs_host *h,
    enum fs_dir dir, const struct netaddr *a)
{
	const int family = a->v == 6;
	const struct target t = { &c->fam[family], dir, a, h->mode == FS_OBSERVE, family };

	for (size_t from = 0, to; from < s->n && !c->failed; from = to) {
		uint8_t proto = s->wants[from].proto;

		for (to = from + 1; to < s->n && s->wants[to].proto == proto; to++)
			;
		if (is_port_proto(proto))
			put_ports(c, s, &t, from, to);
		else if (proto == t.f->icmp)
			put_types(c, s, &t, from, to);
		else if (join(s, &t, from, to, 0, 0, false))
			put_key(c, s, &t, KEY_PROTO, 0, 0, 0);
	}
}

static int hosts_new(struct compile *c)
{
	static const char *const consent[2] = { [FS_IN] = "in", [FS_OUT] = "out" };
	static const char *const labels[2] = { [FS_IN] = "ingrants", [FS_OUT] = "outgrants" };

	c->hosts = calloc(1, sizeof(*c->hosts));
	if (c->hosts == NULL || lists_new(c) == -1 || classes_new(c) == -1)
		return -1;
	for (int i = 0; i < 4; i++) {
		keys_init(&c->hosts->consent[i / 2][i % 2], consent[i % 2]);
		keys_init(&c->hosts->labels[i / 2][i % 2], labels[i % 2]);
	}
	return 0;
}

void compile_hosts(struct compile *c)
{
	struct scratch s;

	memset(&s, 0, sizeof(s));
	if (hosts_new(c) == -1)
		c->failed = true;
	for (uint32_t i = 0; i < c->fs->table[FS_HOSTS].count && !c->failed; i++) {
		const struct fs_host *h = fs_host(c->fs, i);

		for (int dir = FS_IN; dir <= FS_OUT && h->declared; dir++) {
			gather(c, &s, h, (enum fs_dir)dir);
			for (uint32_t a = 0; s.n > 0 && a < h->addresses.count; a++)
				host_address(c, &s, h, (enum fs_dir)dir,
				    &fs_range(c->fs, h->addresses.first + a)->lo);
		}
	}
	if (!c->failed)
		lists_sets(c);
	free(s.wants);
	free(s.some);
	free(s.part);
}

void compile_hosts_free(struct compile *c)
{
	for (int i = 0; c->hosts != NULL && i < 4; i++)
		for (int p = 0; p < PROFILES; p++)
			free(c->hosts->mixed[i / 2][i % 2][p]);
	free(c->hosts);
	lists_free(c->lists);
	classes_free(c->classes);
	free(c->ends);
}
