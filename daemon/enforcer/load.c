/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one run of the loader, with limits of time and size */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "enforcer/load.h"
#include "enforcer/request.h"
#include "enforcer/state.h"
#include "priv/proc.h"

enum { LOAD_END_MS = 2000 }; /* after its answer */

struct load {
	struct enforcer *e;
	struct load_result result;
	load_done_fn *done;
	pid_t pid;
	int fd;
	bool answered;
	struct loop_source *io, *watch, *timer;
};

static void load_free(struct load *l)
{
	loop_del(&l->io);
	loop_del(&l->watch);
	loop_del(&l->timer);
	if (l->fd >= 0)
		close(l->fd);
	if (l->result.diag_fd >= 0)
		close(l->result.diag_fd);
	free(l);
}

/* All ends come here: the process is gone. */
static void load_on_exit(void *arg, pid_t pid, int status)
{
	struct load *l = arg;
	struct enforcer *e = l->e;
	char text[96];

	(void)pid;
	if (!l->answered)
		log_warnx("load", "the loader %s and gave no answer",
		    proc_status_text(status, text, sizeof(text)));
	e->load = NULL;
	l->done(e, &l->result);
	load_free(l);
}

static void load_kill(struct load *l)
{
	loop_del(&l->io);
	kill(l->pid, SIGKILL); /* not reaped before load_on_exit(): still ours */
}

static void load_on_timeout(void *arg)
{
	struct load *l = arg;

	if (!l->answered)
		log_warnx("load", "the loader took more than %d s", LOAD_TIMEOUT_S);
	load_kill(l);
}

static void load_take(struct load *l, const struct msg_hdr *hdr,
    const union msg_body *body, int fds[static 3])
{
	struct load_result *r = &l->result;

	l->answered = true;
	if (hdr->type == MSG_LOAD_SAME) {
		r->same = true;
		return;
	}
	r->info = body->loaded;
	if (hdr->type == MSG_LOAD_FAILED) {
		r->diag_fd = fds[0];
		return;
	}
	r->diag_fd = fds[2];
	r->ok = image_take(fds, &r->info, r->ask.msg.generation, &r->image,
	    request_breathe, l->e) == 0;
}

static void load_on_io(void *arg, int fd, uint32_t events)
{
	struct load *l = arg;
	struct msg_hdr hdr;
	union msg_body body;
	int fds[3], r;

	(void)events;
	r = msg_recv(fd, ROLE_LOADER, ROLE_ENFORCER, &hdr, &body, fds);
	if (r == -EAGAIN)
		return;
	if (r == 1 && hdr.id == l->result.ask.id) {
		load_take(l, &hdr, &body, fds);
		loop_del(&l->io); /* one answer is all it has to say */
		loop_rearm(l->timer, LOAD_END_MS);
		return;
	}
	if (r != 0)
		log_warnx("load", "the loader broke the contract of messages");
	for (int i = 0; r == 1 && i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	load_kill(l);
}

/* The time zones of schedules. */
static int load_zoneinfo(void)
{
	return open("/usr/share/zoneinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int load_spawn(struct load *l, int input_fd)
{
	int pair[2], zone, r = proc_channel(pair);

	if (r < 0)
		return r;
	zone = l->result.ask.msg.from_image ? -1 : load_zoneinfo();
	r = proc_start(ROLE_LOADER, (int[]){ pair[1], input_fd, zone }, &l->pid);
	close(pair[1]);
	if (zone >= 0)
		close(zone);
	l->fd = pair[0];
	return r;
}

static int load_watch(struct load *l)
{
	struct loop *loop = l->e->loop;
	int r;

	/* The child first: from here on load_on_exit() cleans up. */
	if ((r = loop_add_child(loop, l->pid, load_on_exit, l, &l->watch)) < 0 ||
	    (r = loop_add_io(loop, l->fd, EPOLLIN, load_on_io, l, &l->io)) < 0 ||
	    (r = loop_add_timer(loop, LOAD_TIMEOUT_S * 1000, 0, load_on_timeout, l,
		 &l->timer)) < 0)
		return r;
	return msg_send(l->fd, MSG_LOAD, l->result.ask.id, &l->result.ask.msg, NULL);
}

int load_start(struct enforcer *e, const struct load_ask *ask, int input_fd,
    load_done_fn *done)
{
	struct load *l;
	int r;

	if (e->load)
		return -EBUSY;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	*l = (struct load){ .e = e, .done = done, .fd = -1,
		.result = { .ask = *ask, .image = IMAGE_NONE, .diag_fd = -1 } };
	r = load_spawn(l, input_fd);
	if (r < 0) {
		load_free(l);
		return r;
	}
	e->load = l;
	r = load_watch(l);
	if (r < 0)
		load_cancel(e);
	return r;
}

void load_cancel(struct enforcer *e)
{
	if (!e->load)
		return;
	kill(e->load->pid, SIGKILL);
	waitpid(e->load->pid, NULL, 0);
	image_drop(&e->load->result.image);
	load_free(e->load);
	e->load = NULL;
}
