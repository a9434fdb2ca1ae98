/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one source that asks for many hosts and ports, in a table of fixed size */
#include "engine/scan.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/netaddr.h>

/* CHOICES: of so many sources in a row one gives way. */
enum { NIL = UINT32_MAX, CHAINS = SCAN_SOURCES, CHOICES = 16, SLOW_FACTOR = 4 };

/* An address is remembered by its hash: with a key of ours 32 bits are enough. */
struct target {
	uint32_t host, at_s;
	uint16_t port;
	uint8_t proto;
	bool observed;
};

struct source {
	struct netaddr key;
	bool used;
	uint8_t ntargets;                     /* SCAN_TARGETS fits */
	uint32_t last_s, told_s, slow_told_s; /* 0: never */
	uint64_t packets;
	uint32_t chain;
	struct target target[SCAN_TARGETS];
};

struct scans {
	uint8_t secret[crypto_shorthash_KEYBYTES];
	uint32_t hand;
	struct scan_stats stats;
	uint32_t head[CHAINS];
	struct source at[SCAN_SOURCES];
};

struct scans *scans_new(void)
{
	struct scans *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	crypto_shorthash_keygen(t->secret);
	memset(t->head, 0xff, sizeof(t->head));
	return t;
}

void scans_free(struct scans *t)
{
	free(t);
}

void scans_stats(const struct scans *t, struct scan_stats *ret)
{
	*ret = t->stats;
}

static uint64_t hash(const struct scans *t, const struct netaddr *a)
{
	uint64_t h;

	crypto_shorthash((uint8_t *)&h, (const uint8_t *)a, sizeof(*a), t->secret);
	return h;
}

static struct netaddr key_of(const struct netaddr *a)
{
	return netrange_of_prefix(a, a->v == 4 ? 32 : 64).lo;
}

static struct source *find(struct scans *t, const struct netaddr *key)
{
	uint32_t i = t->head[hash(t, key) % CHAINS];

	while (i != NIL && netaddr_cmp(&t->at[i].key, key) != 0)
		i = t->at[i].chain;
	return i == NIL ? NULL : &t->at[i];
}

static void unchain(struct scans *t, const struct source *s)
{
	uint32_t *link = &t->head[hash(t, &s->key) % CHAINS];

	while (*link != (uint32_t)(s - t->at))
		link = &t->at[*link].chain;
	*link = s->chain;
}

/* A free one of the next CHOICES places, else the one with the fewest targets. */
static struct source *place(struct scans *t)
{
	struct source *best = NULL;

	for (int i = 0; i < CHOICES; i++) {
		struct source *s = &t->at[t->hand];

		t->hand = (t->hand + 1) % SCAN_SOURCES;
		if (!s->used)
			return s;
		if (!best || s->ntargets < best->ntargets ||
		    (s->ntargets == best->ntargets && s->last_s < best->last_s))
			best = s;
	}
	return best;
}

static struct source *take(struct scans *t, const struct netaddr *a)
{
	struct netaddr key = key_of(a);
	struct source *s = find(t, &key);
	uint32_t *head;

	if (s)
		return s;
	s = place(t);
	if (s->used) {
		unchain(t, s);
		t->stats.evicted++;
	} else {
		t->stats.sources++;
	}
	memset(s, 0, sizeof(*s));
	s->used = true;
	s->key = key;
	head = &t->head[hash(t, &key) % CHAINS];
	s->chain = *head;
	*head = (uint32_t)(s - t->at);
	return s;
}

/* Remember the target as of now; what is not new is only newer.  The oldest gives way. */
static void remember(struct source *s, const struct target *new)
{
	struct target *at = &s->target[0];

	for (int i = 0; i < s->ntargets; i++) {
		struct target *old = &s->target[i];

		if (old->host == new->host && old->port == new->port &&
		    old->proto == new->proto) {
			*old = *new;
			return;
		}
		if (old->at_s < at->at_s)
			at = old;
	}
	if (s->ntargets < SCAN_TARGETS)
		at = &s->target[s->ntargets++];
	*at = *new;
}

struct tally {
	uint32_t targets, denied, hosts, ports; /* hosts, ports: different ones */
	uint32_t of_host, of_port;              /* with the host, the port of the latest */
};

/* Whether no earlier target of those counted has the same host, or the same port. */
static void tally_new(const struct source *s, int i, uint32_t since_s, struct tally *ret)
{
	const struct target *a = &s->target[i];
	bool host = true, port = true;

	for (int k = 0; k < i; k++) {
		const struct target *b = &s->target[k];

		if (b->at_s < since_s)
			continue;
		host = host && b->host != a->host;
		port = port && (b->port != a->port || b->proto != a->proto);
	}
	ret->hosts += host;
	ret->ports += port;
}

static void tally(const struct source *s, const struct target *latest, uint32_t since_s,
    struct tally *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i < s->ntargets; i++) {
		const struct target *a = &s->target[i];

		if (a->at_s < since_s)
			continue;
		ret->targets++;
		ret->denied += !a->observed;
		ret->of_host += a->host == latest->host;
		ret->of_port += a->port == latest->port && a->proto == latest->proto;
	}
}

static bool is_scan(const struct tally *n, uint32_t limit)
{
	return n->denied >= limit || n->of_host >= limit || n->of_port >= limit;
}

static void describe(struct source *s, const struct target *latest, uint32_t since_s,
    uint32_t window_s, struct event_behaviour *ret, bool *ret_denied)
{
	struct tally n;

	tally(s, latest, since_s, &n);
	for (int i = 0; i < s->ntargets; i++)
		if (s->target[i].at_s >= since_s)
			tally_new(s, i, since_s, &n);
	memset(ret, 0, sizeof(*ret));
	ret->targets = n.targets;
	ret->hosts = n.hosts;
	ret->ports = n.ports;
	ret->window_s = window_s;
	ret->packets = s->packets;
	ret->shape = window_s == SCAN_SLOW_S ? SHAPE_SLOW
		     : n.hosts == 1	     ? SHAPE_VERTICAL
		     : n.ports == 1	     ? SHAPE_HORIZONTAL
					     : SHAPE_MIXED;
	s->packets = 0;
	*ret_denied = n.denied == n.targets;
}

static uint32_t since(uint32_t now_s, uint32_t window_s)
{
	return now_s > window_s ? now_s - window_s + 1 : 0;
}

/* Not told within the window. */
static bool quiet(uint32_t told_s, uint32_t now_s, uint32_t window_s)
{
	return told_s == 0 || told_s < since(now_s, window_s);
}

static bool judge(struct source *s, const struct target *latest,
    const struct scan_limits *l, uint32_t now_s, struct event_behaviour *ret,
    bool *ret_denied)
{
	uint32_t slow = l->targets * SLOW_FACTOR;
	struct tally n;

	if (slow > SCAN_TARGETS)
		slow = SCAN_TARGETS;
	tally(s, latest, since(now_s, l->within_s), &n);
	if (quiet(s->told_s, now_s, l->within_s) && is_scan(&n, l->targets)) {
		s->told_s = s->slow_told_s = now_s;
		describe(s, latest, since(now_s, l->within_s), l->within_s, ret,
		    ret_denied);
		return true;
	}
	if (!quiet(s->slow_told_s, now_s, SCAN_SLOW_S) || l->within_s == SCAN_SLOW_S)
		return false;
	tally(s, latest, since(now_s, SCAN_SLOW_S), &n);
	if (!is_scan(&n, slow))
		return false;
	s->slow_told_s = now_s;
	describe(s, latest, since(now_s, SCAN_SLOW_S), SCAN_SLOW_S, ret, ret_denied);
	return true;
}

static uint32_t seconds(uint64_t mono_us)
{
	return (uint32_t)(mono_us / 1000000) + 1; /* 0 means never */
}

bool scan_note(struct scans *t, const struct scan_ask *a, const struct scan_limits *l,
    uint64_t mono_us, struct event_behaviour *ret, bool *ret_denied)
{
	struct target target = { .host = (uint32_t)hash(t, &a->host),
		.at_s = seconds(mono_us),
		.port = a->port,
		.proto = a->proto,
		.observed = a->observed };
	struct source *s;

	if (l->targets == 0)
		return false;
	s = take(t, &a->source);
	s->last_s = target.at_s;
	s->packets += a->count;
	remember(s, &target);
	return judge(s, &target, l, target.at_s, ret, ret_denied);
}
