/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what has to change between the ruleset applied last and the new one */
#include "nft/private.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

enum {
	RUN = 512,            /* elements that are compared at once */
	BREATH_ELEMS = 8192,  /* that are compared between two breaths */
	BREATH_TEXT = 1 << 18 /* bytes of strings, likewise */
};

/* Two rulesets and, for each object of the old one, its index in the new one. */
struct diff {
	const struct ruleset *old, *rs;
	uint32_t *chain, *set, *counter; /* old index -> new index, or RS_NONE */
	struct plan plan;
	struct batch *b;
	struct nft_stats *st;
	const struct set_ways *ways;
	struct same_text text;
	nft_breathe_fn *breathe; /* NULL: none */
	void *arg;
};

static void draw_breath(const struct diff *d)
{
	if (d->breathe != NULL)
		d->breathe(d->arg);
}

static const char *old_name(const struct ruleset *rs, enum rs_table table, uint32_t i)
{
	if (table == RS_CHAINS)
		return rs_str(rs, rs_chain(rs, i)->name);
	if (table == RS_SETS)
		return rs_str(rs, rs_set(rs, i)->name);
	return rs_str(rs, *RS_AT(rs, RS_COUNTERS, uint32_t, i));
}

static uint32_t *pair(const struct diff *d, enum rs_table table)
{
	uint32_t count = d->old->table[table].count;
	uint32_t *map = calloc(count + 1u, sizeof(*map));
	struct byname names;

	if (map == NULL || byname_new(&names, d->rs, table) == -1) {
		free(map);
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++)
		map[i] = byname_find(&names, old_name(d->old, table, i));
	byname_free(&names);
	return map;
}

/* Most strings of a small change stand at the same place, or all moved alike. */
static struct same_text same_strings(const struct diff *d)
{
	const uint32_t na = d->old->table[RS_STRINGS].count, nb = d->rs->table[RS_STRINGS].count;
	const char *a = rs_str(d->old, 0), *b = rs_str(d->rs, 0);
	const uint32_t n = na < nb ? na : nb;
	struct same_text t = { 0, 0 };

	while (t.head < n && a[t.head] == b[t.head])
		if (++t.head % BREATH_TEXT == 0)
			draw_breath(d);
	while (t.head > 0 && a[t.head - 1] != '\0')
		t.head--; /* only whole ones */
	while (t.tail < n && a[na - 1 - t.tail] == b[nb - 1 - t.tail])
		if (++t.tail % BREATH_TEXT == 0)
			draw_breath(d);
	return t;
}

struct same_text diff_text(const struct ruleset *old, const struct ruleset *rs,
    nft_breathe_fn *breathe, void *arg)
{
	return same_strings(&(struct diff){ .old = old, .rs = rs, .breathe = breathe,
	    .arg = arg });
}

static bool same_str(const struct diff *d, uint32_t old, uint32_t new)
{
	const uint32_t na = d->old->table[RS_STRINGS].count, nb = d->rs->table[RS_STRINGS].count;

	if ((old == new && old < d->text.head) ||
	    (na - old == nb - new && na - old <= d->text.tail))
		return true;
	return strcmp(rs_str(d->old, old), rs_str(d->rs, new)) == 0;
}

static uint32_t mapped(const uint32_t *map, uint32_t i)
{
	return i == RS_NONE ? RS_NONE : map[i];
}

/* ---- may the object stay ---- */

static bool same_set(const struct diff *d, const struct rs_set *a, const struct rs_set *b)
{
	return a->size == b->size && a->timeout_s == b->timeout_s &&
	    a->nkeys == b->nkeys && memcmp(a->key, b->key, a->nkeys) == 0 &&
	    a->interval == b->interval && a->timeout == b->timeout &&
	    a->dynamic == b->dynamic && a->map == b->map && a->keep == b->keep &&
	    same_str(d, a->comment, b->comment);
}

static bool same_chain(const struct diff *d, const struct rs_chain *a,
    const struct rs_chain *b)
{
	return a->hook == b->hook &&
	    (a->hook == RS_HOOK_NONE || a->priority == b->priority) &&
	    same_str(d, a->comment, b->comment);
}

/* Chains and sets of equal name must be of one kind, else rules and maps that refer to
 * them would have to be made anew as well. */
static bool all_same_kind(const struct diff *d)
{
	for (uint32_t i = 0; i < d->old->table[RS_SETS].count; i++)
		if (d->set[i] != RS_NONE &&
		    !same_set(d, rs_set(d->old, i), rs_set(d->rs, d->set[i])))
			return false;
	for (uint32_t i = 0; i < d->old->table[RS_CHAINS].count; i++)
		if (d->chain[i] != RS_NONE &&
		    !same_chain(d, rs_chain(d->old, i), rs_chain(d->rs, d->chain[i])))
			return false;
	return true;
}

/* ---- rules ---- */

static uint32_t op_refers(const struct rs_op *op, const uint32_t *set,
    const uint32_t *counter)
{
	switch ((enum rs_opcode)op->code) {
	case RS_OP_LOOKUP:
	case RS_OP_VMAP:
	case RS_OP_MAP:
	case RS_OP_UPDATE:
		return set == NULL ? op->set : mapped(set, op->set);
	case RS_OP_COUNTER:
		return counter == NULL ? op->set : mapped(counter, op->set);
	case RS_OP_CMP:
	case RS_OP_RANGE:
	case RS_OP_PRIORITY:
	case RS_OP_CT_STATE:
	case RS_OP_CT_LABEL:
	case RS_OP_SET_LABEL:
	case RS_OP_LOG:
	case RS_OP_LIMIT:
	case RS_OP_RESET:
	case RS_OP_GO:
		break;
	}
	return RS_NONE;
}

static bool same_go(const struct diff *d, uint8_t a, uint32_t a_chain, uint8_t b,
    uint32_t b_chain)
{
	return a == b &&
	    ((a != RS_JUMP && a != RS_GOTO) || mapped(d->chain, a_chain) == b_chain);
}

static bool same_op(const struct diff *d, const struct rs_op *a, const struct rs_op *b)
{
	if (a->code != b->code)
		return false;
	if (a->code == RS_OP_GO)
		return same_go(d, a->go, a->chain, b->go, b->chain);
	if (a->code == RS_OP_LOG && !same_str(d, a->str, b->str))
		return false;
	return a->cmp == b->cmp && a->nfields == b->nfields &&
	    memcmp(a->field, b->field, sizeof(a->field)) == 0 && a->negate == b->negate &&
	    a->has_mask == b->has_mask && a->tally == b->tally && a->len == b->len &&
	    a->offset == b->offset &&
	    a->arg == b->arg && a->arg2 == b->arg2 &&
	    memcmp(a->value, b->value, sizeof(a->value)) == 0 &&
	    memcmp(a->mask, b->mask, sizeof(a->mask)) == 0 &&
	    op_refers(a, d->set, d->counter) == op_refers(b, NULL, NULL);
}

static bool same_rules(const struct diff *d, const struct rs_chain *a,
    const struct rs_chain *b)
{
	if (a->rules.count != b->rules.count)
		return false;
	for (uint32_t i = 0; i < a->rules.count; i++) {
		const struct rs_rule *x =
		    RS_AT(d->old, RS_RULES, struct rs_rule, a->rules.first + i);
		const struct rs_rule *y =
		    RS_AT(d->rs, RS_RULES, struct rs_rule, b->rules.first + i);

		if (x->ops.count != y->ops.count || !same_str(d, x->comment, y->comment))
			return false;
		for (uint32_t o = 0; o < x->ops.count; o++)
			if (!same_op(d, RS_AT(d->old, RS_OPS, struct rs_op, x->ops.first + o),
				RS_AT(d->rs, RS_OPS, struct rs_op, y->ops.first + o)))
				return false;
	}
	return true;
}

static void flush_chain(struct diff *d, const struct rs_chain *was)
{
	if (was->rules.count > 0)
		put_named(d->b, NFT_MSG_DELRULE, OF_RULE, NFTA_RULE_TABLE, NFTA_RULE_CHAIN,
		    rs_str(d->old, was->name), true);
}

/* Empty the chains that change or go; their new rules follow in plan_fill(). */
static void diff_chains(struct diff *d)
{
	for (uint32_t i = 0; i < d->old->table[RS_CHAINS].count; i++) {
		const struct rs_chain *a = rs_chain(d->old, i), *b;

		if (d->chain[i] == RS_NONE) {
			flush_chain(d, a);
			continue;
		}
		b = rs_chain(d->rs, d->chain[i]);
		if (b->hook != RS_HOOK_NONE && a->drop != b->drop)
			plan_chain(d->b, d->rs, b);
		if (same_rules(d, a, b)) {
			d->plan.chain[d->chain[i]] = HAVE_ALL;
		} else {
			d->plan.chain[d->chain[i]] = HAVE_EMPTY;
			flush_chain(d, a);
		}
	}
}

/* ---- elements ---- */

static bool same_elem(const struct diff *d, const struct rs_set *s,
    const struct rs_elem *a, const struct rs_elem *b)
{
	return (s->map != RS_MAP_VALUE || a->chain == b->chain) &&
	    (s->map != RS_MAP_VERDICT || same_go(d, a->go, a->chain, b->go, b->chain)) &&
	    same_str(d, a->comment, b->comment) &&
	    (!s->interval ||
		memcmp(rs_key(d->old, a) + s->key_len, rs_key(d->rs, b) + s->key_len,
		    s->key_len) == 0);
}

void elem_diff_free(struct elem_diff *e)
{
	free(e->del);
	free(e->add);
	*e = (struct elem_diff){ NULL, NULL, 0, 0 };
}

/* How many elements from x and y on are the same, as far as that is seen at a glance: at
 * most n, whose keys stand one behind the other. */
static uint32_t same_run(const struct diff *d, const struct rs_set *s,
    const struct rs_elem *x, const struct rs_elem *y, uint32_t n)
{
	const uint32_t len = s->key_len * (s->interval ? 2u : 1u);
	uint32_t k = 0;

	while (k < n && x[k].key == x->key + k * len && y[k].key == y->key + k * len &&
	    (s->map != RS_MAP_VALUE || x[k].chain == y[k].chain) &&
	    (s->map != RS_MAP_VERDICT ||
		same_go(d, x[k].go, x[k].chain, y[k].go, y[k].chain)) &&
	    same_str(d, x[k].comment, y[k].comment))
		k++;
	return k > 0 && memcmp(rs_key(d->old, x), rs_key(d->rs, y), (size_t)k * len) == 0 ? k :
											    0;
}

static int merge(const struct diff *d, const struct rs_set *a, const struct rs_set *b,
    struct elem_diff *e)
{
	uint32_t i = 0, j = 0, slow = 0, work = 0;

	e->ndel = e->nadd = 0;
	e->del = calloc(a->elems.count + 1u, sizeof(*e->del));
	e->add = calloc(b->elems.count + 1u, sizeof(*e->add));
	if (e->del == NULL || e->add == NULL)
		return -1;
	while (i < a->elems.count || j < b->elems.count) {
		const struct rs_elem *x =
		    RS_AT(d->old, RS_ELEMS, struct rs_elem, a->elems.first + i);
		const struct rs_elem *y =
		    RS_AT(d->rs, RS_ELEMS, struct rs_elem, b->elems.first + j);
		uint32_t most = a->elems.count - i < b->elems.count - j ?
		    a->elems.count - i : b->elems.count - j;
		uint32_t n = slow > 0 ? 0 : same_run(d, a, x, y, most < RUN ? most : RUN);
		int order;

		work += n > 0 ? n : RUN / 64; /* one by one takes longer */
		if (work > BREATH_ELEMS) {
			draw_breath(d);
			work = 0;
		}
		i += n;
		j += n;
		if (n > 0)
			continue;
		slow = slow > 0 ? slow - 1 : RUN / 16;
		order = i == a->elems.count ? 1 :
		    j == b->elems.count ? -1 :
			memcmp(rs_key(d->old, x), rs_key(d->rs, y), a->key_len);
		if (order < 0 || (order == 0 && !same_elem(d, a, x, y)))
			e->del[e->ndel++] = a->elems.first + i;
		if (order > 0 || (order == 0 && !same_elem(d, a, x, y)))
			e->add[e->nadd++] = b->elems.first + j;
		i += order <= 0;
		j += order >= 0;
	}
	return 0;
}

static void add_runs(struct diff *d, const struct rs_set *s, const struct elem_diff *e)
{
	for (uint32_t i = 0, n; i < e->nadd; i += n) {
		for (n = 1; i + n < e->nadd && e->add[i + n] == e->add[i] + n; n++)
			;
		elems_add(d->b, d->rs, s, e->add[i], n);
	}
}

int diff_count(const struct diff_pair *p, uint32_t *ret_count, struct elem_diff *ret_change)
{
	const struct diff d = { .old = p->old, .rs = p->rs, .text = p->text,
		.breathe = p->breathe, .arg = p->arg };
	struct elem_diff e = { NULL, NULL, 0, 0 };
	uint32_t count = UINT32_MAX;

	if (same_set(&d, p->a, p->b)) {
		if (merge(&d, p->a, p->b, &e) == -1) {
			elem_diff_free(&e);
			return -ENOMEM;
		}
		count = e.ndel + e.nadd;
		if (count > 0 && p->a->interval)
			count = p->a->elems.count + p->b->elems.count;
	}
	*ret_count = count;
	*ret_change = e;
	return 0;
}

/* Of set `i` of the new one: known from before, or merged now. */
static int changes(struct diff *d, const struct rs_set *a, uint32_t i, struct elem_diff *ret)
{
	if (d->ways == NULL || d->ways->change[i].del == NULL)
		return merge(d, a, rs_set(d->rs, i), ret);
	*ret = d->ways->change[i];
	d->ways->change[i] = (struct elem_diff){ NULL, NULL, 0, 0 };
	return 0;
}

static int diff_elems(struct diff *d, const struct rs_set *a, uint32_t i)
{
	const struct rs_set *b = rs_set(d->rs, i);
	struct elem_diff e;
	int r = changes(d, a, i, &e);

	if (r == 0 && e.ndel + e.nadd > 0 && a->interval) {
		/* ends of intervals touch their neighbours: such a set is filled anew */
		if (a->elems.count > 0)
			elems_flush(d->b, d->rs, b);
		elems_add(d->b, d->rs, b, b->elems.first, b->elems.count);
		e.ndel = a->elems.count;
		e.nadd = b->elems.count;
	} else if (r == 0) {
		elems_del(d->b, d->old, a, e.del, e.ndel);
		add_runs(d, b, &e);
	}
	if (r == 0) {
		d->st->elements_deleted += e.ndel;
		d->st->elements_added += e.nadd;
	}
	elem_diff_free(&e);
	return r;
}

static int diff_sets(struct diff *d)
{
	for (uint32_t i = 0; i < d->old->table[RS_SETS].count; i++) {
		const struct rs_set *a = rs_set(d->old, i);

		if (d->set[i] == RS_NONE)
			continue;
		d->plan.set[d->set[i]] = HAVE_ALL;
		if (set_keeps(a) ||
		    (d->ways != NULL && d->ways->ops[d->set[i]] == 0))
			continue;
		if (diff_elems(d, a, d->set[i]) == -1)
			return -1;
	}
	return 0;
}

/* ---- what goes ---- */

static void delete_old(struct diff *d)
{
	for (uint32_t i = 0; i < d->old->table[RS_SETS].count; i++)
		if (d->set[i] == RS_NONE && (d->ways == NULL || !d->ways->left[i])) {
			put_named(d->b, NFT_MSG_DELSET, OF_SET, NFTA_SET_TABLE,
			    NFTA_SET_NAME, rs_str(d->old, rs_set(d->old, i)->name), true);
			d->st->sets_deleted++;
		}
	for (uint32_t i = 0; i < d->old->table[RS_CHAINS].count; i++)
		if (d->chain[i] == RS_NONE) {
			put_named(d->b, NFT_MSG_DELCHAIN, OF_CHAIN, NFTA_CHAIN_TABLE,
			    NFTA_CHAIN_NAME, rs_str(d->old, rs_chain(d->old, i)->name),
			    true);
			d->st->chains_deleted++;
		}
	for (uint32_t i = 0; i < d->old->table[RS_COUNTERS].count; i++)
		if (d->counter[i] == RS_NONE)
			put_delete_counter(d->b,
			    rs_str(d->old, *RS_AT(d->old, RS_COUNTERS, uint32_t, i)),
			    NFT_OBJECT_COUNTER);
}

static void diff_write(struct diff *d, const char *commit)
{
	for (uint32_t i = 0; i < d->old->table[RS_COUNTERS].count; i++)
		if (d->counter[i] != RS_NONE)
			d->plan.counter[d->counter[i]] = HAVE_ALL;
	put_named(d->b, NFT_MSG_DELCHAIN, OF_CHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME,
	    NFT_MARK, true);
	for (uint32_t i = 0; i < d->old->table[RS_SETS].count; i++)
		if (d->set[i] != RS_NONE)
			d->plan.set[d->set[i]] = HAVE_ALL;
	for (uint32_t i = 0; i < d->old->table[RS_CHAINS].count; i++)
		if (d->chain[i] != RS_NONE)
			d->plan.chain[d->chain[i]] = HAVE_ALL;
	for (uint32_t i = 0; d->ways != NULL && i < d->rs->table[RS_SETS].count; i++)
		if (d->ways->filled[i])
			d->plan.set[i] = HAVE_ALL;
	for (uint32_t i = 0; d->ways != NULL && i < d->rs->table[RS_CHAINS].count; i++)
		if (d->ways->chain_filled[i])
			d->plan.chain[i] = HAVE_ALL;
	plan_create(&d->plan, d->b, NULL, d->st);
	diff_chains(d);
	if (diff_sets(d) == -1)
		d->b->failed = true;
	plan_fill(&d->plan, d->b, commit, d->st);
	delete_old(d);
}

int diff_batch(struct batch *b, const struct ruleset *old, const struct ruleset *rs,
    const char *commit, const struct set_ways *ways, struct nft_stats *st)
{
	struct diff d = { .old = old, .rs = rs, .b = b, .st = st, .ways = ways };
	int r = plan_new(&d.plan, rs);

	d.chain = pair(&d, RS_CHAINS);
	d.set = pair(&d, RS_SETS);
	d.counter = pair(&d, RS_COUNTERS);
	d.text = ways != NULL ? ways->text : same_strings(&d);
	if (r == 0 && (d.chain == NULL || d.set == NULL || d.counter == NULL))
		r = -ENOMEM;
	if (r == 0 && all_same_kind(&d)) {
		diff_write(&d, commit);
		r = 1;
	}
	plan_free(&d.plan);
	free(d.chain);
	free(d.set);
	free(d.counter);
	return r;
}
