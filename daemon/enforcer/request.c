/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what sensor and engine ask of the enforcer */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include <cordon/flowspace.h>
#include <cordon/ruleset.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "enforcer/blocks.h"
#include "enforcer/counting.h"
#include "enforcer/health.h"
#include "enforcer/later.h"
#include "enforcer/queue.h"
#include "enforcer/reload.h"
#include "enforcer/request.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"
#include "nft/nft.h"
#include "priv/proc.h"

enum { REQUEST_TURN = 64 }; /* messages of one role before others have their turn */

static void request_answer(struct child *c, enum msg_type type, uint32_t id,
    enum msg_code code, int err, uint64_t since_us)
{
	struct msg_result res;

	memset(&res, 0, sizeof(res));
	res.code = code;
	res.err = err;
	res.generation = c->e->live.generation;
	res.took_us = (uint32_t)(clock_mono_us() - since_us);
	roles_send(c->e, c->role, type, id, &res, -1);
}

static enum msg_code request_code(int r)
{
	return r == 0 ? MSG_OK : r == -ENOENT ? MSG_E_ABSENT : r == -ENOSPC ? MSG_E_FULL :
	    r == -EINVAL ? MSG_E_INVALID : MSG_E_KERNEL;
}

static const char *request_why(enum msg_code code)
{
	switch (code) {
	case MSG_OK:
		return "done";
	case MSG_E_INVALID:
		return "malformed, or its time or scope is out of bounds";
	case MSG_E_NEVER:
		return "may never be blocked";
	case MSG_E_FULL:
		return "the set is full, or the budget is spent";
	case MSG_E_ABSENT:
		return "not there";
	case MSG_E_POLICY:
		return "the policy has errors";
	case MSG_E_KERNEL:
		return "the kernel refused";
	case MSG_E_LOCKOUT:
		return "it would cut off the session that asks";
	case MSG_E_TRIAL:
		return "a policy waits to be confirmed";
	case MSG_E_STATE:
		return "the state directory can't be written";
	case MSG_E_BUSY:
		return "another load is running";
	}
	return "unknown";
}

/* A flow is logged once a period.  What was logged before anybody listened, by an
 * earlier daemon or while the sensor was away, was heard by nobody: log it again. */
static void request_forget_logged(struct enforcer *e)
{
	int r = nft_forget(e->nft, e->live.rs);

	if (r < 0)
		log_warnx("roles", "denials of the last seconds may go unseen: %s",
		    strerror(-r));
}

static void request_ready(struct child *c, uint32_t id, const union msg_body *body)
{
	(void)id;
	(void)body;
	c->ready = true;
	if (c->role == ROLE_SENSOR)
		request_forget_logged(c->e);
	log_debug("roles", "%s is ready", role_table[c->role].name);
	if (c->restarts)
		health_say(c->e, HEALTH_ROLE_BACK, c->role, 0, role_table[c->role].name);
}

static void request_full(struct enforcer *e, const char *why)
{
	if (!e->full_said)
		health_say(e, HEALTH_BLOCK_FULL, ROLE_ENFORCER, 0, why);
	e->full_said = true; /* until a block succeeds again */
}

static void request_block(struct child *c, uint32_t id, const union msg_body *body)
{
	struct enforcer *e = c->e;
	uint64_t start_us = clock_mono_us();
	struct msg_block b = body->block;
	char text[NETADDR_STRLEN];
	enum msg_code code = guard_block(&e->guard, e->live.fs, start_us, &b);
	int r = 0;

	if (code == MSG_E_FULL) {
		request_full(e, "over the budget");
	} else if (code == MSG_OK) {
		r = blocks_add(e->nft, &b);
		/* here it is a missing set, not a missing block */
		code = r == -ENOENT ? MSG_E_KERNEL : request_code(r);
		if (r == 0)
			e->full_said = false;
		else if (r == -ENOSPC)
			request_full(e, "the set is full");
	}
	request_answer(c, MSG_RESULT, id, code, -r, start_us);
	if (code != MSG_OK)
		log_warnx("block", "%s/%u is not set: %s%s%s",
		    netaddr_format(&b.addr, text), b.prefixlen, request_why(code),
		    r ? ": " : "", r ? strerror(-r) : "");
}

static void request_unblock(struct child *c, uint32_t id, const union msg_body *body)
{
	uint64_t start_us = clock_mono_us();
	int r = blocks_del(c->e->nft, &body->block);

	request_answer(c, MSG_RESULT, id, request_code(r), r < 0 ? -r : 0, start_us);
}

struct request_list {
	struct child *c;
	uint32_t id;
};

static void request_entry(void *arg, const struct msg_block *b)
{
	struct request_list *l = arg;

	roles_send(l->c->e, l->c->role, MSG_BLOCK_ENTRY, l->id, b, -1);
}

static void request_list(struct child *c, uint32_t id, const union msg_body *body)
{
	uint64_t start_us = clock_mono_us();
	struct request_list l = { c, id };
	int r = blocks_each(c->e->nft, request_entry, &l);

	(void)body;
	request_answer(c, MSG_BLOCKS_END, id, r < 0 ? MSG_E_KERNEL : MSG_OK,
	    r < 0 ? -r : 0, start_us);
}

static void request_count_block(void *arg, const struct msg_block *b)
{
	(void)b;
	++*(uint32_t *)arg;
}

static void request_count_denied(void *arg, const char *name, uint64_t packets,
    uint64_t bytes)
{
	/* Counter objects of the compiler whose packets were dropped. */
	static const char *const dropped[] = { "denied", "spoof", "blocked", "condemned",
		"exposure", "guard", "short", "multicast" };
	struct msg_status *s = arg;

	for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
		if (strcmp(name, dropped[i]) == 0) {
			s->denied_packets += packets;
			s->denied_bytes += bytes;
		}
}

static void request_status(struct child *c, uint32_t id, const union msg_body *body)
{
	struct enforcer *e = c->e;
	struct msg_status s;

	(void)body;
	memset(&s, 0, sizeof(s));
	s.applied_at = e->live.applied_at;
	s.generation = e->live.generation;
	s.hosts = e->live.info.hosts;
	s.rules = e->live.info.rules;
	s.sets = e->live.rs->table[RS_SETS].count;
	s.elements = e->live.rs->table[RS_ELEMS].count;
	s.owned = e->owned;
	s.forwarding4 = health_forwarding(4);
	s.forwarding6 = health_forwarding(6);
	s.sensor_up = e->child[ROLE_SENSOR].ready;
	s.engine_up = e->child[ROLE_ENGINE].ready;
	for (int i = 0; i < ROLE_COUNT; i++)
		s.restarts[i] = e->child[i].restarts;
	memcpy(s.commit, e->live.info.commit, sizeof(s.commit));
	trial_status(e, &s);
	if (blocks_each(e->nft, request_count_block, &s.blocks) < 0 ||
	    nft_counters(e->nft, request_count_denied, &s) < 0)
		log_warnx("status", "the kernel does not list its table");
	roles_send(e, c->role, MSG_STATUS, id, &s, -1);
}

static void request_reload(struct child *c, uint32_t id, const union msg_body *body)
{
	reload_ask(c->e, id, &body->reload);
}

static void request_trial_ok(struct child *c, uint32_t id, const union msg_body *body)
{
	(void)body;
	trial_confirm(c->e, id);
}

static void request_trial_back(struct child *c, uint32_t id, const union msg_body *body)
{
	(void)body;
	trial_rollback(c->e, id);
}

static void request_log_reopen(struct child *c, uint32_t id, const union msg_body *body)
{
	(void)id;
	(void)body;
	roles_log_file(c->e);
}

static void request_told(struct child *c, uint32_t id, const union msg_body *body)
{
	(void)id;
	counting_told(c->e, &body->sum);
}

typedef void request_fn(struct child *c, uint32_t id, const union msg_body *body);
static request_fn *const request_table[MSG_TYPES] = {
	[MSG_READY] = request_ready,
	[MSG_BLOCK] = request_block,
	[MSG_UNBLOCK] = request_unblock,
	[MSG_LIST_BLOCKS] = request_list,
	[MSG_GET_STATUS] = request_status,
	[MSG_RELOAD] = request_reload,
	[MSG_TRIAL_OK] = request_trial_ok,
	[MSG_TRIAL_BACK] = request_trial_back,
	[MSG_LOG_REOPEN] = request_log_reopen,
	[MSG_TOLD] = request_told,
};

/* MSG_READY comes first, and once. */
static bool request_in_order(const struct child *c, uint16_t type)
{
	return (type == MSG_READY) != c->ready;
}

static void request_one(struct child *c, const struct msg_hdr *hdr,
    const union msg_body *body)
{
	request_fn *f = request_table[hdr->type];

	if (!f || !request_in_order(c, hdr->type))
		roles_kill(c, "asked for what it may not ask now");
	else
		f(c, hdr->id, body);
}

/* Take the next message.  False: there is none, or the role has to end. */
static bool request_next(struct child *c, struct msg_hdr *hdr, union msg_body *body)
{
	int fds[3], r = msg_recv(c->fd, c->role, ROLE_ENFORCER, hdr, body, fds);

	if (r == 1 || r == -EAGAIN)
		return r == 1; /* no request carries descriptors */
	roles_kill(c, r == 0 ? "closed its channel" :
		r == -EPROTO ? "broke the contract of messages" : "has a broken channel");
	return false;
}

/* What was kept, once the long work is over. */
static void request_kept(struct child *c)
{
	struct msg_hdr hdr;
	union msg_body body;

	while (c->io && later_take(c, &hdr, &body))
		request_one(c, &hdr, &body);
}

static void request_on_later(void *enforcer)
{
	struct enforcer *e = enforcer;

	for (int role = 0; role < ROLE_COUNT; role++)
		request_kept(&e->child[role]);
}

static void request_keep(struct child *c, const struct msg_hdr *hdr,
    const union msg_body *body)
{
	struct enforcer *e = c->e;

	if (later_keep(c, hdr, body) < 0 ||
	    (e->later_timer ? loop_rearm(e->later_timer, 0) :
		loop_add_timer(e->loop, 0, 0, request_on_later, e, &e->later_timer)) < 0)
		roles_kill(c, "can't be answered: no memory");
}

/* No commit of a reload is in the way of these, nor they in its. */
static bool request_is_urgent(uint16_t type)
{
	return type == MSG_BLOCK || type == MSG_UNBLOCK || type == MSG_TOLD;
}

void request_breathe(void *enforcer)
{
	struct enforcer *e = enforcer;

	for (int role = 0; role < ROLE_COUNT; role++) {
		struct child *c = &e->child[role];
		struct msg_hdr hdr;
		union msg_body body;

		if (c->io && c->head)
			queue_flush(c);
		for (int i = 0; i < REQUEST_TURN && c->io && c->ready && later_room(c); i++) {
			if (!request_next(c, &hdr, &body))
				break;
			if (request_is_urgent(hdr.type))
				request_one(c, &hdr, &body);
			else
				request_keep(c, &hdr, &body);
		}
	}
}

void request_on_io(void *child, int fd, uint32_t events)
{
	struct child *c = child;
	struct msg_hdr hdr;
	union msg_body body;

	(void)fd;
	if (events & EPOLLOUT)
		queue_flush(c);
	request_kept(c);
	for (int i = 0; i < REQUEST_TURN && c->io; i++) {
		if (!request_next(c, &hdr, &body))
			return;
		request_one(c, &hdr, &body);
	}
}
