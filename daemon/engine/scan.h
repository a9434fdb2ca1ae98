/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one source that asks for many hosts and ports, in a table of fixed size */
#ifndef ENGINE_SCAN_H
#define ENGINE_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"

/* A source is an IPv4 address or an IPv6 /64.  Of each the latest SCAN_TARGETS different
 * targets (host, protocol, port) are remembered with their time.  A scan is, within the
 * time asked for: so many targets that were denied; or, denied or only observed, so many
 * ports of one host or hosts on one port.  Four times as many (at most SCAN_TARGETS)
 * within SCAN_SLOW_S are a slow one.  A source is told once a window.  When the table is
 * full, the one with the fewest targets of some gives way: sources that were forged for
 * one packet each don't push out who really scans.  Times are monotonic. */
enum { SCAN_SOURCES = 2048, SCAN_TARGETS = 128, SCAN_SLOW_S = 86400 };

struct scans;

struct scan_ask {
	struct netaddr source, host;
	uint16_t port;  /* icmp: the type */
	uint8_t proto;
	bool observed;  /* let through: no rule, but its host is only observed */
	uint32_t count; /* packets */
};

struct scan_limits {
	uint32_t targets, within_s; /* targets 0: nothing is a scan */
};

struct scan_stats {
	uint32_t sources;
	uint64_t evicted; /* sources that were let go while they could still matter */
};

/* sodium_init() was called.  NULL: no memory. */
struct scans *scans_new(void);
void scans_free(struct scans *t);

/* Account one refusal.  True: a scan is to be told, *ret is what (packets: since it was
 * told last); *ret_denied: all of its targets were denied, none only observed. */
bool scan_note(struct scans *t, const struct scan_ask *a, const struct scan_limits *l,
    uint64_t mono_us, struct event_behaviour *ret, bool *ret_denied);

void scans_stats(const struct scans *t, struct scan_stats *ret);

#endif
