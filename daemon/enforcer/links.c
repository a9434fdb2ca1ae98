/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: interfaces of the sensor that were not there at its start, or come back */
#include "enforcer/links.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "enforcer/health.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"

enum { LINKS_SETTLE_MS = 300 }; /* a new link is named, moved and set up first */

/* One of the sensor's interfaces; index 0: not there. */
struct link {
	unsigned index;
	bool up;
};

static int links_read(const struct enforcer *e, struct link ret[static MSG_IFACES_MAX])
{
	struct sockaddr_ll ll;
	struct ifaddrs *list, *i;

	if (getifaddrs(&list) < 0)
		return -errno;
	memset(ret, 0, MSG_IFACES_MAX * sizeof(*ret));
	for (i = list; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_PACKET)
			continue;
		memcpy(&ll, i->ifa_addr, sizeof(ll));
		for (uint32_t k = 0; k < e->sensor_config.nifaces; k++)
			if (strcmp(e->sensor_config.iface[k], i->ifa_name) == 0)
				ret[k] = (struct link){ (unsigned)ll.sll_ifindex,
					(i->ifa_flags & IFF_UP) != 0 };
	}
	freeifaddrs(list);
	return 0;
}

void links_found(struct enforcer *e)
{
	struct link now[MSG_IFACES_MAX];

	memset(e->links.index, 0, sizeof(e->links.index));
	if (links_read(e, now) < 0)
		return;
	for (uint32_t k = 0; k < e->sensor_config.nifaces; k++)
		if (now[k].up) /* else it can't be opened */
			e->links.index[k] = now[k].index;
}

/* One that is gone: its sensor may not have noticed, where it looked between its going
 * down and its end. */
static bool links_differ(unsigned found, const struct link *now)
{
	return found ? now->index != found : now->up;
}

static void links_settled(void *arg)
{
	struct enforcer *e = arg;
	struct link now[MSG_IFACES_MAX];

	if (!e->child[ROLE_SENSOR].pid || links_read(e, now) < 0)
		return;
	for (uint32_t k = 0; k < e->sensor_config.nifaces; k++)
		if (links_differ(e->links.index[k], &now[k])) {
			log_info("roles", "%s %s: starting another sensor",
			    e->sensor_config.iface[k],
			    now[k].index ? "is there now" : "is gone");
			roles_restart(e, ROLE_SENSOR);
			return;
		}
}

/* What was said does not matter: all is read again once it is quiet. */
static void links_changed(void *arg, int fd, uint32_t events)
{
	struct enforcer *e = arg;
	char buf[8192];
	ssize_t n;

	(void)events;
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0 || (n < 0 && errno == ENOBUFS))
		;
	health_soon(e);
	if (loop_rearm(e->links.timer, LINKS_SETTLE_MS) < 0)
		log_warnx("roles", "no timer: an interface that comes is not watched");
}

int links_watch(struct enforcer *e)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int r;

	e->links.fd =
	    socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (e->links.fd < 0 ||
	    bind(e->links.fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	r = loop_add_timer(e->loop, 0, 0, links_settled, e, &e->links.timer);
	return r < 0 ? r
		     : loop_add_io(e->loop, e->links.fd, EPOLLIN, links_changed, e,
			   &e->links.io);
}

void links_close(struct enforcer *e)
{
	loop_del(&e->links.io);
	loop_del(&e->links.timer);
	if (e->links.fd >= 0)
		close(e->links.fd);
	e->links.fd = -1;
}
