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

/* check_address.c */
int check_addresses(struct policy *p);
int check_gateway(struct policy *p);
/* check_exposure.c */
void check_any(struct policy *p, struct phost *h, enum fs_dir dir, struct prule *r);
void check_wide(struct policy *p, struct phost *h);
/* check_test.c */
int check_tests(struct policy *p);
/* check_limits.c: what this version does not enforce yet */
int check_settings_enforced(struct policy *p);
void check_host_enforced(struct policy *p, struct phost *h);
void check_rule_enforced(struct policy *p, struct phost *h, enum fs_dir dir,
    struct prule *r);

#endif
