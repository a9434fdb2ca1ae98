/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the daemon's directories, its lock and its control socket */
#ifndef CORDON_ENFORCER_PATHS_H
#define CORDON_ENFORCER_PATHS_H

/* Before rights are dropped: what is created belongs to user `cordon` where the
 * daemon will become it.  All return a descriptor or -errno. */

/* Open dir, creating its last part (0750). */
int paths_dir(const char *dir);

/* Lock the runtime directory against a second daemon; the lock ends with the
 * process.  -EWOULDBLOCK: there is one. */
int paths_lock(int runtime_fd);

/* Bind and listen on dir/ctl.sock (0660), never wider for a moment. */
int paths_control(const char *dir);

#endif
