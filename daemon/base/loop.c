/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the event loop of every role: a thin layer over sd-event */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "base/loop.h"

enum loop_kind { LOOP_IO, LOOP_TIMER, LOOP_SIGNAL, LOOP_CHILD };

struct loop {
	sd_event *event;
	struct loop_source *kept; /* those nobody holds a handle of */
};

struct loop_source {
	struct loop *loop;
	sd_event_source *source;
	struct loop_source *next_kept;
	enum loop_kind kind;
	uint64_t every_ms;
	void *arg;
	union {
		loop_io_fn *io;
		loop_timer_fn *timer;
		loop_signal_fn *signal;
		loop_child_fn *child;
	} f;
};

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return NULL;
	r = sd_event_new(&l->event);
	if (r < 0) {
		free(l);
		errno = -r;
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->kept) {
		struct loop_source *s = l->kept;

		l->kept = s->next_kept;
		loop_del(&s);
	}
	sd_event_unref(l->event);
	free(l);
}

int loop_run(struct loop *l)
{
	return sd_event_loop(l->event);
}

void loop_stop(struct loop *l, int code)
{
	sd_event_exit(l->event, code);
}

int loop_turn(struct loop *l, uint64_t timeout_us)
{
	return sd_event_run(l->event, timeout_us);
}

struct sd_event *loop_sd(struct loop *l)
{
	return l->event;
}

static int loop_on_io(sd_event_source *src, int fd, uint32_t events, void *arg)
{
	struct loop_source *s = arg;

	(void)src;
	s->f.io(s->arg, fd, events);
	return 0;
}

static int loop_on_time(sd_event_source *src, uint64_t usec, void *arg)
{
	struct loop_source *s = arg;

	(void)src;
	(void)usec;
	/* Before the call, which may delete s. */
	if (s->every_ms)
		loop_rearm(s, s->every_ms);
	s->f.timer(s->arg);
	return 0;
}

static int loop_on_signal(sd_event_source *src, const struct signalfd_siginfo *si,
    void *arg)
{
	struct loop_source *s = arg;

	(void)src;
	s->f.signal(s->arg, (int)si->ssi_signo);
	return 0;
}

static int loop_on_child(sd_event_source *src, const siginfo_t *si, void *arg)
{
	struct loop_source *s = arg;
	int status = si->si_code == CLD_EXITED ? W_EXITCODE(si->si_status, 0)
					       : W_EXITCODE(0, si->si_status);

	(void)src;
	s->f.child(s->arg, si->si_pid, status);
	return 0;
}

static struct loop_source *loop_source_new(struct loop *l, enum loop_kind kind, void *arg)
{
	struct loop_source *s = calloc(1, sizeof(*s));

	if (s) {
		s->loop = l;
		s->kind = kind;
		s->arg = arg;
	}
	return s;
}

/* r: of the sd_event_add_*() that made s. */
static int loop_source_done(struct loop_source *s, int r, struct loop_source **ret)
{
	if (r < 0) {
		free(s);
		return r;
	}
	if (ret) {
		*ret = s;
	} else {
		s->next_kept = s->loop->kept;
		s->loop->kept = s;
	}
	return 0;
}

int loop_add_io(struct loop *l, int fd, uint32_t events, loop_io_fn *f, void *arg,
    struct loop_source **ret)
{
	struct loop_source *s = loop_source_new(l, LOOP_IO, arg);

	if (!s)
		return -ENOMEM;
	s->f.io = f;
	return loop_source_done(
	    s, sd_event_add_io(l->event, &s->source, fd, events, loop_on_io, s), ret);
}

int loop_add_timer(struct loop *l, uint64_t after_ms, uint64_t every_ms,
    loop_timer_fn *f, void *arg, struct loop_source **ret)
{
	struct loop_source *s = loop_source_new(l, LOOP_TIMER, arg);

	if (!s)
		return -ENOMEM;
	s->f.timer = f;
	s->every_ms = every_ms;
	/* accuracy 1 ms; the default of 250 ms would delay what is timed here */
	return loop_source_done(s,
	    sd_event_add_time_relative(l->event, &s->source, CLOCK_BOOTTIME,
		after_ms * 1000, 1000, loop_on_time, s), ret);
}

int loop_add_signal(struct loop *l, int signo, loop_signal_fn *f, void *arg,
    struct loop_source **ret)
{
	struct loop_source *s;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s = loop_source_new(l, LOOP_SIGNAL, arg);
	if (!s)
		return -ENOMEM;
	s->f.signal = f;
	return loop_source_done(
	    s, sd_event_add_signal(l->event, &s->source, signo, loop_on_signal, s), ret);
}

int loop_add_child(struct loop *l, pid_t pid, loop_child_fn *f, void *arg,
    struct loop_source **ret)
{
	struct loop_source *s = loop_source_new(l, LOOP_CHILD, arg);

	if (!s)
		return -ENOMEM;
	s->f.child = f;
	return loop_source_done(s,
	    sd_event_add_child(l->event, &s->source, pid, WEXITED, loop_on_child, s), ret);
}

int loop_set_events(struct loop_source *s, uint32_t events)
{
	return sd_event_source_set_io_events(s->source, events);
}

int loop_rearm(struct loop_source *s, uint64_t after_ms)
{
	int r = sd_event_source_set_time_relative(s->source, after_ms * 1000);

	return r < 0 ? r : sd_event_source_set_enabled(s->source, SD_EVENT_ONESHOT);
}

void loop_del(struct loop_source **s)
{
	if (!*s)
		return;
	sd_event_source_disable_unref((*s)->source);
	free(*s);
	*s = NULL;
}
