/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the kernel counted, read in time and handed to the engine */
#include "enforcer/counting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include <cordon/ruleset.h>
#include <cordon/tally.h>

#include "base/log.h"
#include "base/loop.h"
#include "priv/tallytab.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"
#include "nft/nft.h"

enum {
	PIECES = 4,          /* of a dump in one turn of the loop */
	QUEUED_MAX = 256,    /* messages that may wait for the engine */
	PAUSE_MS = 20,
	PUT_MAX = 400,       /* elements in one transaction */
};

enum phase { PHASE_IDLE, PHASE_FLOWS, PHASE_SUMS };

struct counting {
	struct enforcer *e;
	struct nft_reader *reader;
	struct loop_source *io, *timer, *write_timer, *pause;
	struct tallytab tab;
	enum phase phase;
	uint32_t generation, set; /* of the ruleset being read; its set */
	enum tally_kind kind;
	enum tally_what what;
	uint8_t v;
	bool told_read, paused, writing;
	struct msg_flows flows;
	struct msg_sums sums;
	struct msg_counted counted;
	struct nft_count put[PUT_MAX];
};

static void send_some(struct counting *c, enum msg_type type, const void *body)
{
	roles_send(c->e, ROLE_ENGINE, type, 0, body, -1);
}

/* ---- one element ---- */

static void flows_flush(struct counting *c)
{
	if (c->flows.n > 0)
		send_some(c, MSG_FLOWS, &c->flows);
	memset(&c->flows, 0, sizeof(c->flows));
}

static void take_flow(struct counting *c, const uint8_t *key, size_t len, uint64_t packets)
{
	size_t a = c->v == 4 ? 4 : 16, ports = c->what == TALLY_FLOWS ? 4 : 0;
	struct msg_flow *f = &c->flows.at[c->flows.n];

	if (packets < 2 || len != 2 * a + 4 + ports)
		return; /* the one that was logged */
	f->packets = packets;
	f->src.v = f->dst.v = c->v;
	memcpy(f->src.b, key, a);
	memcpy(f->dst.b, key + a, a);
	f->proto = key[2 * a];
	if (ports)
		f->dport = (uint16_t)(key[2 * a + 4] << 8 | key[2 * a + 5]);
	f->kind = (uint8_t)c->kind;
	if (++c->flows.n == MSG_FLOWS_MAX)
		flows_flush(c);
}

static void take_sum(struct counting *c, const uint8_t *key, size_t len, uint64_t packets)
{
	static const uint8_t zero[4];
	struct netaddr addr;
	struct tally_row *r;

	memset(&addr, 0, sizeof(addr));
	if (len != (c->v == 4 ? 4u : 16u))
		return;
	if (c->v == 6 || memcmp(key, zero, 4) != 0) { /* 0.0.0.0: of no host */
		addr.v = c->v;
		memcpy(addr.b, key, len);
	}
	r = tallytab_row(&c->tab, &addr, (uint8_t)c->kind);
	if (!r)
		return;
	if (c->what != TALLY_TOLD) {
		r->sum[c->what] = packets;
		return;
	}
	if (r->there)
		return; /* of a round that was not ended */
	r->sum[TALLY_TOLD] += packets; /* the engine may have told more already */
	r->base += packets;
	r->there = true;
}

static void take(void *arg, const uint8_t *key, size_t len, uint64_t packets)
{
	struct counting *c = arg;

	if (c->phase == PHASE_FLOWS)
		take_flow(c, key, len, packets);
	else
		take_sum(c, key, len, packets);
}

/* ---- the end of a round: what belongs to no host, and sending ---- */

static void sums_flush(struct counting *c)
{
	if (c->sums.n > 0)
		send_some(c, MSG_SUMS, &c->sums);
	memset(&c->sums, 0, sizeof(c->sums));
}

static void send_row(struct counting *c, struct tally_row *r)
{
	for (int w = 0; w <= TALLY_TOLD; w++) {
		uint64_t now = w == TALLY_TOLD ? r->base : r->sum[w];
		struct msg_sum *s = &c->sums.at[c->sums.n];

		if (now == r->sent[w])
			continue;
		r->sent[w] = now;
		s->packets = now;
		s->addr = r->addr;
		s->kind = r->kind;
		s->what = (uint8_t)w;
		if (++c->sums.n == MSG_SUMS_MAX)
			sums_flush(c);
	}
}

/* Of hosts the sets tell what was not logged, and what of that was suppressed. */
static void overflow_rows(struct counting *c)
{
	for (size_t i = 0; i < c->tab.cap; i++) {
		uint64_t *sum = c->tab.row[i].sum;

		if (c->tab.row[i].addr.v && sum[TALLY_UNLOGGED] >= sum[TALLY_SUPPRESSED])
			sum[TALLY_OVERFLOW] = sum[TALLY_UNLOGGED] - sum[TALLY_SUPPRESSED];
	}
}

/* The gateway's counters were read first: what is missing in the sums of hosts is at
 * least this. */
static void rest_rows(struct counting *c)
{
	static const struct netaddr none;
	uint64_t sum[TALLY_KINDS][TALLY_TOLD] = { 0 };

	for (size_t i = 0; i < c->tab.cap; i++)
		for (int w = 0; c->tab.row[i].used && c->tab.row[i].addr.v && w < TALLY_TOLD;
		     w++)
			sum[c->tab.row[i].kind][w] += c->tab.row[i].sum[w];
	for (int k = 0; k < TALLY_KINDS; k++)
		for (int w = 0; w < TALLY_TOLD; w++) {
			uint64_t all = c->counted.total[k][w];
			struct tally_row *r;

			if (w == TALLY_LOGGED || all == 0)
				continue;
			r = tallytab_row(&c->tab, &none, (uint8_t)k);
			all = all > sum[k][w] ? all - sum[k][w] : 0;
			/* hits never go back; the others are differences in motion */
			if (r && (w != TALLY_HITS || r->sum[w] < all))
				r->sum[w] = all;
		}
}

static void round_end(struct counting *c)
{
	c->phase = PHASE_IDLE;
	c->told_read = true;
	loop_set_events(c->io, 0);
	overflow_rows(c);
	rest_rows(c);
	for (size_t i = 0; i < c->tab.cap; i++)
		if (c->tab.row[i].used)
			send_row(c, &c->tab.row[i]);
	sums_flush(c);
	send_some(c, MSG_COUNTED, &c->counted);
}

/* ---- one set after the other ---- */

static bool is_wanted(const struct counting *c)
{
	if (c->what == TALLY_FLOWS || c->what == TALLY_FLOWSPROTO)
		return c->phase == PHASE_FLOWS;
	return c->phase == PHASE_SUMS && (c->what != TALLY_TOLD || !c->told_read);
}

/* Ask for the next set of this phase; false: there is none. */
static bool next_set(struct counting *c)
{
	const struct ruleset *rs = c->e->live.rs;

	for (; c->set < rs->table[RS_SETS].count; c->set++) {
		const char *name = rs_str(rs, rs_set(rs, c->set)->name);

		if (tally_of_set(name, &c->kind, &c->what, &c->v) && is_wanted(c) &&
		    nft_reader_ask(c->reader, name) == 0) {
			c->set++;
			return true;
		}
	}
	return false;
}

static void advance(struct counting *c)
{
	if (next_set(c))
		return;
	if (c->phase == PHASE_FLOWS) {
		flows_flush(c);
		c->phase = PHASE_SUMS;
		c->set = 0;
		if (next_set(c))
			return;
	}
	round_end(c);
}

static void on_pause_end(void *arg)
{
	struct counting *c = arg;

	c->paused = false;
	if (c->phase != PHASE_IDLE)
		loop_set_events(c->io, EPOLLIN);
}

static bool engine_is_slow(struct counting *c)
{
	if (c->e->child[ROLE_ENGINE].nqueued < QUEUED_MAX)
		return false;
	c->paused = true;
	loop_set_events(c->io, 0);
	(void)loop_rearm(c->pause, PAUSE_MS);
	return true;
}

static void on_piece(void *arg, int fd, uint32_t events)
{
	struct counting *c = arg;

	(void)fd;
	(void)events;
	for (int i = 0; i < PIECES && c->phase != PHASE_IDLE; i++) {
		int r;

		if (c->generation != c->e->live.generation) {
			c->phase = PHASE_IDLE; /* other sets now: the next round */
			loop_set_events(c->io, 0);
			return;
		}
		if (engine_is_slow(c))
			return;
		r = nft_reader_step(c->reader, take, c);
		if (r == -EAGAIN)
			return;
		if (r <= 0)
			advance(c);
	}
}

static void take_total(void *arg, const char *name, uint64_t packets, uint64_t bytes)
{
	struct counting *c = arg;
	enum tally_kind kind;
	enum tally_what what;

	(void)bytes;
	if (tally_of_counter(name, &kind, &what) && what < TALLY_TOLD)
		c->counted.total[kind][what] = packets;
}

static void on_round(void *arg)
{
	struct counting *c = arg;

	if (c->phase != PHASE_IDLE || !c->e->child[ROLE_ENGINE].ready || !c->e->live.rs)
		return;
	memset(&c->counted, 0, sizeof(c->counted));
	if (nft_counters(c->e->nft, take_total, c) < 0)
		return;
	c->phase = PHASE_FLOWS;
	c->generation = c->e->live.generation;
	c->set = 0;
	loop_set_events(c->io, EPOLLIN);
	advance(c);
}

/* ---- what was told ---- */

static size_t collect(struct counting *c, int kind, uint8_t v)
{
	size_t n = 0;

	for (size_t i = 0; i < c->tab.cap && n < PUT_MAX; i++) {
		struct tally_row *r = &c->tab.row[i];

		if (!r->used || !r->dirty || r->kind != kind || (r->addr.v == 6) != (v == 6))
			continue;
		c->put[n].key_len = (uint8_t)(v == 4 ? 4 : 16);
		memcpy(c->put[n].key, r->addr.b, 16);
		c->put[n].there = r->there;
		c->put[n++].packets = r->sum[TALLY_TOLD];
		r->dirty = false;
	}
	return n;
}

static void put_back(struct counting *c, int kind, size_t n, bool there)
{
	static const uint8_t zero[16];

	for (size_t i = 0; i < n; i++) {
		struct netaddr addr;
		struct tally_row *r;

		memset(&addr, 0, sizeof(addr));
		memcpy(addr.b, c->put[i].key, sizeof(addr.b));
		addr.v = memcmp(addr.b, zero, 16) == 0 ? 0 : c->put[i].key_len == 4 ? 4 : 6;
		r = tallytab_find(&c->tab, &addr, (uint8_t)kind);
		if (!r)
			continue;
		r->there = there;
		r->dirty = !there;
	}
}

static void write_told(struct counting *c)
{
	char name[RS_NAME_MAX];

	for (int kind = 0; kind < TALLY_KINDS; kind++)
		for (int v = 4; v <= 6; v += 2) {
			size_t n = collect(c, kind, (uint8_t)v);
			int r;

			if (n == 0)
				continue;
			snprintf(name, sizeof(name), "%s_%s%d", tally_kinds[kind],
			    tally_whats[TALLY_TOLD], v);
			r = nft_counts_put(c->e->nft, name, c->put, n);
			put_back(c, kind, n, r == 0);
			if (r < 0)
				log_debug("counting", "%s: %s", name, strerror(-r));
		}
}

static void on_write(void *arg)
{
	struct counting *c = arg;

	c->writing = false;
	if (c->e->live.rs)
		write_told(c);
}

/* Nothing is written before what stands there was read. */
void counting_told(struct enforcer *e, const struct msg_sum *s)
{
	struct counting *c = e->counting;
	struct tally_row *r = c ? tallytab_row(&c->tab, &s->addr, s->kind) : NULL;

	if (!r)
		return;
	r->sum[TALLY_TOLD] += s->packets;
	r->dirty = true;
	if (!c->writing && c->told_read)
		c->writing = loop_rearm(c->write_timer, COUNTING_WRITE_MS) == 0;
}

void counting_drain(struct child *engine)
{
	struct msg_hdr hdr;
	union msg_body body;
	int fds[3];

	while (engine->fd >= 0 &&
	    msg_recv(engine->fd, ROLE_ENGINE, ROLE_ENFORCER, &hdr, &body, fds) == 1)
		if (hdr.type == MSG_TOLD)
			counting_told(engine->e, &body.sum);
}

/* ---- start and end ---- */

void counting_brief(struct enforcer *e)
{
	struct counting *c = e->counting;

	for (size_t i = 0; c && i < c->tab.cap; i++) {
		struct tally_row *r = &c->tab.row[i];

		r->base = r->sum[TALLY_TOLD];
		memset(r->sent, 0, sizeof(r->sent));
	}
}

int counting_watch(struct enforcer *e)
{
	struct counting *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->e = e;
	c->reader = nft_reader_open();
	e->counting = c;
	if (!c->reader)
		return -errno;
	if ((r = loop_add_io(e->loop, nft_reader_fd(c->reader), 0, on_piece, c, &c->io)) < 0 ||
	    (r = loop_add_timer(e->loop, 0, COUNTING_MS, on_round, c, &c->timer)) < 0 ||
	    (r = loop_add_timer(e->loop, 0, 0, on_write, c, &c->write_timer)) < 0)
		return r;
	return loop_add_timer(e->loop, 0, 0, on_pause_end, c, &c->pause);
}

void counting_close(struct enforcer *e)
{
	struct counting *c = e->counting;

	if (!c)
		return;
	if (c->told_read && e->live.rs)
		write_told(c);
	loop_del(&c->io);
	loop_del(&c->timer);
	loop_del(&c->write_timer);
	loop_del(&c->pause);
	nft_reader_close(c->reader);
	tallytab_free(&c->tab);
	free(c);
	e->counting = NULL;
}
