/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: every kind of event, hostile text too, against the shipped schema */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/decide.h"
#include "smallfs.h"

static FILE *out;
static char path[] = "/tmp/cordon-events-XXXXXX";
static uint64_t seq;

static json_t *emit(struct event *e, const struct flow_facts *facts)
{
	json_t *o;
	char *line;

	e->seq = ++seq;
	line = event_line(e, facts);
	assert_non_null(line);
	o = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	assert_non_null(o);
	for (const char *p = line; *p; p++) /* nothing a terminal would obey */
		assert_true(*p >= ' ' && *p < 0x7f);
	fprintf(out, "%s\n", line);
	free(line);
	return o;
}

static struct event plain(enum event_kind kind)
{
	struct event e = { .kind = (uint8_t)kind,
		.count = 1,
		.proto = IPPROTO_TCP,
		.time_us = 1790000000123456ll,
		.src = ip("10.66.0.6"),
		.dst = ip("10.20.8.11"),
		.sport = 4000,
		.dport = 445 };

	EVENT_SET(e.host, "erp");
	memset(e.policy.digest, 0xab, sizeof(e.policy.digest));
	e.policy.generation = 7;
	EVENT_SET(e.policy.commit, "3f2a1c9");
	if (kind == EVENT_BLOCKED || kind == EVENT_UNBLOCKED) {
		e.has_block = true;
		e.block =
		    (struct msg_block){ .addr = e.src, .prefixlen = 32, .ttl_s = 60 };
	}
	return e;
}

static void every_word(void **state)
{
	(void)state;
	for (int k = 0; k < EVENT_KINDS; k++) {
		struct event e = plain((enum event_kind)k);

		assert_int_equal(event_kind_by_name(event_kinds[k].name), k);
		json_decref(emit(&e, NULL));
	}
	for (int r = 0; r < REASON_COUNT; r++)
		for (int a = 0; a < ACTION_COUNT; a++) {
			struct event e = plain(EVENT_DENIED);

			assert_non_null(event_reasons[r].name);
			e.reason = (uint8_t)r;
			e.action = (uint8_t)a;
			e.side = (uint8_t)(r % 3);
			e.mode = (uint8_t)(a % 3);
			e.confidence = (uint8_t)(r % 3);
			json_decref(emit(&e, NULL));
		}
}

static void every_proto(void **state)
{
	(void)state;
	for (int p = 0; p < 256; p++) {
		struct event e = plain(EVENT_DENIED);

		e.proto = (uint8_t)p;
		if (p & 1) {
			e.src = ip("fd00::1");
			e.dst = ip("fd00:20:8::11");
		}
		json_decref(emit(&e, NULL));
	}
}

static const char *str(const json_t *o, const char *a, const char *b)
{
	return json_string_value(json_object_get(json_object_get(o, a), b));
}

static void fields(void **state)
{
	struct event e = plain(EVENT_EXPOSURE);
	json_t *o, *c;

	(void)state;
	e.action = ACTION_DROP;
	e.reason = REASON_SMB;
	e.app = APP_SMB;
	e.count = 5000000000;
	e.since_us = e.time_us - 1;
	EVENT_SET(e.rule, "erp/in/mssql");
	EVENT_SET(e.attack, "T1021.002");
	o = emit(&e, NULL);
	c = json_object_get(o, "cordon");
	assert_string_equal(json_string_value(json_object_get(o, "timestamp")),
	    "2026-09-21T14:13:20.123456+0000");
	assert_string_equal(str(o, "alert", "action"), "blocked");
	assert_string_equal(str(o, "cordon", "rule"), "erp/in/mssql");
	assert_string_equal(str(o, "cordon", "kind"), "exposure");
	assert_string_equal(str(c, "policy", "commit"), "3f2a1c9");
	assert_int_equal(json_integer_value(json_object_get(c, "count")), 5000000000);
	assert_string_equal(json_string_value(json_object_get(o, "app_proto")), "smb");
	json_decref(o);
}

static void fill(uint8_t *b, uint8_t *len, size_t size, unsigned seed)
{
	*len = (uint8_t)size;
	for (size_t i = 0; i < size; i++)
		b[i] = (uint8_t)(seed * 31 + i * (seed % 7 + 1));
}
#define FILL(fact, seed) fill((fact).b, &(fact).len, sizeof((fact).b), (seed))

/* Facts of every byte, in every place: valid as messages are, hostile as text is. */
static void hostile_facts(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		struct flow_facts f = { .app = APP_SMB, .confidence = seed % 3 };
		struct smb_facts *s = &f.smb;
		struct event e = plain(EVENT_EXPOSURE);

		e.app = APP_SMB;
		e.confidence = f.confidence;
		s->flags = seed * 2654435761u;
		s->smb1_count = seed % (SMB1_OFFERED_MAX + 1);
		s->smb2_count = seed % (SMB2_OFFERED_MAX + 1);
		for (unsigned i = 0; i < SMB1_OFFERED_MAX; i++)
			s->smb1_offered[i] = (uint8_t)(seed + i * 17);
		s->smb1_answered = seed & 1;
		s->smb1_chosen = (uint8_t)seed;
		s->smb2_chosen = seed % 3 ? 0 : (uint16_t)(seed * 257);
		s->interest = seed * 40503u;
		s->logon_failures = seed % 5;
		s->logon_failure = 0xc000006d;
		s->pid_high = (uint16_t)seed;
		s->server_start = seed;
		FILL(s->native_os, seed);
		FILL(s->native_lm, seed + 1);
		FILL(s->client_os, seed + 2);
		FILL(s->called, seed + 3);
		FILL(s->ntlm.user, seed + 4);
		FILL(s->ntlm.dns_domain, seed + 5);
		s->ntlm.has_auth = s->ntlm.has_version = 1;
		s->ntlm.response = seed % 5;
		json_decref(emit(&e, &f));

		f = (struct flow_facts){ .app = APP_RDP };
		e.app = APP_RDP;
		f.rdp.flags = seed * 2654435761u;
		f.rdp.requested = seed;
		f.rdp.selected = seed % 20;
		f.rdp.failure = seed;
		f.rdp.client_build = seed * 2654435761u;
		f.rdp.channel_count = seed % (RDP_CHANNELS_MAX + 1);
		memset(f.rdp.channels, (int)seed, sizeof(f.rdp.channels));
		FILL(f.rdp.cookie, seed);
		FILL(f.rdp.client_name, seed);
		json_decref(emit(&e, &f));
	}
}

/* What decide() makes of sightings, as the engine writes it. */
static void decided(void **state)
{
	struct fs *fs = smallfs(FS_ON_GUARD);

	(void)state;
	for (int kind = 0; kind < SIGHT_KINDS; kind++) {
		struct msg_sighting s = { .time_us = 1790000000000000ll,
			.count = 3,
			.src = ip("10.30.0.7"),
			.dst = ip("10.20.8.11"),
			.sport = 4000,
			.dport = 1433,
			.proto = IPPROTO_TCP,
			.kind = (uint8_t)kind,
			/* in the middle of what is granted nothing would be denied */
			.tcp_flags = kind == SIGHT_WOULD_DENY ? 0x02 : 0x18,
			.handshake = true,
			.iface = "lan8" };
		struct decision d;
		struct event e;

		strcpy(s.detail, kind == SIGHT_GUARD ? "eternal" : "smb");
		s.facts.app = kind == SIGHT_SPOKEN ? APP_SMB : APP_NONE;
		decide(fs, fs, &s, &d);
		assert_int_equal(d.tell, kind != SIGHT_HALF_OPEN);
		if (!d.tell)
			continue;
		decide_event(fs, &s, &d, &e);
		json_decref(emit(&e, s.facts.app ? &s.facts : NULL));
	}
	free(fs);
}

static int check(const char *file)
{
	char cmd[256];
	int status;

	snprintf(cmd, sizeof(cmd),
	    "python3 tests/lib/events-check.py daemon/engine/events.schema.json %s",
	    file);
	status = system(cmd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Last: the file that the tests before have written. */
static void schema_holds(void **state)
{
	int rc;

	(void)state;
	assert_int_equal(fflush(out), 0);
	assert_true(seq > 500);
	rc = check(path);
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

/* The checker itself has to notice a field too much. */
static void schema_refuses(void **state)
{
	struct event e = plain(EVENT_DENIED);
	json_t *o = emit(&e, NULL);
	char bad[] = "/tmp/cordon-events-XXXXXX";
	int fd = mkstemp(bad), rc;

	(void)state;
	assert_true(fd >= 0);
	json_object_set_new(json_object_get(o, "cordon"), "more", json_true());
	assert_int_equal(json_dumpfd(o, fd, JSON_COMPACT), 0);
	close(fd);
	json_decref(o);
	rc = check(bad);
	unlink(bad);
	if (rc == 77)
		skip();
	assert_int_equal(rc, 1);
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	out = fd >= 0 ? fdopen(fd, "w") : NULL;
	return out && sodium_init() >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	fclose(out);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word),
		cmocka_unit_test(every_proto),
		cmocka_unit_test(fields),
		cmocka_unit_test(hostile_facts),
		cmocka_unit_test(decided),
		cmocka_unit_test(schema_refuses),
		cmocka_unit_test(schema_holds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
