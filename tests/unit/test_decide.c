/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: policy x sighting -> decision, a table of cases */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <string.h>

#include "engine/decide.h"
#include "smallfs.h"

static struct fs *fs;
static const char *const hosts[] = { "erp", "xray", "10.20.8.0/24", "fd00:20:8::/64" };

enum { NOBODY = -1, ERP, XRAY, PREFIX, PREFIX6 };
enum { NOBLOCK, BLOCK };

struct sight_case {
	const char *name;
	uint8_t sight;
	const char *src, *dst;
	uint16_t sport, dport;
	uint8_t flags;
	const char *detail;
	bool handshake;
	/* expected */
	int kind, action, reason, host;
	const char *rule;
	int side, block;
};

#define SYN    TH_SYN
#define PSH    (TH_PUSH | TH_ACK)
#define SYNACK (TH_SYN | TH_ACK)

static const struct sight_case cases[] = {
	{ "denied by default", SIGHT_DENIED, "10.66.0.6", "10.20.8.11", 4000, 445, SYN,
	    "", false, EVENT_DENIED, ACTION_DROP, REASON_NO_RULE, ERP, NULL, SIDE_IN,
	    NOBLOCK },
	{ "undeclared", SIGHT_DENIED, "10.66.0.6", "10.20.8.77", 4000, 445, SYN, "",
	    false, EVENT_DENIED, ACTION_DROP, REASON_UNDECLARED, PREFIX, NULL, SIDE_IN,
	    NOBLOCK },
	{ "going out", SIGHT_DENIED, "10.20.8.11", "203.0.113.9", 4000, 443, SYN, "",
	    false, EVENT_DENIED, ACTION_DROP, REASON_NO_RULE, ERP, NULL, SIDE_OUT,
	    NOBLOCK },
	{ "cut connection, from the server", SIGHT_DENIED, "10.20.8.11", "10.66.0.6",
	    445, 4000, PSH, "", false, EVENT_DENIED, ACTION_DROP, REASON_NO_RULE, ERP,
	    NULL, SIDE_IN, NOBLOCK },
	{ "answer nobody asked for", SIGHT_DENIED, "10.20.8.11", "10.66.0.6", 445, 4000,
	    SYNACK, "", false, EVENT_DENIED, ACTION_DROP, REASON_NO_RULE, ERP, NULL,
	    SIDE_IN, NOBLOCK },
	{ "allowed, but not now", SIGHT_DENIED, "10.30.0.7", "10.20.8.11", 4000, 1433,
	    PSH, "", false, EVENT_DENIED, ACTION_DROP, REASON_STATE, ERP,
	    "erp/in/mssql", SIDE_IN, NOBLOCK },
	{ "observed", SIGHT_WOULD_DENY, "10.66.0.6", "10.20.8.12", 4000, 445, SYN, "",
	    false, EVENT_WOULD_DENY, ACTION_WOULD_DROP, REASON_NO_RULE, XRAY, NULL,
	    SIDE_IN, NOBLOCK },
	{ "observed, open before, the client's", SIGHT_WOULD_DENY, "10.66.0.6",
	    "10.20.8.12", 4000, 445, PSH, "in", false, EVENT_WOULD_DENY, ACTION_WOULD_DROP,
	    REASON_NO_RULE, XRAY, NULL, SIDE_IN, NOBLOCK },
	{ "observed, open before, the server's", SIGHT_WOULD_DENY, "10.20.8.12",
	    "10.66.0.6", 445, 4000, PSH, "out", false, EVENT_WOULD_DENY, ACTION_WOULD_DROP,
	    REASON_NO_RULE, XRAY, NULL, SIDE_IN, NOBLOCK },
	{ "enforcing side is named first", SIGHT_DENIED, "10.20.8.12", "10.20.8.11",
	    4000, 445, SYN, "", false, EVENT_DENIED, ACTION_DROP, REASON_NO_RULE, ERP,
	    NULL, SIDE_IN, NOBLOCK },
	{ "spoofed", SIGHT_SPOOF, "10.20.8.11", "10.20.8.12", 4000, 445, SYN, "", false,
	    EVENT_DENIED, ACTION_DROP, REASON_SPOOF, ERP, NULL, SIDE_OUT, NOBLOCK },
	{ "blocked source", SIGHT_BLOCKED, "10.66.0.6", "10.20.8.11", 4000, 445, SYN,
	    "", false, EVENT_DENIED, ACTION_DROP, REASON_BLOCKED, ERP, NULL, SIDE_IN,
	    NOBLOCK },
	{ "condemned", SIGHT_CONDEMNED, "10.30.0.7", "10.20.8.11", 4000, 1433, PSH, "",
	    true, EVENT_DENIED, ACTION_DROP, REASON_CONDEMNED, ERP, "erp/in/mssql",
	    SIDE_IN, NOBLOCK },
	{ "SMB on the database's port", SIGHT_EXPOSURE, "10.30.0.7", "10.20.8.11", 4000,
	    1433, PSH, "smb", true, EVENT_EXPOSURE, ACTION_DROP, REASON_SMB, ERP,
	    "erp/in/mssql", SIDE_IN, BLOCK },
	{ "the same without a handshake", SIGHT_EXPOSURE, "10.30.0.7", "10.20.8.11",
	    4000, 1433, PSH, "smb", false, EVENT_EXPOSURE, ACTION_DROP, REASON_SMB, ERP,
	    "erp/in/mssql", SIDE_IN, NOBLOCK },
	{ "from a never-block address", SIGHT_EXPOSURE, "10.30.0.250", "10.20.8.11",
	    4000, 1433, PSH, "smb", true, EVENT_EXPOSURE, ACTION_DROP, REASON_SMB, ERP,
	    "erp/in/mssql", SIDE_IN, NOBLOCK },
	{ "SMB on the port of RDP", SIGHT_EXPOSURE, "10.1.0.9", "10.20.8.11", 4000,
	    3389, PSH, "smb", true, EVENT_EXPOSURE, ACTION_DROP, REASON_SMB, ERP,
	    "erp/in/rdp", SIDE_IN, BLOCK },
	{ "legacy client is not blocked", SIGHT_EXPOSURE, "10.20.8.11", "10.40.0.5",
	    4000, 445, PSH, "rdp", true, EVENT_EXPOSURE, ACTION_DROP, REASON_RDP, ERP,
	    "erp/out/smb", SIDE_OUT, NOBLOCK },
	{ "observed exposure", SIGHT_EXPOSURE, "10.66.0.6", "10.20.8.12", 4000, 8080,
	    PSH, "smb", true, EVENT_EXPOSURE, ACTION_WOULD_DROP, REASON_SMB, XRAY, NULL,
	    SIDE_IN, NOBLOCK },
	{ "observed exposure, in the kernel's words", SIGHT_EXPOSURE, "10.66.0.6",
	    "10.20.8.12", 4000, 8080, PSH, "rdp-observed", true, EVENT_EXPOSURE,
	    ACTION_WOULD_DROP, REASON_RDP, XRAY, NULL, SIDE_IN, NOBLOCK },
	{ "guard, from the client", SIGHT_GUARD, "10.30.0.7", "10.20.8.11", 4000, 1433,
	    PSH, "eternal", true, EVENT_GUARD, ACTION_DROP, REASON_GUARD, ERP,
	    "erp/in/mssql", SIDE_IN, BLOCK },
	{ "guard, from the server: the client is who opened", SIGHT_GUARD, "10.20.8.11",
	    "10.30.0.7", 1433, 4000, PSH, "eternal", true, EVENT_GUARD, ACTION_DROP,
	    REASON_GUARD, ERP, "erp/in/mssql", SIDE_IN, BLOCK },
	{ "guard that only alerts", SIGHT_GUARD, "10.30.0.7", "10.20.8.11", 4000, 1433,
	    PSH, "noisy", true, EVENT_GUARD, ACTION_ALERT, REASON_GUARD, ERP,
	    "erp/in/mssql", SIDE_IN, NOBLOCK },
	{ "the same in the kernel's words", SIGHT_GUARD, "10.30.0.7", "10.20.8.11",
	    4000, 1433, PSH, "noisy-alert", true, EVENT_GUARD, ACTION_ALERT,
	    REASON_GUARD, ERP, "erp/in/mssql", SIDE_IN, NOBLOCK },
	{ "guard that did not drop after all", SIGHT_GUARD, "10.30.0.7", "10.20.8.11",
	    4000, 1433, PSH, "eternal-alert", true, EVENT_GUARD, ACTION_ALERT,
	    REASON_GUARD, ERP, "erp/in/mssql", SIDE_IN, NOBLOCK },
	{ "guard of an observed host, in the kernel's words", SIGHT_GUARD, "10.66.0.6",
	    "10.20.8.12", 4000, 445, PSH, "eternal-alert", true, EVENT_GUARD,
	    ACTION_WOULD_DROP, REASON_GUARD, XRAY, NULL, SIDE_IN, NOBLOCK },
	{ "guard of an observed host", SIGHT_GUARD, "10.66.0.6", "10.20.8.12", 4000,
	    445, PSH, "eternal", true, EVENT_GUARD, ACTION_WOULD_DROP, REASON_GUARD,
	    XRAY, NULL, SIDE_IN, NOBLOCK },
	{ "guard the policy has not", SIGHT_GUARD, "10.30.0.7", "10.20.8.11", 4000,
	    1433, PSH, "other", true, EVENT_GUARD, ACTION_DROP, REASON_GUARD, ERP,
	    "erp/in/mssql", SIDE_IN, BLOCK },
};

static struct msg_sighting sighting_of(const struct sight_case *c)
{
	struct msg_sighting s = { .time_us = 1790000000000000ll,
		.src = ip(c->src),
		.dst = ip(c->dst),
		.sport = c->sport,
		.dport = c->dport,
		.proto = IPPROTO_TCP,
		.kind = c->sight,
		.tcp_flags = c->flags,
		.from_nflog = true,
		.handshake = c->handshake,
		.count = 1 };

	strcpy(s.detail, c->detail);
	return s;
}

static void one_case(const struct sight_case *c)
{
	struct msg_sighting s = sighting_of(c);
	struct decision d;
	struct event e;

	print_message("  %s\n", c->name);
	decide(fs, fs, &s, &d);
	assert_true(d.tell);
	assert_int_equal(d.kind, c->kind);
	assert_int_equal(d.action, c->action);
	assert_string_equal(
	    event_reasons[d.reason].name, event_reasons[c->reason].name);
	assert_int_equal(d.side, c->side);
	assert_int_equal(d.block, c->block);
	decide_event(fs, &s, &d, &e);
	assert_string_equal(e.host, c->host == NOBODY ? "" : hosts[c->host]);
	assert_string_equal(e.rule, c->rule ? c->rule : "");
	if (d.block) /* always the client's address, never the host's */
		assert_true(netaddr_cmp(&d.shut.addr, &s.src) == 0 ||
			    (d.reversed && netaddr_cmp(&d.shut.addr, &s.dst) == 0));
	if (d.block)
		assert_int_equal(fs_place_of(fs, &d.shut.addr), FS_NONE);
}

static void all_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		one_case(&cases[i]);
}

static struct msg_sighting spoken(
    const char *client, const char *server, uint16_t port, enum app app)
{
	struct msg_sighting s = { .time_us = 1790000000000000ll,
		.src = ip(client),
		.dst = ip(server),
		.sport = 4000,
		.dport = port,
		.proto = IPPROTO_TCP,
		.kind = SIGHT_SPOKEN,
		.handshake = true,
		.count = 1 };

	s.facts.app = (uint8_t)app;
	s.facts.confidence = CONFIDENCE_DIALOG;
	return s;
}

static void spoken_cases(void **state)
{
	struct msg_sighting granted = spoken("10.1.0.9", "10.20.8.11", 3389, APP_RDP);
	struct msg_sighting foreign = spoken("10.66.0.6", "10.66.0.7", 445, APP_SMB);
	struct msg_sighting hidden = spoken("10.30.0.7", "10.20.8.11", 1433, APP_RDP);
	struct msg_sighting denied = spoken("10.66.0.6", "10.20.8.11", 445, APP_SMB);
	struct msg_sighting observed = spoken("10.66.0.6", "10.20.8.12", 445, APP_SMB);
	struct decision d;

	(void)state;
	decide(fs, fs, &granted, &d);
	assert_false(d.tell);
	decide(fs, fs, &foreign, &d);
	assert_false(d.tell);
	decide(fs, fs, &hidden, &d);
	assert_true(d.tell && d.block);
	assert_int_equal(d.kind, EVENT_EXPOSURE);
	assert_int_equal(d.action, ACTION_ALERT); /* the kernel let it pass */
	assert_int_equal(d.confidence, CONFIDENCE_DIALOG);
	decide(fs, fs, &observed, &d);
	assert_true(d.tell && !d.block);
	assert_int_equal(d.action, ACTION_WOULD_DROP);
	decide(fs, fs, &denied, &d); /* both sides spoke: not through the gateway */
	assert_true(d.tell);
	assert_int_equal(d.action, ACTION_ALERT);
	denied.handshake = false;
	decide(fs, fs, &denied, &d);
	assert_int_equal(d.action, ACTION_DROP);
}

static void attack_names(void **state)
{
	struct msg_sighting s = spoken("10.30.0.7", "10.20.8.11", 1433, APP_RDP);
	struct decision d;
	struct event e;

	(void)state;
	decide(fs, fs, &s, &d);
	decide_event(fs, &s, &d, &e);
	assert_string_equal(e.attack, "T1021.001");
	s = spoken("10.30.0.7", "10.20.8.11", 1433, APP_SMB);
	decide(fs, fs, &s, &d);
	decide_event(fs, &s, &d, &e);
	assert_string_equal(e.attack, "T1021.002");
	s.kind = SIGHT_GUARD;
	s.facts.app = APP_NONE;
	s.tcp_flags = PSH;
	strcpy(s.detail, "eternal");
	decide(fs, fs, &s, &d);
	decide_event(fs, &s, &d, &e);
	assert_string_equal(e.attack, "T1210");
	assert_string_equal(e.cve[0], "CVE-2017-0144");
	assert_string_equal(e.title, "Title of the guard");
	/* that was the sensor: the packet has passed, the source is shut out */
	assert_int_equal(d.action, ACTION_ALERT);
	assert_true(d.shuts);
	assert_true(d.block);
	assert_int_equal(netaddr_cmp(&d.shut.addr, &s.src), 0);
	s = spoken("10.66.0.6", "10.20.8.12", 445, APP_SMB); /* observed */
	s.kind = SIGHT_GUARD;
	strcpy(s.detail, "eternal");
	decide(fs, fs, &s, &d);
	assert_int_equal(d.action, ACTION_WOULD_DROP);
	assert_false(d.block);
	strcpy(s.detail, "nobody-uses-it"); /* the sensor asks for no host */
	decide(fs, fs, &s, &d);
	assert_false(d.tell);
}

/* Blocked are those the policy in force names, whatever the one before said. */
static void block_on(void **state)
{
	struct fs *never = smallfs(0), *guards = smallfs(FS_ON_GUARD);
	struct msg_sighting s = spoken("10.30.0.7", "10.20.8.11", 1433, APP_SMB);
	struct decision d;

	(void)state;
	decide(fs, never, &s, &d);
	assert_true(d.tell && !d.block);
	decide(fs, guards, &s, &d);
	assert_false(d.block);
	decide(never, fs, &s, &d);
	assert_true(d.block);
	assert_int_equal(d.shut.ttl_s, 3600);
	assert_int_equal(d.shut.origin, BLOCK_AUTO);
	free(never);
	free(guards);
}

static void ipv6_prefix(void **state)
{
	struct msg_sighting far = spoken("fd00:30::5", "fd00:20:8::11", 1433, APP_SMB);
	struct msg_sighting near = spoken("fd00:9::8", "fd00:20:8::11", 1433, APP_SMB);
	struct msg_sighting self = spoken("fd00:9::7", "fd00:20:8::11", 1433, APP_SMB);
	struct decision d;

	(void)state;
	decide(fs, fs, &far, &d);
	assert_true(d.block);
	assert_int_equal(d.shut.prefixlen, 64);
	decide(fs, fs, &near, &d); /* its /64 holds a never-block address */
	assert_true(d.block);
	assert_int_equal(d.shut.prefixlen, 128);
	decide(fs, fs, &self, &d);
	assert_false(d.block);
}

/* Who may never be blocked is not passed over in silence. */
static void refused(void **state)
{
	static const struct {
		const char *src;
		uint16_t port;
		bool refused;
	} v[] = {
		{ "10.30.0.250", 1433, true },
		{ "10.30.0.7", 1433, false },
		{ "10.1.0.2", 3389, true },
	};
	struct msg_sighting s;
	struct decision d;
	struct event e;

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		s = spoken(v[i].src, "10.20.8.11", v[i].port, APP_SMB);
		decide(fs, fs, &s, &d);
		assert_int_equal(d.refused, v[i].refused);
		assert_int_equal(d.block, !v[i].refused);
		decide_event(fs, &s, &d, &e);
		assert_string_equal(e.note,
		    v[i].refused ? "not blocked: an address that may never be blocked"
				 : "");
		s.handshake = false; /* nobody would be blocked for it */
		decide(fs, fs, &s, &d);
		assert_false(d.refused);
	}
}

static void blockable(void **state)
{
	static const struct {
		const char *addr;
		unsigned len;
		bool may;
	} v[] = {
		{ "10.66.0.6", 32, true },
		{ "10.20.8.1", 32, false },
		{ "10.9.0.1", 32, false },
		{ "10.1.0.0", 32, false },
		{ "10.1.0.3", 32, false },
		{ "10.1.0.4", 32, true },
		{ "10.30.0.250", 32, false },
		{ "10.30.0.249", 32, true },
		{ "10.20.8.11", 32, false },
		{ "10.20.8.200", 32, false },
		{ "10.20.9.0", 32, true },
		{ "10.20.7.255", 32, true },
		{ "fd00:20:8::11", 128, false },
		{ "fd00:20:8:0:9::", 128, false },
		{ "fd00:20:8:1::1", 64, true },
		{ "fd00:20:8::", 64, false },
		{ "224.0.0.1", 32, false },
		{ "255.255.255.255", 32, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct netaddr a = ip(v[i].addr);

		print_message("  %s/%u\n", v[i].addr, v[i].len);
		assert_int_equal(decide_blockable(fs, &a, v[i].len), v[i].may);
	}
}

/* What a rule of this id requires from now on. */
static void require(const char *id, uint8_t bits)
{
	for (uint32_t i = 0; i < fs->table[FS_RULES].count; i++) {
		struct fs_rule *r = (struct fs_rule *)(uintptr_t)fs_rule(fs, i);

		if (strcmp(fs_str(fs, r->id), id) == 0)
			r->require = bits;
	}
}

/* The kernel's gates: the rule whose requirement failed is named. */
static const struct sight_case gates[] = {
	{ "no NLA, the server's word", SIGHT_DENIED, "10.20.8.11", "10.1.0.9", 3389, 4000,
	    PSH, "nla", false, EVENT_DENIED, ACTION_DROP, REASON_NLA, ERP, "erp/in/rdp",
	    SIDE_IN, NOBLOCK },
	{ "no NLA, the client's", SIGHT_DENIED, "10.1.0.9", "10.20.8.11", 4000, 3389, PSH,
	    "nla", false, EVENT_DENIED, ACTION_DROP, REASON_NLA, ERP, "erp/in/rdp",
	    SIDE_IN, NOBLOCK },
	{ "no NLA, observed", SIGHT_WOULD_DENY, "10.1.0.9", "10.20.8.11", 4000, 3389, PSH,
	    "nla", false, EVENT_WOULD_DENY, ACTION_WOULD_DROP, REASON_NLA, ERP,
	    "erp/in/rdp", SIDE_IN, NOBLOCK },
	{ "SMB1", SIGHT_DENIED, "10.40.0.5", "10.20.8.11", 445, 4000, PSH, "smb2", false,
	    EVENT_DENIED, ACTION_DROP, REASON_SMB2, ERP, "erp/out/smb", SIDE_OUT,
	    NOBLOCK },
	{ "not signed", SIGHT_DENIED, "10.40.0.5", "10.20.8.11", 445, 4000, PSH, "signing",
	    false, EVENT_DENIED, ACTION_DROP, REASON_STATE, ERP, "erp/out/smb", SIDE_OUT,
	    NOBLOCK }, /* no longer required */
	{ "another detail", SIGHT_DENIED, "10.1.0.9", "10.20.8.11", 4000, 3389, PSH,
	    "opening", false, EVENT_DENIED, ACTION_DROP, REASON_STATE, ERP, "erp/in/rdp",
	    SIDE_IN, NOBLOCK },
};

static void gate_cases(void **state)
{
	(void)state;
	require("erp/in/rdp", FS_REQ_NLA);
	require("erp/out/smb", FS_REQ_SMB2);
	for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++)
		one_case(&gates[i]);
	require("erp/in/rdp", 0);
	require("erp/out/smb", 0);
}

static int setup(void **state)
{
	(void)state;
	fs = smallfs(FS_ON_GUARD | FS_ON_EXPOSURE);
	return fs ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(fs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_cases),
		cmocka_unit_test(spoken_cases),
		cmocka_unit_test(attack_names),
		cmocka_unit_test(block_on),
		cmocka_unit_test(ipv6_prefix),
		cmocka_unit_test(blockable),
		cmocka_unit_test(refused),
		cmocka_unit_test(gate_cases),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
