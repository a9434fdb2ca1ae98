/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: table inet cordon in the kernel: apply a ruleset, timed elements, counts */
#ifndef CORDON_NFT_H
#define CORDON_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ruleset;
struct nft;
struct nft_rest;

/* What the kernel refused, in terms of the ruleset.  Strings are of the ruleset that
 * was given, valid as long as it is. */
struct nft_error {
	int err;             /* errno, > 0 */
	const char *object;  /* "chain", "set", "rule", "element", "table", "batch" */
	const char *name;    /* of the object or its chain/set, or "" */
	const char *comment; /* its rule id, or "" */
};

struct nft_stats {
	uint32_t messages, bytes;
	uint32_t elements_added, elements_deleted;
	uint32_t chains_added, chains_deleted, sets_added, sets_deleted, rules;
	uint32_t build_us, commit_us;
	uint32_t pieces, longest_us; /* of nft_reload(): commits, and the longest of them */
	bool owned; /* the table has OWNER|PERSIST */
};

/* Open the netlink socket (CAP_NET_ADMIN in this network namespace), with large
 * buffers.  NULL: errno. */
struct nft *nft_open(void);
void nft_close(struct nft *n);

/* Make the kernel's table be `new` in one transaction.  `old` is what this process
 * applied last and is still there (only the difference is sent), or NULL: the table,
 * if there is one, is adopted: its objects are replaced, the elements of sets with
 * `keep` and the values of counters stay.  dry: validate in the kernel, change
 * nothing.  commit: stands beside digest and generation in the comment of the empty
 * chain `cordon_applied` (the kernel never changes the comment of a table).
 * 0, or -1: nothing changed, *err says why. */
int nft_apply(struct nft *n, const struct ruleset *old, const struct ruleset *new_rs,
    const char *commit, bool dry, struct nft_error *err, struct nft_stats *st);

/* As nft_apply() with what this process applied last, but a large difference goes in
 * pieces of a few milliseconds: sets that no rule asks yet are filled first, one commit
 * switches to them, then the old ones are emptied, which is left to nft_reload_rest().
 * breathe() runs between two pieces; it may add and delete elements of `keep` sets,
 * nothing else.
 * 0: *ret_rest is what nft_reload_rest() has to do as the next thing, NULL: nothing.
 * *ret_rs, for the caller to free(), is new_rs under the names that its sets have in
 * the kernel now, and what `old` is to be the next time; NULL: new_rs itself is.  -1: the
 * table is as it was. */
typedef void nft_breathe_fn(void *arg);
int nft_reload(struct nft *n, const struct ruleset *old, const struct ruleset *new_rs,
    const char *commit, nft_breathe_fn *breathe, void *arg, struct ruleset **ret_rs,
    struct nft_rest **ret_rest, struct nft_error *err, struct nft_stats *st);
/* Take away what nothing asks any more since the switch; `old` of nft_reload() is needed
 * until then.  Frees rest; *st tells of this alone. */
void nft_reload_rest(struct nft_rest *rest, struct nft_stats *st);
/* Leave it: it is swept the next time.  NULL is legal. */
void nft_rest_free(struct nft_rest *rest);

/* Add (renew the timeout of) an element of a set with timeouts; timeout_s 0: none.
 * key: as in a ruleset, each part padded to 4; of an interval set first and last.
 * 0 or -errno (-ENOSPC or -ENFILE: the set is full). */
int nft_elem_add(struct nft *n, const char *set, const void *key, size_t key_len,
    uint32_t timeout_s);
/* 0 or -errno (-ENOENT: not there). */
int nft_elem_del(struct nft *n, const char *set, const void *key, size_t key_len);

/* Call f for each element; expires_s: what is left, 0: no timeout.  0 or -errno. */
int nft_elems(struct nft *n, const char *set,
    void (*f)(void *arg, const void *key, size_t key_len, uint32_t expires_s),
    void *arg);

/* Empty the sets of rs that packets fill for a time (`dynamic`, `timeout`): which flows
 * were logged within the period.  What was logged while nobody listened is logged again.  0 or -errno. */
int nft_forget(struct nft *n, const struct ruleset *rs);

/* Reading sets whose elements count, in pieces, on a socket of its own: nothing else
 * waits for it.  NULL: errno. */
struct nft_reader;
struct nft_reader *nft_reader_open(void);
void nft_reader_close(struct nft_reader *r);
/* Readable when there is a piece. */
int nft_reader_fd(const struct nft_reader *r);
/* Ask for all elements of a set; answers of an earlier request are thrown away.  0 or
 * -errno. */
int nft_reader_ask(struct nft_reader *r, const char *set);
/* Take one piece: f for each element that counts (key as in a ruleset, padded; a
 * commit in between may hide one or show it twice).  1: there may be more, 0: that was
 * the last, -EAGAIN: not here yet, -errno. */
typedef void nft_count_fn(void *arg, const uint8_t *key, size_t key_len,
    uint64_t packets);
int nft_reader_step(struct nft_reader *r, nft_count_fn *f, void *arg);

/* One element that is to count from `packets` on. */
struct nft_count {
	uint8_t key[16];
	uint8_t key_len;
	bool there; /* it is in the set already */
	uint64_t packets;
};
/* Write such elements into a set in one transaction.  0 or -errno: none was. */
int nft_counts_put(struct nft *n, const char *set, const struct nft_count *c, size_t count);

/* Value of each named counter.  0 or -errno. */
int nft_counters(struct nft *n,
    void (*f)(void *arg, const char *name, uint64_t packets, uint64_t bytes), void *arg);

/* Whether the table is there, as of generation `generation` and policy `digest` by
 * its mark.  1, 0 or -errno. */
int nft_is_applied(struct nft *n, uint32_t generation, const uint8_t digest[static 32]);

/* What other tables do to packets before or beside ours. */
enum nft_foreign {
	NFT_FOREIGN_FLOWTABLE, /* a flowtable, or a rule that adds flows to one */
	NFT_FOREIGN_NOTRACK,
	NFT_FOREIGN_FORWARD,   /* `fwd`: out by another interface at once */
	NFT_FOREIGN_KINDS
};
/* family: NFPROTO_*; once a table and kind. */
typedef void nft_foreign_fn(void *arg, enum nft_foreign what, uint8_t family,
    const char *table);
/* Look through the rules of all other tables.  0 or -errno. */
int nft_foreign(struct nft *n, nft_foreign_fn *fn, void *arg);
/* A number that changes with every change of any table.  0 or -errno. */
int nft_generation(struct nft *n, uint32_t *ret);

/* Delete the table (tests, uninstall; never on the daemon's way out). */
int nft_delete(struct nft *n);

#endif
