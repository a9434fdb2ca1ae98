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

enum { PORTS_MAX = 256 }; /* of a range that grants; wider ones are not elements */

static void speaks_of(struct compile *c, const struct fs_host *h, enum fs_dir dir,
    uint16_t port)
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
			speaks_of(c, fs_host(c->fs, r->host), r->dir, (uint16_t)port);
	}
}

void compile_speaks(struct compile *c)
{
	static const char *const name[2] = { [FS_IN] = "speaksin", [FS_OUT] = "speaksout" };

	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];
		char full[RS_NAME_MAX];

		for (int dir = FS_IN; dir <= FS_OUT; dir++) {
			snprintf(full, sizeof(full), "%s%u", name[dir], f->v);
			f->speaks[dir] = rsb_set(c->b, full, &(struct rs_set){ .nkeys = 2,
				.key = { f->addr_type, RS_T_PORT } });
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

void compile_odd(struct compile *c, const struct fam *f)
{
	rw_state(rw_rule(c->b, f->ok), RS_CT_INVALID | RS_CT_UNTRACKED);
	nowhere_granted(c, f);
	rw_go(c->b, RS_JUMP, c->opening);
	rw_state(rw_rule(c->b, f->ok), RS_CT_NEW | RS_CT_RELATED);
	nowhere_granted(c, f);
	rw_set_label(rw_set_label(c->b, LABEL_FRESH), LABEL_PICKED);
	rw_set_label(rw_set_label(c->b, LABEL_IN_SHORT), LABEL_OUT_SHORT);
}
