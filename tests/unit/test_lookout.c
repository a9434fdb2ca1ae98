/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: guards the sensor looks for: what hits is told of its own packet */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "sensor/lookout.h"

enum { LINK_RAW = 101 };

static struct wire *w;
static struct lookout *l;

/* Eight bytes at the start, from a client. */
static void look_for(const char *bytes)
{
	struct msg_sensor_guard m;

	memset(&m, 0, sizeof(m));
	m.total = 1;
	strcpy(m.id, "mine");
	m.where = GUARD_SENSOR;
	m.dir = GUARD_TO_SERVER;
	m.alternative_len[0] = 1;
	m.nterms = 1;
	m.terms[0].len = 8;
	memset(m.terms[0].mask, 0xff, 8);
	memcpy(m.terms[0].value, bytes, 8);
	assert_true(lookout_take(l, &m));
}

static int setup(void **state)
{
	(void)state;
	w = wire_new(NULL);
	l = lookout_new();
	if (!w || !l)
		return -1;
	lookout_watch(l, w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	wire_free(w);
	lookout_free(l);
	return 0;
}

/* From host 10.0.0.`from`; how many guards hit with it. */
static size_t say(uint8_t from, uint8_t seq, const void *b, size_t len)
{
	uint8_t p[256] = { 0x45, 0, 0, (uint8_t)(40 + len), [8] = 64, [9] = 6, [12] = 10,
		[15] = from, [16] = 10, [19] = 99, [20] = 0x9c, [23] = 80, [27] = seq,
		[32] = 0x50, [33] = TCP_ACK };
	struct pkt_in in = { .linktype = LINK_RAW, .bytes = p, .ts_us = 1000000,
		.caplen = (uint32_t)(40 + len), .len = (uint32_t)(40 + len) };
	const char *fired[LOOKOUT_FIRED_MAX];
	struct sighting s;

	memcpy(p + 40, b, len);
	(void)wire_packet(w, &in, &s);
	return lookout_fired(l, w, fired);
}

/* Behind a keep-alive of NetBIOS the stranger's bytes are a message of no protocol, of which
 * nothing is news: the next packet is another's. */
static void own_packet(void **state)
{
	static const uint8_t alive[] = { 0x85, 0, 0, 0, 'e', 'v', 'i', 'l', 'd', 'e', 'e', 'd' };

	(void)state;
	look_for("evildeed");
	assert_int_equal(say(1, 0, alive, 4), 0);
	assert_int_equal(say(1, 4, "evildeed", 8), 1);
	assert_int_equal(say(2, 0, "harmless", 8), 0);
	assert_int_equal(say(3, 0, alive, 12), 1);
	assert_int_equal(say(2, 8, "harmless", 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(own_packet, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
