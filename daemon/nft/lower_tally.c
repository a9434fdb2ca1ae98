/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the expressions of a set's elements: counter and limit */
#include "nft/private.h"

#include <libnftnl/expr.h>
#include <linux/netfilter/nf_tables.h>

struct nftnl_expr *lower_limit_expr(uint32_t rate, uint32_t unit_s, uint32_t burst,
    bool over)
{
	struct nftnl_expr *e = nftnl_expr_alloc("limit");

	if (e == NULL)
		return NULL;
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, rate);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, unit_s);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, burst);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_FLAGS, over ? NFT_LIMIT_F_INV : 0);
	return e;
}

/* The counter goes first: what the limit refuses is counted. */
int lower_tally(struct nftnl_expr *dynset, const struct rs_op *op, bool one_expr)
{
	bool limit = op->arg2 > 0, count = (op->tally & RS_COUNT) && !(limit && one_expr);
	struct nftnl_expr *counter = count ? nftnl_expr_alloc("counter") : NULL;
	struct nftnl_expr *rate = limit ? lower_limit_expr(op->arg2, 60, 1, false) : NULL;

	if ((count && counter == NULL) || (limit && rate == NULL)) {
		if (counter != NULL)
			nftnl_expr_free(counter);
		if (rate != NULL)
			nftnl_expr_free(rate);
		return -1;
	}
	if (count && limit) {
		nftnl_expr_set_u32(dynset, NFTNL_EXPR_DYNSET_FLAGS, NFT_DYNSET_F_EXPR);
		nftnl_expr_add_expr(dynset, NFTNL_EXPR_DYNSET_EXPRESSIONS, counter);
		nftnl_expr_add_expr(dynset, NFTNL_EXPR_DYNSET_EXPRESSIONS, rate);
	} else if (count || limit) {
		nftnl_expr_set(dynset, NFTNL_EXPR_DYNSET_EXPR, count ? counter : rate, 0);
	}
	return 0;
}
