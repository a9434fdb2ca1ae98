/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the policy directory: finding and reading its files */
#ifndef CORDON_RULES_TREE_H
#define CORDON_RULES_TREE_H

#include <sodium.h>
#include <stdbool.h>

struct policy;
struct rules_source;

enum {
	TREE_FILES_MAX = 100000,  /* in a folder */
	TREE_BYTES_MAX = 1 << 29, /* in all files */
};

/* Of all that was read, in the order of reading. */
struct tree_digest {
	crypto_generichash_state state;
	bool odd;  /* something was reported: the digest does not say all */
	bool idle; /* nobody wants it */
};

void tree_digest_start(struct tree_digest *d, bool wanted);
void tree_digest_add(struct tree_digest *d, const void *data, size_t len);

/* Load every file of the tree.  What is wrong is reported; -1 only without memory. */
int tree_load(struct policy *p, const struct rules_source *src, struct tree_digest *d);
/* The same reading and the same digest, but nothing is parsed. */
int tree_read(struct policy *p, const struct rules_source *src, struct tree_digest *d);

#endif
