/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: from sightings and deeds to events in sinks and before watchers */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "engine/behaviour.h"
#include "engine/state.h"

static const struct netaddr *accused(const struct event *e)
{
	return e->reversed ? &e->dst : &e->src;
}

void engine_tell(struct engine *g, struct event *e, const struct flow_facts *facts)
{
	char *line;

	e->seq = ++g->seq;
	store_touch(g->store);
	incident_note(g->incidents, e, accused(e));
	line = event_line(e, facts);
	if (!line) {
		log_warnx(
		    "events", "no memory for event %llu", (unsigned long long)e->seq);
		return;
	}
	if (sinks_write(g->sinks, e, line, strlen(line)))
		account_written(g, e);
	if (control_watched(g->control))
		control_event(g->control, e->kind, e->host, line, strlen(line));
	free(line);
}

/* What a quota holds back is told with the host's rest (engine/ledger.h). */
void engine_tell_counted(void *arg, struct event *e)
{
	struct engine *g = arg;

	if (!account_claim(g, e) || (e->tally && !account_admit(g, e)))
		return;
	engine_tell(g, e, NULL);
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

void engine_tell_block(struct engine *g, struct event *e)
{
	if (!openings_behind(g->openings, e))
		engine_tell(g, e, NULL);
}

/* Tell it, or count it with what was told of its flow. */
void engine_tell_flow(struct engine *g, struct event *e, const struct flow_facts *facts)
{
	if (!dedupe_knows(g->dedupe, e) && !account_admit(g, e)) {
		dedupe_hold(g->dedupe, e, clock_mono_us());
		incident_note(g->incidents, e, accused(e));
	} else if (dedupe_add(g->dedupe, e, clock_mono_us()) == DEDUPE_TELL)
		engine_tell(g, e, facts);
	else
		incident_id(g->incidents, e, accused(e), e->incident);
}

void engine_tell_opening(void *arg, struct event *e, const struct flow_facts *facts)
{
	if (e->kind == EVENT_EXPOSURE)
		engine_tell_flow(arg, e, facts);
	else
		engine_tell(arg, e, NULL);
}

/* True: it is told later. */
static bool sighting_event(struct engine *g, const struct msg_sighting *s,
    const struct decision *d, struct event *e)
{
	if (d->kind == EVENT_EXPOSURE) {
		incident_begin(g->incidents, e, accused(e));
		openings_add(g->openings, s, e, clock_mono_us());
		return true;
	}
	if (d->action == ACTION_DROP)
		openings_dropped(g->openings, e);
	engine_tell_flow(g, e, s->facts.app ? &s->facts : NULL);
	return false;
}

static bool judge(struct engine *g, const struct msg_sighting *s)
{
	const struct generation *under = generations_find(&g->policies, s->generation);
	struct blocklist_entry *shut = NULL;
	struct decision d;
	struct event e;
	bool later;

	if (!under->fs)
		return false; /* no policy came: the kernel denies, nothing can be named
			       */
	decide(under->fs, g->policies.now.fs, s, &d);
	if (!d.tell) {
		engine_behaviour(g, under, s, &d);
		return false;
	}
	if (d.block && !shut_known(g, &d.shut))
		shut =
		    engine_shut(g, &d.shut); /* before all else: it is what hurries */
	decide_event(under->fs, s, &d, &e);
	account_mark(under->fs, s, &e);
	e.policy = under->policy;
	later = sighting_event(g, s, &d, &e);
	if (shut)
		engine_shut_cause(g, shut, &e);
	if (d.refused)
		incident_blocked(g->incidents, e.incident, INCIDENT_REFUSED);
	engine_behaviour(g, under, s, &d); /* what it completes is told behind it */
	return later;
}

/* due_us 0: nothing waits. */
static void wait_until(struct engine *g, uint64_t due_us)
{
	uint64_t now = clock_mono_us();
	uint64_t ms = due_us > now ? (due_us - now) / 1000 + 1 : 0;

	g->waiting = due_us != 0 && loop_rearm(g->wait_timer, ms) == 0;
}

void engine_sighting(struct engine *g, const struct msg_sighting *s)
{
	bool later = early_take(g->early, &g->policies, s, clock_mono_us());

	g->sightings++;
	if (!later)
		later = judge(g, s);
	if (later && !g->waiting)
		wait_until(g, clock_mono_us() + OPENING_WAIT_US);
}

void engine_tell_waiting(struct engine *g)
{
	static struct msg_sighting s; /* large; one loop, one thread */
	uint64_t due, next;

	while (early_next(g->early, &g->policies, clock_mono_us(), &s, &due))
		judge(g, &s);
	next = openings_due(g->openings, clock_mono_us());
	wait_until(g, due && (!next || due < next) ? due : next);
}

void engine_tell_rest(struct engine *g)
{
	static struct msg_sighting s;
	uint64_t due;

	while (early_next(g->early, &g->policies, UINT64_MAX, &s, &due))
		judge(g, &s);
	openings_flush(g->openings);
}

/* What a message of the enforcer's is called in an event. */
static const enum event_reason healths[HEALTH_KINDS] = {
	[HEALTH_ROLE_DIED] = REASON_ROLE_DIED,
	[HEALTH_ROLE_BACK] = REASON_ROLE_BACK,
	[HEALTH_RELOAD_FAILED] = REASON_RELOAD_FAILED,
	[HEALTH_BLOCK_FULL] = REASON_FULL,
	[HEALTH_TABLE_CHANGED] = REASON_TABLE_CHANGED,
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

static const enum event_reason deeds[DEEDS] = {
	[DEED_APPLIED] = REASON_APPLIED,
	[DEED_RESTORED] = REASON_RESTORED,
	[DEED_TRIAL] = REASON_TRIAL,
	[DEED_CONFIRMED] = REASON_CONFIRMED,
	[DEED_REVERTED] = REASON_REVERTED,
	[DEED_ROLLED_BACK] = REASON_ROLLED_BACK,
	[DEED_REVERTED_START] = REASON_REVERTED_START,
	[DEED_UNCHANGED] = REASON_APPLIED, /* of no event */
};

void engine_policy_event(struct engine *g, uint32_t deed, uint32_t trial_s)
{
	struct event e;

	engine_event_init(g, &e, EVENT_POLICY, ACTION_APPLY, deeds[deed]);
	if (trial_s)
		snprintf(e.note, sizeof(e.note), "%u s are left to confirm it", trial_s);
	engine_tell(g, &e, NULL);
}

/* Where it stands among those in force, or their number. */
static uint32_t finding_at(const struct engine *g, const struct msg_finding *f)
{
	uint32_t i;

	for (i = 0; i < g->nfindings; i++)
		if (strcmp(g->finding[i].word, f->word) == 0 &&
		    strcmp(g->finding[i].object, f->object) == 0)
			break;
	return i;
}

static void finding_keep(struct engine *g, const struct msg_finding *f)
{
	uint32_t i = finding_at(g, f);

	if (f->on && i < FINDINGS_MAX) {
		g->finding[i] = *f;
		g->nfindings += i == g->nfindings;
	} else if (!f->on && i < g->nfindings) {
		g->nfindings--;
		memmove(g->finding + i, g->finding + i + 1,
		    (g->nfindings - i) * sizeof(*g->finding));
	}
}

void engine_finding(struct engine *g, const struct msg_finding *f)
{
	struct event e;

	finding_keep(g, f);
	if (f->known)
		return;
	engine_event_init(g, &e, EVENT_HEALTH, ACTION_NONE,
	    f->on ? REASON_FINDING : REASON_FINDING_OVER);
	EVENT_SET(e.guard, f->word);
	snprintf(e.note, sizeof(e.note), "%s%s%.*s", f->object, f->object[0] ? ": " : "",
	    EVENT_NOTE_LEN - FINDING_OBJECT_LEN - 3, f->what);
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
	account_tick(g, clock_mono_us());
	sinks_flush(g->sinks);
	tell_lost(g);
	if (sinks_want_file(g->sinks, clock_mono_us()))
		engine_ask(g, MSG_LOG_REOPEN, NULL);
}
