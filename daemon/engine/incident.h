/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: incidents: events of one source, host and kind, grouped */
#ifndef ENGINE_INCIDENT_H
#define ENGINE_INCIDENT_H

#include <stdint.h>

#include "engine/event.h"

struct json_t;
struct incidents;

/* A table of fixed size; when it is full the one longest quiet is forgotten.  One
 * that was quiet for INCIDENT_GAP_US is over: what comes then opens a new one. */
enum { INCIDENTS_MAX = 4096 };
#define INCIDENT_GAP_US 3600000000ll

enum incident_block { INCIDENT_NOT_BLOCKED, INCIDENT_ASKED, INCIDENT_BLOCKED,
	INCIDENT_REFUSED, INCIDENT_ENDED };

/* start_us: in the ids, so that those of two runs differ.  max 0: INCIDENTS_MAX.
 * NULL: no memory. */
struct incidents *incidents_new(int64_t start_us, uint32_t max);
void incidents_free(struct incidents *t);

/* Account e to its incident and write the id into e->incident.  source: who is
 * behind it (the client, which need not be e->src).  Only the kinds that accuse
 * somebody have incidents; else e is untouched. */
void incident_note(struct incidents *t, struct event *e, const struct netaddr *source);

/* The same for an event that is told a little later: it has an id already, and counts
 * then. */
void incident_begin(struct incidents *t, struct event *e, const struct netaddr *source);

/* Id of the open incident that e would be accounted to; else *ret is untouched. */
void incident_id(struct incidents *t, const struct event *e, const struct netaddr *source,
    char ret[static EVENT_INCIDENT_LEN]);

/* What became of the request to block its source.  Unknown ids are legal. */
void incident_blocked(struct incidents *t, const char *id, enum incident_block state);

/* Call f with a new object for each incident, newest first, up to limit, of one host
 * (NULL: all); f takes the reference. */
void incidents_list(const struct incidents *t, const char *host, uint32_t limit,
    void (*f)(void *arg, struct json_t *row), void *arg);

uint32_t incidents_count(const struct incidents *t);

/* One as it is kept over a restart: no pointers, no indexes. */
struct incident_kept {
	char id[EVENT_INCIDENT_LEN];
	uint8_t kind, block; /* enum event_kind, enum incident_block */
	struct netaddr source;
	struct event last;
	int64_t first_us, last_us;
	uint64_t events, packets;
};

/* Call f for each, the one longest quiet first. */
void incidents_each(const struct incidents *t,
    void (*f)(void *arg, const struct incident_kept *n), void *arg);
/* Put one back in front of the others (event_valid(), terminated id, known kind). */
void incidents_restore(struct incidents *t, const struct incident_kept *n);

#endif
