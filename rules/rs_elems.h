/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the elements of one set while its ruleset is built */
#ifndef CORDON_RULES_RS_ELEMS_H
#define CORDON_RULES_RS_ELEMS_H

#include <cordon/ruleset.h>

struct flat;

/* Records of one size, each an element and its key: who sorts a set of hundreds of
 * thousands reads memory in order.  Zeroed it is empty. */
struct rs_elems {
	char *at;
	size_t n, cap, stride;
	size_t key_len; /* bytes of a key; of an interval's both ends: */
	size_t keys_len;
};

/* Before the first one is added. */
void rs_elems_init(struct rs_elems *x, size_t key_len, bool interval);
/* Append; e->key is not looked at, key_end NULL but for intervals.  0, or -1: no memory. */
int rs_elems_add(struct rs_elems *x, const struct rs_elem *e, const void *key,
    const void *key_end);
/* Append all to RS_ELEMS and RS_KEYS in the order of their keys; of equal ones the first
 * that was added.  0 and their number, or -1: no memory. */
int rs_elems_lay(const struct rs_elems *x, struct flat *f, uint32_t *ret_n);
void rs_elems_free(struct rs_elems *x);

#endif
