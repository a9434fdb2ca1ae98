/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: messages between roles: what breaks the contract is refused */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "priv/blob.h"
#include "priv/msg.h"
#include "priv/proc.h"

struct box {
	int fd[2];
	struct msg_hdr hdr;
	union msg_body body;
	int fds[3];
};

static int box_open(void **state)
{
	static struct box b;

	memset(&b, 0, sizeof(b));
	*state = &b;
	return proc_channel(b.fd);
}

static int box_close(void **state)
{
	struct box *b = *state;

	close(b->fd[0]);
	close(b->fd[1]);
	return 0;
}

static int box_recv(struct box *b, enum role from, enum role to)
{
	return msg_recv(b->fd[1], from, to, &b->hdr, &b->body, b->fds);
}

static struct msg_block block_of(uint8_t last)
{
	return (struct msg_block){ .addr = { .v = 4, .b = { 192, 0, 2, last } },
		.prefixlen = 32, .origin = BLOCK_AUTO, .ttl_s = 60 };
}

/* Bytes as they are, with nfds copies of stdin. */
static void box_raw(struct box *b, const void *data, size_t len, int nfds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	char copy[4096];
	struct iovec iov = { copy, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	assert_true(len <= sizeof(copy));
	memcpy(copy, data, len);
	if (nfds) {
		struct cmsghdr *h;

		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		memset(CMSG_DATA(h), 0, (size_t)nfds * sizeof(int)); /* fd 0 */
	}
	assert_int_equal(sendmsg(b->fd[0], &m, 0), (ssize_t)len);
}

static int lowest_free_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static void test_round_trip(void **state)
{
	struct box *b = *state;
	struct msg_block in = block_of(1);

	assert_int_equal(msg_send(b->fd[0], MSG_BLOCK, 77, &in, NULL), 0);
	assert_int_equal(box_recv(b, ROLE_ENGINE, ROLE_ENFORCER), 1);
	assert_int_equal(b->hdr.type, MSG_BLOCK);
	assert_int_equal(b->hdr.id, 77);
	assert_memory_equal(&b->body.block, &in, sizeof(in));
	assert_int_equal(b->fds[0], -1);
	assert_int_equal(box_recv(b, ROLE_ENGINE, ROLE_ENFORCER), -EAGAIN);
}

static void test_peer_gone(void **state)
{
	struct box *b = *state;

	close(b->fd[0]);
	b->fd[0] = -1;
	assert_int_equal(box_recv(b, ROLE_ENGINE, ROLE_ENFORCER), 0);
}

/* Every type, from and to every role: exactly the pairs of the table pass. */
static void test_senders(void **state)
{
	struct box *b = *state;
	unsigned passed = 0;

	for (int from = 0; from < ROLE_COUNT; from++)
		for (int to = 0; to < ROLE_COUNT; to++) {
			struct msg_block in = block_of(1);
			bool may = from == ROLE_ENGINE && to == ROLE_ENFORCER;

			assert_int_equal(msg_send(b->fd[0], MSG_BLOCK, 1, &in, NULL), 0);
			assert_int_equal(box_recv(b, (enum role)from, (enum role)to),
			    may ? 1 : -EPROTO);
			passed += may;
		}
	assert_int_equal(passed, 1);
}

static void test_table_is_whole(void **state)
{
	(void)state;
	for (int t = 0; t < MSG_TYPES; t++) {
		const struct msg_row *r = &msg_table[t];

		assert_non_null(r->name);
		assert_true(r->from && r->to && !(r->from & r->to));
		assert_true(r->len <= sizeof(union msg_body));
		assert_true(r->fds <= 3);
		/* the loader hears and tells the enforcer only */
		if ((r->from | r->to) & 1 << ROLE_LOADER)
			assert_true((r->from | r->to) & 1 << ROLE_ENFORCER);
		/* the sensor never asks for a block, a load or a status */
		if (r->from & 1 << ROLE_SENSOR)
			assert_true(t == MSG_READY || t == MSG_SIGHTING ||
			    t == MSG_SENSOR_STATS);
	}
}

static void test_sizes(void **state)
{
	struct box *b = *state;
	unsigned char raw[sizeof(struct msg_hdr) + sizeof(struct msg_block) + 8] = { 0 };
	struct msg_hdr hdr = { .type = MSG_BLOCK, .len = sizeof(struct msg_block), .id = 1 };
	struct msg_block in = block_of(1);
	size_t right = sizeof(hdr) + sizeof(in);

	memcpy(raw, &hdr, sizeof(hdr));
	memcpy(raw + sizeof(hdr), &in, sizeof(in));
	for (size_t len = 1; len <= sizeof(raw); len++) {
		box_raw(b, raw, len, 0);
		assert_int_equal(box_recv(b, ROLE_ENGINE, ROLE_ENFORCER),
		    len == right ? 1 : -EPROTO);
	}
	hdr.len = (uint16_t)(sizeof(in) - 1); /* says less than is there */
	memcpy(raw, &hdr, sizeof(hdr));
	box_raw(b, raw, right, 0);
	assert_int_equal(box_recv(b, ROLE_ENGINE, ROLE_ENFORCER), -EPROTO);
	hdr = (struct msg_hdr){ .type = MSG_TYPES };
	box_raw(b, &hdr, sizeof(hdr), 0);
	assert_int_equal(box_recv(b, ROLE_ENGINE, ROLE_ENFORCER), -EPROTO);
}

static void test_too_large(void **state)
{
	struct box *b = *state;
	static const unsigned char raw[sizeof(union msg_body) + sizeof(struct msg_hdr) + 1];

	box_raw(b, raw, sizeof(raw), 0);
	assert_int_equal(box_recv(b, ROLE_ENFORCER, ROLE_LOADER), -EPROTO);
}

/* No, one and too many descriptors; those that came are closed. */
static void test_descriptors(void **state)
{
	struct box *b = *state;
	struct msg_hdr peer = { .type = MSG_PEER }, list = { .type = MSG_LIST_BLOCKS };
	int before = lowest_free_fd();

	for (int n = 0; n <= 6; n++) {
		box_raw(b, &peer, sizeof(peer), n);
		assert_int_equal(box_recv(b, ROLE_ENFORCER, ROLE_ENGINE),
		    n == 1 ? 1 : -EPROTO);
		if (n == 1) {
			assert_true(b->fds[0] >= 0);
			assert_int_equal(b->fds[1], -1);
			assert_true(fcntl(b->fds[0], F_GETFD) & FD_CLOEXEC);
			close(b->fds[0]);
		} else {
			assert_int_equal(b->fds[0], -1);
		}
		assert_int_equal(lowest_free_fd(), before);
	}
	box_raw(b, &list, sizeof(list), 1);
	assert_int_equal(box_recv(b, ROLE_ENGINE, ROLE_ENFORCER), -EPROTO);
	assert_int_equal(lowest_free_fd(), before);
}

static void refuse(struct box *b, enum msg_type type, const void *body, enum role from,
    enum role to)
{
	assert_int_equal(msg_send(b->fd[0], type, 1, body, NULL), 0);
	assert_int_equal(box_recv(b, from, to), -EPROTO);
}

static void test_blocks_meaning(void **state)
{
	struct box *b = *state;
	struct msg_block m;
	const unsigned char two = 2;

	m = block_of(1), m.addr.v = 5;
	refuse(b, MSG_BLOCK, &m, ROLE_ENGINE, ROLE_ENFORCER);
	m = block_of(1), m.addr.b[9] = 1; /* not a whole IPv4 address */
	refuse(b, MSG_BLOCK, &m, ROLE_ENGINE, ROLE_ENFORCER);
	m = block_of(1), m.prefixlen = 24;
	refuse(b, MSG_BLOCK, &m, ROLE_ENGINE, ROLE_ENFORCER);
	m = block_of(1), m.prefixlen = 64;
	refuse(b, MSG_BLOCK, &m, ROLE_ENGINE, ROLE_ENFORCER);
	m = block_of(1), m.origin = 2;
	refuse(b, MSG_UNBLOCK, &m, ROLE_ENGINE, ROLE_ENFORCER);
	m = block_of(1), m.scope = 2;
	refuse(b, MSG_BLOCK, &m, ROLE_ENGINE, ROLE_ENFORCER);
	m = block_of(1), memcpy(&m.legacy, &two, 1); /* a bool that is neither */
	refuse(b, MSG_BLOCK, &m, ROLE_ENGINE, ROLE_ENFORCER);
}

static void test_sightings_meaning(void **state)
{
	struct box *b = *state;
	struct msg_sighting s = { .src = { .v = 4 }, .dst = { .v = 4 }, .count = 1 }, m;

	assert_int_equal(msg_send(b->fd[0], MSG_SIGHTING, 0, &s, NULL), 0);
	assert_int_equal(box_recv(b, ROLE_SENSOR, ROLE_ENGINE), 1);
	m = s, m.kind = SIGHT_KINDS;
	refuse(b, MSG_SIGHTING, &m, ROLE_SENSOR, ROLE_ENGINE);
	m = s, m.count = 0;
	refuse(b, MSG_SIGHTING, &m, ROLE_SENSOR, ROLE_ENGINE);
	m = s, memset(m.detail, 'x', sizeof(m.detail)); /* no end */
	refuse(b, MSG_SIGHTING, &m, ROLE_SENSOR, ROLE_ENGINE);
	m = s, m.dst.v = 6;
	refuse(b, MSG_SIGHTING, &m, ROLE_SENSOR, ROLE_ENGINE);
	m = s, m.facts.app = APP_SMB, m.facts.smb.native_os.len = FACT_TEXT;
	refuse(b, MSG_SIGHTING, &m, ROLE_SENSOR, ROLE_ENGINE);
	m = s, m.facts.app = APP_SMB, m.facts.smb.smb1_count = SMB1_OFFERED_MAX + 1;
	refuse(b, MSG_SIGHTING, &m, ROLE_SENSOR, ROLE_ENGINE);
	m = s, m.facts.app = APP_RDP, m.facts.rdp.channel_count = RDP_CHANNELS_MAX + 1;
	refuse(b, MSG_SIGHTING, &m, ROLE_SENSOR, ROLE_ENGINE);
}

static void test_commit_alphabet(void **state)
{
	struct box *b = *state;
	static const char *const bad[] = { "a b", "../x", "a\nb", "\x1b[2J", "$(id)" };
	struct msg_reload m = { .commit = "v1.2_rc-3" };

	assert_int_equal(msg_send(b->fd[0], MSG_RELOAD, 0, &m, NULL), 0);
	assert_int_equal(box_recv(b, ROLE_ENGINE, ROLE_ENFORCER), 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(&m, 0, sizeof(m));
		memcpy(m.commit, bad[i], strlen(bad[i]));
		refuse(b, MSG_RELOAD, &m, ROLE_ENGINE, ROLE_ENFORCER);
	}
	memset(m.commit, 'a', sizeof(m.commit));
	refuse(b, MSG_RELOAD, &m, ROLE_ENGINE, ROLE_ENFORCER);
}

static void test_trials(void **state)
{
	struct box *b = *state;
	const unsigned char two = 2;
	struct msg_reload ok = { .trial_s = 60 }, m;

	ok.session.client.v = 4;
	ok.session.server.v = 4;
	ok.session.port = 22;
	assert_int_equal(msg_send(b->fd[0], MSG_RELOAD, 0, &ok, NULL), 0);
	assert_int_equal(box_recv(b, ROLE_ENGINE, ROLE_ENFORCER), 1);
	for (uint32_t s = 1; s < TRIAL_MIN_S; s++) {
		m = ok, m.trial_s = s;
		refuse(b, MSG_RELOAD, &m, ROLE_ENGINE, ROLE_ENFORCER);
	}
	m = ok, m.trial_s = TRIAL_MAX_S + 1;
	refuse(b, MSG_RELOAD, &m, ROLE_ENGINE, ROLE_ENFORCER);
	m = ok, memcpy(&m.force, &two, 1);
	refuse(b, MSG_RELOAD, &m, ROLE_ENGINE, ROLE_ENFORCER);
	m = ok, m.session.server.v = 6;
	refuse(b, MSG_RELOAD, &m, ROLE_ENGINE, ROLE_ENFORCER);
	m = ok, m.session.client.v = 5;
	refuse(b, MSG_RELOAD, &m, ROLE_ENGINE, ROLE_ENFORCER);
	m = ok, m.session.port = 0;
	refuse(b, MSG_RELOAD, &m, ROLE_ENGINE, ROLE_ENFORCER);
	/* nobody but the engine asks */
	assert_int_equal(msg_send(b->fd[0], MSG_TRIAL_OK, 1, NULL, NULL), 0);
	assert_int_equal(box_recv(b, ROLE_SENSOR, ROLE_ENFORCER), -EPROTO);
	assert_int_equal(msg_send(b->fd[0], MSG_TRIAL_BACK, 1, NULL, NULL), 0);
	assert_int_equal(box_recv(b, ROLE_SENSOR, ROLE_ENFORCER), -EPROTO);
}

static void test_findings(void **state)
{
	struct box *b = *state;
	static const char *const bad[] = { "", "No", "a b", "a\nb", "a/b" };
	struct msg_finding ok = { .severity = FINDING_WARNING, .on = true, .word = "notrack",
		.object = "table ip raw" }, m;

	assert_int_equal(msg_send(b->fd[0], MSG_FINDING, 0, &ok, NULL), 0);
	assert_int_equal(box_recv(b, ROLE_ENFORCER, ROLE_ENGINE), 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		m = ok;
		memset(m.word, 0, sizeof(m.word));
		memcpy(m.word, bad[i], strlen(bad[i]));
		refuse(b, MSG_FINDING, &m, ROLE_ENFORCER, ROLE_ENGINE);
	}
	m = ok, m.severity = FINDING_SEVERITIES;
	refuse(b, MSG_FINDING, &m, ROLE_ENFORCER, ROLE_ENGINE);
	m = ok, memset(m.what, 'a', sizeof(m.what));
	refuse(b, MSG_FINDING, &m, ROLE_ENFORCER, ROLE_ENGINE);
	m = ok, memset(m.word, 'a', sizeof(m.word));
	refuse(b, MSG_FINDING, &m, ROLE_ENFORCER, ROLE_ENGINE);
}

/* A full socket says so and loses nothing that it took. */
static void test_full(void **state)
{
	struct box *b = *state;
	unsigned sent = 0, got = 0;
	struct msg_block m = block_of(1);
	int r;

	while ((r = msg_send(b->fd[0], MSG_BLOCK, sent, &m, NULL)) == 0)
		sent++;
	assert_int_equal(r, -EAGAIN);
	assert_true(sent > 0);
	while (box_recv(b, ROLE_ENGINE, ROLE_ENFORCER) == 1)
		assert_int_equal(b->hdr.id, got++);
	assert_int_equal(got, sent);
}

static void test_blobs(void **state)
{
	struct blob b = BLOB_NONE;
	int fd = blob_seal("test", "hello", 5), plain;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(blob_take(dup(fd), 4, &b), -EFBIG);
	assert_int_equal(b.fd, -1);
	assert_int_equal(blob_take(fd, 5, &b), 0);
	assert_int_equal(b.len, 5);
	assert_memory_equal(b.data, "hello", 5);
	blob_drop(&b);
	blob_drop(&b);
	plain = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(blob_take(plain, 5, &b), -EPERM); /* has no seals */
}

int main(void)
{
#define BOX(f) cmocka_unit_test_setup_teardown(f, box_open, box_close)
	const struct CMUnitTest tests[] = {
		BOX(test_round_trip), BOX(test_peer_gone), BOX(test_senders),
		cmocka_unit_test(test_table_is_whole), BOX(test_sizes), BOX(test_too_large),
		BOX(test_descriptors), BOX(test_blocks_meaning),
		BOX(test_sightings_meaning), BOX(test_commit_alphabet), BOX(test_full),
		BOX(test_trials),
		BOX(test_findings),
		cmocka_unit_test(test_blobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
