/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: from sightings and deeds to events in sinks and before watchers */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/state.h"

static const struct netaddr *accused(const struct event *e)
{
	return e->reversed ? &e->dst : &e->src;
}

void engine_tell(struct engine *g, struct event *e, const struct flow_facts *facts)
{
	char *line;

	e->seq = ++g->seq;
	incident_note(g->incidents, e, accused(e));
	line = event_line(e, facts);
	if (!line) {
		log_warnx(
		    "events", "no memory for event %llu", (unsigned long long)e->seq);
		return;
	}
	sinks_write(g->sinks, e, line, strlen(line));
	if (control_watched(g->control))
		control_event(g->control, e->kind, e->host, line, strlen(line));
	free(line);
}

void engine_tell_counted(void *arg, struct event *e)
{
	engine_tell(arg, e, NULL);
}

void engine_event_init(const struct engine *g, struct event *e, enum event_kind kind,
    enum event_action action, enum event_reason reason)
{
	memset(e, 0, sizeof(*e));
	e->time_us = clock_now_us();
	e->count = 1;
	e->kind = (uint8_t)kind;
	e->action = (uint8_t)action;
	e->reason = (uint8_t)reason;
	e->policy = g->policies.now.policy;
}

/* Blocked already, asked for, or refused a moment ago. */
static bool shut_known(struct engine *g, const struct msg_block *b)
{
	return blocklist_find(g->blocks, b) != NULL;
}

void engine_sighting(struct engine *g, const struct msg_sighting *s)
{
	const struct generation *under = generations_find(&g->policies, s->generation);
	struct blocklist_entry *shut = NULL;
	struct decision d;
	struct event e;

	g->sightings++;
	if (!under->fs)
		return; /* no policy yet: the kernel denies, nothing can be named */
	decide(under->fs, g->policies.now.fs, s, &d);
	if (!d.tell)
		return;
	if (d.block && !shut_known(g, &d.shut))
		shut =
		    engine_shut(g, &d.shut); /* before all else: it is what hurries */
	decide_event(under->fs, s, &d, &e);
	e.policy = under->policy;
	/* What the sensor recognised in packets the kernel logged is no packet more. */
	if (dedupe_add(g->dedupe, &e, s->kind == SIGHT_SPOKEN ? 0 : s->count,
		clock_mono_us()) == DEDUPE_TELL)
		engine_tell(g, &e, s->facts.app ? &s->facts : NULL);
	else
		incident_id(g->incidents, &e, accused(&e), e.incident);
	if (shut)
		engine_shut_cause(g, shut, &e);
}

/* What a message of the enforcer's is called in an event. */
static const enum event_reason healths[HEALTH_KINDS] = {
	[HEALTH_ROLE_DIED] = REASON_ROLE_DIED,
	[HEALTH_ROLE_BACK] = REASON_ROLE_BACK,
	[HEALTH_RELOAD_FAILED] = REASON_RELOAD_FAILED,
	[HEALTH_BLOCK_FULL] = REASON_FULL,
	[HEALTH_TABLE_CHANGED] = REASON_TABLE_CHANGED,
	[HEALTH_ADDRESS_MISMATCH] = REASON_ADDRESSES,
	[HEALTH_FORWARDING_OFF] = REASON_FORWARDING,
};

static const char *const role_names[ROLE_COUNT] = { [ROLE_ENFORCER] = "enforcer",
	[ROLE_LOADER] = "loader",
	[ROLE_SENSOR] = "sensor",
	[ROLE_ENGINE] = "engine" };

void engine_health(struct engine *g, const struct msg_health *h)
{
	struct event e;

	engine_event_init(g, &e, EVENT_HEALTH, ACTION_NONE, healths[h->what]);
	if (h->what == HEALTH_ROLE_DIED || h->what == HEALTH_ROLE_BACK)
		snprintf(e.note, sizeof(e.note), "%s%s%.64s", role_names[h->role],
		    h->detail[0] ? ": " : "", h->detail);
	else
		EVENT_SET(e.note, h->detail);
	engine_tell(g, &e, NULL);
}

void engine_policy_event(struct engine *g)
{
	struct event e;

	engine_event_init(g, &e, EVENT_POLICY, ACTION_APPLY,
	    g->policies.now.restored ? REASON_RESTORED : REASON_APPLIED);
	engine_tell(g, &e, NULL);
}

/* Losses are told once the sinks take events again. */
static void tell_lost(struct engine *g)
{
	uint64_t lost = sinks_lost(g->sinks);
	struct sink_stats st;
	struct event e;

	if (lost == g->lost_told)
		return;
	for (size_t i = 0; sinks_stats(g->sinks, i, &st); i++)
		if (st.enabled && (st.err || st.queued))
			return;
	engine_event_init(g, &e, EVENT_HEALTH, ACTION_NONE, REASON_EVENTS_LOST);
	e.count = lost - g->lost_told;
	snprintf(e.note, sizeof(e.note), "%llu records were lost by the sinks",
	    (unsigned long long)e.count);
	g->lost_told = lost;
	engine_tell(g, &e, NULL);
}

void engine_tell_tick(struct engine *g)
{
	dedupe_tick(g->dedupe, clock_mono_us(), engine_tell_counted, g);
	sinks_flush(g->sinks);
	tell_lost(g);
	if (sinks_want_file(g->sinks, clock_mono_us()))
		engine_ask(g, MSG_LOG_REOPEN, NULL);
}
