/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: asking for blocks, hearing what became of them, telling when they end */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/state.h"

/* A refused source is not asked for again within this time: its next packets would
 * only bring the same answer. */
#define SHUT_RETRY_US 10000000ull
/* An answer that never came. */
#define SHUT_WAIT_US 30000000ull

struct blocklist_entry *engine_shut(struct engine *g, const struct msg_block *b)
{
	uint64_t now = clock_mono_us();
	struct blocklist_entry *e;
	uint32_t id = engine_ask(g, MSG_BLOCK, b);

	if (!id)
		return NULL;
	e = blocklist_add(g->blocks, b);
	if (!e) {
		log_warnx("blocks",
		    "more than %d blocks: those beyond are set, not told",
		    BLOCKLIST_MAX);
		return NULL;
	}
	e->request = id;
	e->asked_us = now;
	e->ends_us = now + SHUT_WAIT_US;
	return e;
}

void engine_shut_cause(
    struct engine *g, struct blocklist_entry *b, const struct event *cause)
{
	b->event = *cause;
	incident_blocked(g->incidents, cause->incident, INCIDENT_ASKED);
}

int engine_unshut(struct engine *g, const struct msg_block *b, uint32_t *ret_id)
{
	uint32_t id = engine_ask(g, MSG_UNBLOCK, b);

	if (!id)
		return -1;
	*ret_id = id;
	return 0;
}

/* The event about a block keeps what is known of its cause: host, rule, incident. */
static void shut_event(const struct engine *g, const struct blocklist_entry *b,
    enum event_kind kind, enum event_action action, enum event_reason reason,
    struct event *ret)
{
	struct event e;

	engine_event_init(g, &e, kind, action, reason);
	e.src = b->block.addr;
	e.side = b->event.side;
	e.mode = b->event.mode;
	memcpy(e.host, b->event.host, sizeof(e.host));
	memcpy(e.rule, b->event.rule, sizeof(e.rule));
	memcpy(e.incident, b->event.incident, sizeof(e.incident));
	memcpy(e.guard, b->event.guard, sizeof(e.guard));
	memcpy(e.attack, b->event.attack, sizeof(e.attack));
	memcpy(e.cve, b->event.cve, sizeof(e.cve));
	memcpy(e.note, b->event.note, sizeof(e.note));
	e.has_block = true;
	e.block = b->block;
	*ret = e;
}

enum event_reason engine_refusal(const struct msg_result *r)
{
	switch ((enum msg_code)r->code) {
	case MSG_E_INVALID:
		return REASON_INVALID;
	case MSG_E_NEVER:
		return REASON_NEVER;
	case MSG_E_FULL:
		return REASON_FULL;
	case MSG_E_ABSENT:
		return REASON_NOT_THERE;
	case MSG_E_BUSY:
		return REASON_BUSY;
	case MSG_OK:
	case MSG_E_POLICY:
	case MSG_E_LOCKOUT:
	case MSG_E_TRIAL:
	case MSG_E_STATE:
	case MSG_E_KERNEL:
		break;
	}
	return REASON_KERNEL;
}

static void shut_set(struct engine *g, struct blocklist_entry *b)
{
	enum event_reason reason = b->block.origin == BLOCK_OPERATOR
				       ? REASON_OPERATOR
				       : (enum event_reason)b->event.reason;
	uint64_t now = clock_mono_us();
	struct event e;

	b->state = BLOCK_SET;
	b->ends_us = b->block.ttl_s ? now + b->block.ttl_s * 1000000ull : UINT64_MAX;
	shut_event(g, b, EVENT_BLOCKED, ACTION_BLOCK, reason, &e);
	e.took_us = (uint32_t)(now - b->asked_us);
	incident_blocked(g->incidents, e.incident, INCIDENT_BLOCKED);
	engine_tell_block(g, &e);
}

static void shut_refused(
    struct engine *g, struct blocklist_entry *b, const struct msg_result *r)
{
	struct event e;

	b->state = BLOCK_REFUSED;
	b->ends_us = clock_mono_us() + SHUT_RETRY_US;
	shut_event(g, b, EVENT_BLOCKED, ACTION_REFUSED, engine_refusal(r), &e);
	if (r->err)
		snprintf(e.note, sizeof(e.note), "%s", strerror(r->err));
	incident_blocked(g->incidents, e.incident, INCIDENT_REFUSED);
	engine_tell_block(g, &e);
}

void engine_shut_result(struct engine *g, uint32_t id, const struct msg_result *r)
{
	struct blocklist_entry *b = blocklist_by_request(g->blocks, id);

	if (!b)
		return;
	b->request = 0;
	if (b->state == BLOCK_SET) { /* it was a request to take it away */
		if (r->code == MSG_OK)
			engine_shut_ended(g, b, REASON_OPERATOR, NULL);
		return;
	}
	if (b->state != BLOCK_ASKED)
		return;
	if (r->code == MSG_OK)
		shut_set(g, b);
	else
		shut_refused(g, b, r);
}

void engine_shut_ended(struct engine *g, struct blocklist_entry *b,
    enum event_reason reason, const char *note)
{
	struct event e;

	shut_event(g, b, EVENT_UNBLOCKED, ACTION_UNBLOCK, reason, &e);
	if (note)
		EVENT_SET(e.note, note);
	incident_blocked(g->incidents, e.incident, INCIDENT_ENDED);
	blocklist_del(g->blocks, b);
	engine_tell_block(g, &e);
}

static void unsee(void *arg, struct blocklist_entry *b)
{
	(void)arg;
	b->seen = b->state != BLOCK_SET;
}

void engine_shut_list(struct engine *g)
{
	if (g->list_id) {
		g->list_again = true;
		return;
	}
	blocklist_each(g->blocks, unsee, NULL);
	g->list_id = engine_ask(g, MSG_LIST_BLOCKS, NULL);
	g->list_again = g->list_id == 0; /* the tick tries again */
}

void engine_shut_listed(struct engine *g, const struct msg_block *b)
{
	struct blocklist_entry *e = blocklist_find(g->blocks, b);

	if (!e) {
		/* of a run before, or one whose answer is still on its way */
		e = blocklist_add(g->blocks, b);
		if (!e)
			return;
		engine_event_init(
		    g, &e->event, EVENT_BLOCKED, ACTION_BLOCK, REASON_FOUND);
		e->state = BLOCK_SET;
	}
	e->seen = true;
	if (e->state == BLOCK_SET) {
		e->block.ttl_s = b->ttl_s;
		e->ends_us =
		    b->ttl_s ? clock_mono_us() + b->ttl_s * 1000000ull : UINT64_MAX;
	}
}

static void end_unseen(void *arg, struct blocklist_entry *b)
{
	if (b->state == BLOCK_SET && !b->seen)
		engine_shut_ended(arg, b, REASON_NOT_THERE, NULL);
}

void engine_shut_list_end(struct engine *g, const struct msg_result *r)
{
	g->list_id = 0;
	if (r->code == MSG_OK)
		blocklist_each(g->blocks, end_unseen, g);
}

static void shut_due(void *arg, struct blocklist_entry *b)
{
	struct engine *g = arg;

	if (b->ends_us > clock_mono_us())
		return;
	if (b->state == BLOCK_SET) {
		engine_shut_ended(g, b, REASON_EXPIRED, NULL);
		return;
	}
	if (b->state == BLOCK_ASKED)
		log_warnx("blocks", "the enforcer did not answer a request to block");
	blocklist_del(g->blocks, b);
}

void engine_shut_tick(struct engine *g)
{
	blocklist_each(g->blocks, shut_due, g);
	if (g->list_again)
		engine_shut_list(g);
}
