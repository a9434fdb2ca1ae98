/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the enforcer role: the daemon's parent, owner of the kernel's table */
#ifndef CORDON_ENFORCER_ENFORCER_H
#define CORDON_ENFORCER_ENFORCER_H

#include <stdbool.h>

struct enforcer_opts {
	const char *policy_dir, *runtime_dir, *state_dir;
	bool check; /* -n: dry run against the kernel, then end */
	bool early; /* -e: put the last good policy in force, then end */
};

/* What cordond exits with: DESIGN section 9. */
enum { ENFORCER_OK = 0, ENFORCER_POLICY = 1, ENFORCER_USAGE = 2, ENFORCER_DENIED = 5,
	ENFORCER_REFUSED = 6 };

/* Until SIGTERM or SIGINT; returns the exit status. */
int enforcer_run(const struct enforcer_opts *o);

#endif
