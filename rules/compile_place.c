/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the base chains: where packets come from and go to, and what that forbids */
#include "rules/compile.h"

#include <netinet/in.h>
#include <string.h>

#include "rules/rulewriter.h"

enum { TCP_RST = 4 };

/* ---- what a packet is asked ---- */

/* One name is compared in half the time that a set takes; NULL: there are more. */
static const char *one_interface(const struct compile *c)
{
	const struct fs_span s = c->fs->settings.interfaces;

	return s.count == 1 ?
	    fs_str(c->fs, *FS_AT(c->fs, FS_WORDS, uint32_t, s.first)) : NULL;
}

static struct rs_builder *from_inside(struct compile *c)
{
	const char *one = one_interface(c);

	return one == NULL ? rw_in(c->b, RS_IIFNAME, c->inside) :
			     rw_iface(c->b, RS_IIFNAME, RS_EQ, one);
}

static struct rs_builder *from_outside(struct compile *c)
{
	const char *one = one_interface(c);

	return one == NULL ? rw_not_in(c->b, RS_IIFNAME, c->inside) :
			     rw_iface(c->b, RS_IIFNAME, RS_NE, one);
}

/* Asked where it is the exception: most are not even near. */
struct rs_builder *compile_legacy(struct compile *c, const struct fam *f, enum rs_field end)
{
	if (netrange_prefixlen(&f->hull) > 0)
		rw_addr(c->b, end, &f->hull);
	return rw_in(c->b, end, f->legacy);
}

struct rs_builder *compile_not_legacy(struct compile *c, const struct fam *f,
    enum rs_field end)
{
	if (f->nspans > SPANS_MAX)
		return rw_not_in(c->b, end, f->legacy);
	for (uint32_t i = 0; i < f->nspans; i++)
		rw_not_addr(c->b, end, &f->span[i]);
	return c->b;
}

void compile_legacy_goto(struct compile *c, const struct fam *f, uint32_t at,
    enum rs_field end, uint32_t to)
{
	if (f->nspans > SPANS_MAX)
		rw_go(rw_in(rw_rule(c->b, at), end, f->legacy), RS_GOTO, to);
	for (uint32_t i = 0; i < f->nspans && f->nspans <= SPANS_MAX; i++)
		rw_go(rw_addr(rw_rule(c->b, at), end, &f->span[i]), RS_GOTO, to);
}

/* ---- 0. place ---- */

static void multicast_rules(struct compile *c, const struct fam *f, uint32_t at)
{
	static const char *const group[] = { "224.0.0.0/4", "255.255.255.255", "ff00::/8" };
	struct netrange r;

	for (size_t i = 0; i < sizeof(group) / sizeof(group[0]); i++) {
		if (netrange_parse(group[i], &r, NULL) == -1 || r.lo.v != f->v)
			continue;
		rw_go(rw_addr(rw_rule(c->b, at), f->daddr, &r), RS_GOTO,
		    rsb_find_chain(c->b, "nomulticast"));
	}
}

/* From inside comes only what is protected and routed back there */
void compile_inside_place(struct compile *c, struct fam *f)
{
	uint32_t at = f->inside;
	struct netrange local;

	netrange_parse(f->v == 4 ? "169.254.0.0/16" : "fe80::/10", &local, NULL);
	multicast_rules(c, f, at);
	/* link-local is judged as an undeclared host's: it has no rules */
	rw_go(rw_addr(rw_rule(c->b, at), f->saddr, &local), RS_GOTO, f->denied);
	if (!f->lives) {
		rw_go(rw_rule(c->b, at), RS_GOTO, f->spoofed);
		return;
	}
	rw_rule(c->b, at);
	rw_go(compile_not_legacy(c, f, f->saddr), RS_GOTO, f->spoofed);
	rw_cmp(rw_rule(c->b, at), RS_FIB_SADDR_OIF, RS_EQ, 0);
	rw_go(c->b, RS_GOTO, f->spoofed);
}

void compile_judge(struct compile *c, struct fam *f, uint32_t at)
{
	static const uint8_t net64[16] = { 255, 255, 255, 255, 255, 255, 255, 255 };

	rw_go(rw_in(rw_rule(c->b, at), f->saddr, f->block_all), RS_GOTO, f->blocked);
	if (f->v == 6) {
		rw_go(rw_in_masked(rw_rule(c->b, at), f->saddr, net64, f->block_all_net),
		    RS_GOTO, f->blocked);
	}
	if (f->lives)
		compile_legacy_goto(c, f, at, f->daddr, f->toward);
	/* 2. not ours: other tables decide */
	rw_go(rw_rule(c->b, at), RS_ACCEPT, RS_NONE);
}

static uint32_t base_chain(struct compile *c, const char *name, enum rs_hook hook)
{
	return rsb_chain(c->b, name,
	    &(struct rs_chain){ .hook = (uint8_t)hook, .priority = HOOK_PRIORITY });
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

		if (!f->lives)
			continue;
		rw_rule(c->b, at);
		rw_go(compile_legacy(c, f, f->saddr), RS_GOTO, f->spoofed);
	}
	to_judge(c, at);
}

static void to_inside(struct compile *c, uint32_t at)
{
	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		rw_cmp(rw_rule(c->b, at), RS_NFPROTO, RS_EQ, f->nfproto);
		rw_go(from_inside(c), RS_GOTO, f->inside);
	}
}

/* Most come from outside, by IPv4, and are asked for nothing else before they go on. */
static void forward_chain(struct compile *c)
{
	uint32_t at = base_chain(c, "forward", RS_HOOK_FORWARD);

	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		rw_rule(c->b, at);
		rw_cmp(from_outside(c), RS_NFPROTO, RS_EQ, f->nfproto);
		rw_go(c->b, RS_GOTO, f->forward);
		rw_cmp(rw_rule(c->b, at), RS_NFPROTO, RS_EQ, f->nfproto);
		rw_go(c->b, RS_GOTO, f->inside);
		if (f->lives) {
			rw_rule(c->b, f->forward);
			rw_go(compile_legacy(c, f, f->saddr), RS_GOTO, f->spoofed);
		}
		compile_judge(c, f, f->forward);
	}
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
	uint32_t from_lan = rsb_chain(c->b, "input_inside", NULL);
	uint32_t at = base_chain(c, "input", RS_HOOK_INPUT);

	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		if (!f->managed)
			continue;
		/* a legacy host does not become management by its source address */
		rw_in(rw_rule(c->b, at), f->saddr, f->management);
		rw_cmp(from_inside(c), RS_FIB_SADDR_OIF, RS_EQ, 0);
		rw_go(c->b, RS_GOTO, f->spoofed);
		rw_go(rw_in(rw_rule(c->b, at), f->saddr, f->management), RS_ACCEPT,
		    RS_NONE);
	}
	rw_rule(c->b, at);
	rw_go(from_inside(c), RS_JUMP, from_lan);
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
		rw_rule(c->b, at);
		compile_legacy(c, f, f->saddr);
		if (f->managed)
			rw_not_in(c->b, f->daddr, f->management);
		rw_go(c->b, RS_GOTO, f->spoofed);
	}
	to_judge(c, at);
}

void compile_places(struct compile *c)
{
	forward_chain(c);
	input_chain(c);
	output_chain(c);
}
