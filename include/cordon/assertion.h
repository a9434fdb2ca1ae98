/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the assertions of a policy tree, proven for all flows they speak of */
#ifndef CORDON_ASSERTION_H
#define CORDON_ASSERTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/flowspace.h>

struct diaglist;
struct rules_source;

/* One assertion that was tried.  Text lives during the call only. */
struct assertion {
	const char *file, *name; /* name may be NULL */
	const char *flow, *only; /* as written: one of them, the other NULL */
	uint32_t line;
	enum fs_result expect;   /* FS_DENY of `only`: of all that it leaves out */
	const char *rule;        /* that was to decide, or NULL */
	bool held;
	struct fs_flow witness;  /* of a failure: a flow that is judged otherwise */
	const struct fs *fs;     /* to judge it with */
};
typedef void assertion_fn(void *ctx, const struct assertion *a);

/* Load the tree as rules_load() and try every assertion at second `at` (its own `at:`
 * goes before), in the order of files.  0: fn was called for each.  -1: the policy has
 * errors (in *d), or no memory. */
int rules_test(const struct rules_source *src, int64_t at, struct diaglist *d,
    assertion_fn *fn, void *ctx);

#endif
