/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: gates: what `require:` asks of a connection before it goes on */
#include "rules/compile_gates.h"

#include <stdio.h>
#include <string.h>

#include "rules/rulewriter.h"

/* A gated connection starts with one request of the client and the server's answer,
 * which decides.  What a client could send ahead of that answer is the attack a gate is
 * there for, so all its data must be one request: whole, nothing behind it, at the first
 * byte of the stream.  The server's SYN-ACK names that byte; the low bits of its number
 * and the request's length are kept in labels, so that a request sent again passes and
 * one that is shifted, to put other bytes into the stream, does not. */
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };
enum { REPLY = 1 }; /* ct direction */
enum { SEQ_LOW = 7, ACK_LOW = 11, SEQ_BITS = 16 }; /* their last bytes, TCP header */
enum { LEN_BITS = 8 };
/* TPKT lengths of a request that can be held */
enum { CR_MIN = 11, CR_MAX = 128 };

static const struct {
	const char *name;
	uint8_t require, proto;
} rows[REQUIREMENTS] = {
	[NLA] = { "nla", FS_REQ_NLA, FS_RDP },
	[SMB2] = { "smb2", FS_REQ_SMB2, FS_SMB },
	[SIGNING] = { "signing", FS_REQ_SIGNING, FS_SMB },
};

static uint8_t binds(uint8_t grants)
{
	uint8_t bits = 0;

	for (int q = 0; q < REQUIREMENTS; q++)
		if (grants & rows[q].proto)
			bits |= rows[q].require;
	return bits;
}

uint8_t compile_required(const struct fs *fs, int64_t at)
{
	uint8_t all = 0;

	for (uint32_t i = 0; i < fs->table[FS_RULES].count; i++) {
		const struct fs_rule *r = fs_rule(fs, i);

		if (r->require == 0 || !fs_rule_active(fs, r, at, NULL))
			continue;
		for (uint32_t k = 0; k < r->services.count; k++)
			all |= r->require &
			    binds(fs_service(fs, r->services.first + k)->grants);
	}
	return all;
}

uint8_t compile_waived(const struct compile *c, uint8_t require, uint8_t grants)
{
	return c->require & binds(grants) & (uint8_t)~require;
}

bool compile_asks(const struct compile *c, uint8_t require, uint8_t grants)
{
	return (c->require & binds(grants) & require) != 0;
}

uint32_t compile_require_labels(const struct compile *c, enum fs_dir dir, uint8_t grants,
    uint8_t waived, uint32_t label[static REQUIRE_LABELS_MAX])
{
	static const uint32_t asks[2] = { [FS_IN] = LABEL_IN_ASKS, [FS_OUT] = LABEL_OUT_ASKS };
	static const uint32_t waives[2] = { [FS_IN] = LABEL_IN_WAIVES,
		[FS_OUT] = LABEL_OUT_WAIVES };
	uint32_t n = 0;

	if ((c->require & binds(grants)) != waived)
		label[n++] = asks[dir];
	for (uint32_t q = 0; q < REQUIREMENTS; q++)
		if (waived & rows[q].require)
			label[n++] = waives[dir] + q;
	return n;
}

/* ---- the SYN: what of this connection is required ---- */

static uint32_t granted(enum fs_dir dir, uint8_t proto)
{
	if (dir == FS_IN)
		return proto == FS_SMB ? LABEL_IN_SMB : LABEL_IN_RDP;
	return proto == FS_SMB ? LABEL_OUT_SMB : LABEL_OUT_RDP;
}

/* This side requires q: held, or only watched where it is observed.  An enforced other
 * side that does not grant the protocol forbids more than a gate. */
static void need_rules(struct compile *c, const struct fam *f, uint32_t at, enum fs_dir dir,
    enum requirement q)
{
	const uint8_t proto = rows[q].proto;
	enum fs_dir other = dir == FS_IN ? FS_OUT : FS_IN;
	enum rs_field host = dir == FS_IN ? f->daddr : f->saddr;
	enum rs_field peer = dir == FS_IN ? f->saddr : f->daddr;
	uint32_t waives = (dir == FS_IN ? LABEL_IN_WAIVES : LABEL_OUT_WAIVES) + (uint32_t)q;

	for (int observed = 0; observed <= f->watches; observed++) {
		for (int held = 0; held < 2; held++) {
			rw_label(rw_rule(c->b, at), granted(dir, proto));
			rw_no_label(c->b, waives);
			if (observed)
				rw_in(c->b, peer, f->observe);
			else
				rw_label(c->b, granted(other, proto));
			if (held)
				compile_enforced(c, f, host);
			rw_set_label(rw_set_label(c->b, LABEL_GATED),
			    (held ? LABEL_HELD : LABEL_NEED) + (uint32_t)q);
		}
	}
}

void compile_gate_needs(struct compile *c, const struct fam *f)
{
	static const uint32_t asks[2] = { [FS_IN] = LABEL_IN_ASKS, [FS_OUT] = LABEL_OUT_ASKS };
	char name[RS_NAME_MAX];

	for (int dir = FS_IN; dir <= FS_OUT && c->require != 0; dir++) {
		uint32_t at;

		snprintf(name, sizeof(name), "need_%s%u", dir == FS_IN ? "in" : "out", f->v);
		at = rsb_chain(c->b, name, NULL);
		rw_go(rw_label(rw_rule(c->b, f->syn), asks[dir]), RS_JUMP, at);
		for (int q = 0; q < REQUIREMENTS; q++)
			if (c->require & rows[q].require)
				need_rules(c, f, at, (enum fs_dir)dir, (enum requirement)q);
	}
}

void compile_gate_jump(struct compile *c, uint32_t at, uint32_t gate)
{
	if (c->require == 0)
		return;
	rw_no_label(rw_label(rw_rule(c->b, at), LABEL_GATED), LABEL_PASSED);
	rw_go(c->b, RS_JUMP, gate);
}

/* ---- what breaks a requirement ---- */

/* Packets that fit nothing say what they broke, and return. */
static void broken_rules(struct compile *c, uint32_t at)
{
	rw_no_label(rw_label(rw_rule(c->b, at), LABEL_NEED + NLA), LABEL_ASKED_SMB);
	rw_go(rw_set_label(rw_set_label(c->b, LABEL_PASSED), LABEL_BROKEN + NLA), RS_RETURN,
	    RS_NONE);
	for (uint32_t q = SMB2; q <= SIGNING; q++)
		rw_set_label(rw_label(rw_rule(c->b, at), LABEL_NEED + q), LABEL_BROKEN + q);
	rw_set_label(rw_rule(c->b, at), LABEL_PASSED);
}

/* Condemned where a side that enforces has the requirement; where only an observed one
 * has it, told. */
static void verdict_rules(struct compile *c, uint32_t at)
{
	uint32_t report;

	for (uint32_t q = NLA; q <= SIGNING; q++) {
		if ((c->require & rows[q].require) == 0)
			continue;
		report = compile_report(c, NULL, "denied", rows[q].name, c->answer);
		rw_label(rw_label(rw_rule(c->b, at), LABEL_BROKEN + q), LABEL_HELD + q);
		rw_go(rw_set_label(c->b, LABEL_CONDEMNED), RS_GOTO, report);
	}
	for (uint32_t q = NLA; q <= SIGNING && compile_watches(c); q++) {
		if ((c->require & rows[q].require) == 0)
			continue;
		report = compile_report(c, NULL, "would_deny", rows[q].name, RS_NONE);
		rw_label(rw_rule(c->b, at), LABEL_BROKEN + q);
		if (q == SMB2) /* signing may go on to be asked for */
			rw_set_label(rw_no_label(c->b, LABEL_TOLD_SMB2), LABEL_TOLD_SMB2);
		rw_go(c->b, RS_JUMP, report);
	}
}

/* ---- where requests stand, and how long they are ---- */

void gates_bit(struct compile *c, enum rs_field f, uint16_t at, unsigned bit, bool set)
{
	struct rs_op op;

	memset(&op, 0, sizeof(op));
	op.code = RS_OP_CMP;
	op.cmp = RS_EQ;
	op.set = op.chain = RS_NONE;
	op.field[0] = (uint8_t)f;
	op.offset = at;
	op.len = op.has_mask = 1;
	op.mask[0] = (uint8_t)(1u << bit);
	op.value[0] = set ? op.mask[0] : 0;
	rsb_op(c->b, &op);
}

/* The server's first word says which number the client's first byte has: kept. */
static void start_rules(struct compile *c)
{
	uint32_t start = rsb_chain(c->b, "gate_start", NULL);

	rw_masked(rw_rule(c->b, c->gate), RS_TCP_FLAGS, TCP_SYN | TCP_ACK, RS_EQ,
	    TCP_SYN | TCP_ACK);
	rw_no_label(rw_cmp(c->b, RS_CT_DIR, RS_EQ, REPLY), LABEL_NOTED);
	rw_go(c->b, RS_JUMP, start);
	for (uint32_t i = 0; i < SEQ_BITS; i++) {
		rw_rule(c->b, start);
		gates_bit(c, RS_TH_RAW, (uint16_t)(ACK_LOW - i / 8), i % 8, true);
		rw_set_label(c->b, LABEL_SEQ + i);
	}
	rw_set_label(rw_rule(c->b, start), LABEL_NOTED);
}

/* A client can end a connection for conntrack alone (a reset or a FIN that the server
 * never gets), wait until it is forgotten, and go on: it would be picked up as one that
 * passed long ago.  So those that end before the gate opened are remembered. */
static void end_rules(struct compile *c)
{
	for (int i = 0; i < 2; i++) {
		const struct fam *f = &c->fam[i];
		const uint8_t ends[4] = { f->saddr, f->daddr, RS_TH_SPORT, RS_TH_DPORT };

		for (uint32_t q = NLA; q <= SIGNING && f->lives; q++) {
			if ((c->require & rows[q].require) == 0)
				continue;
			rw_masked(rw_rule(c->b, c->gate), RS_TCP_FLAGS, TCP_FIN | TCP_RST,
			    RS_NE, 0);
			rw_cmp(c->b, RS_CT_DIR, RS_NE, REPLY);
			rw_tally(rw_label(c->b, LABEL_HELD + q), ends, 4, f->shut);
		}
	}
}

/* Data that does not start there. */
static void same_rules(struct compile *c, const struct gates *g)
{
	for (uint32_t i = 0; i < SEQ_BITS; i++) {
		for (int set = 0; set < 2; set++) {
			rw_rule(c->b, g->same);
			gates_bit(c, RS_TH_RAW, (uint16_t)(SEQ_LOW - i / 8), i % 8, set);
			if (set)
				rw_no_label(c->b, LABEL_SEQ + i);
			else
				rw_label(c->b, LABEL_SEQ + i);
			rw_go(c->b, RS_GOTO, g->broken);
		}
	}
}

/* A whole request: the first one's length is kept (both kinds have its low byte at 3);
 * sent again it has the same. */
static void once_rules(struct compile *c, const struct gates *g)
{
	/* refused: the client can only be late */
	rw_counter(rw_label(rw_rule(c->b, g->once), LABEL_REFUSED), "late");
	rw_go(c->b, RS_DROP, RS_NONE);
	for (uint32_t i = 0; i < LEN_BITS; i++) {
		for (int set = 0; set < 2; set++) {
			rw_label(rw_rule(c->b, g->once), LABEL_ASKED);
			gates_bit(c, RS_IH, GATES_LENGTH, i, set);
			if (set)
				rw_no_label(c->b, LABEL_LEN + i);
			else
				rw_label(c->b, LABEL_LEN + i);
			rw_go(c->b, RS_GOTO, g->broken);
		}
	}
	for (uint32_t i = 0; i < LEN_BITS; i++) {
		rw_no_label(rw_rule(c->b, g->once), LABEL_ASKED);
		gates_bit(c, RS_IH, GATES_LENGTH, i, true);
		rw_set_label(c->b, LABEL_LEN + i);
	}
	rw_set_label(rw_rule(c->b, g->once), LABEL_ASKED);
}

/* ---- nla ---- */

void gates_rdp_request(struct compile *c)
{
	rw_payload_is(c->b, 0, 3, RS_EQ, 0x030000);
	rw_payload_is(c->b, 5, 3, RS_EQ, 0xe00000);
	rw_payload_is(c->b, 10, 1, RS_EQ, 0);
}

/* Any frame of SMB, or a NetBIOS session request: rule i of two. */
static void is_smb(struct compile *c, int i)
{
	static const uint8_t magic[4] = { 0xfc, 'S', 'M', 'B' };
	static const uint8_t mask[4] = { 0xfc, 0xff, 0xff, 0xff };

	if (i == 0) {
		rw_payload_is(c->b, 0, 1, RS_EQ, 0);
		rw_payload(c->b, GATES_FRAME, 4, mask, RS_EQ, magic);
	} else {
		rw_payload_is(c->b, 0, 5, RS_EQ, 0x8100004420);
	}
}

/* SMB on a port that grants it too is another requirement's, or nobody's. */
static void nla_request_rules(struct compile *c, const struct gates *g)
{
	uint32_t whole = rsb_chain(c->b, "nla_request", NULL);

	for (int i = 0; i < 2; i++) {
		rw_no_label(rw_label(rw_rule(c->b, g->request), LABEL_NEED + NLA), LABEL_ASKED);
		rw_label(rw_label(c->b, LABEL_IN_SMB), LABEL_OUT_SMB);
		is_smb(c, i);
		rw_set_label(c->b, LABEL_ASKED_SMB);
	}
	rw_label(rw_label(rw_rule(c->b, g->request), LABEL_NEED + NLA), LABEL_ASKED_SMB);
	rw_no_label(rw_no_label(c->b, LABEL_NEED + SMB2), LABEL_NEED + SIGNING);
	rw_go(rw_set_label(c->b, LABEL_PASSED), RS_RETURN, RS_NONE);
	rw_no_label(rw_label(rw_rule(c->b, g->request), LABEL_NEED + NLA), LABEL_ASKED_SMB);
	gates_rdp_request(c);
	rw_go(c->b, RS_GOTO, whole);
	rw_no_label(rw_label(rw_rule(c->b, g->request), LABEL_NEED + NLA), LABEL_ASKED_SMB);
	rw_go(c->b, RS_GOTO, g->broken);
	/* the packet ends where TPKT's length and X.224's length indicator say: not
	 * behind, not before (a load beyond its end makes no match) */
	for (uint16_t n = CR_MIN; n <= CR_MAX; n++) {
		for (uint16_t end = n; end + 1 >= n; end--) {
			rw_payload_is(rw_rule(c->b, whole), GATES_LENGTH, 2, RS_EQ,
			    (uint64_t)n << 8 | (n - 5u));
			rw_payload_is(c->b, end, 1, RS_GE, 0);
			rw_go(c->b, RS_GOTO, end == n ? g->broken : g->once);
		}
	}
	rw_go(rw_rule(c->b, whole), RS_GOTO, g->broken);
}

/* X.224 connection confirm with negotiation data of this type, 19 bytes, nothing behind
 * (MS-RDPBCGR 2.2.1.2). */
static void is_confirm(struct compile *c, uint8_t type)
{
	rw_payload_is(c->b, 0, 6, RS_EQ, 0x030000130ed0);
	rw_payload_is(c->b, 10, 2, RS_EQ, type);
}

static void nla_answer_rules(struct compile *c, const struct gates *g)
{
	static const uint64_t hybrid[] = { 0x080002000000, 0x080008000000 };
	uint32_t at = rsb_chain(c->b, "nla_answer", NULL);

	rw_no_label(rw_label(rw_rule(c->b, g->answer), LABEL_NEED + NLA), LABEL_ASKED_SMB);
	rw_go(c->b, RS_GOTO, at);
	rw_go(rw_no_label(rw_rule(c->b, at), LABEL_ASKED), RS_GOTO, g->broken);
	rw_payload_is(rw_rule(c->b, at), 19, 1, RS_GE, 0);
	rw_go(c->b, RS_GOTO, g->broken);
	for (size_t i = 0; i < sizeof(hybrid) / sizeof(hybrid[0]); i++) {
		rw_rule(c->b, at);
		is_confirm(c, 2); /* RDP_NEG_RSP */
		rw_payload_is(c->b, 13, 6, RS_EQ, hybrid[i]);
		rw_go(rw_set_label(c->b, LABEL_PASSED), RS_RETURN, RS_NONE);
	}
	rw_rule(c->b, at);
	is_confirm(c, 3); /* RDP_NEG_FAILURE */
	rw_payload_is(c->b, 13, 2, RS_EQ, 0x0800);
	rw_payload_is(c->b, 18, 1, RS_GE, 0);
	rw_go(rw_set_label(c->b, LABEL_REFUSED), RS_RETURN, RS_NONE);
	rw_go(rw_rule(c->b, at), RS_GOTO, g->broken);
}

/* ---- all of it ---- */

/* Data in the SYN itself stands before the gate. */
static void early_rules(struct compile *c, const struct gates *g, uint32_t verdict)
{
	c->gate_early = rsb_chain(c->b, "gate_early", NULL);
	rw_payload_is(rw_rule(c->b, c->gate_early), 0, 1, RS_GE, 0);
	rw_go(c->b, RS_JUMP, g->broken);
	rw_go(rw_rule(c->b, c->gate_early), RS_GOTO, verdict);
}

void compile_gates(struct compile *c)
{
	struct gates g;
	uint32_t verdict;

	if (c->require == 0)
		return;
	c->gate = rsb_chain(c->b, "gate", NULL);
	g.request = rsb_chain(c->b, "gate_request", NULL);
	g.answer = rsb_chain(c->b, "gate_answer", NULL);
	g.same = rsb_chain(c->b, "gate_same", NULL);
	g.once = rsb_chain(c->b, "gate_once", NULL);
	g.broken = rsb_chain(c->b, "gate_broken", NULL);
	verdict = rsb_chain(c->b, "gate_verdict", NULL);

	start_rules(c);
	end_rules(c);
	rw_cmp(rw_rule(c->b, c->gate), RS_CT_DIR, RS_EQ, REPLY);
	rw_go(rw_payload_is(c->b, 0, 1, RS_GE, 0), RS_JUMP, g.answer);
	rw_cmp(rw_rule(c->b, c->gate), RS_CT_DIR, RS_NE, REPLY);
	rw_go(rw_payload_is(c->b, 0, 1, RS_GE, 0), RS_JUMP, g.request);
	rw_go(rw_rule(c->b, c->gate), RS_GOTO, verdict);

	same_rules(c, &g);
	once_rules(c, &g);
	broken_rules(c, g.broken);
	verdict_rules(c, verdict);
	early_rules(c, &g, verdict);
	rw_no_label(rw_no_label(rw_rule(c->b, g.request), LABEL_SESSION), LABEL_SMB2_SPOKEN);
	rw_go(c->b, RS_JUMP, g.same);
	rw_go(rw_label(rw_rule(c->b, g.request), LABEL_PASSED), RS_RETURN, RS_NONE);
	if (c->require & FS_REQ_NLA) {
		nla_request_rules(c, &g);
		nla_answer_rules(c, &g);
	}
	if (c->require & (FS_REQ_SMB2 | FS_REQ_SIGNING))
		gates_smb(c, &g);
}
