/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: Community ID v1, the flow's name shared with Suricata and Zeek */
#ifndef ENGINE_COMMUNITY_H
#define ENGINE_COMMUNITY_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/netaddr.h>

enum { COMMUNITY_LEN = 2 + 28 + 1 };

/* "1:" and base64, seed 0; equal for both directions.  Ports in host order; icmp and
 * icmpv6: dport is the type.  False: the ID needs what is not known (the code of an
 * ICMP message that has no counterpart), *ret untouched. */
bool community_id(const struct netaddr *src, const struct netaddr *dst, uint8_t proto,
    uint16_t sport, uint16_t dport, char ret[static COMMUNITY_LEN]);

#endif
