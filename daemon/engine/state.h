/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the engine's one state, and how its parts call each other */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/account.h"
#include "engine/blocklist.h"
#include "engine/bruteforce.h"
#include "engine/control.h"
#include "engine/decide.h"
#include "engine/dedupe.h"
#include "engine/early.h"
#include "engine/generation.h"
#include "engine/identity.h"
#include "engine/incident.h"
#include "engine/opening.h"
#include "engine/scan.h"
#include "engine/sink.h"
#include "engine/store.h"
#include "engine/watched.h"

struct loop;
struct loop_source;

enum { FINDINGS_MAX = 64 };

struct engine {
	struct loop *loop;
	int parent, sensor; /* channels; sensor -1: there is none now */
	struct loop_source *parent_source, *sensor_source;
	struct generations policies;
	struct early *early;
	struct openings *openings;
	struct loop_source *wait_timer; /* of these two; waiting: it is armed */
	bool waiting;
	struct dedupe *dedupe;
	struct account account;
	struct incidents *incidents;
	struct blocklist *blocks;
	struct scans *scans;
	struct forces *forces;
	struct identities *identities;
	struct watched *watched;
	struct store *store;
	uint64_t look_second; /* in it, `looks` scans were compared with all rules */
	uint32_t looks;
	struct sinks *sinks;
	struct control *control; /* NULL: no socket was given */
	struct msg_sensor_stats sensor_stats;
	uint64_t seq, sightings, unsent; /* unsent: requests the enforcer's queue refused */
	uint64_t lost_told;              /* of the sinks, told by a health event */
	int64_t start_us;
	uint32_t next_id, list_id;       /* list_id: of our own listing of blocks, or 0 */
	bool list_again;
	struct msg_finding finding[FINDINGS_MAX]; /* in force, in the enforcer's order */
	uint32_t nfindings;
};


/* ---- tell.c ---- */
/* Give e its seq and incident and write it to sinks and watchers.  facts or NULL. */
void engine_tell(struct engine *g, struct event *e, const struct flow_facts *facts);
/* An event of the gateway itself: kind, action, reason; all else empty. */
void engine_event_init(const struct engine *g, struct event *e, enum event_kind kind,
    enum event_action action, enum event_reason reason);
/* Tell it, or count it with what was told of its flow. */
void engine_tell_flow(struct engine *g, struct event *e, const struct flow_facts *facts);
/* The same for what happened to a block: behind its cause where that still waits. */
void engine_tell_block(struct engine *g, struct event *e);
void engine_sighting(struct engine *g, const struct msg_sighting *s);
/* Judge and tell what need not wait any longer. */
void engine_tell_waiting(struct engine *g);
/* The same with all that waits: at the end. */
void engine_tell_rest(struct engine *g);
/* Openings' opening_tell_fn; arg is the engine. */
void engine_tell_opening(void *arg, struct event *e, const struct flow_facts *facts);
void engine_health(struct engine *g, const struct msg_health *h);
/* deed: enum policy_deed. */
void engine_policy_event(struct engine *g, uint32_t deed, uint32_t trial_s);
/* Remember or forget it for `status`, and tell it. */
void engine_finding(struct engine *g, const struct msg_finding *f);
/* Once a second: what the dedupe table owes, what the sinks lost. */
void engine_tell_tick(struct engine *g);
/* Dedupe table's dedupe_tell_fn; arg is the engine. */
void engine_tell_counted(void *arg, struct event *e);

/* ---- shut.c ---- */
/* Ask the enforcer at once; cause is copied once it is known (shut_cause). */
struct blocklist_entry *engine_shut(struct engine *g, const struct msg_block *b);
void engine_shut_cause(struct engine *g, struct blocklist_entry *b,
    const struct event *cause);
/* Ask to take a block away; 0 or -errno, *ret_id is the request's. */
int engine_unshut(struct engine *g, const struct msg_block *b, uint32_t *ret_id);
/* The block is gone from the kernel: tell why and forget it. */
void engine_shut_ended(struct engine *g, struct blocklist_entry *b,
    enum event_reason reason, const char *note);
void engine_shut_result(struct engine *g, uint32_t id, const struct msg_result *r);
/* Compare with the kernel: after start and after each policy. */
void engine_shut_list(struct engine *g);
void engine_shut_listed(struct engine *g, const struct msg_block *b);
void engine_shut_list_end(struct engine *g, const struct msg_result *r);
void engine_shut_tick(struct engine *g);
/* The reason word of a refusal. */
enum event_reason engine_refusal(const struct msg_result *r);

/* ---- control_verbs.c ---- */
extern const struct control_verb engine_verbs[];
/* ---- control_suggest.c ---- */
void ask_suggest(void *arg, struct client *c, const struct json_t *args);
/* Hand an answer of the enforcer to the client that waits for it.  fd: diagnostics
 * or -1, stays the caller's. */
void engine_answer(struct engine *g, enum msg_type type, uint32_t id,
    const union msg_body *body, int fd);

/* ---- engine.c ---- */
/* Send a request; returns its id, or 0: the queue is full or the enforcer gone. */
uint32_t engine_ask(struct engine *g, enum msg_type type, const void *body);

#endif
