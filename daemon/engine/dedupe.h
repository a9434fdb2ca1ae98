/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one flow is one event and then exact counts, in a table of fixed size */
#ifndef ENGINE_DEDUPE_H
#define ENGINE_DEDUPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/event.h"

/* A flow here is (kind, action, reason, guard, src, dst, proto, dport): a client that
 * tries again from another port is the same.  The first packet is told at once; what comes
 * later is counted and told as one event every DEDUPE_PERIOD_US while it goes on.
 * Flows beyond the table are counted by kind, action and host and told likewise,
 * without addresses.  So the sum of `count` over all events told is the sum of what
 * was put in (once dedupe_flush() ran), and there are at most 2 x entries + buckets
 * events a period, whatever comes. */
enum { DEDUPE_ENTRIES = 8192, DEDUPE_BUCKETS = 512 };
#define DEDUPE_PERIOD_US 10000000ull

struct dedupe;

struct dedupe_stats {
	uint32_t entries;          /* in use */
	uint64_t counted;          /* packets that were counted, not told one by one */
	uint64_t overflow;         /* of these: in buckets, without addresses */
};

/* All memory is taken here.  entries 0: DEDUPE_ENTRIES.  sodium_init() was called.
 * NULL: no memory. */
struct dedupe *dedupe_new(uint32_t entries);
void dedupe_free(struct dedupe *d);

/* Put in e (time_us, count >= 1 set).  DEDUPE_TELL: the caller writes e now.  mono_us
 * never goes back. */
enum dedupe_answer { DEDUPE_TELL, DEDUPE_COUNTED };
enum dedupe_answer dedupe_add(struct dedupe *d, const struct event *e, uint64_t mono_us);

/* Whether the flow of e is in the table. */
bool dedupe_knows(struct dedupe *d, const struct event *e);
/* Put in e without telling it: it is counted like one beyond the table.  What the kernel
 * counts by host (e->tally) is not kept here: engine/ledger.h tells the rest of that. */
void dedupe_hold(struct dedupe *d, const struct event *e, uint64_t mono_us);

/* The kernel counted `packets` of a flow since its element is there, those included that
 * were logged and put in.  e: kind, action, reason, src, dst, proto, dport.  False: the
 * flow is not in the table.  They count from dedupe_settle() on, with the
 * time given there (since 1970). */
bool dedupe_flow(struct dedupe *d, const struct event *e, uint64_t packets);
void dedupe_settle(struct dedupe *d, int64_t time_us);

/* Tell what is due: f gets the flow's first event with the new count, the time of
 * its last packet and, in since_us, of the first one counted. */
typedef void dedupe_tell_fn(void *arg, struct event *e);
void dedupe_tick(struct dedupe *d, uint64_t mono_us, dedupe_tell_fn *f, void *arg);
/* Tell all that is pending, due or not. */
void dedupe_flush(struct dedupe *d, dedupe_tell_fn *f, void *arg);

void dedupe_stats(const struct dedupe *d, struct dedupe_stats *ret);

#endif
