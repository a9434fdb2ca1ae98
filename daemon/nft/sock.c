/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the netlink socket: buffers, requests, probing for table ownership */
#include "nft/private.h"

#include <netinet/in.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { RECEIVE_BUFFER = 8 << 20 };

/* FORCE passes the system's limit; without the right to that, as much as goes. */
static void sock_buffer(const struct nft *n, int force, int plain, int bytes)
{
	int fd = mnl_socket_get_fd(n->nl);

	if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof(bytes)) == -1)
		(void)setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof(bytes));
}

/* A table with both flags, validated and thrown away: before 6.9 it is refused. */
static bool sock_can_own(struct nft *n)
{
	struct batch b;
	struct nlmsghdr *nlh;
	const struct origin of = { .object = OF_TABLE, .name = "", .comment = "" };
	bool ok = false;

	batch_begin(&b, n, 0);
	nlh = batch_message(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, &of);
	if (nlh != NULL) {
		mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, "cordon_probe");
		mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(TABLE_OWNER | TABLE_PERSIST));
		batch_put(&b, nlh);
		ok = batch_commit(&b, n, true, NULL) == 0;
	}
	batch_free(&b);
	return ok;
}

struct nft *nft_open(void)
{
	struct nft *n = calloc(1, sizeof(*n));
	int on = 1, saved;

	if (n == NULL)
		return NULL;
	n->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (n->nl == NULL || mnl_socket_bind(n->nl, 0, MNL_SOCKET_AUTOPID) == -1) {
		saved = errno;
		nft_close(n);
		errno = saved;
		return NULL;
	}
	sock_buffer(n, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER);
	(void)mnl_socket_setsockopt(n->nl, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(n->nl, NETLINK_EXT_ACK, &on, sizeof(on));
	n->can_own = sock_can_own(n);
	n->one_expr = !tally_can_count(n);
	return n;
}

void nft_close(struct nft *n)
{
	if (n == NULL)
		return;
	if (n->nl != NULL)
		mnl_socket_close(n->nl);
	free(n);
}

void sock_drain(struct nft *n)
{
	char buf[64];

	while (recv(mnl_socket_get_fd(n->nl), buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

int sock_send(struct nft *n, const void *buf, size_t len)
{
	int fd = mnl_socket_get_fd(n->nl), have = 0;
	socklen_t size = sizeof(have);

	if (len > INT32_MAX / 4)
		return -EMSGSIZE;
	/* The kernel doubles what is asked for and reports the double. */
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &size) == -1 ||
	    (size_t)have < len + 4096)
		sock_buffer(n, SO_SNDBUFFORCE, SO_SNDBUF, (int)len + 4096);
	while (mnl_socket_sendto(n->nl, buf, len) == -1)
		if (errno != EINTR)
			return -errno;
	return 0;
}

struct nlmsghdr *sock_request(struct nft *n, char *buf, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(buf, type, NFPROTO_INET, flags, ++n->seq);
}

int sock_ask(struct nft *n, const struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	size_t size = 1 << 16;
	char *buf = malloc(size);
	int r = -ENOMEM;

	if (buf != NULL) {
		sock_drain(n);
		r = sock_send(n, nlh, nlh->nlmsg_len);
	}
	while (r == 0) {
		ssize_t got = mnl_socket_recvfrom(n->nl, buf, size);

		if (got == -1 && errno == EINTR)
			continue;
		/* An interrupted dump (EINTR of mnl_cb_run) is the caller's to repeat. */
		if (got == -1)
			r = -errno;
		else
			switch (mnl_cb_run(buf, (size_t)got, nlh->nlmsg_seq,
			    mnl_socket_get_portid(n->nl), cb, arg)) {
			case MNL_CB_STOP:
				free(buf);
				return 0;
			case MNL_CB_ERROR:
				r = errno == 0 ? -EPROTO : -errno;
				break;
			}
	}
	free(buf);
	return r;
}

static int genid_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *attr;
	uint32_t *genid = arg;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWGEN)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			*genid = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

int sock_genid(struct nft *n, uint32_t *ret_genid)
{
	char buf[256];
	struct nlmsghdr *nlh = sock_request(n, buf, NFT_MSG_GETGEN, NLM_F_ACK);
	uint32_t genid = 0;
	int r = sock_ask(n, nlh, genid_cb, &genid);

	if (r == 0)
		*ret_genid = genid;
	return r;
}
