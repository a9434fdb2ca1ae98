/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: lists of peers as chains and sets named by their content */
#ifndef RULES_COMPILE_LISTS_H
#define RULES_COMPILE_LISTS_H

#include <sodium.h>

#include "rules/compile.h"

/* One protocol/port range of an active rule. */
struct want {
	uint16_t lo, hi;
	uint8_t proto, family, grants;
	bool short_ok;
	uint32_t rule;
	int64_t until;
};

/* A list of peers with the time until which each holds. */
struct part {
	int64_t until;
	size_t first, n; /* in ranges[] */
};

/* The list at hand, and what became of those before it. */
struct lists {
	struct netrange *ranges;
	size_t nranges, cap;
	struct part *parts;
	size_t nparts, parts_cap;
	struct list_slot *known;
	size_t known_cap, nknown;
};

/* What to do with a peer that is in the list. */
struct then {
	const char *kind;           /* first part of the chain's name */
	enum rs_field field;        /* where the peer's address stands in the packet */
	uint32_t hit;               /* chain to go on with, or RS_NONE: */
	uint32_t label[3], nlabels; /* these are set, and the chain returns */
};

/* What a list comes to depends on this alone.  Equal lists of the policy are stored
 * once, so `first` stands for the content. */
struct list_key {
	int64_t until;
	uint32_t first, count; /* FS_RANGES */
	uint8_t v, exact,
	    what; /* exact: single addresses go elsewhere; what: struct then */
};

/* Where packets of the list's peers go. */
struct list_end {
	uint32_t chain;
	bool empty;   /* nobody is left to go there */
	bool all;     /* everybody goes: no test */
	bool singles; /* single addresses were taken into the exact set */
};

void *compile_grow(struct compile *c, void *at, size_t *cap, size_t need, size_t elem);

/* The peers of wants[0..n), which share a key, become l's list: one part a distinct end
 * of validity, what holds for ever first. */
void lists_collect(
    struct compile *c, struct lists *l, const struct want *wants, size_t n, uint8_t v);
/* The chain for what is in the list; ret->singles is the caller's. */
void lists_settle(struct compile *c, const struct fam *f, struct lists *l,
    const struct then *t, struct list_end *ret);
/* What became of this list before; false: not seen yet. */
bool lists_known(
    const struct lists *l, const struct list_key *key, struct list_end *ret);
void lists_remember(struct compile *c, struct lists *l, const struct list_key *key,
    const struct list_end *end);
void lists_free(struct lists *l);

/* Names of chains and sets: kind, family, hash of the content. */
void compile_hash_start(crypto_generichash_state *st, uint64_t what);
void compile_name(char name[static RS_NAME_MAX], const char *kind, uint8_t v,
    crypto_generichash_state *st);

static inline bool range_is_single(const struct netrange *r)
{
	return netaddr_cmp(&r->lo, &r->hi) == 0;
}

#endif
