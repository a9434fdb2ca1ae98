/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the role table; starting a role as a new process image */
#ifndef CORDON_PRIV_PROC_H
#define CORDON_PRIV_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "priv/msg.h"

/* Exit status of a role that made a system call its filter has not. */
enum { ROLE_EXIT_SECCOMP = 99 };

struct role_row {
	const char *name;      /* `--role NAME` */
	uint64_t start_caps;   /* bits 1 << CAP_*: what it starts with */
	uint64_t keep_caps;    /* what priv_drop() leaves it */
	uint64_t as_bytes;     /* RLIMIT_AS, 0: none */
	uint32_t cpu_s;        /* RLIMIT_CPU, 0: none */
	uint32_t files;        /* RLIMIT_NOFILE */
	uint64_t file_bytes;   /* RLIMIT_FSIZE */
	int nice;              /* 0: as the daemon itself */
	const char *what;      /* one line, for the manual and `-d` */
};
extern const struct role_row role_table[ROLE_COUNT];

/* Role of this name, or -1. */
int role_by_name(const char *name);

/* Re-execute this program (/proc/self/exe) as `role`: fds[0..2] become
 * ROLE_FD_PARENT, ROLE_FD_PEER, ROLE_FD_EXTRA (-1: stays closed); nothing else but
 * stdin (/dev/null), stdout and stderr is inherited.  The fds stay the caller's.
 * 0 and *ret_pid, or -errno. */
int proc_start(enum role role, const int fds[static 3], pid_t *ret_pid);

/* A connected pair for messages, close-on-exec, non-blocking.  0 or -errno. */
int proc_channel(int ret[static 2]);

/* "exited with 3", "killed by signal 9 (Killed)"; returns buf. */
const char *proc_status_text(int status, char *buf, unsigned size);

#endif
