/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a resolved policy must not say */
#ifndef CORDON_RULES_CHECK_H
#define CORDON_RULES_CHECK_H

#include "rules/policy.h"

/* One check: `run` for the whole policy, `host` for each, `rule` for each rule; NULL
 * where it has nothing to say.  Reports; -1 only without memory. */
struct check {
	const char *name;
	int (*run)(struct policy *p);
	void (*host)(struct policy *p, struct phost *h);
	void (*rule)(struct policy *p, struct phost *h, enum fs_dir dir, struct prule *r);
};

/* Run all checks of the table in check.c. */
int check_policy(struct policy *p);

/* check_accept.c: check their own form and enter them in p->accepts, after names are
 * resolved; -1 only without memory. */
int accept_index(struct policy *p);
/* The reason for which a finding at this place may stay, or NULL. */
const char *accept_reason(struct policy *p, const char *code, struct diag_loc at);
/* At the end: those that are over, and those that met nothing. */
void accept_review(struct policy *p);

/* What a reviewer wants to know of a policy without errors, besides: review.c.  -1 only
 * without memory. */
int review_policy(struct policy *p, const struct fs *fs);

/* check_address.c */
int check_addresses(struct policy *p);
int check_gateway(struct policy *p);
/* check_exposure.c */
void check_any(struct policy *p, struct phost *h, enum fs_dir dir, struct prule *r);
void check_wide(struct policy *p, struct phost *h);
/* check_guard.c */
int check_guards(struct policy *p);
void check_guard_settings(struct policy *p, struct phost *h);
/* check.c: that a guard's setting is over, or soon will be */
void check_expired_setting(struct policy *p, const struct pnum *expires);
/* check_test.c; the second: the set of flows that an assertion is about, as
 * flowset_parse() */
struct flowset;
int test_flows(struct policy *p, const struct ptest *t, struct flowset *ret);
int check_tests(struct policy *p);
/* check_limits.c: what this version does not enforce yet */
int check_settings_enforced(struct policy *p);
void check_host_enforced(struct policy *p, struct phost *h);

#endif
