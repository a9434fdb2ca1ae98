/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the life of sensor and engine */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cordon/flowspace.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "enforcer/counting.h"
#include "enforcer/guards.h"
#include "enforcer/health.h"
#include "enforcer/later.h"
#include "enforcer/links.h"
#include "enforcer/queue.h"
#include "enforcer/request.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"
#include "priv/proc.h"

static void roles_start_one(struct child *c);

static struct child *roles_peer(struct child *c)
{
	return &c->e->child[c->role == ROLE_SENSOR ? ROLE_ENGINE : ROLE_SENSOR];
}

static void roles_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void roles_init(struct enforcer *e)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		e->child[i] = (struct child){ .role = (enum role)i, .fd = -1, .spare = -1,
			.e = e };
}

void roles_send(struct enforcer *e, enum role role, enum msg_type type, uint32_t id,
    const void *body, int fd)
{
	struct child *c = &e->child[role];
	int r;

	if (!c->pid || c->fd < 0)
		return;
	r = queue_send(c, type, id, body, fd);
	if (r == -ENOBUFS)
		roles_kill(c, "does not read its messages");
	else if (r < 0)
		log_debug("roles", "%s: %s not sent: %s", role_table[role].name,
		    msg_table[type].name, strerror(-r));
}

/* fd: this role's end of the channel to its peer.  The peer gets the other end: at
 * once, or at its start. */
static int roles_connect(struct child *c, int *ret_fd)
{
	struct child *peer = roles_peer(c);
	int pair[2], r;

	if (c->spare >= 0) {
		*ret_fd = c->spare;
		c->spare = -1;
		return 0;
	}
	r = proc_channel(pair);
	if (r < 0)
		return r;
	*ret_fd = pair[0];
	roles_close(&peer->spare);
	if (peer->pid) {
		roles_send(c->e, peer->role, MSG_PEER, 0, NULL, pair[1]);
		close(pair[1]);
	} else {
		peer->spare = pair[1];
	}
	return 0;
}

static void roles_sensor_config(struct enforcer *e, struct msg_sensor_config *ret)
{
	const struct fs *fs = e->live.fs;
	struct fs_span s = fs->settings.sensor_interfaces;

	memset(ret, 0, sizeof(*ret));
	ret->log_group = LOG_GROUP;
	for (uint32_t i = 0; i < s.count; i++) {
		const char *name = fs_str(fs, *FS_AT(fs, FS_WORDS, uint32_t, s.first + i));

		if (ret->nifaces == MSG_IFACES_MAX || strlen(name) >= IFNAMSIZ) {
			log_warnx("roles", "sensor interface %s is left out", name);
			continue;
		}
		memcpy(ret->iface[ret->nifaces++], name, strlen(name) + 1);
	}
}

static void roles_send_policy(struct enforcer *e)
{
	struct msg_policy p;

	memset(&p, 0, sizeof(p));
	p.generation = e->live.generation;
	p.applied_at = e->live.applied_at;
	p.size = e->live.fs->size;
	memcpy(p.digest, e->live.fs->digest, sizeof(p.digest));
	memcpy(p.commit, e->live.info.commit, sizeof(p.commit));
	p.restored = e->live.restored;
	p.deed = e->deed;
	p.trial_s = trial_left_s(e);
	roles_send(e, ROLE_ENGINE, MSG_POLICY, 0, &p, e->live.blob[0].fd);
}

void roles_log_file(struct enforcer *e)
{
	const char *path = fs_str(e->live.fs, e->live.fs->settings.log_file);
	int fd;

	if (!path[0])
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY |
	    O_NONBLOCK, 0640);
	if (fd < 0) {
		log_warn("roles", "can't open the event log %s", path);
		return;
	}
	roles_send(e, ROLE_ENGINE, MSG_LOG_FD, 0, NULL, fd);
	close(fd);
}

/* Incidents, causes of blocks, observed flows: the engine alone knows what they mean. */
static void roles_state_file(struct enforcer *e)
{
	int fd = openat(e->state_fd, "engine-state",
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	if (fd < 0) {
		log_warn("roles", "the engine can't keep its state");
		return;
	}
	roles_send(e, ROLE_ENGINE, MSG_STATE_FD, 0, NULL, fd);
	close(fd);
}

/* What a role needs to know at its start. */
static void roles_brief(struct child *c)
{
	struct enforcer *e = c->e;

	if (c->role == ROLE_ENGINE) {
		roles_log_file(e);
		roles_state_file(e);
		roles_send_policy(e);
		health_brief(e);
		counting_brief(e);
		return;
	}
	roles_sensor_config(e, &e->sensor_config);
	links_found(e);
	roles_send(e, ROLE_SENSOR, MSG_SENSOR_CONFIG, 0, &e->sensor_config, -1);
	guards_brief(e);
}

void roles_policy(struct enforcer *e)
{
	struct msg_sensor_config now;
	struct child *sensor = &e->child[ROLE_SENSOR];

	if (e->child[ROLE_ENGINE].pid) {
		roles_log_file(e);
		roles_send_policy(e);
	}
	roles_sensor_config(e, &now);
	if (!sensor->pid)
		return;
	if (memcmp(&now, &e->sensor_config, sizeof(now)) == 0) {
		guards_brief(e);
		return;
	}
	/* Its rights to open interfaces are gone: a new one takes over. */
	log_info("roles", "the sensor's interfaces changed: starting another");
	roles_restart(e, ROLE_SENSOR);
}

void roles_restart(struct enforcer *e, enum role role)
{
	struct child *c = &e->child[role];

	if (!c->pid)
		return;
	c->wanted_end = true;
	kill(c->pid, SIGTERM);
}

static void roles_on_timer(void *arg)
{
	struct child *c = arg;

	loop_del(&c->timer);
	roles_start_one(c);
}

/* At once the first time, then 0.1 s, doubled, at most 5 s. */
static void roles_again(struct child *c)
{
	uint64_t lived_ms = (clock_mono_us() - c->started_us) / 1000;
	uint64_t wait_ms = 0;

	c->quick = lived_ms >= ROLES_LIVED_MS ? 0 : c->quick + 1;
	if (c->quick > 1)
		wait_ms = c->quick > 7 ? ROLES_BACKOFF_MAX_MS : 50U << (c->quick - 1);
	if (wait_ms > ROLES_BACKOFF_MAX_MS)
		wait_ms = ROLES_BACKOFF_MAX_MS;
	loop_del(&c->timer);
	if (loop_add_timer(c->e->loop, wait_ms, 0, roles_on_timer, c, &c->timer) < 0)
		fatal("roles", "no timer");
}

static void roles_forget(struct child *c)
{
	loop_del(&c->io);
	loop_del(&c->watch);
	queue_clear(c);
	later_clear(c);
	if (c->role == ROLE_ENGINE)
		counting_drain(c);
	roles_close(&c->fd);
	roles_close(&roles_peer(c)->spare); /* its other end died with this one */
	c->pid = 0;
	c->ready = false;
}

static void roles_on_exit(void *arg, pid_t pid, int status)
{
	struct child *c = arg;
	struct enforcer *e = c->e;
	char text[96];

	(void)pid;
	roles_forget(c);
	if (e->stopping)
		return;
	c->restarts++;
	if (c->wanted_end) {
		c->wanted_end = false;
		c->quick = 0;
	} else {
		proc_status_text(status, text, sizeof(text));
		log_warnx("roles", "the %s %s", role_table[c->role].name, text);
		health_say(e, HEALTH_ROLE_DIED, c->role, status, text);
	}
	roles_again(c);
}

void roles_kill(struct child *c, const char *why)
{
	log_warnx("roles", "the %s %s: ending it", role_table[c->role].name, why);
	loop_del(&c->io);
	if (c->pid)
		kill(c->pid, SIGKILL);
}

static int roles_spawn(struct child *c)
{
	struct enforcer *e = c->e;
	int extra = c->role == ROLE_ENGINE ? e->ctl_fd : -1;
	int pair[2], peer = -1, r = proc_channel(pair);

	if (r < 0)
		return r;
	r = roles_connect(c, &peer);
	if (r == 0)
		r = proc_start(c->role, (int[]){ pair[1], peer, extra }, &c->pid);
	close(pair[1]);
	roles_close(&peer);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	c->fd = pair[0];
	if ((r = loop_add_child(e->loop, c->pid, roles_on_exit, c, &c->watch)) < 0 ||
	    (r = loop_add_io(e->loop, c->fd, EPOLLIN, request_on_io, c, &c->io)) < 0) {
		errno = -r;
		fatal("roles", "can't watch the %s", role_table[c->role].name);
	}
	return 0;
}

static void roles_start_one(struct child *c)
{
	int r;

	c->started_us = clock_mono_us();
	r = roles_spawn(c);
	if (r < 0) {
		errno = -r;
		log_warn("roles", "can't start the %s", role_table[c->role].name);
		roles_again(c);
		return;
	}
	log_debug("roles", "%s is process %d", role_table[c->role].name, (int)c->pid);
	roles_brief(c);
}

void roles_start(struct enforcer *e)
{
	roles_start_one(&e->child[ROLE_ENGINE]);
	roles_start_one(&e->child[ROLE_SENSOR]);
}

static bool roles_any(struct enforcer *e)
{
	return e->child[ROLE_ENGINE].pid || e->child[ROLE_SENSOR].pid;
}

void roles_stop(struct enforcer *e)
{
	uint64_t until_us = clock_mono_us() + 1000000;

	e->stopping = true;
	for (int i = 0; i < ROLE_COUNT; i++) {
		loop_del(&e->child[i].timer);
		if (e->child[i].pid)
			kill(e->child[i].pid, SIGTERM);
	}
	while (roles_any(e) && clock_mono_us() < until_us) {
		for (int i = 0; i < ROLE_COUNT; i++)
			if (e->child[i].pid &&
			    waitpid(e->child[i].pid, NULL, WNOHANG) == e->child[i].pid)
				roles_forget(&e->child[i]);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	for (int i = 0; i < ROLE_COUNT; i++)
		if (e->child[i].pid) {
			kill(e->child[i].pid, SIGKILL);
			waitpid(e->child[i].pid, NULL, 0);
			roles_forget(&e->child[i]);
		}
}
