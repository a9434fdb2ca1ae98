/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: floods of ten times the flow table: bounded, counted, real flows still known */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "wire/wire.h"

enum { FLOWS = 1024, STREAMS = 16, FACTS = 64, FLOOD = 10 * FLOWS, REAL = 24 };

static struct wire *w;
static uint32_t forged; /* flows of the flood so far */
static int64_t now_us;
static unsigned recognised;

static void packet(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport, uint32_t seq,
    uint32_t ack, uint8_t flags, const void *data, size_t len)
{
	uint8_t p[200] = { 0x45, 0, 0, (uint8_t)(40 + len), 0, 0, 0, 0, 64, 6 };
	const uint32_t words[] = { src, dst, (uint32_t)sport << 16 | dport, seq, ack };
	struct sighting got;

	for (int i = 0; i < 20; i++)
		p[12 + i] = (uint8_t)(words[i / 4] >> (24 - i % 4 * 8));
	p[32] = 0x50;
	p[33] = flags;
	if (len)
		memcpy(p + 40, data, len);
	now_us += 10;
	if (wire_packet(w, &(struct pkt_in){ .linktype = 101, .ts_us = now_us, .bytes = p,
		.caplen = (uint32_t)(40 + len), .len = (uint32_t)(40 + len) }, &got) &&
	    got.facts.app == APP_SMB && got.news & NEWS_APP)
		recognised++;
}

/* n packets of as many flows that never were before. */
static void flood(unsigned n, bool syn, const void *data, size_t len)
{
	for (unsigned i = 0; i < n; i++, forged++)
		packet(0x0b000000 + forged, (uint16_t)(1024 + rand() % 60000), 0x0a000002, 445,
		    (uint32_t)rand(), 0, syn ? TCP_SYN : TCP_ACK, data, len);
}

/* SMB1 negotiate, in two pieces so that the second needs what the first left. */
static const uint8_t negotiate[] = "\0\0\0\x2f\xffSMBr\0\0\0\0\x18\x53\xc8\0\0\0\0\0\0\0"
    "\0\0\0\0\0\xff\xff\xff\xfe\0\0\0\0\0\x0c\0\2NT LM 0.12";
enum { NEGOTIATE_LEN = 51, PIECE = 20 };

struct real {
	uint32_t client;
	uint16_t port;
};

static void open_real(const struct real *r)
{
	packet(r->client, r->port, 0x0a000002, 445, 1000, 0, TCP_SYN, NULL, 0);
	packet(0x0a000002, 445, r->client, r->port, 5000, 1001, TCP_SYN | TCP_ACK, NULL, 0);
	packet(r->client, r->port, 0x0a000002, 445, 1001, 5001, TCP_ACK, NULL, 0);
}

static void say_real(const struct real *r, size_t from, size_t to)
{
	packet(r->client, r->port, 0x0a000002, 445, 1001 + (uint32_t)from, 5001, TCP_ACK,
	    negotiate + from, to - from);
}

static void start(uint64_t seed)
{
	const struct wire_conf conf = { .flows = FLOWS, .streams = STREAMS, .facts = FACTS,
		.frags = 1, .seed = seed };

	w = wire_new(&conf);
	assert_non_null(w);
	recognised = 0;
	now_us = 1000000000;
}

/* Every flow that was begun is in the table or was let go: none is lost uncounted. */
static void check_counts(unsigned real)
{
	struct wire_stats st;

	wire_get_stats(w, &st);
	assert_int_equal(st.flows, forged + real);
	assert_int_equal(st.flows - st.flows_evicted, FLOWS);
}

static void floods(const void *data, size_t len, bool syn)
{
	struct real r[REAL];
	size_t before;

	start((uint64_t)rand());
	forged = 0;
	before = mallinfo2().uordblks;
	flood(FLOWS, syn, data, len);
	for (int i = 0; i < REAL; i++) {
		r[i] = (struct real){ 0x0a010000 + (uint32_t)i, (uint16_t)(40000 + i) };
		open_real(&r[i]);
		flood(FLOOD / REAL / 2, syn, data, len);
	}
	/* their handshakes stand, however much came since */
	for (int i = 0; i < REAL; i++) {
		say_real(&r[i], 0, NEGOTIATE_LEN);
		flood(FLOOD / REAL / 2, syn, data, len);
	}
	assert_int_equal(recognised, REAL);
	check_counts(REAL);
	assert_int_equal(mallinfo2().uordblks, before);
	wire_free(w);
}

static void syns(void **state)
{
	(void)state;
	floods(NULL, 0, true);
}

static void segments(void **state)
{
	(void)state;
	floods("GET / HTTP/1.0\r\n", 16, false);
}

/* Each forged flow asks for a buffer, of which there are few: a message in two pieces is
 * put together if they follow each other closely, and what was let go is counted. */
static void half_messages(void **state)
{
	struct real r = { 0x0a010001, 40001 };
	struct wire_stats st;

	(void)state;
	start((uint64_t)rand());
	forged = 0;
	open_real(&r);
	flood(FLOOD, false, negotiate, PIECE);
	say_real(&r, 0, PIECE);
	flood(STREAMS - 1, false, negotiate, PIECE);
	say_real(&r, PIECE, NEGOTIATE_LEN);
	assert_int_equal(recognised, 1);
	wire_get_stats(w, &st);
	assert_true(st.streams_evicted >= FLOOD - STREAMS);
	assert_int_equal(st.facts_evicted, 0);
	check_counts(1);
	wire_free(w);
}

/* Recognised flows are what is given up last. */
static void recognised_stay(void **state)
{
	struct real r[REAL];
	struct wire_stats st;

	(void)state;
	start((uint64_t)rand());
	forged = 0;
	for (int i = 0; i < REAL; i++) {
		r[i] = (struct real){ 0x0a010000 + (uint32_t)i, (uint16_t)(40000 + i) };
		open_real(&r[i]);
		say_real(&r[i], 0, NEGOTIATE_LEN);
	}
	flood(FLOOD, false, "GET / HTTP/1.0\r\n", 16);
	wire_get_stats(w, &st);
	assert_int_equal(st.facts_evicted, 0);
	for (int i = 0; i < REAL; i++) /* a retransmission: of a flow that is known */
		say_real(&r[i], 0, NEGOTIATE_LEN);
	wire_get_stats(w, &st);
	assert_int_equal(recognised, REAL);
	assert_int_equal(st.old_segments, REAL);
	check_counts(REAL);
	wire_free(w);
}

int main(void)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syns),
		cmocka_unit_test(segments),
		cmocka_unit_test(half_messages),
		cmocka_unit_test(recognised_stay),
	};

	print_message("SEED=%u\n", seed);
	srand(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
