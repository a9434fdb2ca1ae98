/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a block waits neither for long work of the enforcer nor for what came before */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"
#include "enforcer/aside.h"
#include "enforcer/later.h"
#include "enforcer/request.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"
#include "priv/proc.h"

/* An enforcer with an engine, which is this test: it writes to `engine`. */
static struct enforcer e;
static int engine;

static int setup(void **state)
{
	struct child *c = &e.child[ROLE_ENGINE];
	int pair[2];

	(void)state;
	memset(&e, 0, sizeof(e));
	e.lock_fd = e.ctl_fd = e.state_fd = -1;
	roles_init(&e);
	e.loop = loop_new();
	if (e.loop == NULL || proc_channel(pair) < 0)
		return -1;
	engine = pair[0];
	c->fd = pair[1];
	c->pid = getpid();
	c->ready = true;
	return loop_add_io(e.loop, c->fd, EPOLLIN, request_on_io, c, &c->io);
}

static int teardown(void **state)
{
	struct child *c = &e.child[ROLE_ENGINE];

	(void)state;
	loop_del(&c->io);
	loop_del(&e.later_timer);
	later_clear(c);
	loop_free(e.loop);
	close(c->fd);
	close(engine);
	return 0;
}

static void ask(enum msg_type type, uint32_t id, const void *body)
{
	assert_int_equal(msg_send(engine, type, id, body, NULL), 0);
}

/* Of loopback: refused before anything else is looked at. */
static void ask_block(uint32_t id)
{
	struct msg_block b;

	memset(&b, 0, sizeof(b));
	b.addr.v = 4;
	b.addr.b[0] = 127;
	b.prefixlen = 32;
	b.ttl_s = 3600;
	ask(MSG_BLOCK, id, &b);
}

/* The answer to a block, or that there is none. */
static void answered(uint32_t id)
{
	struct msg_hdr hdr;
	union msg_body body;
	int fds[3], r = msg_recv(engine, ROLE_ENFORCER, ROLE_ENGINE, &hdr, &body, fds);

	assert_int_equal(r, id != 0 ? 1 : -EAGAIN);
	if (id == 0)
		return;
	assert_int_equal(hdr.type, MSG_RESULT);
	assert_int_equal(hdr.id, id);
	assert_int_equal(body.result.code, MSG_E_INVALID);
}

static void test_overtakes(void **state)
{
	struct child *c = &e.child[ROLE_ENGINE];
	struct msg_hdr hdr;
	union msg_body body;

	(void)state;
	ask(MSG_TRIAL_OK, 1, NULL);
	ask(MSG_LOG_REOPEN, 2, NULL);
	ask_block(3);
	ask(MSG_LOG_REOPEN, 4, NULL);
	ask_block(5);
	request_breathe(&e);
	answered(3);
	answered(5);
	answered(0);
	/* the others are kept, in order, and the loop will come to them */
	assert_non_null(e.later_timer);
	assert_int_equal(c->nlater, 3);
	for (uint32_t id = 1; id <= 4; id += id == 2 ? 2 : 1) {
		assert_true(later_take(c, &hdr, &body));
		assert_int_equal(hdr.id, id);
	}
	assert_false(later_take(c, &hdr, &body));
}

/* What there is no room for stays in the socket; nothing is lost. */
static void test_bounded(void **state)
{
	struct child *c = &e.child[ROLE_ENGINE];

	(void)state;
	for (uint32_t i = 0; i < LATER_MAX + 10; i++)
		ask(MSG_LOG_REOPEN, i + 1, NULL);
	for (int i = 0; i < 3; i++)
		request_breathe(&e);
	assert_int_equal(c->nlater, LATER_MAX);
	later_clear(c);
	request_breathe(&e);
	assert_int_equal(c->nlater, 10);
}

static int job_waits(void *arg)
{
	int *pair = arg;
	char c;

	close(pair[1]);
	return read(pair[0], &c, 1) == 0 ? -ENOSPC : -EIO;
}

static int job_dies(void *arg)
{
	(void)arg;
	return kill(getpid(), SIGKILL);
}

static int job_done(void *arg)
{
	++*(int *)arg;
	return 0;
}

/* A block that comes while the disk is waited for is dealt with before that is over. */
static void test_aside(void **state)
{
	int pair[2], told[2], n = 0;
	struct aside a;
	pid_t pid;

	(void)state;
	assert_int_equal(aside_run(&e, job_done, &n), 0);
	assert_int_equal(n, 0); /* in another memory */
	assert_int_equal(aside_run(&e, job_dies, NULL), -EIO);

	/* the job ends once the block was answered: a helper tells it */
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(pipe(told), 0);
	aside_start(&e, job_waits, pair, &a);
	ask_block(7);
	pid = fork();
	if (pid == 0) {
		struct msg_hdr hdr;
		union msg_body body;
		int fds[3];

		while (msg_recv(engine, ROLE_ENFORCER, ROLE_ENGINE, &hdr, &body, fds) != 1)
			usleep(1000);
		_exit(write(told[1], &hdr.id, sizeof(hdr.id)) != sizeof(hdr.id));
	}
	close(pair[1]); /* the helper's copy is the last: the job ends with it */
	assert_int_equal(aside_wait(&e, &a), -ENOSPC);
	assert_int_equal(read(told[0], &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 7);
	close(pair[0]);
	close(told[0]);
	close(told[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_overtakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_aside, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
