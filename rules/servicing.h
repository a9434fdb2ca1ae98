/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the readers of the servicing table's two files share */
#ifndef CORDON_RULES_SERVICING_H
#define CORDON_RULES_SERVICING_H

#include <cordon/servicing.h>

#include "rules/arena.h"
#include "rules/yaml.h"

struct table {
	struct servicing t; /* first: what the caller holds */
	struct arena arena;
};

/* One parse; failed: why says it. */
struct reader {
	struct table *table;
	const char *file;
	const struct ynode *at; /* for the line */
	char *why;
	size_t size;
	bool failed;
};

/* Note what is wrong, the first time; -1. */
int servicing_fail(struct reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Values; what is not one is noted and gives an empty one.  A copy of a scalar: */
const char *servicing_text(struct reader *r, const struct ynode *n);
/* the index of the word in names[0..count): */
int servicing_word(
    struct reader *r, const struct ynode *n, const char *const *names, int count);
/* "6003" or "6003.20489": */
void servicing_version(
    struct reader *r, const char *s, uint32_t *ret_build, uint32_t *ret_revision);
/* the items of a list or the one scalar in its place, at most SERVICING_LIST_MAX. */
unsigned servicing_list(struct reader *r, const struct ynode *n, const char **ret);

/* The list that a file is, in a; its rows are maps.  NULL: noted why. */
const struct ynode *servicing_rows(
    struct reader *r, struct arena *a, const char *data, size_t len);

/* One row of cves.yaml, a map. */
void servicing_read_vuln(
    struct reader *r, const struct ynode *row, struct servicing_vuln *v);

#endif
