/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: names of a policy for what was observed; private to rules/ */
#ifndef RULES_SUGGEST_NAMES_H
#define RULES_SUGGEST_NAMES_H

#include <cordon/suggest.h>

#include "rules/policy.h"

/* What a rule calls the flow's protocol and port: a narrow service that has it, a wide
 * one of which every part is among flows[0..n), else an inline one.  NULL: no memory. */
const char *suggest_service(struct policy *p, const struct suggest_flow *flows, size_t n,
    const struct suggest_flow *f);

/* Replace the services of a bundle that are all in service[0..n) by its name; the new
 * number.  What is part of one is added to *note (NULL then: no memory). */
size_t suggest_bundles(struct policy *p, const char **service, size_t n, const char **note);

struct suggest_peers {
	unsigned share;
	const char *const *name;
	size_t n;
	const char *note; /* groups of which not all was seen, or "" */
};

/* Names for r[0..n), sorted and disjoint: groups, hosts, `gateway`, then CIDRs.  0 or -1:
 * no memory, reported. */
int suggest_name_peers(struct policy *p, const struct netrange *r, size_t n,
    struct suggest_peers *io);

#endif
