/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the parts of a review share */
#ifndef CORDON_RULES_CHECK_REVIEW_H
#define CORDON_RULES_CHECK_REVIEW_H

#include "rules/check.h"
#include "rules/space.h"

/* One review.  p has no errors; its hosts stand in the order of fs. */
struct review {
	struct policy *p;
	const struct fs *fs;
	struct space *space;            /* at p->now; NULL until somebody needs it */
	struct space_axes protected[2]; /* L and P, by family: [0] IPv4 */
	struct never *never;            /* by entry of block.never: check_never.c */
	bool failed;                    /* no memory */
};

/* check_shadow.c: rules that other rules of the host make needless */
void review_shadow(struct review *x, struct phost *h, enum fs_dir dir);
/* check_never.c: sources that are never blocked: before, for each inbound rule, after */
void review_never_start(struct review *x);
void review_never_rule(struct review *x, const struct prule *r);
void review_never_end(struct review *x);
/* check_reach.c: rules that no packet can match */
void review_reach(struct review *x, uint32_t host, struct phost *h, enum fs_dir dir,
    struct prule *r);
/* check_outside.c: SMB to the Internet, SMB and RDP for many */
void review_outside(struct review *x, struct phost *h, enum fs_dir dir, struct prule *r);
/* check_used.c: groups and services that nobody names */
void review_used(struct review *x);
/* check_updates.c: what the declared inventory says of updates */
void review_updates(struct review *x);

#endif
