/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one transaction from whatever is in the kernel to the new ruleset */
#include "nft/private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef ERESTART
#define ERESTART 85
#endif

enum { TRIES = 8 };

static uint32_t elapsed_us(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)((now.tv_sec - since->tv_sec) * 1000000 +
	    (now.tv_nsec - since->tv_nsec) / 1000);
}

/* ---- taking over what is there ---- */

static void put_table(struct batch *b, uint16_t type, uint32_t flags)
{
	static const char comment[] = "cordon 1";
	const struct origin of = origin_of(OF_TABLE, NFT_TABLE, "");
	struct nlmsghdr *nlh =
	    batch_message(b, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, &of);
	char u[2 + sizeof(comment)] = { 0, sizeof(comment) };

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE);
	if (type == NFT_MSG_NEWTABLE) {
		memcpy(u + 2, comment, sizeof(comment));
		mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(flags));
		mnl_attr_put(nlh, NFTA_TABLE_USERDATA, sizeof(u), u);
	}
	batch_put(b, nlh);
}

static bool same_data(const void *a, uint32_t alen, const void *b, uint32_t blen)
{
	if (a == NULL || b == NULL)
		return a == NULL && b == NULL;
	return alen == blen && memcmp(a, b, alen) == 0;
}

static bool same_set(const struct nftnl_set *a, const struct nftnl_set *b)
{
	static const uint16_t attr[] = { NFTNL_SET_FLAGS, NFTNL_SET_KEY_TYPE,
		NFTNL_SET_DATA_TYPE,
		NFTNL_SET_KEY_LEN, NFTNL_SET_DESC_SIZE };
	uint32_t alen = 0, blen = 0;
	const void *adata = nftnl_set_get_data(a, NFTNL_SET_USERDATA, &alen);
	const void *bdata = nftnl_set_get_data(b, NFTNL_SET_USERDATA, &blen);

	for (size_t i = 0; i < sizeof(attr) / sizeof(*attr); i++)
		if (nftnl_set_get_u32(a, attr[i]) != nftnl_set_get_u32(b, attr[i]))
			return false;
	return nftnl_set_get_u64(a, NFTNL_SET_TIMEOUT) ==
	    nftnl_set_get_u64(b, NFTNL_SET_TIMEOUT) &&
	    same_data(adata, alen, bdata, blen);
}

/* Of one kind, but for the policy, which the kernel can change. */
static bool same_chain(const struct nftnl_chain *a, const struct nftnl_chain *b)
{
	uint32_t alen = 0, blen = 0;
	const void *adata = nftnl_chain_get_data(a, NFTNL_CHAIN_USERDATA, &alen);
	const void *bdata = nftnl_chain_get_data(b, NFTNL_CHAIN_USERDATA, &blen);

	if (nftnl_chain_is_set(a, NFTNL_CHAIN_TYPE) !=
	    nftnl_chain_is_set(b, NFTNL_CHAIN_TYPE))
		return false;
	if (nftnl_chain_is_set(a, NFTNL_CHAIN_TYPE) &&
	    (strcmp(nftnl_chain_get_str(a, NFTNL_CHAIN_TYPE),
		 nftnl_chain_get_str(b, NFTNL_CHAIN_TYPE)) != 0 ||
		nftnl_chain_get_u32(a, NFTNL_CHAIN_HOOKNUM) !=
		    nftnl_chain_get_u32(b, NFTNL_CHAIN_HOOKNUM) ||
		nftnl_chain_get_s32(a, NFTNL_CHAIN_PRIO) !=
		    nftnl_chain_get_s32(b, NFTNL_CHAIN_PRIO)))
		return false;
	return same_data(adata, alen, bdata, blen);
}

/* Base chains stay where they can, so that no packet meets an old one that is empty
 * but for its policy while the kernel takes it down. */
static void take_chain(struct plan *p, struct batch *b, const struct nftnl_chain *chain,
    uint32_t i, struct nft_stats *st)
{
	const char *name = nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME);
	struct nftnl_chain *want = NULL;

	if (i != RS_NONE) {
		want = lower_chain(p->rs, rs_chain(p->rs, i));
		if (want == NULL)
			b->failed = true;
	}
	if (want != NULL && same_chain(chain, want)) {
		p->chain[i] = HAVE_EMPTY;
		if (nftnl_chain_is_set(want, NFTNL_CHAIN_TYPE) &&
		    nftnl_chain_get_u32(want, NFTNL_CHAIN_POLICY) !=
			nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY))
			plan_chain(b, p->rs, rs_chain(p->rs, i));
	} else {
		put_named(b, NFT_MSG_DELCHAIN, OF_CHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME,
		    name, false);
		st->chains_deleted++;
	}
	if (want != NULL)
		nftnl_chain_free(want);
}

static void take_sets(struct plan *p, struct batch *b, const struct kernel *k,
    const struct byname *names, struct nft_stats *st)
{
	for (size_t j = 0; j < k->nset; j++) {
		const char *name = nftnl_set_get_str(k->set[j], NFTNL_SET_NAME);
		uint32_t i = byname_find(names, name);
		struct nftnl_set *want = NULL;

		/* anonymous sets go with their rules */
		if (nftnl_set_get_u32(k->set[j], NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS)
			continue;
		if (i != RS_NONE)
			want = lower_set(p->rs, rs_set(p->rs, i), 0);
		if (want != NULL && same_set(k->set[j], want)) {
			p->set[i] = set_keeps(rs_set(p->rs, i)) ? HAVE_ALL : HAVE_EMPTY;
			if (p->set[i] == HAVE_EMPTY)
				elems_flush(b, p->rs, rs_set(p->rs, i));
		} else {
			put_named(b, NFT_MSG_DELSET, OF_SET, NFTA_SET_TABLE, NFTA_SET_NAME,
			    name, false);
			st->sets_deleted++;
		}
		if (want != NULL)
			nftnl_set_free(want);
	}
}

static void take_counters(struct plan *p, struct batch *b, const struct kernel *k,
    const struct byname *names)
{
	for (size_t j = 0; j < k->nobj; j++) {
		const char *name = nftnl_obj_get_str(k->obj[j], NFTNL_OBJ_NAME);
		uint32_t type = nftnl_obj_get_u32(k->obj[j], NFTNL_OBJ_TYPE);
		uint32_t i = type == NFT_OBJECT_COUNTER ? byname_find(names, name) : RS_NONE;

		if (i != RS_NONE)
			p->counter[i] = HAVE_ALL;
		else
			put_delete_counter(b, name, type);
	}
}

/* Empty the table but for what stays, object by object. */
static int take_over(struct plan *p, struct batch *b, const struct kernel *k,
    struct nft_stats *st)
{
	struct byname chains = { 0 }, sets = { 0 }, counters = { 0 };
	int r = -ENOMEM;

	if (byname_new(&chains, p->rs, RS_CHAINS) == -1 ||
	    byname_new(&sets, p->rs, RS_SETS) == -1 ||
	    byname_new(&counters, p->rs, RS_COUNTERS) == -1)
		goto out;
	if (k->nchain > 0)
		put_named(b, NFT_MSG_DELRULE, OF_RULE, NFTA_RULE_TABLE, 0, NULL, false);
	take_sets(p, b, k, &sets, st);
	for (size_t j = 0; j < k->nchain; j++)
		take_chain(p, b, k->chain[j],
		    byname_find(&chains, nftnl_chain_get_str(k->chain[j], NFTNL_CHAIN_NAME)),
		    st);
	take_counters(p, b, k, &counters);
	r = 0;
out:
	byname_free(&chains);
	byname_free(&sets);
	byname_free(&counters);
	return r;
}

/* Elements of `keep` sets that are made anew with the same key. */
static int carry_over(struct plan *p, struct nft *n, struct batch *b,
    const struct kernel *k)
{
	for (uint32_t i = 0; i < p->rs->table[RS_SETS].count; i++) {
		const struct rs_set *s = rs_set(p->rs, i);
		const char *name = rs_str(p->rs, s->name);
		/* flows that are counted start anew: they are logged again */
		bool carry = set_keeps(s) && !(s->dynamic && s->timeout);
		struct nftnl_set *was = carry && p->set[i] == HAVE_NONE ?
		    kernel_set(k, name) : NULL;
		struct nftnl_set *want = was == NULL ? NULL : lower_set(p->rs, s, 0);
		struct carried *c = NULL;
		size_t count = 0;
		int r = 0;

		if (want != NULL &&
		    nftnl_set_get_u32(was, NFTNL_SET_KEY_TYPE) ==
			nftnl_set_get_u32(want, NFTNL_SET_KEY_TYPE) &&
		    !((nftnl_set_get_u32(was, NFTNL_SET_FLAGS) ^
			  nftnl_set_get_u32(want, NFTNL_SET_FLAGS)) &
			(NFT_SET_MAP | NFT_SET_INTERVAL | NFT_SET_TIMEOUT)))
			r = kernel_elems(n, name, &c, &count);
		if (want != NULL)
			nftnl_set_free(want);
		if (r != 0)
			return r;
		elems_carry(b, name, c, count);
		free(c);
	}
	return 0;
}

/* Whether a base chain that rs wants is there, but for its policy. */
static bool has_base(const struct kernel *k, const struct ruleset *rs,
    const struct rs_chain *c)
{
	const char *name = rs_str(rs, c->name);
	struct nftnl_chain *want = lower_chain(rs, c);
	bool found = false;

	for (size_t i = 0; want != NULL && i < k->nchain && !found; i++)
		found = strcmp(nftnl_chain_get_str(k->chain[i], NFTNL_CHAIN_NAME), name) == 0 &&
		    same_chain(k->chain[i], want);
	if (want != NULL)
		nftnl_chain_free(want);
	return found;
}

/* The kernel takes no new base chain in the transaction that adopts an orphaned table
 * (EINVAL): such a one has to be replaced. */
static bool lacks_base(const struct kernel *k, const struct ruleset *rs)
{
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++)
		if (rs_chain(rs, i)->hook != RS_HOOK_NONE && !has_base(k, rs, rs_chain(rs, i)))
			return true;
	return false;
}

/* Without knowing what is there: look, then change it to rs. */
static int adopt_batch(struct nft *n, struct batch *b, const struct ruleset *rs,
    const char *commit, struct nft_stats *st)
{
	const uint32_t flags = n->can_own ? TABLE_OWNER | TABLE_PERSIST : 0;
	struct plan p = { 0 };
	struct kernel k;
	bool anew, orphan;
	int r = kernel_dump(n, &k);

	if (r == 0)
		r = plan_new(&p, rs);
	/* a plain table can't be made ours: it is replaced, in the same transaction */
	orphan = r == 0 && k.present && n->can_own && !n->owned && (k.flags & TABLE_PERSIST);
	anew = r == 0 && k.present && n->can_own &&
	    (!(k.flags & TABLE_PERSIST) || (orphan && lacks_base(&k, rs)));
	if (r == 0 && anew && orphan)
		put_table(b, NFT_MSG_NEWTABLE, flags); /* only its owner may delete it */
	if (r == 0 && anew)
		put_table(b, NFT_MSG_DELTABLE, 0);
	if (r == 0)
		put_table(b, NFT_MSG_NEWTABLE, flags);
	if (r == 0 && k.present && !anew)
		r = take_over(&p, b, &k, st);
	if (r == 0) {
		plan_create(&p, b, &k, st);
		plan_fill(&p, b, commit, st);
		r = carry_over(&p, n, b, &k);
	}
	plan_free(&p);
	kernel_free(&k);
	return r;
}

/* ---- the transaction ---- */

/* Whether `old` is what the kernel has: nobody else can change an owned table; of
 * another, the generation must still be that of our last commit. */
static int old_holds(struct nft *n, const struct ruleset *old, uint32_t *ret_genid)
{
	int r;

	*ret_genid = 0;
	if (old != NULL && n->owned)
		return 1;
	r = sock_genid(n, ret_genid);
	if (r != 0)
		return r;
	return old != NULL && n->genid == *ret_genid;
}

/* Write the transaction, the short way where that can be; *ret_genid: the generation
 * it is bound to, 0: none.  0 or -errno. */
static int apply_batch(struct nft *n, struct batch *b, const struct ruleset *old,
    const struct ruleset *rs, const char *commit, uint32_t *ret_genid,
    struct nft_stats *st)
{
	uint32_t genid;
	int r = old_holds(n, old, &genid);

	*ret_genid = genid;
	batch_begin(b, n, genid);
	if (r == 1) {
		r = diff_batch(b, old, rs, commit, NULL, st);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (r == 0 && genid == 0)
		r = sock_genid(n, &genid);
	if (r != 0)
		return r;
	batch_free(b);
	batch_begin(b, n, genid);
	memset(st, 0, sizeof(*st));
	*ret_genid = genid;
	return adopt_batch(n, b, rs, commit, st);
}

static int apply_once(struct nft *n, const struct ruleset *old, const struct ruleset *rs,
    const char *commit, bool dry, struct nft_error *err, struct nft_stats *st)
{
	struct timespec start;
	uint32_t genid;
	struct batch b;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &start);
	memset(st, 0, sizeof(*st));
	*err = (struct nft_error){ 0, "batch", "", "" };
	r = apply_batch(n, &b, old, rs, commit, &genid, st);
	st->build_us = elapsed_us(&start);
	st->messages = (uint32_t)b.norigin;
	st->bytes = (uint32_t)b.len;
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (r == 0)
		r = batch_commit(&b, n, dry, err);
	st->commit_us = elapsed_us(&start);
	batch_free(&b);
	if (r == 0 && !dry) {
		n->owned = n->can_own;
		n->genid = genid == 0 ? 0 : genid + 1;
		n->nknown = 0;
	}
	st->owned = n->owned;
	return r;
}

int nft_apply(struct nft *n, const struct ruleset *old, const struct ruleset *new_rs,
    const char *commit, bool dry, struct nft_error *err, struct nft_stats *st)
{
	struct nft_stats unused;
	struct nft_error ignored;
	int r = -ERESTART;

	st = st == NULL ? &unused : st;
	err = err == NULL ? &ignored : err;
	/* somebody else's commit between our look and ours, or an interrupted dump */
	for (int try = 0; try < TRIES && (r == -ERESTART || r == -EINTR); try++)
		r = apply_once(n, old, new_rs, commit, dry, err, st);
	if (r == 0)
		return 0;
	if (err->err == 0)
		err->err = -r;
	return -1;
}

int nft_delete(struct nft *n)
{
	struct batch b;
	int r;

	batch_begin(&b, n, 0);
	put_table(&b, NFT_MSG_DELTABLE, 0);
	r = batch_commit(&b, n, false, NULL);
	batch_free(&b);
	n->owned = false;
	n->genid = 0;
	n->nknown = 0;
	return r == -ENOENT ? 0 : r;
}
