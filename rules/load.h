/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: files into the model: node tree x table of keys */
#ifndef CORDON_RULES_LOAD_H
#define CORDON_RULES_LOAD_H

#include "rules/policy.h"
#include "rules/schema.h"

struct ynode;

/* Parse a file and add what it defines to the policy.  path and data[0..len) must
 * live as long as the policy.  What is wrong is reported; -1 only without memory. */
int load_file(struct policy *p, enum schema_file kind, const char *path, const char *data,
    size_t len, bool shipped);
/* The files linked into the binary. */
int load_shipped(struct policy *p);

/* One scalar into its field (struct pstr or pnum).  0, or -1 and a report. */
int load_scalar(struct policy *p, const struct schema_key *k, const struct ynode *n,
    uint32_t file, void *field);
/* A place in file `file`. */
struct diag_loc load_loc(const struct ynode *n, uint32_t file);

#endif
