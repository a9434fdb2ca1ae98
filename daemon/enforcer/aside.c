/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: work that waits for the disk, in a process of its own */
#include "enforcer/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/later.h"
#include "enforcer/request.h"
#include "enforcer/state.h"

enum {
	ASIDE_POLL_MS = 100,
	ASIDE_END_MS = 2, /* once the pipe is closed: nothing else tells of its end */
	ASIDE_NICE = 10,
};

static void aside_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* In the new process.  Killed with its parent, before or after this: what it writes is
 * renamed when it is whole, and a next daemon finds no one beside it. */
static _Noreturn void aside_child(const struct enforcer *e, pid_t parent, aside_fn *f,
    void *arg)
{
	int r = -EIO;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpriority(PRIO_PROCESS, 0, ASIDE_NICE); /* others are in a hurry */
	if (getppid() == parent) {
		/* while it is open the kernel takes the table for owned: before the lock */
		nft_close(e->nft);
		aside_close(e->lock_fd);
		aside_close(e->ctl_fd);
		for (int role = 0; role < ROLE_COUNT; role++)
			aside_close(e->child[role].fd);
		r = f(arg);
	}
	_exit(r < 0 && r > -255 ? -r : r == 0 ? 0 : EIO);
}

void aside_start(struct enforcer *e, aside_fn *f, void *arg, struct aside *ret)
{
	pid_t parent = getpid(), pid;
	int end[2];

	*ret = (struct aside){ .end = -1 };
	if (pipe2(end, O_CLOEXEC) < 0) {
		ret->status = f(arg);
		return;
	}
	pid = fork();
	if (pid == 0)
		aside_child(e, parent, f, arg);
	close(end[1]);
	if (pid < 0) {
		close(end[0]);
		ret->status = f(arg);
		return;
	}
	ret->pid = pid;
	ret->end = end[0];
}

/* Until it lets go of the pipe, a role has something to say, or some time has passed. */
static void aside_poll(const struct enforcer *e, struct aside *a)
{
	const int ms = a->end >= 0 ? ASIDE_POLL_MS : ASIDE_END_MS;
	struct pollfd p[1 + ROLE_COUNT] = { { .fd = a->end, .events = POLLIN } };

	for (int role = 0; role < ROLE_COUNT; role++) {
		const struct child *c = &e->child[role];

		p[1 + role].fd = c->io && c->ready && later_room(c) ? c->fd : -1;
		p[1 + role].events = POLLIN;
	}
	if (poll(p, 1 + ROLE_COUNT, ms) > 0 && p[0].revents) {
		close(a->end);
		a->end = -1;
	}
}

int aside_wait(struct enforcer *e, struct aside *a)
{
	int status = 0;
	pid_t r;

	if (!a->pid)
		return a->status;
	/* its end takes a while, too: what it holds is given back */
	while (a->end >= 0 || (r = waitpid(a->pid, &status, WNOHANG)) == 0 ||
	    (r < 0 && errno == EINTR)) {
		aside_poll(e, a);
		request_breathe(e);
	}
	a->pid = 0;
	return r < 0 || !WIFEXITED(status) ? -EIO : -WEXITSTATUS(status);
}

int aside_run(struct enforcer *e, aside_fn *f, void *arg)
{
	struct aside a;

	aside_start(e, f, arg, &a);
	return aside_wait(e, &a);
}
