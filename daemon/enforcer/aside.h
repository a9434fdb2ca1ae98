/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: work that waits for the disk, in a process of its own */
#ifndef CORDON_ENFORCER_ASIDE_H
#define CORDON_ENFORCER_ASIDE_H

#include <sys/types.h>

struct enforcer;

/* What is done there: with the memory as it is at the start, of which no change comes
 * back.  0 or -errno. */
typedef int aside_fn(void *arg);

struct aside {
	pid_t pid; /* 0: it is done already, with `status` */
	int end;   /* read end of a pipe that the process holds open while it lives */
	int status;
};

/* Start f(arg).  Where there can be no process, it runs at once, here.  The process dies
 * with the enforcer, and holds none of what outlives it: lock, sockets. */
void aside_start(struct enforcer *e, aside_fn *f, void *arg, struct aside *ret);
/* Wait for its end, and serve blocks meanwhile.  What f returned, or -EIO: the process
 * was killed. */
int aside_wait(struct enforcer *e, struct aside *a);
/* Both. */
int aside_run(struct enforcer *e, aside_fn *f, void *arg);

#endif
