/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the engine's loop: messages of enforcer and sensor, the tick */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <cordon/flowspace.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "engine/state.h"
#include "priv/drop.h"

enum { TICK_MS = 1000, BATCH = 64 };

static void sensor_ready(void *arg, int fd, uint32_t events);

uint32_t engine_ask(struct engine *g, enum msg_type type, const void *body)
{
	uint32_t id = ++g->next_id ? g->next_id : ++g->next_id; /* 0 means none */
	int r = msg_send(g->parent, type, id, body, NULL);

	if (r == 0)
		return id;
	g->unsent++;
	log_warnx(
	    "enforcer", "%s was not sent: %s", msg_table[type].name, strerror(-r));
	return 0;
}

/* Amid long work: what was sighted meanwhile, and may have to be blocked. */
static void breathe(void *arg)
{
	struct engine *g = arg;

	if (g->sensor >= 0)
		sensor_ready(g, g->sensor, 0);
}

static void take_policy(struct engine *g, const struct msg_policy *p, int fd)
{
	int r = generations_take(&g->policies, p, fd, breathe, g);
	const struct fs *fs = g->policies.now.fs;

	if (r < 0) {
		log_warnx("policy", "the image of generation %u can't be used: %s",
		    p->generation, strerror(-r));
		return;
	}
	sinks_enable(g->sinks, "file", *fs_str(fs, fs->settings.log_file) != '\0');
	sinks_enable(g->sinks, "journal", fs->settings.journald);
	engine_policy_event(g, p->deed, p->trial_s);
	engine_shut_list(g);
	engine_tell_waiting(g);
}

static void sensor_drop(struct engine *g)
{
	loop_del(&g->sensor_source);
	if (g->sensor >= 0)
		close(g->sensor);
	g->sensor = -1;
	memset(&g->sensor_stats, 0, sizeof(g->sensor_stats)); /* its successor's anew */
}

static void take_stats(struct engine *g, const struct msg_sensor_stats *st)
{
	account_lost(g, &g->sensor_stats, st);
	g->sensor_stats = *st;
}

/* Sightings in bounded turns, so that the enforcer is heard during a flood. */
static void sensor_ready(void *arg, int fd, uint32_t events)
{
	static union msg_body body; /* large; one loop, one thread */
	struct engine *g = arg;
	struct msg_hdr hdr;
	int fds[3], r = 0;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		r = msg_recv(fd, ROLE_SENSOR, ROLE_ENGINE, &hdr, &body, fds);
		if (r <= 0)
			break;
		if (hdr.type == MSG_SIGHTING)
			engine_sighting(g, &body.sighting);
		else if (hdr.type == MSG_SENSOR_STATS)
			take_stats(g, &body.sensor_stats);
	}
	if (r > 0 || r == -EAGAIN || r == -EINTR)
		return;
	log_warnx("sensor", r == 0 ? "it is gone" : "it broke the contract");
	sensor_drop(g); /* the enforcer sends the channel of its successor */
}

/* What waits may only have to be read: after a pause of this process both are due. */
static void wait_over(void *arg)
{
	struct engine *g = arg;

	breathe(g);
	engine_tell_waiting(g);
}

static void sensor_take(struct engine *g, int fd)
{
	sensor_drop(g);
	if (fd < 0)
		return;
	g->sensor = fd;
	if (loop_add_io(g->loop, fd, EPOLLIN, sensor_ready, g, &g->sensor_source) < 0)
		sensor_drop(g);
}

/* fds[0] is taken where the message brings one that is kept; then it is -1. */
static void from_enforcer(struct engine *g, const struct msg_hdr *hdr,
    const union msg_body *body, int fds[static 3])
{
	switch ((enum msg_type)hdr->type) {
	case MSG_POLICY:
		take_policy(g, &body->policy, fds[0]);
		fds[0] = -1;
		break;
	case MSG_LOG_FD:
		sinks_set_file(g->sinks, fds[0]);
		fds[0] = -1;
		break;
	case MSG_STATE_FD:
		store_take(g, fds[0]);
		fds[0] = -1;
		break;
	case MSG_PEER:
		sensor_take(g, fds[0]);
		fds[0] = -1;
		break;
	case MSG_HEALTH:
		engine_health(g, &body->health);
		break;
	case MSG_FLOWS:
		account_flows(g, &body->flows);
		break;
	case MSG_SUMS:
		account_sums(g, &body->sums);
		break;
	case MSG_COUNTED:
		account_counted(g, &body->counted);
		break;
	case MSG_FINDING:
		engine_finding(g, &body->finding);
		break;
	case MSG_BLOCK_ENTRY:
		if (hdr->id == g->list_id)
			engine_shut_listed(g, &body->block);
		else
			engine_answer(g, MSG_BLOCK_ENTRY, hdr->id, body, -1);
		break;
	case MSG_BLOCKS_END:
		if (hdr->id == g->list_id)
			engine_shut_list_end(g, &body->result);
		else
			engine_answer(g, MSG_BLOCKS_END, hdr->id, body, -1);
		break;
	case MSG_RESULT:
		engine_shut_result(g, hdr->id, &body->result);
		engine_answer(g, MSG_RESULT, hdr->id, body, -1);
		break;
	case MSG_STATUS:
	case MSG_RELOAD_RESULT:
		engine_answer(g, (enum msg_type)hdr->type, hdr->id, body, fds[0]);
		break;
	case MSG_LOAD:
	case MSG_LOADED:
	case MSG_LOAD_FAILED:
	case MSG_LOAD_SAME:
	case MSG_SENSOR_CONFIG:
	case MSG_SENSOR_GUARD:
	case MSG_READY:
	case MSG_SIGHTING:
	case MSG_SENSOR_STATS:
	case MSG_BLOCK:
	case MSG_UNBLOCK:
	case MSG_LIST_BLOCKS:
	case MSG_GET_STATUS:
	case MSG_RELOAD:
	case MSG_TRIAL_OK:
	case MSG_TRIAL_BACK:
	case MSG_LOG_REOPEN:
	case MSG_TOLD:
	case MSG_TYPES:
		break; /* msg_recv() lets none of these through */
	}
}

static void parent_ready(void *arg, int fd, uint32_t events)
{
	static union msg_body body;
	struct engine *g = arg;
	struct msg_hdr hdr;
	int fds[3] = { -1, -1, -1 }, r = 0;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		r = msg_recv(fd, ROLE_ENFORCER, ROLE_ENGINE, &hdr, &body, fds);
		if (r <= 0)
			break;
		from_enforcer(g, &hdr, &body, fds);
		for (int k = 0; k < 3; k++)
			if (fds[k] >= 0)
				close(fds[k]);
	}
	if (r > 0 || r == -EAGAIN || r == -EINTR)
		return;
	log_warnx("enforcer", r == 0 ? "it is gone" : "it broke the contract");
	loop_stop(g->loop, r == 0 ? 0 : 1);
}

static void tick(void *arg)
{
	struct engine *g = arg;

	engine_shut_tick(g);
	engine_tell_tick(g);
	store_tick(g);
	if (g->control)
		control_tick(g->control);
}

static void terminate(void *arg, int signo)
{
	struct engine *g = arg;

	(void)signo;
	loop_stop(g->loop, 0);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* All memory there will be, and what needs rights.  0 or -1. */
static int engine_open(struct engine *g, uid_t owner)
{
	g->start_us = clock_now_us();
	g->loop = loop_new();
	g->early = early_new();
	g->openings = openings_new(engine_tell_opening, g);
	g->dedupe = dedupe_new(0);
	g->incidents = incidents_new(g->start_us, 0);
	g->blocks = blocklist_new();
	g->scans = scans_new();
	g->forces = forces_new();
	g->identities = identities_new();
	g->watched = watched_new(0);
	g->store = store_new();
	g->sinks = sinks_new();
	if (!g->loop || !g->early || !g->openings || !g->dedupe || !g->incidents ||
	    !g->blocks || !g->sinks || account_open(&g->account) < 0 || !g->scans || !g->forces || !g->identities ||
	    !g->watched || !g->store)
		return -1;
	if (is_open(ROLE_FD_EXTRA)) {
		g->control =
		    control_new(g->loop, ROLE_FD_EXTRA, engine_verbs, owner, g);
		if (!g->control)
			return -1;
	}
	if (loop_add_io(
		g->loop, g->parent, EPOLLIN, parent_ready, g, &g->parent_source) < 0 ||
	    loop_add_timer(g->loop, TICK_MS, TICK_MS, tick, g, NULL) < 0 ||
	    loop_add_timer(g->loop, 0, 0, wait_over, g, &g->wait_timer) < 0 ||
	    loop_add_signal(g->loop, SIGTERM, terminate, g, NULL) < 0)
		return -1;
	sensor_take(g, is_open(ROLE_FD_PEER) ? ROLE_FD_PEER : -1);
	return 0;
}

static void engine_close(struct engine *g)
{
	engine_tell_rest(g);
	dedupe_flush(g->dedupe, engine_tell_counted, g);
	sinks_flush(g->sinks);
	account_flush(g);
	store_save(g);
	control_free(g->control);
	sensor_drop(g);
	loop_del(&g->parent_source);
	loop_del(&g->wait_timer);
	loop_free(g->loop);
	sinks_free(g->sinks);
	store_free(g->store);
	watched_free(g->watched);
	identities_free(g->identities);
	forces_free(g->forces);
	scans_free(g->scans);
	blocklist_free(g->blocks);
	incidents_free(g->incidents);
	dedupe_free(g->dedupe);
	account_close(&g->account);
	openings_free(g->openings);
	early_free(g->early);
	generations_free(&g->policies);
}

int engine_main(void)
{
	struct engine g = { .parent = ROLE_FD_PARENT, .sensor = -1 };
	uid_t owner = getuid();
	int r;

	if (sodium_init() < 0)
		fatalx("start", "libsodium can't be used");
	tzset();
	json_object_seed(0); /* it would open /dev/urandom with the first object */
	if (engine_open(&g, owner) < 0)
		fatal("start", "memory, event loop");
	priv_drop(ROLE_ENGINE);
	r = msg_send(g.parent, MSG_READY, 0, NULL, NULL);
	if (r < 0)
		fatalx("start", "the enforcer can't be told: %s", strerror(-r));
	r = loop_run(g.loop);
	engine_close(&g);
	return r < 0 ? 1 : r;
}
