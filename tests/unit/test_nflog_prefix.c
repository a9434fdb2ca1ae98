/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: log prefixes of the compiled rules: what is ours, what is refused */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/nflog.h"
#include "wire/decode.h"

static bool parse(const char *s, struct nflog_prefix *p)
{
	size_t len = strlen(s);
	uint8_t *exact = malloc(len ? len : 1); /* a sanitizer sees any overrun */
	bool ok;

	assert_non_null(exact);
	memcpy(exact, s, len);
	ok = nflog_parse(exact, len, p);
	free(exact);
	return ok;
}

static void each_kind(void **state)
{
	static const struct {
		const char *prefix;
		enum sighting_kind kind;
		bool copy, established;
		uint32_t generation;
		const char *detail;
	} rows[] = {
	    {"cordon denied g1", SIGHT_DENIED, false, false, 1, ""},
	    {"cordon would_deny g4294967295", SIGHT_WOULD_DENY, false, false,
		UINT32_MAX, ""},
	    {"cordon spoof g0", SIGHT_SPOOF, false, false, 0, ""},
	    {"cordon exposure g7 smb", SIGHT_EXPOSURE, false, true, 7, "smb"},
	    {"cordon guard g7 ms17-010_trans2", SIGHT_GUARD, false, true, 7,
		"ms17-010_trans2"},
	    {"cordon condemned g7", SIGHT_CONDEMNED, false, true, 7, ""},
	    {"cordon blocked g7", SIGHT_BLOCKED, false, false, 7, ""},
	    {"cordon copy g7", SIGHT_KINDS, true, false, 7, ""},
	    {"cordon denied g7 ", SIGHT_DENIED, false, false, 7, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nflog_prefix p;

		assert_true(parse(rows[i].prefix, &p));
		assert_int_equal(p.copy, rows[i].copy);
		assert_int_equal(p.kind, rows[i].kind);
		assert_int_equal(p.generation, rows[i].generation);
		assert_string_equal(p.detail, rows[i].detail);
		assert_int_equal(nflog_established(&p), rows[i].established);
	}
}

static void refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "cordon",
	    "cordon ",
	    "cordon denied",
	    "cordon denied ",
	    "cordon denied g",
	    "cordon denied 7",
	    "cordon denied g-1",
	    "cordon denied g4294967296",
	    "cordon denied g99999999999999999999",
	    "cordon denied g7x",
	    "cordon denied  g7",
	    " cordon denied g7",
	    "Cordon denied g7",
	    "cordon Denied g7",
	    "cordon deniedd g7",
	    "cordon denied g7 two words",
	    "cordon guard g7 a\nb",
	    "cordon guard g7 a\033[m",
	    "cordon guard g7 \xc3\xa4",
	    ("cordon guard g7 "
	     "0123456789012345678901234567890123456789012345678901234567890123"),
	    "other: denied g7",
	};
	struct nflog_prefix p;

	(void)state;
	memset(&p, 0x5a, sizeof(p));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(parse(bad[i], &p));
		assert_int_equal(p.generation, 0x5a5a5a5a); /* untouched */
	}
	/* a zero byte inside is no end */
	assert_false(nflog_parse((const uint8_t *)"cordon guard g7 a\0b", 19, &p));
}

/* Any cut of a good prefix is refused or means the same kind with less detail. */
static void cuts(void **state)
{
	static const char whole[] = "cordon guard g12 eternalblue";
	struct nflog_prefix p;

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		if (!nflog_parse((const uint8_t *)whole, len, &p))
			continue;
		assert_int_equal(p.kind, SIGHT_GUARD);
		assert_true(p.generation == 1 || p.generation == 12);
		assert_memory_equal(p.detail, "eternalblue", strlen(p.detail));
	}
}

static void sighting_of_packet(void **state)
{
	struct pkt_view v = {
	    .proto = IPPROTO_TCP, .tcp_flags = TCP_SYN, .sport = 40000, .dport = 445};
	struct nflog_prefix p;
	struct msg_sighting s;

	(void)state;
	assert_true(parse("cordon exposure g9 smb", &p));
	assert_false(nflog_sighting(&p, &v, 5, &s)); /* no addresses */
	assert_int_equal(netaddr_parse("10.1.0.5", &v.src), 0);
	assert_int_equal(netaddr_parse("fd00::5", &v.dst), 0);
	assert_false(nflog_sighting(&p, &v, 5, &s)); /* two families */
	assert_int_equal(netaddr_parse("10.20.8.11", &v.dst), 0);
	assert_true(nflog_sighting(&p, &v, 5, &s));
	assert_int_equal(s.kind, SIGHT_EXPOSURE);
	assert_int_equal(s.time_us, 5);
	assert_int_equal(s.sport, 40000);
	assert_int_equal(s.dport, 445);
	assert_int_equal(s.generation, 9);
	assert_int_equal(s.count, 1);
	assert_true(s.from_nflog && s.handshake);
	assert_string_equal(s.detail, "smb");
	assert_int_equal(netaddr_cmp(&s.dst, &v.dst), 0);

	v.proto = IPPROTO_ICMP;
	v.icmp_type = 8;
	v.sport = v.dport = 0;
	assert_true(nflog_sighting(&p, &v, 5, &s));
	assert_int_equal(s.dport, 8);
	assert_false(s.handshake); /* only TCP proves one */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_kind),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(cuts),
	    cmocka_unit_test(sighting_of_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
