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
#include "enforcer/netdev.h"
#include "enforcer/reload.h"
#include "enforcer/request.h"
#include "enforcer/roles.h"
#include "enforcer/session.h"
#include "enforcer/settle.h"
#include "enforcer/state.h"
#include "nft/nft.h"

enum { RELOAD_CHECK_MS = 5000, RELOAD_SLEEP_MAX_S = 60,
	RELOAD_SAME = -1 /* status of a start: what is stored is what the tree says */ };

static void reload_on_check(void *arg);

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

/* The difference to what is known to be there, in pieces that no block waits for. */
static int reload_difference(struct enforcer *e, const struct ruleset *old, struct image *i,
    struct nft_error *err, struct nft_stats *st)
{
	struct ruleset *made = NULL;
	int r = nft_reload(e->nft, old, i->rs, i->info.commit, request_breathe, e, &made,
	    &e->rest, err, st);

	if (r == 0) {
		i->made = made;
		i->rs = made ? made : i->rs;
	}
	return r;
}

/* Into the kernel: verdicts change in one transaction.  old: what is known to be there,
 * or NULL.  0, or the errno. */
static int reload_commit(struct enforcer *e, const struct ruleset *old, struct image *i,
    bool dry)
{
	struct nft_error err = { 0 };
	struct nft_stats st = { 0 };
	const char *commit = i->info.commit;
	int r = old && !dry ? reload_difference(e, old, i, &err, &st) :
			      nft_apply(e->nft, old, i->rs, commit, dry, &err, &st);

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
	    "%u us to build, %u us to commit%s%u pieces, the longest %u us", i->generation,
	    st.messages, st.bytes, st.elements_added, st.elements_deleted, st.build_us,
	    st.commit_us, st.pieces ? " " : ", not in ", st.pieces, st.longest_us);
	r = reload_verify(e, i);
	if (r != 0) { /* what is there is not known: nothing is taken away by name */
		nft_rest_free(e->rest);
		e->rest = NULL;
	}
	return r;
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

static enum policy_deed reload_deed(const struct enforcer *e, const struct load_result *r)
{
	if (r->ask.deed)
		return (enum policy_deed)r->ask.deed;
	if (e->trial.pending)
		return DEED_TRIAL;
	return e->live.restored ? DEED_RESTORED : DEED_APPLIED;
}

/* i is in the kernel: from now on it is the policy. */
static void reload_adopt(struct enforcer *e, struct load_result *r)
{
	bool restored = r->ask.msg.from_image && e->live.restored;
	bool on_disk = e->trial.pending; /* what it goes back to is the last good one */
	struct image before = e->live;

	e->live = r->image;
	r->image = (struct image)IMAGE_NONE;
	if (r->ask.keep_key)
		memcpy(e->live.info.key, before.info.key, sizeof(before.info.key));
	e->live.applied_at = clock_now();
	e->live.restored = restored;
	e->next_change = e->live.info.next_change;
	if (r->ask.want.trial_s)
		trial_started(e, &before);
	else if (!r->ask.scheduled)
		e->trial.pending = false;
	e->deed = reload_deed(e, r);
	if (e->serving) /* else the start goes on, and does it */
		roles_policy(e); /* at once: what is logged from now on is judged by it */
	request_breathe(e);
	settle(e, &before, !e->o->early && !e->trial.pending && !on_disk);
	if (!e->o->early && !e->trial.pending && !r->ask.scheduled)
		trial_over(e, r->ask.hold);
	request_breathe(e);
	reload_say(e, r);
	reload_arm(e);
	if (e->serving)
		health_check(e);
}

static enum policy_deed reload_asked(const struct load_result *r)
{
	return r->ask.deed ? (enum policy_deed)r->ask.deed :
	    r->ask.want.trial_s ? DEED_TRIAL : DEED_APPLIED;
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
	res.deed = reload_asked(r);
	res.trial_s = trial_left_s(e);
	if (fd < 0) /* the loader gave no answer: an empty list */
		fd = blob_seal("diagnostics", "", 0);
	if (fd >= 0)
		roles_send(e, ROLE_ENGINE, MSG_RELOAD_RESULT, r->ask.id, &res, fd);
	if (fd >= 0 && fd != r->diag_fd)
		close(fd);
}

void reload_result(struct enforcer *e, uint32_t id, enum msg_code code, int err,
    enum policy_deed deed)
{
	struct load_result none = { .ask = { .id = id, .deed = (uint8_t)deed,
		.since_us = clock_mono_us() }, .diag_fd = -1 };

	reload_answer(e, &none, code, err);
}

/* Whether it would cut off the session that asks; then the answer's diagnostics say
 * why. */
static bool reload_locks_out(const struct enforcer *e, struct load_result *r)
{
	const struct fs *fs = r->same ? e->live.fs : r->image.fs;

	const struct msg_reload *want = &r->ask.want;
	char why[256], iface[IFNAMSIZ] = "";

	if (!want->session.client.v)
		return false;
	(void)netdev_route(&want->session.client, iface);
	if (!session_cut(fs, &want->session, iface, r->ask.msg.at, why,
		sizeof(why)))
		return false;
	log_warnx("reload", "%s the session it is applied from: %s",
	    want->force ? "forced, though it may cut off" : "not applied: it would cut off",
	    why);
	if (want->force)
		return false;
	if (r->diag_fd >= 0)
		close(r->diag_fd);
	r->diag_fd = session_diagnostic(why);
	r->info.errors = 1;
	return true;
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

/* Nothing is sent, but what should be there is looked for.  At the start the kernel
 * has nothing yet: reload_first() goes on. */
static enum msg_code reload_same(struct enforcer *e, struct load_result *r)
{
	bool start = e->live.rs == NULL;

	e->start_status = start ? RELOAD_SAME : ENFORCER_OK;
	if (start)
		return MSG_OK;
	if (reload_locks_out(e, r))
		return MSG_E_LOCKOUT;
	r->ask.deed = DEED_UNCHANGED;
	r->info = e->live.info;
	log_info("reload", "the tree is unchanged: generation %u stays in force",
	    e->live.generation);
	reload_on_check(e);
	if (e->serving)
		health_check(e);
	return MSG_OK;
}

static void reload_done(struct enforcer *e, struct load_result *r)
{
	enum msg_code code = MSG_OK;
	int err = 0;

	if (r->same) {
		code = reload_same(e, r);
	} else if (!r->ok) {
		reload_failed(e, r);
		code = MSG_E_POLICY;
		e->start_status = ENFORCER_POLICY;
	} else if (reload_locks_out(e, r)) {
		code = MSG_E_LOCKOUT;
	} else if (r->ask.want.trial_s &&
	    (err = -trial_begin(e, &r->image, r->ask.want.trial_s)) != 0) {
		code = MSG_E_STATE;
	} else if ((err = reload_commit(e, e->live.rs, &r->image, e->o->check)) != 0) {
		if (r->ask.want.trial_s)
			trial_abort(e);
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
		reload_ask(e, 0, &(struct msg_reload){ 0 });
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

/* How the loader knows an unchanged tree.  What the key does not say is the time: no
 * rule may have started or ended since the tree was read. */
static void reload_offer_key(const struct enforcer *e, struct load_ask *ask)
{
	const struct image *i = &e->live;
	const char *zone = i->fs ? fs_str(i->fs, i->fs->settings.timezone) : "";

	if (!i->fs || e->o->check || e->o->early || ask->want.trial_s || ask->msg.at < i->applied_at ||
	    ask->msg.at >= i->info.next_change || strlen(zone) >= sizeof(ask->msg.zone))
		return;
	memcpy(ask->msg.key, i->info.key, sizeof(ask->msg.key));
	snprintf(ask->msg.zone, sizeof(ask->msg.zone), "%s", zone);
}

static int reload_tree(struct enforcer *e, uint32_t id, const struct msg_reload *want)
{
	struct load_ask ask = { .id = id, .want = *want };
	int r, fd = open(e->o->policy_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		r = -errno;
		log_warn("reload", "can't open the policy directory %s", e->o->policy_dir);
		return r;
	}
	reload_prepare(e, &ask, want->commit);
	reload_offer_key(e, &ask);
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

int reload_back(struct enforcer *e, uint32_t id, const struct image *i,
    enum policy_deed deed)
{
	struct load_ask ask = { .id = id, .hold = true, .deed = (uint8_t)deed };

	reload_prepare(e, &ask, i->info.commit);
	ask.msg.from_image = true;
	return load_start(e, &ask, i->blob[0].fd, reload_done);
}

void reload_ask(struct enforcer *e, uint32_t id, const struct msg_reload *want)
{
	struct load_result none = { .ask = { .id = id, .since_us = clock_mono_us() },
		.diag_fd = -1 };
	int r;

	if (e->trial.pending) { /* one way back is enough to keep in mind */
		log_warnx("reload", "not loaded: a policy waits to be confirmed");
		reload_answer(e, &none, MSG_E_TRIAL, 0);
		return;
	}
	if (e->load && !id) {
		e->again = true;
		return;
	}
	r = reload_tree(e, id, want);
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

/* The stored policy, for the tree that it was made from; else the tree. */
static int reload_stored(struct enforcer *e)
{
	struct load_ask ask = { .keep_key = true };
	int status;

	log_info("reload", "the tree is unchanged: its stored policy is used");
	e->live.restored = false;
	reload_prepare(e, &ask, e->live.info.commit);
	ask.msg.from_image = true;
	status = reload_wait(e, load_start(e, &ask, e->live.blob[0].fd, reload_done));
	if (status == ENFORCER_OK)
		return status;
	e->live.restored = true;
	memset(e->live.info.key, 0, sizeof(e->live.info.key));
	return reload_wait(e, reload_tree(e, 0, &(struct msg_reload){ 0 }));
}

int reload_first(struct enforcer *e)
{
	enum trial_start how = e->o->check ? TRIAL_TREE : trial_resume(e, &e->live);
	bool saved;
	int status;

	if (how == TRIAL_RESUME) {
		if (reload_wait(e, reload_image(e, true)) == ENFORCER_OK)
			return ENFORCER_OK;
		image_drop(&e->live);
		how = TRIAL_BACK;
	}
	saved = reload_have_saved(e);
	if (saved && how != TRIAL_TREE && reload_wait(e, reload_back(e, 0, &e->live,
		how == TRIAL_BACK ? DEED_REVERTED_START : DEED_RESTORED)) == ENFORCER_OK)
		return ENFORCER_OK;
	status = reload_wait(e, reload_tree(e, 0, &(struct msg_reload){ 0 }));
	if (status == RELOAD_SAME)
		status = reload_stored(e);
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

	trial_booted(e);
	if (reload_have_saved(e)) {
		status = reload_wait(e, reload_image(e, false));
		if (status == ENFORCER_OK)
			return status;
	}
	log_warnx("reload", "no last good policy: compiling %s", e->o->policy_dir);
	if (reload_wait(e, reload_tree(e, 0, &(struct msg_reload){ 0 })) == ENFORCER_OK)
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
