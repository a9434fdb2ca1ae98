/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: comparisons of neighbouring bytes become one, as nft does it */
#include "nft/private.h"

#include <stdlib.h>
#include <string.h>

enum { REGISTER = 16, FAST = 4, WINDOW = 16 };

/* Where a field is in its header: transport header below, payload from 1000 on; -1: not
 * to be merged.  *ret_free: it needs no match on family or transport before it. */
static int place(const struct rs_op *op, bool *ret_free)
{
	*ret_free = true;
	if (op->code != RS_OP_CMP || op->cmp != RS_EQ || op->has_mask)
		return -1;
	switch ((enum rs_field)op->field[0]) {
	case RS_IH:
		return 1000 + op->offset;
	case RS_TH_RAW:
		return op->offset;
	case RS_TH_SPORT:
		return 0;
	case RS_TH_DPORT:
		return 2;
	case RS_ICMP_TYPE:
	case RS_ICMP6_TYPE:
		*ret_free = false;
		return 0;
	case RS_TCP_FLAGS:
		*ret_free = false;
		return 13;
	case RS_NFPROTO:
	case RS_L4PROTO:
	case RS_IIFNAME:
	case RS_OIFNAME:
	case RS_PKTTYPE:
	case RS_TIME:
	case RS_CT_DIR:
	case RS_IP_SADDR:
	case RS_IP_DADDR:
	case RS_IP6_SADDR:
	case RS_IP6_DADDR:
	case RS_IP6_HOPLIMIT:
	case RS_FIB_SADDR_TYPE:
	case RS_FIB_DADDR_TYPE:
	case RS_FIB_SADDR_OIF:
	case RS_PRIORITY:
	case RS_NH_RAW:
	case RS_NFIELDS:
		break;
	}
	return -1;
}

/* Two that the kernel compares the fast way stay two. */
static bool joins(const struct rs_op *a, const struct rs_op *b)
{
	unsigned sum = a->len + b->len;

	return sum <= REGISTER && (sum <= FAST || a->len > FAST || b->len > FAST);
}

static void join(struct rs_op *a, struct rs_op *b)
{
	memcpy(a->value + a->len, b->value, b->len);
	a->len = (uint8_t)(a->len + b->len);
	b->code = UINT8_MAX; /* gone */
}

/* Sort by place, then join each with what follows it. */
static void join_window(struct rs_op *op[], unsigned n)
{
	struct rs_op *last;
	bool is_free;

	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i;
		    k > 0 && place(op[k - 1], &is_free) > place(op[k], &is_free); k--) {
			last = op[k];
			op[k] = op[k - 1];
			op[k - 1] = last;
		}
	last = n > 0 ? op[0] : NULL;
	for (unsigned i = 1; i < n; i++) {
		int at = place(op[i], &is_free);
		bool unused;

		if (is_free && place(last, &unused) + last->len == at && joins(last, op[i]))
			join(last, op[i]);
		else
			last = op[i];
	}
}

static bool is_match(const struct rs_op *op)
{
	return op->code == RS_OP_CMP || op->code == RS_OP_RANGE ||
	    op->code == RS_OP_LOOKUP || op->code == RS_OP_CT_STATE ||
	    op->code == RS_OP_CT_LABEL;
}

struct rs_op *merge_ops(const struct rs_op *ops, uint32_t *count)
{
	struct rs_op *copy = calloc(*count + 1u, sizeof(*copy)), *window[WINDOW];
	unsigned n = 0;
	uint32_t kept = 0;
	bool is_free;

	if (copy == NULL)
		return NULL;
	memcpy(copy, ops, *count * sizeof(*copy));
	for (uint32_t i = 0; i < *count; i++) {
		/* a statement that is no match ends a window of at least two */
		if (n == WINDOW || (!is_match(&copy[i]) && n >= 2)) {
			join_window(window, n);
			n = 0;
		}
		if (place(&copy[i], &is_free) >= 0)
			window[n++] = &copy[i];
	}
	join_window(window, n);
	for (uint32_t i = 0; i < *count; i++)
		if (copy[i].code != UINT8_MAX)
			copy[kept++] = copy[i];
	*count = kept;
	return copy;
}
