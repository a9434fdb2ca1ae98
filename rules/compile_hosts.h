/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what compile_hosts.c finds and compile_consent.c writes rules for */
#ifndef RULES_COMPILE_HOSTS_H
#define RULES_COMPILE_HOSTS_H

#include "rules/compile_keys.h"

/* What rules grant a connection at its opening, as a number: grants, 2 bits; short first
 * segments; waived requirements, 3 bits. */
enum { PROFILES = 64 };

/* By address family and enum fs_dir. */
struct hosts {
	struct keys consent[2][2];
	/* ports where all rules grant alike, whoever the peer is: the value is a profile */
	struct keys labels[2][2];
	bool used[2][PROFILES];
	/* ports where they don't: by profile, who is granted it.  NULL: nobody */
	struct keys *mixed[2][2][PROFILES];
};

static inline uint32_t profile_number(unsigned profile)
{
	return LIST_FLAG | profile;
}

#endif
