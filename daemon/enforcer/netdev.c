/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the kernel's interfaces and routes, read over rtnetlink */
#include "enforcer/netdev.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { NETDEV_BUF = 1 << 16, NETDEV_WAIT_S = 2 };

/* One answer of the kernel's. */
typedef int netdev_fn(void *arg, struct nlmsghdr *h);

static int netdev_read(int fd, bool dump, netdev_fn *f, void *arg)
{
	_Alignas(struct nlmsghdr) static char buf[NETDEV_BUF]; /* one thread */
	int r = 0;

	for (;;) {
		ssize_t got = recv(fd, buf, sizeof(buf), 0);
		unsigned left = got > 0 ? (unsigned)got : 0;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EPROTO;
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_DONE)
				return r;
			if (h->nlmsg_type == NLMSG_ERROR)
				return e->error;
			if (r == 0)
				r = f(arg, h);
			if (!dump)
				return r;
		}
	}
}

/* Send one request and give each answer to f. */
static int netdev_ask(struct nlmsghdr *h, netdev_fn *f, void *arg)
{
	const struct timeval wait = { .tv_sec = NETDEV_WAIT_S };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    send(fd, h, h->nlmsg_len, 0) < 0)
		r = -errno;
	if (r == 0)
		r = netdev_read(fd, h->nlmsg_flags & NLM_F_DUMP, f, arg);
	close(fd);
	return r;
}

struct netdev_all {
	struct netdev *d;
	size_t n, cap;
};

static void netdev_text(char *to, size_t size, struct rtattr *a)
{
	size_t len = RTA_PAYLOAD(a) < size ? RTA_PAYLOAD(a) : size - 1;

	memcpy(to, RTA_DATA(a), len);
	to[len] = '\0';
}

static unsigned netdev_u32(struct rtattr *a)
{
	uint32_t v = 0;

	if (RTA_PAYLOAD(a) >= sizeof(v))
		memcpy(&v, RTA_DATA(a), sizeof(v));
	return v;
}

static void netdev_attr(struct netdev *d, struct rtattr *a)
{
	int left = (int)RTA_PAYLOAD(a);

	switch (a->rta_type & NLA_TYPE_MASK) {
	case IFLA_IFNAME:
		netdev_text(d->name, sizeof(d->name), a);
		break;
	case IFLA_MASTER:
		d->master = netdev_u32(a);
		break;
	case IFLA_LINKINFO:
		for (struct rtattr *i = RTA_DATA(a); RTA_OK(i, left); i = RTA_NEXT(i, left))
			if (i->rta_type == IFLA_INFO_KIND)
				netdev_text(d->kind, sizeof(d->kind), i);
		break;
	case IFLA_XDP:
		for (struct rtattr *i = RTA_DATA(a); RTA_OK(i, left); i = RTA_NEXT(i, left))
			if (i->rta_type == IFLA_XDP_ATTACHED && RTA_PAYLOAD(i) > 0)
				d->xdp = *(const uint8_t *)RTA_DATA(i) != 0;
		break;
	default: /* of foreign code points, not of an enum of ours */
		break;
	}
}

static int netdev_link(void *arg, struct nlmsghdr *h)
{
	struct netdev_all *all = arg;
	struct ifinfomsg *m = NLMSG_DATA(h);
	int left = (int)IFLA_PAYLOAD(h);
	struct netdev *d;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	if (all->n == all->cap) {
		d = reallocarray(all->d, all->cap + 32, sizeof(*d));
		if (!d)
			return -ENOMEM;
		all->d = d;
		all->cap += 32;
	}
	d = &all->d[all->n++];
	*d = (struct netdev){ .index = (unsigned)m->ifi_index,
		.up = (m->ifi_flags & IFF_UP) != 0 };
	for (struct rtattr *a = IFLA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left))
		netdev_attr(d, a);
	return 0;
}

int netdev_list(struct netdev **ret, size_t *ret_n)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
	} q = { .h = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_GETLINK,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	struct netdev_all all = { 0 };
	int r = netdev_ask(&q.h, netdev_link, &all);

	if (r < 0) {
		free(all.d);
		return r;
	}
	*ret = all.d;
	*ret_n = all.n;
	return 0;
}

const struct netdev *netdev_named(const struct netdev *d, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(d[i].name, name) == 0)
			return &d[i];
	return NULL;
}

const struct netdev *netdev_at(const struct netdev *d, size_t n, unsigned index)
{
	for (size_t i = 0; i < n; i++)
		if (d[i].index == index)
			return &d[i];
	return NULL;
}

/* Kinds of actions stand in it as text; where in the nest differs by classifier. */
static int netdev_filter(void *arg, struct nlmsghdr *h)
{
	static const char mirred[] = "mirred", bpf[] = "bpf";
	bool *found = arg;

	if (h->nlmsg_type != RTM_NEWTFILTER)
		return 0;
	if (memmem(h, h->nlmsg_len, mirred, sizeof(mirred)) ||
	    memmem(h, h->nlmsg_len, bpf, sizeof(bpf)))
		*found = true;
	return 0;
}

bool netdev_redirects(unsigned index)
{
	struct {
		struct nlmsghdr h;
		struct tcmsg m;
	} q = { .h = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_GETTFILTER,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	bool found = false;

	q.m.tcm_ifindex = (int)index;
	q.m.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS); /* of ingress, too */
	if (netdev_ask(&q.h, netdev_filter, &found) < 0)
		return false; /* no such qdisc there */
	return found;
}

static int netdev_oif(void *arg, struct nlmsghdr *h)
{
	struct rtmsg *m = NLMSG_DATA(h);
	int left = (int)RTM_PAYLOAD(h);

	if (h->nlmsg_type != RTM_NEWROUTE)
		return 0;
	for (struct rtattr *a = RTM_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == RTA_OIF)
			*(unsigned *)arg = netdev_u32(a);
	return 0;
}

int netdev_route(const struct netaddr *to, char ret[static IFNAMSIZ])
{
	const size_t size = netaddr_size(to);
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
		struct rtattr a;
		uint8_t addr[16];
	} q = { .h = { .nlmsg_len = (uint32_t)(sizeof(q) - 16 + size),
		    .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST } };
	struct netdev *d = NULL;
	const struct netdev *out;
	unsigned oif = 0;
	size_t n = 0;
	int r;

	q.m.rtm_family = to->v == 4 ? AF_INET : AF_INET6;
	q.m.rtm_dst_len = (uint8_t)(8 * size);
	q.a.rta_type = RTA_DST;
	q.a.rta_len = (uint16_t)RTA_LENGTH(size);
	memcpy(q.addr, to->b, size);
	r = netdev_ask(&q.h, netdev_oif, &oif);
	if (r == 0)
		r = netdev_list(&d, &n);
	out = r == 0 ? netdev_at(d, n, oif) : NULL;
	if (out)
		memcpy(ret, out->name, IFNAMSIZ);
	free(d);
	return r < 0 ? r : out ? 0 : -ENOENT;
}
