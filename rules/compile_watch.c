/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what is reported of hosts that are only observed */
#include "rules/compile.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "rules/rulewriter.h"

enum { TCP_SYN = 2, TCP_ACK = 16, ORIGINAL = 0 };
enum { PORTS_MAX = 256 }; /* of a range that is listed; wider ones are not */

/* ---- host . port where a rule of an observed host allows some peer ---- */

static void older_port(struct compile *c, const struct fs_host *h, enum fs_dir dir,
    uint16_t port)
{
	for (uint32_t a = 0; a < h->addresses.count; a++) {
		const struct netaddr *host = &fs_range(c->fs, h->addresses.first + a)->lo;
		size_t size = netaddr_size(host);
		uint8_t key[20] = { 0 };

		memcpy(key, host->b, size);
		key[size] = (uint8_t)(port >> 8);
		key[size + 1] = (uint8_t)port;
		rsb_elem(c->b, c->fam[host->v == 6].older[dir], key, NULL, RS_CONTINUE,
		    RS_NONE, "");
	}
}

static void older_rule(struct compile *c, const struct fs_rule *r)
{
	const struct fs_host *h = fs_host(c->fs, r->host);

	if (h->mode != FS_OBSERVE || !h->declared ||
	    !fs_rule_active(c->fs, r, c->o->at, NULL))
		return;
	for (uint32_t k = 0; k < r->services.count; k++) {
		const struct fs_service *s = fs_service(c->fs, r->services.first + k);

		if (s->proto != IPPROTO_TCP || s->hi - s->lo >= PORTS_MAX)
			continue;
		for (uint32_t port = s->lo; port <= s->hi; port++)
			older_port(c, h, (enum fs_dir)r->dir, (uint16_t)port);
	}
}

void compile_older(struct compile *c)
{
	static const char *const name[2] = { [FS_IN] = "olderin", [FS_OUT] = "olderout" };

	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];
		char full[RS_NAME_MAX];

		for (int dir = FS_IN; dir <= FS_OUT; dir++) {
			snprintf(full, sizeof(full), "%s%u", name[dir], f->v);
			f->older[dir] = rsb_set(c->b, full, &(struct rs_set){ .nkeys = 2,
				.key = { f->addr_type, RS_T_PORT } });
		}
	}
	for (uint32_t i = 0; i < c->fs->table[FS_RULES].count; i++)
		older_rule(c, fs_rule(c->fs, i));
}

/* ---- the chains ---- */

/* Packets of a connection that was open before this table.  One that may be the answer of
 * what a rule allows is not reported: whether its peer is one of the rule's can't be
 * looked up here (the kernel's bound on jumps), and the client's packets tell the rest. */
static void watch_older(struct compile *c, const struct fam *f, uint32_t at, uint32_t report)
{
	enum fs_dir back = at == f->watch_in ? FS_OUT : FS_IN;
	const uint8_t key[2] = { (uint8_t)(back == FS_OUT ? f->daddr : f->saddr),
		RS_TH_SPORT };

	rw_cmp(rw_rule(c->b, at), RS_L4PROTO, RS_NE, IPPROTO_TCP);
	rw_go(c->b, RS_RETURN, RS_NONE);
	rw_no_label(rw_label(rw_rule(c->b, at), LABEL_FRESH), LABEL_PICKED);
	rw_go(c->b, RS_RETURN, RS_NONE);
	rw_fields_in(rw_rule(c->b, at), key, 2, f->older[back]);
	rw_go(c->b, RS_RETURN, RS_NONE);
	rw_go(rw_rule(c->b, at), RS_GOTO, report);
}

/* What opens is reported, answers follow it. */
void compile_watch(struct compile *c, struct fam *f, uint32_t at)
{
	uint32_t report = compile_report(c, f, "would_deny",
	    at == f->watch_in ? "in" : "out", RS_NONE);

	rw_masked(rw_rule(c->b, at), RS_TCP_FLAGS, TCP_SYN | TCP_ACK, RS_EQ, TCP_SYN);
	rw_go(c->b, RS_GOTO, report);
	rw_cmp(rw_cmp(rw_rule(c->b, at), RS_L4PROTO, RS_NE, IPPROTO_TCP), RS_CT_DIR, RS_EQ,
	    ORIGINAL);
	rw_go(c->b, RS_GOTO, report);
	watch_older(c, f, at, report);
}
