/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the commit of a checkout, read from its files */
#ifndef CORDON_LOADER_GIT_H
#define CORDON_LOADER_GIT_H

#include "priv/msg.h"

/* The commit that HEAD of dir_fd's `.git` names, as text; "" where there is none or
 * it is not of the usual form.  Git itself is never run: a hook or an fsmonitor of
 * the checkout would run with the daemon's name. */
void git_commit(int dir_fd, char ret[static MSG_COMMIT_LEN]);

#endif
