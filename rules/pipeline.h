/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the second half of loading, for callers that have files in memory */
#ifndef CORDON_RULES_PIPELINE_H
#define CORDON_RULES_PIPELINE_H

#include <stddef.h>

struct diaglist;
struct policy;
struct fs;
struct rules_source;

#define PIPELINE_MEMORY_MAX ((size_t)512 << 20) /* bytes: of the model */

/* Resolve, check and build what load_file() put into p.  0 and *ret (the caller
 * free()s), or -1: the policy has errors, or no memory; reported. */
int pipeline_finish(struct policy *p, struct fs **ret);

/* rules_load(), and then `with` (may be NULL) while names still have a meaning; what it
 * returns other than 0 is failure. */
int pipeline_load(const struct rules_source *src, struct diaglist *d,
    int (*with)(struct policy *p, const struct fs *fs, void *ctx), void *ctx,
    struct fs **ret);

#endif
