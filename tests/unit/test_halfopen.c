/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: SYNs that nothing came of: which are told, when, and how many fit */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "sensor/halfopen.h"
#include "wire/decode.h"

enum { SECOND = 1000000 };

static struct netaddr ip(const char *s)
{
	struct netaddr a;

	assert_int_equal(netaddr_parse(s, &a), 0);
	return a;
}

static void packet(struct halfopens *h, const char *src, uint16_t sport, const char *dst,
    uint16_t dport, uint8_t flags, int64_t at)
{
	struct pkt_view v;

	memset(&v, 0, sizeof(v));
	v.src = ip(src);
	v.dst = ip(dst);
	v.sport = sport;
	v.dport = dport;
	v.proto = IPPROTO_TCP;
	v.tcp_flags = flags;
	halfopen_packet(h, &v, at);
}

#define A "10.1.0.5"
#define B "10.20.8.11"

static void test_what_is_told(void **state)
{
	static const struct {
		const char *what;
		uint8_t client[3], server; /* flags, one a second; the server's in between */
		bool told;
	} rows[] = {
		{ "no answer", { TH_SYN }, 0, true },
		{ "no answer, asked again", { TH_SYN, TH_SYN }, 0, true },
		{ "refused", { TH_SYN }, TH_RST | TH_ACK, true },
		{ "answered, and dropped", { TH_SYN, TH_RST }, TH_SYN | TH_ACK, true },
		{ "dropped with an ACK", { TH_SYN, TH_RST | TH_ACK }, TH_SYN | TH_ACK, true },
		{ "a connection", { TH_SYN, TH_ACK }, TH_SYN | TH_ACK, false },
		{ "its data first", { TH_SYN, TH_ACK | TH_PUSH }, TH_SYN | TH_ACK, false },
		{ "no SYN", { TH_ACK }, TH_ACK, false },
		{ "an answer", { TH_SYN | TH_ACK }, TH_ACK, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct halfopens *h = halfopen_new(7);
		struct halfopen o;

		print_message("  %s\n", rows[i].what);
		assert_non_null(h);
		packet(h, A, 4000, B, 445, rows[i].client[0], 0);
		if (rows[i].server)
			packet(h, B, 445, A, 4000, rows[i].server, SECOND / 2);
		for (int k = 1; k < 3; k++)
			if (rows[i].client[k])
				packet(h, A, 4000, B, 445, rows[i].client[k], k * SECOND);
		assert_false(halfopen_take(h, HALFOPEN_WAIT_US - 1, &o));
		assert_int_equal(halfopen_take(h, HALFOPEN_WAIT_US, &o), rows[i].told);
		if (rows[i].told) {
			assert_int_equal(o.dport, 445);
			assert_int_equal(o.sport, 4000);
			assert_int_equal(netaddr_cmp(&o.src, &(struct netaddr){ 0 }) != 0, 1);
			assert_int_equal(o.ts_us, 0);
		}
		assert_false(halfopen_take(h, 60 * SECOND, &o)); /* once */
		halfopen_free(h);
	}
}

/* The ACK of another connection, of either family, is none of this one. */
static void test_whose(void **state)
{
	struct halfopens *h = halfopen_new(1);
	struct halfopen o;

	(void)state;
	packet(h, A, 4000, B, 445, TH_SYN, 0);
	packet(h, A, 4001, B, 445, TH_ACK, 1);
	packet(h, A, 4000, B, 139, TH_ACK, 1);
	packet(h, B, 445, A, 4000, TH_ACK, 1);
	packet(h, "10.1.0.6", 4000, B, 445, TH_ACK, 1);
	packet(h, "fd00::5", 4000, "fd00::11", 445, TH_SYN, 2);
	packet(h, "fd00::5", 4000, "fd00::12", 445, TH_ACK, 3);
	assert_true(halfopen_take(h, 4 * SECOND, &o));
	assert_true(halfopen_take(h, 4 * SECOND, &o));
	assert_false(halfopen_take(h, 4 * SECOND, &o));
	halfopen_free(h);
}

static void test_flood(void **state)
{
	struct halfopens *h = halfopen_new(99);
	struct halfopen o;
	unsigned n = 0, old = 0;

	(void)state;
	for (unsigned i = 0; i < 20 * HALFOPEN_SLOTS; i++)
		packet(h, A, (uint16_t)i, B, (uint16_t)(i >> 16), TH_SYN, i);
	while (halfopen_take(h, 60 * SECOND, &o)) {
		n++;
		old += o.ts_us < HALFOPEN_SLOTS;
	}
	assert_in_range(n, HALFOPEN_SLOTS / 2, HALFOPEN_SLOTS);
	assert_true(old < n / 2);
	packet(h, A, 1, B, 2, TH_SYN, 0);
	assert_true(halfopen_take(h, 60 * SECOND, &o));
	halfopen_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_told),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
