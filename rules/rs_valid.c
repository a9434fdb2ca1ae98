/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: is a compiled ruleset from another process well-formed */
#include <cordon/ruleset.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "rules/flat.h"
#include "rules/rs_tables.h"

enum { DEPTH_MAX = 15, COMMENT_MAX = 127, SET_SIZE_MAX = 1 << 20 };

static bool in(const struct ruleset *rs, enum rs_table t, uint32_t i)
{
	return i < rs->table[t].count;
}

static bool span_in(const struct ruleset *rs, enum rs_table t, struct rs_span s)
{
	return s.count == 0 ||
	    (s.first < rs->table[t].count && s.count <= rs->table[t].count - s.first);
}

static bool name_ok(const struct ruleset *rs, uint32_t i)
{
	const char *s;

	if (!in(rs, RS_STRINGS, i))
		return false;
	s = rs_str(rs, i);
	if (!isalpha((unsigned char)*s) || strlen(s) >= RS_NAME_MAX)
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

/* Text that stands in quotes in the nft rendering. */
static bool text_ok(const struct ruleset *rs, uint32_t i)
{
	const char *s;

	if (!in(rs, RS_STRINGS, i))
		return false;
	s = rs_str(rs, i);
	if (strlen(s) > COMMENT_MAX)
		return false;
	for (; *s != '\0'; s++)
		if (!isprint((unsigned char)*s) || *s == '"' || *s == '\\')
			return false;
	return true;
}

/* What takes a millisecond at most. */
enum { BREATH_TEXT = 1 << 18, BREATH_ELEMS = 20000 };

/* Whether all texts are fine, so that each of them is. */
static bool all_texts_ok(const struct ruleset *rs, void (*breathe)(void *arg), void *arg)
{
	const char *s = rs_str(rs, 0);
	uint32_t run = 0;

	for (uint32_t i = 0; i < rs->table[RS_STRINGS].count; i++) {
		run = s[i] == '\0' ? 0 : run + 1;
		if (run > COMMENT_MAX ||
		    (run > 0 && (!isprint((unsigned char)s[i]) || s[i] == '"' || s[i] == '\\')))
			return false;
		if (breathe != NULL && (i + 1) % BREATH_TEXT == 0)
			breathe(arg);
	}
	return true;
}

static bool go_ok(const struct ruleset *rs, uint8_t go, uint32_t chain)
{
	if (go == RS_JUMP || go == RS_GOTO)
		return in(rs, RS_CHAINS, chain) &&
		    rs_chain(rs, chain)->hook == RS_HOOK_NONE;
	return go <= RS_CONTINUE;
}

static bool set_ok(const struct ruleset *rs, const struct rs_set *s, bool texts)
{
	size_t len = 0, keys = s->interval ? 2 : 1;

	if (!name_ok(rs, s->name) || !text_ok(rs, s->comment) || s->map > RS_MAP_VALUE ||
	    !span_in(rs, RS_ELEMS, s->elems) || s->nkeys < 1 || s->nkeys > RS_KEYS_MAX ||
	    (s->interval && s->nkeys > 1))
		return false;
	for (uint8_t k = 0; k < s->nkeys; k++) {
		if (s->key[k] > RS_T_PRIORITY)
			return false;
		len += rs_type_len(s->key[k]);
	}
	if (len != s->key_len || (s->size > SET_SIZE_MAX && s->size > s->elems.count))
		return false;
	for (uint32_t i = 0; i < s->elems.count; i++) {
		const struct rs_elem *e =
		    RS_AT(rs, RS_ELEMS, struct rs_elem, s->elems.first + i);

		if (e->key > rs->table[RS_KEYS].count ||
		    len * keys > rs->table[RS_KEYS].count - e->key ||
		    !(texts ? in(rs, RS_STRINGS, e->comment) : text_ok(rs, e->comment)) || 
		    (s->map == RS_MAP_VERDICT && !go_ok(rs, e->go, e->chain)))
			return false;
		if (s->interval && memcmp(rs_key(rs, e), rs_key(rs, e) + len, len) > 0)
			return false;
	}
	return true;
}

static bool is_address(enum rs_field f)
{
	return f == RS_IP_SADDR || f == RS_IP_DADDR || f == RS_IP6_SADDR ||
	    f == RS_IP6_DADDR;
}

static bool fields_ok(const struct ruleset *rs, const struct rs_op *op)
{
	if (!in(rs, RS_SETS, op->set) || op->nfields != rs_set(rs, op->set)->nkeys)
		return false;
	for (uint8_t i = 0; i < op->nfields; i++) {
		/* raw loads are compared, never looked up; but for masked addresses */
		if (op->field[i] >= RS_IH)
			return false;
	}
	return !op->has_mask || is_address(op->field[op->nfields - 1]);
}

static bool value_ok(const struct rs_op *op)
{
	if (op->field[0] >= RS_NFIELDS || op->cmp > RS_GE || op->len < 1 || op->len > 16)
		return false;
	if (op->field[0] >= RS_IH)
		return op->len <= 8 && op->offset <= 255;
	return op->len == rs_field_len(op->field[0]);
}

static bool op_ok(const struct ruleset *rs, const struct rs_op *op)
{
	switch ((enum rs_opcode)op->code) {
	case RS_OP_CMP:
	case RS_OP_RANGE:
		return value_ok(op);
	case RS_OP_LOOKUP:
		return fields_ok(rs, op) && !rs_set(rs, op->set)->map;
	case RS_OP_VMAP:
		return fields_ok(rs, op) && rs_set(rs, op->set)->map == RS_MAP_VERDICT;
	case RS_OP_MAP:
		return fields_ok(rs, op) && rs_set(rs, op->set)->map == RS_MAP_VALUE;
	case RS_OP_PRIORITY:
		return true;
	case RS_OP_UPDATE:
		return fields_ok(rs, op) && rs_set(rs, op->set)->dynamic &&
		    op->tally <= (RS_COUNT | RS_RENEW);
	case RS_OP_CT_STATE:
		return op->arg > 0 && op->arg < 128;
	case RS_OP_CT_LABEL:
	case RS_OP_SET_LABEL:
		return op->arg < 128;
	case RS_OP_COUNTER:
		return op->set == RS_NONE || in(rs, RS_COUNTERS, op->set);
	case RS_OP_LOG:
		return text_ok(rs, op->str) && op->arg <= UINT16_MAX;
	case RS_OP_LIMIT:
		return op->arg > 0;
	case RS_OP_RESET:
		return true;
	case RS_OP_GO:
		return go_ok(rs, op->go, op->chain);
	}
	return false;
}

/* How deep jumps and gotos go (the kernel counts both, and refuses 16), from each chain
 * and by each map; each is walked once.  0: not known yet, TOO_DEEP: or a loop, else the
 * depth + 1. */
struct depths {
	const struct ruleset *rs;
	uint8_t *chain, *set;
};
enum { TOO_DEEP = 255 };

static uint8_t depth_of(struct depths *d, uint32_t chain, unsigned at);

/* The depth behind one jump to it; TOO_DEEP stays that. */
static uint8_t deeper(uint8_t deepest, uint8_t there)
{
	if (there == TOO_DEEP || there > DEPTH_MAX)
		return TOO_DEEP;
	return there + 1 > deepest ? (uint8_t)(there + 1) : deepest;
}

static uint8_t map_depth(struct depths *d, uint32_t set, unsigned at)
{
	const struct rs_set *s = rs_set(d->rs, set);
	uint8_t deepest = 1;

	for (uint32_t i = 0; d->set[set] == 0 && i < s->elems.count; i++) {
		const struct rs_elem *e =
		    RS_AT(d->rs, RS_ELEMS, struct rs_elem, s->elems.first + i);

		if ((e->go == RS_JUMP || e->go == RS_GOTO) && deepest != TOO_DEEP)
			deepest = deeper(deepest, depth_of(d, e->chain, at + 1));
	}
	if (d->set[set] == 0)
		d->set[set] = deepest;
	return d->set[set];
}

static uint8_t rule_depth(struct depths *d, const struct rs_rule *rule, unsigned at)
{
	uint8_t deepest = 1, there;

	for (uint32_t o = 0; o < rule->ops.count && deepest != TOO_DEEP; o++) {
		const struct rs_op *op =
		    RS_AT(d->rs, RS_OPS, struct rs_op, rule->ops.first + o);

		if (op->code == RS_OP_GO && (op->go == RS_JUMP || op->go == RS_GOTO))
			deepest = deeper(deepest, depth_of(d, op->chain, at + 1));
		if (op->code != RS_OP_VMAP)
			continue;
		there = map_depth(d, op->set, at);
		deepest = there > deepest ? there : deepest;
	}
	return deepest;
}

static uint8_t depth_of(struct depths *d, uint32_t chain, unsigned at)
{
	const struct rs_chain *c = rs_chain(d->rs, chain);
	uint8_t deepest = 1;

	if (d->chain[chain] != 0)
		return d->chain[chain];
	d->chain[chain] = TOO_DEEP; /* until it is known: back here is a loop */
	if (at > DEPTH_MAX)
		return TOO_DEEP;
	for (uint32_t r = 0; r < c->rules.count; r++) {
		uint8_t there = rule_depth(d,
		    RS_AT(d->rs, RS_RULES, struct rs_rule, c->rules.first + r), at);

		deepest = there > deepest ? there : deepest;
	}
	return d->chain[chain] = deepest;
}

static bool depths_ok(const struct ruleset *rs)
{
	uint32_t n = rs->table[RS_CHAINS].count;
	struct depths d = { rs, calloc(n + 1, 1), calloc(rs->table[RS_SETS].count + 1, 1) };
	bool ok = d.chain != NULL && d.set != NULL;

	for (uint32_t i = 0; ok && i < n; i++)
		ok = depth_of(&d, i, 0) != TOO_DEEP;
	free(d.chain);
	free(d.set);
	return ok;
}

/* What belongs to one set, chain or rule belongs to no other: else a small block could
 * describe a table without bounds. */
static bool spans_ok(const struct ruleset *rs)
{
	uint64_t elems = 0, rules = 0, ops = 0;

	for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++)
		elems += rs_set(rs, i)->elems.count;
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++)
		rules += rs_chain(rs, i)->rules.count;
	for (uint32_t i = 0; i < rs->table[RS_RULES].count; i++)
		ops += RS_AT(rs, RS_RULES, struct rs_rule, i)->ops.count;
	return elems <= rs->table[RS_ELEMS].count && rules <= rs->table[RS_RULES].count &&
	    ops <= rs->table[RS_OPS].count;
}

static bool chains_ok(const struct ruleset *rs)
{
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++) {
		const struct rs_chain *c = rs_chain(rs, i);

		if (!name_ok(rs, c->name) || !text_ok(rs, c->comment) ||
		    !span_in(rs, RS_RULES, c->rules) || c->hook > RS_HOOK_OUTPUT)
			return false;
	}
	for (uint32_t i = 0; i < rs->table[RS_RULES].count; i++) {
		const struct rs_rule *r = RS_AT(rs, RS_RULES, struct rs_rule, i);

		if (!in(rs, RS_CHAINS, r->chain) || !text_ok(rs, r->comment) ||
		    !span_in(rs, RS_OPS, r->ops))
			return false;
	}
	for (uint32_t i = 0; i < rs->table[RS_OPS].count; i++)
		if (!op_ok(rs, RS_AT(rs, RS_OPS, struct rs_op, i)))
			return false;
	return true;
}

bool ruleset_valid(const void *buf, size_t len)
{
	return ruleset_valid_calmly(buf, len, NULL, NULL);
}

bool ruleset_valid_calmly(const void *buf, size_t len, void (*breathe)(void *arg), void *arg)
{
	const struct ruleset *rs = buf;
	uint32_t since = 0;
	bool texts;

	if (len < sizeof(*rs) || memcmp(rs->magic, "cordonrs", 8) != 0 ||
	    rs->version != RS_VERSION || rs->size != len)
		return false;
	if (!flat_valid(&rs->table[0].off, rs_elem_size, RS_NTABLES, sizeof(*rs), buf, len) ||
	    !spans_ok(rs))
		return false;
	texts = all_texts_ok(rs, breathe, arg);
	for (uint32_t i = 0; i < rs->table[RS_COUNTERS].count; i++)
		if (!name_ok(rs, *RS_AT(rs, RS_COUNTERS, uint32_t, i)))
			return false;
	for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++) {
		if (!set_ok(rs, rs_set(rs, i), texts))
			return false;
		since += rs_set(rs, i)->elems.count;
		if (breathe != NULL && since >= BREATH_ELEMS) {
			breathe(arg);
			since = 0;
		}
	}
	return chains_ok(rs) && depths_ok(rs);
}
