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
#include "base/loop.h"
#include "enforcer/checks.h"
#include "enforcer/health.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"

enum { HEALTH_PERIOD_MS = 2000, HEALTH_SETTLE_MS = 200 };

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

bool health_is_local(const struct enforcer *e, const struct netrange *r)
{
	for (size_t i = 0; i < e->nlocal; i++)
		if (netrange_overlaps(&e->local[i], r))
			return true;
	return false;
}

static void health_foreign(void *arg, enum nft_foreign what, uint8_t family,
    const char *table)
{
	struct enforcer *e = arg;
	size_t i = e->health.nforeign;

	if (i == FOREIGN_MAX)
		return;
	e->health.foreign[i].what = what;
	e->health.foreign[i].family = family;
	snprintf(e->health.foreign[i].table, sizeof(e->health.foreign[i].table), "%s",
	    table);
	e->health.nforeign++;
}

/* Other tables are read only where something in nftables changed since. */
static void health_read_foreign(struct enforcer *e)
{
	uint32_t generation;
	int r = nft_generation(e->nft, &generation);

	if (r < 0 || generation == e->health.nft_generation)
		return;
	e->health.nforeign = 0;
	r = nft_foreign(e->nft, health_foreign, e);
	if (r == 0)
		e->health.nft_generation = generation;
	else
		log_debug("health", "other tables can't be read: %s", strerror(-r));
}

static const struct msg_finding *health_find(const struct msg_finding *list, size_t n,
    const struct msg_finding *f)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].word, f->word) == 0 &&
		    strcmp(list[i].object, f->object) == 0)
			return &list[i];
	return NULL;
}

static void health_tell(struct enforcer *e, const struct msg_finding *f)
{
	log_warnx("health", "%s%s: %s%s%s", f->on ? "" : "over: ", f->word, f->object,
	    f->object[0] ? ": " : "", f->what);
	roles_send(e, ROLE_ENGINE, MSG_FINDING, 0, f, -1);
}

/* What was there and is not, then what is new. */
static void health_compare(struct enforcer *e, struct checks *c)
{
	for (size_t i = 0; i < e->health.n; i++) {
		struct msg_finding over = e->health.now[i];

		over.on = false;
		if (!health_find(c->found, c->n, &over))
			health_tell(e, &over);
	}
	for (size_t i = 0; i < c->n; i++) {
		const struct msg_finding *old =
		    health_find(e->health.now, e->health.n, &c->found[i]);

		if (old)
			c->found[i].since = old->since;
		else
			health_tell(e, &c->found[i]);
	}
	memcpy(e->health.now, c->found, c->n * sizeof(*c->found));
	e->health.n = c->n;
}

static void health_on_timer(void *arg)
{
	health_check(arg);
}

void health_soon(struct enforcer *e)
{
	if (e->health.timer)
		(void)loop_rearm(e->health.timer, HEALTH_SETTLE_MS);
}

void health_check(struct enforcer *e)
{
	static struct checks c; /* large; one thread */

	health_read_addresses(e);
	health_read_foreign(e);
	if (checks_run(e, &c) == 0)
		health_compare(e, &c);
	if (e->health.timer ? loop_rearm(e->health.timer, HEALTH_PERIOD_MS) < 0 :
		loop_add_timer(e->loop, HEALTH_PERIOD_MS, 0, health_on_timer, e,
		    &e->health.timer) < 0)
		log_warnx("health", "no timer: what changes is not looked at again");
}

void health_brief(struct enforcer *e)
{
	for (size_t i = 0; i < e->health.n; i++) {
		struct msg_finding f = e->health.now[i];

		f.known = true;
		roles_send(e, ROLE_ENGINE, MSG_FINDING, 0, &f, -1);
	}
}

void health_close(struct enforcer *e)
{
	loop_del(&e->health.timer);
}
