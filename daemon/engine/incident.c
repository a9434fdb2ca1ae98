/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: incidents: events of one source, host and kind, grouped */
#include "engine/incident.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NIL = UINT32_MAX };

/* In the list of all by age of the last event: newer, older.  chain: of its hash. */
struct incident {
	struct incident_kept k; /* of `last` host, rule, flow, reason are shown */
	uint32_t chain, newer, older;
};

struct incidents {
	uint32_t max, count, newest, oldest, serial, start_s;
	uint8_t secret[crypto_shorthash_KEYBYTES];
	struct incident *at;
	uint32_t *hash;
};

struct incidents *incidents_new(int64_t start_us, uint32_t max)
{
	struct incidents *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->max = max ? max : INCIDENTS_MAX;
	t->start_s = (uint32_t)(start_us / 1000000);
	t->at = calloc(t->max, sizeof(*t->at));
	t->hash = calloc(t->max, sizeof(*t->hash));
	if (!t->at || !t->hash) {
		incidents_free(t);
		return NULL;
	}
	crypto_shorthash_keygen(t->secret);
	t->newest = t->oldest = NIL;
	memset(t->hash, 0xff, t->max * sizeof(*t->hash));
	return t;
}

void incidents_free(struct incidents *t)
{
	if (!t)
		return;
	free(t->at);
	free(t->hash);
	free(t);
}

uint32_t incidents_count(const struct incidents *t)
{
	return t->count;
}

static uint32_t *chain_of(
    struct incidents *t, uint8_t kind, const struct netaddr *source, const char *host)
{
	struct {
		uint8_t kind;
		struct netaddr source;
		char host[EVENT_HOST_LEN];
	} key;
	uint64_t h;

	memset(&key, 0, sizeof(key));
	key.kind = kind;
	key.source = *source;
	snprintf(key.host, sizeof(key.host), "%s", host);
	crypto_shorthash((uint8_t *)&h, (uint8_t *)&key, sizeof(key), t->secret);
	return &t->hash[h % t->max];
}

static void list_unlink(struct incidents *t, uint32_t i)
{
	struct incident *n = &t->at[i];

	*(n->newer == NIL ? &t->newest : &t->at[n->newer].older) = n->older;
	*(n->older == NIL ? &t->oldest : &t->at[n->older].newer) = n->newer;
}

static void list_front(struct incidents *t, uint32_t i)
{
	struct incident *n = &t->at[i];

	n->newer = NIL;
	n->older = t->newest;
	*(t->newest == NIL ? &t->oldest : &t->at[t->newest].newer) = i;
	t->newest = i;
}

static void chain_remove(struct incidents *t, uint32_t i)
{
	const struct incident *n = &t->at[i];
	uint32_t *link = chain_of(t, n->k.kind, &n->k.source, n->k.last.host);

	while (*link != NIL && *link != i)
		link = &t->at[*link].chain;
	if (*link == i)
		*link = n->chain;
}

/* A place for a new incident: a free one, else that of the longest quiet. */
static uint32_t incident_slot(struct incidents *t)
{
	uint32_t i;

	if (t->count < t->max)
		return t->count++;
	i = t->oldest;
	chain_remove(t, i);
	list_unlink(t, i);
	return i;
}

static uint32_t incident_find(
    struct incidents *t, const struct event *e, const struct netaddr *source)
{
	uint32_t i = *chain_of(t, e->kind, source, e->host);

	for (; i != NIL; i = t->at[i].chain) {
		const struct incident *n = &t->at[i];

		if (n->k.kind == e->kind && netaddr_cmp(&n->k.source, source) == 0 &&
		    strcmp(n->k.last.host, e->host) == 0 &&
		    e->time_us - n->k.last_us < INCIDENT_GAP_US)
			return i;
	}
	return NIL;
}

static uint32_t incident_open(
    struct incidents *t, const struct event *e, const struct netaddr *source)
{
	uint32_t i = incident_slot(t), *chain = chain_of(t, e->kind, source, e->host);
	struct incident *n = &t->at[i];

	*n = (struct incident){ .k = { .kind = e->kind,
				    .source = *source,
				    .first_us = e->since_us ? e->since_us : e->time_us },
		.chain = *chain };
	*chain = i;
	snprintf(
	    n->k.id, sizeof(n->k.id), "%08" PRIx32 "-%" PRIu32, t->start_s, ++t->serial);
	list_front(t, i);
	return i;
}

/* Those that accuse a source; the rest are deeds and states of the gateway. */
static bool has_incident(enum event_kind kind)
{
	return event_kinds[kind].alert;
}

/* That of e, found or opened, in front, its id in e; NULL: e has none. */
static struct incident *incident_of(
    struct incidents *t, struct event *e, const struct netaddr *source)
{
	uint32_t i;

	if (!has_incident((enum event_kind)e->kind) || source->v == 0)
		return NULL;
	i = incident_find(t, e, source);
	if (i == NIL) {
		i = incident_open(t, e, source);
	} else {
		list_unlink(t, i);
		list_front(t, i);
	}
	EVENT_SET(e->incident, t->at[i].k.id);
	return &t->at[i];
}

static void incident_last(struct incident *n, const struct event *e)
{
	n->k.last = *e;
	if (e->time_us > n->k.last_us)
		n->k.last_us = e->time_us;
}

void incident_note(struct incidents *t, struct event *e, const struct netaddr *source)
{
	struct incident *n = incident_of(t, e, source);

	if (!n)
		return;
	incident_last(n, e);
	n->k.events++;
	n->k.packets += e->count;
}

void incident_begin(struct incidents *t, struct event *e, const struct netaddr *source)
{
	struct incident *n = incident_of(t, e, source);

	if (n && n->k.events == 0)
		incident_last(n, e);
}

void incident_id(struct incidents *t, const struct event *e,
    const struct netaddr *source, char ret[static EVENT_INCIDENT_LEN])
{
	uint32_t i = incident_find(t, e, source);

	if (i != NIL)
		event_set(ret, EVENT_INCIDENT_LEN, t->at[i].k.id);
}

void incident_blocked(struct incidents *t, const char *id, enum incident_block state)
{
	for (uint32_t i = t->newest; *id && i != NIL; i = t->at[i].older)
		if (strcmp(t->at[i].k.id, id) == 0) {
			t->at[i].k.block = (uint8_t)state;
			return;
		}
}

static const char *const block_states[] = { [INCIDENT_NOT_BLOCKED] = NULL,
	[INCIDENT_ASKED] = "asked",
	[INCIDENT_BLOCKED] = "blocked",
	[INCIDENT_REFUSED] = "refused",
	[INCIDENT_ENDED] = "ended" };

static json_t *incident_json(const struct incident *n)
{
	char first[EVENT_TIME_LEN], last[EVENT_TIME_LEN], source[NETADDR_STRLEN];
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I}",
	    "id", n->k.id, "kind", event_kinds[n->k.kind].name, "source",
	    netaddr_format(&n->k.source, source), "first", event_time(n->k.first_us, first),
	    "last", event_time(n->k.last_us, last), "host",
	    event_text_or_null(n->k.last.host), "rule", event_text_or_null(n->k.last.rule),
	    "direction", event_text_or_null(event_sides[n->k.last.side]), "events",
	    (json_int_t)n->k.events, "packets", (json_int_t)n->k.packets);
	char dst[NETADDR_STRLEN];

	if (!o)
		return NULL;
	if (n->k.last.dst.v)
		json_object_set_new(
		    o, "dest_ip", json_string(netaddr_format(&n->k.last.dst, dst)));
	json_object_set_new(o, "proto", json_integer(n->k.last.proto));
	json_object_set_new(o, "dest_port", json_integer(n->k.last.dport));
	json_object_set_new(o, "app_proto",
	    n->k.last.app ? json_string(app_name(n->k.last.app)) : json_null());
	json_object_set_new(o, "action", json_string(event_actions[n->k.last.action]));
	json_object_set_new(
	    o, "reason", json_string(event_reasons[n->k.last.reason].name));
	json_object_set_new(o, "what",
	    json_string(
		n->k.last.title[0] ? n->k.last.title : event_reasons[n->k.last.reason].what));
	json_object_set_new(o, "attack", event_text_or_null(n->k.last.attack));
	json_object_set_new(o, "commit", event_text_or_null(n->k.last.policy.commit));
	json_object_set_new(o, "block", event_text_or_null(block_states[n->k.block]));
	return o;
}

void incidents_list(const struct incidents *t, const char *host, uint32_t limit,
    void (*f)(void *arg, struct json_t *row), void *arg)
{
	for (uint32_t i = t->newest; i != NIL && limit > 0; i = t->at[i].older) {
		json_t *row;

		if (host && strcmp(host, t->at[i].k.last.host) != 0)
			continue;
		row = incident_json(&t->at[i]);
		if (!row)
			return;
		f(arg, row);
		limit--;
	}
}

void incidents_each(const struct incidents *t,
    void (*f)(void *arg, const struct incident_kept *n), void *arg)
{
	for (uint32_t i = t->oldest; i != NIL; i = t->at[i].newer)
		f(arg, &t->at[i].k);
}

void incidents_restore(struct incidents *t, const struct incident_kept *kept)
{
	uint32_t i = incident_slot(t);
	uint32_t *chain = chain_of(t, kept->kind, &kept->source, kept->last.host);

	t->at[i] = (struct incident){ .k = *kept, .chain = *chain };
	*chain = i;
	list_front(t, i);
}
