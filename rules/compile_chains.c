/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the compiler's static chains: block, consent, answer */
#include "rules/compile.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "rules/rulewriter.h"

enum { RESETS_PER_S = 1000, RESET_BURST = 100 };
enum { TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };
enum { REPLY = 1 }; /* ct direction */

static uint32_t chain(struct compile *c, const char *name)
{
	return rsb_chain(c->b, name, NULL);
}

static uint32_t fam_chain(struct compile *c, const struct fam *f, const char *name)
{
	char full[RS_NAME_MAX];

	snprintf(full, sizeof(full), "%s%u", name, f->v);
	return chain(c, full);
}

/* ---- answers ---- */

/* A denied TCP packet of a valid connection gets a reset; all else silence. */
static void answer_chain(struct compile *c)
{
	rw_state(rw_rule(c->b, c->answer), RS_CT_INVALID | RS_CT_UNTRACKED);
	rw_go(c->b, RS_DROP, RS_NONE);
	rw_masked(rw_rule(c->b, c->answer), RS_TCP_FLAGS, TCP_RST, RS_EQ, 0);
	rw_reset(rw_limit(c->b, RESETS_PER_S, RESET_BURST));
	rw_go(rw_rule(c->b, c->answer), RS_DROP, RS_NONE);
}

static uint32_t silent_chain(struct compile *c)
{
	uint32_t i = rsb_find_chain(c->b, "silence");

	if (i == RS_NONE) {
		i = chain(c, "silence");
		rw_go(rw_rule(c->b, i), RS_DROP, RS_NONE);
	}
	return i;
}

static void multicast_chain(struct compile *c)
{
	uint32_t i = rsb_find_chain(c->b, "nomulticast");

	rw_counter(rw_rule(c->b, i), "multicast");
	rw_go(c->b, RS_DROP, RS_NONE);
}

/* ---- consent ---- */

/* One look-up of one side in one orientation.  A hit goes on to what a hit means;
 * a miss returns. */
static void try_chain(struct compile *c, struct fam *f, enum way w)
{
	enum rs_field host = way_by_source(w) ? f->saddr : f->daddr;
	enum fs_dir dir = way_dir(w);
	/* behind a hit: the other side, where that is protected, too */
	uint32_t hit = w == BOTH_FWD ? f->try_way[FWD_OUT] :
	    w == BOTH_REV ? f->try_way[REV_IN] : f->ok;
	uint32_t at = f->try_way[w];

	compile_consent(c, f, at, w, hit);
	if (!f->watches)
		return;
	/* an observed side consents to everything, but says so */
	if (!way_reverse(w)) {
		rw_go(rw_in(rw_rule(c->b, at), host, f->observe), RS_JUMP,
		    dir == FS_IN ? f->watch_in : f->watch_out);
	}
	rw_go(rw_in(rw_rule(c->b, at), host, f->observe), RS_GOTO, hit);
}

/* All orders of trying: a SYN only forward; other TCP packets both ways, the likelier
 * first; the rest by conntrack's direction. */
static void is_syn(struct compile *c, uint32_t at)
{
	rw_masked(rw_rule(c->b, at), RS_TCP_FLAGS, TCP_SYN | TCP_ACK, RS_EQ, TCP_SYN);
}

/* Of packets that conntrack takes for answers. */
static void answer_rules(struct compile *c, struct fam *f, uint32_t at, uint32_t forward,
    uint32_t reverse)
{
	is_syn(c, at);
	rw_go(c->b, RS_JUMP, forward);
	is_syn(c, at);
	rw_go(c->b, RS_GOTO, f->denied);
	rw_go(rw_rule(c->b, at), RS_JUMP, reverse);
	rw_cmp(rw_rule(c->b, at), RS_L4PROTO, RS_EQ, IPPROTO_TCP);
	rw_go(c->b, RS_JUMP, forward);
	rw_go(rw_rule(c->b, at), RS_GOTO, f->denied);
}

/* Of all others: what a hit has gone on from is not asked for more. */
static void first_rules(struct compile *c, struct fam *f, uint32_t at, uint32_t forward,
    uint32_t reverse)
{
	rw_go(rw_rule(c->b, at), RS_JUMP, forward);
	rw_cmp(rw_rule(c->b, at), RS_L4PROTO, RS_NE, IPPROTO_TCP);
	rw_go(c->b, RS_GOTO, f->denied);
	is_syn(c, at);
	rw_go(c->b, RS_GOTO, f->denied);
	rw_go(rw_rule(c->b, at), RS_JUMP, reverse);
	rw_go(rw_rule(c->b, at), RS_GOTO, f->denied);
}

static void order_rules(struct compile *c, struct fam *f, uint32_t at, const char *name,
    uint32_t forward, uint32_t reverse)
{
	uint32_t answers = fam_chain(c, f, name);

	rw_cmp(rw_rule(c->b, at), RS_CT_DIR, RS_EQ, REPLY);
	rw_go(c->b, RS_GOTO, answers);
	first_rules(c, f, at, forward, reverse);
	answer_rules(c, f, answers, forward, reverse);
}

/* The same in one chain: the kernel's bound on jumps leaves little room here. */
static void both_rules(struct compile *c, struct fam *f)
{
	uint32_t forward = f->try_way[BOTH_FWD], reverse = f->try_way[BOTH_REV];

	is_syn(c, f->both);
	rw_go(c->b, RS_JUMP, forward);
	is_syn(c, f->both);
	rw_go(c->b, RS_GOTO, f->denied);
	rw_cmp(rw_rule(c->b, f->both), RS_CT_DIR, RS_EQ, REPLY);
	rw_go(c->b, RS_JUMP, reverse);
	rw_cmp(rw_cmp(rw_rule(c->b, f->both), RS_L4PROTO, RS_NE, IPPROTO_TCP), RS_CT_DIR,
	    RS_EQ, REPLY);
	rw_go(c->b, RS_GOTO, f->denied);
	rw_go(rw_rule(c->b, f->both), RS_JUMP, forward);
	rw_cmp(rw_rule(c->b, f->both), RS_L4PROTO, RS_EQ, IPPROTO_TCP);
	rw_go(c->b, RS_JUMP, reverse);
	rw_go(rw_rule(c->b, f->both), RS_GOTO, f->denied);
}

/* ---- what comes before consent ---- */

/* 1. blocked sources; then the kinds of packets that need no rule or have none */
static void gate_rules(struct compile *c, struct fam *f, uint32_t at)
{
	static const uint8_t net64[16] = { 255, 255, 255, 255, 255, 255, 255, 255 };

	rw_go(rw_in(rw_rule(c->b, at), f->saddr, f->block), RS_GOTO, f->blocked);
	/* the cheap question first, here and below: most packets end a rule with it */
	rw_in(rw_cmp(rw_rule(c->b, at), RS_CT_DIR, RS_EQ, REPLY), f->daddr, f->block);
	rw_go(c->b, RS_GOTO, f->blocked);
	if (f->v == 6) {
		rw_go(rw_in_masked(rw_rule(c->b, at), f->saddr, net64, f->block_net),
		    RS_GOTO, f->blocked);
		rw_in_masked(rw_cmp(rw_rule(c->b, at), RS_CT_DIR, RS_EQ, REPLY), f->daddr,
		    net64, f->block_net);
		rw_go(c->b, RS_GOTO, f->blocked);
	}
	rw_go(rw_in(rw_rule(c->b, at), f->saddr, f->quarantine), RS_GOTO, f->blocked);
	rw_go(rw_in(rw_rule(c->b, at), f->daddr, f->quarantine), RS_GOTO, f->blocked);
	rw_go(rw_label(rw_rule(c->b, at), LABEL_CONDEMNED), RS_GOTO, f->condemned);
	rw_cmp(rw_rule(c->b, at), RS_L4PROTO, RS_EQ, f->icmp);
	rw_go(c->b, RS_JUMP, f->icmp_odd);
}

static void icmp_rules(struct compile *c, struct fam *f)
{
	uint32_t at = f->icmp_odd;

	rw_in(rw_state(rw_rule(c->b, at), RS_CT_RELATED), f->icmp_field, f->icmp_errors);
	rw_go(c->b, RS_ACCEPT, RS_NONE);
	rw_cmp(rw_rule(c->b, at), f->icmp_field, RS_EQ, f->v == 4 ? 5 : 137); /* redirect */
	rw_go(c->b, RS_GOTO, f->denied);
}

/* judge: from outside or from the gateway itself, source not protected.
 * inside: source protected, destination may be too.
 * The kernel allows 15 jumps and gotos one behind the other: hence few chains. */
static void judge_chains(struct compile *c, struct fam *f)
{
	compile_judge(c, f, f->judge);
	compile_inside_place(c, f);
	if (!f->lives)
		return;

	icmp_rules(c, f);
	gate_rules(c, f, f->toward);
	order_rules(c, f, f->toward, "toward_answer", f->try_way[FWD_IN],
	    f->try_way[REV_OUT]);

	gate_rules(c, f, f->inside);
	rw_rule(c->b, f->inside);
	rw_go(compile_legacy(c, f, f->daddr), RS_GOTO, f->pairs ? f->both : f->denied);
	order_rules(c, f, f->inside, "inside_answer", f->try_way[FWD_OUT],
	    f->try_way[REV_IN]);

	/* the client's side is looked at behind the server's hit */
	if (f->pairs)
		both_rules(c, f);
}


static void ok_chain(struct compile *c, struct fam *f)
{
	compile_restore(c, f, f->ok);
	rw_cmp(rw_rule(c->b, f->ok), RS_L4PROTO, RS_NE, IPPROTO_TCP);
	rw_go(c->b, RS_ACCEPT, RS_NONE);
	rw_masked(rw_rule(c->b, f->ok), RS_TCP_FLAGS, TCP_SYN | TCP_ACK, RS_EQ, TCP_SYN);
	rw_go(c->b, RS_GOTO, f->syn);
	/* what most packets are not, in one question */
	rw_state(rw_rule(c->b, f->ok), RS_CT_INVALID | RS_CT_UNTRACKED | RS_CT_NEW |
	    RS_CT_RELATED);
	rw_go(c->b, RS_JUMP, f->odd);
	compile_odd(c, f);
	rw_label(rw_no_label(rw_rule(c->b, f->ok), LABEL_JUDGED), LABEL_FRESH);
	rw_go(c->b, RS_JUMP, c->opening);
	compile_gate_jump(c, f->ok, c->gate);
	compile_guards_at(c, f->ok);
	rw_go(rw_rule(c->b, f->ok), RS_ACCEPT, RS_NONE);
}

/* A connection opens: note in its labels what each protected side grants it.  Data in
 * the SYN itself is looked at as any other. */
static void syn_chain(struct compile *c, struct fam *f)
{
	static const uint32_t granted[2][2] = { [FS_IN] = { LABEL_IN_SMB, LABEL_IN_RDP },
		[FS_OUT] = { LABEL_OUT_SMB, LABEL_OUT_RDP } };
	static const uint32_t may_be_short[2] = { [FS_IN] = LABEL_IN_SHORT,
		[FS_OUT] = LABEL_OUT_SHORT };

	compile_truncated(c, f, f->syn);
	rw_set_label(rw_rule(c->b, f->syn), LABEL_FRESH);
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		enum rs_field host = dir == FS_IN ? f->daddr : f->saddr;

		compile_labels(c, f, (enum fs_dir)dir);
		rw_rule(c->b, f->syn);
		compile_not_legacy(c, f, host);
		rw_set_label(rw_set_label(c->b, granted[dir][0]), granted[dir][1]);
		rw_set_label(c->b, may_be_short[dir]);
		if (!f->watches)
			continue;
		/* what is only observed loses nothing */
		rw_in(rw_rule(c->b, f->syn), host, f->observe);
		rw_set_label(c->b, may_be_short[dir]);
	}
	compile_restore(c, f, f->syn);
	compile_gate_needs(c, f);
	rw_payload_is(rw_rule(c->b, f->syn), 0, 1, RS_GE, 0);
	rw_go(c->b, RS_JUMP, c->opening);
	compile_gate_jump(c, f->syn, c->gate_early);
	compile_guards_at(c, f->syn);
	rw_go(rw_rule(c->b, f->syn), RS_ACCEPT, RS_NONE);
}

/* Some rule names a peer that may be protected: of its direction.  At any time, so that
 * no chain comes and goes with a schedule. */
static bool names_near(const struct compile *c, enum fs_dir dir,
    const struct netrange *near)
{
	for (uint32_t i = 0; i < c->fs->table[FS_RULES].count; i++) {
		const struct fs_rule *r = fs_rule(c->fs, i);

		for (uint32_t k = 0; r->dir == dir && k < r->peers.count; k++)
			if (netrange_overlaps(fs_range(c->fs, r->peers.first + k), near))
				return true;
	}
	return false;
}

/* Both sides have to consent: without a rule of each that names the other there is
 * nothing to ask.  No rule of a client's is rarer than none of a server's. */
static bool meet(const struct compile *c, const struct netrange *near)
{
	return near->lo.v != 0 && names_near(c, FS_OUT, near) && names_near(c, FS_IN, near);
}

static void look_at_places(struct compile *c)
{
	const struct fs_place *p = fs_table(c->fs, FS_PLACES);
	struct netrange near[2] = { 0 }; /* all places of a family, and what is between */

	for (uint32_t i = 0; i < c->fs->table[FS_PLACES].count; i++) {
		struct fam *f = &c->fam[p[i].range.lo.v == 6];

		f->lives = true;
		f->watches |= fs_host(c->fs, p[i].host)->mode == FS_OBSERVE;
		if (near[p[i].range.lo.v == 6].lo.v == 0)
			near[p[i].range.lo.v == 6] = p[i].range;
		near[p[i].range.lo.v == 6].hi = p[i].range.hi;
	}
	for (int k = 0; k < 2; k++)
		c->fam[k].pairs = c->fam[k].watches || meet(c, &near[k]);
}

void compile_declare(struct compile *c)
{
	static const char *const tries[WAYS] = { "try_in", "try_out", "try_in_answer",
		"try_out_answer", "try_both", "try_both_answer" };

	look_at_places(c);
	chain(c, "nomulticast");
	c->answer = chain(c, "answer");
	c->opening = chain(c, "opening");
	c->timed = chain(c, "timed");
	c->clock = chain(c, "clock");
	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		f->forward = fam_chain(c, f, "forward");
		f->judge = fam_chain(c, f, "judge");
		f->inside = fam_chain(c, f, "inside");
		if (!f->lives)
			continue;
		f->toward = fam_chain(c, f, "toward");
		if (f->pairs)
			f->both = fam_chain(c, f, "both");
		for (int w = 0; w < (f->pairs ? WAYS : BOTH_FWD); w++)
			f->try_way[w] = fam_chain(c, f, tries[w]);
		f->icmp_odd = fam_chain(c, f, "icmp_odd");
		if (f->watches) {
			f->watch_in = fam_chain(c, f, "watch_in");
			f->watch_out = fam_chain(c, f, "watch_out");
		}
		f->ok = fam_chain(c, f, "ok");
		f->odd = fam_chain(c, f, "odd");
		f->syn = fam_chain(c, f, "syn");
	}
}

/* What there is of each family that the policy has addresses of. */
static void family_chains(struct compile *c, struct fam *f)
{
	if (f->watches) {
		compile_watch(c, f, f->watch_in);
		compile_watch(c, f, f->watch_out);
	} else {
		compile_report_kept(c, f, "would_deny");
	}
	if (f->lives)
		f->condemned = compile_report(c, f, "condemned", "", c->answer);
	else
		compile_report_kept(c, f, "condemned");
	judge_chains(c, f);
	if (!f->lives)
		return;
	for (int w = 0; w < (f->pairs ? WAYS : BOTH_FWD); w++)
		try_chain(c, f, (enum way)w);
	ok_chain(c, f);
	syn_chain(c, f);
}

void compile_chains(struct compile *c)
{
	compile_timed(c);
	answer_chain(c);
	compile_gates(c);
	multicast_chain(c);
	compile_guards(c);
	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		f->denied = compile_report(c, f, "denied", "", c->answer);
		f->spoofed = compile_report(c, f, "spoof", "", silent_chain(c));
		f->blocked = compile_report(c, f, "blocked", "", silent_chain(c));
		family_chains(c, f);
	}
	compile_openings(c);
	compile_places(c);
}

uint32_t compile_closed_chain(struct rs_builder *b)
{
	uint32_t at = rsb_chain(b, "forward", &(struct rs_chain){
		.hook = RS_HOOK_FORWARD, .priority = HOOK_PRIORITY, .drop = true });

	rw_counter(rw_rule(b, at), "closed");
	rw_go(b, RS_DROP, RS_NONE);
	return at;
}
