/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what openings and `require:` would have made of the connections of a capture */
#include "cli/replay_gate.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli/replay.h"
#include "cli/replay_gate_wire.h"
#include "wire/decode.h"

/* A connection as the kernel's rules keep it in its labels (rules/compile_openings.c,
 * compile_gates.c): the same states, in the same order. */
struct gate {
	struct opening o;
	struct replay_opening said;
	struct replay_gate other;   /* its first data that was no opening; packet 0: none */
	uint32_t other_seq;
	bool brief;                 /* it was only too short: sent again with more it passes */
	bool over;                  /* condemned, or no more can be said */
	uint8_t need, held, broken; /* fs_require_bit */
	bool noted;                 /* the server's SYN-ACK named the first byte */
	bool asked, asked_smb;      /* a request has passed; it is one of SMB */
	bool session, smb2_spoken, client_signs, refused;
	bool off;                   /* nothing is required (any more) */
	uint16_t first;             /* low bits of that byte's number */
	uint8_t len;                /* low byte of the request's length */
	struct replay_gate told[REPLAY_GATES_MAX - 1];
	uint8_t ntold;
};
enum { REQUIREMENTS = 3 };

struct replay_gates {
	const struct fs *fs;
	const int64_t *at;
	struct gate *gate;
	size_t n, room;
	uint32_t *of; /* by flow: index of its gate + 1; 0: it is not judged */
	size_t flows;
};

enum { ALL_GRANTS = FS_SMB | FS_RDP };
enum { CR_MIN = 11, CR_MAX = 128, CC_LEN = 19 };
enum { SMB1_MIN = 35, SMB1_MAX = 239, SLACK = 16 };
enum { HEAD = 4 };        /* of SMB's frame */
enum { SHORT = 8 };       /* data under this may be a part of an opening */
enum { LENGTH = 3 };      /* low byte of the length, of TPKT and of that frame alike */
enum { OPENING_NEEDS = 20, HEADS_NEED = 80 }; /* bytes of a packet that are looked at */

static const struct {
	uint8_t require, proto;
	const char *reason;
} rows[REQUIREMENTS] = {
	{ FS_REQ_NLA, FS_RDP, "nla-required" },
	{ FS_REQ_SMB2, FS_SMB, "smb2-required" },
	{ FS_REQ_SIGNING, FS_SMB, "signing-required" },
};

struct replay_gates *replay_gates_new(const struct fs *fs, const int64_t *at)
{
	struct replay_gates *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->fs = fs;
	g->at = at;
	return g;
}

void replay_gates_free(struct replay_gates *g)
{
	if (!g)
		return;
	free(g->gate);
	free(g->of);
	free(g);
}

const char *replay_gate_reason(uint8_t require)
{
	for (size_t i = 0; i < REQUIREMENTS; i++)
		if (rows[i].require == require)
			return rows[i].reason;
	return "opening";
}

/* ---- the request ---- */

static void broken(struct gate *s)
{
	if ((s->need & FS_REQ_NLA) && !s->asked_smb)
		s->broken |= FS_REQ_NLA;
	else
		s->broken |= s->need & (FS_REQ_SMB2 | FS_REQ_SIGNING);
	s->off = true;
}

/* The first request's length is kept: what comes again has the same.  Once refused the
 * client can only be late. */
static void once(struct gate *s, const struct data *d)
{
	if (s->refused)
		return;
	if (s->asked && s->len != d->p[LENGTH]) {
		broken(s);
		return;
	}
	s->len = d->p[LENGTH];
	s->asked = true;
}

static bool whole_rdp_request(const struct data *d)
{
	return data_rdp_request(d) && d->n >= CR_MIN && d->n <= CR_MAX &&
	    d->p[LENGTH] == d->n && d->p[LENGTH + 1] == d->n - 5;
}

static void smb1_request(struct gate *s, const struct data *d, uint16_t seq)
{
	uint8_t len = d->p[LENGTH];
	uint32_t end = (uint32_t)(len & ~(SLACK - 1)) + SLACK + HEAD - 1;

	s->asked_smb = true;
	if ((s->smb2_spoken && seq != s->first) || len < SMB1_MIN || len > SMB1_MAX ||
	    d->n > end || d->n < SMB1_MIN + HEAD)
		broken(s);
	else
		once(s, d);
}

static void smb_request(struct gate *s, const struct data *d, uint16_t seq)
{
	uint8_t both = s->o.grants[FS_IN] & s->o.grants[FS_OUT];

	if ((both & FS_RDP) && !(s->need & FS_REQ_NLA) && !s->asked_smb &&
	    data_rdp_request(d)) {
		s->off = true;
	} else if (!s->session && !s->asked && data_netbios(d)) {
		s->asked_smb = true;
	} else if (data_is(d, 0, "\0\0\0", 3) && data_is(d, HEAD, "\xffSMB\x72", 5)) {
		smb1_request(s, d, seq);
	} else if (s->asked && !s->smb2_spoken) {
		broken(s);
	} else if (data_smb2_negotiate(d)) {
		s->asked_smb = true;
		s->client_signs |= data_bit(d, HEAD + 64 + 4, 1);
	} else {
		broken(s);
	}
}

static void request(struct gate *s, const struct data *d, uint16_t seq)
{
	uint8_t both = s->o.grants[FS_IN] & s->o.grants[FS_OUT];

	if (!s->session && !s->smb2_spoken && seq != s->first) {
		broken(s);
		return;
	}
	if (s->need & FS_REQ_NLA) {
		if (!s->asked && (both & FS_SMB) && (data_smb(d, 0) || data_netbios(d)))
			s->asked_smb = true;
		if (!s->asked_smb) {
			if (whole_rdp_request(d))
				once(s, d);
			else
				broken(s);
			return;
		}
		if (s->need == FS_REQ_NLA) {
			s->off = true;
			return;
		}
	}
	smb_request(s, d, seq);
}

/* ---- the answer ---- */

/* MS-RDPBCGR 2.2.1.2: 19 bytes, CredSSP selected, or a failure. */
static void rdp_answer(struct gate *s, const struct data *d)
{
	bool confirm = data_is(d, 0, "\3\0\0\x13\x0e\xd0", 6) && d->n == CC_LEN &&
	    data_is(d, 13, "\x08\0", 2);

	if (!s->asked || !confirm) {
		broken(s);
	} else if (data_is(d, 10, "\0\2", 2) &&
	    (data_is(d, 15, "\2\0\0\0", 4) || data_is(d, 15, "\x08\0\0\0", 4))) {
		s->off = true;
	} else if (data_is(d, 10, "\0\3", 2)) {
		s->refused = true;
	} else {
		broken(s);
	}
}

static void unsigned_answer(struct gate *s)
{
	s->broken |= FS_REQ_SIGNING;
	s->off = true;
}

/* MS-SMB2 2.2.4: SecurityMode at 2 of the body, dialect at 4. */
static void smb2_answer(struct gate *s, const struct data *d)
{
	if (!(s->need & FS_REQ_SIGNING))
		s->off = true;
	else if (!data_is(d, HEAD + 8, "\0\0\0\0", 4))
		return; /* an error */
	else if (data_bit(d, HEAD + 64 + 2, 1) || s->client_signs)
		s->off = true;
	else if (data_is(d, HEAD + 64 + 4, "\xff\2", 2))
		s->smb2_spoken = true;
	else
		unsigned_answer(s);
}

/* MS-CIFS 2.2.4.52.2: count of words, index of the dialect, mode of security. */
static void smb1_answer(struct gate *s, const struct data *d)
{
	const uint32_t words = HEAD + 32;

	s->broken |= s->need & FS_REQ_SMB2;
	if (!(s->need & FS_REQ_SIGNING))
		s->off = true;
	else if (data_is(d, words + 1, "\xff\xff", 2))
		return; /* no dialect */
	else if (d->have > words && d->p[words] >= 13 && data_bit(d, words + 3, 3))
		s->off = true;
	else
		unsigned_answer(s);
}

static void answer(struct gate *s, const struct data *d)
{
	if ((s->need & FS_REQ_NLA) && !s->asked_smb) {
		rdp_answer(s, d);
	} else if (!s->asked_smb) {
		broken(s);
	} else if (d->p[0] == 0x83 || d->p[0] == 0x84) {
		return; /* RFC 1002 4.3.4, 4.3.5: no session */
	} else if (data_is(d, 0, "\x82\0\0\0", 4)) {
		if (d->n > HEAD)
			broken(s);
		else
			s->session = true;
	} else if (data_smb2_negotiate(d) && d->n > HEAD + 64 + 5) {
		smb2_answer(s, d);
	} else if (d->p[0] == 0 && data_is(d, HEAD, "\xffSMB\x72", 5)) {
		smb1_answer(s, d);
	} else {
		broken(s);
	}
}

/* ---- one packet ---- */

static void tell(struct gate *s, uint8_t require, uint64_t packet, int64_t ts_us)
{
	for (uint8_t i = 0; i < s->ntold; i++)
		if (s->told[i].require == require)
			return;
	s->told[s->ntold++] = (struct replay_gate){ .require = require,
		.held = (s->held & require) != 0, .packet = packet, .ts_us = ts_us };
}

/* Condemned by the first that an enforced side has; else those of observed sides are
 * told. */
static void conclude(struct gate *s, uint64_t packet, int64_t ts_us)
{
	for (size_t i = 0; i < REQUIREMENTS; i++) {
		if (s->broken & s->held & rows[i].require) {
			tell(s, rows[i].require, packet, ts_us);
			s->over = true;
			return;
		}
	}
	for (size_t i = 0; i < REQUIREMENTS; i++)
		if (s->broken & rows[i].require)
			tell(s, rows[i].require, packet, ts_us);
}

/* Whether the packet gets past the openings. */
static bool opening(struct gate *s, const struct data *d, bool reply, uint32_t seq,
    const struct replay_gate *here)
{
	switch (opening_packet(&s->o, d, reply)) {
	case OPENING_CONDEMNS:
		s->said.condemned = s->o.condemned;
		s->said.packet = here->packet;
		s->said.ts_us = here->ts_us;
		s->over = true;
		return false;
	case OPENING_DROPS:
		s->brief = d->n < SHORT && (s->brief || s->other.packet == 0);
		if (s->other.packet == 0) {
			s->other = *here;
			s->other_seq = seq;
		}
		return false;
	case OPENING_PASSES:
		break;
	}
	if (!reply && s->brief && (int32_t)(seq - s->other_seq) <= 0)
		s->other.packet = 0;
	return true;
}

static void packet(struct gate *s, const struct pkt_view *v, bool reply,
    const struct replay_gate *here)
{
	struct data d = { .p = v->payload, .have = v->payload_len, .n = v->wire_len };
	uint8_t syn = v->tcp_flags & (TCP_SYN | TCP_ACK);

	if (syn == (TCP_SYN | TCP_ACK) && reply && !s->noted) {
		s->first = (uint16_t)v->ack;
		s->noted = true;
	}
	if (d.n == 0)
		return;
	/* the snap length, or packets that the capture missed, hide too much */
	if ((d.have < d.n && d.have < (s->off ? OPENING_NEEDS : HEADS_NEED)) || (!s->noted && syn != TCP_SYN)) {
		s->said.followed = false;
		s->over = true;
		return;
	}
	if (!opening(s, &d, reply, v->seq, here))
		return;
	if (s->off)
		return;
	if (syn == TCP_SYN)
		broken(s); /* data before the gate */
	else if (reply)
		answer(s, &d);
	else
		request(s, &d, (uint16_t)v->seq);
}

/* ---- flows ---- */

/* What a connection may open with, what is required of it, and by whom. */
static void begin(struct gate *s, const struct fs_verdict *v)
{
	struct opening *o = &s->o;

	memset(s, 0, sizeof(*s));
	s->said.followed = true;
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		o->grants[dir] = ALL_GRANTS;
		o->short_ok[dir] = true;
	}
	for (unsigned i = 0; i < v->nsides; i++) {
		const struct fs_side *side = &v->side[i];

		o->grants[side->dir] = side->grants;
		o->observed[side->dir] = side->observed;
		o->short_ok[side->dir] = side->observed || side->short_opening;
	}
	for (unsigned i = 0; i < v->nsides; i++) {
		const struct fs_side *side = &v->side[i];
		enum fs_dir other = side->dir == FS_IN ? FS_OUT : FS_IN;

		for (size_t q = 0; q < REQUIREMENTS; q++) {
			if (!(side->require & rows[q].require) ||
			    (!o->observed[other] && !(o->grants[other] & rows[q].proto)))
				continue;
			s->need |= rows[q].require;
			if (!side->observed)
				s->held |= rows[q].require;
		}
	}
	s->off = s->need == 0;
}

/* Room for flow i; what is new has no gate. */
static int grow(struct replay_gates *g, size_t i)
{
	size_t flows = g->flows ? g->flows : 256;
	uint32_t *of;

	while (flows <= i)
		flows *= 2;
	if (flows == g->flows)
		return 0;
	of = reallocarray(g->of, flows, sizeof(*of));
	if (!of)
		return -1;
	memset(of + g->flows, 0, (flows - g->flows) * sizeof(*of));
	g->of = of;
	g->flows = flows;
	return 0;
}

static int add(struct replay_gates *g, size_t i, const struct gate *s)
{
	if (g->n == g->room) {
		size_t room = g->room ? 2 * g->room : 64;
		struct gate *gate = reallocarray(g->gate, room, sizeof(*gate));

		if (!gate)
			return -1;
		g->gate = gate;
		g->room = room;
	}
	if (grow(g, i) < 0)
		return -1;
	g->gate[g->n++] = *s;
	g->of[i] = (uint32_t)g->n;
	return 0;
}

/* A connection opens. */
static int opens(struct replay_gates *g, size_t i, const struct replay_flow *f)
{
	struct fs_flow asked = { .src = f->src, .dst = f->dst, .proto = f->proto,
		.dport = f->dport };
	struct fs_verdict v;
	struct gate s;

	asked.at = g->at ? *g->at : f->first_us / 1000000 - (f->first_us % 1000000 < 0);
	fs_judge(g->fs, &asked, &v);
	if (v.result != FS_ALLOW || v.nsides == 0)
		return 0;
	begin(&s, &v);
	return add(g, i, &s);
}

int replay_gates_packet(struct replay_gates *g, const struct replay *r,
    const struct pkt_view *v, int64_t ts_us)
{
	bool reply;
	size_t i = replay_last(r, &reply);
	const struct replay_flow *f = replay_flow(r, i);
	struct replay_gate here;
	struct gate *s;

	if (v->proto != IPPROTO_TCP)
		return 0;
	if (f->packets == 1 && (v->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
	    opens(g, i, f) < 0)
		return -1;
	if (i >= g->flows || g->of[i] == 0)
		return 0;
	s = &g->gate[g->of[i] - 1];
	if (s->over || (s->off && s->o.judged))
		return 0;
	here = (struct replay_gate){ .held = true, .packet = f->packets, .ts_us = ts_us };
	packet(s, v, reply, &here);
	conclude(s, f->packets, ts_us);
	return 0;
}

struct replay_opening replay_opening_of(const struct replay_gates *g, size_t i)
{
	if (i >= g->flows || g->of[i] == 0)
		return (struct replay_opening){ 0 };
	return g->gate[g->of[i] - 1].said;
}

size_t replay_gates_of(const struct replay_gates *g, size_t i,
    struct replay_gate ret[static REPLAY_GATES_MAX])
{
	const struct gate *s;
	bool other;
	size_t n = 0;

	if (i >= g->flows || g->of[i] == 0)
		return 0;
	s = &g->gate[g->of[i] - 1];
	other = s->other.packet != 0;
	for (uint8_t k = 0; k < s->ntold; k++) {
		if (other && s->other.packet <= s->told[k].packet) {
			ret[n++] = s->other;
			other = false;
		}
		ret[n++] = s->told[k];
	}
	if (other)
		ret[n++] = s->other;
	return n;
}
