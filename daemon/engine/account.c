/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: each packet the kernel counted stands in one event: marking, quotas, rests */
#include "engine/account.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <cordon/flowspace.h>

#include "base/clock.h"
#include "engine/ledger.h"
#include "engine/quota.h"
#include "engine/state.h"

int account_open(struct account *a)
{
	a->ledger = ledger_new();
	a->quota = quota_new();
	return a->ledger && a->quota ? 0 : -1;
}

void account_close(struct account *a)
{
	ledger_free(a->ledger);
	quota_free(a->quota);
}

/* ---- which of the kernel's counters ---- */

static const uint8_t kinds[SIGHT_KINDS] = {
	[SIGHT_DENIED] = TALLY_DENIED,
	[SIGHT_WOULD_DENY] = TALLY_WOULD_DENY,
	[SIGHT_SPOOF] = TALLY_SPOOF,
	[SIGHT_EXPOSURE] = TALLY_EXPOSURE,
	[SIGHT_GUARD] = TALLY_GUARD,
	[SIGHT_CONDEMNED] = TALLY_CONDEMNED,
	[SIGHT_BLOCKED] = TALLY_BLOCKED,
	[SIGHT_SPOKEN] = TALLY_KINDS, /* the sensor's own */
	[SIGHT_HALF_OPEN] = TALLY_KINDS,
};

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static uint8_t kind_of(const struct msg_sighting *s)
{
	if (s->kind == SIGHT_EXPOSURE && ends_with(s->detail, "-observed"))
		return TALLY_EXPOSURE_SEEN;
	if (s->kind == SIGHT_GUARD && ends_with(s->detail, "-alert"))
		return TALLY_GUARD_SEEN;
	return kinds[s->kind];
}

/* As the set `hosts4` or `hosts6` has it: a declared host's own address. */
static bool is_host(const struct fs *fs, const struct netaddr *a)
{
	uint32_t i = fs_place_of(fs, a);

	return i != FS_NONE && fs_host(fs, i)->declared;
}

void account_mark(const struct fs *under, const struct msg_sighting *s, struct event *e)
{
	/* watched sides are reported one by one */
	bool to = s->kind != SIGHT_WOULD_DENY || strcmp(s->detail, "out") != 0;
	bool from = s->kind != SIGHT_WOULD_DENY || strcmp(s->detail, "in") != 0;

	if (!s->from_nflog || kind_of(s) == TALLY_KINDS)
		return;
	e->tally = (uint8_t)(kind_of(s) + 1);
	if (to && is_host(under, &s->dst))
		e->tally_addr = s->dst;
	else if (from && is_host(under, &s->src))
		e->tally_addr = s->src;
}

/* ---- telling ---- */

bool account_admit(struct engine *g, const struct event *e)
{
	const struct fs *fs = g->policies.now.fs;

	if (!fs || quota_take(g->account.quota, e->reversed ? &e->dst : &e->src,
		       fs->settings.log_source_quota, e->host, fs->settings.log_host_quota,
		       clock_mono_us()))
		return true;
	g->account.held++;
	return false;
}

bool account_claim(struct engine *g, struct event *e)
{
	if (e->tally)
		e->count = ledger_claim(g->account.ledger, &e->tally_addr,
		    (uint8_t)(e->tally - 1), e->count);
	return e->count > 0;
}

static bool send_told(void *arg, const struct msg_sum *s)
{
	struct engine *g = arg;

	return msg_send(g->parent, MSG_TOLD, 0, s, NULL) == 0;
}

void account_written(struct engine *g, const struct event *e)
{
	struct msg_sum s;

	if (!e->tally)
		return;
	memset(&s, 0, sizeof(s));
	s.packets = e->count;
	s.addr = e->tally_addr;
	s.kind = (uint8_t)(e->tally - 1);
	s.what = TALLY_TOLD;
	/* at once: an engine that is killed now must not have told it in vain */
	ledger_told(g->account.ledger, &s.addr, s.kind, s.packets, send_told(g, &s));
}

/* What each kind's rest is told as. */
static const struct {
	uint8_t kind, action, reason, mode;
} rests[TALLY_KINDS] = {
	[TALLY_DENIED] = { EVENT_DENIED, ACTION_DROP, REASON_OVERFLOW, MODE_ENFORCE },
	[TALLY_WOULD_DENY] = { EVENT_WOULD_DENY, ACTION_WOULD_DROP, REASON_OVERFLOW,
	    MODE_OBSERVE },
	[TALLY_SPOOF] = { EVENT_DENIED, ACTION_DROP, REASON_SPOOF, MODE_ENFORCE },
	[TALLY_BLOCKED] = { EVENT_DENIED, ACTION_DROP, REASON_BLOCKED, MODE_ENFORCE },
	[TALLY_CONDEMNED] = { EVENT_DENIED, ACTION_DROP, REASON_CONDEMNED, MODE_ENFORCE },
	[TALLY_EXPOSURE] = { EVENT_EXPOSURE, ACTION_DROP, REASON_OVERFLOW, MODE_ENFORCE },
	[TALLY_EXPOSURE_SEEN] = { EVENT_EXPOSURE, ACTION_WOULD_DROP, REASON_OVERFLOW,
	    MODE_OBSERVE },
	[TALLY_GUARD] = { EVENT_GUARD, ACTION_DROP, REASON_OVERFLOW, MODE_ENFORCE },
	[TALLY_GUARD_SEEN] = { EVENT_GUARD, ACTION_ALERT, REASON_OVERFLOW, MODE_NONE },
};

static void tell_rest(void *arg, const struct tally_row *row, uint64_t packets)
{
	struct engine *g = arg;
	const struct fs *fs = g->policies.now.fs;
	char addr[NETADDR_STRLEN] = "no declared host";
	uint32_t host;
	struct event e;

	engine_event_init(g, &e, rests[row->kind].kind, rests[row->kind].action,
	    rests[row->kind].reason);
	e.mode = rests[row->kind].mode;
	e.count = packets;
	e.tally = (uint8_t)(row->kind + 1);
	e.tally_addr = row->addr;
	if (row->addr.v) {
		netaddr_format(&row->addr, addr);
		host = fs ? fs_place_of(fs, &row->addr) : FS_NONE;
		if (host != FS_NONE)
			EVENT_SET(e.host, fs_str(fs, fs_host(fs, host)->name));
	}
	snprintf(e.note, sizeof(e.note), "packets of %s that no other event counts", addr);
	engine_tell(g, &e, NULL);
}

/* ---- what the enforcer and the sensor say ---- */

/* What a denied flow's event may have been told as. */
void account_flows(struct engine *g, const struct msg_flows *f)
{
	static const uint8_t denied[] = { REASON_NO_RULE, REASON_UNDECLARED, REASON_STATE,
		REASON_NOT_OURS, REASON_MULTICAST };

	for (uint32_t i = 0; i < f->n; i++) {
		const struct msg_flow *m = &f->at[i];
		uint8_t reason = rests[m->kind].reason;
		struct event e;

		memset(&e, 0, sizeof(e));
		e.kind = rests[m->kind].kind;
		e.action = rests[m->kind].action;
		e.proto = m->proto;
		e.src = m->src;
		e.dst = m->dst;
		e.dport = m->dport;
		for (size_t k = 0; k < sizeof(denied); k++) {
			e.reason = reason == REASON_OVERFLOW ? denied[k] : reason;
			if (dedupe_flow(g->dedupe, &e, m->packets) ||
			    reason != REASON_OVERFLOW)
				break;
		}
	}
}

void account_sums(struct engine *g, const struct msg_sums *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		ledger_sum(g->account.ledger, &s->at[i]);
}

static uint64_t without_room(const struct msg_counted *c)
{
	uint64_t sum = 0;

	for (int k = 0; k < TALLY_KINDS; k++)
		sum += c->total[k][TALLY_OVERFLOW];
	return sum;
}

void account_counted(struct engine *g, const struct msg_counted *c)
{
	struct account *a = &g->account;

	a->counted = *c;
	a->counted_us = clock_mono_us();
	if (!a->full_known) /* what was before is told by the rests */
		a->full_told = without_room(c);
	a->full_known = true;
	dedupe_settle(g->dedupe, clock_now_us());
}

void account_lost(struct engine *g, const struct msg_sensor_stats *was,
    const struct msg_sensor_stats *now)
{
	uint64_t before = was ? was->nflog_lost + was->lost : 0;
	uint64_t after = now->nflog_lost + now->lost;

	if (after > before)
		g->account.lost += after - before;
	before = was ? was->conflicts : 0;
	if (now->conflicts > before)
		g->account.conflicts += now->conflicts - before;
}

/* ---- once a period ---- */

static void tell_health(struct engine *g, enum event_reason reason, uint64_t now,
    uint64_t *told)
{
	struct event e;

	if (now <= *told)
		return;
	engine_event_init(g, &e, EVENT_HEALTH, ACTION_NONE, reason);
	e.count = now - *told;
	*told = now;
	engine_tell(g, &e, NULL);
}

static void tell_healths(struct engine *g)
{
	struct account *a = &g->account;

	tell_health(g, REASON_LOG_QUOTA, a->held, &a->held_told);
	tell_health(g, REASON_FLOWS_FULL, without_room(&a->counted), &a->full_told);
	tell_health(g, REASON_UNHEARD, a->lost, &a->lost_told);
	tell_health(g, REASON_CONFLICT, a->conflicts, &a->conflicts_told);
}

void account_tick(struct engine *g, uint64_t mono_us)
{
	struct account *a = &g->account;

	ledger_tick(a->ledger, mono_us, tell_rest, g);
	ledger_unsent(a->ledger, send_told, g);
	if (mono_us < a->due_us)
		return;
	a->due_us = mono_us + LEDGER_PERIOD_US;
	tell_healths(g);
}

void account_flush(struct engine *g)
{
	tell_healths(g);
	ledger_unsent(g->account.ledger, send_told, g);
}

/* ---- status ---- */

enum { ROWS_SHOWN = 20000 }; /* of about 180 bytes; an answer has 8 MB */

static json_t *terms(const uint64_t sum[static TALLY_TOLD], uint64_t logged)
{
	json_t *o = json_object();

	json_object_set_new(o, "packets", json_integer((json_int_t)sum[TALLY_HITS]));
	json_object_set_new(o, "logged", json_integer((json_int_t)logged));
	json_object_set_new(o, "suppressed", json_integer((json_int_t)sum[TALLY_SUPPRESSED]));
	json_object_set_new(o, "overflow", json_integer((json_int_t)sum[TALLY_OVERFLOW]));
	return o;
}

struct lister {
	const struct fs *fs;
	json_t *list;
	uint32_t more; /* rows there was no room for */
};

static void row_json(void *arg, const struct tally_row *r)
{
	struct lister *l = arg;
	uint64_t other = r->sum[TALLY_SUPPRESSED] + r->sum[TALLY_OVERFLOW];
	uint64_t logged = r->sum[TALLY_HITS] > other ? r->sum[TALLY_HITS] - other : 0;
	bool declared = r->addr.v && l->fs && is_host(l->fs, &r->addr);
	char addr[NETADDR_STRLEN] = "";
	json_t *o;

	if (json_array_size(l->list) == ROWS_SHOWN) {
		l->more++;
		return;
	}
	o = terms(r->sum, logged);

	if (r->addr.v)
		netaddr_format(&r->addr, addr);
	json_object_set_new(o, "addr", event_text_or_null(addr));
	/* null: of no declared host, or of one that left the policy */
	json_object_set_new(o, "host", event_text_or_null(!declared ? NULL :
	    fs_str(l->fs, fs_host(l->fs, fs_place_of(l->fs, &r->addr))->name)));
	json_object_set_new(o, "kind", json_string(tally_kinds[r->kind]));
	json_object_set_new(o, "told", json_integer((json_int_t)r->sum[TALLY_TOLD]));
	json_array_append_new(l->list, o);
}

struct json_t *account_json(const struct engine *g)
{
	const struct account *a = &g->account;
	struct lister l = { .fs = g->policies.now.fs, .list = json_array() };
	json_t *all = json_object();

	for (int k = 0; k < TALLY_KINDS; k++)
		if (a->counted.total[k][TALLY_HITS] > 0)
			json_object_set_new(all, tally_kinds[k],
			    terms(a->counted.total[k], a->counted.total[k][TALLY_LOGGED]));
	ledger_each(a->ledger, row_json, &l);
	return json_pack("{s:o, s:o, s:o, s:i, s:I, s:I}", "age_s",
	    a->counted_us ? json_integer(
				(json_int_t)((clock_mono_us() - a->counted_us) / 1000000)) :
			    json_null(),
	    "gateway", all, "hosts", l.list, "more", (int)l.more, "held_back", (json_int_t)a->held,
	    "unheard", (json_int_t)a->lost);
}
