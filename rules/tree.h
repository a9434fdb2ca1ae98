/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the policy directory: finding and reading its files */
#ifndef CORDON_RULES_TREE_H
#define CORDON_RULES_TREE_H

struct policy;
struct rules_source;

enum {
	TREE_FILES_MAX = 100000,  /* in a folder */
	TREE_BYTES_MAX = 1 << 29, /* in all files */
};

/* Load every file of the tree.  What is wrong is reported; -1 only without memory. */
int tree_load(struct policy *p, const struct rules_source *src);

#endif
