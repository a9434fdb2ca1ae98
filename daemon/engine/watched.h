/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what observed hosts are asked for and ask for, that no rule allows */
#ifndef ENGINE_WATCHED_H
#define ENGINE_WATCHED_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/netaddr.h>

/* A flow here is (host, direction, peer, protocol, port); `cordon suggest` makes rules of
 * them.  The table has a fixed size.  When it is full one of some gives way: of a scanner
 * before others, of those the one with the fewest packets; how many did is counted.  A
 * flow that hit a guard, or spoke SMB or RDP, keeps that mark.  Sources that scanned are
 * remembered, the latest WATCH_SCANNERS of them.  Times are microseconds since 1970. */
enum { WATCH_FLOWS = 16384, WATCH_SCANNERS = 256, WATCH_GUARD_LEN = 40 };

enum watch_why { WATCH_PLAIN, WATCH_SMB, WATCH_RDP, WATCH_GUARD, WATCH_SCAN, WATCH_WHYS };

/* No pointers and no holes that are not zeroed: it is kept in a file. */
struct watch_flow {
	struct netaddr host, peer; /* host: the observed side */
	uint8_t dir, proto;        /* enum fs_dir */
	uint8_t why;               /* enum watch_why; WATCH_SCAN is never stored */
	uint8_t middle;            /* only ever seen in the middle of a connection */
	uint16_t port;             /* icmp: the type */
	char guard[WATCH_GUARD_LEN];
	uint64_t count; /* packets that would have been denied, as far as they were told */
	int64_t first_us, last_us;
};

struct watched;

struct watch_stats {
	uint32_t flows;
	uint64_t forgotten, forgotten_packets;
};

/* flows 0: WATCH_FLOWS.  sodium_init() was called.  NULL: no memory. */
struct watched *watched_new(uint32_t flows);
void watched_free(struct watched *w);

/* Account f (memset before it was filled in). */
void watched_add(struct watched *w, const struct watch_flow *f);
/* The source scans: its flows are told apart. */
void watched_scanner(struct watched *w, const struct netaddr *source);
bool watched_is_scanner(const struct watched *w, const struct netaddr *source);

/* Call f for each flow, why WATCH_SCAN where its client scanned; in no order. */
void watched_each(const struct watched *w,
    void (*f)(void *arg, const struct watch_flow *flow), void *arg);
void watched_stats(const struct watched *w, struct watch_stats *ret);

/* Put back what watched_each() gave, and the stats, at a start. */
void watched_restore(struct watched *w, const struct watch_flow *f);
void watched_restore_stats(struct watched *w, const struct watch_stats *s);
/* The scanners: WATCH_SCANNERS addresses, v 0 behind the last. */
const struct netaddr *watched_scanners(const struct watched *w);

#endif
