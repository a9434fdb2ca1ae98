/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the ruleset as text that `nft -f` loads, and reviewers read */
#include <cordon/rules.h>

#include <cordon/netaddr.h>
#include <cordon/ruleset.h>

#include <inttypes.h>
#include <string.h>

#include "rules/emit.h"

static const char *const type_name[] = {
	[RS_T_IP4] = "ipv4_addr", [RS_T_IP6] = "ipv6_addr", [RS_T_PROTO] = "inet_proto",
	[RS_T_PORT] = "inet_service", [RS_T_ICMP] = "icmp_type",
	[RS_T_ICMP6] = "icmpv6_type", [RS_T_IFNAME] = "ifname",
	[RS_T_PRIORITY] = "classid",
};

static const char *const field_name[RS_NFIELDS] = {
	[RS_NFPROTO] = "meta nfproto", [RS_L4PROTO] = "meta l4proto",
	[RS_IIFNAME] = "iifname", [RS_OIFNAME] = "oifname", [RS_PKTTYPE] = "meta pkttype",
	[RS_TIME] = "meta time", [RS_CT_DIR] = "ct direction", [RS_IP_SADDR] = "ip saddr",
	[RS_IP_DADDR] = "ip daddr", [RS_IP6_SADDR] = "ip6 saddr",
	[RS_IP6_DADDR] = "ip6 daddr", [RS_IP6_HOPLIMIT] = "ip6 hoplimit",
	[RS_TH_SPORT] = "th sport", [RS_TH_DPORT] = "th dport",
	[RS_TCP_FLAGS] = "tcp flags", [RS_ICMP_TYPE] = "icmp type",
	[RS_ICMP6_TYPE] = "icmpv6 type", [RS_FIB_SADDR_TYPE] = "fib saddr type",
	[RS_FIB_DADDR_TYPE] = "fib daddr type", [RS_FIB_SADDR_OIF] = "fib saddr . iif oif",
	[RS_PRIORITY] = "meta priority",
};

static const char *const cmp_name[] = { [RS_EQ] = "", [RS_NE] = "!= ", [RS_LT] = "< ",
	[RS_GT] = "> ", [RS_LE] = "<= ", [RS_GE] = ">= " };

static const char *const hook_name[] = { [RS_HOOK_NONE] = "", [RS_HOOK_INPUT] = "input",
	[RS_HOOK_FORWARD] = "forward", [RS_HOOK_OUTPUT] = "output" };

static uint64_t integer(const uint8_t *at, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | at[i];
	return v;
}

static void put_address(FILE *f, const uint8_t *at, uint8_t v)
{
	struct netaddr a = { .v = v };
	char text[NETADDR_STRLEN];

	memcpy(a.b, at, netaddr_size(&a));
	fputs(netaddr_format(&a, text), f);
}

static void put_ifname(FILE *f, const uint8_t *at)
{
	fprintf(f, "\"%.15s\"", (const char *)at);
}

/* As tc writes a class: major and minor number, hexadecimal. */
static void put_priority(FILE *f, uint32_t v)
{
	fprintf(f, "%x:%x", v >> 16, v & 0xffff);
}

/* One component of a set's key. */
static void put_key_part(FILE *f, enum rs_type t, const uint8_t *at)
{
	uint32_t priority;

	switch (t) {
	case RS_T_IP4:
		put_address(f, at, 4);
		break;
	case RS_T_IP6:
		put_address(f, at, 6);
		break;
	case RS_T_PROTO:
	case RS_T_ICMP:
	case RS_T_ICMP6:
		fprintf(f, "%u", at[0]);
		break;
	case RS_T_PORT:
		fprintf(f, "%" PRIu64, integer(at, 2));
		break;
	case RS_T_IFNAME:
		put_ifname(f, at);
		break;
	case RS_T_PRIORITY:
		memcpy(&priority, at, sizeof(priority));
		put_priority(f, priority);
		break;
	}
}

static void put_key(FILE *f, const struct rs_set *s, const uint8_t *key)
{
	for (uint8_t k = 0; k < s->nkeys; k++) {
		if (k > 0)
			fputs(" . ", f);
		put_key_part(f, s->key[k], key);
		key += rs_type_len(s->key[k]);
	}
}

static void put_interval(FILE *f, const struct rs_set *s, const uint8_t *key)
{
	struct netrange r = { { 0 }, { 0 } };
	char text[NETRANGE_STRLEN];

	if (s->key[0] != RS_T_IP4 && s->key[0] != RS_T_IP6) {
		put_key(f, s, key);
		if (memcmp(key, key + s->key_len, s->key_len) != 0) {
			fputc('-', f);
			put_key(f, s, key + s->key_len);
		}
		return;
	}
	r.lo.v = r.hi.v = s->key[0] == RS_T_IP4 ? 4 : 6;
	memcpy(r.lo.b, key, s->key_len);
	memcpy(r.hi.b, key + s->key_len, s->key_len);
	fputs(netrange_format(&r, text), f);
}

static void put_verdict(FILE *f, const struct ruleset *rs, enum rs_go go, uint32_t chain)
{
	switch (go) {
	case RS_ACCEPT:
		fputs("accept", f);
		break;
	case RS_DROP:
		fputs("drop", f);
		break;
	case RS_RETURN:
		fputs("return", f);
		break;
	case RS_CONTINUE:
		fputs("continue", f);
		break;
	case RS_JUMP:
		fprintf(f, "jump %s", rs_str(rs, rs_chain(rs, chain)->name));
		break;
	case RS_GOTO:
		fprintf(f, "goto %s", rs_str(rs, rs_chain(rs, chain)->name));
		break;
	}
}

void emit_data_text(FILE *f, const struct ruleset *rs, const struct rs_set *s,
    const struct rs_elem *e)
{
	if (s->map == RS_MAP_VALUE)
		put_priority(f, e->chain);
	else
		put_verdict(f, rs, e->go, e->chain);
}

static void put_elems(FILE *f, const struct ruleset *rs, const struct rs_set *s)
{
	fputs("\t\telements = { ", f);
	for (uint32_t i = 0; i < s->elems.count; i++) {
		const struct rs_elem *e =
		    RS_AT(rs, RS_ELEMS, struct rs_elem, s->elems.first + i);

		if (i > 0)
			fputs(",\n\t\t\t     ", f);
		if (s->interval)
			put_interval(f, s, rs_key(rs, e));
		else
			put_key(f, s, rs_key(rs, e));
		if (*rs_str(rs, e->comment) != '\0')
			fprintf(f, " comment \"%s\"", rs_str(rs, e->comment));
		if (s->map) {
			fputs(" : ", f);
			emit_data_text(f, rs, s, e);
		}
	}
	fputs(" }\n", f);
}

static void put_set(FILE *f, const struct ruleset *rs, const struct rs_set *s)
{
	const char *sep = "";

	fprintf(f, "\n\t%s %s {\n\t\ttype ", s->map ? "map" : "set", rs_str(rs, s->name));
	for (uint8_t k = 0; k < s->nkeys; k++)
		fprintf(f, "%s%s", k > 0 ? " . " : "", type_name[s->key[k]]);
	fprintf(f, "%s\n", s->map == RS_MAP_VERDICT ? " : verdict" :
	    s->map == RS_MAP_VALUE ? " : classid" : "");
	if (s->size > 0)
		fprintf(f, "\t\tsize %u\n", s->size);
	if (s->interval || s->timeout || s->dynamic) {
		fputs("\t\tflags ", f);
		if (s->interval)
			fprintf(f, "%sinterval", sep), sep = ",";
		if (s->dynamic)
			fprintf(f, "%sdynamic", sep), sep = ",";
		if (s->timeout)
			fprintf(f, "%stimeout", sep);
		fputc('\n', f);
	}
	if (s->timeout_s > 0)
		fprintf(f, "\t\ttimeout %us\n", s->timeout_s);
	if (s->elems.count > 0)
		put_elems(f, rs, s);
	fputs("\t}\n", f);
}

static void put_raw_field(FILE *f, const struct rs_op *op)
{
	static const char *const base[] = { [RS_IH] = "ih", [RS_TH_RAW] = "th",
		[RS_NH_RAW] = "nh" };

	fprintf(f, "@%s,%u,%u", base[op->field[0]], op->offset * 8, op->len * 8);
}

/* A value as the field's own notation. */
static void put_value(FILE *f, const struct rs_op *op, const uint8_t *v)
{
	uint32_t narrow;
	uint64_t wide;

	switch ((enum rs_field)op->field[0]) {
	case RS_IP_SADDR:
	case RS_IP_DADDR:
		put_address(f, v, 4);
		break;
	case RS_IP6_SADDR:
	case RS_IP6_DADDR:
		put_address(f, v, 6);
		break;
	case RS_IIFNAME:
	case RS_OIFNAME:
		put_ifname(f, v);
		break;
	case RS_NFPROTO:
		fputs(v[0] == 2 ? "ipv4" : "ipv6", f);
		break;
	case RS_PKTTYPE:
		fputs(v[0] == 0 ? "host" : v[0] == 1 ? "broadcast" : "multicast", f);
		break;
	case RS_CT_DIR:
		fputs(v[0] == 0 ? "original" : "reply", f);
		break;
	case RS_TIME:
		memcpy(&wide, v, 8);
		fprintf(f, "%" PRIu64, wide / 1000000000u);
		break;
	case RS_FIB_SADDR_OIF:
		fputs("missing", f);
		break;
	case RS_FIB_SADDR_TYPE:
	case RS_FIB_DADDR_TYPE:
		memcpy(&narrow, v, 4);
		fprintf(f, "%s", narrow == 2 ? "local" : narrow == 3 ? "broadcast" :
		    narrow == 5 ? "multicast" : "unicast");
		break;
	case RS_PRIORITY:
		memcpy(&narrow, v, 4);
		put_priority(f, narrow);
		break;
	case RS_IH:
	case RS_TH_RAW:
	case RS_NH_RAW:
		fputs("0x", f);
		for (uint8_t i = 0; i < op->len; i++)
			fprintf(f, "%02x", v[i]);
		break;
	case RS_L4PROTO:
	case RS_IP6_HOPLIMIT:
	case RS_TH_SPORT:
	case RS_TH_DPORT:
	case RS_TCP_FLAGS:
	case RS_ICMP_TYPE:
	case RS_ICMP6_TYPE:
	case RS_NFIELDS:
		fprintf(f, "%" PRIu64, integer(v, op->len));
		break;
	}
}

static bool is_address(enum rs_field f)
{
	return f == RS_IP_SADDR || f == RS_IP_DADDR || f == RS_IP6_SADDR ||
	    f == RS_IP6_DADDR;
}

static void put_flags(FILE *f, uint8_t flags)
{
	static const char *const name[] = { "fin", "syn", "rst", "psh", "ack", "urg" };
	const char *sep = "";

	fputs(flags & (flags - 1) ? "(" : "", f);
	for (int i = 0; i < 6; i++) {
		if (flags >> i & 1) {
			fprintf(f, "%s%s", sep, name[i]);
			sep = "|";
		}
	}
	fputs(flags & (flags - 1) ? ")" : "", f);
}

static void put_tcp_flags(FILE *f, const struct rs_op *op)
{
	fputs("tcp flags & ", f);
	put_flags(f, op->mask[0]);
	fprintf(f, " %s ", op->cmp == RS_NE ? "!=" : "==");
	if (op->value[0] == 0)
		fputc('0', f);
	else
		put_flags(f, op->value[0]);
}

static void put_cmp(FILE *f, const struct rs_op *op)
{
	struct netaddr mask = { .v = op->len == 4 ? 4 : 6 };
	struct netrange r;

	if (op->field[0] == RS_TCP_FLAGS && op->has_mask) {
		put_tcp_flags(f, op);
		return;
	}
	if (op->field[0] >= RS_IH)
		put_raw_field(f, op);
	else
		fputs(field_name[op->field[0]], f);
	if (op->has_mask && is_address(op->field[0])) {
		unsigned len = 0;
		char text[NETRANGE_STRLEN];

		while (len < op->len * 8u && (op->mask[len / 8] >> (7 - len % 8) & 1))
			len++;
		memcpy(mask.b, op->value, op->len);
		r = netrange_of_prefix(&mask, len);
		fprintf(f, " %s%s", cmp_name[op->cmp], netrange_format(&r, text));
		return;
	}
	fputc(' ', f);
	if (op->has_mask) {
		fputs("& ", f);
		put_value(f, op, op->mask);
		fprintf(f, " %s", op->cmp == RS_EQ ? "== " : cmp_name[op->cmp]);
	} else {
		fputs(cmp_name[op->cmp], f);
	}
	put_value(f, op, op->value);
}

static void put_range(FILE *f, const struct rs_op *op)
{
	if (op->field[0] >= RS_IH)
		put_raw_field(f, op);
	else
		fputs(field_name[op->field[0]], f);
	fputs(op->negate ? " != " : " ", f);
	put_value(f, op, op->value);
	fputc('-', f);
	put_value(f, op, op->mask);
}

static void put_fields(FILE *f, const struct rs_op *op)
{
	for (uint8_t i = 0; i < op->nfields; i++)
		fprintf(f, "%s%s", i > 0 ? " . " : "", field_name[op->field[i]]);
	if (op->has_mask) {
		fputs(" & ", f);
		put_address(f, op->mask, op->len == 4 ? 4 : 6);
	}
}

static void put_states(FILE *f, uint32_t states, bool negate)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = { { RS_CT_INVALID, "invalid" }, { RS_CT_ESTABLISHED, "established" },
		{ RS_CT_RELATED, "related" }, { RS_CT_NEW, "new" },
		{ RS_CT_UNTRACKED, "untracked" } };
	const char *sep = "";

	fprintf(f, "ct state %s", negate ? "! " : ""); /* `!=` compares all bits */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (states & names[i].bit) {
			fprintf(f, "%s%s", sep, names[i].name);
			sep = ",";
		}
	}
}

static void put_update(FILE *f, const struct ruleset *rs, const struct rs_op *op)
{
	fprintf(f, "%s @%s { ", op->tally & RS_RENEW ? "update" : "add",
	    rs_str(rs, rs_set(rs, op->set)->name));
	put_fields(f, op);
	if (op->arg > 0)
		fprintf(f, " timeout %us", op->arg);
	if (op->tally & RS_COUNT)
		fputs(" counter", f);
	if (op->arg2 > 0)
		fprintf(f, " limit rate %u/minute burst 1 packets", op->arg2);
	fputs(" }", f);
}

/* goes_on: the one before is of the same kind, and of labels one statement sets all. */
static void put_op(FILE *f, const struct ruleset *rs, const struct rs_op *op, bool goes_on)
{
	switch ((enum rs_opcode)op->code) {
	case RS_OP_CMP:
		put_cmp(f, op);
		break;
	case RS_OP_RANGE:
		put_range(f, op);
		break;
	case RS_OP_LOOKUP:
		put_fields(f, op);
		fprintf(f, "%s@%s", op->negate ? " != " : " ",
		    rs_str(rs, rs_set(rs, op->set)->name));
		break;
	case RS_OP_VMAP:
		put_fields(f, op);
		fprintf(f, " vmap @%s", rs_str(rs, rs_set(rs, op->set)->name));
		break;
	case RS_OP_MAP:
		fputs("meta priority set ", f);
		put_fields(f, op);
		fprintf(f, " map @%s", rs_str(rs, rs_set(rs, op->set)->name));
		break;
	case RS_OP_PRIORITY:
		fputs("meta priority set ", f);
		put_priority(f, op->arg);
		break;
	case RS_OP_CT_STATE:
		put_states(f, op->arg, op->negate);
		break;
	case RS_OP_CT_LABEL:
		fprintf(f, "ct label %s%u", op->negate ? "! " : "", op->arg);
		break;
	case RS_OP_SET_LABEL:
		fprintf(f, "%s%u", goes_on ? "| " : "ct label set ", op->arg);
		break;
	case RS_OP_COUNTER:
		if (op->set == RS_NONE)
			fputs("counter", f);
		else
			fprintf(f, "counter name \"%s\"",
			    rs_str(rs, *RS_AT(rs, RS_COUNTERS, uint32_t, op->set)));
		break;
	case RS_OP_LOG:
		fprintf(f, "log prefix \"%s\" group %u", rs_str(rs, op->str), op->arg);
		if (op->arg2 > 0)
			fprintf(f, " snaplen %u", op->arg2);
		fputs(" queue-threshold 1", f);
		break;
	case RS_OP_LIMIT:
		fprintf(f, "limit rate %s%u/second burst %u packets",
		    op->negate ? "over " : "", op->arg, op->arg2);
		break;
	case RS_OP_UPDATE:
		put_update(f, rs, op);
		break;
	case RS_OP_RESET:
		fputs("reject with tcp reset", f);
		break;
	case RS_OP_GO:
		put_verdict(f, rs, op->go, op->chain);
		break;
	}
}

void emit_rule_text(FILE *f, const struct ruleset *rs, const struct rs_rule *r)
{
	const struct rs_op *ops = RS_AT(rs, RS_OPS, struct rs_op, r->ops.first);

	for (uint32_t i = 0; i < r->ops.count; i++) {
		if (i > 0)
			fputc(' ', f);
		put_op(f, rs, &ops[i], i > 0 && ops[i].code == ops[i - 1].code);
	}
	if (*rs_str(rs, r->comment) != '\0')
		fprintf(f, " comment \"%s\"", rs_str(rs, r->comment));
}

void emit_key_text(FILE *f, const struct ruleset *rs, const struct rs_set *s,
    const struct rs_elem *e)
{
	if (s->interval)
		put_interval(f, s, rs_key(rs, e));
	else
		put_key(f, s, rs_key(rs, e));
}

const char *emit_type_name(enum rs_type t)
{
	return type_name[t];
}

const char *emit_hook_name(enum rs_hook h)
{
	return hook_name[h];
}

static void put_chain(FILE *f, const struct ruleset *rs, const struct rs_chain *c)
{
	fprintf(f, "\n\tchain %s {\n", rs_str(rs, c->name));
	if (c->hook != RS_HOOK_NONE)
		fprintf(f, "\t\ttype filter hook %s priority %d; policy %s;\n",
		    hook_name[c->hook], c->priority, c->drop ? "drop" : "accept");
	for (uint32_t i = 0; i < c->rules.count; i++) {
		fputs("\t\t", f);
		emit_rule_text(f, rs, RS_AT(rs, RS_RULES, struct rs_rule, c->rules.first + i));
		fputc('\n', f);
	}
	fputs("\t}\n", f);
}

int emit_nft(const struct ruleset *rs, FILE *f)
{
	fputs("# compiled by cordon; loads with `nft -f`.  Policy digest ", f);
	for (int i = 0; i < 32; i++)
		fprintf(f, "%02x", rs->digest[i]);
	fputs("\ntable inet cordon\ndelete table inet cordon\n\ntable inet cordon {\n", f);
	for (uint32_t i = 0; i < rs->table[RS_COUNTERS].count; i++)
		fprintf(f, "%s\tcounter %s {\n\t}\n", i > 0 ? "\n" : "",
		    rs_str(rs, *RS_AT(rs, RS_COUNTERS, uint32_t, i)));
	for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++)
		put_set(f, rs, rs_set(rs, i));
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++)
		put_chain(f, rs, rs_chain(rs, i));
	fputs("}\n", f);
	return ferror(f) ? -1 : 0;
}
