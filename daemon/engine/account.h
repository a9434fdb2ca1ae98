/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: each packet the kernel counted stands in one event: marking, quotas, rests */
#ifndef ENGINE_ACCOUNT_H
#define ENGINE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/msg.h"

struct engine;
struct event;
struct fs;
struct json_t;

/* What the engine keeps for it; the enforcer's words are of the kernel. */
struct account {
	struct ledger *ledger;
	struct quota *quota;
	struct msg_counted counted; /* of the gateway */
	uint64_t counted_us;        /* when that came, monotonic; 0: not yet */
	uint64_t held, held_told;   /* events that quotas held back */
	uint64_t full_told;         /* packets without room in the set of flows */
	uint64_t lost, lost_told;   /* sightings lost before they came here */
	uint64_t conflicts, conflicts_told; /* bytes that were sent twice, and differed */
	uint64_t due_us;            /* of the health events */
	bool full_known;
};

/* 0 or -1: no memory. */
int account_open(struct account *a);
void account_close(struct account *a);

/* Say in e under which address and kind the kernel counted the packet of s. */
void account_mark(const struct fs *under, const struct msg_sighting *s, struct event *e);
/* Whether another line about this source and host may be written. */
bool account_admit(struct engine *g, const struct event *e);
/* e sums up: cut its count to what the kernel counted and nobody told.  False: that
 * is nothing. */
bool account_claim(struct engine *g, struct event *e);
/* e is written. */
void account_written(struct engine *g, const struct event *e);

/* The enforcer's messages. */
void account_flows(struct engine *g, const struct msg_flows *f);
void account_sums(struct engine *g, const struct msg_sums *s);
void account_counted(struct engine *g, const struct msg_counted *c);
/* A sensor's statistics, those before it; was NULL: it is another one. */
void account_lost(struct engine *g, const struct msg_sensor_stats *was,
    const struct msg_sensor_stats *now);

/* Once a second; and at the end, when nothing more is told. */
void account_tick(struct engine *g, uint64_t mono_us);
void account_flush(struct engine *g);

/* For `status`. */
struct json_t *account_json(const struct engine *g);

#endif
