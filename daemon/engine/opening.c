/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what sensor and kernel say of one opening becomes one event */
#include "engine/opening.h"

#include <stdlib.h>
#include <string.h>

/* Of one packet, the clocks of its two captures differ by less. */
#define SAME_PACKET_US 5000

enum opening_state { OPENING_FREE, OPENING_WAITS, OPENING_TOLD };

struct opening {
	uint8_t state;               /* enum opening_state */
	bool kernel, read, has_then; /* the kernel spoke; facts are there; then is */
	uint64_t until_us;           /* WAITS: told then; TOLD: forgotten then */
	struct event event, then;
	struct flow_facts facts;
};

struct openings {
	opening_tell_fn *f;
	void *arg;
	uint32_t next;  /* the place used longest ago */
	uint32_t waits; /* how many do: a storm of denials is not compared with none */
	struct opening at[OPENINGS_MAX];
};

struct openings *openings_new(opening_tell_fn *f, void *arg)
{
	struct openings *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->f = f;
	o->arg = arg;
	return o;
}

void openings_free(struct openings *o)
{
	free(o);
}

/* Of one connection, whichever way each packet went. */
static bool same_connection(const struct event *a, const struct event *b)
{
	bool turned = a->reversed != b->reversed;

	return a->proto == b->proto && a->sport == (turned ? b->dport : b->sport) &&
	       a->dport == (turned ? b->sport : b->dport) &&
	       netaddr_cmp(&a->src, turned ? &b->dst : &b->src) == 0 &&
	       netaddr_cmp(&a->dst, turned ? &b->src : &b->dst) == 0;
}

static struct opening *find(struct openings *o, const struct event *e)
{
	for (uint32_t i = 0; i < OPENINGS_MAX; i++)
		if (o->at[i].state != OPENING_FREE &&
		    same_connection(&o->at[i].event, e))
			return &o->at[i];
	return NULL;
}

static void tell(struct openings *o, struct opening *n, uint64_t mono_us)
{
	struct event e = n->event;

	n->state = OPENING_TOLD;
	o->waits--;
	n->until_us = mono_us + OPENING_KNOWN_US;
	o->f(o->arg, &e, n->read ? &n->facts : NULL);
	if (n->has_then)
		o->f(o->arg, &n->then, NULL);
	n->has_then = false;
}

static void take_facts(struct opening *n, const struct msg_sighting *s)
{
	if (s->facts.app == APP_NONE)
		return;
	n->facts = s->facts;
	n->read = true;
	if (s->facts.confidence > n->event.confidence)
		n->event.confidence = s->facts.confidence;
}

/* The kernel's word is what is told; it keeps what was known before it came. */
static void take_word(struct opening *n, const struct event *e)
{
	struct event was = n->event;

	n->event = *e;
	n->event.count += n->kernel ? was.count : 0;
	if (was.time_us < e->time_us)
		n->event.time_us = was.time_us;
	if (was.confidence > e->confidence)
		n->event.confidence = was.confidence;
	n->kernel = true;
}

static void again(struct openings *o, struct opening *n, const struct msg_sighting *s,
    const struct event *e, uint64_t mono_us)
{
	bool word = s->kind == SIGHT_EXPOSURE;
	struct event late = *e;

	if (n->state == OPENING_TOLD) {
		if (!word)
			return;
		n->event.action = e->action;
		o->f(o->arg, &late, NULL);
		return;
	}
	if (word)
		take_word(n, e);
	take_facts(n, s);
	if (n->kernel && n->read)
		tell(o, n, mono_us);
}

void openings_add(struct openings *o, const struct msg_sighting *s,
    const struct event *e, uint64_t mono_us)
{
	struct opening *n = find(o, e);

	if (n && n->state == OPENING_TOLD && n->until_us <= mono_us)
		n->state = OPENING_FREE; /* the port is used again */
	else if (n) {
		again(o, n, s, e, mono_us);
		return;
	}
	n = &o->at[o->next];
	o->next = (o->next + 1) % OPENINGS_MAX;
	if (n->state == OPENING_WAITS)
		tell(o, n, mono_us);
	*n = (struct opening){ .state = OPENING_WAITS,
		.until_us = mono_us + OPENING_WAIT_US,
		.kernel = s->kind == SIGHT_EXPOSURE,
		.event = *e };
	o->waits++;
	take_facts(n, s);
}

void openings_dropped(struct openings *o, const struct event *e)
{
	struct opening *n = o->waits ? find(o, e) : NULL;
	int64_t apart;

	if (!n || n->state != OPENING_WAITS || n->event.action != ACTION_ALERT)
		return;
	apart = n->event.time_us - e->time_us;
	if (apart < SAME_PACKET_US && apart > -SAME_PACKET_US)
		n->event.action = ACTION_DROP;
}

bool openings_behind(struct openings *o, const struct event *e)
{
	for (uint32_t i = 0; o->waits && e->incident[0] && i < OPENINGS_MAX; i++) {
		struct opening *n = &o->at[i];

		if (n->state != OPENING_WAITS || n->has_then ||
		    strcmp(n->event.incident, e->incident) != 0)
			continue;
		n->then = *e;
		n->has_then = true;
		return true;
	}
	return false;
}

uint64_t openings_due(struct openings *o, uint64_t mono_us)
{
	uint64_t next = 0;

	for (uint32_t k = 0; o->waits && k < OPENINGS_MAX;
	     k++) { /* in the order they came */
		struct opening *n = &o->at[(o->next + k) % OPENINGS_MAX];

		if (n->state != OPENING_WAITS)
			continue;
		if (n->until_us <= mono_us)
			tell(o, n, mono_us);
		else if (!next || n->until_us < next)
			next = n->until_us;
	}
	return next;
}

void openings_flush(struct openings *o)
{
	openings_due(o, UINT64_MAX - OPENING_KNOWN_US);
}
