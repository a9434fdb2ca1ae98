/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the files of daemon/nft share: socket, batch, lowering, dump */
#ifndef CORDON_NFT_PRIVATE_H
#define CORDON_NFT_PRIVATE_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/ruleset.h>
#include "nft/nft.h"

struct nftnl_chain;
struct nftnl_obj;
struct nftnl_rule;
struct nftnl_set;

#define NFT_TABLE "cordon"
/* A chain without rules, made anew by each commit: the kernel never changes the
 * comment of a table that is there, so what was applied last stands in this one's. */
#define NFT_MARK  "cordon_applied"

enum {
	TABLE_OWNER = 0x2,   /* NFT_TABLE_F_OWNER */
	TABLE_PERSIST = 0x4, /* NFT_TABLE_F_PERSIST, kernel >= 6.9 */
	MESSAGE_MAX = 60000, /* bytes of one message with elements: nests have u16 sizes */
	KNOWN_SETS = 16,
	MARK_LEN = 128,      /* of nft's longest comment, with its NUL */
};

/* What elem.c has to know of a set; looked up once in the kernel. */
struct known_set {
	char name[RS_NAME_MAX];
	uint32_t flags, key_len;
};

struct nft {
	struct mnl_socket *nl;
	uint32_t seq;
	bool can_own;     /* the kernel knows owner + persist together */
	bool one_expr;    /* an element takes only one expression (before 5.11) */
	bool owned;       /* the table is ours alone */
	uint32_t genid;   /* of the kernel after our last commit, 0: not known */
	struct known_set known[KNOWN_SETS];
	unsigned nknown;
};

/* ---- batch.c: one transaction being written ---- */

enum object { OF_BATCH, OF_TABLE, OF_COUNTER, OF_SET, OF_CHAIN, OF_RULE, OF_ELEM };

/* What a message is about, by its sequence number (batch->first_seq + index). */
struct origin {
	enum object object;
	const char *name, *comment; /* the ruleset's */
	const struct ruleset *rs;   /* OF_ELEM: whose elements, else NULL */
	uint32_t elem;              /* OF_ELEM: index of the message's first */
	size_t at;                  /* of the message in the buffer */
};

static inline struct origin origin_of(enum object object, const char *name,
    const char *comment)
{
	return (struct origin){ .object = object, .name = name, .comment = comment };
}

struct batch {
	char *buf;
	size_t len, cap;
	struct origin *origin;
	size_t norigin, origin_cap;
	uint32_t first_seq;
	bool one_expr; /* of the kernel it is for, see lower_rule() */
	bool failed; /* out of memory: nothing will be sent */
};

/* Start a batch: BATCH_BEGIN, bound to `genid` unless 0.  batch_free() it. */
void batch_begin(struct batch *b, struct nft *n, uint32_t genid);
void batch_free(struct batch *b);
/* Header of the next message, with room for MESSAGE_MAX bytes and more; NULL: no
 * memory.  Finish it with batch_put(). */
struct nlmsghdr *batch_message(struct batch *b, uint16_t type, uint16_t flags,
    const struct origin *of);
void batch_put(struct batch *b, const struct nlmsghdr *nlh);
/* Send as one transaction, dry: without its end, which the kernel validates and
 * throws away.  0, or -errno of the first refusal, told in *err (NULL: don't).
 * -ERESTART: the ruleset changed in between, dump and try again. */
int batch_commit(struct batch *b, struct nft *n, bool dry, struct nft_error *err);

/* ---- sock.c ---- */

/* Start a request for a dump (or one object) at buf. */
struct nlmsghdr *sock_request(struct nft *n, char *buf, uint16_t type, uint16_t flags);
/* Send it and give each answer to cb, which returns MNL_CB_*.  0 or -errno. */
int sock_ask(struct nft *n, const struct nlmsghdr *nlh, mnl_cb_t cb, void *arg);
/* Generation id of the kernel's ruleset.  0 or -errno. */
int sock_genid(struct nft *n, uint32_t *ret_genid);
/* Throw away what earlier requests left unread. */
void sock_drain(struct nft *n);
/* Send `len` bytes at once, the socket's buffer made as large.  0 or -errno. */
int sock_send(struct nft *n, const void *buf, size_t len);

/* ---- tally.c ---- */

/* Whether an element takes a counter and a limit together, asked with a rule that is
 * validated and thrown away. */
bool tally_can_count(struct nft *n);
/* Packets of the first counter among an element's expressions: attr is one of
 * NFTA_SET_ELEM_EXPR, _EXPRESSIONS.  False: there is none. */
bool tally_of(struct nlattr *attr, uint64_t *ret_packets, uint64_t *ret_bytes);
/* The expression a counter starts from. */
void tally_put(struct nlmsghdr *nlh, uint64_t packets, uint64_t bytes);

/* ---- merge.c ---- */

/* A copy of *count ops to free(), fewer where comparisons joined; NULL: no memory. */
struct rs_op *merge_ops(const struct rs_op *ops, uint32_t *count);

/* ---- lower.c, lower_set.c: ruleset -> kernel objects; NULL: no memory ---- */

/* one_expr: the kernel takes one expression an element (before 5.11). */
struct nftnl_rule *lower_rule(const struct ruleset *rs, const struct rs_rule *r,
    bool one_expr);
struct nftnl_chain *lower_chain(const struct ruleset *rs, const struct rs_chain *c);
struct nftnl_set *lower_set(const struct ruleset *rs, const struct rs_set *s,
    uint32_t id);
/* What an element does with each packet, into a dynset expression.  A kernel that takes
 * only one expression limits, and counts for the host alone.  0, or -1: no memory. */
struct nftnl_expr;
int lower_tally(struct nftnl_expr *dynset, const struct rs_op *op, bool one_expr);
struct nftnl_expr *lower_limit_expr(uint32_t rate, uint32_t unit_s, uint32_t burst,
    bool over);
/* Bytes of a key in the kernel: of a single type without its padding. */
size_t lower_key_len(const struct rs_set *s);

/* An element carried over into a set that is made anew. */
struct carried {
	uint8_t key[64];
	uint8_t key_len;
	uint32_t flags; /* NFT_SET_ELEM_INTERVAL_END */
	uint64_t timeout_ms, expires_ms;
	uint64_t packets, bytes;
	bool counts; /* it has a counter, with that value */
};

/* Kernel's code of an enum rs_go. */
int32_t lower_verdict(uint8_t go);

/* Messages that add (or delete, by key) elements [first, first + count) of RS_ELEMS,
 * all of set s. */
void elems_add(struct batch *b, const struct ruleset *rs, const struct rs_set *s,
    uint32_t first, uint32_t count);
void elems_del(struct batch *b, const struct ruleset *rs, const struct rs_set *s,
    const uint32_t *elem, size_t count);
/* Delete all elements of s. */
void elems_flush(struct batch *b, const struct ruleset *rs, const struct rs_set *s);
/* Add what an earlier set of this name held, with the time it had left. */
void elems_carry(struct batch *b, const char *set, const struct carried *c,
    size_t count);

/* ---- dump.c: what is in the kernel ---- */

struct kernel {
	bool present; /* the table */
	uint32_t flags;
	struct nftnl_chain **chain;
	struct nftnl_set **set;
	struct nftnl_obj **obj;
	size_t nchain, nset, nobj;
};

/* Everything of table inet cordon but rules and elements.  0 or -errno; kernel_free()
 * in both cases. */
int kernel_dump(struct nft *n, struct kernel *k);
void kernel_free(struct kernel *k);
struct nftnl_set *kernel_set(const struct kernel *k, const char *name);
struct nftnl_obj *kernel_counter(const struct kernel *k, const char *name);
/* Elements of a set, *ret_elems for the caller to free.  0 or -errno. */
int kernel_elems(struct nft *n, const char *set, struct carried **ret_elems,
    size_t *ret_count);

/* ---- byname.c: index of a name in one of a ruleset's tables ---- */

struct byname {
	const struct ruleset *rs;
	enum rs_table table;
	uint32_t *slot; /* index + 1, 0: free */
	uint32_t mask;
};

/* Of RS_CHAINS, RS_SETS or RS_COUNTERS.  0, or -1: no memory. */
int byname_new(struct byname *n, const struct ruleset *rs, enum rs_table table);
void byname_free(struct byname *n);
uint32_t byname_find(const struct byname *n, const char *name); /* or RS_NONE */

/* A reload keeps its elements.  (Those of a map name chains: they never stay.) */
static inline bool set_keeps(const struct rs_set *s)
{
	return s->keep && !s->map;
}

/* ---- plan.c: making what is missing ---- */

enum plan_have {
	HAVE_NONE,  /* make it, with its content */
	HAVE_EMPTY, /* it is there, without rules or elements: fill it */
	HAVE_ALL,   /* leave it alone */
};
/* Which of a ruleset's objects the kernel has already: an enum plan_have each. */
struct plan {
	const struct ruleset *rs;
	uint8_t *counter, *set, *chain;
};

/* Nothing is there.  0 or -errno. */
int plan_new(struct plan *p, const struct ruleset *rs);
void plan_free(struct plan *p);
/* Messages that make what is missing: objects, then plan_fill(): rules and elements,
 * then the mark.  k: counters there take on its values; or NULL. */
void plan_create(const struct plan *p, struct batch *b, const struct kernel *k,
    struct nft_stats *st);
void plan_fill(const struct plan *p, struct batch *b, const char *commit,
    struct nft_stats *st);
void plan_set(struct batch *b, const struct ruleset *rs, uint32_t i);
void plan_rules(struct batch *b, const struct ruleset *rs, const struct rs_chain *c,
    struct nft_stats *st);
/* A chain (or its new policy). */
void plan_chain(struct batch *b, const struct ruleset *rs, const struct rs_chain *c);

/* A message that has only the table's name and the object's (NULL: all of them).
 * own: the name outlives the batch and may stand in an error. */
void put_named(struct batch *b, uint16_t type, enum object object, uint16_t table_attr,
    uint16_t name_attr, const char *name, bool own);
void put_delete_counter(struct batch *b, const char *name, uint32_t type);

/* "cordon VERSION gGENERATION DIGEST COMMIT"; commit NULL: up to it. */
void mark_text(char buf[static MARK_LEN], uint32_t generation, const uint8_t digest[32],
    const char *commit);

/* ---- diff.c ---- */

/* Strings of two rulesets: so many bytes are alike at the start, and at the end. */
struct same_text {
	uint32_t head, tail;
};

/* Elements of a set to delete and to add: indexes in RS_ELEMS of the old ruleset and of
 * the new. */
struct elem_diff {
	uint32_t *del, *add;
	uint32_t ndel, nadd;
};
void elem_diff_free(struct elem_diff *e);

/* What a difference does not touch, by index: sets and chains of the new ruleset, filled
 * already; sets of the old one, left where they are though nothing asks them. */
struct set_ways {
	uint8_t *filled, *chain_filled, *left;
	const uint32_t *ops; /* of the new: elements to change, 0: as it was */
	struct elem_diff *change; /* of the new: which, where that is known (else NULL) */
	struct same_text text;
};

/* Write the difference old -> rs to b; ways NULL: touch all sets.  1: done; 0: a chain or
 * set of equal name is of another kind, take the long way; -errno. */
int diff_batch(struct batch *b, const struct ruleset *old, const struct ruleset *rs,
    const char *commit, const struct set_ways *ways, struct nft_stats *st);
/* Compare the strings, with breaths. */
struct same_text diff_text(const struct ruleset *old, const struct ruleset *rs,
    nft_breathe_fn *breathe, void *arg);
/* Elements that the difference between two sets adds and deletes, with breaths between
 * some thousand of them; *ret_change is the caller's to elem_diff_free().  UINT32_MAX and
 * none: they are not of one kind.  0 or -errno. */
struct diff_pair {
	const struct ruleset *old, *rs;
	const struct rs_set *a, *b;
	struct same_text text;
	nft_breathe_fn *breathe;
	void *arg;
};
int diff_count(const struct diff_pair *p, uint32_t *ret_count, struct elem_diff *ret_change);

#endif
