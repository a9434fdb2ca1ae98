/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: guards evaluated on packets and messages, as the kernel's rules do it */
#ifndef WIRE_GUARDS_H
#define WIRE_GUARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/guard.h>

#include "wire/facts.h"
#include "wire/proto.h"

enum {
	GUARDS_MAX = FACT_GUARD_WORDS * 32, /* that facts have a bit for */
	GUARDS_HITS_MAX = 16,               /* told of one packet or message */
	GUARDS_PAYLOAD_MIN = 8,             /* shorter ones the kernel does not ask */
};

/* A set of guards, numbered 0..GUARDS_MAX-1 by the caller. */
struct guards;

/* Everything is allocated here: room for GUARDS_MAX guards.  NULL without memory. */
struct guards *guards_new(void);
void guards_free(struct guards *g);
/* Forget all guards. */
void guards_clear(struct guards *g);
/* Add guard `number` with its alternatives (alternative_len as in struct guard; the
 * terms are copied); where: enum guard_where.  False: no room, or out of bounds. */
bool guards_add(struct guards *g, uint32_t number, enum guard_where where,
    enum guard_dir dir, const uint8_t alternative_len[static GUARD_ALTERNATIVE_MAX],
    const struct guard_term *terms);
/* Index what was added; before that nothing hits. */
void guards_ready(struct guards *g);

/* Which guards hit this payload, sent that way: their numbers, in the order in which the
 * kernel asks, each once, GUARDS_HITS_MAX at most.  GUARD_BOTH: nobody saw who opened the
 * connection, guards of either direction are asked.  Returns how many.  Guards of the
 * kernel and of the sensor alike. */
size_t guards_match(const struct guards *g, enum guard_dir sent, const uint8_t *payload,
    size_t len, uint32_t ret[static GUARDS_HITS_MAX]);
enum guard_where guards_where(const struct guards *g, uint32_t number);

/* For wire_set_tap(), arg the set: judge messages where the kernel can't see them, which
 * is those that do not begin a packet, and all by the guards of the sensor.  Sets bits
 * of v->facts->guards and returns NEWS_GUARD where one is new. */
uint32_t guards_tap(void *arg, const struct flow_view *v, const uint8_t *bytes,
    uint32_t len);
/* The guards that the tap found new since the last call. */
size_t guards_fired(struct guards *g, uint32_t ret[static GUARDS_HITS_MAX]);

#endif
