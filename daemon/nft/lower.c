/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one row an opcode or field: ruleset -> the expressions nft would make */
#include "nft/private.h"

#include <endian.h>
#include <netinet/in.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

/* The rule being made, and what its matches so far say about the packet: nft adds a
 * match on the family or transport before a field that needs it, once a rule. */
struct lowering {
	const struct ruleset *rs;
	struct nftnl_rule *rule;
	uint8_t family, l4proto; /* known; 0: any */
	bool one_expr; /* the kernel takes one expression an element */
	bool labels_set; /* the op before was one that sets labels */
	const struct rs_op *end; /* behind the last */
	bool failed;
};

enum load { LOAD_META, LOAD_PAYLOAD, LOAD_CT, LOAD_FIB };

/* ★ How a field gets into a register.  key: of meta and ct, header of payload, result
 * of fib.  offset: bytes into the header, or flags of fib. */
static const struct field_row {
	enum load load;
	uint8_t key, offset, len;
	uint8_t family, l4proto; /* needed */
} field_row[RS_NFIELDS] = {
	[RS_NFPROTO] = { LOAD_META, NFT_META_NFPROTO, 0, 1, 0, 0 },
	[RS_L4PROTO] = { LOAD_META, NFT_META_L4PROTO, 0, 1, 0, 0 },
	[RS_IIFNAME] = { LOAD_META, NFT_META_IIFNAME, 0, 16, 0, 0 },
	[RS_OIFNAME] = { LOAD_META, NFT_META_OIFNAME, 0, 16, 0, 0 },
	[RS_PKTTYPE] = { LOAD_META, NFT_META_PKTTYPE, 0, 1, 0, 0 },
	[RS_TIME] = { LOAD_META, NFT_META_TIME_NS, 0, 8, 0, 0 },
	[RS_CT_DIR] = { LOAD_CT, NFT_CT_DIRECTION, 0, 1, 0, 0 },
	[RS_IP_SADDR] = { LOAD_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, NFPROTO_IPV4, 0 },
	[RS_IP_DADDR] = { LOAD_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, NFPROTO_IPV4, 0 },
	[RS_IP6_SADDR] = { LOAD_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, 8, 16, NFPROTO_IPV6, 0 },
	[RS_IP6_DADDR] = { LOAD_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, 24, 16, NFPROTO_IPV6, 0 },
	[RS_IP6_HOPLIMIT] = { LOAD_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, 7, 1, NFPROTO_IPV6,
	    0 },
	[RS_TH_SPORT] = { LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, 0, 0 },
	[RS_TH_DPORT] = { LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 0, 0 },
	[RS_TCP_FLAGS] = { LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, 0,
	    IPPROTO_TCP },
	[RS_ICMP_TYPE] = { LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFPROTO_IPV4,
	    IPPROTO_ICMP },
	[RS_ICMP6_TYPE] = { LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFPROTO_IPV6,
	    IPPROTO_ICMPV6 },
	[RS_FIB_SADDR_TYPE] = { LOAD_FIB, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_SADDR, 4, 0,
	    0 },
	[RS_FIB_DADDR_TYPE] = { LOAD_FIB, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR, 4, 0,
	    0 },
	[RS_FIB_SADDR_OIF] = { LOAD_FIB, NFT_FIB_RESULT_OIF,
	    NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF, 4, 0, 0 },
	[RS_PRIORITY] = { LOAD_META, NFT_META_PRIORITY, 0, 4, 0, 0 },
	[RS_IH] = { LOAD_PAYLOAD, NFT_PAYLOAD_INNER_HEADER, 0, 0, 0, 0 },
	[RS_TH_RAW] = { LOAD_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 0, 0, 0 },
	[RS_NH_RAW] = { LOAD_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, 0, 0, 0, 0 },
};

static const uint8_t cmp_of[] = {
	[RS_EQ] = NFT_CMP_EQ, [RS_NE] = NFT_CMP_NEQ, [RS_LT] = NFT_CMP_LT,
	[RS_GT] = NFT_CMP_GT, [RS_LE] = NFT_CMP_LTE, [RS_GE] = NFT_CMP_GTE,
};

/* ---- expressions ---- */

static struct nftnl_expr *put(struct lowering *l, const char *name)
{
	struct nftnl_expr *e = l->failed ? NULL : nftnl_expr_alloc(name);

	if (e == NULL)
		l->failed = true;
	else
		nftnl_rule_add_expr(l->rule, e);
	return e;
}

/* Registers are 16 bytes, or 4 where a concatenation's offset asks for it. */
static uint32_t reg_at(size_t offset)
{
	return offset % 16 == 0 ? NFT_REG_1 + (uint32_t)offset / 16 :
				  NFT_REG32_00 + (uint32_t)offset / 4;
}

static void put_meta(struct lowering *l, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = put(l, "meta");

	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, reg);
}

static void put_payload(struct lowering *l, uint32_t base, uint32_t offset, uint32_t len,
    uint32_t reg)
{
	struct nftnl_expr *e = put(l, "payload");

	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

static void put_ct(struct lowering *l, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = put(l, "ct");

	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, reg);
}

static void put_fib(struct lowering *l, uint32_t result, uint32_t flags, uint32_t reg)
{
	struct nftnl_expr *e = put(l, "fib");

	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, result);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, flags);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, reg);
}

static void put_cmp(struct lowering *l, uint32_t cmp, const void *data, uint32_t len)
{
	struct nftnl_expr *e = put(l, "cmp");

	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, cmp);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, len);
}

static void put_mask(struct lowering *l, const void *mask, uint32_t len, uint32_t reg)
{
	static const uint8_t zero[16];
	struct nftnl_expr *e = put(l, "bitwise");

	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, len);
}

/* Numbers of the kernel's order are compared as bytes. */
static void put_hton(struct lowering *l, uint32_t len)
{
	struct nftnl_expr *e = put(l, "byteorder");

	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SIZE, len);
}

/* ---- fields ---- */

static void need_l4proto(struct lowering *l, uint8_t proto)
{
	if (proto == 0 || l->l4proto == proto)
		return;
	put_meta(l, NFT_META_L4PROTO, NFT_REG_1);
	put_cmp(l, NFT_CMP_EQ, &proto, 1);
	l->l4proto = proto;
}

static void need(struct lowering *l, enum rs_field f)
{
	const struct field_row *row = &field_row[f];

	/* icmp after an explicit `meta l4proto icmp` has all it needs */
	if (row->l4proto != 0 && l->l4proto == row->l4proto)
		return;
	if (row->family != 0 && l->family != row->family) {
		put_meta(l, NFT_META_NFPROTO, NFT_REG_1);
		put_cmp(l, NFT_CMP_EQ, &row->family, 1);
		l->family = row->family;
	}
	need_l4proto(l, row->l4proto);
}

/* Load `len` bytes of a field, from `offset` on where it is a raw one. */
static void load(struct lowering *l, enum rs_field f, uint32_t offset, uint32_t len,
    uint32_t reg)
{
	const struct field_row *row = &field_row[f];

	switch (row->load) {
	case LOAD_META:
		put_meta(l, row->key, reg);
		break;
	case LOAD_PAYLOAD:
		/* only raw fields have an offset of their own */
		put_payload(l, row->key, row->offset + (row->len == 0 ? offset : 0), len,
		    reg);
		break;
	case LOAD_CT:
		put_ct(l, row->key, reg);
		break;
	case LOAD_FIB:
		put_fib(l, row->key, row->offset, reg);
		break;
	}
}

/* A concatenation, from register 1 on; each part padded to 4 bytes. */
static void load_key(struct lowering *l, const struct rs_op *op)
{
	size_t at = 0;

	for (uint8_t i = 0; i < op->nfields; i++)
		need(l, op->field[i]);
	for (uint8_t i = 0; i < op->nfields; i++) {
		uint32_t len = field_row[op->field[i]].len;

		load(l, op->field[i], 0, len, reg_at(at));
		if (op->has_mask && i + 1 == op->nfields) /* a prefix of an address */
			put_mask(l, op->mask, len, reg_at(at));
		at += (len + 3) & ~3u;
	}
}

static bool is_address(enum rs_field f)
{
	return f == RS_IP_SADDR || f == RS_IP_DADDR || f == RS_IP6_SADDR ||
	    f == RS_IP6_DADDR;
}

/* Bytes of an address that a mask of whole bytes keeps; 0: another mask. */
static uint8_t prefix_bytes(const struct rs_op *op)
{
	uint8_t n = 0;

	while (n < op->len && op->mask[n] == 0xff)
		n++;
	for (uint8_t i = n; i < op->len; i++)
		if (op->mask[i] != 0)
			return 0;
	return n;
}

/* ---- opcodes ---- */

/* `missing`: no route back through the interface it came in by; a boolean, but nft
 * compares 4 bytes. */
static void lower_missing(struct lowering *l, const struct rs_op *op)
{
	const uint32_t missing = 0;

	put_fib(l, NFT_FIB_RESULT_OIF,
	    field_row[RS_FIB_SADDR_OIF].offset | NFTA_FIB_F_PRESENT, NFT_REG_1);
	put_cmp(l, cmp_of[op->cmp], &missing, sizeof(missing));
}

/* A number of 4 or 8 bytes in the machine's order. */
static void to_network(uint8_t *value, uint32_t len)
{
	uint64_t wide;
	uint32_t narrow;

	if (len == sizeof(wide)) {
		memcpy(&wide, value, sizeof(wide));
		wide = htobe64(wide);
		memcpy(value, &wide, sizeof(wide));
	} else {
		memcpy(&narrow, value, sizeof(narrow));
		narrow = htobe32(narrow);
		memcpy(value, &narrow, sizeof(narrow));
	}
}

static void lower_cmp(struct lowering *l, const struct rs_op *op)
{
	static const uint8_t zero[16];
	const enum rs_field f = op->field[0];
	uint8_t value[16], len = op->len;
	bool mask = op->has_mask;

	memcpy(value, op->value, sizeof(value));
	if (f == RS_FIB_SADDR_OIF && memcmp(value, zero, len) == 0) {
		lower_missing(l, op);
		return;
	}
	/* as nft does: a prefix of whole bytes loads only these */
	if (mask && is_address(f) && op->cmp <= RS_NE && prefix_bytes(op) != 0) {
		len = prefix_bytes(op);
		mask = false;
	}
	need(l, f);
	load(l, f, op->offset, len, NFT_REG_1);
	if ((f == RS_TIME || f == RS_PRIORITY) && op->cmp > RS_NE) {
		to_network(value, len);
		put_hton(l, len);
	}
	if (mask)
		put_mask(l, op->mask, len, NFT_REG_1);
	put_cmp(l, cmp_of[op->cmp], value, len);
	if (op->cmp == RS_EQ && !mask && f == RS_NFPROTO)
		l->family = value[0];
	if (op->cmp == RS_EQ && !mask && f == RS_L4PROTO)
		l->l4proto = value[0];
}

static void lower_range(struct lowering *l, const struct rs_op *op)
{
	uint8_t lo[16], hi[16];
	struct nftnl_expr *e;

	memcpy(lo, op->value, sizeof(lo));
	memcpy(hi, op->mask, sizeof(hi));
	need(l, op->field[0]);
	load(l, op->field[0], op->offset, op->len, NFT_REG_1);
	if (op->field[0] == RS_TIME || op->field[0] == RS_PRIORITY) {
		to_network(lo, op->len);
		to_network(hi, op->len);
		put_hton(l, op->len);
	}
	if (!op->negate) {
		put_cmp(l, NFT_CMP_GTE, lo, op->len);
		put_cmp(l, NFT_CMP_LTE, hi, op->len);
		return;
	}
	e = put(l, "range");
	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_OP, NFT_RANGE_NEQ);
	nftnl_expr_set(e, NFTNL_EXPR_RANGE_FROM_DATA, lo, op->len);
	nftnl_expr_set(e, NFTNL_EXPR_RANGE_TO_DATA, hi, op->len);
}

static const char *op_set(const struct lowering *l, const struct rs_op *op)
{
	return rs_str(l->rs, rs_set(l->rs, op->set)->name);
}

static void lower_lookup(struct lowering *l, const struct rs_op *op)
{
	struct nftnl_expr *e;

	load_key(l, op);
	e = put(l, "lookup");
	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, op_set(l, op));
	if (op->code == RS_OP_VMAP)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	else if (op->code == RS_OP_MAP)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1);
	else if (op->negate)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

static void put_set_priority(struct lowering *l)
{
	struct nftnl_expr *e = put(l, "meta");

	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_PRIORITY);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

static void lower_map(struct lowering *l, const struct rs_op *op)
{
	lower_lookup(l, op);
	put_set_priority(l);
}

static void lower_priority(struct lowering *l, const struct rs_op *op)
{
	struct nftnl_expr *e = put(l, "immediate");

	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, &op->arg, sizeof(op->arg));
	put_set_priority(l);
}

static void lower_update(struct lowering *l, const struct rs_op *op)
{
	struct nftnl_expr *e;

	load_key(l, op);
	e = put(l, "dynset");
	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP,
	    op->tally & RS_RENEW ? NFT_DYNSET_OP_UPDATE : NFT_DYNSET_OP_ADD);
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, op_set(l, op));
	if (op->arg != 0)
		nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT, op->arg * 1000ull);
	if (lower_tally(e, op, l->one_expr) == -1)
		l->failed = true;
}

static void lower_ct_state(struct lowering *l, const struct rs_op *op)
{
	const uint32_t zero = 0;

	put_ct(l, NFT_CT_STATE, NFT_REG_1);
	put_mask(l, &op->arg, 4, NFT_REG_1);
	put_cmp(l, op->negate ? NFT_CMP_EQ : NFT_CMP_NEQ, &zero, 4);
}

/* Labels are a bitmap of the kernel's: words of unsigned long, host order. */
static void label_bit(uint32_t bit, unsigned long map[16 / sizeof(unsigned long)])
{
	const uint32_t width = sizeof(*map) * CHAR_BIT;

	map[bit / width] |= 1ul << bit % width;
}

static void lower_ct_label(struct lowering *l, const struct rs_op *op)
{
	static const uint8_t zero[16];
	unsigned long map[16 / sizeof(unsigned long)] = { 0 };

	label_bit(op->arg, map);
	put_ct(l, NFT_CT_LABELS, NFT_REG_1);
	put_mask(l, map, 16, NFT_REG_1);
	put_cmp(l, op->negate ? NFT_CMP_EQ : NFT_CMP_NEQ, zero, 16);
}

/* With all that follow: one statement costs the kernel as much as each would. */
static void lower_set_label(struct lowering *l, const struct rs_op *op)
{
	unsigned long map[16 / sizeof(unsigned long)] = { 0 };
	struct nftnl_expr *e;

	if (l->labels_set) /* by the one before */
		return;
	l->labels_set = true;
	e = put(l, "immediate");
	if (e == NULL)
		return;
	for (; op < l->end && op->code == RS_OP_SET_LABEL; op++)
		label_bit(op->arg, map);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, map, 16);
	e = put(l, "ct");
	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_LABELS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

static void lower_counter(struct lowering *l, const struct rs_op *op)
{
	struct nftnl_expr *e = put(l, op->set == RS_NONE ? "counter" : "objref");

	if (e == NULL || op->set == RS_NONE)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME,
	    rs_str(l->rs, *RS_AT(l->rs, RS_COUNTERS, uint32_t, op->set)));
}

static void lower_log(struct lowering *l, const struct rs_op *op)
{
	struct nftnl_expr *e = put(l, "log");

	if (e == NULL)
		return;
	nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, (uint16_t)op->arg);
	nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_QTHRESHOLD, 1);
	if (*rs_str(l->rs, op->str) != '\0')
		nftnl_expr_set_str(e, NFTNL_EXPR_LOG_PREFIX, rs_str(l->rs, op->str));
	if (op->arg2 != 0)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOG_SNAPLEN, op->arg2);
}

static void lower_limit(struct lowering *l, const struct rs_op *op)
{
	struct nftnl_expr *e = l->failed ? NULL :
					   lower_limit_expr(op->arg, 1, op->arg2, op->negate);

	if (e == NULL)
		l->failed = true;
	else
		nftnl_rule_add_expr(l->rule, e);
}

static void lower_reset(struct lowering *l, const struct rs_op *op)
{
	struct nftnl_expr *e;

	(void)op;
	need_l4proto(l, IPPROTO_TCP);
	e = put(l, "reject");
	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, 0);
}

static void lower_go(struct lowering *l, const struct rs_op *op)
{
	struct nftnl_expr *e = put(l, "immediate");

	if (e == NULL)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)lower_verdict(op->go));
	if (op->go == RS_JUMP || op->go == RS_GOTO)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN,
		    rs_str(l->rs, rs_chain(l->rs, op->chain)->name));
}

/* ★ */
static void (*const op_row[])(struct lowering *l, const struct rs_op *op) = {
	[RS_OP_CMP] = lower_cmp,
	[RS_OP_RANGE] = lower_range,
	[RS_OP_LOOKUP] = lower_lookup,
	[RS_OP_VMAP] = lower_lookup,
	[RS_OP_MAP] = lower_map,
	[RS_OP_PRIORITY] = lower_priority,
	[RS_OP_CT_STATE] = lower_ct_state,
	[RS_OP_CT_LABEL] = lower_ct_label,
	[RS_OP_SET_LABEL] = lower_set_label,
	[RS_OP_COUNTER] = lower_counter,
	[RS_OP_LOG] = lower_log,
	[RS_OP_LIMIT] = lower_limit,
	[RS_OP_UPDATE] = lower_update,
	[RS_OP_RESET] = lower_reset,
	[RS_OP_GO] = lower_go,
};

static void lower_comment(struct lowering *l, const char *comment)
{
	struct nftnl_udata_buf *u;

	if (*comment == '\0')
		return;
	u = nftnl_udata_buf_alloc(UINT8_MAX);
	if (u == NULL ||
	    !nftnl_udata_put_strz(u, NFTNL_UDATA_RULE_COMMENT, comment) ||
	    nftnl_rule_set_data(l->rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(u),
		nftnl_udata_buf_len(u)) == -1)
		l->failed = true;
	if (u != NULL)
		nftnl_udata_buf_free(u);
}

struct nftnl_rule *lower_rule(const struct ruleset *rs, const struct rs_rule *r,
    bool one_expr)
{
	struct lowering l = { .rs = rs, .rule = nftnl_rule_alloc(), .one_expr = one_expr };
	uint32_t count = r->ops.count;
	struct rs_op *merged;

	if (l.rule == NULL)
		return NULL;
	nftnl_rule_set_str(l.rule, NFTNL_RULE_TABLE, NFT_TABLE);
	nftnl_rule_set_str(l.rule, NFTNL_RULE_CHAIN, rs_str(rs, rs_chain(rs, r->chain)->name));
	merged = merge_ops(RS_AT(rs, RS_OPS, struct rs_op, r->ops.first), &count);
	l.failed = merged == NULL;
	l.end = merged == NULL ? NULL : merged + count;
	for (uint32_t i = 0; i < count && !l.failed; i++) {
		const struct rs_op *op = &merged[i];

		if (op->code != RS_OP_SET_LABEL)
			l.labels_set = false;
		op_row[op->code](&l, op);
	}
	free(merged);
	lower_comment(&l, rs_str(rs, r->comment));
	if (!l.failed)
		return l.rule;
	nftnl_rule_free(l.rule);
	return NULL;
}
