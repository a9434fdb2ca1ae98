/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the kernel's interfaces and routes, read over rtnetlink */
#ifndef CORDON_ENFORCER_NETDEV_H
#define CORDON_ENFORCER_NETDEV_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include <cordon/netaddr.h>

struct netdev {
	char name[IFNAMSIZ], kind[16]; /* kind: "bridge", "vrf", "veth", … or "" */
	unsigned index, master;        /* master: index of its bridge, VRF, bond, or 0 */
	bool up, xdp;                  /* xdp: a program is attached */
};

/* All of this namespace: *ret is the caller's to free.  0 or -errno. */
int netdev_list(struct netdev **ret, size_t *ret_n);
/* By name or index, or NULL. */
const struct netdev *netdev_named(const struct netdev *d, size_t n, const char *name);
const struct netdev *netdev_at(const struct netdev *d, size_t n, unsigned index);

/* Whether a tc filter takes packets that enter by it elsewhere before netfilter sees
 * them: action mirred, or a BPF program that may do anything.  tcx links are not
 * listed by tc and not found. */
bool netdev_redirects(unsigned index);

/* Name of the interface that packets to `to` leave by.  0 or -errno. */
int netdev_route(const struct netaddr *to, char ret[static IFNAMSIZ]);

#endif
