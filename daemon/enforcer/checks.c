/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what around the kernel's table weakens it or makes it void, one row a check */
#include "enforcer/checks.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cordon/flowspace.h>

#include "base/clock.h"
#include "enforcer/health.h"
#include "enforcer/netdev.h"
#include "enforcer/state.h"

enum { CONNTRACK_NEAR_PERCENT = 85, CONNTRACK_FULL_PERCENT = 99 };

/* object: cut and copied. */
static void __attribute__((format(printf, 2, 3))) check_found(struct checks *c,
    const char *object, ...)
{
	struct msg_finding *f = &c->found[c->n];
	va_list ap;

	if (c->n == CHECKS_MAX)
		return;
	memset(f, 0, sizeof(*f));
	f->severity = c->row->severity;
	f->on = true;
	f->since = clock_now();
	va_start(ap, object);
	vsnprintf(f->object, sizeof(f->object), object, ap);
	va_end(ap);
	snprintf(f->word, sizeof(f->word), "%s", c->row->word);
	snprintf(f->what, sizeof(f->what), "%s", c->row->what);
	snprintf(f->mend, sizeof(f->mend), "%s", c->row->mend);
	c->n++;
}

/* The number in /proc/sys/net/PATH, or `none` where it is not there. */
static long __attribute__((format(printf, 2, 3))) check_sysctl(long none,
    const char *path, ...)
{
	char full[128] = "/proc/sys/net/", text[32];
	size_t at = strlen(full);
	va_list ap;
	ssize_t n = -1;
	int fd;

	va_start(ap, path);
	vsnprintf(full + at, sizeof(full) - at, path, ap);
	va_end(ap);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return none;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

static bool check_is_inside(const struct checks *c, const char *name)
{
	const struct fs *fs = c->e->live.fs;
	struct fs_span s = fs->settings.interfaces;

	for (uint32_t i = 0; i < s.count; i++)
		if (strcmp(fs_str(fs, *FS_AT(fs, FS_WORDS, uint32_t, s.first + i)),
			name) == 0)
			return true;
	return false;
}

/* Interfaces that traffic can come by: all but the loopback. */
static bool check_is_outer(const struct netdev *d)
{
	return strcmp(d->name, "lo") != 0;
}

static bool check_protects(const struct checks *c, uint8_t v)
{
	const struct fs *fs = c->e->live.fs;

	for (uint32_t i = 0; i < fs->table[FS_PLACES].count; i++)
		if (FS_AT(fs, FS_PLACES, struct fs_place, i)->range.lo.v == v)
			return true;
	return false;
}

static void find_addresses(struct checks *c)
{
	const struct fs *fs = c->e->live.fs;
	struct fs_span s = fs->settings.addresses;
	char text[NETRANGE_STRLEN];

	for (uint32_t i = 0; i < s.count; i++) {
		const struct netrange *r = fs_range(fs, s.first + i);

		if (!health_is_local(c->e, r))
			check_found(c, "%s", netrange_format(r, text));
	}
}

static void find_forwarding(struct checks *c)
{
	if (check_protects(c, 4) && !health_forwarding(4))
		check_found(c, "ipv4");
	if (check_protects(c, 6) && !health_forwarding(6))
		check_found(c, "ipv6");
}

static void find_missing(struct checks *c)
{
	const struct fs *fs = c->e->live.fs;
	struct fs_span s = fs->settings.interfaces;

	for (uint32_t i = 0; i < s.count; i++) {
		const char *name = fs_str(fs, *FS_AT(fs, FS_WORDS, uint32_t, s.first + i));

		if (!netdev_named(c->dev, c->ndev, name))
			check_found(c, "%s", name);
	}
}

static void find_enslaved(struct checks *c)
{
	for (size_t i = 0; i < c->ndev; i++) {
		const struct netdev *m = netdev_at(c->dev, c->ndev, c->dev[i].master);

		if (c->dev[i].master && check_is_inside(c, c->dev[i].name))
			check_found(c, "%s in %s%s%s", c->dev[i].name, m ? m->kind : "",
			    m ? " " : "another", m ? m->name : "");
	}
}

/* Between the ports of a protected bridge only br_netfilter brings frames to us. */
static void find_bridge(struct checks *c)
{
	for (size_t i = 0; i < c->ndev; i++) {
		size_t ports = 0;

		if (strcmp(c->dev[i].kind, "bridge") != 0 ||
		    !check_is_inside(c, c->dev[i].name))
			continue;
		for (size_t k = 0; k < c->ndev; k++)
			ports += c->dev[k].master == c->dev[i].index;
		if (ports > 1 && (check_sysctl(0, "bridge/bridge-nf-call-iptables") != 1 ||
			check_sysctl(0, "bridge/bridge-nf-call-ip6tables") != 1))
			check_found(c, "%s", c->dev[i].name);
	}
}

static void find_xdp(struct checks *c)
{
	for (size_t i = 0; i < c->ndev; i++)
		if (c->dev[i].xdp)
			check_found(c, "%s", c->dev[i].name);
}

static const char *check_family(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_NETDEV:
		return "netdev";
	case NFPROTO_BRIDGE:
		return "bridge";
	default:
		return "arp";
	}
}

static void check_foreign(struct checks *c, enum nft_foreign what)
{
	for (size_t i = 0; i < c->e->health.nforeign; i++)
		if (c->e->health.foreign[i].what == what)
			check_found(c, "table %s %s",
			    check_family(c->e->health.foreign[i].family),
			    c->e->health.foreign[i].table);
}

static void find_redirect(struct checks *c)
{
	for (size_t i = 0; i < c->ndev; i++)
		if (check_is_outer(&c->dev[i]) && netdev_redirects(c->dev[i].index))
			check_found(c, "%s", c->dev[i].name);
	check_foreign(c, NFT_FOREIGN_FORWARD);
}

static void find_flowtable(struct checks *c)
{
	check_foreign(c, NFT_FOREIGN_FLOWTABLE);
}

static void find_notrack(struct checks *c)
{
	check_foreign(c, NFT_FOREIGN_NOTRACK);
}

/* Percent of the table in use, 0 where the kernel does not say. */
static long check_conntrack_used(long *ret_max)
{
	long max = check_sysctl(0, "netfilter/nf_conntrack_max");
	long n = check_sysctl(0, "netfilter/nf_conntrack_count");

	*ret_max = max;
	return max > 0 ? n * 100 / max : 0;
}

static void find_conntrack_full(struct checks *c)
{
	long max, used = check_conntrack_used(&max);

	if (used >= CONNTRACK_FULL_PERCENT)
		check_found(c, "nf_conntrack_max %ld", max);
}

static void find_conntrack_near(struct checks *c)
{
	long max, used = check_conntrack_used(&max);

	if (used >= CONNTRACK_NEAR_PERCENT && used < CONNTRACK_FULL_PERCENT)
		check_found(c, "nf_conntrack_max %ld", max);
}

static void find_strict(struct checks *c)
{
	if (check_sysctl(1, "netfilter/nf_conntrack_tcp_loose") == 0)
		check_found(c, "nf_conntrack_tcp_loose");
}

static void find_liberal(struct checks *c)
{
	if (check_sysctl(0, "netfilter/nf_conntrack_tcp_be_liberal") != 0)
		check_found(c, "nf_conntrack_tcp_be_liberal");
}

static void find_helper(struct checks *c)
{
	if (check_sysctl(0, "netfilter/nf_conntrack_helper") != 0)
		check_found(c, "nf_conntrack_helper");
}

/* Both switches have to be on: of all, and of the interface. */
static void find_source_route(struct checks *c)
{
	bool v4 = check_sysctl(0, "ipv4/conf/all/accept_source_route") > 0;
	bool v6 = check_sysctl(0, "ipv6/conf/all/seg6_enabled") > 0;

	for (size_t i = 0; i < c->ndev; i++) {
		const char *name = c->dev[i].name;

		if (!check_is_outer(&c->dev[i]))
			continue;
		if (v4 && check_sysctl(0, "ipv4/conf/%s/accept_source_route", name) > 0)
			check_found(c, "%s", name);
		if (v6 && check_sysctl(0, "ipv6/conf/%s/seg6_enabled", name) > 0)
			check_found(c, "%s ipv6", name);
	}
}

/* One of two switches is enough. */
static void check_inside_switch(struct checks *c, const char *family, const char *key)
{
	bool all = check_sysctl(0, "%s/conf/all/%s", family, key) > 0;

	for (size_t i = 0; i < c->ndev; i++)
		if (check_is_inside(c, c->dev[i].name) &&
		    (all || check_sysctl(0, "%s/conf/%s/%s", family, c->dev[i].name, key) > 0))
			check_found(c, "%s", c->dev[i].name);
}

static void find_redirects(struct checks *c)
{
	check_inside_switch(c, "ipv4", "send_redirects");
}

static void find_proxy(struct checks *c)
{
	check_inside_switch(c, "ipv4", "proxy_arp");
}

/* The table itself looks at sources of protected interfaces, and at protected sources. */
static void find_rp_filter(struct checks *c)
{
	long all = check_sysctl(0, "ipv4/conf/all/rp_filter");

	if (c->e->live.fs->settings.management.count == 0 || all != 0)
		return;
	for (size_t i = 0; i < c->ndev; i++)
		if (check_is_outer(&c->dev[i]) && c->dev[i].up &&
		    !check_is_inside(c, c->dev[i].name) &&
		    check_sysctl(1, "ipv4/conf/%s/rp_filter", c->dev[i].name) == 0)
			check_found(c, "%s", c->dev[i].name);
}

static void find_unowned(struct checks *c)
{
	if (!c->e->owned)
		check_found(c, "table inet cordon");
}

const struct check_row check_table[] = {
	{ "flow-offload", FINDING_CRITICAL,
	    "a flowtable of another table forwards packets without asking any rule",
	    "take the flows of protected addresses out of the flowtable, or remove it",
	    find_flowtable },
	{ "packet-redirect", FINDING_CRITICAL,
	    "a tc filter or fwd rule can send packets on before netfilter sees them",
	    "remove the filter from the ingress of this interface", find_redirect },
	{ "xdp-program", FINDING_CRITICAL,
	    "an XDP program can send packets on before netfilter and the sensor see them",
	    "detach it (ip link set dev … xdp off), or make sure it only drops", find_xdp },
	{ "source-route", FINDING_CRITICAL,
	    "source routes are accepted: the destination that rules see is not the real one",
	    "set accept_source_route (IPv6: seg6_enabled) to 0", find_source_route },
	{ "interface-enslaved", FINDING_CRITICAL,
	    "a protected interface belongs to another: packets come by that one",
	    "name the bridge, VRF or bond in gateway.interfaces", find_enslaved },
	{ "conntrack-full", FINDING_CRITICAL,
	    "the connection table is full: new connections are dropped, allowed ones too",
	    "find who fills it (conntrack -L), or raise nf_conntrack_max", find_conntrack_full },
	{ "conntrack-nearly-full", FINDING_WARNING,
	    "the connection table is nearly full: new connections will be dropped",
	    "find who fills it (conntrack -L), or raise nf_conntrack_max", find_conntrack_near },
	{ "notrack", FINDING_WARNING,
	    "another table takes packets out of connection tracking",
	    "exempt protected addresses from the notrack rule", find_notrack },
	{ "bridge-unfiltered", FINDING_WARNING,
	    "frames between the ports of a protected bridge pass no rule",
	    "load br_netfilter and set bridge-nf-call-iptables and -ip6tables to 1, or "
	    "isolate the ports", find_bridge },
	{ "interface-missing", FINDING_WARNING,
	    "a protected interface is not there: its hosts are cut off",
	    "correct gateway.interfaces, or bring it back under this name", find_missing },
	{ "address-mismatch", FINDING_WARNING,
	    "an address of gateway.addresses is not one of this machine's",
	    "write the machine's own addresses into gateway.addresses", find_addresses },
	{ "forwarding-off", FINDING_WARNING,
	    "the kernel does not forward: protected hosts reach nothing through it",
	    "set net.ipv4.ip_forward and net.ipv6.conf.all.forwarding to 1", find_forwarding },
	{ "conntrack-strict", FINDING_WARNING,
	    "open connections end when their entry is lost (fail-over, flush)",
	    "set nf_conntrack_tcp_loose to 1", find_strict },
	{ "conntrack-helper", FINDING_WARNING,
	    "helpers attach by port and expect connections that a client describes",
	    "set nf_conntrack_helper to 0", find_helper },
	{ "conntrack-liberal", FINDING_NOTE,
	    "packets outside a connection's window count as valid",
	    "set nf_conntrack_tcp_be_liberal to 0", find_liberal },
	{ "redirects-sent", FINDING_NOTE,
	    "the gateway tells protected hosts of ways around it (ICMP redirects)",
	    "set send_redirects to 0, for all and for this interface", find_redirects },
	{ "proxy-arp", FINDING_NOTE,
	    "the gateway answers ARP for others there: hosts see no difference of networks",
	    "set proxy_arp to 0, unless private VLANs need it", find_proxy },
	{ "rp-filter-off", FINDING_NOTE,
	    "sources are not checked there: one could send in the name of management",
	    "set rp_filter of this interface to 1, or 2 where routes are not symmetric",
	    find_rp_filter },
	{ "table-unowned", FINDING_NOTE,
	    "this kernel lets other programs change the table; changes are put back",
	    "use a kernel from 6.9 on", find_unowned },
	{ 0 },
};

int checks_run(const struct enforcer *e, struct checks *c)
{
	struct netdev *dev = NULL;
	size_t ndev = 0;
	int r = netdev_list(&dev, &ndev);

	if (r < 0)
		return r;
	memset(c, 0, sizeof(*c));
	c->e = e;
	c->dev = dev;
	c->ndev = ndev;
	for (c->row = check_table; c->row->word; c->row++)
		c->row->find(c);
	free(dev);
	return 0;
}
