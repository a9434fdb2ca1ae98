/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: exceptions of guards: peers of a host that a guard leaves alone */
#ifndef RULES_COMPILE_EXCEPT_H
#define RULES_COMPILE_EXCEPT_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/flowspace.h>

struct compile;

/* Who is an exception of some guard, by host: sets of host . peer, by family and prefix
 * length of the peers (RS_NONE: none).  Guards with equal exceptions share them. */
struct exceptions {
	struct fs_span *of; /* by host */
	uint32_t set[2][129];
};
struct except_list {
	struct exceptions *v;
	uint32_t n;
};

/* Room for so many guards.  -1: no memory. */
int except_new(struct except_list *l, uint32_t guards);
void except_free(struct except_list *l);

/* The exceptions of the guard now, their sets made under `name`; NULL: it has none (or no
 * memory: c->failed). */
const struct exceptions *except_of(
    struct compile *c, struct except_list *l, uint32_t guard, const char *name);

/* To the rule begun last, whose host is the packet's destination (or source): not where
 * the other end is an exception.  x may be NULL. */
void except_ask(struct compile *c, int family, const struct exceptions *x, bool host_is_dst);

#endif
