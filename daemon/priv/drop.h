/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: giving up rights, for good */
#ifndef CORDON_PRIV_DROP_H
#define CORDON_PRIV_DROP_H

#include <stdbool.h>
#include <sys/types.h>

#include "priv/msg.h"

#define PRIV_USER "cordon"

/* Leave this role only its rights: user `cordon` (where it exists and can be switched
 * to), capabilities of role_table[].keep_caps, no_new_privs, not dumpable, end with
 * the parent, resource limits, seccomp filter.  Call once all handles are open; after
 * it the role can open nothing new but what its table in sandbox.c says.  A failure
 * ends the process: no role runs with more than its rights.
 *
 * Before the call: anything that opens on first use and stays (sd_journal_send(),
 * tzset(), sodium_init(), localtime()) has to have been used once. */
void priv_drop(enum role role);

/* Enforcer at its start, before priv_drop(): empty the bounding set and switch to
 * user `cordon`, keeping CAP_NET_ADMIN and (to hand on) CAP_NET_RAW.  early: stay who
 * we are.  0 or -errno (no CAP_NET_ADMIN: -EPERM). */
int priv_enforcer_start(bool early);

/* Whether user `cordon` exists, is mapped in this user namespace and this process
 * may become it. */
bool priv_user(uid_t *ret_uid, gid_t *ret_gid);

#endif
