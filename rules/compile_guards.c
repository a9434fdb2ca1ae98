/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: guards compiled to payload rules, hosts that want them as sets */
#include "rules/compile.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/guard.h>
#include "rules/compile_except.h"
#include "rules/rulewriter.h"

/* One guard: by family the hosts it drops for and those it only reports for. */
struct guarded {
	uint32_t drop[2], alert[2]; /* sets, RS_NONE where nobody wants it */
	const struct exceptions *except; /* NULL: none */
	enum guard_dir dir;
	char name[RS_NAME_MAX];
};

static enum fs_guard_action action_of(const struct compile *c, const struct fs_host *h,
    const struct fs_guard_use *u)
{
	enum fs_guard_action a = fs_use_action(c->fs, u, NULL, c->o->at);

	return a == FS_GUARD_DROP && h->mode == FS_OBSERVE ? FS_GUARD_ALERT : a;
}

/* Hosts that want the same of a guard share a set: most guards are on for all of a
 * profile, and an element a guard and host would make each reload grow with both. */
struct shared {
	uint8_t *wants; /* by host */
	uint32_t set[2];
};
struct wanted {
	struct guarded g;
	uint32_t chain;
};
struct sharing {
	struct shared *list;
	struct wanted *wanted;
	size_t nwanted;
	struct except_list except;
	uint32_t *hit; /* by guard: the chain of a hit */
	size_t n;
};

static bool wants(const struct compile *c, const struct fs_host *h, uint32_t guard,
    enum fs_guard_action want)
{
	for (uint32_t k = 0; k < h->guards.count; k++) {
		const struct fs_guard_use *u =
		    FS_AT(c->fs, FS_GUARD_USES, struct fs_guard_use, h->guards.first + k);

		if (u->guard == guard)
			return action_of(c, h, u) == want;
	}
	return false;
}

/* Of undeclared addresses only what is observed gets as far as guards: ranges, in a set of
 * another kind. */
static bool may_hit(const struct compile *c, const struct fam *f, const uint8_t *who,
    const struct fs_place *p)
{
	const struct fs_host *h = fs_host(c->fs, p->host);

	return who[p->host] && p->range.lo.v == f->v &&
	    (h->declared || h->mode == FS_OBSERVE);
}

static void fill_set(struct compile *c, const struct fam *f, const uint8_t *who,
    const char *name, uint32_t *set)
{
	const struct fs_place *p = fs_table(c->fs, FS_PLACES);
	uint32_t n = c->fs->table[FS_PLACES].count, any = 0;
	struct rs_set s = { .nkeys = 1, .key = { f->addr_type } };

	*set = RS_NONE;
	for (uint32_t i = 0; i < n; i++) {
		if (!may_hit(c, f, who, &p[i]))
			continue;
		any++;
		s.interval |= netaddr_cmp(&p[i].range.lo, &p[i].range.hi) != 0;
	}
	if (any > 0)
		*set = rsb_set(c->b, name, &s);
	for (uint32_t i = 0; i < n && any > 0; i++) {
		if (may_hit(c, f, who, &p[i]))
			rsb_elem(c->b, *set, p[i].range.lo.b,
			    s.interval ? p[i].range.hi.b : NULL, RS_CONTINUE, RS_NONE, "");
	}
}

static void put_hosts(struct compile *c, struct sharing *all, uint32_t guard,
    enum fs_guard_action want, const char *prefix, const struct guarded *g,
    uint32_t set[2])
{
	uint32_t hosts = c->fs->table[FS_HOSTS].count;
	struct shared *s = &all->list[all->n];
	char name[RS_NAME_MAX];

	s->wants = calloc((size_t)hosts + 1, 1);
	c->failed |= s->wants == NULL;
	for (uint32_t i = 0; i < hosts && !c->failed; i++)
		s->wants[i] = wants(c, fs_host(c->fs, i), guard, want);
	for (size_t i = 0; i < all->n && !c->failed; i++) {
		if (memcmp(all->list[i].wants, s->wants, hosts) != 0)
			continue;
		memcpy(set, all->list[i].set, sizeof(s->set));
		free(s->wants);
		return;
	}
	for (int k = 0; k < 2 && !c->failed; k++) {
		snprintf(name, sizeof(name), "%s_%.40s%u", prefix, g->name, c->fam[k].v);
		fill_set(c, &c->fam[k], s->wants, name, &s->set[k]);
		set[k] = s->set[k];
	}
	all->n++;
}

/* What a packet's priority says of it behind a hit, until that is dealt with: it is free
 * again (compile_restore() was there). */
#define HIT_DROP  LIST_FLAG
#define HIT_ALERT (LIST_FLAG + 1)

/* Guards of either host see payload both ways; of a host that makes the other end an
 * exception they don't. */
static void wanted_rules(struct compile *c, uint32_t at, const struct guarded *g,
    const uint32_t set[2], uint32_t what)
{
	for (int i = 0; i < 2; i++) {
		const uint8_t ends[2] = { c->fam[i].daddr, c->fam[i].saddr };

		for (int e = 0; e < 2 && set[i] != RS_NONE; e++) {
			rw_in(rw_rule(c->b, at), ends[e], set[i]);
			except_ask(c, i, g->except, e == 0);
			rw_go(rw_priority(c->b, what), RS_RETURN, RS_NONE);
		}
	}
}

static bool same_hosts(const struct guarded *a, const struct guarded *b)
{
	return memcmp(a->drop, b->drop, sizeof(a->drop)) == 0 &&
	    memcmp(a->alert, b->alert, sizeof(a->alert)) == 0 && a->except == b->except &&
	    a->dir == b->dir;
}

/* The other direction is none of the guard's, where it is known for certain: not of a
 * packet that conntrack has no connection for, nor of one that began for it with whatever
 * packet it saw first.  A client can bring about both. */
static void direction_rule(struct compile *c, uint32_t at, enum guard_dir dir)
{
	if (dir == GUARD_BOTH)
		return;
	rw_cmp(rw_rule(c->b, at), RS_CT_DIR, RS_EQ, dir == GUARD_TO_SERVER);
	rw_no_label(rw_label(c->b, LABEL_FRESH), LABEL_PICKED);
	rw_go(c->b, RS_RETURN, RS_NONE);
}

/* The chain that says what is to be done; guards that the same hosts want share it. */
static uint32_t wanted_chain(struct compile *c, struct sharing *all, const struct guarded *g)
{
	char name[RS_NAME_MAX];
	struct wanted *w = &all->wanted[all->nwanted];

	for (size_t i = 0; i < all->nwanted; i++)
		if (same_hosts(&all->wanted[i].g, g))
			return all->wanted[i].chain;
	snprintf(name, sizeof(name), "want%s_%.40s", g->dir == GUARD_BOTH ? "s" : "", g->name);
	w->g = *g;
	w->chain = rsb_chain(c->b, name, NULL);
	all->nwanted++;
	direction_rule(c, w->chain, g->dir);
	if (g->dir != GUARD_BOTH) { /* the rest is the same whatever the direction */
		struct guarded rest = *g;
		uint32_t hosts;

		rest.dir = GUARD_BOTH;
		hosts = wanted_chain(c, all, &rest);
		rw_go(rw_rule(c->b, w->chain), RS_GOTO, hosts);
		return w->chain;
	}
	wanted_rules(c, w->chain, g, g->drop, HIT_DROP);
	wanted_rules(c, w->chain, g, g->alert, HIT_ALERT);
	return w->chain;
}

/* What is only told goes on, with the priority it had. */
static uint32_t told_chain(struct compile *c)
{
	uint32_t at = rsb_find_chain(c->b, "guards_told");

	if (at != RS_NONE)
		return at;
	at = rsb_chain(c->b, "guards_told", NULL);
	rw_cmp(rw_rule(c->b, at), RS_NFPROTO, RS_EQ, c->fam[1].nfproto);
	rw_go(rw_priority(c->b, 0), RS_RETURN, RS_NONE);
	compile_restore(c, &c->fam[0], at);
	return at;
}

static uint32_t hit_chain(struct compile *c, struct sharing *all, const char *id,
    const struct guarded *g)
{
	char name[RS_NAME_MAX];
	uint32_t hit, want, report, told;

	snprintf(name, sizeof(name), "hit_%.40s", g->name);
	while (rsb_find_chain(c->b, name) != RS_NONE) /* hit_in4, of an id "in4" */
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "_");
	hit = rsb_chain(c->b, name, NULL);
	want = wanted_chain(c, all, g);
	rw_go(rw_rule(c->b, hit), RS_JUMP, want);
	if (g->drop[0] != RS_NONE || g->drop[1] != RS_NONE) {
		report = compile_report(c, NULL, "guard", id, c->answer);
		rw_cmp(rw_rule(c->b, hit), RS_PRIORITY, RS_EQ, HIT_DROP);
		rw_go(rw_set_label(c->b, LABEL_CONDEMNED), RS_GOTO, report);
	}
	if (g->alert[0] != RS_NONE || g->alert[1] != RS_NONE) {
		snprintf(name, sizeof(name), "%.50s-alert", id);
		report = compile_report(c, NULL, "guard", name, RS_NONE);
		told = told_chain(c);
		rw_cmp(rw_rule(c->b, hit), RS_PRIORITY, RS_EQ, HIT_ALERT);
		rw_go(c->b, RS_JUMP, report);
		rw_cmp(rw_rule(c->b, hit), RS_PRIORITY, RS_EQ, HIT_ALERT);
		rw_go(c->b, RS_GOTO, told);
	}
	return hit;
}

/* What asks for a guard's bytes, and jumps to what is done about a hit. */
static void alternative_rule(
    struct compile *c, uint32_t at, const struct guard_alternative *a, uint32_t hit)
{
	const struct guard_term *t = a->terms;

	rw_rule(c->b, at);
	for (uint8_t i = 0; i < a->n; i++, t++) {
		/* nft 1.0.6 joins two neighbouring `!=` into one, which is another
		 * question: keep them apart */
		if (i > 0 && t->negate && t[-1].negate)
			rw_cmp(c->b, RS_L4PROTO, RS_EQ, IPPROTO_TCP);
		rw_payload(c->b, t->offset, t->len, t->mask, t->negate ? RS_NE : RS_EQ,
		    t->value);
	}
	rw_go(c->b, RS_JUMP, hit);
}

/* A chain a group; the kernel's 15 jumps one behind the other leave little room for one in
 * front of them, so whoever asks for guards asks for the groups' bytes himself. */
static uint32_t group_chain(struct compile *c, const struct guard_group *g, unsigned number,
    const struct guard_alternative *alts, const uint32_t *hit)
{
	char name[RS_NAME_MAX];
	uint32_t at;

	snprintf(name, sizeof(name), "guards_%u", number);
	at = rsb_chain(c->b, name, NULL);
	for (uint32_t i = g->first; i < g->first + g->count; i++)
		alternative_rule(c, at, &alts[i], hit[alts[i].guard]);
	return at;
}

/* A packet that lacks a group's bytes is not asked for any of its guards; one under 8
 * bytes for none. */
void compile_guards_at(struct compile *c, uint32_t chain)
{
	enum { SHORTEST = 8 };

	for (uint32_t i = 0; i < c->ngroups; i++) {
		const struct guard_group *g = &c->group[i];

		rw_rule(c->b, chain);
		if (g->key_len > 0)
			rw_payload(c->b, g->offset, g->key_len, NULL, RS_EQ, g->key);
		if (g->offset + g->key_len < SHORTEST)
			rw_payload_is(c->b, SHORTEST - 1, 1, RS_GE, 0);
		rw_go(c->b, RS_JUMP, c->guards[i]);
	}
}

static bool is_wanted(const struct guarded *g)
{
	return g->drop[0] != RS_NONE || g->drop[1] != RS_NONE || g->alert[0] != RS_NONE ||
	    g->alert[1] != RS_NONE;
}

/* The chain of a hit, RS_NONE: no host wants the guard. */
static uint32_t guard_hit(struct compile *c, struct sharing *all, uint32_t i)
{
	const struct guard *g = FS_AT(c->fs, FS_GUARDS, struct guard, i);
	struct guarded gd = { .drop = { RS_NONE, RS_NONE }, .alert = { RS_NONE, RS_NONE },
		.dir = (enum guard_dir)g->dir };

	if (g->where != GUARD_KERNEL)
		return RS_NONE;
	snprintf(gd.name, sizeof(gd.name), "%s", fs_str(c->fs, g->id));
	for (char *p = gd.name; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
	put_hosts(c, all, i, FS_GUARD_DROP, "gdrop", &gd, gd.drop);
	put_hosts(c, all, i, FS_GUARD_ALERT, "galert", &gd, gd.alert);
	gd.except = except_of(c, &all->except, i, gd.name);
	return is_wanted(&gd) ? hit_chain(c, all, fs_str(c->fs, g->id), &gd) : RS_NONE;
}

void compile_guards(struct compile *c)
{
	uint32_t count = c->fs->table[FS_GUARDS].count;
	struct guard_alternative *alts =
	    calloc((size_t)count * GUARD_ALTERNATIVE_MAX + 1, sizeof(*alts));
	struct sharing all = { .list = calloc(2 * (size_t)count + 1, sizeof(*all.list)),
		.wanted = calloc(2 * (size_t)count + 1, sizeof(*all.wanted)), /* 2: wanted_chain */
		.hit = calloc((size_t)count + 1, sizeof(*all.hit)) };
	size_t n = 0;

	c->failed |= except_new(&all.except, count) == -1 || alts == NULL ||
	    all.list == NULL || all.wanted == NULL || all.hit == NULL;
	for (uint32_t i = 0; i < count && !c->failed; i++) {
		all.hit[i] = guard_hit(c, &all, i);
		if (all.hit[i] != RS_NONE)
			n += guard_alternatives(c->fs, i, &alts[n]);
	}
	c->ngroups = c->failed ? 0 : (uint32_t)guard_group(alts, n, c->group);
	for (uint32_t i = 0; i < c->ngroups; i++)
		c->guards[i] = group_chain(c, &c->group[i], i, alts, all.hit);
	for (size_t i = 0; i < all.n; i++)
		free(all.list[i].wants);
	except_free(&all.except);
	free(all.list);
	free(all.wanted);
	free(all.hit);
	free(alts);
}
