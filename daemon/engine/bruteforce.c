/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one source that guesses passwords, in tables of fixed size */
#include "engine/bruteforce.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/netaddr.h>

/* STEPS of a window are kept; WAYS places a key may stand in. */
enum { STEPS = 16, WAYS = 8 };

/* What is known of a connection already; id 0: free. */
struct force_flow {
	uint64_t id, seen_us;
	uint32_t failures;
	bool attempted;
};

/* A source and all servers (server.v 0), or one; with or without a handshake. */
struct force_key {
	struct netaddr source, server;
	uint8_t proven;
};
struct force {
	struct force_key key;
	uint64_t seen_us, told_us; /* 0: never */
	uint64_t step;             /* the latest of them */
	uint32_t count[STEPS];
	uint32_t server_hash[FORCE_SERVERS];
	uint8_t nservers; /* FORCE_SERVERS + 1: more */
};

struct forces {
	uint8_t secret[crypto_shorthash_KEYBYTES];
	uint64_t evicted;
	struct force_flow flow[FORCE_FLOWS];
	struct force at[FORCE_SOURCES];
};

struct forces *forces_new(void)
{
	struct forces *t = calloc(1, sizeof(*t));

	if (t)
		crypto_shorthash_keygen(t->secret);
	return t;
}

void forces_free(struct forces *t)
{
	free(t);
}

uint64_t forces_evicted(const struct forces *t)
{
	return t->evicted;
}

static uint64_t hash(const struct forces *t, const void *key, size_t len)
{
	uint64_t h;

	crypto_shorthash((uint8_t *)&h, key, len, t->secret);
	return h;
}

static uint64_t flow_id(const struct forces *t, const struct msg_sighting *s)
{
	struct {
		struct netaddr src, dst;
		uint16_t sport, dport;
	} key;
	uint64_t id;

	memset(&key, 0, sizeof(key));
	key.src = s->src;
	key.dst = s->dst;
	key.sport = s->sport;
	key.dport = s->dport;
	id = hash(t, &key, sizeof(key));
	return id ? id : 1;
}

static struct force_flow *flow_of(
    struct forces *t, const struct msg_sighting *s, uint64_t mono_us)
{
	uint64_t id = flow_id(t, s);
	struct force_flow *set = &t->flow[id % (FORCE_FLOWS / WAYS) * WAYS], *old = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].id == id) {
			set[i].seen_us = mono_us;
			return &set[i];
		}
		if (set[i].seen_us < old->seen_us)
			old = &set[i];
	}
	t->evicted += old->id != 0;
	*old = (struct force_flow){ .id = id, .seen_us = mono_us };
	return old;
}

static void key_of(
    const struct msg_sighting *s, bool one_server, struct force_key *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->source = netrange_of_prefix(&s->src, s->src.v == 4 ? 32 : 64).lo;
	ret->proven = s->handshake;
	if (one_server)
		ret->server = s->dst;
}

static struct force *force_of(
    struct forces *t, const struct force_key *key, uint64_t mono_us)
{
	struct force *set, *old;

	set = &t->at[hash(t, key, sizeof(*key)) % (FORCE_SOURCES / WAYS) * WAYS];
	old = set;
	for (int i = 0; i < WAYS; i++) {
		if (set[i].seen_us && memcmp(&set[i].key, key, sizeof(*key)) == 0) {
			set[i].seen_us = mono_us;
			return &set[i];
		}
		if (set[i].seen_us < old->seen_us)
			old = &set[i];
	}
	t->evicted += old->seen_us != 0;
	*old = (struct force){ .key = *key, .seen_us = mono_us };
	return old;
}

static uint32_t force_sum(const struct force *f)
{
	uint32_t n = 0;

	for (int i = 0; i < STEPS; i++)
		n += f->count[i];
	return n;
}

/* Add n now; the sum over the window. */
static uint32_t force_add(
    struct force *f, uint32_t n, uint32_t within_s, uint64_t mono_us)
{
	uint64_t width = within_s * UINT64_C(1000000) / STEPS, step = mono_us / width;

	for (uint64_t i = f->step + 1; i <= step && i <= f->step + STEPS; i++)
		f->count[i % STEPS] = 0;
	if (step > f->step)
		f->step = step;
	f->count[f->step % STEPS] += n;
	return force_sum(f);
}

static void add_server(const struct forces *t, struct force *f, const struct netaddr *a)
{
	uint32_t h = (uint32_t)hash(t, a, sizeof(*a));

	for (int i = 0; i < f->nservers && i < FORCE_SERVERS; i++)
		if (f->server_hash[i] == h)
			return;
	if (f->nservers < FORCE_SERVERS)
		f->server_hash[f->nservers] = h;
	if (f->nservers <= FORCE_SERVERS)
		f->nservers++;
}

/* Told once a window; a window without anything forgets the servers. */
static bool due(struct force *f, uint32_t within_s, uint64_t mono_us)
{
	if (f->told_us && mono_us - f->told_us < within_s * UINT64_C(1000000))
		return false;
	f->told_us = mono_us;
	return true;
}

static bool note(struct forces *t, const struct msg_sighting *s, bool one_server,
    uint32_t n, uint32_t limit, uint32_t within_s, uint64_t mono_us,
    struct event_behaviour *ret)
{
	struct force_key key;
	struct force *f;
	uint32_t sum;

	key_of(s, one_server, &key);
	f = force_of(t, &key, mono_us);
	sum = force_add(f, n, within_s, mono_us);
	if (sum == n)
		f->nservers = 0;
	add_server(t, f, &s->dst);
	if (limit == 0 || sum < limit || !due(f, within_s, mono_us))
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->targets = f->nservers;
	ret->window_s = within_s;
	ret->shape = s->facts.app == APP_RDP ? SHAPE_RDP : SHAPE_SMB;
	*(one_server ? &ret->attempts : &ret->failures) = sum;
	return true;
}

static bool is_attempt(const struct flow_facts *f)
{
	if (f->app == APP_RDP)
		return f->rdp.flags & RDP_HAS_REQUEST;
	return f->app == APP_SMB && f->smb.ntlm.has_auth &&
	       f->smb.ntlm.response != NTLM_RESPONSE_ANONYMOUS;
}

bool force_note(struct forces *t, const struct msg_sighting *s,
    const struct force_limits *l, uint64_t mono_us, struct event_behaviour *ret)
{
	struct force_flow *flow;
	uint32_t failures = s->facts.app == APP_SMB ? s->facts.smb.logon_failures : 0;
	bool told = false, attempt = is_attempt(&s->facts);

	if (l->within_s == 0 || (failures == 0 && !attempt))
		return false;
	flow = flow_of(t, s, mono_us);
	if (failures < flow->failures) /* the ports are used again */
		*flow = (struct force_flow){ .id = flow->id, .seen_us = mono_us };
	if (failures > flow->failures)
		told = note(t, s, false, failures - flow->failures, l->failures,
		    l->within_s, mono_us, ret);
	flow->failures = failures;
	if (attempt && !flow->attempted) {
		struct event_behaviour b;
		bool more = note(
		    t, s, true, 1, l->attempts, l->within_s, mono_us, &b);

		flow->attempted = true;
		if (more && !told) {
			*ret = b;
			told = true;
		}
	}
	return told;
}
