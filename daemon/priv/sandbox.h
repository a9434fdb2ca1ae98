/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the system calls each role may make */
#ifndef CORDON_PRIV_SANDBOX_H
#define CORDON_PRIV_SANDBOX_H

#include "priv/msg.h"

/* Say on stderr which system call was refused, when one is; call at start. */
void sandbox_watch(void);

/* From now on any system call not in role's table (sandbox.c) is reported and ends
 * the process with ROLE_EXIT_SECCOMP.  Needs no_new_privs.  0 or -errno.  Builds
 * with a sanitizer install no filter: its runtime opens files, maps and clones
 * behind our back, and a list that allows it would test nothing. */
int sandbox_enter(enum role role);

#endif
