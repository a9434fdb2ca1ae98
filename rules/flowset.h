/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: sets of flows as assertions write them: "any -> erp-db01 smb" */
#ifndef CORDON_RULES_FLOWSET_H
#define CORDON_RULES_FLOWSET_H

#include "rules/policy.h"
#include "rules/space.h"

/* By family: [0] IPv4, [1] IPv6.  keys holds one box a service, addresses unset. */
struct flowset {
	struct space_axes src[2], dst[2];
	struct region keys[2];
};

/* Parse "SRC -> DST SERVICE" of a resolved policy; each of SRC and DST an address,
 * CIDR, a-b range, host, group, `gateway`, `any`, `*` (all declared hosts), or one of
 * them behind `!` (all addresses but those); SERVICE an inline service, a service, a
 * bundle, or `any`.  What is wrong is reported at loc: 1, *ret is empty.  0; -1: no
 * memory. */
int flowset_parse(struct policy *p, const struct pstr *text, struct flowset *ret);
void flowset_free(struct flowset *s);

/* Whether it has at most FLOWSET_SMALL flows, so that they may be judged one by one. */
enum { FLOWSET_SMALL = 65536 };
bool flowset_is_small(const struct flowset *s);

#endif
