/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the life of conntrack's entries in replay: what no test can wait for */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/replay_ct.h"
#include "wire/decode.h"

enum { CLIENT, SERVER };

/* A connection, and what its ends send next. */
struct talk {
	struct ct ct;
	int64_t now_s;
	uint32_t seq[2];
};

static struct ct_said sends(struct talk *t, unsigned from, uint8_t flags, uint32_t len)
{
	uint8_t head[20] = { 0 };
	struct pkt_view v = { .tcp_flags = flags, .seq = t->seq[from],
		.ack = flags & TCP_ACK ? t->seq[!from] : 0, .wire_len = len };
	struct ct_said said;

	head[12] = 5 << 4;
	head[14] = head[15] = 0xf0; /* window */
	v.body = cursor_of(head, sizeof(head));
	said = ct_packet(&t->ct, &v, from, t->now_s * 1000000);
	t->seq[from] += len + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
	if (said.valid)
		ct_passed(&t->ct);
	return said;
}

static void open_talk(struct talk *t)
{
	*t = (struct talk){ .now_s = 1000, .seq = { 100, 5000 } };
	assert_true(sends(t, CLIENT, TCP_SYN, 0).fresh);
	assert_true(sends(t, SERVER, TCP_SYN | TCP_ACK, 0).valid);
	assert_true(sends(t, CLIENT, TCP_ACK, 0).valid);
	assert_true(sends(t, CLIENT, TCP_ACK, 10).valid);
	assert_true(sends(t, SERVER, TCP_ACK, 0).valid);
}

/* Whether the entry is still there a second before, and gone at the end of its life. */
static void lives(const struct talk *at, unsigned from, int64_t seconds)
{
	struct talk t = *at;

	t.now_s += seconds - 1;
	assert_false(sends(&t, from, TCP_ACK, 1).fresh);
	t = *at;
	t.now_s += seconds;
	assert_true(sends(&t, from, TCP_ACK, 1).fresh);
}

static void test_established(void **state)
{
	struct talk t;

	(void)state;
	open_talk(&t);
	lives(&t, CLIENT, 5 * 86400);
	assert_true(sends(&t, CLIENT, TCP_ACK, 10).valid); /* not acknowledged */
	lives(&t, SERVER, 300);
}

static void test_closing(void **state)
{
	struct talk t;

	(void)state;
	open_talk(&t);
	sends(&t, CLIENT, TCP_FIN | TCP_ACK, 0);
	lives(&t, SERVER, 120);
	sends(&t, SERVER, TCP_ACK, 0);
	lives(&t, SERVER, 60);
	sends(&t, SERVER, TCP_FIN | TCP_ACK, 0);
	lives(&t, CLIENT, 30);
	sends(&t, CLIENT, TCP_ACK, 0);
	lives(&t, CLIENT, 120);
}

static void test_reset(void **state)
{
	struct talk t;

	(void)state;
	open_talk(&t);
	assert_true(sends(&t, SERVER, TCP_RST, 0).valid);
	lives(&t, CLIENT, 10);
}

static void test_answered_by_reset(void **state)
{
	struct talk t;

	(void)state;
	open_talk(&t);
	ct_dropped(&t.ct, true, t.now_s * 1000000);
	lives(&t, CLIENT, 10);
	open_talk(&t);
	ct_dropped(&t.ct, false, t.now_s * 1000000); /* in silence */
	lives(&t, CLIENT, 5 * 86400);
}

/* A SYN again does not renew it; its answer does. */
static void test_opening(void **state)
{
	struct talk t = { .now_s = 1000, .seq = { 100, 5000 } };

	(void)state;
	sends(&t, CLIENT, TCP_SYN, 0);
	t.now_s += 100;
	t.seq[CLIENT] = 100;
	assert_false(sends(&t, CLIENT, TCP_SYN, 0).fresh);
	t.now_s += 20;
	t.seq[CLIENT] = 100;
	assert_true(sends(&t, CLIENT, TCP_SYN, 0).fresh);
	assert_true(sends(&t, SERVER, TCP_SYN | TCP_ACK, 0).reply);
	lives(&t, CLIENT, 60);
}

static void test_picked_up(void **state)
{
	struct talk t = { .now_s = 1000, .seq = { 100, 5000 } };
	struct ct_said said = sends(&t, SERVER, TCP_ACK, 10);

	(void)state;
	assert_true(said.fresh && said.young && !said.reply); /* whoever comes first */
	lives(&t, SERVER, 300);
	said = sends(&t, CLIENT, TCP_ACK, 10);
	assert_true(said.valid && said.reply);
	assert_false(sends(&t, CLIENT, TCP_SYN, 0).valid); /* of the reply's side */
}

static void test_not_confirmed(void **state)
{
	struct talk t = { .now_s = 1000, .seq = { 100, 5000 } };

	(void)state;
	assert_true(sends(&t, CLIENT, TCP_SYN, 0).fresh);
	t.ct.confirmed = false;
	ct_dropped(&t.ct, true, t.now_s * 1000000);
	assert_false(sends(&t, SERVER, TCP_SYN | TCP_ACK, 0).valid);
}

static void test_impossible(void **state)
{
	static const uint8_t flags[] = { 0, TCP_FIN, TCP_SYN | TCP_FIN, TCP_SYN | TCP_RST,
		TCP_FIN | TCP_RST, TCP_URG };
	struct talk t;

	(void)state;
	open_talk(&t);
	for (size_t i = 0; i < sizeof(flags); i++) {
		struct talk copy = t;

		assert_false(sends(&copy, CLIENT, flags[i], 0).valid);
		assert_true(copy.ct.state == t.ct.state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_established),
		cmocka_unit_test(test_closing),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_answered_by_reset),
		cmocka_unit_test(test_opening),
		cmocka_unit_test(test_picked_up),
		cmocka_unit_test(test_not_confirmed),
		cmocka_unit_test(test_impossible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
