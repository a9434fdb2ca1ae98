/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: streams of which the capture misses bytes: read on, and nobody evades by that */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "wire/wire.h"

enum { CLIENT, SERVER, LINK_RAW = 101 };
enum { FAILED = 0xc000006d }; /* MS-ERREF 2.3.1: LOGON_FAILURE */

static struct wire *w;
static struct sighting last;
static unsigned sightings;
static int64_t now_us;
static uint32_t seq[2];
static uint16_t port; /* of the client */

static int setup(void **state)
{
	(void)state;
	w = wire_new(NULL);
	memset(&last, 0, sizeof(last));
	sightings = 0;
	now_us = 1000000;
	port = 40000;
	seq[CLIENT] = 0xffffffd0u, seq[SERVER] = 7000;
	return w ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	wire_free(w);
	return 0;
}

static void be32(uint8_t *p, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(n >> (24 - 8 * i));
}

static void packet(int dir, uint8_t flags, uint32_t at, uint32_t ack, const void *b, size_t len)
{
	static uint8_t p[2048];
	struct pkt_in in = { .linktype = LINK_RAW, .ts_us = now_us, .bytes = p };
	struct sighting got;

	memset(p, 0, 40);
	p[0] = 0x45, p[8] = 64, p[9] = 6;
	in.caplen = in.len = (uint32_t)(40 + len);
	p[2] = (uint8_t)(in.len >> 8), p[3] = (uint8_t)in.len;
	memcpy(p + 12, dir == CLIENT ? "\x0a\0\0\1\x0a\0\0\2" : "\x0a\0\0\2\x0a\0\0\1", 8);
	memcpy(p + 20, dir == CLIENT ? "\0\0\0\x50" : "\0\x50\0\0", 4);
	p[dir == CLIENT ? 20 : 22] = (uint8_t)(port >> 8);
	p[dir == CLIENT ? 21 : 23] = (uint8_t)port;
	be32(p + 24, at), be32(p + 28, ack);
	p[32] = 0x50, p[33] = flags;
	if (len)
		memcpy(p + 40, b, len);
	if (wire_packet(w, &in, &got)) {
		last = got;
		sightings++;
	}
	now_us += 1000;
}

static void connect_tcp(void)
{
	packet(CLIENT, TCP_SYN, seq[CLIENT]++, 0, NULL, 0);
	packet(SERVER, TCP_SYN | TCP_ACK, seq[SERVER]++, seq[CLIENT], NULL, 0);
	packet(CLIENT, TCP_ACK, seq[CLIENT], seq[SERVER], NULL, 0);
}

static void say(int dir, const void *b, size_t len)
{
	packet(dir, TCP_ACK, seq[dir], seq[!dir], b, len);
	seq[dir] += (uint32_t)len;
}

/* Nobody sees these. */
static void lose(int dir, size_t len)
{
	seq[dir] += (uint32_t)len;
}

static void ack(int dir)
{
	packet(dir, TCP_ACK, seq[dir], seq[!dir], NULL, 0);
}

/* An SMB2 message of `len` bytes, MS-SMB2 2.2.1. */
static const uint8_t *smb2(uint8_t cmd, bool response, uint32_t status, size_t len)
{
	static uint8_t m[1400];

	memset(m, 0, sizeof(m));
	m[2] = (uint8_t)((len - 4) >> 8), m[3] = (uint8_t)(len - 4);
	memcpy(m + 4, "\xfeSMB\x40", 5);
	memcpy(m + 12, (uint8_t[]){ status & 255, status >> 8 & 255, status >> 16 & 255,
			    status >> 24 }, 4);
	m[16] = cmd, m[20] = response;
	m[68] = cmd == 1 ? 9 : 36;
	return m;
}

static struct wire_stats stats(void)
{
	struct wire_stats st;

	wire_get_stats(w, &st);
	return st;
}

static void first_lost(void **state)
{
	(void)state;
	connect_tcp();
	lose(CLIENT, 200);
	say(CLIENT, smb2(1, false, 0, 120), 120);
	assert_int_equal(sightings, 0); /* it may still come */
	ack(SERVER);                    /* the server has it */
	assert_int_equal(last.facts.app, APP_SMB);
	assert_int_equal(stats().gaps, 1);
	assert_int_equal(stats().resumed, 1);
}

/* The length of half a message tells where the next begins. */
static void middle_lost(void **state)
{
	const uint8_t *m = smb2(1, false, 0, 900);

	(void)state;
	connect_tcp();
	say(CLIENT, m, 100);
	lose(CLIENT, 700);
	say(CLIENT, m + 800, 100);
	say(SERVER, smb2(1, true, FAILED, 90), 90);
	assert_int_equal(last.facts.smb.logon_failures, 1);
	lose(SERVER, 300);
	for (int i = 0; i < 3; i++)
		say(SERVER, smb2(1, true, FAILED, 90), 90);
	assert_int_equal(last.facts.smb.logon_failures, 1);
	ack(CLIENT);
	assert_int_equal(last.facts.smb.logon_failures, 4);
	assert_int_equal(stats().gaps, 2);
}

/* Where the message begins in the middle of what is there. */
static void boundary_inside(void **state)
{
	uint8_t b[300] = { 1, 2, 3 };

	(void)state;
	connect_tcp();
	say(SERVER, smb2(1, true, FAILED, 90), 90);
	lose(SERVER, 1000);
	memcpy(b + 77, smb2(1, true, FAILED, 90), 90);
	say(SERVER, b, 77 + 90);
	ack(CLIENT);
	assert_int_equal(last.facts.smb.logon_failures, 2);
}

/* The peer lacks them too: they are waited for, however long, and used. */
static void held(void **state)
{
	uint8_t m[120];
	uint32_t start;

	(void)state;
	memcpy(m, smb2(1, false, 0, 120), 120);
	connect_tcp();
	start = seq[CLIENT];
	lose(CLIENT, 120);
	for (int i = 0; i < 20; i++) {
		say(CLIENT, "xxxxxxxxxxxxxxx", 15);
		packet(SERVER, TCP_ACK, seq[SERVER], start, NULL, 0);
		now_us += 60000000;
	}
	assert_int_equal(sightings, 0);
	for (uint32_t at = 0; at < 120; at += 10)
		packet(CLIENT, TCP_ACK, start + at, seq[SERVER], m + at, 10);
	assert_int_equal(last.facts.app, APP_SMB);
	assert_int_equal(stats().gaps, 0);
}

/* Bytes far ahead do not make the sensor forget the beginning. */
static void far_ahead(void **state)
{
	uint8_t m[120];
	uint32_t start;

	(void)state;
	memcpy(m, smb2(1, false, 0, 120), 120);
	connect_tcp();
	start = seq[CLIENT];
	packet(CLIENT, TCP_ACK, start + 9000, seq[SERVER], "zzzzzzzzzzzz", 12);
	packet(CLIENT, TCP_ACK, start + 20000, seq[SERVER], m, 7);
	for (uint32_t at = 0; at < 120; at += 6)
		packet(CLIENT, TCP_ACK, start + at, seq[SERVER], m + at, 6);
	assert_int_equal(last.facts.app, APP_SMB);
	assert_int_equal(stats().gaps, 0);
	assert_int_equal(stats().outside, 2);
}

/* Not even if they look like what is looked for: with that the beginning would be forgotten,
 * and pieces that come in another order be lost. */
static void far_lie(void **state)
{
	uint8_t m[120];
	uint32_t start;

	(void)state;
	for (int complete = 0; complete < 2; complete++) {
		teardown(state), setup(state);
		memcpy(m, smb2(1, true, FAILED, 120), 120);
		connect_tcp();
		start = seq[SERVER];
		packet(SERVER, TCP_ACK, start + 70000, seq[CLIENT], m, complete ? 120 : 9);
		packet(CLIENT, TCP_ACK, seq[CLIENT], start, NULL, 0);
		for (uint32_t at = 60; at < 120; at += 6)
			packet(SERVER, TCP_ACK, start + at, seq[CLIENT], m + at, 6);
		for (uint32_t at = 0; at < 60; at += 6)
			packet(SERVER, TCP_ACK, start + at, seq[CLIENT], m + at, 6);
		assert_int_equal(last.facts.app, APP_SMB);
		assert_int_equal(last.facts.smb.logon_failures, 1);
	}
}

/* More was lost than is ever kept: what comes behind it is read on. */
static void far_lost(void **state)
{
	(void)state;
	for (int heard = 0; heard < 2; heard++) {
		teardown(state), setup(state);
		connect_tcp();
		say(SERVER, smb2(1, true, FAILED, 90), 90);
		lose(SERVER, 100000);
		say(SERVER, smb2(1, true, FAILED, 90), 90);
		if (heard)
			ack(CLIENT);
		else
			now_us += 3000000;
		say(SERVER, smb2(1, true, FAILED, 90), 90);
		assert_int_equal(last.facts.smb.logon_failures, 2);
	}
}

/* One side only: nobody will tell, so time does. */
static void one_side(void **state)
{
	(void)state;
	packet(SERVER, TCP_SYN | TCP_ACK, seq[SERVER]++, seq[CLIENT], NULL, 0);
	say(SERVER, smb2(1, true, FAILED, 90), 90);
	assert_int_equal(last.facts.smb.logon_failures, 1);
	lose(SERVER, 200);
	say(SERVER, smb2(1, true, FAILED, 90), 90);
	now_us += 500000;
	say(SERVER, smb2(1, true, FAILED, 90), 90);
	assert_int_equal(last.facts.smb.logon_failures, 1);
	now_us += 2500000;
	say(SERVER, smb2(1, true, FAILED, 90), 90);
	assert_int_equal(last.facts.smb.logon_failures, 4);
	assert_int_equal(last.server_port, 80);
}

static void at_the_end(void **state)
{
	struct sighting s;

	(void)state;
	connect_tcp();
	lose(CLIENT, 200);
	say(CLIENT, smb2(1, false, 0, 120), 120);
	lose(CLIENT, 30);
	say(CLIENT, smb2(3, false, 0, 120), 60); /* and half a message */
	assert_int_equal(sightings, 0);
	assert_true(wire_finish(w, &s));
	assert_int_equal(s.facts.app, APP_SMB);
	assert_int_equal(s.client_port, 40000);
	while (wire_finish(w, &s))
		;
	assert_false(wire_finish(w, &s));
}

/* A SYN in the middle: the server goes on where it was, and so must we. */
static void syn_inside(void **state)
{
	uint8_t m[120];

	(void)state;
	memcpy(m, smb2(1, false, 0, 120), 120);
	connect_tcp();
	say(CLIENT, "hello", 5), say(SERVER, "hello", 5);
	packet(CLIENT, TCP_RST, seq[CLIENT] + 70000, 0, NULL, 0);
	packet(CLIENT, TCP_SYN, seq[CLIENT] + 50000, 0, NULL, 0);
	ack(SERVER); /* a challenge */
	for (size_t at = 0; at < 120; at += 12)
		say(CLIENT, m + at, 12);
	assert_int_equal(last.facts.app, APP_SMB);
	assert_false(last.midstream);
}

static void pieces(const uint8_t *m, size_t len)
{
	for (size_t at = 0; at < len; at += 12)
		say(CLIENT, m + at, len - at < 12 ? len - at : 12);
}

static void is_found(const char *how)
{
	uint8_t m[120];

	memcpy(m, smb2(1, false, 0, 120), 120);
	pieces(m, sizeof(m));
	if (last.facts.app != APP_SMB || last.midstream || !last.tcp_handshake ||
	    last.client_port != 40000)
		fail_msg("%s hides it", how);
}

/* A client that plays the server for us: no host answers what it sends. */
static void client_answers(void **state)
{
	(void)state;
	packet(CLIENT, TCP_SYN | TCP_ACK, seq[CLIENT] + 5000, 99, NULL, 0);
	packet(SERVER, TCP_RST, 99, 0, NULL, 0);
	connect_tcp();
	is_found("an answer before the SYN");

	teardown(state), setup(state);
	packet(CLIENT, TCP_SYN, seq[CLIENT]++, 0, NULL, 0);
	packet(CLIENT, TCP_SYN | TCP_ACK, seq[CLIENT] - 1, 99, "xxxx", 4);
	packet(SERVER, TCP_SYN | TCP_ACK, seq[SERVER]++, seq[CLIENT], NULL, 0);
	packet(CLIENT, TCP_ACK, seq[CLIENT], seq[SERVER], NULL, 0);
	is_found("an answer behind the SYN");

	teardown(state), setup(state);
	connect_tcp();
	say(CLIENT, "hello", 5), say(SERVER, "hello", 5);
	packet(CLIENT, TCP_SYN, seq[CLIENT] + 50000, 0, NULL, 0);
	packet(CLIENT, TCP_SYN | TCP_ACK, 99, seq[CLIENT] + 50001, NULL, 0);
	is_found("an answer to the client's own SYN");
}

/* Bytes that the host throws away are not the first ones that it reads, however they begin. */
#define DECOY "\3\0\0\x13\x0e\xe0\0\0", 8
static void unread(void **state)
{
	(void)state;
	packet(CLIENT, TCP_SYN, seq[CLIENT]++, 0, DECOY);
	packet(SERVER, TCP_SYN | TCP_ACK, seq[SERVER]++, seq[CLIENT], NULL, 0);
	packet(CLIENT, TCP_ACK, seq[CLIENT], seq[SERVER], NULL, 0);
	is_found("what came with the SYN");

	teardown(state), setup(state);
	packet(CLIENT, TCP_SYN, seq[CLIENT]++, 0, DECOY);
	packet(SERVER, TCP_SYN | TCP_ACK, seq[SERVER]++, seq[CLIENT], NULL, 0);
	packet(CLIENT, TCP_ACK, seq[CLIENT], seq[SERVER], NULL, 0);
	packet(CLIENT, TCP_SYN, seq[CLIENT] + 50000, 0, NULL, 0);
	packet(CLIENT, TCP_ACK, seq[CLIENT] + 50001, seq[SERVER], DECOY);
	is_found("what came with the SYN, with another behind it");

	teardown(state), setup(state);
	connect_tcp();
	packet(CLIENT, TCP_SYN, seq[CLIENT] - 1, 0, DECOY);
	packet(CLIENT, TCP_RST, seq[CLIENT], 0, DECOY);
	ack(SERVER);
	is_found("what comes with a SYN or a reset");

	/* it did take them (RFC 7413) */
	teardown(state), setup(state);
	packet(CLIENT, TCP_SYN, seq[CLIENT]++, 0, smb2(1, false, 0, 120), 120);
	seq[CLIENT] += 120;
	packet(SERVER, TCP_SYN | TCP_ACK, seq[SERVER]++, seq[CLIENT], NULL, 0);
	assert_int_equal(last.facts.app, APP_SMB);
	assert_int_equal(stats().flows, 1);
}

/* Whose buffer another flow needed begins anew with the next. */
static void evicted(void **state)
{
	static const struct wire_conf one = { .streams = 1 };
	uint8_t m[120];
	uint32_t start;

	teardown(state);
	w = wire_new(&one);
	connect_tcp();
	say(SERVER, smb2(1, true, FAILED, 90), 90);
	lose(SERVER, 90);
	say(SERVER, "xxxx", 4); /* waits */
	port = 1;
	packet(CLIENT, TCP_ACK, 1, 1, smb2(1, false, 0, 120), 20); /* needs the only buffer */
	port = 40000;
	now_us += 10000000;
	memcpy(m, smb2(1, true, FAILED, 120), 120);
	start = seq[SERVER];
	packet(SERVER, TCP_ACK, start, seq[CLIENT], m, 20);
	packet(SERVER, TCP_ACK, start + 70, seq[CLIENT], m + 70, 50);
	assert_int_equal(last.facts.smb.logon_failures, 1); /* the rest may still come */
	packet(SERVER, TCP_ACK, start + 20, seq[CLIENT], m + 20, 50);
	assert_int_equal(last.facts.smb.logon_failures, 2);
	assert_int_equal(stats().gaps, 0);
}

/* Others' keep-alives do not push out what was recognised. */
static void envelopes(void **state)
{
	static const struct wire_conf two = { .facts = 2 };

	teardown(state);
	w = wire_new(&two);
	connect_tcp();
	say(SERVER, smb2(1, true, FAILED, 90), 90);
	for (port = 1; port < 20; port++) {
		now_us += 1000000;
		packet(CLIENT, TCP_ACK, 1, 1, "\x85\0\0", 4);
	}
	port = 40000;
	say(SERVER, smb2(1, true, FAILED, 90), 90);
	assert_int_equal(last.facts.smb.logon_failures, 2);
	assert_int_equal(stats().facts_evicted, 18);
}

/* The same ports again: at once where the server ended, else when it answers. */
static void ports_again(void **state)
{
	(void)state;
	for (int ended = 0; ended < 2; ended++) {
		teardown(state), setup(state);
		connect_tcp();
		say(CLIENT, "hello", 5), say(SERVER, "hello", 5);
		if (ended)
			packet(SERVER, TCP_RST, seq[SERVER], 0, NULL, 0);
		seq[CLIENT] += 123456, seq[SERVER] += 99999;
		connect_tcp();
		say(CLIENT, smb2(1, false, 0, 120), 120);
		assert_int_equal(last.facts.app, APP_SMB);
		assert_true(last.tcp_handshake);
		assert_false(last.midstream);
		assert_int_equal(stats().flows, 2);
		assert_int_equal(last.client_port, 40000);
	}
}

/* By two interfaces: the second sees again what the first saw, some packets later. */
static void seen_twice(void **state)
{
	(void)state;
	for (int twice = 0; twice < 2; twice++) {
		uint32_t c = seq[CLIENT], s = seq[SERVER];

		seq[CLIENT] = c, seq[SERVER] = s;
		connect_tcp();
		say(CLIENT, smb2(1, false, 0, 120), 120);
		say(SERVER, smb2(1, true, FAILED, 90), 90);
		say(SERVER, smb2(1, true, FAILED, 90), 90);
		ack(CLIENT);
		assert_int_equal(last.facts.smb.logon_failures, 2);
		if (!twice)
			seq[CLIENT] = c, seq[SERVER] = s;
	}
	assert_int_equal(stats().flows, 1);
	assert_int_equal(stats().gaps, 0);
	assert_int_equal(stats().old_segments, 3);
}

/* In the middle of anything, in pieces that no packet shows. */
static void pieces_behind(void **state)
{
	uint8_t m[120];

	(void)state;
	memcpy(m, smb2(1, false, 0, 120), 120);
	for (size_t n = 1; n < 40; n++) {
		teardown(state), setup(state);
		connect_tcp();
		for (int i = 0; i < 20; i++) {
			say(CLIENT, "GET / HTTP/1.1\r\n\r\n", 18);
			say(SERVER, "HTTP/1.1 200 OK\r\n\r\n", 19);
		}
		for (size_t at = 0; at < 120; at += n)
			say(CLIENT, m + at, n < 120 - at ? n : 120 - at);
		if (last.facts.app != APP_SMB)
			fail_msg("pieces of %zu are not seen", n);
	}
}

/* A keep-alive probe repeats a byte, often 0, as a message might begin. */
static void keep_alive(void **state)
{
	(void)state;
	say(CLIENT, "whatever", 8);
	packet(CLIENT, TCP_ACK, seq[CLIENT] - 1, seq[SERVER], "\0", 1);
	say(CLIENT, smb2(1, false, 0, 120), 120);
	assert_int_equal(last.facts.app, APP_SMB);
}

/* The connection request was not captured, and the confirm says nothing of RDP. */
static void mcs_alone(void **state)
{
	uint8_t m[100] = "\3\0\0\x64\2\xf0\x80\x7f\x65";

	(void)state;
	memcpy(m + 40, "Duca\x20\x01\xc0\x10\0", 9);
	connect_tcp();
	lose(CLIENT, 40), lose(SERVER, 11);
	say(CLIENT, m, sizeof(m));
	ack(SERVER);
	assert_int_equal(last.facts.app, APP_RDP);
	assert_int_equal(last.client_port, 40000);
	/* T.125 of others, or S7 */
	teardown(state), setup(state);
	memcpy(m + 40, "McDu", 4);
	say(CLIENT, m, sizeof(m));
	assert_int_equal(sightings, 0);
	teardown(state), setup(state);
	m[7] = 0x32;
	say(CLIENT, m, sizeof(m));
	assert_int_equal(sightings, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_lost),
		TEST(middle_lost),
		TEST(boundary_inside),
		TEST(held),
		TEST(far_ahead),
		TEST(far_lie),
		TEST(far_lost),
		TEST(one_side),
		TEST(at_the_end),
		TEST(syn_inside),
		TEST(client_answers),
		TEST(unread),
		TEST(evicted),
		TEST(envelopes),
		TEST(ports_again),
		TEST(seen_twice),
		TEST(pieces_behind),
		TEST(keep_alive),
		TEST(mcs_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
