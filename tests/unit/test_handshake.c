/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a handshake is only what a forger could not have sent */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "wire/wire.h"

enum { LINK_RAW = 101, SYN = 2, PSH = 8, ACK = 16, RST = 4 };
enum { CLIENT_ISN = 1000, SERVER_ISN = 0xfffffff0 };

static struct wire *w;

/* A packet by raw IPv4; by the client (10.1.0.9:4000) or the server (10.20.8.11:8080). */
static bool packet(bool by_client, uint32_t seq, uint32_t ack, uint8_t flags, size_t len)
{
	static const uint8_t client[4] = { 10, 1, 0, 9 }, server[4] = { 10, 20, 8, 11 };
	uint8_t b[60] = { 0x45, [8] = 64, [9] = 6 };
	struct pkt_in in = { .linktype = LINK_RAW, .ts_us = 1000000, .bytes = b };
	struct sighting s;
	struct pkt_view v;

	in.caplen = in.len = (uint32_t)(40 + len);
	b[3] = (uint8_t)in.len;
	memcpy(b + 12, by_client ? client : server, 4);
	memcpy(b + 16, by_client ? server : client, 4);
	b[20] = by_client ? 4000 >> 8 : 8080 >> 8;
	b[21] = by_client ? 4000 & 255 : 8080 & 255;
	b[22] = by_client ? 8080 >> 8 : 4000 >> 8;
	b[23] = by_client ? 8080 & 255 : 4000 & 255;
	for (int i = 0; i < 4; i++) {
		b[24 + i] = (uint8_t)(seq >> (24 - 8 * i));
		b[28 + i] = (uint8_t)(ack >> (24 - 8 * i));
	}
	b[32] = 0x50;
	b[33] = flags;
	memset(b + 40, 'x', len);
	assert_int_equal(decode_packet(&in, &v), DECODE_OK);
	(void)wire_packet(w, &in, &s);
	return wire_handshake(w, &v);
}

static int fresh(void **state)
{
	struct wire_conf conf = { 0 };

	(void)state;
	w = wire_new(&conf);
	return w ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	wire_free(w);
	return 0;
}

static void opened(void)
{
	assert_false(packet(true, CLIENT_ISN, 0, SYN, 0));
	assert_false(packet(false, SERVER_ISN, CLIENT_ISN + 1, SYN | ACK, 0));
}

static void honest(void **state)
{
	(void)state;
	opened();
	assert_true(packet(true, CLIENT_ISN + 1, SERVER_ISN + 1, ACK, 0));
	assert_true(packet(true, CLIENT_ISN + 1, SERVER_ISN + 1, PSH | ACK, 10));
	assert_true(packet(false, SERVER_ISN + 1, CLIENT_ISN + 11, PSH | ACK, 10));
}

/* The first acknowledgment comes with data. */
static void honest_at_once(void **state)
{
	(void)state;
	opened();
	assert_true(packet(true, CLIENT_ISN + 1, SERVER_ISN + 1, PSH | ACK, 10));
}

static void forged(void **state)
{
	(void)state;
	assert_false(packet(true, 5, 7, PSH | ACK, 10)); /* no connection */
	assert_false(packet(true, CLIENT_ISN, 0, SYN, 10)); /* data in the SYN */
	opened();
	/* the answer went elsewhere: its number is not known */
	assert_false(packet(true, CLIENT_ISN + 1, 77777, ACK, 0));
	assert_false(packet(true, CLIENT_ISN + 1, SERVER_ISN, ACK, 0));
	assert_false(packet(true, CLIENT_ISN + 1, SERVER_ISN + 2, PSH | ACK, 10));
	assert_false(packet(true, CLIENT_ISN + 1, SERVER_ISN + 1, RST | ACK, 0));
	/* what the server goes on to say makes it no truer */
	assert_false(packet(false, SERVER_ISN + 1, CLIENT_ISN + 11, PSH | ACK, 10));
	assert_false(packet(true, CLIENT_ISN + 11, 77777, PSH | ACK, 10));
}

/* A SYN-ACK that answers another SYN. */
static void not_an_answer(void **state)
{
	(void)state;
	assert_false(packet(true, CLIENT_ISN, 0, SYN, 0));
	assert_false(packet(false, SERVER_ISN, CLIENT_ISN + 99, SYN | ACK, 0));
	assert_false(packet(true, CLIENT_ISN + 1, SERVER_ISN + 1, ACK, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(honest, fresh, end),
		cmocka_unit_test_setup_teardown(honest_at_once, fresh, end),
		cmocka_unit_test_setup_teardown(forged, fresh, end),
		cmocka_unit_test_setup_teardown(not_an_answer, fresh, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
