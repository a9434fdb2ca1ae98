/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the verbs of the control socket (priv/ctl.h): questions and answers */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cordon/flowspace.h>

#include "base/clock.h"
#include "engine/control_policy.h"
#include "engine/state.h"

enum {
	WAIT_MS = 5000,
	INCIDENTS_SHOWN = 50,
	TTL_MAX_S = 30 * 86400
};

static void wait_for(struct client *c, uint32_t id, uint32_t timeout_ms)
{
	if (id)
		control_wait(c, id, timeout_ms);
	else
		control_end(c, 6, "the enforcer can't be asked");
}

/* ---- status ---- */
static void ask_status(void *arg, struct client *c, const json_t *args)
{
	struct engine *g = arg;

	(void)args;
	wait_for(c, engine_ask(g, MSG_GET_STATUS, NULL), WAIT_MS);
}

static json_t *time_or_null(int64_t seconds)
{
	char buf[EVENT_TIME_LEN];

	return seconds ? json_string(event_time(seconds * 1000000, buf)) : json_null();
}

static const char *hex_of(const uint8_t digest[static 32], char ret[static 65])
{
	for (size_t i = 0; i < 32; i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	return ret;
}

/* The policy that `rollback`, or a confirm that does not come, returns to. */
static json_t *back_status(const struct msg_status *s)
{
	char hex[65];

	return !s->back ? json_null() :
	    json_pack("{s:s, s:o, s:o}", "digest", hex_of(s->back_digest, hex), "commit",
		event_text_or_null(s->back_commit), "applied",
		time_or_null(s->back_applied_at));
}

static json_t *policy_status(const struct engine *g, const struct msg_status *s)
{
	const struct generation *now = &g->policies.now;
	char hex[65] = "";

	if (now->fs)
		hex_of(now->policy.digest, hex);
	return json_pack("{s:o, s:o, s:i, s:o, s:b, s:b, s:o, s:o}", "digest",
	    event_text_or_null(hex), "commit", event_text_or_null(s->commit), "generation",
	    (int)s->generation, "applied", time_or_null(s->applied_at), "restored",
	    now->restored, "held", s->held != 0, "confirm_s",
	    s->trial_s ? json_integer(s->trial_s) : json_null(), "rollback_to",
	    back_status(s));
}

static json_t *hosts_status(const struct engine *g)
{
	const struct fs *fs = g->policies.now.fs;
	int declared = 0, prefixes = 0, observed = 0;

	for (uint32_t i = 0; fs && i < fs->table[FS_HOSTS].count; i++) {
		const struct fs_host *h = fs_host(fs, i);

		declared += h->declared;
		prefixes += !h->declared;
		observed += h->mode == FS_OBSERVE;
	}
	return json_pack("{s:i, s:i, s:i, s:i}", "declared", declared, "prefixes",
	    prefixes, "enforced", declared + prefixes - observed, "observed", observed);
}

static json_t *kernel_status(const struct msg_status *s)
{
	return json_pack("{s:i, s:i, s:i, s:b, s:b, s:b, s:I, s:I}", "sets",
	    (int)s->sets, "elements", (int)s->elements, "blocks", (int)s->blocks,
	    "owned", s->owned != 0, "forwarding4", s->forwarding4 != 0, "forwarding6",
	    s->forwarding6 != 0, "denied_packets", (json_int_t)s->denied_packets,
	    "denied_bytes", (json_int_t)s->denied_bytes);
}

static json_t *sensor_status(const struct engine *g, const struct msg_status *s)
{
	const struct msg_sensor_stats *st = &g->sensor_stats;

	return json_pack("{s:b, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "up",
	    s->sensor_up && g->sensor >= 0, "restarts", (int)s->restarts[ROLE_SENSOR],
	    "handles", (int)st->handles, "packets", (json_int_t)st->packets, "dropped",
	    (json_int_t)st->dropped, "flows", (json_int_t)st->flows, "evicted",
	    (json_int_t)st->evicted, "let_go", (json_int_t)st->let_go, "conflicts",
	    (json_int_t)st->conflicts, "sightings", (json_int_t)st->sightings, "lost",
	    (json_int_t)st->lost);
}

static json_t *sinks_status(const struct engine *g)
{
	json_t *list = json_array();
	struct sink_stats st;

	for (size_t i = 0; sinks_stats(g->sinks, i, &st); i++)
		json_array_append_new(list,
		    json_pack("{s:s, s:b, s:I, s:I, s:i, s:o}", "name", st.name,
			"enabled", st.enabled, "written", (json_int_t)st.written,
			"lost", (json_int_t)st.lost, "queued", (int)st.queued, "error",
			st.err ? json_string(strerror(st.err)) : json_null()));
	return list;
}

static json_t *engine_status(const struct engine *g, const struct msg_status *s)
{
	struct dedupe_stats d;

	dedupe_stats(g->dedupe, &d);
	return json_pack("{s:i, s:o, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:o}",
	    "restarts", (int)s->restarts[ROLE_ENGINE], "since",
	    time_or_null(g->start_us / 1000000), "sightings", (json_int_t)g->sightings,
	    "events", (json_int_t)g->seq, "suppressed", (json_int_t)d.counted,
	    "overflow", (json_int_t)d.overflow, "flows", (int)d.entries, "incidents",
	    (int)incidents_count(g->incidents), "clients",
	    (int)control_clients(g->control), "blocks", (int)blocklist_count(g->blocks),
	    "sinks", sinks_status(g));
}

static json_t *findings_status(const struct engine *g)
{
	static const char *const severities[FINDING_SEVERITIES] = {
		[FINDING_NOTE] = "note",
		[FINDING_WARNING] = "warning",
		[FINDING_CRITICAL] = "critical",
	};
	json_t *list = json_array();

	for (uint32_t i = 0; i < g->nfindings; i++) {
		const struct msg_finding *f = &g->finding[i];

		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:o, s:s, s:s, s:o}", "finding", f->word,
			"severity", severities[f->severity], "object",
			event_text_or_null(f->object), "what", f->what, "mend", f->mend,
			"since", time_or_null(f->since)));
	}
	return list;
}

static void answer_status(
    struct engine *g, struct client *c, const struct msg_status *s)
{
	control_row(
	    c, json_pack("{s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o}", "version",
		   CORDON_VERSION, "findings", findings_status(g), "policy", policy_status(g, s), "hosts",
		   hosts_status(g), "rules", (int)s->rules, "kernel", kernel_status(s),
		   "sensor", sensor_status(g, s), "engine", engine_status(g, s),
		   "counts", account_json(g)));
	control_end(c, 0, NULL);
}

/* ---- incidents, watch ---- */
static void incident_row(void *arg, struct json_t *row)
{
	control_row(arg, row);
}

static void ask_incidents(void *arg, struct client *c, const json_t *args)
{
	struct engine *g = arg;
	const json_t *limit = json_object_get(args, "limit");
	json_int_t n = limit ? json_integer_value(limit) : INCIDENTS_SHOWN;

	if (limit && (!json_is_integer(limit) || n < 1)) {
		control_end(c, 2, "limit is a number from 1 on");
		return;
	}
	incidents_list(g->incidents, json_string_value(json_object_get(args, "host")),
	    n > INCIDENTS_MAX ? INCIDENTS_MAX : (uint32_t)n, incident_row, c);
	control_end(c, 0, NULL);
}

static void ask_watch(void *arg, struct client *c, const json_t *args)
{
	const char *host = json_string_value(json_object_get(args, "host"));
	json_t *kinds = json_object_get(args, "kind"), *kind;
	uint32_t bits = 0;
	size_t i;

	(void)arg;
	json_array_foreach(kinds, i, kind)
	{
		const char *name = json_string_value(kind);
		enum event_kind k = name ? event_kind_by_name(name) : EVENT_KINDS;

		if (k == EVENT_KINDS) {
			control_end(c, 2, "there is no such kind of event");
			return;
		}
		bits |= 1u << k;
	}
	control_watch(c, bits, host ? host : "");
}

/* ---- block, blocks, unblock ---- */
static const char *const scopes[] = {
	[FS_SCOPE_LEGACY] = "legacy", [FS_SCOPE_ALL] = "all"
};
static const char *const origins[] = {
	[BLOCK_AUTO] = "auto", [BLOCK_OPERATOR] = "operator"
};

/* A static text that says what is wrong, or NULL. */
static const char *parse_addr(const json_t *args, struct msg_block *ret)
{
	const char *text = json_string_value(json_object_get(args, "addr"));
	struct netrange r;
	int len;

	if (!text || netrange_parse(text, &r, NULL) < 0)
		return "addr is an address, or an IPv6 /64";
	len = netrange_prefixlen(&r);
	if (len != (int)(8 * netaddr_size(&r.lo)) && !(r.lo.v == 6 && len == 64))
		return "addr is one address, or an IPv6 /64";
	ret->addr = r.lo;
	ret->prefixlen = (uint8_t)len;
	return NULL;
}

static const char *parse_block(
    const struct engine *g, const json_t *args, struct msg_block *ret)
{
	const struct fs *fs = g->policies.now.fs;
	const json_t *ttl = json_object_get(args, "ttl_s");
	const char *scope = json_string_value(json_object_get(args, "scope"));
	const char *wrong = parse_addr(args, ret);

	if (wrong)
		return wrong;
	if (!fs)
		return "there is no policy yet";
	if (ttl && (!json_is_integer(ttl) || json_integer_value(ttl) < 0 ||
		       json_integer_value(ttl) > TTL_MAX_S))
		return "ttl_s is 0 (until unblocked) to 2592000";
	if (scope && strcmp(scope, "legacy") != 0 && strcmp(scope, "all") != 0)
		return "scope is legacy or all";
	ret->ttl_s = ttl ? (uint32_t)json_integer_value(ttl) : fs->settings.block_ttl_s;
	ret->scope = scope ? strcmp(scope, "all") == 0 : fs->settings.block_scope;
	ret->origin = BLOCK_OPERATOR;
	ret->legacy = fs_place_of(fs, &ret->addr) != FS_NONE;
	return NULL;
}

static json_t *block_row(struct engine *g, const struct msg_block *b)
{
	const struct blocklist_entry *e = blocklist_find(g->blocks, b);
	char addr[NETRANGE_STRLEN];
	struct netrange r = netrange_of_prefix(&b->addr, b->prefixlen);

	/* the kernel's element does not say who asked for it */
	return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "addr",
	    netrange_format(&r, addr), "origin",
	    origins[(e && e->event.reason != REASON_FOUND ? e->block.origin
							  : b->origin) &
		    1],
	    "scope", scopes[b->scope & 1], "legacy", b->legacy, "ttl_s",
	    b->ttl_s ? json_integer(b->ttl_s) : json_null(), "host",
	    event_text_or_null(e ? e->event.host : NULL), "reason",
	    event_text_or_null(e ? event_reasons[e->event.reason].name : NULL), "note",
	    event_text_or_null(e ? e->event.note : NULL), "incident",
	    event_text_or_null(e ? e->event.incident : NULL));
}

static void ask_block(void *arg, struct client *c, const json_t *args)
{
	const char *note = json_string_value(json_object_get(args, "reason"));
	struct engine *g = arg;
	struct msg_block b = { 0 };
	const char *wrong = parse_block(g, args, &b);
	struct blocklist_entry *entry;
	struct event cause;
	uint32_t host;

	if (wrong) {
		control_end(c, 2, wrong);
		return;
	}
	entry = blocklist_find(g->blocks, &b);
	if (entry)
		blocklist_del(g->blocks, entry); /* an operator's replaces it */
	entry = engine_shut(g, &b);
	if (!entry) {
		control_end(c, 6, "the enforcer can't be asked");
		return;
	}
	engine_event_init(g, &cause, EVENT_BLOCKED, ACTION_BLOCK, REASON_OPERATOR);
	EVENT_SET(cause.note, note ? note : "");
	host = fs_place_of(g->policies.now.fs, &b.addr);
	if (host != FS_NONE)
		EVENT_SET(cause.host, fs_str(g->policies.now.fs,
					  fs_host(g->policies.now.fs, host)->name));
	engine_shut_cause(g, entry, &cause);
	control_row(c, block_row(g, &b));
	control_wait(c, entry->request, WAIT_MS);
}

static void ask_blocks(void *arg, struct client *c, const json_t *args)
{
	struct engine *g = arg;

	(void)args;
	wait_for(c, engine_ask(g, MSG_LIST_BLOCKS, NULL), WAIT_MS);
}

static void ask_unblock(void *arg, struct client *c, const json_t *args)
{
	struct engine *g = arg;
	struct msg_block b = { .origin = BLOCK_OPERATOR };
	const char *wrong = parse_addr(args, &b);
	struct blocklist_entry *entry = wrong ? NULL : blocklist_find(g->blocks, &b);
	uint32_t id;

	if (wrong) {
		control_end(c, 2, wrong);
		return;
	}
	if (entry)
		b = entry->block; /* as it was set: scope, prefix */
	if (engine_unshut(g, &b, &id) < 0) {
		control_end(c, 6, "the enforcer can't be asked");
		return;
	}
	if (entry)
		entry->request = id;
	control_wait(c, id, WAIT_MS);
}

/* Exit code and words of a refusal. */
static void refuse(struct client *c, const struct msg_result *r)
{
	char text[160];
	int code = r->code == MSG_E_NEVER ? 5 : r->code == MSG_E_INVALID ? 2 : 6;

	if (r->code == MSG_E_ABSENT)
		snprintf(text, sizeof(text), "there is no such block");
	else
		snprintf(text, sizeof(text), "%s%s%s",
		    event_reasons[engine_refusal(r)].what, r->err ? ": " : "",
		    r->err ? strerror(r->err) : "");
	control_end(c, code, text);
}

static void answer_result(struct client *c, const struct msg_result *r)
{
	if (r->code == MSG_OK)
		control_end(c, 0, NULL);
	else
		refuse(c, r);
}

const struct control_verb engine_verbs[] = {
	{ "status", false, ask_status },
	{ "incidents", false, ask_incidents },
	{ "watch", false, ask_watch },
	{ "suggest", false, ask_suggest },
	{ "block", true, ask_block },
	{ "blocks", false, ask_blocks },
	{ "unblock", true, ask_unblock },
	{ "reload", true, ask_reload },
	{ "confirm", true, ask_confirm },
	{ "rollback", true, ask_rollback },
	{ 0 },
};

void engine_answer(struct engine *g, enum msg_type type, uint32_t id,
    const union msg_body *body, int fd)
{
	struct client *c = control_waiting(g->control, id);

	if (!c)
		return;
	if (type == MSG_STATUS)
		answer_status(g, c, &body->status);
	else if (type == MSG_BLOCK_ENTRY)
		control_row(c, block_row(g, &body->block));
	else if (type == MSG_BLOCKS_END)
		control_end(c, body->result.code == MSG_OK ? 0 : 6,
		    body->result.code == MSG_OK ? NULL
						: "the kernel's blocks can't be read");
	else if (type == MSG_RESULT)
		answer_result(c, &body->result);
	else if (type == MSG_RELOAD_RESULT)
		answer_reload(c, &body->result, fd);
}
