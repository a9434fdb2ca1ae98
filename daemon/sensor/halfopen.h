/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: connections that were asked for and never came about, in a table of fixed size */
#ifndef SENSOR_HALFOPEN_H
#define SENSOR_HALFOPEN_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/netaddr.h>

struct pkt_view;

/* A SYN that its sender did not follow by an ACK within HALFOPEN_WAIT_US: not answered,
 * refused, or dropped by a scanner that knows enough.  What the kernel denies is told by
 * the kernel; this is what rules allow.  In a flood of SYNs the newer ones take the places
 * of others, which are then not told. */
enum { HALFOPEN_SLOTS = 4096, HALFOPEN_WAIT_US = 3000000 };

struct halfopens;

struct halfopen {
	struct netaddr src, dst; /* of the SYN */
	uint16_t sport, dport;
	int64_t ts_us;           /* capture time of the first one */
};

/* The seed keeps strangers from choosing the place.  NULL: no memory; the only allocation
 * of this module. */
struct halfopens *halfopen_new(uint64_t seed);
void halfopen_free(struct halfopens *h);

/* Account a decoded packet, captured at ts_us. */
void halfopen_packet(struct halfopens *h, const struct pkt_view *v, int64_t ts_us);

/* Take out one whose time was over at now_us.  False: there is none. */
bool halfopen_take(struct halfopens *h, int64_t now_us, struct halfopen *ret);

#endif
