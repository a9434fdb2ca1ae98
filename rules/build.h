/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a checked policy into the flat block of the evaluator */
#ifndef CORDON_RULES_BUILD_H
#define CORDON_RULES_BUILD_H

struct policy;
struct fs;

/* The policy must have no errors.  The caller free()s *ret.  -1: too large or no
 * memory, reported. */
int build_fs(struct policy *p, struct fs **ret);
/* The same of its guards alone. */
int build_guards(struct policy *p, struct fs **ret);

#endif
