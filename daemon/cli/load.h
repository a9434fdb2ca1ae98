/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy tree from a path, with its diagnostics still as data */
#ifndef CORDON_CLI_LOAD_H
#define CORDON_CLI_LOAD_H

#include <stdint.h>

#include <cordon/assertion.h>
#include <cordon/reach.h>
#include <cordon/suggest.h>

struct diaglist;
struct fs;

/* As cli_load_policy(), but the diagnostics stay in *d (initialised by the caller);
 * what is no diagnostic (no such directory) is said on stderr. */
int load_policy(const char *path, struct diaglist *d, struct fs **ret_fs);

/* As load_policy(), with a reviewer's findings, as of second `at`. */
int load_and_review(
    const char *path, int64_t at, struct diaglist *d, struct fs **ret_fs);

/* As load_policy(), but the tree's assertions are tried at second `at`: fn is called
 * for each. */
int load_and_test(const char *path, int64_t at, struct diaglist *d, assertion_fn *fn,
    void *ctx);

/* As load_policy(), but the set of flows is judged at second `at`: CLI_OK and *ret_reach
 * as rules_reach() returns it, or what to exit with. */
int load_and_reach(const char *path, int64_t at, const char *flows, struct diaglist *d,
    reach_fn *fn, void *ctx, int *ret_reach);

/* As load_policy(), but rules are suggested for flows, as of now (cordon/suggest.h). */
int load_and_suggest(const char *path, unsigned share, struct suggest_flow *flows,
    size_t n, struct diaglist *d, suggest_fn *fn, void *ctx);

/* Two policies to compare, each a folder or git:REV (cli/gittree.h): as load_policy(),
 * but the errors of both are printed, and which they are of.  CLI_OK: both are there, to
 * be free()d; else what to exit with, and one of them may be there. */
int load_sides(const char *old, const char *new, struct fs **ret_old, struct fs **ret_new);

/* "2 errors, 1 warning" */
void load_counts(const struct diaglist *d, char *buf, unsigned size);

#endif
