/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: TCP packets of connections that conntrack does not know from their start */
#include "rules/compile.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "rules/rulewriter.h"

/* A client can make conntrack forget a connection (a reset that the server does not
 * take, with a low TTL or beside the window), or call its packets invalid, while the
 * server goes on.  Where no rule grants SMB or RDP such packets are looked at like the
 * first ones; where one does they may stand in the middle of a session, and pass. */

enum { SHUT_S = 3600, SHUT_MAX = 16384 };
enum { TCP_HEADER = 20 };
enum { PORTS_MAX = 256 }; /* of a range that grants; wider ones are not elements */

static void speaks_of(struct compile *c, const struct fs_host *h, enum fs_dir dir,
    uint16_t port, bool asks)
{
	for (uint32_t a = 0; a < h->addresses.count; a++) {
		const struct netaddr *host = &fs_range(c->fs, h->addresses.first + a)->lo;
		size_t size = netaddr_size(host);
		uint8_t key[20] = { 0 };

		memcpy(key, host->b, size);
		key[size] = (uint8_t)(port >> 8);
		key[size + 1] = (uint8_t)port;
		rsb_elem(c->b, c->fam[host->v == 6].speaks[dir], key, NULL, RS_CONTINUE,
		    RS_NONE, "");
		if (asks)
			rsb_elem(c->b, c->fam[host->v == 6].asks[dir], key, NULL,
			    RS_CONTINUE, RS_NONE, "");
	}
}

static void speaks_rule(struct compile *c, const struct fs_rule *r)
{
	if (!fs_rule_active(c->fs, r, c->o->at, NULL))
		return;
	for (uint32_t k = 0; k < r->services.count; k++) {
		const struct fs_service *s = fs_service(c->fs, r->services.first + k);

		if (s->proto != IPPROTO_TCP || s->grants == 0 || s->hi - s->lo >= PORTS_MAX)
			continue;
		for (uint32_t port = s->lo; port <= s->hi; port++)
			speaks_of(c, fs_host(c->fs, r->host), r->dir, (uint16_t)port,
			    compile_asks(c, r->require, s->grants));
	}
}

static uint32_t shut_set(struct compile *c, const struct fam *f)
{
	char name[RS_NAME_MAX];

	snprintf(name, sizeof(name), "shut%u", f->v);
	return rsb_set(c->b, name, &(struct rs_set){ .nkeys = 4,
		.key = { f->addr_type, f->addr_type, RS_T_PORT, RS_T_PORT },
		.dynamic = true, .timeout = true, .timeout_s = SHUT_S, .keep = true,
		.size = SHUT_MAX });
}

/* A set of ports of hosts. */
static uint32_t ports_set(struct compile *c, const struct fam *f, const char *what, int dir)
{
	char name[RS_NAME_MAX];

	snprintf(name, sizeof(name), "%s%s%u", what, dir == FS_IN ? "in" : "out", f->v);
	return rsb_set(c->b, name, &(struct rs_set){ .nkeys = 2,
		.key = { f->addr_type, RS_T_PORT } });
}

void compile_speaks(struct compile *c)
{
	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		if (c->require != 0)
			f->shut = shut_set(c, f);
		for (int dir = FS_IN; dir <= FS_OUT; dir++) {
			f->speaks[dir] = ports_set(c, f, "speaks", dir);
			if (c->require != 0)
				f->asks[dir] = ports_set(c, f, "asks", dir);
		}
	}
	for (uint32_t i = 0; i < c->fs->table[FS_RULES].count; i++)
		speaks_rule(c, fs_rule(c->fs, i));
}

static void nowhere_granted(struct compile *c, const struct fam *f)
{
	const uint8_t key[4][2] = { { f->daddr, RS_TH_DPORT }, { f->saddr, RS_TH_SPORT },
		{ f->saddr, RS_TH_DPORT }, { f->daddr, RS_TH_SPORT } };

	for (int i = 0; i < 4; i++)
		rw_fields_not_in(c->b, key[i], 2, f->speaks[i < 2 ? FS_IN : FS_OUT]);
}

/* IPv6: a first fragment that ends within the TCP header is not put together, but handed on
 * as it is (RFC 8200 4.5 has it dropped), and hides the flags. */
void compile_truncated(struct compile *c, const struct fam *f, uint32_t at)
{
	char name[RS_NAME_MAX];
	uint32_t whole;
	struct rs_op last;

	snprintf(name, sizeof(name), "whole%u", f->v);
	whole = rsb_find_chain(c->b, name);
	rw_state(rw_rule(c->b, at), RS_CT_INVALID | RS_CT_UNTRACKED);
	if (whole != RS_NONE) {
		rw_go(c->b, RS_JUMP, whole);
		return;
	}
	whole = rsb_chain(c->b, name, NULL);
	rw_go(c->b, RS_JUMP, whole);
	memset(&last, 0, sizeof(last));
	last.code = RS_OP_CMP;
	last.cmp = RS_GE;
	last.set = last.chain = RS_NONE;
	last.field[0] = RS_TH_RAW;
	last.offset = TCP_HEADER - 1;
	last.len = 1;
	rsb_op(rw_rule(c->b, whole), &last);
	rw_go(c->b, RS_RETURN, RS_NONE);
	rw_go(rw_rule(c->b, whole), RS_GOTO, f->denied);
}

/* What conntrack calls invalid has no labels: a gate can't know what it belongs to, and a
 * client can make any of its data invalid.  (A session picked up later is never so.) */
static void not_gated(struct compile *c, const struct fam *f)
{
	const uint8_t key[2][2] = { [FS_IN] = { f->daddr, RS_TH_DPORT },
		[FS_OUT] = { f->saddr, RS_TH_DPORT } };

	for (int dir = FS_IN; dir <= FS_OUT && c->require != 0; dir++) {
		rw_state(rw_rule(c->b, f->odd), RS_CT_INVALID);
		rw_payload_is(c->b, 0, 1, RS_GE, 0);
		rw_fields_in(c->b, key[dir], 2, f->asks[dir]);
		compile_enforced(c, f, (enum rs_field)key[dir][0]);
		rw_go(c->b, RS_GOTO, f->denied);
	}
}

static void not_shut(struct compile *c, const struct fam *f)
{
	const uint8_t ends[2][4] = { { f->saddr, f->daddr, RS_TH_SPORT, RS_TH_DPORT },
		{ f->daddr, f->saddr, RS_TH_DPORT, RS_TH_SPORT } };

	for (int i = 0; i < 2 && c->require != 0; i++) {
		rw_state(rw_rule(c->b, f->odd), RS_CT_NEW);
		rw_go(rw_fields_in(c->b, ends[i], 4, f->shut), RS_GOTO, f->denied);
	}
}

/* Of both families: what has no connection is looked at now, what begins one in the middle
 * as its data comes.  (Packets of neither kind are not odd.) */
static uint32_t strange_chain(struct compile *c)
{
	uint32_t at = rsb_find_chain(c->b, "odd_strange");

	if (at != RS_NONE)
		return at;
	at = rsb_chain(c->b, "odd_strange", NULL);
	rw_state(rw_rule(c->b, at), RS_CT_INVALID | RS_CT_UNTRACKED);
	rw_go(c->b, RS_GOTO, c->opening);
	rw_set_label(rw_set_label(rw_rule(c->b, at), LABEL_FRESH), LABEL_PICKED);
	rw_set_label(rw_set_label(c->b, LABEL_IN_SHORT), LABEL_OUT_SHORT);
	return at;
}

void compile_odd(struct compile *c, const struct fam *f)
{
	uint32_t strange;

	compile_truncated(c, f, f->odd);
	not_gated(c, f);
	not_shut(c, f);
	strange = strange_chain(c); /* has rules of its own */
	rw_rule(c->b, f->odd);
	nowhere_granted(c, f);
	rw_go(c->b, RS_GOTO, strange);
}
