/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the control socket: questions in pieces, hostile ones, rights, slow readers
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "engine/control.h"
#include "priv/ctl.h"

static struct loop *loop;
static struct control *ctl;
static int listener;
static struct sockaddr_un sun;
static unsigned runs, stops;

static void run_echo(void *arg, struct client *c, const json_t *args)
{
	(void)arg;
	runs++;
	control_row(c, args ? json_deep_copy(args) : json_object());
	control_end(c, 0, NULL);
}

static void run_stop(void *arg, struct client *c, const json_t *args)
{
	(void)arg;
	(void)args;
	stops++;
	control_end(c, 0, NULL);
}

static void run_wait(void *arg, struct client *c, const json_t *args)
{
	(void)arg;
	(void)args;
	control_wait(c, 77, 5000);
}

static void run_watch(void *arg, struct client *c, const json_t *args)
{
	(void)arg;
	(void)args;
	control_watch(c, 1u << 3, "erp");
}

static const struct control_verb verbs[] = {
	{ "echo", false, run_echo },
	{ "stop", true, run_stop },
	{ "wait", false, run_wait },
	{ "watch", false, run_watch },
	{ 0 },
};

static void turn(void)
{
	while (loop_turn(loop, 2000) > 0)
		;
}

static int client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	turn();
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(
	    send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

static char heard[1 << 16];
static const char *hear(int fd)
{
	ssize_t n = recv(fd, heard, sizeof(heard) - 1, 0);

	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

static void question_and_answer(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "{\"verb\":\"echo\",\"args\":{\"a\":1}}\n");
	assert_string_equal(hear(fd), "{\"a\":1}\n{\"end\":true,\"exit\":0}\n");
	say(fd, "{\"verb\":"); /* in pieces, two at once */
	say(fd, "\"echo\"}\n{\"verb\":\"echo\"}\n{\"ve");
	assert_string_equal(
	    hear(fd), "{}\n{\"end\":true,\"exit\":0}\n{}\n{\"end\":true,\"exit\":0}\n");
	close(fd);
	turn();
	assert_int_equal(control_clients(ctl), 0);
}

static void nonsense(void **state)
{
	static const char *const lines[] = { "\n", "{}\n", "[]\n", "null\n",
		"{\"verb\":1}\n", "{\"verb\":\"no-such\"}\n",
		"{\"verb\":\"echo\",\"args\":[]}\n",
		"{\"verb\":\"echo\",\"verb\":\"echo\"}\n", "\xff\xfe\n",
		"{\"verb\":\"\\u0000\"}\n", "{\"verb\":\"echo\"} trailing\n",
		"GET / HTTP/1.1\r\n" };
	unsigned before = runs;
	int fd = client();

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		say(fd, lines[i]);
		assert_non_null(strstr(hear(fd), "\"exit\":2"));
	}
	assert_int_equal(runs, before);
	say(fd, "{\"verb\":\"echo\"}\n"); /* and it still answers */
	assert_non_null(strstr(hear(fd), "\"exit\":0"));
	close(fd);
	turn();
}

/* Whatever bytes come, in whatever pieces: no crash, no run but of whole questions. */
static void random_bytes(void **state)
{
	unsigned seed = 20261122, before = runs;

	(void)state;
	print_message("  seed %u\n", seed);
	for (int round = 0; round < 200; round++) {
		int fd = client();

		for (int i = 0; i < 20; i++) {
			static const char set[] =
			    "{}[]\":,\\u01nve rbechoargs\n\x80\xff";
			char text[256];
			size_t len = (size_t)rand_r(&seed) % sizeof(text);

			for (size_t k = 0; k < len; k++)
				text[k] =
				    set[(size_t)rand_r(&seed) % (sizeof(set) - 1)];
			if (send(fd, text, len, MSG_NOSIGNAL) < 0)
				break;
			turn();
			hear(fd);
		}
		close(fd);
		turn();
	}
	assert_int_equal(control_clients(ctl), 0);
	assert_int_equal(runs, before);
}

static void too_long(void **state)
{
	char line[CTL_LINE_MAX + 2];
	int fd = client();

	(void)state;
	memset(line, ' ', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	say(fd, line);
	assert_non_null(strstr(hear(fd), "too long"));
	assert_int_equal(recv(fd, line, 1, 0), 0); /* and is hung up on */
	close(fd);
	turn();
}

/* The tests' client is uid 0 or the owner: a control socket owned by another. */
static void rights(void **state)
{
	int fd = client();

	(void)state;
	say(fd, "{\"verb\":\"stop\"}\n");
	assert_non_null(strstr(hear(fd), "\"exit\":0"));
	assert_int_equal(stops, 1);
	close(fd);
	turn();
	if (getuid() == 0)
		skip(); /* root may everything; test_engine asks as another user */
	control_free(ctl);
	ctl = control_new(loop, listener, verbs, getuid() + 1, NULL);
	fd = client();
	say(fd, "{\"verb\":\"stop\"}\n");
	assert_non_null(strstr(hear(fd), "\"exit\":5"));
	assert_int_equal(stops, 1);
	close(fd);
	turn();
}

static void late_answers(void **state)
{
	int fd = client(), other;

	(void)state;
	clock_fake(clock_now_us(), 1000000000);
	say(fd, "{\"verb\":\"wait\"}\n{\"verb\":\"echo\"}\n");
	assert_string_equal(hear(fd), ""); /* one after the other */
	assert_null(control_waiting(ctl, 78));
	assert_non_null(control_waiting(ctl, 77));
	control_end(control_waiting(ctl, 77), 0, NULL);
	turn();
	assert_string_equal(
	    hear(fd), "{\"end\":true,\"exit\":0}\n{}\n{\"end\":true,\"exit\":0}\n");
	say(fd, "{\"verb\":\"wait\"}\n");
	clock_fake(clock_now_us(), 1000000000 + 5000001);
	control_tick(ctl);
	turn();
	assert_non_null(strstr(hear(fd), "\"exit\":6"));
	assert_null(control_waiting(ctl, 77));
	other = client();
	say(other, "{\"verb\":\"wait\"}\n");
	close(other); /* went away while it waited: known once there is an answer */
	turn();
	if (control_waiting(ctl, 77))
		control_end(control_waiting(ctl, 77), 0, NULL);
	turn();
	close(fd);
	turn();
	assert_int_equal(control_clients(ctl), 0);
	clock_real();
}

static void watching(void **state)
{
	static char line[4096];
	int fd = client(), quiet = client();
	size_t got = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	assert_false(control_watched(ctl));
	say(fd, "{\"verb\":\"watch\"}\n");
	assert_true(control_watched(ctl));
	control_event(ctl, 3, "erp", "{\"a\":1}", 7);
	control_event(ctl, 2, "erp", "{\"b\":1}", 7);  /* not that kind */
	control_event(ctl, 3, "xray", "{\"c\":1}", 7); /* not that host */
	turn();
	assert_string_equal(hear(fd), "{\"a\":1}\n");
	/* a reader that does not read: bounded, and told afterwards */
	for (int i = 0; i < 10000; i++)
		control_event(ctl, 3, "erp", line, sizeof(line));
	turn();
	for (ssize_t n; (n = recv(fd, heard, sizeof(heard), 0)) > 0; turn())
		got += (size_t)n;
	assert_true(got > 4096 && got < 10000 * sizeof(line) / 4);
	control_event(ctl, 3, "erp", "{\"d\":1}", 7);
	turn();
	assert_non_null(strstr(hear(fd), "{\"skipped\":"));
	assert_non_null(strstr(heard, "{\"d\":1}"));
	assert_string_equal(hear(quiet), "");
	close(fd);
	close(quiet);
	turn();
	assert_false(control_watched(ctl));
	assert_int_equal(control_clients(ctl), 0);
}

static void crowd(void **state)
{
	int fd[CONTROL_CLIENTS + 8];
	char byte;

	(void)state;
	for (int i = 0; i < CONTROL_CLIENTS + 8; i++)
		fd[i] = client();
	assert_int_equal(control_clients(ctl), CONTROL_CLIENTS);
	assert_int_equal(recv(fd[CONTROL_CLIENTS + 7], &byte, 1, 0), 0);
	for (int i = 0; i < CONTROL_CLIENTS + 8; i++)
		close(fd[i]);
	turn();
	assert_int_equal(control_clients(ctl), 0);
}

static int setup(void **state)
{
	(void)state;
	sun.sun_family = AF_UNIX;
	snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "cordon-test-%d",
	    (int)getpid());
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	loop = loop_new();
	if (listener < 0 || !loop ||
	    bind(listener, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    listen(listener, 64) < 0)
		return -1;
	ctl = control_new(loop, listener, verbs, getuid(), NULL);
	return ctl ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	control_free(ctl);
	loop_free(loop);
	return close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_and_answer),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(too_long),
		cmocka_unit_test(late_answers),
		cmocka_unit_test(watching),
		cmocka_unit_test(crowd),
		cmocka_unit_test(rights),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
