/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one flow is one event and then exact counts, in a table of fixed size */
#include "engine/dedupe.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { NIL = UINT32_MAX };

struct dedupe_key {
	uint8_t kind, reason, proto, action;
	uint16_t dport;
	struct netaddr src, dst;
	char guard[MSG_DETAIL_LEN];
};

/* In use: in its hash chain and in the queue, which is in order of `due` because
 * the period is the same for all.  Else: in the free list, through `next`. */
struct entry {
	struct event event;
	struct dedupe_key key;
	uint64_t pending, due;
	uint64_t heard, fresh; /* put in, not put in, since the kernel's last count */
	uint64_t counted;      /* that count */
	int64_t first_us, last_us;
	uint32_t next, queue_next;
};

struct bucket {
	struct event event; /* count 0: free */
	uint64_t due;
};

struct dedupe {
	uint32_t size, free, head, tail;
	uint8_t secret[crypto_shorthash_KEYBYTES]; /* strangers choose the keys */
	struct dedupe_stats stats;
	struct entry *entry;
	uint32_t *hash; /* size chains */
	struct bucket bucket[DEDUPE_BUCKETS];
};

struct dedupe *dedupe_new(uint32_t entries)
{
	struct dedupe *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->size = entries ? entries : DEDUPE_ENTRIES;
	d->entry = calloc(d->size, sizeof(*d->entry));
	d->hash = calloc(d->size, sizeof(*d->hash));
	if (!d->entry || !d->hash) {
		dedupe_free(d);
		return NULL;
	}
	crypto_shorthash_keygen(d->secret);
	d->head = d->tail = NIL;
	for (uint32_t i = 0; i < d->size; i++) {
		d->hash[i] = NIL;
		d->entry[i].next = i + 1 < d->size ? i + 1 : NIL;
	}
	return d;
}

void dedupe_free(struct dedupe *d)
{
	if (!d)
		return;
	free(d->entry);
	free(d->hash);
	free(d);
}

static void key_of(const struct event *e, struct dedupe_key *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->kind = e->kind;
	ret->reason = e->reason;
	ret->action =
	    e->action; /* what passed is never counted with what was dropped */
	ret->proto = e->proto;
	ret->dport = e->dport;
	ret->src = e->src;
	ret->dst = e->dst;
	memcpy(ret->guard, e->guard, sizeof(ret->guard));
}

static uint32_t *chain_of(struct dedupe *d, const struct dedupe_key *key)
{
	uint64_t h;

	crypto_shorthash((uint8_t *)&h, (const uint8_t *)key, sizeof(*key), d->secret);
	return &d->hash[h % d->size];
}

static void enqueue(struct dedupe *d, uint32_t i, uint64_t due)
{
	d->entry[i].due = due;
	d->entry[i].queue_next = NIL;
	if (d->tail == NIL)
		d->head = i;
	else
		d->entry[d->tail].queue_next = i;
	d->tail = i;
}

static void release(struct dedupe *d, uint32_t i)
{
	uint32_t *link = chain_of(d, &d->entry[i].key);

	while (*link != i)
		link = &d->entry[*link].next;
	*link = d->entry[i].next;
	d->entry[i].next = d->free;
	d->free = i;
	d->stats.entries--;
}

static void entry_count(struct dedupe *d, struct entry *n, const struct event *e)
{
	if (n->pending == 0)
		n->first_us = e->time_us;
	n->pending += e->count;
	n->heard += e->count;
	n->last_us = e->time_us;
	if (e->tally && !n->event.tally) {
		n->event.tally = e->tally;
		n->event.tally_addr = e->tally_addr;
	}
	d->stats.counted += e->count;
}

/* The bucket of the event's kind, action and host; of the last ones each holds one
 * kind without host, so that there is always one. */
static struct bucket *bucket_of(struct dedupe *d, const struct event *e)
{
	enum { NAMED = DEDUPE_BUCKETS - EVENT_KINDS * ACTION_COUNT };
	uint64_t h, at;

	crypto_shorthash((uint8_t *)&h, (const uint8_t *)e->host,
	    strnlen(e->host, sizeof(e->host)), d->secret);
	at = (h + e->kind * ACTION_COUNT + e->action) % NAMED;
	for (size_t i = 0; i < 8; i++) {
		struct bucket *b = &d->bucket[(at + i) % NAMED];

		if (b->event.count == 0 ||
		    (b->event.kind == e->kind && b->event.action == e->action &&
			strcmp(b->event.host, e->host) == 0))
			return b;
	}
	return &d->bucket[NAMED + e->kind * ACTION_COUNT + e->action];
}

void dedupe_hold(struct dedupe *d, const struct event *e, uint64_t mono_us)
{
	struct bucket *b = bucket_of(d, e);
	bool named = b - d->bucket < DEDUPE_BUCKETS - EVENT_KINDS * ACTION_COUNT;

	d->stats.counted += e->count;
	d->stats.overflow += e->count;
	if (e->tally)
		return;
	if (b->event.count == 0) {
		memset(&b->event, 0, sizeof(b->event));
		b->event.kind = e->kind;
		b->event.action = e->action;
		b->event.reason = REASON_OVERFLOW;
		b->event.since_us = e->time_us;
		b->event.policy = e->policy;
		if (named) {
			b->event.side = e->side;
			b->event.mode = e->mode;
			memcpy(b->event.host, e->host, sizeof(b->event.host));
		}
		b->due = mono_us + DEDUPE_PERIOD_US;
	}
	b->event.count += e->count;
	b->event.time_us = e->time_us;
}

static struct entry *find(struct dedupe *d, const struct dedupe_key *key)
{
	for (uint32_t i = *chain_of(d, key); i != NIL; i = d->entry[i].next)
		if (memcmp(&d->entry[i].key, key, sizeof(*key)) == 0)
			return &d->entry[i];
	return NULL;
}

bool dedupe_knows(struct dedupe *d, const struct event *e)
{
	struct dedupe_key key;

	key_of(e, &key);
	return find(d, &key) != NULL;
}

enum dedupe_answer dedupe_add(struct dedupe *d, const struct event *e, uint64_t mono_us)
{
	struct dedupe_key key;
	struct entry *known;
	uint32_t *chain, i;

	key_of(e, &key);
	known = find(d, &key);
	if (known) {
		entry_count(d, known, e);
		return DEDUPE_COUNTED;
	}
	i = d->free;
	if (i == NIL) {
		dedupe_hold(d, e, mono_us);
		return DEDUPE_COUNTED;
	}
	chain = chain_of(d, &key);
	d->free = d->entry[i].next;
	d->entry[i] = (struct entry){ .event = *e, .key = key, .next = *chain,
		.heard = e->count };
	*chain = i;
	d->stats.entries++;
	enqueue(d, i, mono_us + DEDUPE_PERIOD_US);
	return DEDUPE_TELL;
}

/* An element that counts less than before is another one. */
bool dedupe_flow(struct dedupe *d, const struct event *e, uint64_t packets)
{
	struct dedupe_key key;
	struct entry *n;
	uint64_t more;

	key_of(e, &key);
	n = find(d, &key);
	if (!n)
		return false;
	more = packets < n->counted ? packets : packets - n->counted;
	n->counted = packets;
	n->fresh += more > n->heard ? more - n->heard : 0;
	n->heard = 0;
	return true;
}

void dedupe_settle(struct dedupe *d, int64_t time_us)
{
	for (uint32_t i = d->head; i != NIL; i = d->entry[i].queue_next) {
		struct entry *n = &d->entry[i];
		struct event more = n->event;
		uint64_t heard = n->heard;
		int64_t since;

		if (n->fresh == 0)
			continue;
		more.count = n->fresh;
		more.time_us = time_us;
		n->fresh = 0;
		since = n->pending ? n->first_us : n->last_us;
		entry_count(d, n, &more);
		n->first_us = since; /* the last one known is the nearest before them */
		n->heard = heard;    /* entry_count() takes them for some that were put in */
	}
}

static void tell_entry(struct entry *n, dedupe_tell_fn *f, void *arg)
{
	struct event e = n->event;

	e.count = n->pending;
	e.since_us = n->first_us;
	e.time_us = n->last_us;
	n->pending = 0;
	f(arg, &e);
}

static void tell_bucket(struct bucket *b, dedupe_tell_fn *f, void *arg)
{
	struct event e = b->event;

	b->event.count = 0;
	f(arg, &e);
}

void dedupe_tick(struct dedupe *d, uint64_t mono_us, dedupe_tell_fn *f, void *arg)
{
	while (d->head != NIL && d->entry[d->head].due <= mono_us) {
		uint32_t i = d->head;

		d->head = d->entry[i].queue_next;
		if (d->head == NIL)
			d->tail = NIL;
		if (d->entry[i].pending == 0) {
			release(d, i);
			continue;
		}
		tell_entry(&d->entry[i], f, arg);
		enqueue(d, i, mono_us + DEDUPE_PERIOD_US);
	}
	for (size_t i = 0; i < DEDUPE_BUCKETS; i++)
		if (d->bucket[i].event.count > 0 && d->bucket[i].due <= mono_us)
			tell_bucket(&d->bucket[i], f, arg);
}

void dedupe_flush(struct dedupe *d, dedupe_tell_fn *f, void *arg)
{
	for (uint32_t i = d->head; i != NIL; i = d->entry[i].queue_next)
		if (d->entry[i].pending > 0)
			tell_entry(&d->entry[i], f, arg);
	for (size_t i = 0; i < DEDUPE_BUCKETS; i++)
		if (d->bucket[i].event.count > 0)
			tell_bucket(&d->bucket[i], f, arg);
}

void dedupe_stats(const struct dedupe *d, struct dedupe_stats *ret)
{
	*ret = d->stats;
}
