/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: guards compiled to payload rules, hosts that want them as sets */
#include "rules/compile.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <cordon/guard.h>
#include "rules/rulewriter.h"

/* One guard: by family the hosts it drops for and those it only reports for. */
struct guarded {
	uint32_t drop[2], alert[2]; /* sets, RS_NONE where nobody wants it */
	char name[RS_NAME_MAX];
};

static enum fs_guard_action action_of(const struct compile *c, const struct fs_host *h,
    const struct fs_guard_use *u)
{
	enum fs_guard_action a = c->o->at < u->expires ? u->action : u->default_action;

	return a == FS_GUARD_DROP && h->mode == FS_OBSERVE ? FS_GUARD_ALERT : a;
}

static void put_hosts(struct compile *c, struct fam *f, uint32_t guard,
    enum fs_guard_action want, const char *prefix, struct guarded *g, uint32_t *set)
{
	char name[RS_NAME_MAX];

	*set = RS_NONE;
	snprintf(name, sizeof(name), "%s_%.40s%u", prefix, g->name, f->v);
	for (uint32_t i = 0; i < c->fs->table[FS_HOSTS].count; i++) {
		const struct fs_host *h = fs_host(c->fs, i);

		for (uint32_t k = 0; k < h->guards.count; k++) {
			const struct fs_guard_use *u =
			    FS_AT(c->fs, FS_GUARD_USES, struct fs_guard_use, h->guards.first + k);

			if (u->guard != guard || action_of(c, h, u) != want)
				continue;
			if (*set == RS_NONE)
				*set = rsb_set(c->b, name, &(struct rs_set){ .nkeys = 1,
					.key = { f->addr_type } });
			for (uint32_t a = 0; a < h->addresses.count; a++) {
				const struct netrange *r = fs_range(c->fs, h->addresses.first + a);

				if (r->lo.v == f->v && netaddr_cmp(&r->lo, &r->hi) == 0)
					rsb_elem(c->b, *set, r->lo.b, NULL, RS_CONTINUE, RS_NONE, "");
			}
		}
	}
}

/* Guards of either host see payload both ways. */
static void hit_rules(struct compile *c, uint32_t hit, const uint32_t set[2],
    uint32_t report, bool condemn)
{
	for (int i = 0; i < 2; i++) {
		const uint8_t ends[2] = { c->fam[i].daddr, c->fam[i].saddr };

		for (int e = 0; e < 2 && set[i] != RS_NONE; e++) {
			rw_in(rw_rule(c->b, hit), ends[e], set[i]);
			if (condemn)
				rw_set_label(c->b, LABEL_CONDEMNED);
			rw_go(c->b, RS_GOTO, report);
		}
	}
}

static uint32_t hit_chain(struct compile *c, const char *id, const struct guarded *g)
{
	char name[RS_NAME_MAX];
	uint32_t hit;

	snprintf(name, sizeof(name), "hit_%.40s", g->name);
	hit = rsb_chain(c->b, name, NULL);
	if (g->drop[0] != RS_NONE || g->drop[1] != RS_NONE)
		hit_rules(c, hit, g->drop, compile_report(c, NULL, "guard", id, c->answer),
		    true);
	if (g->alert[0] != RS_NONE || g->alert[1] != RS_NONE) {
		snprintf(name, sizeof(name), "%.50s-alert", id);
		hit_rules(c, hit, g->alert, compile_report(c, NULL, "guard", name, RS_NONE),
		    false);
	}
	return hit;
}

static void guard_rules(struct compile *c, const struct guard *g, uint32_t hit)
{
	const struct guard_term *t =
	    FS_AT(c->fs, FS_GUARD_TERMS, struct guard_term, g->term_first);

	for (size_t a = 0; a < sizeof(g->alternative_len) && g->alternative_len[a] > 0; a++) {
		rw_rule(c->b, c->guards);
		if (g->dir != GUARD_BOTH)
			rw_cmp(c->b, RS_CT_DIR, RS_EQ, g->dir == GUARD_TO_CLIENT);
		for (uint8_t i = 0; i < g->alternative_len[a]; i++, t++) {
			/* nft 1.0.6 joins two neighbouring `!=` into one, which is another
			 * question: keep them apart */
			if (i > 0 && t->negate && t[-1].negate)
				rw_cmp(c->b, RS_L4PROTO, RS_EQ, IPPROTO_TCP);
			rw_payload(c->b, t->offset, t->len, t->mask,
			    t->negate ? RS_NE : RS_EQ, t->value);
		}
		rw_go(c->b, RS_JUMP, hit);
	}
}

static bool wanted(const struct guarded *g)
{
	return g->drop[0] != RS_NONE || g->drop[1] != RS_NONE || g->alert[0] != RS_NONE ||
	    g->alert[1] != RS_NONE;
}

void compile_guards(struct compile *c)
{
	for (uint32_t i = 0; i < c->fs->table[FS_GUARDS].count; i++) {
		const struct guard *g = FS_AT(c->fs, FS_GUARDS, struct guard, i);
		struct guarded gd;

		if (g->where != GUARD_KERNEL)
			continue;
		snprintf(gd.name, sizeof(gd.name), "%s", fs_str(c->fs, g->id));
		for (char *p = gd.name; *p != '\0'; p++)
			if (*p == '-')
				*p = '_';
		for (int k = 0; k < 2; k++) {
			put_hosts(c, &c->fam[k], i, FS_GUARD_DROP, "gdrop", &gd, &gd.drop[k]);
			put_hosts(c, &c->fam[k], i, FS_GUARD_ALERT, "galert", &gd,
			    &gd.alert[k]);
		}
		if (wanted(&gd))
			guard_rules(c, g, hit_chain(c, fs_str(c->fs, g->id), &gd));
	}
}
