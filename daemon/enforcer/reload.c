/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: from a policy tree or image to the kernel, or no change at all */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cordon/flowspace.h>
#include <cordon/rules.h>
#include <cordon/ruleset.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "enforcer/health.h"
#include "enforcer/load.h"
#include "enforcer/reload.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"
#include "nft/nft.h"

enum { RELOAD_CHECK_MS = 5000, RELOAD_SLEEP_MAX_S = 60 };

static void reload_arm(struct enforcer *e)
{
	int64_t left = e->next_change - clock_now();

	if (!e->change_timer)
		return;
	if (left > RELOAD_SLEEP_MAX_S) /* the clock may be set meanwhile */
		left = RELOAD_SLEEP_MAX_S;
	if (loop_rearm(e->change_timer, left > 0 ? (uint64_t)left * 1000 : 0) < 0)
		log_warnx("reload", "no timer: rules will not start on time");
}

/* Read back: what the kernel says counts, not what was sent. */
static int reload_verify(struct enforcer *e, const struct image *i)
{
	int r = nft_is_applied(e->nft, i->generation, i->fs->digest);

	if (r == 1)
		return 0;
	log_warnx("reload", "the kernel does not show what was committed");
	return r < 0 ? -r : EIO;
}

/* Into the kernel in one transaction.  old: what is known to be there, or NULL.  0, or
 * the errno. */
static int reload_commit(struct enforcer *e, const struct ruleset *old,
    const struct image *i, bool dry)
{
	struct nft_error err = { 0 };
	struct nft_stats st = { 0 };
	const char *commit = i->info.commit;
	int r = nft_apply(e->nft, old, i->rs, commit, dry, &err, &st);

	if (r < 0 && old) {
		/* Somebody changed the table: replace it whole. */
		log_debug("reload", "difference refused (%s), sending all",
		    strerror(err.err));
		r = nft_apply(e->nft, NULL, i->rs, commit, dry, &err, &st);
	}
	if (r < 0) {
		log_warnx("reload", "the kernel refused %s %s%s%s: %s",
		    err.object ? err.object : "", err.name ? err.name : "",
		    err.comment && *err.comment ? " of rule " : "",
		    err.comment ? err.comment : "", strerror(err.err));
		return err.err ? err.err : EIO;
	}
	if (dry)
		return 0;
	e->owned = st.owned;
	log_debug("reload", "generation %u: %u messages, %u bytes, +%u -%u elements, "
	    "%u us to build, %u us to commit", i->generation, st.messages, st.bytes,
	    st.elements_added, st.elements_deleted, st.build_us, st.commit_us);
	return reload_verify(e, i);
}

static void reload_save(struct enforcer *e)
{
	int r = e->state_fd < 0 ? -ENOENT : image_save(e->state_fd, &e->live);

	if (r < 0)
		log_warnx("reload", "can't keep the last good policy in %s: %s",
		    e->o->state_dir, strerror(-r));
}

static void reload_say(const struct enforcer *e, const struct load_result *r)
{
	const struct msg_loaded *m = &e->live.info;

	if (r->ask.scheduled)
		return;
	log_info("reload", "generation %u in force: hosts %u, rules %u%s%s%s",
	    e->live.generation, m->hosts, m->rules, m->commit[0] ? ", commit " : "",
	    m->commit, e->live.restored ? ", from the last good policy" : "");
	sd_notifyf(0, "STATUS=Generation %u: hosts %u, rules %u%s", e->live.generation,
	    m->hosts, m->rules, e->live.restored ? " (last good policy)" : "");
}

/* i is in the kernel: from now on it is the policy. */
static void reload_adopt(struct enforcer *e, struct load_result *r)
{
	bool restored = r->ask.msg.from_image && e->live.restored;

	image_drop(&e->live);
	e->live = r->image;
	r->image = (struct image)IMAGE_NONE;
	e->live.applied_at = clock_now();
	e->live.restored = restored;
	e->next_change = e->live.info.next_change;
	if (e->serving) /* else the start goes on, and does it */
		roles_policy(e); /* at once: what is logged from now on is judged by it */
	if (!e->o->early)
		reload_save(e); /* waits for the disk */
	reload_say(e, r);
	reload_arm(e);
	if (e->serving)
		health_check(e);
}

static void reload_answer(struct enforcer *e, const struct load_result *r,
    enum msg_code code, int err)
{
	struct msg_result res;
	int fd = r->diag_fd;

	if (!r->ask.id)
		return;
	memset(&res, 0, sizeof(res));
	res.code = code;
	res.err = err;
	res.generation = e->live.generation;
	res.errors = r->info.errors;
	res.warnings = r->info.warnings;
	res.took_us = (uint32_t)(clock_mono_us() - r->ask.since_us);
	if (fd < 0) /* the loader gave no answer: an empty list */
		fd = blob_seal("diagnostics", "", 0);
	if (fd >= 0)
		roles_send(e, ROLE_ENGINE, MSG_RELOAD_RESULT, r->ask.id, &res, fd);
	if (fd >= 0 && fd != r->diag_fd)
		close(fd);
}

static void reload_failed(struct enforcer *e, const struct load_result *r)
{
	char text[MSG_DETAIL_LEN];

	if (r->info.errors)
		snprintf(text, sizeof(text), "%u error%s", r->info.errors,
		    r->info.errors == 1 ? "" : "s");
	else
		snprintf(text, sizeof(text), "no usable result of the loader");
	log_warnx("reload", "%s; the running ruleset was not touched", text);
	health_say(e, HEALTH_RELOAD_FAILED, ROLE_LOADER, (int)r->info.errors, text);
}

static void reload_done(struct enforcer *e, struct load_result *r)
{
	enum msg_code code = MSG_OK;
	int err = 0;

	if (!r->ok) {
		reload_failed(e, r);
		code = MSG_E_POLICY;
		e->start_status = ENFORCER_POLICY;
	} else if ((err = reload_commit(e, e->live.rs, &r->image, e->o->check)) != 0) {
		health_say(e, HEALTH_RELOAD_FAILED, ROLE_ENFORCER, err, strerror(err));
		code = MSG_E_KERNEL;
		e->start_status = ENFORCER_REFUSED;
	} else {
		e->start_status = ENFORCER_OK;
		if (!e->o->check)
			reload_adopt(e, r);
		else
			log_info("check", "the kernel takes this policy: hosts %u, "
			    "rules %u, warnings %u", r->info.hosts, r->info.rules,
			    r->info.warnings);
	}
	reload_answer(e, r, code, err);
	image_drop(&r->image);
	if (e->again) {
		e->again = false;
		reload_ask(e, 0, "");
	}
}

/* A clock that runs before the time the last good policy was applied at start-up is
 * wrong: timed rules stay closed until it is right. */
static int64_t reload_floor(const struct enforcer *e, int64_t now)
{
	bool first = e->live.rs == NULL;

	return first && e->live.applied_at > now ? e->live.applied_at : now;
}

static void reload_prepare(struct enforcer *e, struct load_ask *ask, const char *commit)
{
	int64_t now = clock_now();

	ask->since_us = clock_mono_us();
	memset(&ask->msg, 0, sizeof(ask->msg));
	ask->msg.at = now;
	ask->msg.floor = reload_floor(e, now);
	ask->msg.generation = e->live.generation + 1;
	if (!ask->msg.generation)
		ask->msg.generation = 1; /* 0 means "none" */
	snprintf(ask->msg.commit, sizeof(ask->msg.commit), "%s", commit);
}

static int reload_tree(struct enforcer *e, uint32_t id, const char *commit)
{
	struct load_ask ask = { .id = id };
	int r, fd = open(e->o->policy_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		r = -errno;
		log_warn("reload", "can't open the policy directory %s", e->o->policy_dir);
		return r;
	}
	reload_prepare(e, &ask, commit);
	r = load_start(e, &ask, fd, reload_done);
	close(fd);
	return r;
}

static int reload_image(struct enforcer *e, bool scheduled)
{
	struct load_ask ask = { .scheduled = scheduled };

	reload_prepare(e, &ask, e->live.info.commit);
	ask.msg.from_image = true;
	return load_start(e, &ask, e->live.blob[0].fd, reload_done);
}

void reload_ask(struct enforcer *e, uint32_t id, const char *commit)
{
	struct load_result none = { .ask = { .id = id, .since_us = clock_mono_us() },
		.diag_fd = -1 };
	int r;

	if (e->load && !id) {
		e->again = true;
		return;
	}
	r = reload_tree(e, id, commit);
	if (r == 0)
		return;
	if (r != -EBUSY)
		health_say(e, HEALTH_RELOAD_FAILED, ROLE_LOADER, -r, strerror(-r));
	reload_answer(e, &none, r == -EBUSY ? MSG_E_BUSY : MSG_E_POLICY, -r);
}

/* Let the loop run until the loader's result is dealt with. */
static int reload_wait(struct enforcer *e, int r)
{
	if (r < 0) {
		log_warnx("reload", "can't run the loader: %s", strerror(-r));
		return r == -ENOENT || r == -ENOTDIR || r == -EACCES ? ENFORCER_POLICY :
								       ENFORCER_REFUSED;
	}
	while (e->load) {
		r = loop_turn(e->loop, UINT64_MAX);
		if (r < 0)
			return ENFORCER_REFUSED;
	}
	return e->start_status;
}

static bool reload_have_saved(struct enforcer *e)
{
	int r = e->state_fd < 0 ? -ENOENT : image_restore(e->state_fd, &e->live);

	if (r < 0 && r != -ENOENT)
		log_warnx("reload", "the last good policy in %s can't be used: %s",
		    e->o->state_dir, strerror(-r));
	return r == 0;
}

int reload_first(struct enforcer *e)
{
	bool saved = reload_have_saved(e);
	int status = reload_wait(e, reload_tree(e, 0, ""));

	if (status == ENFORCER_OK || e->o->check || !saved)
		return status;
	log_warnx("reload", "starting with the last good policy");
	if (reload_wait(e, reload_image(e, false)) != ENFORCER_OK)
		return status;
	return ENFORCER_OK;
}

static void reload_count_one(void *arg, const char *name, uint64_t packets,
    uint64_t bytes)
{
	(void)name;
	(void)packets;
	(void)bytes;
	(*(unsigned *)arg)++;
}

/* No policy is known.  A table that is there already is stricter than nothing: it
 * stays.  Else nothing is forwarded until somebody puts a policy there. */
static void reload_close(struct enforcer *e)
{
	struct nft_error err = { 0 };
	struct nft_stats st = { 0 };
	struct ruleset *rs = NULL;
	unsigned counters = 0;

	if (nft_counters(e->nft, reload_count_one, &counters) == 0 && counters > 0) {
		log_warnx("early", "no policy is known: the table in the kernel stays");
		return;
	}
	if (rules_closed(&rs) == 0 && nft_apply(e->nft, NULL, rs, "", false, &err, &st) == 0)
		log_warnx("early", "no policy is known: NOTHING IS FORWARDED until one is");
	else
		log_warnx("early", "NOTHING IS ENFORCED: no policy is known, and the kernel "
		    "refuses to close: %s", strerror(err.err));
	free(rs);
}

int reload_early(struct enforcer *e)
{
	int status;

	if (reload_have_saved(e)) {
		status = reload_wait(e, reload_image(e, false));
		if (status == ENFORCER_OK)
			return status;
	}
	log_warnx("reload", "no last good policy: compiling %s", e->o->policy_dir);
	if (reload_wait(e, reload_tree(e, 0, "")) == ENFORCER_OK)
		return ENFORCER_OK;
	reload_close(e);
	return ENFORCER_REFUSED;
}

static void reload_on_change(void *arg)
{
	struct enforcer *e = arg;

	if (clock_now() < e->next_change || e->load) {
		reload_arm(e);
		return;
	}
	e->next_change = FS_FOREVER; /* until the result says the next */
	if (reload_image(e, true) < 0)
		log_warnx("reload", "can't compile for the rules that start or end now");
	reload_arm(e);
}

static void reload_on_check(void *arg)
{
	struct enforcer *e = arg;
	int r = nft_is_applied(e->nft, e->live.generation, e->live.fs->digest);

	if (r == 1)
		return;
	log_warnx("reload", "table inet cordon was changed or removed by somebody: "
	    "putting it back");
	health_say(e, HEALTH_TABLE_CHANGED, ROLE_ENFORCER, r < 0 ? -r : 0, "");
	r = reload_commit(e, NULL, &e->live, false);
	if (r)
		health_say(e, HEALTH_RELOAD_FAILED, ROLE_ENFORCER, r, strerror(r));
}

int reload_watch(struct enforcer *e)
{
	int r = loop_add_timer(e->loop, RELOAD_SLEEP_MAX_S * 1000, 0, reload_on_change, e,
	    &e->change_timer);

	if (r == 0)
		r = loop_add_timer(e->loop, RELOAD_CHECK_MS, RELOAD_CHECK_MS,
		    reload_on_check, e, &e->watch_timer);
	reload_arm(e);
	return r;
}
