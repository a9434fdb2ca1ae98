/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a reload in pieces does in which piece; private to pieces*.c */
#ifndef CORDON_NFT_PIECES_H
#define CORDON_NFT_PIECES_H

#include "nft/private.h"

struct pieces {
	struct nft *n;
	const struct ruleset *old;
	const struct ruleset *rs; /* under the names it gets in the kernel */
	struct set_ways ways;     /* what the switch finds done, or leaves */
	uint32_t *in_old;         /* by set of rs: its set of old, whatever the name */
	uint32_t *chain_in_old;   /* the same of chains */
	uint32_t *ops;            /* by set of rs: elements that change in place */
	uint32_t nchange;         /* entries of ways.change */
	uint32_t piece;           /* elements that the next piece takes */
	nft_breathe_fn *breathe;
	void *arg;
	struct nft_error *err;
	struct nft_stats *st;
};


static inline const char *set_name(const struct ruleset *rs, uint32_t i)
{
	return rs_str(rs, rs_set(rs, i)->name);
}

/* Fill p->rs, ways and ops for the way from p->old to rs.  *ret_made: rs under the names
 * that its sets and chains get, for the caller to free(), or NULL: their own.
 * *ret_in_pieces: there is something to fill first.  0 or -errno; pieces_free() in both
 * cases. */
int pieces_plan(struct pieces *p, const struct ruleset *rs, struct ruleset **ret_made,
    bool *ret_in_pieces);
void pieces_free(struct pieces *p);

#endif
