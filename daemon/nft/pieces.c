/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a large reload in pieces: fill sets that no rule asks yet, then switch */
#include "nft/pieces.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef ERESTART
#define ERESTART 85
#endif

/* A transaction holds up all others, so a block waits for the longest piece.  What a
 * packet is judged by changes in one of them, the switch: it leads to chains whose sets
 * were filled before, both under another name ("…_B", or without it again), together
 * with the few elements that change in place.  The chains ask their maps from the start,
 * while these are empty: the kernel walks a map that a new rule asks.  Whatever dies
 * between, the table is as it was; what nobody asks is taken away by the next reload. */
enum {
	PIECE_FIRST = 250, PIECE_MIN = 25, PIECE_MAX = 1000, /* elements */
	PIECE_GOAL_US = 1000,
};

/* ---- commits ---- */

static uint32_t since_us(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)((now.tv_sec - start->tv_sec) * 1000000 +
	    (now.tv_nsec - start->tv_nsec) / 1000);
}

static void begin(struct pieces *p, struct batch *b)
{
	batch_begin(b, p->n, p->n->owned ? 0 : p->n->genid);
}

/* One piece, and a pause for others.  0 or -errno. */
static int commit(struct pieces *p, struct batch *b)
{
	struct timespec start;
	bool empty = b->norigin == 1;
	uint32_t took;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &start);
	p->st->messages += (uint32_t)b->norigin;
	p->st->bytes += (uint32_t)b->len;
	r = batch_commit(b, p->n, false, p->err);
	batch_free(b);
	took = since_us(&start);
	p->st->commit_us += took;
	p->st->pieces++;
	if (took > p->st->longest_us)
		p->st->longest_us = took;
	if (r == 0 && !empty && p->n->genid != 0)
		p->n->genid++;
	if (took > 2 * PIECE_GOAL_US && p->piece > PIECE_MIN)
		p->piece /= 2;
	else if (took < PIECE_GOAL_US / 2)
		p->piece = p->piece < PIECE_MAX / 2 ? p->piece * 2 : PIECE_MAX;
	p->breathe(p->arg);
	return r;
}

static int delete_set(struct pieces *p, const char *name)
{
	struct batch b;

	begin(p, &b);
	put_named(&b, NFT_MSG_DELSET, OF_SET, NFTA_SET_TABLE, NFTA_SET_NAME, name, false);
	return commit(p, &b);
}

static void delete_chain(struct batch *b, const char *name)
{
	put_named(b, NFT_MSG_DELRULE, OF_RULE, NFTA_RULE_TABLE, NFTA_RULE_CHAIN, name, false);
	put_named(b, NFT_MSG_DELCHAIN, OF_CHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, name, false);
}

/* The sets that will be filled, and the chains that ask them. */
static int stand(struct pieces *p)
{
	struct batch b;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < p->rs->table[RS_SETS].count; i++) {
		if (!p->ways.filled[i])
			continue;
		begin(p, &b); /* each alone: the kernel clears a table for it */
		plan_set(&b, p->rs, i);
		p->st->sets_added++;
		r = commit(p, &b);
	}
	if (r != 0)
		return r;
	for (uint32_t i = 0; r == 0 && i < p->rs->table[RS_CHAINS].count; i++) {
		if (!p->ways.chain_filled[i])
			continue;
		begin(p, &b);
		plan_chain(&b, p->rs, rs_chain(p->rs, i));
		plan_rules(&b, p->rs, rs_chain(p->rs, i), p->st);
		p->st->chains_added++;
		r = commit(p, &b);
	}
	return r;
}

static int fill(struct pieces *p, uint32_t i)
{
	const struct rs_set *s = rs_set(p->rs, i);
	struct batch b;
	int r = 0;

	for (uint32_t at = 0, n; r == 0 && at < s->elems.count; at += n) {
		n = s->elems.count - at < p->piece ? s->elems.count - at : p->piece;
		begin(p, &b);
		elems_add(&b, p->rs, s, s->elems.first + at, n);
		r = commit(p, &b);
	}
	p->st->elements_added += s->elems.count;
	return r;
}

static int drain(struct pieces *p, uint32_t i)
{
	const struct rs_set *s = rs_set(p->old, i);
	uint32_t elem[PIECE_MAX];
	struct batch b;
	int r = 0;

	/* the deletion of one end of an interval disturbs its neighbour's */
	for (uint32_t at = 0, n; !s->interval && r == 0 && at < s->elems.count; at += n) {
		n = s->elems.count - at < p->piece ? s->elems.count - at : p->piece;
		for (uint32_t k = 0; k < n; k++)
			elem[k] = s->elems.first + at + k;
		begin(p, &b);
		elems_del(&b, p->old, s, elem, n);
		r = commit(p, &b);
	}
	p->st->elements_deleted += s->elems.count;
	p->st->sets_deleted++;
	return r == 0 ? delete_set(p, set_name(p->old, i)) : r;
}

/* What an earlier reload left that was cut short: in the kernel, and not of old. */
static int sweep_known(struct pieces *p, const struct kernel *k, const struct byname *chains,
    const struct byname *sets)
{
	struct batch b;
	int r;

	begin(p, &b);
	for (size_t i = 0; i < k->nchain; i++) {
		const char *name = nftnl_chain_get_str(k->chain[i], NFTNL_CHAIN_NAME);

		if (strcmp(name, NFT_MARK) != 0 && byname_find(chains, name) == RS_NONE)
			delete_chain(&b, name);
	}
	r = commit(p, &b);
	for (size_t i = 0; r == 0 && i < k->nset; i++) {
		const char *name = nftnl_set_get_str(k->set[i], NFTNL_SET_NAME);

		if (!(nftnl_set_get_u32(k->set[i], NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS) &&
		    byname_find(sets, name) == RS_NONE)
			r = delete_set(p, name);
	}
	return r;
}

static int sweep(struct pieces *p)
{
	struct byname chains = { 0 }, sets = { 0 };
	struct kernel k;
	int r = kernel_dump(p->n, &k);

	if (r == 0 && (byname_new(&chains, p->old, RS_CHAINS) == -1 ||
			  byname_new(&sets, p->old, RS_SETS) == -1))
		r = -ENOMEM;
	if (r == 0)
		r = sweep_known(p, &k, &chains, &sets);
	byname_free(&chains);
	byname_free(&sets);
	kernel_free(&k);
	return r;
}

static int switch_over(struct pieces *p, const char *text)
{
	struct batch b;
	int r;

	begin(p, &b);
	r = diff_batch(&b, p->old, p->rs, text, &p->ways, p->st);
	if (r == 1)
		return commit(p, &b);
	batch_free(&b);
	return r == 0 ? -EXDEV : r; /* objects of another kind: not this way */
}

static int run(struct pieces *p, const char *text)
{
	int r = sweep(p);

	if (r == 0)
		r = stand(p);
	for (uint32_t i = 0; r == 0 && i < p->rs->table[RS_SETS].count; i++)
		if (p->ways.filled[i])
			r = fill(p, i);
	if (r == 0)
		r = switch_over(p, text);
	if (r != 0) /* nothing asks what was made: it only takes room */
		(void)sweep(p);
	return r;
}

/* ---- after the switch ---- */

struct nft_rest {
	struct pieces p;
	struct nft_error err;
	struct nft_stats st;
};

/* Takes over what p has allocated.  NULL: no memory, it is swept the next time. */
static struct nft_rest *rest_new(struct pieces *p)
{
	struct nft_rest *rest = calloc(1, sizeof(*rest));

	if (rest == NULL)
		return NULL;
	rest->p = *p;
	rest->p.rs = NULL;
	rest->p.err = &rest->err;
	rest->p.st = &rest->st;
	p->ways = (struct set_ways){ 0 };
	p->nchange = 0;
	p->in_old = p->chain_in_old = p->ops = NULL;
	return rest;
}

void nft_rest_free(struct nft_rest *rest)
{
	if (rest == NULL)
		return;
	pieces_free(&rest->p);
	free(rest);
}

void nft_reload_rest(struct nft_rest *rest, struct nft_stats *st)
{
	int r = 0;

	memset(st, 0, sizeof(*st));
	if (rest == NULL)
		return;
	/* what can't be taken away now is swept the next time */
	for (uint32_t i = 0; r == 0 && i < rest->p.old->table[RS_SETS].count; i++)
		if (rest->p.ways.left[i])
			r = drain(&rest->p, i);
	*st = rest->st;
	nft_rest_free(rest);
}

/* ---- the reload ---- */

static bool still_holds(struct nft *n)
{
	uint32_t genid;

	return n->owned || (n->genid != 0 && sock_genid(n, &genid) == 0 && genid == n->genid);
}

/* A small difference, found already; or the long way. */
static int run_at_once(struct pieces *p, const char *text)
{
	struct timespec start;
	uint32_t build_us = 0;
	struct batch b;
	int r = -ERESTART;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (still_holds(p->n)) {
		begin(p, &b);
		r = diff_batch(&b, p->old, p->rs, text, &p->ways, p->st);
		build_us = since_us(&start);
		if (r != 1)
			batch_free(&b);
		r = r == 1 ? commit(p, &b) : -EXDEV;
	}
	if (r != 0)
		return nft_apply(p->n, p->old, p->rs, text, false, p->err, p->st);
	p->n->nknown = 0;
	p->st->build_us = build_us;
	p->st->pieces = p->st->longest_us = 0;
	return 0;
}

int nft_reload(struct nft *n, const struct ruleset *old, const struct ruleset *new_rs,
    const char *text, nft_breathe_fn *breathe, void *arg, struct ruleset **ret_rs,
    struct nft_rest **ret_rest, struct nft_error *err, struct nft_stats *st)
{
	struct pieces p = { .n = n, .old = old, .piece = PIECE_FIRST, .breathe = breathe,
		.arg = arg, .err = err, .st = st };
	struct ruleset *made = NULL;
	bool in_pieces = false;
	int r;

	memset(st, 0, sizeof(*st));
	*err = (struct nft_error){ 0, "batch", "", "" };
	r = pieces_plan(&p, new_rs, &made, &in_pieces);
	if (r == 0)
		r = !in_pieces	    ? run_at_once(&p, text) :
		    !still_holds(n) ? -ERESTART : run(&p, text);
	st->owned = n->owned;
	if (r == 0)
		*ret_rest = in_pieces ? rest_new(&p) : NULL;
	pieces_free(&p);
	if (r == 0) {
		*ret_rs = made;
		return 0;
	}
	free(made); /* and so are the strings of err: none of them is left */
	*err = (struct nft_error){ err->err != 0 ? err->err : -r, err->object, "", "" };
	return -1;
}
