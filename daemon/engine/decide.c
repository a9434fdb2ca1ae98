/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: policy x sighting -> decision; pure */
#include "engine/decide.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include <cordon/flowspace.h>
#include <cordon/guard.h>

/* Protocols the policy grants by name: what speaks them, and how it is called. */
static const struct {
	const char *detail;
	uint8_t app, bit, reason;
	const char *attack;
} spoken[] = {
	{ "smb", APP_SMB, FS_SMB, REASON_SMB, "T1021.002" },
	{ "rdp", APP_RDP, FS_RDP, REASON_RDP, "T1021.001" },
};
enum { NSPOKEN = sizeof(spoken) / sizeof(spoken[0]) };

void decide_verdict(const struct fs *fs, const struct msg_sighting *s, bool reversed,
    struct fs_verdict *ret)
{
	bool icmp = s->proto == IPPROTO_ICMP || s->proto == IPPROTO_ICMPV6;
	struct fs_flow flow = {
		.src = reversed ? s->dst : s->src,
		.dst = reversed ? s->src : s->dst,
		.proto = s->proto,
		.dport = reversed && !icmp ? s->sport : s->dport,
		.at = s->time_us / 1000000,
	};

	fs_judge(fs, &flow, ret);
}

/* The side that decided: lacking (a rule, or a grant of `bit`), and of those one
 * that enforces before one that only observes; NULL: none lacks it. */
static const struct fs_side *lacking_side(const struct fs_verdict *v, uint8_t bit)
{
	const struct fs_side *found = NULL;

	for (unsigned i = 0; i < v->nsides; i++) {
		const struct fs_side *side = &v->side[i];

		if (bit ? side->match && (side->grants & bit) : side->match)
			continue;
		if (!found || (found->observed && !side->observed))
			found = side;
	}
	return found;
}

/* By rules alone: what is only observed is not allowed by being let through. */
static bool is_granted(
    const struct fs *fs, const struct msg_sighting *s, bool reversed)
{
	struct fs_verdict v;

	decide_verdict(fs, s, reversed, &v);
	return s->kind == SIGHT_WOULD_DENY ? lacking_side(&v, 0) == NULL
					   : v.result == FS_ALLOW;
}

/* The kernel's detail is an id, and this suffix where it only watched. */
static bool detail_is(const char *detail, const char *id, const char *watched)
{
	size_t len = strlen(id);

	return strncmp(detail, id, len) == 0 && strcmp(detail + len, watched) == 0;
}

static uint32_t guard_by_id(
    const struct fs *fs, const char *detail, const char *watched)
{
	uint32_t n = fs->table[FS_GUARDS].count;

	for (uint32_t i = 0; i < n; i++)
		if (detail_is(detail,
			fs_str(fs, FS_AT(fs, FS_GUARDS, struct guard, i)->id), watched))
			return i;
	return FS_NONE;
}

/* A guard that looks at what servers say hits only that. */
static bool is_answer(const struct fs *fs, const struct msg_sighting *s)
{
	uint32_t guard = guard_by_id(fs, s->detail, "");

	if (guard == FS_NONE)
		guard = guard_by_id(fs, s->detail, "-alert");
	return guard != FS_NONE &&
	       FS_AT(fs, FS_GUARDS, struct guard, guard)->dir == GUARD_TO_CLIENT;
}

bool decide_reversed(const struct fs *fs, const struct msg_sighting *s)
{
	if (s->kind == SIGHT_SPOKEN || (s->kind == SIGHT_GUARD && !s->from_nflog))
		return false; /* client and server are known there */
	if (s->proto == IPPROTO_TCP && (s->tcp_flags & TH_SYN))
		return (s->tcp_flags & TH_ACK) != 0;
	if (s->proto != IPPROTO_TCP && s->proto != IPPROTO_UDP)
		return false;
	if (s->kind == SIGHT_GUARD && is_answer(fs, s))
		return true;
	if (s->kind == SIGHT_WOULD_DENY && s->proto == IPPROTO_UDP)
		return false; /* the kernel tells what opens */
	if (is_granted(fs, s, false))
		return false;
	if (is_granted(fs, s, true))
		return true;
	/* Nothing allows it either way, as of a connection just cut: the lower port
	 * names the server for people; no verdict depends on it. */
	return s->proto == IPPROTO_TCP && s->sport < s->dport;
}

static void name_side(struct decision *d, const struct fs_side *side)
{
	d->host = side->host;
	d->rule = side->match ? side->rule : FS_NONE;
	d->side = side->dir == FS_IN ? SIDE_IN : SIDE_OUT;
	d->mode = side->observed ? MODE_OBSERVE : MODE_ENFORCE;
}

/* Name some side where none is to blame: the server's before the client's. */
static const struct fs_side *any_side(const struct fs_verdict *v)
{
	return v->nsides ? &v->side[v->nsides - 1] : NULL;
}

/* Requirements, as the kernel's gates name them. */
static const struct {
	const char *detail;
	uint8_t bit, reason, app;
} required[] = {
	{ "nla", FS_REQ_NLA, REASON_NLA, APP_RDP },
	{ "smb2", FS_REQ_SMB2, REASON_SMB2, APP_SMB },
	{ "signing", FS_REQ_SIGNING, REASON_SIGNING, APP_SMB },
};

/* A gate of the kernel's: whose rules require it, of those the side that enforces where
 * it was denied, the one that observes where it was only told. */
static bool decide_required(const struct fs_verdict *v, const struct msg_sighting *s,
    struct decision *d)
{
	size_t row = 0, n = sizeof(required) / sizeof(required[0]);
	const struct fs_side *found = NULL;

	while (row < n && strcmp(s->detail, required[row].detail) != 0)
		row++;
	for (unsigned i = 0; i < v->nsides && row < n; i++) {
		const struct fs_side *side = &v->side[i];
		bool fits = side->observed == (s->kind == SIGHT_WOULD_DENY);

		if ((side->require & required[row].bit) && (!found || fits))
			found = side;
	}
	if (!found)
		return false;
	name_side(d, found);
	d->reason = required[row].reason;
	d->app = required[row].app;
	return true;
}

static void decide_denied(const struct fs *fs, const struct fs_verdict *v,
    const struct msg_sighting *s, struct decision *d)
{
	const struct fs_side *side = lacking_side(v, 0);

	if (decide_required(v, s, d))
		return;
	if (side) {
		name_side(d, side);
		d->reason = fs_host(fs, side->host)->declared ? REASON_NO_RULE
							      : REASON_UNDECLARED;
		if (v->reason == FS_WHY_MULTICAST)
			d->reason = REASON_MULTICAST;
		return;
	}
	d->reason = v->nsides ? REASON_STATE : REASON_NOT_OURS;
	if (v->nsides)
		name_side(d, any_side(v));
}

/* What is decided by the source alone: its own host, else the one it went to. */
static void decide_by_place(const struct fs *fs, const struct msg_sighting *s,
    uint8_t reason, struct decision *d)
{
	uint32_t src = fs_place_of(fs, &s->src), dst = fs_place_of(fs, &s->dst);

	d->reason = reason;
	d->host = src != FS_NONE ? src : dst;
	if (d->host != FS_NONE)
		d->side = src != FS_NONE ? SIDE_OUT : SIDE_IN;
	d->mode = MODE_ENFORCE;
}

static int spoken_row(const struct msg_sighting *s)
{
	for (int i = 0; i < NSPOKEN; i++)
		if (s->facts.app == spoken[i].app ||
		    (s->facts.app == APP_NONE &&
			(detail_is(s->detail, spoken[i].detail, "") ||
			    detail_is(s->detail, spoken[i].detail, "-observed"))))
			return i;
	return -1;
}

/* Seen by the sensor alone, where the kernel lets nothing through: unless both sides
 * spoke, past the gateway then. */
static bool is_stopped(const struct fs_verdict *v, const struct msg_sighting *s)
{
	return v->result == FS_DENY && !s->handshake;
}

/* SMB or RDP: said by the kernel, which dropped the opening, or by the sensor, which
 * only saw it. */
static void decide_exposure(
    const struct fs_verdict *v, const struct msg_sighting *s, struct decision *d)
{
	int row = spoken_row(s);
	const struct fs_side *side = row < 0 ? NULL : lacking_side(v, spoken[row].bit);

	d->app = row < 0 ? APP_NONE : spoken[row].app;
	d->confidence =
	    s->facts.confidence ? s->facts.confidence : CONFIDENCE_HANDSHAKE;
	if (s->kind == SIGHT_SPOKEN && !side) {
		d->tell = false; /* granted, or not ours */
		return;
	}
	d->reason = row < 0 ? REASON_STATE : spoken[row].reason;
	if (!side)
		side = any_side(v);
	if (side)
		name_side(d, side);
	d->kind = EVENT_EXPOSURE;
	if (d->mode == MODE_OBSERVE)
		d->action = ACTION_WOULD_DROP;
	else
		d->action = s->kind == SIGHT_EXPOSURE || is_stopped(v, s)
				? ACTION_DROP
				: ACTION_ALERT;
}

/* The side whose guard did the most about it: drop before alert, enforcing before
 * observed. */
static void decide_guard(const struct fs *fs, const struct fs_verdict *v,
    const struct msg_sighting *s, struct decision *d)
{
	enum fs_guard_action action = FS_GUARD_OFF;
	const struct fs_side *found = NULL;
	bool watched = false, late = !s->from_nflog;

	d->kind = EVENT_GUARD;
	d->reason = REASON_GUARD;
	d->guard = guard_by_id(fs, s->detail, "");
	if (d->guard == FS_NONE) {
		d->guard = guard_by_id(fs, s->detail, "-alert");
		watched = d->guard != FS_NONE;
	}
	for (unsigned i = 0; i < v->nsides && d->guard != FS_NONE; i++) {
		const struct fs_side *side = &v->side[i];
		const struct netaddr *peer =
		    (side->dir == FS_IN) != d->reversed ? &s->src : &s->dst;
		enum fs_guard_action a = fs_guard_action_of(
		    fs, side->host, d->guard, peer, s->time_us / 1000000);

		if (a > action || (a == action && found && found->observed)) {
			action = a;
			found = side;
		}
	}
	if (!found)
		found = any_side(v);
	if (found)
		name_side(d, found);
	d->tell = !late || action != FS_GUARD_OFF; /* the sensor asks for no host */
	if (d->mode == MODE_OBSERVE && action != FS_GUARD_ALERT)
		d->action = ACTION_WOULD_DROP;
	else if (watched || late || action == FS_GUARD_ALERT)
		d->action = ACTION_ALERT; /* the sensor's has passed; what comes next may not */
	else
		d->action = ACTION_DROP;
	d->shuts = late && d->mode != MODE_OBSERVE && action == FS_GUARD_DROP;
}

/* Whether the sorted, disjoint ranges at first[0..n), stride bytes apart, touch r. */
static bool ranges_touch(
    const void *first, size_t stride, size_t n, const struct netrange *r)
{
	const struct netrange *at;
	size_t lo = 0, hi = n;

	while (lo < hi) { /* the first range that does not end before r */
		size_t mid = lo + (hi - lo) / 2;

		at = (const void *)((const char *)first + mid * stride);
		if (netaddr_cmp(&at->hi, &r->lo) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == n)
		return false;
	at = (const void *)((const char *)first + lo * stride);
	return netaddr_cmp(&at->lo, &r->hi) <= 0;
}

bool decide_blockable(const struct fs *fs, const struct netaddr *a, unsigned prefixlen)
{
	const struct fs_span spans[] = { fs->settings.addresses,
		fs->settings.management, fs->settings.never };
	struct netrange r = netrange_of_prefix(a, prefixlen);

	if (a->v == 0 || netaddr_is_multicast(a))
		return false;
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		if (ranges_touch(fs_range(fs, spans[i].first), sizeof(struct netrange),
			spans[i].count, &r))
			return false;
	/* struct fs_place begins with its range */
	return !ranges_touch(fs_table(fs, FS_PLACES), sizeof(struct fs_place),
	    fs->table[FS_PLACES].count, &r);
}

static bool block_wanted(
    const struct fs *now, const struct msg_sighting *s, const struct decision *d)
{
	uint8_t on = now->settings.block_on;

	if (!s->handshake || s->proto != IPPROTO_TCP || d->mode != MODE_ENFORCE)
		return false;
	if (d->kind == EVENT_GUARD)
		return (on & FS_ON_GUARD) && (d->action == ACTION_DROP || d->shuts);
	return d->kind == EVENT_EXPOSURE && (on & FS_ON_EXPOSURE);
}

void decide_shut(const struct fs *now, const struct netaddr *client, struct decision *d)
{
	struct msg_block *b = &d->shut;

	memset(b, 0, sizeof(*b));
	b->addr = *client;
	b->prefixlen = b->addr.v == 4 ? 32 : 64;
	if (b->addr.v == 6 && !decide_blockable(now, &b->addr, 64))
		b->prefixlen = 128; /* it lives beside somebody who is needed */
	d->refused = !decide_blockable(now, &b->addr, b->prefixlen);
	if (d->refused)
		return;
	b->origin = BLOCK_AUTO;
	b->scope = now->settings.block_scope;
	b->ttl_s = now->settings.block_ttl_s;
	d->block = b->ttl_s > 0;
}

bool decide_named(const struct fs *now, const struct msg_block *b)
{
	struct netrange r = netrange_of_prefix(&b->addr, b->prefixlen);
	struct fs_span last = { 0, 0 };

	for (uint32_t i = 0; i < now->table[FS_RULES].count; i++) {
		struct fs_span peers = fs_rule(now, i)->peers;

		if (peers.first == last.first && peers.count == last.count)
			continue; /* lists are stored once */
		if (ranges_touch(fs_range(now, peers.first), sizeof(struct netrange),
			peers.count, &r))
			return true;
		last = peers;
	}
	return false;
}

bool decide_session(const struct fs *fs, const struct msg_sighting *s, struct decision *ret)
{
	struct decision d;
	struct fs_verdict v;

	memset(&d, 0, sizeof(d));
	d.tell = true;
	d.guard = FS_NONE;
	d.app = s->facts.app;
	d.confidence = s->facts.confidence;
	decide_verdict(fs, s, false, &v);
	if (v.nsides == 0)
		return false;
	name_side(&d, any_side(&v));
	for (unsigned i = 0; i < v.nsides; i++)
		if (v.side[i].observed)
			d.mode = MODE_OBSERVE;
	*ret = d;
	return true;
}

static bool is_middle(const struct msg_sighting *s)
{
	return s->proto == IPPROTO_TCP && (s->tcp_flags & (TH_SYN | TH_ACK)) != TH_SYN;
}

void decide(const struct fs *under, const struct fs *now, const struct msg_sighting *s,
    struct decision *ret)
{
	struct decision d = { .tell = true,
		.kind = EVENT_DENIED,
		.action = ACTION_DROP,
		.host = FS_NONE,
		.rule = FS_NONE,
		.guard = FS_NONE };
	struct fs_verdict v;

	d.reversed = decide_reversed(under, s);
	decide_verdict(under, s, d.reversed, &v);
	switch ((enum sighting_kind)s->kind) {
	case SIGHT_DENIED:
		decide_denied(under, &v, s, &d);
		break;
	case SIGHT_WOULD_DENY:
		d.kind = EVENT_WOULD_DENY;
		d.action = ACTION_WOULD_DROP;
		decide_denied(under, &v, s, &d);
		/* a connection from before, told by an answer that a rule allows */
		d.tell = d.reason != REASON_STATE || !is_middle(s);
		break;
	case SIGHT_SPOOF:
		decide_by_place(under, s, REASON_SPOOF, &d);
		break;
	case SIGHT_BLOCKED:
		decide_by_place(under, s, REASON_BLOCKED, &d);
		break;
	case SIGHT_CONDEMNED:
		d.reason = REASON_CONDEMNED;
		if (v.nsides)
			name_side(&d, any_side(&v));
		break;
	case SIGHT_EXPOSURE:
	case SIGHT_SPOKEN:
		decide_exposure(&v, s, &d);
		break;
	case SIGHT_GUARD:
		decide_guard(under, &v, s, &d);
		break;
	case SIGHT_HALF_OPEN: /* nothing by itself: behaviour.c */
		d.action = ACTION_ALERT;
		if (v.nsides)
			name_side(&d, any_side(&v));
		d.tell = false;
		break;
	case SIGHT_KINDS:
		d.tell = false;
		break;
	}
	if (d.tell && block_wanted(now, s, &d))
		decide_shut(now, d.reversed ? &s->dst : &s->src, &d);
	*ret = d;
}

static void event_guard(const struct fs *fs, uint32_t index, struct event *e)
{
	const struct guard *g = FS_AT(fs, FS_GUARDS, struct guard, index);

	EVENT_SET(e->guard, fs_str(fs, g->id));
	EVENT_SET(e->title, fs_str(fs, g->title));
	EVENT_SET(e->attack, fs_str(fs, g->attack));
	for (uint32_t i = 0; i < g->cve_count && i < EVENT_CVES; i++)
		EVENT_SET(e->cve[i],
		    fs_str(fs, *FS_AT(fs, FS_WORDS, uint32_t, g->cve_first + i)));
	if (g->protocol & FS_SMB)
		e->app = APP_SMB;
	else if (g->protocol & FS_RDP)
		e->app = APP_RDP;
}

void decide_event(const struct fs *under, const struct msg_sighting *s,
    const struct decision *d, struct event *ret)
{
	struct event *e = ret;

	memset(e, 0, sizeof(*e));
	e->time_us = s->time_us;
	e->count = s->count;
	e->kind = d->kind;
	e->action = d->action;
	e->reason = d->reason;
	e->side = d->side;
	e->mode = d->mode;
	e->reversed = d->reversed;
	e->proto = s->proto;
	e->app = d->app;
	e->confidence = d->confidence;
	e->src = s->src;
	e->dst = s->dst;
	e->sport = s->sport;
	e->dport = s->dport;
	EVENT_SET(e->iface, s->iface);
	if (d->host != FS_NONE)
		EVENT_SET(e->host, fs_str(under, fs_host(under, d->host)->name));
	if (d->rule != FS_NONE)
		EVENT_SET(e->rule, fs_str(under, fs_rule(under, d->rule)->id));
	if (d->guard != FS_NONE)
		event_guard(under, d->guard, e);
	else if (d->kind == EVENT_GUARD)
		EVENT_SET(e->guard, s->detail);
	if (d->refused)
		snprintf(e->note, sizeof(e->note), "not blocked: %s",
		    event_reasons[REASON_NEVER].what);
	for (int i = 0; d->kind == EVENT_EXPOSURE && i < NSPOKEN; i++)
		if (spoken[i].app == d->app)
			EVENT_SET(e->attack, spoken[i].attack);
}
