/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the shipped guards at once: what each hits, its benign twin, and chance */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cordon/flowspace.h>
#include <cordon/guard.h>
#include <cordon/rules.h>

#include "wire/guards.h"

static struct fs *fs;
static struct guards *set;

static int set_up(void **state)
{
	(void)state;
	if (rules_shipped_guards(&fs) < 0 || !(set = guards_new()))
		return -1;
	for (uint32_t i = 0; i < fs->table[FS_GUARDS].count; i++) {
		const struct guard *g = FS_AT(fs, FS_GUARDS, struct guard, i);

		if (g->where != GUARD_BUILTIN &&
		    !guards_add(set, i, (enum guard_where)g->where, (enum guard_dir)g->dir,
			g->alternative_len,
			FS_AT(fs, FS_GUARD_TERMS, struct guard_term, g->term_first)))
			return -1;
	}
	guards_ready(set);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guards_free(set);
	free(fs);
	return 0;
}

static const struct guard *guard_at(uint32_t i)
{
	return FS_AT(fs, FS_GUARDS, struct guard, i);
}

/* The guards that hit, "id id", in alphabetical order (as they are numbered). */
static const char *hit_by(enum guard_dir sent, const void *payload, size_t len)
{
	static char text[256];
	uint32_t hit[GUARDS_HITS_MAX];
	size_t n = guards_match(set, sent, payload, len, hit);

	text[0] = '\0';
	for (uint32_t i = 0; i < fs->table[FS_GUARDS].count; i++)
		for (size_t k = 0; k < n; k++)
			if (hit[k] == i)
				snprintf(text + strlen(text), sizeof(text) - strlen(text),
				    "%s%s", text[0] ? " " : "", fs_str(fs, guard_at(i)->id));
	return text;
}

#define SERVER(p, len) hit_by(GUARD_TO_SERVER, p, len)
#define CLIENT(p, len) hit_by(GUARD_TO_CLIENT, p, len)
#define EITHER(p, len) hit_by(GUARD_BOTH, p, len)

static uint8_t p[512];

static void smb1(uint8_t command, uint8_t flags, uint8_t words)
{
	memset(p, 0, sizeof(p));
	p[3] = 200;
	memcpy(p + 4, "\xffSMB", 4);
	p[8] = command;
	p[13] = flags;
	p[36] = words;
}

static void smb2(uint8_t command, bool answer)
{
	memset(p, 0, sizeof(p));
	p[3] = 200;
	memcpy(p + 4, "\xfeSMB\x40", 5);
	p[16] = command;
	p[20] = answer;
}

static void wide(uint8_t *at, const char *s)
{
	for (; *s; s++, at += 2) {
		at[0] = (uint8_t)*s;
		at[1] = 0;
	}
}

static void test_ms17_010(void **state)
{
	(void)state;
	smb1(0xa0, 0x18, 19);
	assert_string_equal(SERVER(p, 200), "");
	p[46] = 1; /* TotalDataCount 0x10000 */
	assert_string_equal(SERVER(p, 200), "ms17-010-nttrans");
	assert_string_equal(CLIENT(p, 200), "");
	p[46] = 0;
	p[73] = 4; /* NOTIFY_CHANGE */
	assert_string_equal(SERVER(p, 200), "");
	p[73] = 5;
	assert_string_equal(SERVER(p, 200), "ms17-010-nttrans");
	smb1(0x25, 0x18, 16);
	p[63] = 2;
	p[65] = 0x23;
	assert_string_equal(SERVER(p, 200), "ms17-010-probe");
	p[67] = 0x40; /* of a pipe that is open */
	assert_string_equal(SERVER(p, 200), "");
	smb1(0xa0, 0x98, 19); /* what nobody has to set right: an answer's bit, reserved */
	p[38] = 1;
	p[46] = 1;
	assert_string_equal(SERVER(p, 200), "ms17-010-nttrans");
	p[46] = 0;
	p[73] = 5;
	assert_string_equal(SERVER(p, 200), "ms17-010-nttrans");
	p[36] = 18; /* an answer of five bytes */
	assert_string_equal(EITHER(p, 200), "");
	smb1(0x32, 0x98, 15);
	p[63] = 1;
	p[65] = 14;
	assert_string_equal(SERVER(p, 200), "ms17-010-trans2");
	smb1(0x73, 0x98, 12);
	assert_string_equal(SERVER(p, 200), "smb1");
	smb1(0x72, 0x98, 0);
	p[9] = 1;
	assert_string_equal(SERVER(p, 200), "smb1-negotiate");
	smb2(0, false); /* the structure size of a header is 64; the frame of any length */
	p[8] = 0;
	assert_string_equal(SERVER(p, 200), "ms17-010-groom");
}

static void test_doublepulsar(void **state)
{
	static const uint8_t mids[] = { 0x51, 0x52, 0x61, 0x62, 0x71, 0x72 };

	(void)state;
	smb1(0x32, 0x98, 0);
	p[9] = 2;
	p[12] = 0xc0;
	p[34] = 65; /* what a clean host says */
	assert_string_equal(CLIENT(p, 40), "");
	for (size_t i = 0; i < sizeof(mids); i++) {
		p[34] = mids[i];
		assert_string_equal(CLIENT(p, 40), "doublepulsar");
		assert_string_equal(SERVER(p, 40), "");
		assert_string_equal(EITHER(p, 40), "doublepulsar");
	}
	p[9] = 0;
	assert_string_equal(CLIENT(p, 40), "");
}

/* T.125 Connect-Initial as mstsc and FreeRDP send it, and with other numbers. */
static const uint8_t connect_initial[] = "\3\0\1\xa0\2\xf0\x80\x7f\x65\x82\1\x94\4\1\1\4\1\1"
    "\1\1\xff\x30\x19\2\1\x22\2\1\2\2\1\0\2\1\1\2\1\0\2\1\1\2\2\xff\xff\2\1\2\x30\x19";

static void mcs(void)
{
	memset(p, 0, sizeof(p));
	memcpy(p, connect_initial, sizeof(connect_initial) - 1);
}

static void test_rdp(void **state)
{
	static const uint8_t termdd[] = { 2, 4, 0, 0, 0, 0 };

	(void)state;
	mcs();
	memcpy(p + 300, "rdpsnd\0\0\0\0\0\xc0" "cliprdr\0", 20);
	assert_string_equal(SERVER(p, 416), "");
	p[25] = 3;
	assert_string_equal(SERVER(p, 416), "ms12-020");
	mcs();
	memcpy(p + 23, termdd, sizeof(termdd));
	assert_string_equal(SERVER(p, 416), "ms12-020");
	mcs(); /* two bytes, and a length of four */
	memcpy(p + 23, "\2\2\0\7", 4);
	assert_string_equal(SERVER(p, 416), "ms12-020");
	for (int four = 0; four < 2; four++) {
		mcs();
		memmove(p + 14, p + 12, 90);
		memcpy(p + 9, "\x84\0\0\1\x94", 5);
		assert_string_equal(SERVER(p, 416), "");
		memcpy(p + 25, four ? "\2\4\0\0\0\3" : "\2\1\3", four ? 6 : 3);
		assert_string_equal(SERVER(p, 416), "ms12-020");
	}
	mcs();
	memmove(p + 10, p + 12, 90); /* no conference data: a length of one byte */
	p[9] = 0x5b;
	assert_string_equal(SERVER(p, 101), "ms12-020");
	mcs();
	memcpy(p + 312, "MS_T120", 8);
	assert_string_equal(SERVER(p, 416), "bluekeep");
	memcpy(p + 312, "ms_t120", 8);
	assert_string_equal(SERVER(p, 416), "bluekeep");
	memcpy(p + 312, "MS_T121", 8);
	assert_string_equal(SERVER(p, 416), "");
}

static void test_sessions(void **state)
{
	(void)state;
	smb2(1, true);
	p[68] = 9;
	assert_string_equal(CLIENT(p, 120), "");
	p[70] = 1; /* guest */
	assert_string_equal(CLIENT(p, 120), "");
	p[70] = 2;
	assert_string_equal(CLIENT(p, 120), "null-session");
	p[12] = 0x16; /* more processing required */
	assert_string_equal(CLIENT(p, 120), "");
	smb2(1, false);
	memcpy(p + 109, "NTLMSSP\0\3", 9);
	assert_string_equal(SERVER(p, 204), "null-session-request");
	p[109 + 36] = 4; /* a user of two letters */
	assert_string_equal(SERVER(p, 204), "");
	smb1(0x73, 0x18, 13); /* without NTLMSSP: a password of one NUL, no account */
	p[15] = 0xc0;
	p[51] = 1;
	assert_string_equal(SERVER(p, 120), "null-session-request smb1");
	p[66] = 'B';
	assert_string_equal(SERVER(p, 120), "smb1");
	p[66] = 0;
	p[53] = 24; /* an NT response */
	assert_string_equal(SERVER(p, 120), "smb1");
	smb2(0, true);
	p[68] = 65;
	p[70] = 1;
	assert_string_equal(CLIENT(p, 204), "smb-signing");
	p[70] = 3;
	assert_string_equal(CLIENT(p, 204), "");
	smb1(0x72, 0x98, 17);
	p[39] = 3;
	assert_string_equal(CLIENT(p, 204), "smb-signing");
	p[39] = 0x0f;
	assert_string_equal(CLIENT(p, 204), "");
	smb1(0x72, 0x18, 0);
	assert_string_equal(SERVER(p, 100), "smb1-negotiate");
}

static void create2(size_t at, const char *pipe)
{
	memcpy(p + at, "\xfeSMB\x40", 5);
	p[at + 12] = 5;
	p[at + 108] = 0x78;
	p[at + 110] = (uint8_t)(2 * strlen(pipe));
	wide(p + at + 120, pipe);
}

static void test_pipes(void **state)
{
	static const char *const pipes[] = { "svcctl", "atsvc", "spoolss", "SVCCTL" };
	static const char *const ids[] = { "pipe-svcctl", "pipe-atsvc", "pipe-spoolss",
		"pipe-svcctl" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		smb2(5, false);
		create2(4, pipes[i]);
		assert_string_equal(SERVER(p, 204), ids[i]);
		smb2(5, false); /* behind another request of the frame */
		p[24] = 152;
		create2(4, "wkssvc");
		create2(4 + 152, pipes[i]);
		assert_string_equal(SERVER(p, 400), "pipes-compound");
		smb1(0xa2, 0x18, 24);
		wide(p + 88, "\\");
		wide(p + 90, pipes[i]);
		assert_string_equal(SERVER(p, 204), ids[i]);
		smb1(0xa2, 0x18, 24);
		p[87] = '\\';
		memcpy(p + 88, pipes[i], strlen(pipes[i]));
		assert_string_equal(SERVER(p, 204), ids[i]);
		smb1(0xa2, 0x18, 24); /* no backslash */
		wide(p + 88, pipes[i]);
		assert_string_equal(SERVER(p, 204), ids[i]);
		smb1(0xa2, 0x18, 24);
		memcpy(p + 87, pipes[i], strlen(pipes[i]));
		assert_string_equal(SERVER(p, 204), ids[i]);
		smb2(5, false); /* the name behind a gap */
		create2(4, "");
		p[112] = 0x80;
		p[114] = (uint8_t)(2 * strlen(pipes[i]));
		wide(p + 132, pipes[i]);
		assert_string_equal(SERVER(p, 204), "pipes-compound");
	}
	smb2(5, false);
	create2(4, "svcctX");
	assert_string_equal(SERVER(p, 204), "");
	smb2(9, false); /* the word in a file that is written */
	create2(4, "svcctl");
	p[16] = 9;
	assert_string_equal(SERVER(p, 204), "");
}

static void rpc(size_t at, uint8_t opnum)
{
	memcpy(p + at, "\5\0\0\3\x10\0\0\0", 8);
	p[at + 22] = opnum;
}

static void test_rpc(void **state)
{
	(void)state;
	smb2(11, false);
	rpc(124, 31);
	wide(p + 190, "\\a\\..\\..\\x");
	assert_string_equal(SERVER(p, 400), "ms08-067");
	p[124 + 3] = 1; /* more fragments follow */
	assert_string_equal(SERVER(p, 400), "ms08-067");
	memcpy(p + 124, "\5\0\0\3\0", 5); /* big endian */
	memcpy(p + 124 + 22, "\0\x1f", 2);
	wide(p + 191, "\\a\\..\\..\\x");
	assert_string_equal(SERVER(p, 400), "ms08-067");
	memset(p + 190, 0, 30);
	wide(p + 190, "\\a\\b.\\.c\\x");
	assert_string_equal(SERVER(p, 400), "");
	memset(p, 0, sizeof(p)); /* NetrServerReqChallenge over TCP */
	rpc(0, 4);
	memcpy(p + 24, "\0\0\2\0\5\0\0\0\0\0\0\0\5\0\0\0", 16);
	wide(p + 40, "\\\\DC");
	memcpy(p + 52, "\5\0\0\0\0\0\0\0\5\0\0\0", 12);
	wide(p + 64, "WKS1");
	assert_string_equal(SERVER(p, 82), "zerologon");
	p[20] = 1; /* another context */
	assert_string_equal(SERVER(p, 82), "zerologon");
	memcpy(p + 74, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	assert_string_equal(SERVER(p, 82), "");
	memset(p, 0, sizeof(p));
	memcpy(p, "\5\0\0\3\0", 5); /* big endian */
	p[23] = 4;
	p[25] = 2;
	p[31] = p[39] = 5;
	wide(p + 41, "\\\\DC");
	p[55] = p[63] = 5;
	wide(p + 65, "WKSX");
	assert_string_equal(SERVER(p, 82), "zerologon");
	memcpy(p + 74, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	assert_string_equal(SERVER(p, 82), "");
}

/* How others begin: nothing hits, either way. */
static void test_benign(void **state)
{
#define BYTES(s) { s, sizeof(s) - 1 }
	static const struct {
		const char *bytes;
		size_t len;
	} openings[] = {
		BYTES("GET / HTTP/1.1\r\nHost: erp\r\nUser-Agent: curl/7.88\r\n\r\n"),
		BYTES("POST /wsman HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
		BYTES("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
		BYTES("EHLO mail.example.com\r\n"), BYTES("USER anonymous\r\n"),
		BYTES("\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18\xff\xfd\x03"), /* telnet */
		BYTES("\0\x1c\x12\x34\1\0\0\1\0\0\0\0\0\0\3erp\4test\0\0\1\0\1"), /* DNS */
		BYTES("\0\0\0\xc4\x6a\x81\xc1\x30\x81\xbe\xa1\3\2\1\5\xa2\3\2\1\x0a"), /* Kerberos */
		BYTES("\x12\1\0\x2f\0\0\1\0\0\0\x1a\0\6\1\0\x20\0\1\2\0\x21\0\1\xff"), /* TDS */
		BYTES("\3\0\0\x16\x11\xe0\0\0\0\1\0\xc0\1\x0a\xc1\2\1\0\xc2\2\1\2"), /* S7 */
		BYTES("\3\0\0\x19\2\xf0\x80\x32\1\0\0\4\0\0\x08\0\0\xf0\0\0\1\0\1\1\xe0"),
		BYTES("\x30\x0c\2\1\1\x60\7\2\1\3\4\0\x80\0"), /* LDAP */
		BYTES("\x16\3\1\0\xa5\1\0\0\xa1\3\3\1\2\3\4\5\6\7\x08\x09"), /* TLS */
		BYTES("\5\0\x0b\3\x10\0\0\0\x48\0\0\0\1\0\0\0\xb8\x10\xb8\x10\0\0\0\0"), /* RPC */
		BYTES("\0\1\0\0\0\6\1\3\0\0\0\1"), /* Modbus */
		BYTES("\x1b%-12345X@PJL JOB\r\n"), BYTES("RFB 003.008\n"),
		BYTES("\x81\0\0\x44\x20" "CKFDENECFDEFFCFGEFFCCACACACACACA\0"),
		BYTES("\3\0\0\x27\x22\xe0\0\0\0\0\0Cookie: mstshash=a\r\n\1\0\x08\0\3\0\0\0"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		memset(p, 0, sizeof(p));
		memcpy(p, openings[i].bytes, openings[i].len);
		assert_string_equal(SERVER(p, openings[i].len), "");
		assert_string_equal(SERVER(p, sizeof(p)), "");
		assert_string_equal(CLIENT(p, sizeof(p)), "");
	}
	smb2(0, false);
	assert_string_equal(SERVER(p, 108), "");
	smb2(3, false); /* tree connect, then read, write, close … */
	for (unsigned command = 2; command < 19; command++) {
		p[16] = (uint8_t)command;
		assert_string_equal(SERVER(p, 300), "");
		p[20] = 1;
		assert_string_equal(CLIENT(p, 300), "");
	}
}

/* ---- the index hits what guard_match() hits ---- */

static bool alone(const struct guard *g, enum guard_dir sent, size_t len)
{
	const struct guard_term *t =
	    FS_AT(fs, FS_GUARD_TERMS, struct guard_term, g->term_first);

	if (g->dir != GUARD_BOTH && sent != GUARD_BOTH && g->dir != sent)
		return false;
	for (size_t i = 0; i < GUARD_ALTERNATIVE_MAX && g->alternative_len[i] > 0; i++) {
		if (guard_match(t, g->alternative_len[i], p, len))
			return true;
		t += g->alternative_len[i];
	}
	return false;
}

/* Bytes that alternative a of g wants, in a payload of chance. */
static size_t payload_for(const struct guard *g)
{
	const struct guard_term *t =
	    FS_AT(fs, FS_GUARD_TERMS, struct guard_term, g->term_first);
	size_t base = 0, skip = (size_t)rand() % GUARD_ALTERNATIVE_MAX, a = 0;

	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)rand();
	for (; a < skip && a + 1 < GUARD_ALTERNATIVE_MAX && g->alternative_len[a + 1] > 0; a++)
		t += g->alternative_len[a];
	for (uint8_t i = 0; i < g->alternative_len[a]; i++, t++) {
		size_t at = base + t->offset + (t->within ? (size_t)rand() % 20 : 0);

		for (uint8_t k = 0; k < t->len && at + k < sizeof(p); k++)
			p[at + k] = (uint8_t)((p[at + k] & ~t->mask[k]) | t->value[k]);
		base = t->within ? at : base;
	}
	if (rand() % 3 == 0)
		p[rand() % 100] ^= (uint8_t)(1 << rand() % 8);
	return (size_t)rand() % 8 ? sizeof(p) : (size_t)rand() % sizeof(p);
}

static void test_index(void **state)
{
	unsigned seed = (unsigned)time(NULL), found = 0;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (unsigned n = 0; n < 20000; n++) {
		uint32_t count = fs->table[FS_GUARDS].count;
		size_t len = payload_for(guard_at((uint32_t)rand() % count));
		enum guard_dir sent = (enum guard_dir)(rand() % 3);
		char want[256] = "";

		for (uint32_t i = 0; i < count && len >= GUARDS_PAYLOAD_MIN; i++)
			if (guard_at(i)->where != GUARD_BUILTIN &&
			    alone(guard_at(i), sent, len))
				snprintf(want + strlen(want), sizeof(want) - strlen(want),
				    "%s%s", want[0] ? " " : "",
				    fs_str(fs, guard_at(i)->id));
		assert_string_equal(hit_by(sent, p, len), want);
		found += want[0] != '\0';
	}
	assert_true(found > 1000);
}

/* Payloads of chance: 2^21 here, CORDON_RANDOM_PAYLOADS of them in a long run. */
static void test_chance(void **state)
{
	const char *more = getenv("CORDON_RANDOM_PAYLOADS");
	uint64_t n = more ? strtoull(more, NULL, 10) : 1u << 21, hits = 0;
	uint64_t x = (uint64_t)time(NULL) * 2654435761u + 1;
	uint32_t hit[GUARDS_HITS_MAX];
	double rate = 0;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)x);
	for (uint64_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(p); k += 8) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			memcpy(p + k, &x, 8);
		}
		hits += guards_match(set, GUARD_BOTH, p, sizeof(p), hit);
	}
	for (uint32_t i = 0; i < fs->table[FS_GUARDS].count; i++) {
		const struct guard *g = guard_at(i);
		const struct guard_term *t =
		    FS_AT(fs, FS_GUARD_TERMS, struct guard_term, g->term_first);

		for (size_t k = 0; k < GUARD_ALTERNATIVE_MAX && g->alternative_len[k]; k++) {
			unsigned bits = guard_bits(t, g->alternative_len[k]);

			rate += bits < 64 ? 1.0 / (double)(1ull << bits) : 0x1p-64;
			t += g->alternative_len[k];
		}
	}
	/* of 1,460 bytes each */
	print_message("%llu random payloads, %llu hits; computed: at most %.2g a packet, "
		      "%.2g in 100 GB\n",
	    (unsigned long long)n, (unsigned long long)hits, rate, rate * 100e9 / 1460);
	assert_int_equal(hits, 0);
	assert_true(rate < 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ms17_010),
		cmocka_unit_test(test_doublepulsar),
		cmocka_unit_test(test_rdp),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_pipes),
		cmocka_unit_test(test_rpc),
		cmocka_unit_test(test_benign),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
