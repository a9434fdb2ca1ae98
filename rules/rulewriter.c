/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: writing rules of a ruleset, one call a statement; private to rules/ */
#include "rules/rulewriter.h"

#include <string.h>

static struct rs_builder *put(struct rs_builder *b, const struct rs_op *op)
{
	rsb_op(b, op);
	return b;
}

static struct rs_op op_of(enum rs_opcode code)
{
	struct rs_op op;

	memset(&op, 0, sizeof(op));
	op.code = (uint8_t)code;
	op.set = op.chain = RS_NONE;
	return op;
}

/* Fields that the kernel holds in host order; all others are bytes of the packet. */
static bool host_order(enum rs_field f)
{
	return f == RS_TIME || f == RS_FIB_SADDR_TYPE || f == RS_FIB_DADDR_TYPE ||
	    f == RS_FIB_SADDR_OIF || f == RS_PRIORITY;
}

static void put_value(uint8_t *at, enum rs_field f, size_t len, uint64_t v)
{
	if (host_order(f) && len == 4) {
		uint32_t narrow = (uint32_t)v;

		memcpy(at, &narrow, 4);
	} else if (host_order(f)) {
		memcpy(at, &v, 8);
	} else {
		for (size_t i = len; i-- > 0; v >>= 8)
			at[i] = (uint8_t)v;
	}
}

struct rs_builder *rw_rule_for(struct rs_builder *b, uint32_t chain, const char *comment)
{
	rsb_rule(b, chain, comment);
	return b;
}

struct rs_builder *rw_rule(struct rs_builder *b, uint32_t chain)
{
	return rw_rule_for(b, chain, "");
}

struct rs_builder *rw_cmp(struct rs_builder *b, enum rs_field f, enum rs_cmp cmp, uint64_t value)
{
	struct rs_op op = op_of(RS_OP_CMP);

	op.field[0] = (uint8_t)f;
	op.cmp = (uint8_t)cmp;
	op.len = (uint8_t)rs_field_len(f);
	put_value(op.value, f, op.len, value);
	return put(b, &op);
}

struct rs_builder *rw_masked(struct rs_builder *b, enum rs_field f, uint64_t mask, enum rs_cmp cmp, uint64_t value)
{
	struct rs_op op = op_of(RS_OP_CMP);

	op.field[0] = (uint8_t)f;
	op.cmp = (uint8_t)cmp;
	op.len = (uint8_t)rs_field_len(f);
	op.has_mask = true;
	put_value(op.mask, f, op.len, mask);
	put_value(op.value, f, op.len, value);
	return put(b, &op);
}

struct rs_builder *rw_payload(struct rs_builder *b, uint16_t offset, uint8_t len, const uint8_t *mask,
    enum rs_cmp cmp, const uint8_t *value)
{
	struct rs_op op = op_of(RS_OP_CMP);

	op.field[0] = RS_IH;
	op.offset = offset;
	op.len = len;
	op.cmp = (uint8_t)cmp;
	memcpy(op.value, value, len);
	for (uint8_t i = 0; mask != NULL && i < len; i++)
		op.has_mask |= mask[i] != 0xff;
	if (op.has_mask)
		memcpy(op.mask, mask, len);
	return put(b, &op);
}

struct rs_builder *rw_payload_is(struct rs_builder *b, uint16_t offset, uint8_t len, enum rs_cmp cmp, uint64_t value)
{
	uint8_t bytes[8];

	for (uint8_t i = len; i-- > 0; value >>= 8)
		bytes[i] = (uint8_t)value;
	return rw_payload(b, offset, len, NULL, cmp, bytes);
}

static struct rs_builder *address(struct rs_builder *b, enum rs_field f, const struct netrange *r, bool negate)
{
	struct rs_op op = op_of(RS_OP_CMP);
	int len = netrange_prefixlen(r);
	size_t size = netaddr_size(&r->lo);
	struct netaddr ones = { .v = r->lo.v };
	struct netrange mask;

	op.field[0] = (uint8_t)f;
	op.len = (uint8_t)size;
	op.cmp = negate ? RS_NE : RS_EQ;
	memcpy(op.value, r->lo.b, size);
	if (len < 0) {
		op.code = RS_OP_RANGE;
		op.cmp = 0;
		op.negate = negate;
		memcpy(op.mask, r->hi.b, size);
	} else if (len < (int)size * 8) {
		mask = netrange_of_prefix(&ones, (unsigned)len);
		op.has_mask = true;
		for (size_t i = 0; i < size; i++)
			op.mask[i] = (uint8_t)~(mask.lo.b[i] ^ mask.hi.b[i]);
	}
	return put(b, &op);
}

struct rs_builder *rw_addr(struct rs_builder *b, enum rs_field f, const struct netrange *r)
{
	return address(b, f, r, false);
}

struct rs_builder *rw_not_addr(struct rs_builder *b, enum rs_field f, const struct netrange *r)
{
	return address(b, f, r, true);
}

struct rs_builder *rw_iface(struct rs_builder *b, enum rs_field f, enum rs_cmp cmp, const char *name)
{
	struct rs_op op = op_of(RS_OP_CMP);

	op.cmp = (uint8_t)cmp;
	op.field[0] = (uint8_t)f;
	op.len = sizeof(op.value);
	rw_ifname(op.value, name);
	return put(b, &op);
}

struct rs_builder *rw_ports(struct rs_builder *b, enum rs_field f, uint16_t lo, uint16_t hi)
{
	struct rs_op op = op_of(RS_OP_RANGE);

	if (lo == hi)
		return rw_cmp(b, f, RS_EQ, lo);
	op.field[0] = (uint8_t)f;
	op.len = (uint8_t)rs_field_len(f);
	put_value(op.value, f, op.len, lo);
	put_value(op.mask, f, op.len, hi);
	return put(b, &op);
}

static struct rs_builder *lookup(struct rs_builder *b, enum rs_opcode code, const uint8_t *fields, uint8_t n,
    uint32_t set, bool negate)
{
	struct rs_op op = op_of(code);

	memcpy(op.field, fields, n);
	op.nfields = n;
	op.set = set;
	op.negate = negate;
	return put(b, &op);
}

struct rs_builder *rw_in(struct rs_builder *b, enum rs_field f, uint32_t set)
{
	uint8_t field = (uint8_t)f;

	return lookup(b, RS_OP_LOOKUP, &field, 1, set, false);
}

struct rs_builder *rw_not_in(struct rs_builder *b, enum rs_field f, uint32_t set)
{
	uint8_t field = (uint8_t)f;

	return lookup(b, RS_OP_LOOKUP, &field, 1, set, true);
}

struct rs_builder *rw_fields_in(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t set)
{
	return lookup(b, RS_OP_LOOKUP, fields, n, set, false);
}

struct rs_builder *rw_fields_not_in(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t set)
{
	return lookup(b, RS_OP_LOOKUP, fields, n, set, true);
}

struct rs_builder *rw_vmap(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t map)
{
	return lookup(b, RS_OP_VMAP, fields, n, map, false);
}

static struct rs_builder *with_arg(struct rs_builder *b, enum rs_opcode code, uint32_t arg, bool negate)
{
	struct rs_op op = op_of(code);

	op.arg = arg;
	op.negate = negate;
	return put(b, &op);
}

static struct rs_builder *masked_lookup(struct rs_builder *b, const uint8_t *fields, uint8_t n,
    const uint8_t mask[16], uint32_t set, bool negate)
{
	struct rs_op op = op_of(RS_OP_LOOKUP);

	memcpy(op.field, fields, n);
	op.nfields = n;
	op.len = (uint8_t)rs_field_len(fields[n - 1]);
	op.has_mask = true;
	memcpy(op.mask, mask, op.len);
	op.set = set;
	op.negate = negate;
	return put(b, &op);
}

struct rs_builder *rw_masked_in(struct rs_builder *b, const uint8_t *fields, uint8_t n, const uint8_t mask[16], uint32_t set)
{
	return masked_lookup(b, fields, n, mask, set, false);
}

struct rs_builder *rw_masked_not_in(struct rs_builder *b, const uint8_t *fields, uint8_t n, const uint8_t mask[16], uint32_t set)
{
	return masked_lookup(b, fields, n, mask, set, true);
}

struct rs_builder *rw_in_masked(struct rs_builder *b, enum rs_field f, const uint8_t mask[16], uint32_t set)
{
	uint8_t field = (uint8_t)f;

	return rw_masked_in(b, &field, 1, mask, set);
}

struct rs_builder *rw_map(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t map)
{
	return lookup(b, RS_OP_MAP, fields, n, map, false);
}

struct rs_builder *rw_priority(struct rs_builder *b, uint32_t value)
{
	return with_arg(b, RS_OP_PRIORITY, value, false);
}

/* The octet of type of service, in an IPv4 header. */
struct rs_builder *rw_tos(struct rs_builder *b, uint8_t mask, uint8_t value)
{
	struct rs_op op = op_of(RS_OP_CMP);

	op.field[0] = RS_NH_RAW;
	op.offset = 1;
	op.len = 1;
	op.cmp = RS_EQ;
	op.has_mask = true;
	op.mask[0] = mask;
	op.value[0] = value;
	return put(b, &op);
}

static struct rs_op update(const uint8_t *fields, uint8_t n, uint32_t set)
{
	struct rs_op op = op_of(RS_OP_UPDATE);

	memcpy(op.field, fields, n);
	op.nfields = n;
	op.set = set;
	op.tally = RS_COUNT;
	return op;
}

struct rs_builder *rw_tally(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t set)
{
	struct rs_op op = update(fields, n, set);

	return put(b, &op);
}

struct rs_builder *rw_flow(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t set, uint32_t timeout_s, uint32_t per_minute)
{
	struct rs_op op = update(fields, n, set);

	op.tally |= RS_RENEW;
	op.arg = timeout_s;
	op.arg2 = per_minute;
	return put(b, &op);
}

struct rs_builder *rw_state(struct rs_builder *b, uint32_t states)
{
	return with_arg(b, RS_OP_CT_STATE, states, false);
}

struct rs_builder *rw_label(struct rs_builder *b, uint32_t bit)
{
	return with_arg(b, RS_OP_CT_LABEL, bit, false);
}

struct rs_builder *rw_no_label(struct rs_builder *b, uint32_t bit)
{
	return with_arg(b, RS_OP_CT_LABEL, bit, true);
}

struct rs_builder *rw_set_label(struct rs_builder *b, uint32_t bit)
{
	return with_arg(b, RS_OP_SET_LABEL, bit, false);
}

struct rs_builder *rw_counter(struct rs_builder *b, const char *name)
{
	struct rs_op op = op_of(RS_OP_COUNTER);

	op.set = rsb_counter(b, name);
	return put(b, &op);
}

struct rs_builder *rw_log(struct rs_builder *b, uint16_t group, uint32_t snaplen, const char *prefix)
{
	struct rs_op op = op_of(RS_OP_LOG);

	op.arg = group;
	op.arg2 = snaplen;
	op.str = rsb_str(b, prefix);
	return put(b, &op);
}

struct rs_builder *rw_limit(struct rs_builder *b, uint32_t per_second, uint32_t burst)
{
	struct rs_op op = op_of(RS_OP_LIMIT);

	op.arg = per_second;
	op.arg2 = burst;
	return put(b, &op);
}

void rw_go(struct rs_builder *b, enum rs_go go, uint32_t chain)
{
	struct rs_op op = op_of(RS_OP_GO);

	op.go = (uint8_t)go;
	op.chain = chain;
	put(b, &op);
}

void rw_reset(struct rs_builder *b)
{
	struct rs_op op = op_of(RS_OP_RESET);

	put(b, &op);
}

void rw_ifname(uint8_t key[static 16], const char *name)
{
	memset(key, 0, 16);
	strncpy((char *)key, name, 15);
}
