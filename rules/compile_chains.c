/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the compiler's static chains: place, block, consent, answer */
#include "rules/compile.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "rules/rulewriter.h"

enum { PRIORITY = -10, /* after DNAT, before other filters and SNAT */
	RESETS_PER_S = 1000, RESET_BURST = 100 };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };
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
	static const bool by_source[WAYS] = { [FWD_OUT] = true, [REV_IN] = true };
	bool reverse = w == REV_IN || w == REV_OUT;
	enum rs_field host = by_source[w] ? f->saddr : f->daddr;
	enum fs_dir dir = w == FWD_IN || w == REV_IN ? FS_IN : FS_OUT;
	uint32_t hit = w == FWD_IN ? f->hit_in : w == REV_OUT ? f->hit_rev_out : f->ok;
	uint32_t at = f->try_way[w];

	compile_consent(c, f, at, w, hit);
	if (!f->watches)
		return;
	/* an observed side consents to everything, but says so */
	if (!reverse) {
		rw_go(rw_in(rw_rule(c->b, at), host, f->observe), RS_JUMP,
		    dir == FS_IN ? f->watch_in : f->watch_out);
	}
	rw_go(rw_in(rw_rule(c->b, at), host, f->observe), RS_GOTO, hit);
}

static void consent_chains(struct compile *c, struct fam *f)
{
	for (int w = 0; w < WAYS; w++)
		try_chain(c, f, w);
	/* behind a hit: the other side, where that is protected, too.  What came in by
	 * a protected interface has a protected source: the place check saw to it. */
	rw_go(rw_in(rw_rule(c->b, f->hit_in), RS_IIFNAME, c->inside), RS_GOTO,
	    f->try_way[FWD_OUT]);
	rw_go(rw_rule(c->b, f->hit_in), RS_GOTO, f->ok);
	rw_go(rw_in(rw_rule(c->b, f->hit_rev_out), RS_IIFNAME, c->inside), RS_GOTO,
	    f->try_way[REV_IN]);
	rw_go(rw_rule(c->b, f->hit_rev_out), RS_GOTO, f->ok);
}

/* All orders of trying: a SYN only forward; other TCP packets both ways, the likelier
 * first; the rest by conntrack's direction. */
static void order_rules(struct compile *c, struct fam *f, uint32_t at, uint32_t forward,
    uint32_t reverse)
{
	rw_masked(rw_rule(c->b, at), RS_TCP_FLAGS, TCP_SYN | TCP_ACK, RS_EQ, TCP_SYN);
	rw_go(c->b, RS_JUMP, forward);
	rw_masked(rw_rule(c->b, at), RS_TCP_FLAGS, TCP_SYN | TCP_ACK, RS_EQ, TCP_SYN);
	rw_go(c->b, RS_GOTO, f->denied);
	rw_cmp(rw_rule(c->b, at), RS_CT_DIR, RS_EQ, REPLY);
	rw_go(c->b, RS_JUMP, reverse);
	rw_cmp(rw_cmp(rw_rule(c->b, at), RS_L4PROTO, RS_NE, IPPROTO_TCP), RS_CT_DIR, RS_EQ,
	    REPLY);
	rw_go(c->b, RS_GOTO, f->denied);
	rw_go(rw_rule(c->b, at), RS_JUMP, forward);
	rw_cmp(rw_rule(c->b, at), RS_L4PROTO, RS_EQ, IPPROTO_TCP);
	rw_go(c->b, RS_JUMP, reverse);
	rw_go(rw_rule(c->b, at), RS_GOTO, f->denied);
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
	rw_in(rw_state(rw_rule(c->b, at), RS_CT_RELATED), f->icmp_field, f->icmp_errors);
	rw_go(c->b, RS_ACCEPT, RS_NONE);
	rw_cmp(rw_rule(c->b, at), f->icmp_field, RS_EQ, f->v == 4 ? 5 : 137); /* redirect */
	rw_go(c->b, RS_GOTO, f->denied);
}

/* 0. from inside comes only what is protected and routed back there */
static void inside_place(struct compile *c, struct fam *f)
{
	uint32_t at = f->inside;
	struct netrange local;

	netrange_parse(f->v == 4 ? "169.254.0.0/16" : "fe80::/10", &local, NULL);
	rw_go(rw_in(rw_rule(c->b, at), f->daddr, f->multicast), RS_GOTO,
	    rsb_find_chain(c->b, "nomulticast"));
	/* link-local is judged as an undeclared host's: it has no rules */
	rw_go(rw_addr(rw_rule(c->b, at), f->saddr, &local), RS_GOTO, f->denied);
	if (!f->lives) {
		rw_go(rw_rule(c->b, at), RS_GOTO, f->spoofed);
		return;
	}
	rw_go(rw_not_in(rw_rule(c->b, at), f->saddr, f->legacy), RS_GOTO, f->spoofed);
	rw_cmp(rw_rule(c->b, at), RS_FIB_SADDR_OIF, RS_EQ, 0);
	rw_go(c->b, RS_GOTO, f->spoofed);
}

/* judge: from outside or from the gateway itself, source not protected.
 * inside: source protected, destination may be too.
 * The kernel allows 15 jumps and gotos one behind the other: hence few chains. */
static void judge_chains(struct compile *c, struct fam *f)
{
	static const uint8_t net64[16] = { 255, 255, 255, 255, 255, 255, 255, 255 };

	rw_go(rw_in(rw_rule(c->b, f->judge), f->saddr, f->block_all), RS_GOTO, f->blocked);
	if (f->v == 6) {
		rw_go(rw_in_masked(rw_rule(c->b, f->judge), f->saddr, net64,
			  f->block_all_net), RS_GOTO, f->blocked);
	}
	if (f->lives)
		rw_go(rw_in(rw_rule(c->b, f->judge), f->daddr, f->legacy), RS_GOTO,
		    f->toward);
	/* 2. not ours: other tables decide */
	rw_go(rw_rule(c->b, f->judge), RS_ACCEPT, RS_NONE);
	inside_place(c, f);
	if (!f->lives)
		return;

	gate_rules(c, f, f->toward);
	order_rules(c, f, f->toward, f->try_way[FWD_IN], f->try_way[REV_OUT]);

	gate_rules(c, f, f->inside);
	rw_go(rw_in(rw_rule(c->b, f->inside), f->daddr, f->legacy), RS_GOTO, f->both);
	order_rules(c, f, f->inside, f->try_way[FWD_OUT], f->try_way[REV_IN]);

	/* the client's side is looked at behind the server's hit, see hit_in */
	order_rules(c, f, f->both, f->try_way[FWD_IN], f->try_way[REV_OUT]);
}

static void ok_chain(struct compile *c, struct fam *f)
{
	compile_restore(c, f, f->ok);
	rw_cmp(rw_rule(c->b, f->ok), RS_L4PROTO, RS_NE, IPPROTO_TCP);
	rw_go(c->b, RS_ACCEPT, RS_NONE);
	rw_masked(rw_rule(c->b, f->ok), RS_TCP_FLAGS, TCP_SYN | TCP_ACK, RS_EQ, TCP_SYN);
	rw_go(c->b, RS_GOTO, f->syn);
	compile_odd(c, f);
	rw_no_label(rw_label(rw_rule(c->b, f->ok), LABEL_FRESH), LABEL_JUDGED);
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
		rw_not_in(rw_rule(c->b, f->syn), host, f->legacy);
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

/* ---- base chains: 0. place ---- */

static uint32_t base_chain(struct compile *c, const char *name, enum rs_hook hook)
{
	return rsb_chain(c->b, name,
	    &(struct rs_chain){ .hook = (uint8_t)hook, .priority = PRIORITY });
}

static void to_judge(struct compile *c, uint32_t at)
{
	for (int i = 0; i < 2; i++) {
		rw_cmp(rw_rule(c->b, at), RS_NFPROTO, RS_EQ, c->fam[i].nfproto);
		rw_go(c->b, RS_GOTO, c->fam[i].judge);
	}
}

/* From outside nothing protected may come. */
static void outside_rules(struct compile *c, uint32_t at)
{
	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		if (f->lives)
			rw_go(rw_in(rw_rule(c->b, at), f->saddr, f->legacy), RS_GOTO,
			    f->spoofed);
	}
	to_judge(c, at);
}

static void to_inside(struct compile *c, uint32_t at)
{
	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		rw_in(rw_cmp(rw_rule(c->b, at), RS_NFPROTO, RS_EQ, f->nfproto), RS_IIFNAME,
		    c->inside);
		rw_go(c->b, RS_GOTO, f->inside);
	}
}

static void forward_chain(struct compile *c)
{
	uint32_t at = base_chain(c, "forward", RS_HOOK_FORWARD);

	to_inside(c, at);
	outside_rules(c, at);
}

/* Neighbour discovery and MLD as neighbours send them; not advertisements of routers,
 * never redirects. */
static void neighbour_rules(struct compile *c, uint32_t at, bool out)
{
	const struct fam *f = &c->fam[1];

	rw_cmp(rw_in(rw_rule(c->b, at), RS_ICMP6_TYPE, f->neighbour), RS_IP6_HOPLIMIT, RS_EQ,
	    255);
	rw_go(c->b, RS_ACCEPT, RS_NONE);
	rw_cmp(rw_in(rw_rule(c->b, at), RS_ICMP6_TYPE, f->listener), RS_IP6_HOPLIMIT, RS_EQ,
	    1);
	rw_go(c->b, RS_ACCEPT, RS_NONE);
	if (!out)
		return;
	/* the gateway's own router advertisements */
	rw_cmp(rw_rule(c->b, at), RS_ICMP6_TYPE, RS_EQ, 134);
	rw_go(c->b, RS_ACCEPT, RS_NONE);
}

static void dhcp_rules(struct compile *c, uint32_t at)
{
	static const struct {
		const char *from;
		uint16_t sport, dport;
	} dhcp[2] = { { "0.0.0.0", 68, 67 }, { "fe80::/10", 546, 547 } };

	for (int i = 0; i < 2; i++) {
		struct netrange r;

		netrange_parse(dhcp[i].from, &r, NULL);
		rw_addr(rw_rule(c->b, at), c->fam[i].saddr, &r);
		rw_cmp(c->b, RS_L4PROTO, RS_EQ, IPPROTO_UDP);
		rw_cmp(c->b, RS_TH_SPORT, RS_EQ, dhcp[i].sport);
		rw_cmp(c->b, RS_TH_DPORT, RS_EQ, dhcp[i].dport);
		rw_go(c->b, RS_ACCEPT, RS_NONE);
	}
}

static void input_chain(struct compile *c)
{
	uint32_t from_lan = chain(c, "input_inside");
	uint32_t at = base_chain(c, "input", RS_HOOK_INPUT);

	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		/* a legacy host does not become management by its source address */
		rw_in(rw_rule(c->b, at), f->saddr, f->management);
		rw_cmp(rw_in(c->b, RS_IIFNAME, c->inside), RS_FIB_SADDR_OIF, RS_EQ, 0);
		rw_go(c->b, RS_GOTO, f->spoofed);
		rw_go(rw_in(rw_rule(c->b, at), f->saddr, f->management), RS_ACCEPT,
		    RS_NONE);
	}
	rw_go(rw_in(rw_rule(c->b, at), RS_IIFNAME, c->inside), RS_JUMP, from_lan);
	to_inside(c, at);
	/* the reset that answers a denied connection of the gateway's own comes by lo, from
	 * the host's address; no TCP packet from a wire is `related` and a reset */
	rw_masked(rw_rule(c->b, at), RS_TCP_FLAGS, TCP_RST, RS_NE, 0);
	rw_go(rw_state(c->b, RS_CT_RELATED), RS_ACCEPT, RS_NONE);
	outside_rules(c, at);

	neighbour_rules(c, from_lan, false);
	dhcp_rules(c, from_lan);
	for (int type = 1; type <= 2; type++) { /* broadcast, multicast */
		rw_cmp(rw_rule(c->b, from_lan), RS_PKTTYPE, RS_EQ, (uint64_t)type);
		rw_go(c->b, RS_GOTO, rsb_find_chain(c->b, "nomulticast"));
	}
}

/* The gateway's own packets; its resets and errors must always get out. */
static void output_chain(struct compile *c)
{
	uint32_t at = base_chain(c, "output", RS_HOOK_OUTPUT);

	rw_masked(rw_rule(c->b, at), RS_TCP_FLAGS, TCP_RST, RS_NE, 0);
	rw_go(c->b, RS_ACCEPT, RS_NONE);
	for (int i = 0; i < 2; i++) {
		rw_go(rw_in(rw_rule(c->b, at), c->fam[i].icmp_field, c->fam[i].icmp_errors),
		    RS_ACCEPT, RS_NONE);
	}
	neighbour_rules(c, at, true);
	/* no transparent proxy speaks in a host's name; who manages is never cut off */
	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		if (!f->lives)
			continue;
		rw_not_in(rw_in(rw_rule(c->b, at), f->saddr, f->legacy), f->daddr,
		    f->management);
		rw_go(c->b, RS_GOTO, f->spoofed);
	}
	to_judge(c, at);
}

static void look_at_places(struct compile *c)
{
	const struct fs_place *p = fs_table(c->fs, FS_PLACES);

	for (uint32_t i = 0; i < c->fs->table[FS_PLACES].count; i++) {
		struct fam *f = &c->fam[p[i].range.lo.v == 6];

		f->lives = true;
		f->watches |= fs_host(c->fs, p[i].host)->mode == FS_OBSERVE;
	}
}

void compile_declare(struct compile *c)
{
	static const char *const tries[WAYS] = { "try_in", "try_out", "try_in_answer",
		"try_out_answer" };

	look_at_places(c);
	chain(c, "nomulticast");
	c->answer = chain(c, "answer");
	c->opening = chain(c, "opening");
	c->timed = chain(c, "timed");
	c->clock = chain(c, "clock");
	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		f->judge = fam_chain(c, f, "judge");
		f->inside = fam_chain(c, f, "inside");
		if (!f->lives)
			continue;
		f->toward = fam_chain(c, f, "toward");
		f->both = fam_chain(c, f, "both");
		for (int w = 0; w < WAYS; w++)
			f->try_way[w] = fam_chain(c, f, tries[w]);
		f->hit_in = fam_chain(c, f, "hit_in");
		f->hit_rev_out = fam_chain(c, f, "hit_out_answer");
		if (f->watches) {
			f->watch_in = fam_chain(c, f, "watch_in");
			f->watch_out = fam_chain(c, f, "watch_out");
		}
		f->ok = fam_chain(c, f, "ok");
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
	consent_chains(c, f);
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
	forward_chain(c);
	input_chain(c);
	output_chain(c);
}

uint32_t compile_closed_chain(struct rs_builder *b)
{
	uint32_t at = rsb_chain(b, "forward", &(struct rs_chain){
		.hook = RS_HOOK_FORWARD, .priority = PRIORITY, .drop = true });

	rw_counter(rw_rule(b, at), "closed");
	rw_go(b, RS_DROP, RS_NONE);
	return at;
}
