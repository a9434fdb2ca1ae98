/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the event loop of every role: a thin layer over sd-event */
#ifndef CORDON_BASE_LOOP_H
#define CORDON_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sd_event;
struct loop;
struct loop_source;

/* Callbacks run one at a time, on the loop's only thread; they may delete any
 * source, their own too. */
typedef void loop_io_fn(void *arg, int fd, uint32_t events); /* EPOLL* bits */
typedef void loop_timer_fn(void *arg);
typedef void loop_signal_fn(void *arg, int signo);
typedef void loop_child_fn(void *arg, pid_t pid, int status); /* as waitpid()'s */

/* NULL: errno.  Free after the sources are deleted. */
struct loop *loop_new(void);
void loop_free(struct loop *l);

/* Until loop_stop(); returns its code, or -errno. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int code);
/* One turn; waits at most timeout_us (UINT64_MAX: for ever).  1: something ran,
 * 0: timeout, -errno. */
int loop_turn(struct loop *l, uint64_t timeout_us);

/* All return 0 or -errno; ret (may be NULL: lives as long as the loop) is the handle
 * for loop_del().  The fd stays the caller's. */
int loop_add_io(struct loop *l, int fd, uint32_t events, loop_io_fn *f, void *arg,
    struct loop_source **ret);
/* First after after_ms, then every every_ms (0: once). */
int loop_add_timer(struct loop *l, uint64_t after_ms, uint64_t every_ms,
    loop_timer_fn *f, void *arg, struct loop_source **ret);
/* Blocks the signal in this process.  Add before starting anything. */
int loop_add_signal(struct loop *l, int signo, loop_signal_fn *f, void *arg,
    struct loop_source **ret);
/* SIGCHLD must be blocked.  Runs once, the child is reaped then; delete the source
 * in f. */
int loop_add_child(struct loop *l, pid_t pid, loop_child_fn *f, void *arg,
    struct loop_source **ret);

/* Change what an io source waits for. */
int loop_set_events(struct loop_source *s, uint32_t events);
/* Let a timer run (again) after after_ms. */
int loop_rearm(struct loop_source *s, uint64_t after_ms);
/* Stop and free *s, set it NULL; *s NULL is legal. */
void loop_del(struct loop_source **s);

/* For what this layer has no word for. */
struct sd_event *loop_sd(struct loop *l);

#endif
