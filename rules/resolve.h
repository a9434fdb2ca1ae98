/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: names of a loaded policy into addresses and ports */
#ifndef CORDON_RULES_RESOLVE_H
#define CORDON_RULES_RESOLVE_H

#include "rules/policy.h"

enum { RESOLVE_DEPTH_MAX = 32 };

/* Enter every host, group and service into p->names.  Reports; -1 without memory. */
int resolve_names(struct policy *p);
/* Fill every "resolved" field.  Reports; -1 without memory. */
int resolve_policy(struct policy *p);

/* Addresses of a list of peers.  What is wrong is reported and left out. */
int resolve_peers(struct policy *p, const struct plist *list, struct prangeset *ret);
/* Ports of a list of services; the rule's `speaks`.  *ret_single may be NULL. */
int resolve_ports(struct policy *p, const struct plist *list, uint8_t speaks,
    struct pports *ret, struct pservice **ret_single);
/* The terms of a guard. */
void resolve_guard(struct policy *p, struct pguard *g);
struct pguard *resolve_find_guard(struct policy *p, const char *id);
struct pprofile *resolve_find_profile(struct policy *p, const char *name);

/* Append "did you mean" with the nearest name of these kinds. */
void resolve_hint_name(struct policy *p, const char *want, unsigned kinds);

#endif
