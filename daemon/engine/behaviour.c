/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what many sightings together mean: scans, guessed passwords, identities */
#include "engine/behaviour.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include <cordon/flowspace.h>
#include <cordon/posture.h>

#include "base/clock.h"
#include "engine/state.h"

enum { LOOKS_PER_S = 20 };

/* ---- telling ---- */

/* Ask for the block that d wants, tell e, and why there is none. */
static void tell(struct engine *g, const struct decision *d, struct event *e,
    const struct flow_facts *facts, const char *unblocked)
{
	struct blocklist_entry *shut = NULL;

	if (d->block && !blocklist_find(g->blocks, &d->shut))
		shut = engine_shut(g, &d->shut);
	if (unblocked)
		snprintf(e->note, sizeof(e->note), "not blocked: %s", unblocked);
	engine_tell_flow(g, e, facts);
	if (shut)
		engine_shut_cause(g, shut, e);
	if (d->refused)
		incident_blocked(g->incidents, e->incident, INCIDENT_REFUSED);
}

static void behaviour_event(const struct generation *under, const struct msg_sighting *s,
    const struct decision *d, const struct event_behaviour *b, const char *attack,
    struct event *ret)
{
	decide_event(under->fs, s, d, ret);
	ret->policy = under->policy;
	ret->count = 1; /* packets are counted by the events about them */
	ret->behaviour = *b;
	EVENT_SET(ret->attack, attack);
}

/* ---- scans ---- */

/* A packet that asks.  Answers that come late, from low to high ports, do not; nor do
 * packets of connections cut in the middle. */
static bool is_question(const struct msg_sighting *s, const struct decision *d)
{
	if (d->reversed || d->host == FS_NONE)
		return false;
	if (s->proto == IPPROTO_TCP)
		return (s->tcp_flags & (TH_SYN | TH_ACK)) == TH_SYN;
	if (s->proto == IPPROTO_UDP)
		return s->sport >= 1024 || s->dport < 1024;
	if (s->proto == IPPROTO_ICMP)
		return s->dport == 8;
	return s->proto == IPPROTO_ICMPV6 ? s->dport == 128 : true;
}

static bool is_refusal(const struct decision *d)
{
	return (d->kind == EVENT_DENIED || d->kind == EVENT_WOULD_DENY) &&
	       (d->reason == REASON_NO_RULE || d->reason == REASON_UNDECLARED);
}

/* A flood of forged scans is not to keep the engine busy: each look is at all rules. */
static bool may_look(struct engine *g)
{
	uint64_t second = clock_mono_us() / 1000000;

	if (g->look_second != second)
		g->looks = 0;
	g->look_second = second;
	return g->looks++ < LOOKS_PER_S;
}

/* Who denies can't know whether the source is forged.  Only a source that no rule lets
 * in may be shut out for it: it loses nothing. */
static const char *scan_shut(
    struct engine *g, const struct msg_sighting *s, bool denied, struct decision *d)
{
	const struct fs *now = g->policies.now.fs;

	if (!(now->settings.block_on & FS_ON_SCAN) || !denied || d->mode != MODE_ENFORCE)
		return NULL;
	decide_shut(now, &s->src, d);
	if (d->refused)
		return event_reasons[REASON_NEVER].what;
	if (d->block && !may_look(g)) {
		d->block = false;
		return "too many scans at once";
	}
	if (d->block && decide_named(now, &d->shut)) {
		d->block = false;
		return "a rule names the source, and its address may be forged";
	}
	d->shut.scope = FS_SCOPE_LEGACY;
	return NULL;
}

static void see_refusal(struct engine *g, const struct generation *under,
    const struct msg_sighting *s, const struct decision *decided)
{
	const struct fs_settings *set = &under->fs->settings;
	struct scan_limits limits = { set->scan_targets, set->scan_within_s };
	struct scan_ask ask = { .source = s->src,
		.host = s->dst,
		.port = s->dport,
		.proto = s->proto,
		.observed = decided->kind == EVENT_WOULD_DENY || s->kind == SIGHT_HALF_OPEN,
		.count = s->count };
	struct decision d = *decided;
	struct event_behaviour b;
	const char *unblocked;
	struct event e;
	bool denied;

	if (!scan_note(g->scans, &ask, &limits, clock_mono_us(), &b, &denied))
		return;
	watched_scanner(g->watched, &s->src);
	d.kind = EVENT_SCAN;
	d.action = ACTION_ALERT;
	d.reason = REASON_SCAN;
	d.rule = FS_NONE;
	unblocked = scan_shut(g, s, denied, &d);
	behaviour_event(under, s, &d, &b, "T1046", &e);
	tell(g, &d, &e, NULL, unblocked);
}

/* Rules let the SYN pass, nothing came of it.  One such says nothing; ports of a host or
 * hosts of a port are counted as what is observed. */
static void see_half_open(struct engine *g, const struct generation *under,
    const struct msg_sighting *s, const struct decision *d)
{
	struct fs_verdict v;

	decide_verdict(under->fs, s, false, &v);
	if (v.nsides > 0 && v.result == FS_ALLOW && d->host != FS_NONE)
		see_refusal(g, under, s, d);
}

/* ---- sessions ---- */

static void see_logons(
    struct engine *g, const struct generation *under, const struct msg_sighting *s)
{
	const struct fs *now = g->policies.now.fs;
	const struct fs_settings *set = &under->fs->settings;
	struct force_limits limits = { set->logon_failures, set->logon_attempts,
		set->logon_within_s };
	struct event_behaviour b;
	struct decision d;
	struct event e;

	if (!decide_session(under->fs, s, &d) ||
	    !force_note(g->forces, s, &limits, clock_mono_us(), &b))
		return;
	d.kind = EVENT_BRUTEFORCE;
	d.action = ACTION_ALERT;
	d.reason = REASON_BRUTEFORCE;
	if (s->handshake && d.mode == MODE_ENFORCE &&
	    (now->settings.block_on & FS_ON_BRUTEFORCE))
		decide_shut(now, &s->src, &d);
	behaviour_event(under, s, &d, &b, "T1110", &e);
	tell(g, &d, &e, &s->facts, d.refused ? event_reasons[REASON_NEVER].what : NULL);
}

static const uint8_t identity_reasons[] = {
	[POSTURE_SEEN_AGREES] = REASON_IDENTITY_AGREES,
	[POSTURE_SEEN_DIFFERS] = REASON_IDENTITY_DIFFERS,
	[POSTURE_SEEN_UNKNOWN] = REASON_IDENTITY_UNKNOWN,
};

static void see_identity(
    struct engine *g, const struct generation *under, const struct msg_sighting *s)
{
	struct identity found;
	struct decision d;
	struct event e;

	if (!identity_note(g->identities, under->fs, s, clock_mono_us(), &found) ||
	    !decide_session(under->fs, s, &d))
		return;
	d.kind = EVENT_IDENTITY;
	d.action = ACTION_NONE;
	d.reason = identity_reasons[found.verdict];
	d.rule = FS_NONE;
	d.host = found.host;
	decide_event(under->fs, s, &d, &e);
	e.policy = under->policy;
	EVENT_SET(e.note, found.text);
	engine_tell(g, &e, &s->facts);
}

/* ---- what observed hosts were asked for ---- */

static void watch_side(struct engine *g, const struct fs_side *side,
    const struct msg_sighting *s, const struct decision *d)
{
	const struct netaddr *client = d->reversed ? &s->dst : &s->src;
	const struct netaddr *server = d->reversed ? &s->src : &s->dst;
	bool icmp = s->proto == IPPROTO_ICMP || s->proto == IPPROTO_ICMPV6;
	bool in = side->dir == FS_IN;
	struct watch_flow f;

	memset(&f, 0, sizeof(f));
	f.host = in ? *server : *client;
	f.peer = in ? *client : *server;
	f.proto = s->proto;
	f.dir = (uint8_t)side->dir;
	f.port = d->reversed && !icmp ? s->sport : s->dport;
	f.count = s->count;
	f.first_us = f.last_us = s->time_us;
	f.middle = s->proto == IPPROTO_TCP && d->kind == EVENT_WOULD_DENY &&
		   !(s->tcp_flags & TH_SYN);
	if (d->kind == EVENT_GUARD) {
		f.why = WATCH_GUARD;
		EVENT_SET(f.guard, s->detail);
	} else if (d->kind == EVENT_EXPOSURE) {
		f.why = d->app == APP_RDP ? WATCH_RDP : WATCH_SMB;
	}
	if (f.why)
		f.count = 0; /* the connection was counted when it opened */
	watched_add(g->watched, &f);
	store_touch(g->store);
}

static void see_observed(struct engine *g, const struct generation *under,
    const struct msg_sighting *s, const struct decision *d)
{
	struct fs_verdict v;

	if (d->kind != EVENT_WOULD_DENY && d->kind != EVENT_GUARD &&
	    d->kind != EVENT_EXPOSURE)
		return;
	decide_verdict(under->fs, s, d->reversed, &v);
	for (unsigned i = 0; i < v.nsides; i++)
		if (v.side[i].observed && !v.side[i].match)
			watch_side(g, &v.side[i], s, d);
}

void engine_behaviour(struct engine *g, const struct generation *under,
    const struct msg_sighting *s, const struct decision *d)
{
	if (s->kind == SIGHT_SPOKEN) {
		see_logons(g, under, s);
		see_identity(g, under, s);
	}
	if (s->kind == SIGHT_HALF_OPEN)
		see_half_open(g, under, s, d);
	if (!d->tell)
		return;
	if (is_refusal(d) && is_question(s, d))
		see_refusal(g, under, s, d);
	see_observed(g, under, s, d);
}
