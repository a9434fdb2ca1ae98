/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the kernel counts of what it reports, and how its sets are called */
#ifndef CORDON_TALLY_H
#define CORDON_TALLY_H

#include <stdbool.h>
#include <stdint.h>

/* Why a packet is counted.  _SEEN: it was let through, and only told. */
enum tally_kind {
	TALLY_DENIED, TALLY_WOULD_DENY, TALLY_SPOOF, TALLY_BLOCKED, TALLY_CONDEMNED,
	TALLY_EXPOSURE, TALLY_EXPOSURE_SEEN, TALLY_GUARD, TALLY_GUARD_SEEN, TALLY_KINDS
};

/* What is counted of a kind, for each host and for the gateway: HITS = LOGGED +
 * SUPPRESSED + OVERFLOW.  TOLD: how much of HITS stands in written events; the daemon
 * keeps it beside the counters it is compared with.  Hosts have sets of HITS, UNLOGGED
 * (= SUPPRESSED + OVERFLOW), SUPPRESSED and TOLD.  FLOWS*: per-flow elements. */
enum tally_what {
	TALLY_HITS, TALLY_LOGGED, TALLY_SUPPRESSED, TALLY_OVERFLOW, TALLY_TOLD,
	TALLY_UNLOGGED, TALLY_FLOWS, TALLY_FLOWSPROTO, TALLY_WHATS
};

extern const char *const tally_kinds[TALLY_KINDS];
extern const char *const tally_whats[TALLY_WHATS];

/* A set KIND_WHAT4 or KIND_WHAT6.  False: it is none; *ret_* untouched. */
bool tally_of_set(const char *name, enum tally_kind *ret_kind, enum tally_what *ret_what,
    uint8_t *ret_v);
/* A named counter KIND (hits) or KIND_WHAT. */
bool tally_of_counter(const char *name, enum tally_kind *ret_kind,
    enum tally_what *ret_what);

#endif
