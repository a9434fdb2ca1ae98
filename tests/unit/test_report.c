/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the sensor's queue: nothing blocks, nothing is lost uncounted */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "priv/proc.h"
#include "sensor/report.h"

static struct msg_sighting sighting(uint16_t dport, enum sighting_kind kind)
{
	struct msg_sighting s;

	memset(&s, 0, sizeof(s));
	s.kind = (uint8_t)kind;
	s.proto = IPPROTO_TCP;
	s.dport = dport;
	s.count = 1;
	assert_int_equal(netaddr_parse("10.1.0.5", &s.src), 0);
	assert_int_equal(netaddr_parse("10.20.8.11", &s.dst), 0);
	return s;
}

/* Read all that is there; the sum of counts, and the number of messages. */
static uint64_t drain(int fd, unsigned *ret_messages)
{
	union msg_body body;
	struct msg_hdr hdr;
	uint64_t sum = 0;
	int fds[3];

	while (msg_recv(fd, ROLE_SENSOR, ROLE_ENGINE, &hdr, &body, fds) == 1) {
		assert_int_equal(hdr.type, MSG_SIGHTING);
		sum += body.sighting.count;
		(*ret_messages)++;
	}
	return sum;
}

/* Different sightings into a channel that nobody reads: sum = sent + waiting + lost. */
static void full_queue(void **state)
{
	enum { MANY = 5000 };
	unsigned messages = 0;
	struct report *r;
	uint64_t got = 0;
	int pair[2], more;

	(void)state;
	assert_int_equal(proc_channel(pair), 0);
	r = report_new(pair[0]);
	assert_non_null(r);
	for (unsigned i = 0; i < MANY; i++) {
		struct msg_sighting s = sighting((uint16_t)i, SIGHT_DENIED);

		report_sighting(r, &s);
	}
	assert_true(report_waits(r));
	assert_int_equal(report_flush(r), 1);
	assert_int_equal(r->sightings, MANY);
	assert_true(r->lost > 0 && r->lost < MANY);
	do {
		more = report_flush(r);
		got += drain(pair[1], &messages);
	} while (more == 1);
	assert_int_equal(got + r->lost, MANY);
	assert_false(report_waits(r));
	report_free(r);
	close(pair[0]);
	close(pair[1]);
}

/* Without a channel: equal ones merge, what was spoken does not, and all of it reaches
 * the channel that comes later. */
static void waits_for_peer(void **state)
{
	struct msg_sighting a = sighting(445, SIGHT_DENIED),
			    b = sighting(445, SIGHT_SPOKEN);
	unsigned messages = 0;
	struct report *r = report_new(-1);
	int pair[2];

	(void)state;
	assert_non_null(r);
	for (unsigned i = 0; i < 1000; i++)
		report_sighting(r, &a);
	report_sighting(r, &b);
	report_sighting(r, &b);
	assert_int_equal(report_flush(r), -EPIPE);
	assert_int_equal(r->lost, 0);
	assert_int_equal(proc_channel(pair), 0);
	report_channel(r, pair[0]);
	assert_int_equal(report_flush(r), 0);
	assert_int_equal(drain(pair[1], &messages), 1002);
	assert_int_equal(messages, 3);
	report_free(r);
	close(pair[0]);
	close(pair[1]);
}

/* The peer died: what it did not take waits. */
static void broken_channel(void **state)
{
	struct msg_sighting a = sighting(445, SIGHT_DENIED);
	struct report *r;
	int pair[2];

	(void)state;
	assert_int_equal(proc_channel(pair), 0);
	r = report_new(pair[0]);
	assert_non_null(r);
	close(pair[1]);
	report_sighting(r, &a);
	assert_true(report_waits(r));
	assert_int_equal(report_flush(r), -EPIPE);
	assert_true(report_waits(r));
	assert_int_equal(r->lost, 0);
	report_free(r);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(full_queue),
	    cmocka_unit_test(waits_for_peer),
	    cmocka_unit_test(broken_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
