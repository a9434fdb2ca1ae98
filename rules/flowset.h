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
/* Free what it keeps in p. */
void flowset_forget(struct policy *p);

/* Parse "PEER, … may be reached by SRC outbound [SERVICE]" or "PEER, … may reach DST
 * inbound [SERVICE]" into the flows that are then denied: from SRC to all but the PEERs,
 * or from all but the PEERs to DST.  SERVICE: any.  As flowset_parse(). */
int flowset_parse_only(struct policy *p, const struct pstr *text, struct flowset *ret);

/* ---- what the two share ---- */
/* The next word of *s into buf; false at the end or if it is too long. */
enum { FLOWSET_WORD_MAX = 96 };
bool flowset_word(const char **s, char buf[static FLOWSET_WORD_MAX]);
/* Add the addresses of one word.  0, 1: reported, -1. */
int flowset_end(struct policy *p, const struct pstr *text, const char *word,
    struct space_axes ret[static 2]);
/* Add its keys.  Likewise. */
int flowset_service(struct policy *p, const struct pstr *text, const char *word,
    struct region keys[static 2]);
/* Something must be asserted: an empty set would hold whatever the policy says. */
int flowset_check_empty(
    struct policy *p, const struct pstr *text, const struct flowset *s);
/* All addresses of the family but those of *a. */
void flowset_complement(struct space_axes *a, uint8_t v);

/* Whether it has at most FLOWSET_SMALL flows, so that they may be judged one by one. */
enum { FLOWSET_SMALL = 65536 };
bool flowset_is_small(const struct flowset *s);

#endif
