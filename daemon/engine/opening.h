/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what sensor and kernel say of one opening becomes one event */
#ifndef ENGINE_OPENING_H
#define ENGINE_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"

/* An SMB or RDP opening is seen twice: by the sensor on the interface, which can't know
 * what became of it, and by the kernel's log, which says it was dropped and can't read
 * it.  Either comes first.  So the first waits OPENING_WAIT_US for the other; then one
 * event is told, with the kernel's word and the sensor's facts.  If the kernel kept
 * silent it let the opening pass, and the event says so.  What is told is remembered
 * for OPENING_KNOWN_US: what the sensor sees later of that connection is no other
 * opening. Times are monotonic. */
enum { OPENINGS_MAX = 256 };
#define OPENING_WAIT_US  100000ull
#define OPENING_KNOWN_US 10000000ull

struct openings;

/* e->count openings; facts NULL: nothing was read. */
typedef void opening_tell_fn(
    void *arg, struct event *e, const struct flow_facts *facts);

/* NULL: no memory. */
struct openings *openings_new(opening_tell_fn *f, void *arg);
void openings_free(struct openings *o);

/* Put in an event of kind exposure and the sighting it was made of.  Where there is no
 * room the one that waits longest is told. */
void openings_add(struct openings *o, const struct msg_sighting *s,
    const struct event *e, uint64_t mono_us);
/* The kernel dropped the packet of e for another reason (a guard, a denial): an opening
 * in the same packet did not pass either. */
void openings_dropped(struct openings *o, const struct event *e);
/* Take an event that has to be told behind the one of the same incident that waits;
 * false: none waits. */
bool openings_behind(struct openings *o, const struct event *e);

/* Tell those that waited long enough; returns when the next is due, 0: none waits. */
uint64_t openings_due(struct openings *o, uint64_t mono_us);
/* Tell all that wait. */
void openings_flush(struct openings *o);

#endif
