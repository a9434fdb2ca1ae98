/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy tree from a path, with its diagnostics still as data */
#ifndef CORDON_CLI_LOAD_H
#define CORDON_CLI_LOAD_H

#include <stdint.h>

#include <cordon/assertion.h>

struct diaglist;
struct fs;

/* As cli_load_policy(), but the diagnostics stay in *d (initialised by the caller);
 * what is no diagnostic (no such directory) is said on stderr. */
int load_policy(const char *path, struct diaglist *d, struct fs **ret_fs);

/* As load_policy(), but the tree's assertions are tried at second `at`: fn is called
 * for each. */
int load_and_test(const char *path, int64_t at, struct diaglist *d, assertion_fn *fn,
    void *ctx);

/* "2 errors, 1 warning" */
void load_counts(const struct diaglist *d, char *buf, unsigned size);

#endif
