/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the verdict on a set of flows: which of them may, by which rules */
#ifndef CORDON_REACH_H
#define CORDON_REACH_H

#include <stddef.h>
#include <stdint.h>

#include <cordon/flowspace.h>

struct diaglist;
struct rules_source;

/* Flows that are judged alike.  ICMP types are ports; whole protocols have ports 0-65535
 * (ICMP 0-255).  verdict.side[] names the host and rule of each protected end where the
 * flows are allowed; where they are denied only the end that refuses, the destination
 * before the source.  grants and require are not set. */
struct reach_region {
	struct netrange src, dst;
	uint8_t proto_lo, proto_hi;
	uint16_t port_lo, port_hi;
	struct fs_verdict verdict;
};
typedef void reach_fn(void *ctx, const struct fs *fs, const struct reach_region *r);

/* Load the tree as rules_load() and judge the set `flows` ("SRC -> DST SERVICE", as in
 * assertions) at second `at`: fn is called for disjoint regions that make up the set,
 * IPv4 before IPv6; allowed, passed, denied.  0; 1: `flows` is no set (in *d as CRD032);
 * -1: errors of the policy in *d, or no memory; -E2BIG: more pieces than anybody reads. */
int rules_reach(const struct rules_source *src, int64_t at, const char *flows,
    struct diaglist *d, reach_fn *fn, void *ctx);

#endif
