/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the parts of one judgement share */
#ifndef CORDON_RULES_POSTURE_H
#define CORDON_RULES_POSTURE_H

#include <cordon/posture.h>

#include "rules/arena.h"

enum { POSTURE_KBS_MAX = 1024 };

/* A host's inventory against the table. */
struct inventory {
	const struct servicing *t;
	const struct fs *fs;
	const struct fs_host *h;
	int64_t at;
	struct arena *arena;
	struct posture *p;
	const struct servicing_update
	    *listed[POSTURE_KBS_MAX]; /* known updates, by date */
	size_t nlisted;
	/* The last row of the build whose revision is not above the declared one. */
	const struct servicing_update *level;
	bool exact;  /* it is the declared one */
	bool beyond; /* the declared revision is above all that are known */
	bool torn;   /* the inventory contradicts itself: its build and revision prove
			nothing */
};

/* Set a claim's text (printf) and rows, NULL at the end. */
struct posture_claim posture_claim(struct inventory *v,
    const struct servicing_update *const *cites, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define CITES(...) ((const struct servicing_update *const[]){ __VA_ARGS__, NULL })

/* Add to p->notes. */
void posture_note(struct inventory *v, struct posture_claim c);

/* "January 2024" */
enum { POSTURE_MONTH_LEN = 32 };
const char *posture_month(uint32_t month, char buf[static POSTURE_MONTH_LEN]);

/* Whether a product is a Windows Server 2008 that has Service Pack 2. */
bool posture_is_2008(const char *product);
/* A rollup or a security-only update. */
bool posture_is_security(const struct servicing_update *u);
/* Those and previews: what carries a kernel. */
bool posture_ships_kernel(const struct servicing_update *u);
/* Whether an update brings build 6003. */
bool posture_is_6003(const struct servicing *t, const struct servicing_update *u);

bool posture_is_r2(const char *product);
/* Whether the table is not that of the host: then p->level says why. */
bool posture_not_covered(struct inventory *v);

/* Fill p->level, and what the inventory knows of it. */
void posture_level(struct inventory *v);
/* Note what looks like a mistake (rules/posture_notes.c). */
void posture_notes(struct inventory *v);
/* Fill p->install. */
void posture_install(struct inventory *v);
/* Fill p->findings. */
void posture_findings(struct inventory *v);
/* What the policy has against a vulnerability (rules/posture_shield.c). */
void posture_shield(
    struct inventory *v, const struct servicing_vuln *vuln, struct posture_shield *ret);

#endif
