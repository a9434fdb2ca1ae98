/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what around the table would make it void, and telling the engine */
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cordon/flowspace.h>

#include "base/log.h"
#include "enforcer/health.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"

void health_say(struct enforcer *e, enum health_what what, enum role role, int code,
    const char *detail)
{
	struct msg_health h;

	memset(&h, 0, sizeof(h));
	h.what = what;
	h.role = role;
	h.code = code;
	snprintf(h.detail, sizeof(h.detail), "%.*s", MSG_DETAIL_LEN - 1, detail);
	roles_send(e, ROLE_ENGINE, MSG_HEALTH, 0, &h, -1);
}

static bool health_address(const struct sockaddr *sa, struct netaddr *ret)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;

	memset(ret, 0, sizeof(*ret));
	if (!sa)
		return false;
	if (sa->sa_family == AF_INET) {
		memcpy(&u.in, sa, sizeof(u.in));
		ret->v = 4;
		memcpy(ret->b, &u.in.sin_addr, 4);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&u.in6, sa, sizeof(u.in6));
		ret->v = 6;
		memcpy(ret->b, &u.in6.sin6_addr, 16);
		return true;
	}
	return false;
}

void health_read_addresses(struct enforcer *e)
{
	struct ifaddrs *list, *i;
	struct netrange *r;
	size_t n = 0;

	if (getifaddrs(&list) < 0) {
		log_warn("health", "can't read the machine's addresses");
		return;
	}
	for (i = list; i; i = i->ifa_next)
		n++;
	r = calloc(n + 1, sizeof(*r));
	n = 0;
	for (i = list; r && i; i = i->ifa_next) {
		struct netaddr a;

		if (health_address(i->ifa_addr, &a))
			r[n++] = (struct netrange){ a, a };
	}
	freeifaddrs(list);
	if (!r)
		return;
	free(e->local);
	e->local = r;
	e->nlocal = n;
	e->guard.local = r;
	e->guard.nlocal = n;
}

bool health_forwarding(uint8_t v)
{
	const char *path = v == 4 ? "/proc/sys/net/ipv4/ip_forward"
				  : "/proc/sys/net/ipv6/conf/all/forwarding";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = '0';

	if (fd < 0)
		return false;
	if (read(fd, &c, 1) != 1)
		c = '0';
	close(fd);
	return c != '0';
}

static bool health_is_local(const struct enforcer *e, const struct netrange *r)
{
	for (size_t i = 0; i < e->nlocal; i++)
		if (netrange_overlaps(&e->local[i], r))
			return true;
	return false;
}

static void health_check_addresses(struct enforcer *e)
{
	struct fs_span s = e->live.fs->settings.addresses;
	char text[NETRANGE_STRLEN];

	for (uint32_t i = 0; i < s.count; i++) {
		const struct netrange *r = fs_range(e->live.fs, s.first + i);

		if (health_is_local(e, r))
			continue;
		netrange_format(r, text);
		log_warnx("health", "gateway address %s is not one of this machine's", text);
		health_say(e, HEALTH_ADDRESS_MISMATCH, ROLE_ENFORCER, 0, text);
	}
}

static void health_check_forwarding(struct enforcer *e, uint8_t v)
{
	const struct fs *fs = e->live.fs;
	const char *family = v == 4 ? "ipv4" : "ipv6";

	for (uint32_t i = 0; i < fs->table[FS_PLACES].count; i++) {
		if (FS_AT(fs, FS_PLACES, struct fs_place, i)->range.lo.v != v)
			continue;
		if (health_forwarding(v))
			return;
		log_warnx("health", "%s forwarding is off: legacy hosts reach nothing "
		    "through this machine", family);
		health_say(e, HEALTH_FORWARDING_OFF, ROLE_ENFORCER, 0, family);
		return;
	}
}

void health_check(struct enforcer *e)
{
	health_read_addresses(e);
	health_check_addresses(e);
	health_check_forwarding(e, 4);
	health_check_forwarding(e, 6);
}
