/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the table of messages, sending and receiving them */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "priv/msg.h"

enum { MSG_FDS_MAX = 3 };

#define BIT(role) (1 << ROLE_##role)
#define ROW(type, size, nfds, sender, receiver)                                          \
	[MSG_##type] = { .name = #type, .len = (size), .fds = (nfds),                    \
		.from = (sender), .to = (receiver) }

const struct msg_row msg_table[MSG_TYPES] = {
	ROW(LOAD, sizeof(struct msg_load), 0, BIT(ENFORCER), BIT(LOADER)),
	ROW(LOADED, sizeof(struct msg_loaded), 3, BIT(LOADER), BIT(ENFORCER)),
	ROW(LOAD_FAILED, sizeof(struct msg_loaded), 1, BIT(LOADER), BIT(ENFORCER)),
	ROW(LOAD_SAME, 0, 0, BIT(LOADER), BIT(ENFORCER)),
	ROW(SENSOR_CONFIG, sizeof(struct msg_sensor_config), 0, BIT(ENFORCER),
	    BIT(SENSOR)),
	ROW(SENSOR_GUARD, sizeof(struct msg_sensor_guard), 0, BIT(ENFORCER), BIT(SENSOR)),
	ROW(PEER, 0, 1, BIT(ENFORCER), BIT(SENSOR) | BIT(ENGINE)),
	ROW(READY, 0, 0, BIT(SENSOR) | BIT(ENGINE), BIT(ENFORCER)),
	ROW(SIGHTING, sizeof(struct msg_sighting), 0, BIT(SENSOR), BIT(ENGINE)),
	ROW(SENSOR_STATS, sizeof(struct msg_sensor_stats), 0, BIT(SENSOR), BIT(ENGINE)),
	ROW(POLICY, sizeof(struct msg_policy), 1, BIT(ENFORCER), BIT(ENGINE)),
	ROW(LOG_FD, 0, 1, BIT(ENFORCER), BIT(ENGINE)),
	ROW(STATE_FD, 0, 1, BIT(ENFORCER), BIT(ENGINE)),
	ROW(RESULT, sizeof(struct msg_result), 0, BIT(ENFORCER), BIT(ENGINE)),
	ROW(RELOAD_RESULT, sizeof(struct msg_result), 1, BIT(ENFORCER), BIT(ENGINE)),
	ROW(BLOCK_ENTRY, sizeof(struct msg_block), 0, BIT(ENFORCER), BIT(ENGINE)),
	ROW(BLOCKS_END, sizeof(struct msg_result), 0, BIT(ENFORCER), BIT(ENGINE)),
	ROW(STATUS, sizeof(struct msg_status), 0, BIT(ENFORCER), BIT(ENGINE)),
	ROW(HEALTH, sizeof(struct msg_health), 0, BIT(ENFORCER), BIT(ENGINE)),
	ROW(FLOWS, sizeof(struct msg_flows), 0, BIT(ENFORCER), BIT(ENGINE)),
	ROW(SUMS, sizeof(struct msg_sums), 0, BIT(ENFORCER), BIT(ENGINE)),
	ROW(COUNTED, sizeof(struct msg_counted), 0, BIT(ENFORCER), BIT(ENGINE)),
	ROW(FINDING, sizeof(struct msg_finding), 0, BIT(ENFORCER), BIT(ENGINE)),
	ROW(BLOCK, sizeof(struct msg_block), 0, BIT(ENGINE), BIT(ENFORCER)),
	ROW(UNBLOCK, sizeof(struct msg_block), 0, BIT(ENGINE), BIT(ENFORCER)),
	ROW(LIST_BLOCKS, 0, 0, BIT(ENGINE), BIT(ENFORCER)),
	ROW(GET_STATUS, 0, 0, BIT(ENGINE), BIT(ENFORCER)),
	ROW(RELOAD, sizeof(struct msg_reload), 0, BIT(ENGINE), BIT(ENFORCER)),
	ROW(TRIAL_OK, 0, 0, BIT(ENGINE), BIT(ENFORCER)),
	ROW(TRIAL_BACK, 0, 0, BIT(ENGINE), BIT(ENFORCER)),
	ROW(LOG_REOPEN, 0, 0, BIT(ENGINE), BIT(ENFORCER)),
	ROW(TOLD, sizeof(struct msg_sum), 0, BIT(ENGINE), BIT(ENFORCER)),
};

union msg_control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * MSG_FDS_MAX)];
};

static void msg_attach(struct msghdr *m, union msg_control *c, const int *fds, size_t n)
{
	struct cmsghdr *h;

	memset(c, 0, sizeof(*c));
	m->msg_control = c->space;
	m->msg_controllen = CMSG_SPACE(sizeof(int) * n);
	h = CMSG_FIRSTHDR(m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(h), fds, sizeof(int) * n);
}

int msg_send(int fd, enum msg_type type, uint32_t id, const void *body, const int *fds)
{
	const struct msg_row *row = &msg_table[type];
	struct msg_hdr hdr = { .type = (uint16_t)type, .len = row->len, .id = id };
	union {
		const void *in;
		void *out;
	} b = { body }; /* sendmsg() only reads it */
	struct iovec iov[2] = { { &hdr, sizeof(hdr) }, { b.out, row->len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = row->len ? 2 : 1 };
	union msg_control control;
	ssize_t n;

	if (row->fds)
		msg_attach(&m, &control, fds, row->fds);
	do {
		n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK || errno == ENOBUFS ? -EAGAIN : -errno;
	return 0;
}

/* Put every descriptor that came into fds, closing what is beyond its end; returns
 * how many came. */
static size_t msg_detach(struct msghdr *m, int fds[static MSG_FDS_MAX])
{
	size_t have = 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t n;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int one;

			memcpy(&one, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (have < MSG_FDS_MAX)
				fds[have] = one;
			else
				close(one);
			have++;
		}
	}
	return have;
}

static bool msg_keeps_contract(const struct msghdr *m, size_t got, size_t nfds,
    enum role from, enum role to, const struct msg_hdr *hdr, const union msg_body *body)
{
	const struct msg_row *row;

	if (m->msg_flags & (MSG_TRUNC | MSG_CTRUNC) || got < sizeof(*hdr) ||
	    hdr->type >= MSG_TYPES)
		return false;
	row = &msg_table[hdr->type];
	return row->len == hdr->len && got == sizeof(*hdr) + row->len &&
	    nfds == row->fds && row->from & (1U << from) && row->to & (1U << to) &&
	    msg_valid((enum msg_type)hdr->type, body);
}

int msg_recv(int fd, enum role from, enum role to, struct msg_hdr *hdr,
    union msg_body *body, int fds[static 3])
{
	struct iovec iov[2] = { { hdr, sizeof(*hdr) }, { body, sizeof(*body) } };
	union msg_control control;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2,
		.msg_control = control.space, .msg_controllen = sizeof(control.space) };
	ssize_t n;
	size_t nfds;

	fds[0] = fds[1] = fds[2] = -1;
	do {
		n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : errno == EWOULDBLOCK ? -EAGAIN : -errno;
	nfds = msg_detach(&m, fds);
	if (n == 0 && nfds == 0)
		return 0;
	if (msg_keeps_contract(&m, (size_t)n, nfds, from, to, hdr, body))
		return 1;
	for (size_t i = 0; i < MSG_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	fds[0] = fds[1] = fds[2] = -1;
	return -EPROTO;
}
