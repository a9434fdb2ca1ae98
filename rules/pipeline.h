/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the second half of loading, for callers that have files in memory */
#ifndef CORDON_RULES_PIPELINE_H
#define CORDON_RULES_PIPELINE_H

#include <stddef.h>

struct policy;
struct fs;

#define PIPELINE_MEMORY_MAX ((size_t)2 << 30) /* bytes: of the model */

/* Resolve, check and build what load_file() put into p.  0 and *ret (the caller
 * free()s), or -1: the policy has errors, or no memory; reported. */
int pipeline_finish(struct policy *p, struct fs **ret);

#endif
