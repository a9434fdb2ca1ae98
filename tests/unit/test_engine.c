/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the engine role as a process, between a false enforcer and a false sensor */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "priv/blob.h"
#include "priv/ctl.h"
#include "priv/msg.h"
#include "priv/proc.h"
#include "smallfs.h"

static struct {
	pid_t pid;
	int enforcer, sensor; /* our ends */
	uint32_t generation, list_id, block_id;
	unsigned blocks_asked, reopens;
	struct msg_block block;
	uint32_t refuse; /* enum msg_code to answer blocks with */
	char dir[40], log[64], ctl[64];
} t;

static int listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void in_child(int parent, int peer, int control)
{
	int fds[3] = { fcntl(parent, F_DUPFD, 20), fcntl(peer, F_DUPFD, 20),
		fcntl(control, F_DUPFD, 20) };

	for (int i = 0; i < 3; i++)
		dup2(fds[i], ROLE_FD_PARENT + i);
	for (int fd = ROLE_FD_EXTRA + 1; fd < 64; fd++)
		close(fd);
	_exit(engine_main());
}

static void answer(enum msg_type type, uint32_t id, const void *body, const int *fds)
{
	assert_int_equal(msg_send(t.enforcer, type, id, body, fds), 0);
}

/* Be the enforcer for one message. */
static enum msg_type serve(void)
{
	static union msg_body body;
	struct msg_result result = { .code = MSG_OK };
	struct msg_status status = { .generation = t.generation,
		.hosts = 2,
		.rules = 5,
		.owned = 1,
		.sensor_up = 1,
		.engine_up = 1,
		.commit = "abc123" };
	struct msg_hdr hdr;
	int fds[3],
	    r = msg_recv(t.enforcer, ROLE_ENGINE, ROLE_ENFORCER, &hdr, &body, fds);

	if (r == 0)
		fail_msg("the engine is gone");
	if (r < 0)
		return MSG_TYPES;
	if (hdr.type == MSG_BLOCK) {
		t.blocks_asked++;
		t.block = body.block;
		result.code = t.refuse;
		answer(MSG_RESULT, hdr.id, &result, NULL);
	} else if (hdr.type == MSG_UNBLOCK) {
		result.code = t.block.addr.v ? MSG_OK : MSG_E_ABSENT;
		memset(&t.block, 0, sizeof(t.block));
		answer(MSG_RESULT, hdr.id, &result, NULL);
	} else if (hdr.type == MSG_LIST_BLOCKS) {
		if (t.block.addr.v)
			answer(MSG_BLOCK_ENTRY, hdr.id, &t.block, NULL);
		answer(MSG_BLOCKS_END, hdr.id, &result, NULL);
	} else if (hdr.type == MSG_GET_STATUS) {
		answer(MSG_STATUS, hdr.id, &status, NULL);
	} else if (hdr.type == MSG_LOG_REOPEN) {
		int fd[3] = { open(t.log, O_WRONLY | O_CREAT | O_APPEND, 0600), -1,
			-1 };

		t.reopens++;
		answer(MSG_LOG_FD, 0, NULL, fd);
		close(fd[0]);
	} else if (hdr.type == MSG_RELOAD) {
		static const char diag[] =
		    "{\"file\":\"hosts/a.yaml\",\"line\":3,\"column\":1,"
		    "\"severity\":\"error\",\"message\":\"bad\"}\nnot json\n";
		int fd[3] = { blob_seal("diag", diag, sizeof(diag) - 1), -1, -1 };

		result = (struct msg_result){ .code = MSG_E_POLICY, .errors = 1 };
		answer(MSG_RELOAD_RESULT, hdr.id, &result, fd);
		close(fd[0]);
	}
	return (enum msg_type)hdr.type;
}

/* Serve until a message of this type came (MSG_TYPES: for ms). */
static bool serve_until(enum msg_type type, int ms)
{
	struct pollfd p = { .fd = t.enforcer, .events = POLLIN };

	while (poll(&p, 1, ms) > 0)
		if (serve() == type)
			return true;
	return false;
}

/* The next generation: it blocks on these, and grants nothing on port (0: it does). */
static void give_policy_without(uint8_t on, uint16_t port)
{
	struct fs_settings *s;
	struct fs *fs = smallfs_without(on, port);
	struct msg_policy p = { .generation = ++t.generation,
		.applied_at = 1790000000,
		.size = fs->size,
		.commit = "abc123" };
	int fds[3] = { -1, -1, -1 };

	s = &fs->settings;
	s->log_file = fs_host(fs, 0)->name; /* any text: the enforcer opens the file */
	memcpy(p.digest, fs->digest, sizeof(p.digest));
	fds[0] = blob_seal("image", fs, fs->size);
	answer(MSG_POLICY, 0, &p, fds);
	close(fds[0]);
	free(fs);
}

static void give_policy(uint8_t on)
{
	give_policy_without(on, 0);
}

static void send_sighting(const struct msg_sighting *s)
{
	for (int tries = 0; tries < 1000; tries++) { /* the queue is short on purpose */
		int r = msg_send(t.sensor, MSG_SIGHTING, 0, s, NULL);

		if (r == 0)
			return;
		assert_int_equal(r, -EAGAIN);
		serve_until(MSG_TYPES, 2);
	}
	fail_msg("the engine does not read");
}

static void see_under(uint32_t generation, uint8_t kind, const char *src,
    uint16_t dport, const char *detail)
{
	struct msg_sighting s = { .time_us = 1790000000000000ll,
		.src = ip(src),
		.dst = ip("10.20.8.11"),
		.sport = 4000,
		.dport = dport,
		.proto = IPPROTO_TCP,
		.kind = kind,
		.tcp_flags = 0x18,
		.from_nflog = true,
		.handshake = true,
		.generation = generation,
		.count = 1,
		.iface = "lan8" };

	if (kind == SIGHT_SPOKEN) { /* on the interface */
		s.generation = 0;
		s.from_nflog = false;
		s.facts.app = APP_SMB;
		s.facts.confidence = CONFIDENCE_HANDSHAKE;
		s.facts.smb.flags = SMB_SEEN_1;
	}
	strcpy(s.detail, detail);
	send_sighting(&s);
}

static void see(uint8_t kind, const char *src, uint16_t dport, const char *detail)
{
	see_under(t.generation, kind, src, dport, detail);
}

/* How many events of that kind (of src, unless NULL) the log holds now; the last of
 * them in *ret, which may be NULL. */
static int count_logged(const char *kind, const char *src, json_t **ret)
{
	FILE *f = fopen(t.log, "r");
	char line[8192];
	int have = 0;

	while (f && fgets(line, sizeof(line), f)) {
		json_t *o = json_loads(line, 0, NULL);
		const char *k = json_string_value(
		    json_object_get(json_object_get(o, "cordon"), "kind"));
		const char *from = json_string_value(json_object_get(o, "src_ip"));

		if (k && strcmp(k, kind) == 0 &&
		    (!src || (from && strcmp(from, src) == 0)) && ++have && ret) {
			json_decref(*ret);
			*ret = json_incref(o);
		}
		json_decref(o);
	}
	if (f)
		fclose(f);
	return have;
}

/* Wait until there are n; the last of them, or NULL. */
static json_t *logged_of(const char *kind, const char *src, int n)
{
	json_t *found = NULL;

	for (int tries = 0; tries < 60; tries++) {
		if (count_logged(kind, src, &found) >= n)
			return found;
		serve_until(MSG_TYPES, 50);
	}
	json_decref(found);
	return NULL;
}

static json_t *logged(const char *kind, int n)
{
	return logged_of(kind, NULL, n);
}

static const char *of(const json_t *event, const char *key)
{
	return json_string_value(
	    json_object_get(json_object_get(event, "cordon"), key));
}

static char heard[1 << 16];
static const char *ask(const char *question)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t len = 0;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", t.ctl);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	dprintf(fd, "%s\n", question);
	heard[0] = '\0';
	for (int tries = 0; tries < 100 && !strstr(heard, "\"end\":true"); tries++) {
		ssize_t n;

		serve_until(MSG_TYPES, 20);
		n = recv(fd, heard + len, sizeof(heard) - 1 - len, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
		heard[len] = '\0';
	}
	close(fd);
	return heard;
}

static void starts(void **state)
{
	struct msg_hdr hdr;
	static union msg_body body;
	int fds[3];
	struct pollfd p = { .fd = t.enforcer, .events = POLLIN };
	json_t *e;

	(void)state;
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(
	    msg_recv(t.enforcer, ROLE_ENGINE, ROLE_ENFORCER, &hdr, &body, fds), 1);
	assert_int_equal(hdr.type, MSG_READY);
	give_policy(FS_ON_GUARD | FS_ON_EXPOSURE);
	assert_true(serve_until(MSG_LIST_BLOCKS, 2000));
	assert_true(serve_until(MSG_LOG_REOPEN, 3000));
	e = logged("policy", 1);
	assert_non_null(e);
	assert_string_equal(of(e, "reason"), "applied");
	json_decref(e);
}

static void exposure_blocks(void **state)
{
	json_t *e;

	(void)state;
	see(SIGHT_EXPOSURE, "10.30.0.7", 1433, "smb");
	assert_true(serve_until(MSG_BLOCK, 2000));
	assert_int_equal(t.block.ttl_s, 3600);
	e = logged("exposure", 1);
	assert_non_null(e);
	assert_string_equal(of(e, "rule"), "erp/in/mssql");
	json_decref(e);
	e = logged("blocked", 1);
	assert_non_null(e);
	assert_string_equal(of(e, "host"), "erp");
	assert_string_equal(of(e, "action"), "block");
	assert_string_equal(of(e, "reason"), "smb-not-granted");
	assert_non_null(of(e, "incident"));
	json_decref(e);
	/* blocked is blocked: no second request */
	see(SIGHT_EXPOSURE, "10.30.0.7", 1433, "smb");
	see(SIGHT_GUARD, "10.30.0.7", 1433, "eternal");
	e = logged("guard", 1);
	assert_non_null(e);
	json_decref(e);
	assert_int_equal(t.blocks_asked, 1);
	assert_non_null(
	    strstr(ask("{\"verb\":\"incidents\"}"), "\"block\":\"blocked\""));
	assert_non_null(strstr(ask("{\"verb\":\"blocks\"}"), "\"addr\":\"10.30.0.7\""));
	assert_non_null(strstr(heard, "\"host\":\"erp\""));
}

static void operator_unblocks(void **state)
{
	json_t *e;

	(void)state;
	assert_non_null(
	    strstr(ask("{\"verb\":\"unblock\",\"args\":{\"addr\":\"10.30.0.7\"}}"),
		"\"exit\":0"));
	e = logged("unblocked", 1);
	assert_non_null(e);
	assert_string_equal(of(e, "reason"), "operator");
	json_decref(e);
	assert_non_null(
	    strstr(ask("{\"verb\":\"unblock\",\"args\":{\"addr\":\"10.30.0.7\"}}"),
		"\"exit\":6"));
}

static void operator_blocks(void **state)
{
	json_t *e;

	(void)state;
	assert_non_null(
	    strstr(ask("{\"verb\":\"block\",\"args\":{\"addr\":\"10.20.8.11\","
		       "\"ttl_s\":1,\"scope\":\"all\",\"reason\":\"drill\"}}"),
		"\"exit\":0"));
	assert_true(t.block.legacy);
	assert_int_equal(t.block.scope, FS_SCOPE_ALL);
	assert_int_equal(t.block.origin, BLOCK_OPERATOR);
	e = logged("blocked", 2);
	assert_non_null(e);
	assert_string_equal(of(e, "note"), "drill");
	json_decref(e);
	e = logged("unblocked", 2); /* its second is over */
	assert_non_null(e);
	assert_string_equal(of(e, "reason"), "expired");
	json_decref(e);
	memset(&t.block, 0, sizeof(t.block));
	assert_non_null(
	    strstr(ask("{\"verb\":\"block\",\"args\":{\"addr\":\"10.0.0.0/8\"}}"),
		"\"exit\":2"));
	assert_non_null(
	    strstr(ask("{\"verb\":\"block\",\"args\":{\"addr\":\"10.66.0.1\","
		       "\"ttl_s\":-1}}"),
		"\"exit\":2"));
}

static void refusal_is_told_once(void **state)
{
	unsigned before = t.blocks_asked;
	json_t *e;

	(void)state;
	t.refuse = MSG_E_FULL;
	for (int i = 0; i < 20; i++)
		see(SIGHT_EXPOSURE, "10.30.0.8", 1433, "rdp");
	e = logged("blocked", 3);
	assert_non_null(e);
	assert_string_equal(of(e, "action"), "refused");
	assert_string_equal(of(e, "reason"), "full");
	json_decref(e);
	serve_until(MSG_TYPES, 300);
	assert_int_equal(t.blocks_asked, before + 1);
	t.refuse = MSG_OK;
}

/* Interface and kernel log tell of one opening, either of them first: one event, with
 * the kernel's word and the sensor's facts.  The request to block does not wait for it.
 */
static void one_opening_is_told_once(void **state)
{
	static const struct {
		const char *src;
		uint8_t first, second; /* SIGHT_KINDS: nothing */
		const char *action, *alert;
	} v[] = {
		{ "10.30.0.21", SIGHT_SPOKEN, SIGHT_EXPOSURE, "drop", "blocked" },
		{ "10.30.0.22", SIGHT_EXPOSURE, SIGHT_SPOKEN, "drop", "blocked" },
		{ "10.30.0.23", SIGHT_SPOKEN, SIGHT_KINDS, "alert", "allowed" },
		{ "10.30.0.24", SIGHT_SPOKEN, SIGHT_GUARD, "drop", "blocked" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		uint64_t before;
		json_t *e;

		print_message("  %s\n", v[i].src);
		see(v[i].first, v[i].src, 1433,
		    v[i].first == SIGHT_SPOKEN ? "" : "smb");
		if (v[i].second != SIGHT_KINDS)
			see(v[i].second, v[i].src, 1433,
			    v[i].second == SIGHT_GUARD      ? "eternal"
			    : v[i].second == SIGHT_EXPOSURE ? "smb"
							    : "");
		before = clock_mono_us();
		assert_true(serve_until(MSG_BLOCK, 2000));
		if (v[i].second == SIGHT_KINDS && clock_mono_us() - before < 90000)
			assert_int_equal(count_logged("exposure", v[i].src, NULL), 0);
		e = logged_of("exposure", v[i].src, 1);
		assert_non_null(e);
		assert_string_equal(of(e, "action"), v[i].action);
		assert_string_equal(json_string_value(json_object_get(
					json_object_get(e, "alert"), "action")),
		    v[i].alert);
		assert_non_null(json_object_get(e, "smb"));
		json_decref(e);
		/* the block is told behind its cause, and names its incident */
		e = logged_of("blocked", v[i].src, 1);
		assert_non_null(e);
		assert_non_null(of(e, "incident"));
		json_decref(e);
		serve_until(MSG_TYPES, 200);
		assert_int_equal(count_logged("exposure", v[i].src, NULL), 1);
	}
	assert_null(strstr(ask("{\"verb\":\"incidents\",\"args\":{\"limit\":2}}"),
	    "\"action\":\"alert\""));
	memset(&t.block, 0, sizeof(t.block));
}

/* Neither here nor by the enforcer: the event says so, once. */
static void never_is_told(void **state)
{
	unsigned before = t.blocks_asked;
	json_t *e;

	(void)state;
	for (int i = 0; i < 5; i++)
		see(SIGHT_EXPOSURE, "10.30.0.250", 1433, "smb");
	e = logged_of("exposure", "10.30.0.250", 1);
	assert_non_null(e);
	assert_string_equal(of(e, "action"), "drop");
	assert_string_equal(
	    of(e, "note"), "not blocked: an address that may never be blocked");
	json_decref(e);
	for (int i = 0; i < 5; i++)
		see(SIGHT_GUARD, "10.30.0.250", 1433, "eternal");
	e = logged_of("guard", "10.30.0.250", 1);
	assert_non_null(e);
	assert_string_equal(
	    of(e, "note"), "not blocked: an address that may never be blocked");
	json_decref(e);
	assert_int_equal(t.blocks_asked, before);
	assert_non_null(
	    strstr(ask("{\"verb\":\"incidents\"}"), "\"block\":\"refused\""));

	t.refuse = MSG_E_NEVER; /* an address that only the enforcer knows */
	for (int i = 0; i < 5; i++)
		see(SIGHT_GUARD, "10.30.0.30", 1433, "eternal");
	e = logged_of("blocked", "10.30.0.30", 1);
	assert_non_null(e);
	assert_string_equal(of(e, "action"), "refused");
	assert_string_equal(of(e, "reason"), "never-block");
	json_decref(e);
	serve_until(MSG_TYPES, 200);
	assert_int_equal(count_logged("blocked", "10.30.0.30", NULL), 1);
	assert_int_equal(count_logged("guard", "10.30.0.30", NULL), 1);
	assert_int_equal(t.blocks_asked, before + 1);
	t.refuse = MSG_OK;
}

static int generation_of(const json_t *event)
{
	return (int)json_integer_value(json_object_get(
	    json_object_get(json_object_get(event, "cordon"), "policy"), "generation"));
}

/* Logged under a policy that the engine has not heard of yet, or no longer has in
 * force: judged by exactly that one. */
static void judged_by_its_generation(void **state)
{
	uint32_t old = t.generation;
	json_t *e;

	(void)state;
	see_under(old + 1, SIGHT_DENIED, "10.30.0.40", 1433, "");
	see_under(old, SIGHT_DENIED, "10.30.0.41", 1433, "");
	e = logged_of("denied", "10.30.0.41", 1);
	assert_non_null(e);
	assert_int_equal(generation_of(e), old);
	json_decref(e);
	assert_int_equal(count_logged("denied", "10.30.0.40", NULL), 0);
	give_policy_without(FS_ON_GUARD | FS_ON_EXPOSURE, 1433);
	e = logged_of("denied", "10.30.0.40", 1);
	assert_non_null(e);
	assert_int_equal(generation_of(e), old + 1);
	assert_string_equal(of(e, "reason"), "no-rule");
	assert_null(of(e, "rule"));
	json_decref(e);
	see_under(old, SIGHT_DENIED, "10.30.0.42", 1433, ""); /* late */
	e = logged_of("denied", "10.30.0.42", 1);
	assert_non_null(e);
	assert_int_equal(generation_of(e), old);
	assert_string_equal(of(e, "rule"), "erp/in/mssql");
	json_decref(e);
	/* its policy never comes */
	see_under(old + 9, SIGHT_DENIED, "10.30.0.43", 1433, "");
	e = logged_of("denied", "10.30.0.43", 1);
	assert_non_null(e);
	assert_int_equal(generation_of(e), old + 1);
	json_decref(e);
	give_policy(FS_ON_GUARD | FS_ON_EXPOSURE);
}

static void kernel_lost_a_block(void **state)
{
	json_t *e;

	(void)state;
	see(SIGHT_EXPOSURE, "10.30.0.9", 1433, "smb");
	assert_true(serve_until(MSG_BLOCK, 2000));
	memset(&t.block, 0, sizeof(t.block)); /* somebody flushed it */
	give_policy(FS_ON_GUARD | FS_ON_EXPOSURE);
	e = logged("unblocked", 3);
	assert_non_null(e);
	assert_string_equal(of(e, "reason"), "not-there");
	json_decref(e);
}

static void storm_is_counted(void **state)
{
	json_t *e;

	(void)state;
	for (int i = 0; i < 200; i++)
		see(SIGHT_DENIED, "10.66.0.6", 445, "");
	e = logged("denied", 1);
	assert_non_null(e);
	json_decref(e);
	assert_null(logged("denied", 2)); /* within the period */
	assert_non_null(strstr(ask("{\"verb\":\"status\"}"), "\"suppressed\":"));
	assert_non_null(strstr(heard, "\"commit\":\"abc123\""));
}

/* Refused logons of a session that is granted: told once, and blocked where the policy
 * says so.  What the server says of itself is told besides. */
static void behaviour_is_told(void **state)
{
	struct msg_sighting s = { .time_us = 1790000000000000ll, .src = ip("10.30.0.77"),
		.dst = ip("10.20.8.11"), .sport = 4000, .dport = 445, .proto = IPPROTO_TCP,
		.kind = SIGHT_SPOKEN, .handshake = true, .count = 1, .iface = "lan8" };
	unsigned asked = t.blocks_asked;
	json_t *e;

	(void)state;
	give_policy(FS_ON_BRUTEFORCE);
	assert_true(serve_until(MSG_LIST_BLOCKS, 2000)); /* it is in force */
	s.facts.app = APP_SMB;
	s.facts.confidence = CONFIDENCE_DIALOG;
	s.facts.smb.ntlm.has_challenge = s.facts.smb.ntlm.has_version = 1;
	s.facts.smb.ntlm.major = 6;
	s.facts.smb.ntlm.build = 6003;
	s.facts.smb.logon_failures = 9;
	s.facts.smb.logon_failure = 0xc000006d;
	send_sighting(&s);
	e = logged_of("identity", "10.30.0.77", 1);
	assert_non_null(e);
	assert_string_equal(of(e, "reason"), "unknown"); /* nothing is declared */
	assert_string_equal(of(e, "host"), "erp");
	json_decref(e);
	s.facts.smb.logon_failures = 10;
	send_sighting(&s);
	assert_true(serve_until(MSG_BLOCK, 2000));
	e = logged_of("bruteforce", "10.30.0.77", 1);
	assert_non_null(e);
	assert_int_equal(json_integer_value(json_object_get(
			     json_object_get(json_object_get(e, "cordon"), "behaviour"),
			     "failures")), 10);
	json_decref(e);
	assert_int_equal(t.blocks_asked, asked + 1);
	/* the same by what was picked up in the middle: told, not blocked */
	s.handshake = false;
	s.src = ip("10.30.0.78");
	send_sighting(&s);
	e = logged_of("bruteforce", "10.30.0.78", 1);
	assert_non_null(e);
	json_decref(e);
	assert_int_equal(t.blocks_asked, asked + 1);
	assert_int_equal(count_logged("identity", "10.30.0.78", NULL), 0); /* known */
}

static void reload_relays_diagnostics(void **state)
{
	(void)state;
	ask("{\"verb\":\"reload\",\"args\":{\"commit\":\"deadbeef\"}}");
	assert_non_null(strstr(heard, "\"applied\":false"));
	assert_non_null(strstr(heard, "\"file\":\"hosts/a.yaml\""));
	assert_null(strstr(heard, "not json"));
	assert_non_null(strstr(heard, "\"exit\":1"));
	assert_non_null(strstr(
	    ask("{\"verb\":\"reload\",\"args\":{\"commit\":\"../x\"}}"), "\"exit\":2"));
}

static void rotation(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(unlink(t.log), 0);
	see(SIGHT_DENIED, "10.66.0.7", 445, "");
	assert_true(serve_until(MSG_LOG_REOPEN, 3000));
	see(SIGHT_DENIED, "10.66.0.8", 445, "");
	json_decref(logged("denied", 1));
	assert_int_equal(stat(t.log, &st), 0);
	assert_true(st.st_size > 0);
}

/* The sensor dies: the engine goes on and takes its successor. */
static void new_sensor(void **state)
{
	int pair[2], fds[3] = { -1, -1, -1 };
	json_t *e;

	(void)state;
	close(t.sensor);
	assert_non_null(strstr(ask("{\"verb\":\"status\"}"), "\"exit\":0"));
	assert_int_equal(proc_channel(pair), 0);
	fds[0] = pair[1];
	answer(MSG_PEER, 0, NULL, fds);
	close(pair[1]);
	t.sensor = pair[0];
	see(SIGHT_SPOOF, "10.20.8.12", 445, "");
	for (int i = 0; i < 50; i++) {
		e = logged("denied", 1);
		if (e && strcmp(of(e, "reason"), "spoof") == 0)
			i = 1000;
		json_decref(e);
		if (i >= 1000)
			return;
		serve_until(MSG_TYPES, 40);
	}
	fail_msg("nothing came from the new sensor");
}

static void schema_holds(void **state)
{
	char cmd[256];
	int rc;

	(void)state;
	snprintf(cmd, sizeof(cmd),
	    "python3 tests/lib/events-check.py daemon/engine/events.schema.json %s",
	    t.log);
	rc = WEXITSTATUS(system(cmd));
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

static void ends_with_the_enforcer(void **state)
{
	int status = -1;

	(void)state;
	close(t.enforcer);
	t.enforcer = -1;
	for (int i = 0; i < 200 && waitpid(t.pid, &status, WNOHANG) == 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	t.pid = 0;
}

static int setup(void **state)
{
	int parent[2], peer[2], control;

	(void)state;
	strcpy(t.dir, "/tmp/cordon-engine-XXXXXX");
	if (!mkdtemp(t.dir) || chmod(t.dir, 0755) < 0 || proc_channel(parent) < 0 ||
	    proc_channel(peer) < 0)
		return -1;
	snprintf(t.log, sizeof(t.log), "%s/log", t.dir);
	snprintf(t.ctl, sizeof(t.ctl), "%s/ctl.sock", t.dir);
	control = listen_at(t.ctl);
	t.pid = fork();
	if (t.pid == 0)
		in_child(parent[1], peer[1], control);
	close(parent[1]);
	close(peer[1]);
	close(control);
	t.enforcer = parent[0];
	t.sensor = peer[0];
	return t.pid > 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	if (t.pid > 0) {
		kill(t.pid, SIGKILL);
		waitpid(t.pid, NULL, 0);
	}
	unlink(t.log);
	unlink(t.ctl);
	return rmdir(t.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts),
		cmocka_unit_test(exposure_blocks),
		cmocka_unit_test(operator_unblocks),
		cmocka_unit_test(operator_blocks),
		cmocka_unit_test(refusal_is_told_once),
		cmocka_unit_test(kernel_lost_a_block),
		cmocka_unit_test(one_opening_is_told_once),
		cmocka_unit_test(never_is_told),
		cmocka_unit_test(storm_is_counted),
		cmocka_unit_test(behaviour_is_told),
		cmocka_unit_test(reload_relays_diagnostics),
		cmocka_unit_test(judged_by_its_generation),
		cmocka_unit_test(schema_holds),
		cmocka_unit_test(rotation),
		cmocka_unit_test(new_sensor),
		cmocka_unit_test(ends_with_the_enforcer),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
