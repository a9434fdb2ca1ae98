/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: which sets and chains of a reload are made anew, and under which names */
#include "nft/pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SWITCH_ELEMS = 1500, /* elements that change in place, all sets together */
	ALONE_ELEMS = 200,   /* more than that of a set that comes or goes: in pieces */
	SLICE = 4 << 20,     /* bytes that are copied at once */
	NAMES_MAX = 1 << 20,
};

/* ---- names ---- */

/* Upper case: no name of the policy ends so. */
static const char other_end[] = "_B";

/* Length of a name in the policy's words. */
static size_t base_len(const char *name)
{
	size_t n = strlen(name), end = strlen(other_end);

	return n > end && strcmp(name + n - end, other_end) == 0 ? n - end : n;
}

static bool is_other(const char *name)
{
	return base_len(name) != strlen(name);
}


static const char *chain_name(const struct ruleset *rs, uint32_t i)
{
	return rs_str(rs, rs_chain(rs, i)->name);
}

/* By the policy's name, under either of the kernel's. */
static uint32_t find_either(const struct byname *old, const char *name)
{
	uint32_t i = byname_find(old, name);
	char other[RS_NAME_MAX + 4];

	if (i != RS_NONE || strlen(name) >= RS_NAME_MAX)
		return i;
	strcpy(other, name);
	strcat(other, other_end);
	return byname_find(old, other);
}

/* Names are short enough for their other one. */
static bool has_room(const char *name)
{
	return strlen(name) + sizeof(other_end) <= RS_NAME_MAX;
}

/* A copy of rs whose strings end with room for more; the caller free()s. */
static struct ruleset *copy_with_room(const struct pieces *p, const struct ruleset *rs,
    uint32_t room)
{
	uint32_t strings = rs->table[RS_STRINGS].count, at = (rs->size + 15u) & ~15u;
	struct ruleset *copy;

	if (rs->size > UINT32_MAX / 2 || strings > UINT32_MAX / 4)
		return NULL;
	copy = malloc((size_t)at + strings + room);
	if (copy == NULL)
		return NULL;
	for (size_t i = 0, n; i < rs->size; i += n) {
		n = rs->size - i < SLICE ? rs->size - i : SLICE;
		memcpy((char *)copy + i, (const char *)rs + i, n);
		p->breathe(p->arg);
	}
	memset((char *)copy + rs->size, 0, at - rs->size);
	memcpy((char *)copy + at, rs_str(rs, 0), strings);
	copy->table[RS_STRINGS].off = at;
	copy->size = at + strings;
	return copy;
}

/* The policy's name, or the other one; returns where it stands. */
static uint32_t put_name(struct ruleset *rs, const char *name, bool other)
{
	uint32_t at = rs->table[RS_STRINGS].count;
	char *to = (char *)rs + rs->table[RS_STRINGS].off + at;
	size_t n = base_len(name);

	memcpy(to, name, n);
	strcpy(to + n, other ? other_end : "");
	n = strlen(to) + 1;
	rs->table[RS_STRINGS].count += (uint32_t)n;
	rs->size += (uint32_t)n;
	return at;
}

/* Whether an object, `was` in the kernel, is to have another name than the policy's. */
static bool needs_name(const char *was, bool swap)
{
	return is_other(was) != swap;
}

struct swaps {
	uint8_t *set, *chain;
};

static bool needs_names(const struct pieces *p, const struct ruleset *rs, const struct swaps *w)
{
	bool any = false;

	for (uint32_t i = 0; i < rs->table[RS_SETS].count && !any; i++)
		any = p->in_old[i] != RS_NONE &&
		    needs_name(set_name(p->old, p->in_old[i]), w->set[i]);
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count && !any; i++)
		any = p->chain_in_old[i] != RS_NONE &&
		    needs_name(chain_name(p->old, p->chain_in_old[i]), w->chain[i]);
	return any;
}

/* Under the kernel's names; where `swap` the other one of the two. */
static struct ruleset *renamed(const struct pieces *p, const struct ruleset *rs,
    const struct swaps *w)
{
	const uint32_t nsets = rs->table[RS_SETS].count, nchains = rs->table[RS_CHAINS].count;
	struct ruleset *copy = nsets + nchains > NAMES_MAX ? NULL :
	    copy_with_room(p, rs, (nsets + nchains) * (RS_NAME_MAX + 4u));
	struct rs_chain *chain;
	struct rs_set *set;

	if (copy == NULL)
		return NULL;
	set = (struct rs_set *)(void *)((char *)copy + copy->table[RS_SETS].off);
	chain = (struct rs_chain *)(void *)((char *)copy + copy->table[RS_CHAINS].off);
	for (uint32_t i = 0; i < nsets; i++)
		if (p->in_old[i] != RS_NONE &&
		    needs_name(set_name(p->old, p->in_old[i]), w->set[i]))
			set[i].name = put_name(copy, set_name(rs, i), true);
	for (uint32_t i = 0; i < nchains; i++)
		if (p->chain_in_old[i] != RS_NONE &&
		    needs_name(chain_name(p->old, p->chain_in_old[i]), w->chain[i]))
			chain[i].name = put_name(copy, chain_name(rs, i), true);
	return copy;
}

/* ---- what is done how ---- */

static bool can_swap(const struct rs_set *s)
{
	return !s->keep && !s->dynamic && !s->timeout && s->map != RS_MAP_VERDICT;
}

/* Which elements change is kept where it is little: the switch needs it. */
static int count_set(struct pieces *p, const struct ruleset *rs, uint32_t i)
{
	const struct diff_pair pair = { p->old, rs, rs_set(p->old, p->in_old[i]),
		rs_set(rs, i), p->ways.text, p->breathe, p->arg };
	struct elem_diff *e = &p->ways.change[i];
	int r = diff_count(&pair, &p->ops[i], e);

	if (r == 0 && (p->ops[i] == 0 || e->ndel + e->nadd > SWITCH_ELEMS))
		elem_diff_free(e);
	return r;
}

static int count_ops(struct pieces *p, const struct ruleset *rs)
{
	struct byname sets, chains;
	int r = 0;

	if (byname_new(&sets, p->old, RS_SETS) == -1)
		return -ENOMEM;
	if (byname_new(&chains, p->old, RS_CHAINS) == -1) {
		byname_free(&sets);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++)
		p->chain_in_old[i] = find_either(&chains, chain_name(rs, i));
	p->ways.text = diff_text(p->old, rs, p->breathe, p->arg);
	for (uint32_t i = 0; r == 0 && i < rs->table[RS_SETS].count; i++) {
		p->in_old[i] = find_either(&sets, set_name(rs, i));
		if (p->in_old[i] == RS_NONE || rs_set(rs, i)->keep)
			continue;
		p->breathe(p->arg);
		r = count_set(p, rs, i);
	}
	byname_free(&sets);
	byname_free(&chains);
	return r;
}

/* The sets with the most changes are filled anew, until few are left for the switch. */
static void choose_swaps(struct pieces *p, const struct ruleset *rs, uint8_t *swap)
{
	uint64_t left = 0;

	for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++) {
		/* one of another kind can't stay, whatever is in it */
		swap[i] = p->ops[i] == UINT32_MAX && can_swap(rs_set(rs, i)) && has_room(set_name(rs, i));
		left += swap[i] ? 0 : p->ops[i];
	}
	while (left > SWITCH_ELEMS) {
		uint32_t most = RS_NONE;

		for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++)
			if (!swap[i] && p->ops[i] > 0 && can_swap(rs_set(rs, i)) &&
			    has_room(set_name(rs, i)) && (most == RS_NONE || p->ops[i] > p->ops[most]))
				most = i;
		if (most == RS_NONE)
			break;
		swap[most] = true;
		left -= p->ops[most];
	}
}

static bool asks(const struct ruleset *rs, const struct rs_rule *rule, const uint8_t *set)
{
	for (uint32_t o = 0; o < rule->ops.count; o++) {
		const struct rs_op *op = RS_AT(rs, RS_OPS, struct rs_op, rule->ops.first + o);

		if (op->code == RS_OP_MAP && set[op->set])
			return true;
	}
	return false;
}

/* Chains that ask such a map are made anew with it. */
static void choose_chains(const struct pieces *p, const struct ruleset *rs, struct swaps *w)
{
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++) {
		const struct rs_chain *c = rs_chain(rs, i);

		if (c->hook != RS_HOOK_NONE || p->chain_in_old[i] == RS_NONE ||
		    !has_room(chain_name(rs, i)))
			continue;
		for (uint32_t r = 0; r < c->rules.count && !w->chain[i]; r++)
			w->chain[i] = asks(rs,
			    RS_AT(rs, RS_RULES, struct rs_rule, c->rules.first + r), w->set);
	}
}

/* Sets of `of` that `than` has not, and that are worth pieces of their own. */
static bool choose_sets(const struct ruleset *of, const struct ruleset *than, uint8_t *mark)
{
	struct byname names;
	bool any = false;

	if (byname_new(&names, than, RS_SETS) == -1)
		return false;
	for (uint32_t i = 0; i < of->table[RS_SETS].count; i++) {
		const struct rs_set *s = rs_set(of, i);

		mark[i] = can_swap(s) && s->elems.count > ALONE_ELEMS &&
		    byname_find(&names, set_name(of, i)) == RS_NONE;
		any |= mark[i];
	}
	byname_free(&names);
	return any;
}

/* What is there before the switch: of old, or filled by then. */
struct present {
	struct byname chain, set, counter;
};

static bool op_can_stand(const struct pieces *p, const struct present *have,
    const struct rs_op *op)
{
	switch ((enum rs_opcode)op->code) {
	case RS_OP_LOOKUP:
	case RS_OP_MAP:
	case RS_OP_UPDATE:
		return p->ways.filled[op->set] ||
		    byname_find(&have->set, set_name(p->rs, op->set)) != RS_NONE;
	case RS_OP_COUNTER:
		return op->set == RS_NONE || byname_find(&have->counter,
		    rs_str(p->rs, *RS_AT(p->rs, RS_COUNTERS, uint32_t, op->set))) != RS_NONE;
	case RS_OP_GO:
		return (op->go != RS_JUMP && op->go != RS_GOTO) ||
		    byname_find(&have->chain, chain_name(p->rs, op->chain)) != RS_NONE;
	case RS_OP_VMAP:
		return false;
	case RS_OP_CMP:
	case RS_OP_RANGE:
	case RS_OP_PRIORITY:
	case RS_OP_CT_STATE:
	case RS_OP_CT_LABEL:
	case RS_OP_SET_LABEL:
	case RS_OP_LOG:
	case RS_OP_LIMIT:
	case RS_OP_RESET:
		break;
	}
	return true;
}

static bool chain_can_stand(const struct pieces *p, const struct present *have,
    const struct rs_chain *c)
{
	for (uint32_t r = 0; r < c->rules.count; r++) {
		const struct rs_rule *rule =
		    RS_AT(p->rs, RS_RULES, struct rs_rule, c->rules.first + r);

		for (uint32_t o = 0; o < rule->ops.count; o++)
			if (!op_can_stand(p, have,
				RS_AT(p->rs, RS_OPS, struct rs_op, rule->ops.first + o)))
				return false;
	}
	return true;
}

/* Of the chains made anew, those that can be there before the switch.  One that leads to
 * another such one comes with it. */
static void mark_chains(struct pieces *p, const struct present *have)
{
	for (uint32_t i = 0; i < p->rs->table[RS_CHAINS].count; i++)
		p->ways.chain_filled[i] = p->chain_in_old[i] != RS_NONE &&
		    rs_chain(p->rs, i)->hook == RS_HOOK_NONE &&
		    byname_find(&have->chain, chain_name(p->rs, i)) == RS_NONE &&
		    chain_can_stand(p, have, rs_chain(p->rs, i));
}

static int choose_ways(struct pieces *p, bool *ret_any)
{
	struct present have = { 0 };
	int r = -ENOMEM;

	*ret_any = choose_sets(p->rs, p->old, p->ways.filled);
	*ret_any |= choose_sets(p->old, p->rs, p->ways.left);
	if (!*ret_any)
		return 0;
	if (byname_new(&have.chain, p->old, RS_CHAINS) == 0 &&
	    byname_new(&have.set, p->old, RS_SETS) == 0 &&
	    byname_new(&have.counter, p->old, RS_COUNTERS) == 0) {
		mark_chains(p, &have);
		r = 0;
	}
	byname_free(&have.chain);
	byname_free(&have.set);
	byname_free(&have.counter);
	return r;
}

/* ---- the plan ---- */

static bool room_for(struct pieces *p, const struct ruleset *rs, struct swaps *w)
{
	const size_t sets = rs->table[RS_SETS].count + 1u, chains = rs->table[RS_CHAINS].count + 1u;

	p->ways.filled = calloc(sets, 1);
	p->ways.chain_filled = calloc(chains, 1);
	p->ways.left = calloc(p->old->table[RS_SETS].count + 1u, 1);
	p->in_old = calloc(sets, sizeof(*p->in_old));
	p->chain_in_old = calloc(chains, sizeof(*p->chain_in_old));
	p->ops = calloc(sets, sizeof(*p->ops));
	p->ways.ops = p->ops;
	p->ways.change = calloc(sets, sizeof(*p->ways.change));
	p->nchange = p->ways.change != NULL ? (uint32_t)sets : 0;
	w->set = calloc(sets, 1);
	w->chain = calloc(chains, 1);
	return p->ways.filled != NULL && p->ways.chain_filled != NULL &&
	    p->ways.left != NULL && p->ways.change != NULL && p->in_old != NULL && p->chain_in_old != NULL &&
	    p->ops != NULL && w->set != NULL && w->chain != NULL;
}

void pieces_free(struct pieces *p)
{
	free(p->ways.filled);
	free(p->ways.chain_filled);
	free(p->ways.left);
	for (uint32_t i = 0; i < p->nchange; i++)
		elem_diff_free(&p->ways.change[i]);
	free(p->ways.change);
	free(p->in_old);
	free(p->chain_in_old);
	free(p->ops);
}

int pieces_plan(struct pieces *p, const struct ruleset *rs, struct ruleset **ret_made,
    bool *ret_in_pieces)
{
	struct ruleset *made = NULL;
	struct swaps w = { NULL, NULL };
	int r = room_for(p, rs, &w) ? count_ops(p, rs) : -ENOMEM;

	if (r == 0) {
		choose_swaps(p, rs, w.set);
		choose_chains(p, rs, &w);
		if (needs_names(p, rs, &w)) {
			made = renamed(p, rs, &w);
			r = made == NULL ? -ENOMEM : 0;
			p->ways.text.tail = 0; /* its strings end with new names */
		}
		p->rs = made != NULL ? made : rs;
	}
	free(w.set);
	free(w.chain);
	if (r == 0)
		r = choose_ways(p, ret_in_pieces);
	if (r == 0)
		*ret_made = made;
	else
		free(made);
	return r;
}
