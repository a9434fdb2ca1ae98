/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the enforcer role: start-up, signals, the way out */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cordon/flowspace.h>

#include "base/log.h"
#include "base/loop.h"
#include "enforcer/counting.h"
#include "enforcer/health.h"
#include "enforcer/links.h"
#include "enforcer/load.h"
#include "enforcer/paths.h"
#include "enforcer/reload.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"
#include "nft/nft.h"
#include "priv/drop.h"

static int enforcer_no(const char *what, const char *path, int r)
{
	errno = -r;
	log_warn("start", "%s %s", what, path);
	return r == -EPERM || r == -EACCES ? ENFORCER_DENIED : ENFORCER_REFUSED;
}

/* All that is below the two directories. */
static int enforcer_paths(struct enforcer *e)
{
	const struct enforcer_opts *o = e->o;
	int runtime;

	if (o->check)
		return ENFORCER_OK;
	e->state_fd = paths_dir(o->state_dir);
	if (o->early)
		return ENFORCER_OK; /* the tree may do without it */
	if (e->state_fd < 0)
		return enforcer_no("can't use the state directory", o->state_dir,
		    e->state_fd);
	runtime = paths_dir(o->runtime_dir);
	if (runtime < 0)
		return enforcer_no("can't use the runtime directory", o->runtime_dir,
		    runtime);
	e->lock_fd = paths_lock(runtime);
	close(runtime);
	if (e->lock_fd == -EWOULDBLOCK) {
		log_warnx("start", "another cordond runs with %s", o->runtime_dir);
		return ENFORCER_REFUSED;
	}
	if (e->lock_fd < 0)
		return enforcer_no("can't lock", o->runtime_dir, e->lock_fd);
	e->ctl_fd = paths_control(o->runtime_dir);
	if (e->ctl_fd < 0)
		return enforcer_no("can't open the control socket below",
		    o->runtime_dir, e->ctl_fd);
	return ENFORCER_OK;
}

/* The dry run's own empty network namespace: the same kernel checks, and neither the
 * table of a daemon that owns it nor a lack of root is in the way. */
static void enforcer_scratch(void)
{
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		log_debug("check", "no namespace of its own: %s", strerror(errno));
}

static int enforcer_rights(struct enforcer *e)
{
	int r;

	if (e->o->check)
		enforcer_scratch();
	r = priv_enforcer_start(e->o->check || e->o->early);

	if (r < 0)
		return enforcer_no("CAP_NET_ADMIN is needed", "in this network namespace",
		    r);
	e->nft = nft_open();
	if (!e->nft)
		return enforcer_no("no nftables in", "this kernel", -errno);
	priv_drop(ROLE_ENFORCER);
	return ENFORCER_OK;
}

static void enforcer_on_end(void *arg, int signo)
{
	struct enforcer *e = arg;

	log_info("start", "signal %d: ending, the rules stay", signo);
	loop_stop(e->loop, ENFORCER_OK);
}

static void enforcer_on_hangup(void *arg, int signo)
{
	struct enforcer *e = arg;

	(void)signo;
	if (!e->live.rs)
		return; /* the first load is still running */
	log_info("start", "reloading %s", e->o->policy_dir);
	reload_ask(e, 0, &(struct msg_reload){ 0 });
}

static int enforcer_loop(struct enforcer *e)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	e->loop = loop_new();
	if (!e->loop)
		return enforcer_no("can't start", "the loop", -errno);
	if ((r = loop_add_signal(e->loop, SIGTERM, enforcer_on_end, e, NULL)) < 0 ||
	    (r = loop_add_signal(e->loop, SIGINT, enforcer_on_end, e, NULL)) < 0 ||
	    (r = loop_add_signal(e->loop, SIGHUP, enforcer_on_hangup, e, NULL)) < 0)
		return enforcer_no("can't watch", "signals", r);
	return ENFORCER_OK;
}

/* The policy is in force. */
static int enforcer_serve(struct enforcer *e)
{
	int r = reload_watch(e);

	if (r < 0)
		return enforcer_no("can't start", "timers", r);
	r = links_watch(e);
	if (r < 0)
		log_warnx("start", "interfaces that come later are not watched: %s",
		    strerror(-r));
	r = counting_watch(e);
	if (r < 0)
		log_warnx("start", "the kernel's counts are not read: %s", strerror(-r));
	e->serving = true;
	roles_start(e);
	if (e->live.restored)
		health_say(e, HEALTH_RELOAD_FAILED, ROLE_LOADER, 0,
		    "started with the last good policy");
	health_check(e);
	/* Read back by reload_first(): what is announced is what the kernel has. */
	sd_notify(0, "READY=1");
	r = sd_event_set_watchdog(loop_sd(e->loop), true);
	if (r < 0)
		log_warnx("start", "no watchdog: %s", strerror(-r));
	r = loop_run(e->loop);
	sd_notify(0, "STOPPING=1");
	roles_stop(e);
	return r < 0 ? ENFORCER_REFUSED : r;
}

static int enforcer_start(struct enforcer *e)
{
	int status;

	if ((status = enforcer_paths(e)) != ENFORCER_OK ||
	    (status = enforcer_rights(e)) != ENFORCER_OK ||
	    (status = enforcer_loop(e)) != ENFORCER_OK)
		return status;
	health_read_addresses(e);
	if (e->o->early)
		return reload_early(e);
	status = reload_first(e);
	if (status != ENFORCER_OK || e->o->check)
		return status;
	return enforcer_serve(e);
}

static void enforcer_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int enforcer_run(const struct enforcer_opts *o)
{
	struct enforcer e = { .o = o, .ctl_fd = -1, .state_fd = -1, .lock_fd = -1,
		.links = { .fd = -1 },
		.trial = { .back = IMAGE_NONE }, .live = IMAGE_NONE, .next_change = FS_FOREVER };
	int status;

	if (sodium_init() < 0)
		fatalx("start", "libsodium does not start");
	guard_init(&e.guard);
	roles_init(&e);
	status = enforcer_start(&e);
	load_cancel(&e);
	trial_close(&e);
	links_close(&e);
	health_close(&e);
	counting_close(&e);
	loop_del(&e.change_timer);
	loop_del(&e.watch_timer);
	loop_del(&e.later_timer);
	loop_free(e.loop);
	nft_close(e.nft); /* the table stays */
	image_drop(&e.live);
	free(e.local);
	enforcer_close(&e.ctl_fd);
	enforcer_close(&e.state_fd);
	enforcer_close(&e.lock_fd);
	return status;
}
