/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the table of what around the kernel's table weakens it or makes it void */
#ifndef CORDON_ENFORCER_CHECKS_H
#define CORDON_ENFORCER_CHECKS_H

#include <stddef.h>
#include <stdint.h>

#include "priv/msg.h"

struct enforcer;
struct check_row;
struct netdev;

enum { CHECKS_MAX = 64 };

/* What one look found. */
struct checks {
	const struct enforcer *e;
	const struct check_row *row; /* that is asked now */
	const struct netdev *dev;    /* all interfaces */
	size_t ndev;
	struct msg_finding found[CHECKS_MAX];
	size_t n;
};

/* One check: its word (stable, in status, events and cordon(8)), what is wrong and how
 * to mend it, and the function that says check_found() for each object it is so of. */
struct check_row {
	const char *word;
	enum finding_severity severity;
	const char *what, *mend;
	void (*find)(struct checks *c);
};

/* Ends with word NULL. */
extern const struct check_row check_table[];

/* Look at everything: c->found[0..n) are set, in the table's order.  0, or -errno: the
 * interfaces can't be read. */
int checks_run(const struct enforcer *e, struct checks *c);

#endif
