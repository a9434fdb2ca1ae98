/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the rules that look up who consents, what is granted, and until when */
#include "rules/compile_hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rulewriter.h"

/* ---- consent ---- */

/* The peer of the packet, in this orientation, in the list that the packet carries. */
static uint32_t peers_chain(struct compile *c, const struct fam *f, enum way w,
    const char *what, uint32_t hit)
{
	char name[RS_NAME_MAX];

	snprintf(name, sizeof(name), "%.60s%u", what, f->v);
	return lists_chain(c, f, name, way_by_source(w) ? f->daddr : f->saddr, hit);
}

void compile_consent(struct compile *c, const struct fam *f, uint32_t at, enum way w,
    uint32_t hit)
{
	static const char *const what[WAYS] = { [FWD_IN] = "from", [FWD_OUT] = "to",
		[REV_IN] = "to", [REV_OUT] = "from", [BOTH_FWD] = "both_from",
		[BOTH_REV] = "both_answer_from" };

	keys_rules(c, f, &c->hosts->consent[f->v == 6][way_dir(w)], at, w,
	    peers_chain(c, f, w, what[w], hit));
}

/* ---- ends ---- */

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The packet carries the end of a timed rule: TIME_OVER where it is past.  The ends are
 * ordered as their numbers are, so now is before the packet's where it is before one
 * that is not later; the first of all answers until a rule ends without the daemon. */
void compile_timed(struct compile *c)
{
	uint32_t last = 0;

	if (c->nends == 0)
		return;
	qsort(c->ends, c->nends, sizeof(*c->ends), by_number);
	for (size_t i = 0; i < c->nends; i++) {
		if (c->ends[i] == last)
			continue;
		last = c->ends[i];
		rw_cmp(rw_rule(c->b, c->timed), RS_TIME, RS_LT, (uint64_t)last * 1000000000u);
		rw_cmp(c->b, RS_PRIORITY, RS_GE, last);
		rw_go(c->b, RS_GOTO, c->clock);
	}
	rw_priority(rw_rule(c->b, c->timed), TIME_OVER);
	/* a chain of its own: nothing else changes with each reload */
	if (c->o->floor <= 0)
		return;
	rw_cmp(rw_rule(c->b, c->clock), RS_TIME, RS_LT, (uint64_t)c->o->floor * 1000000000u);
	rw_priority(c->b, TIME_OVER);
}

/* ---- what is granted ---- */

static void set_profile(struct compile *c, enum fs_dir dir, unsigned profile)
{
	static const uint32_t smb[] = { LABEL_IN_SMB, LABEL_OUT_SMB };
	static const uint32_t rdp[] = { LABEL_IN_RDP, LABEL_OUT_RDP };
	static const uint32_t may_be_short[] = { LABEL_IN_SHORT, LABEL_OUT_SHORT };
	uint32_t more[REQUIRE_LABELS_MAX], n;
	uint8_t grants = profile & 3;

	if (grants & FS_SMB)
		rw_set_label(c->b, smb[dir]);
	if (grants & FS_RDP)
		rw_set_label(c->b, rdp[dir]);
	if (profile & 4)
		rw_set_label(c->b, may_be_short[dir]);
	n = compile_require_labels(c, dir, grants, (uint8_t)(profile >> 3), more);
	for (uint32_t i = 0; i < n; i++)
		rw_set_label(c->b, more[i]);
}

/* By the profile that the packet carries. */
static uint32_t profiles_chain(struct compile *c, enum fs_dir dir)
{
	const char *name = dir == FS_IN ? "grants_in" : "grants_out";
	uint32_t at = rsb_find_chain(c->b, name);

	if (at != RS_NONE)
		return at;
	at = rsb_chain(c->b, name, NULL);
	for (unsigned p = 1; p < PROFILES; p++) {
		if (!c->hosts->used[dir][p])
			continue;
		rw_cmp(rw_rule(c->b, at), RS_PRIORITY, RS_EQ, profile_number(p));
		set_profile(c, dir, p);
		rw_go(c->b, RS_RETURN, RS_NONE);
	}
	return at;
}

static uint32_t profile_chain(struct compile *c, enum fs_dir dir, unsigned profile)
{
	char name[RS_NAME_MAX];
	uint32_t at;

	snprintf(name, sizeof(name), "grant%u_%s", profile, dir == FS_IN ? "in" : "out");
	at = rsb_find_chain(c->b, name);
	if (at != RS_NONE)
		return at;
	at = rsb_chain(c->b, name, NULL);
	rw_rule(c->b, at);
	set_profile(c, dir, profile);
	return at;
}

void compile_labels(struct compile *c, const struct fam *f, enum fs_dir dir)
{
	const enum way w = dir == FS_IN ? FWD_IN : FWD_OUT;
	uint32_t at;
	char name[RS_NAME_MAX];

	/* who is not near any host has nothing to be looked up */
	snprintf(name, sizeof(name), "syn_%s%u", dir == FS_IN ? "in" : "out", f->v);
	at = rsb_chain(c->b, name, NULL);
	rw_rule(c->b, f->syn);
	if (netrange_prefixlen(&f->hull) > 0)
		rw_addr(c->b, dir == FS_IN ? f->daddr : f->saddr, &f->hull);
	rw_go(c->b, RS_JUMP, at);
	keys_rules(c, f, &c->hosts->labels[f->v == 6][dir], at, w, profiles_chain(c, dir));
	for (unsigned p = 1; p < PROFILES; p++) {
		const struct keys *k = c->hosts->mixed[f->v == 6][dir][p];
		char what[RS_NAME_MAX];

		if (k == NULL)
			continue;
		snprintf(what, sizeof(what), "grant%u_%s", p, dir == FS_IN ? "from" : "to");
		keys_rules(c, f, k, at, w,
		    peers_chain(c, f, w, what, profile_chain(c, dir, p)));
	}
}

/* ---- the packet's priority ---- */

/* As the kernel's forwarding sets it, from the type of service (RFC 1349; ip_tos2prio):
 * the numbers above are no business of the queues behind. */
void compile_restore(struct compile *c, const struct fam *f, uint32_t at)
{
	static const struct {
		uint8_t tos, priority;
	} rows[] = { { 0x08, 2 }, { 0x10, 6 }, { 0x18, 4 } };
	uint32_t restore;

	rw_masked(rw_rule(c->b, at), RS_PRIORITY, LIST_FLAG, RS_EQ, LIST_FLAG);
	if (f->v == 4) /* by far the most */
		rw_tos(c->b, 0x18, 0);
	rw_priority(c->b, 0);
	if (f->v == 6)
		return;
	restore = rsb_find_chain(c->b, "priority4");
	if (restore == RS_NONE) {
		restore = rsb_chain(c->b, "priority4", NULL);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			rw_tos(rw_rule(c->b, restore), 0x18, rows[i].tos);
			rw_go(rw_priority(c->b, rows[i].priority), RS_RETURN, RS_NONE);
		}
		rw_priority(rw_rule(c->b, restore), 0);
	}
	rw_masked(rw_rule(c->b, at), RS_PRIORITY, LIST_FLAG, RS_EQ, LIST_FLAG);
	rw_go(c->b, RS_JUMP, restore);
}
