/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the kernel's rules on the TCP packets of a capture, one after the other */
#include "cli/replay_kernel.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli/replay.h"
#include "cli/replay_ct.h"
#include "cli/replay_facts.h"
#include "cli/replay_gate.h"
#include "cli/replay_gate_wire.h"
#include "wire/decode.h"

enum { ALL_GRANTS = FS_SMB | FS_RDP };
enum { SHUT_S = 3600 };
enum { SHORT = 8 }; /* data under this may be a part of an opening */
enum { OPENING_NEEDS = 20, HEADS_NEED = 80 }; /* bytes of a packet that are looked at */

/* A connection as the kernel keeps it: an entry of conntrack, and its labels
 * (rules/compile_openings.c, compile_gates.c). */
struct conn {
	struct ct ct;
	struct opening o;
	struct gate g;
	bool condemned;
	bool blind;            /* the capture did not have all of a packet */
	int64_t shut_until_us; /* ended before it showed what is required */
	struct facts facts;
};

/* A flow: its connection as that is now, and what became of it. */
struct row {
	struct conn c;
	struct replay_fate fate;
	bool brief;         /* its refused opening was only too short: sent again with more it passes */
	uint32_t other_seq; /* of that */
};

struct replay_kernel {
	const struct fs *fs;
	const int64_t *at;
	bool timed; /* some rule starts or ends */
	int64_t now_us;
	struct row *row;
	size_t n, room;
	uint32_t *of; /* by flow: index of its row + 1; 0: it is not judged */
	size_t flows;
};

static const struct {
	const char *word;
	bool answered; /* by a reset */
} whys[REPLAY_WHYS] = {
	[REPLAY_PASSES] = { "", false },
	[REPLAY_NO_RULE] = { "no-rule", true },
	[REPLAY_UNDECLARED] = { "undeclared", true },
	[REPLAY_CONDEMNED] = { "condemned", true },
	[REPLAY_STATE] = { "state", true },
	[REPLAY_SMB] = { "smb-not-granted", true },
	[REPLAY_RDP] = { "rdp-not-granted", true },
	[REPLAY_OPENING] = { "opening", true },
	[REPLAY_SHORT] = { "short", false },
	[REPLAY_LATE] = { "late", false },
	[REPLAY_NLA] = { "nla-required", true },
	[REPLAY_SMB2] = { "smb2-required", true },
	[REPLAY_SIGNING] = { "signing-required", true },
	[REPLAY_GUARD] = { "guard", true },
};

const char *replay_why_word(enum replay_why w)
{
	return whys[w].word;
}

struct replay_kernel *replay_kernel_new(const struct fs *fs, const int64_t *at)
{
	struct replay_kernel *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->fs = fs;
	k->at = at;
	k->timed = !at && fs_next_change(fs, 0) != FS_FOREVER;
	k->now_us = INT64_MIN;
	return k;
}

void replay_kernel_free(struct replay_kernel *k)
{
	if (!k)
		return;
	free(k->row);
	free(k->of);
	free(k);
}

/* ---- flows ---- */

/* Room for flow i; what is new has no row. */
static int grow(struct replay_kernel *k, size_t i)
{
	size_t flows = k->flows ? k->flows : 256;
	uint32_t *of;

	while (flows <= i)
		flows *= 2;
	if (flows == k->flows)
		return 0;
	of = reallocarray(k->of, flows, sizeof(*of));
	if (!of)
		return -1;
	memset(of + k->flows, 0, (flows - k->flows) * sizeof(*of));
	k->of = of;
	k->flows = flows;
	return 0;
}

static int add(struct replay_kernel *k, size_t i, const struct row *row)
{
	if (k->n == k->room) {
		size_t room = k->room ? 2 * k->room : 64;
		struct row *rows = reallocarray(k->row, room, sizeof(*rows));

		if (!rows)
			return -1;
		k->row = rows;
		k->room = room;
	}
	if (grow(k, i) < 0)
		return -1;
	k->row[k->n++] = *row;
	k->of[i] = (uint32_t)k->n;
	return 0;
}

static struct row *row_of(const struct replay_kernel *k, size_t i)
{
	return i < k->flows && k->of[i] ? &k->row[k->of[i] - 1] : NULL;
}

/* A flow begins: the kernel may still know its ends from the one before. */
static int begins(struct replay_kernel *k, const struct replay *r, const struct pkt_view *v,
    int64_t second)
{
	const struct row *before =
	    replay_last_before(r) == SIZE_MAX ? NULL : row_of(k, replay_last_before(r));
	struct row row;

	memset(&row, 0, sizeof(row));
	if (before)
		row.c = before->c;
	else
		facts_of(&row.c.facts, k->fs, v, replay_last_end(r), second);
	if (!facts_ours(&row.c.facts))
		return 0;
	row.fate.judged = true;
	row.fate.followed = !row.c.blind;
	return add(k, replay_last(r, NULL), &row);
}

/* ---- what is said of a packet ---- */

/* The packet at hand. */
struct at {
	struct replay_kernel *k;
	struct row *row;
	const struct pkt_view *v;
	struct data d;
	struct ct_said ct;
	unsigned from;
	struct replay_gate here;
};

static void tell(struct at *p, uint8_t require, bool held)
{
	struct replay_fate *f = &p->row->fate;

	for (uint8_t i = 0; i < f->ngates; i++)
		if (f->gate[i].require == require && f->gate[i].held >= held)
			return;
	if (f->ngates == REPLAY_GATES_MAX)
		return;
	f->gate[f->ngates] = p->here;
	f->gate[f->ngates].require = require;
	f->gate[f->ngates++].held = held;
}

static void untell_opening(struct replay_fate *f)
{
	for (uint8_t i = 0; i < f->ngates; i++) {
		if (f->gate[i].require != 0)
			continue;
		memmove(&f->gate[i], &f->gate[i + 1],
		    (size_t)(--f->ngates - i) * sizeof(f->gate[0]));
		return;
	}
}

static bool told_opening(const struct replay_fate *f)
{
	for (uint8_t i = 0; i < f->ngates; i++)
		if (f->gate[i].require == 0)
			return true;
	return false;
}

static enum replay_why condemn(struct at *p, enum replay_why why)
{
	p->row->c.condemned = true;
	return why;
}

static enum replay_why speaks(struct at *p, uint8_t proto)
{
	struct replay_fate *f = &p->row->fate;

	if (f->spoke == 0) {
		f->spoke = proto;
		f->spoke_at = p->here.packet;
		f->spoke_us = p->here.ts_us;
	}
	return proto == FS_SMB ? REPLAY_SMB : REPLAY_RDP;
}

/* A packet without a connection, where nothing of SMB and RDP is granted. */
static enum replay_why stray(struct at *p)
{
	uint8_t proto = opening_of_stray(&p->d);

	return proto && facts_enforced(&p->row->c.facts) ? speaks(p, proto) : REPLAY_PASSES;
}

/* Whether the capture hides what the rules would look at. */
static bool hidden(struct at *p, uint32_t needs)
{
	struct conn *c = &p->row->c;

	if (p->d.have < p->d.n && p->d.have < needs) {
		c->blind = true;
		p->row->fate.followed = false;
	}
	return c->blind;
}

static enum replay_why opening(struct at *p)
{
	struct conn *c = &p->row->c;

	if (p->d.n == 0 || hidden(p, OPENING_NEEDS))
		return REPLAY_PASSES;
	facts_ends(&c->facts, p->from, &c->o);
	switch (opening_packet(&c->o, &p->d, p->ct.reply)) {
	case OPENING_CONDEMNS:
		return condemn(p, speaks(p, c->o.condemned));
	case OPENING_DROPS:
		p->row->brief = p->d.n < SHORT &&
		    (p->row->brief || !told_opening(&p->row->fate));
		if (!told_opening(&p->row->fate))
			p->row->other_seq = p->v->seq;
		tell(p, 0, true);
		return p->d.n < SHORT ? REPLAY_SHORT : REPLAY_OPENING;
	case OPENING_PASSES:
		break;
	}
	if (!p->ct.reply && p->row->brief && (int32_t)(p->v->seq - p->row->other_seq) <= 0)
		untell_opening(&p->row->fate);
	return REPLAY_PASSES;
}

static enum replay_why gate(struct at *p)
{
	static const struct {
		uint8_t require;
		enum replay_why why;
	} rows[] = { { FS_REQ_NLA, REPLAY_NLA }, { FS_REQ_SMB2, REPLAY_SMB2 },
		{ FS_REQ_SIGNING, REPLAY_SIGNING } };
	struct conn *c = &p->row->c;
	enum gate_said said;
	uint8_t broken;

	if (!gate_holds(&c->g) || hidden(p, HEADS_NEED))
		return REPLAY_PASSES;
	if (gate_shuts(&c->g, p->v, p->ct.reply))
		c->shut_until_us = p->k->now_us + (int64_t)SHUT_S * 1000000;
	said = gate_packet(&c->g, &c->o, &p->d, p->v, p->ct.reply, &broken);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!(broken & rows[i].require))
			continue;
		tell(p, rows[i].require, said == GATE_CONDEMNS);
		if (said == GATE_CONDEMNS)
			return condemn(p, rows[i].why);
	}
	return said == GATE_LATE ? REPLAY_LATE : REPLAY_PASSES;
}

/* What its SYN may open, by the rules of now; labels are only ever set. */
static void open_labels(struct at *p)
{
	struct conn *c = &p->row->c;
	struct fs_flow asked = { .src = p->v->src, .dst = p->v->dst, .proto = IPPROTO_TCP,
		.dport = p->v->dport, .at = c->facts.at };
	bool ours[2] = { false, false };
	struct fs_verdict v;

	fs_judge(p->k->fs, &asked, &v);
	facts_ends(&c->facts, p->from, &c->o);
	c->o.fresh = true;
	for (unsigned i = 0; i < v.nsides; i++) {
		const struct fs_side *side = &v.side[i];

		ours[side->dir] = true;
		c->o.grants[side->dir] |= side->grants;
		c->o.short_ok[side->dir] |= side->observed || side->short_opening;
	}
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		c->o.grants[dir] |= ours[dir] ? 0 : ALL_GRANTS;
		c->o.short_ok[dir] |= !ours[dir];
	}
	gate_opens(&c->g, &v, &c->o);
}

static enum replay_why syn(struct at *p)
{
	enum replay_why why;

	if (!p->ct.valid)
		return p->d.n > 0 ? stray(p) : REPLAY_PASSES;
	open_labels(p);
	why = opening(p);
	if (why == REPLAY_PASSES && p->d.n > 0)
		why = gate(p);
	return why;
}

/* First seen without its SYN, where nothing of SMB and RDP is granted. */
static void pick_up(struct conn *c)
{
	c->o.fresh = c->o.picked = true;
	c->o.short_ok[FS_IN] = c->o.short_ok[FS_OUT] = true;
}

static enum replay_why rules(struct at *p)
{
	struct conn *c = &p->row->c;
	bool opens = (p->v->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	enum replay_why why;

	if (p->ct.valid && c->condemned)
		return REPLAY_CONDEMNED;
	if (!c->facts.allowed[p->from] && (opens || !c->facts.allowed[!p->from]))
		return c->facts.reason[p->from] == FS_WHY_UNDECLARED ? REPLAY_UNDECLARED
								     : REPLAY_NO_RULE;
	if (opens)
		return syn(p);
	if (!p->ct.valid && p->d.n > 0 && c->facts.asks[p->from])
		return REPLAY_STATE;
	if (!p->ct.valid)
		return c->facts.speaks ? REPLAY_PASSES : stray(p);
	if (p->ct.young && p->k->now_us < c->shut_until_us)
		return REPLAY_STATE;
	if (p->ct.young && !c->facts.speaks)
		pick_up(c);
	why = c->o.fresh && !c->o.judged ? opening(p) : REPLAY_PASSES;
	return why == REPLAY_PASSES ? gate(p) : why;
}

/* ---- one packet ---- */

static void forget_labels(struct conn *c)
{
	memset(&c->o, 0, sizeof(c->o));
	memset(&c->g, 0, sizeof(c->g));
	c->condemned = c->blind = false;
}

/* Of what was not seen to open, conntrack's direction says nothing. */
static enum guard_dir sent(const struct conn *c, const struct ct_said *ct)
{
	if (!ct->valid || !c->o.fresh || c->o.picked)
		return GUARD_BOTH;
	return ct->reply ? GUARD_TO_CLIENT : GUARD_TO_SERVER;
}

int replay_kernel_packet(struct replay_kernel *k, const struct replay *r,
    const struct pkt_view *v, int64_t ts_us, struct replay_pass *ret)
{
	size_t i = replay_last(r, NULL);
	const struct replay_flow *f = replay_flow(r, i);
	int64_t second = k->at ? *k->at : ts_us / 1000000 - (ts_us % 1000000 < 0);
	struct at p = { .k = k, .v = v, .from = replay_last_end(r),
		.d = { .p = v->payload, .have = v->payload_len, .n = v->wire_len },
		.here = { .packet = f->packets, .ts_us = ts_us } };
	struct conn *c;

	*ret = (struct replay_pass){ .why = REPLAY_PASSES };
	if (v->proto != IPPROTO_TCP)
		return 0;
	if (f->packets == 1 && begins(k, r, v, second) < 0)
		return -1;
	p.row = row_of(k, i);
	if (!p.row)
		return 0;
	c = &p.row->c;
	if (k->timed && c->facts.at != second)
		facts_of(&c->facts, k->fs, v, p.from, second);
	if (ts_us > k->now_us) /* the kernel's clock does not go back */
		k->now_us = ts_us;
	p.ct = ct_packet(&c->ct, v, p.from, k->now_us);
	if (p.ct.fresh)
		forget_labels(c);
	*ret = (struct replay_pass){ .judged = true, .valid = p.ct.valid, .at = second,
		.host = { c->facts.host[p.from], c->facts.host[!p.from] } };
	ret->why = rules(&p);
	ret->sent = sent(c, &p.ct);
	return 0;
}

static void note(struct row *row, const struct replay_pass *p, uint64_t packet, unsigned from)
{
	struct replay_fate *f = &row->fate;

	f->dropped++;
	if (f->first == 0)
		f->first = packet;
	f->condemned += row->c.condemned && p->valid;
	if (f->no_rule == 0 && (p->why == REPLAY_NO_RULE || p->why == REPLAY_UNDECLARED)) {
		f->no_rule = packet;
		f->reason = row->c.facts.reason[from];
	}
}

void replay_kernel_done(struct replay_kernel *k, const struct replay *r,
    const struct pkt_view *v, const struct replay_pass *p)
{
	size_t i = replay_last(r, NULL);
	struct row *row = row_of(k, i);

	if (!row || !p->judged)
		return;
	if (p->why == REPLAY_PASSES) {
		if (p->valid)
			ct_passed(&row->c.ct);
		return;
	}
	if (p->why == REPLAY_GUARD)
		row->c.condemned |= p->valid;
	note(row, p, replay_flow(r, i)->packets, replay_last_end(r));
	if (p->valid)
		ct_dropped(&row->c.ct,
		    whys[p->why].answered && !(v->tcp_flags & TCP_RST), k->now_us);
}

struct replay_fate replay_fate_of(const struct replay_kernel *k, size_t i)
{
	const struct row *row = row_of(k, i);

	return row ? row->fate : (struct replay_fate){ .judged = false };
}
