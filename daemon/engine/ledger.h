/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the kernel counted against what events told: nothing stays silent */
#ifndef ENGINE_LEDGER_H
#define ENGINE_LEDGER_H

#include <stdint.h>

#include "priv/tallytab.h"
#include "priv/msg.h"

/* A row an address and kind.  Its hits come from the kernel, told from this engine (and
 * those before it, by way of the enforcer).  Whatever happened to a packet on its way to
 * an event (limited, no room, lost, held back by a quota, known to an engine that was
 * killed), it is in hits and not in told: what stays there for two periods is told as
 * one event, so that the counts of all events add up to hits. */
struct ledger;
#define LEDGER_PERIOD_US 10000000ull

struct ledger *ledger_new(void);
void ledger_free(struct ledger *l);

/* The kernel's value of now; TALLY_TOLD: what earlier engines told, said once. */
void ledger_sum(struct ledger *l, const struct msg_sum *s);

/* How many of `count` packets an event that sums up may tell: no more than the kernel
 * is known to have counted and nobody told.  A packet that was seen needs no leave. */
uint64_t ledger_claim(const struct ledger *l, const struct netaddr *addr, uint8_t kind,
    uint64_t count);
/* So many were told; sent: the enforcer knows. */
void ledger_told(struct ledger *l, const struct netaddr *addr, uint8_t kind,
    uint64_t count, bool sent);

/* Once a second.  unsent: f gets what the enforcer does not know yet of what was told;
 * false: not now.  rest: f gets what stayed untold; rows' sums are of now. */
typedef bool ledger_unsent_fn(void *arg, const struct msg_sum *s);
void ledger_unsent(struct ledger *l, ledger_unsent_fn *f, void *arg);
typedef void ledger_rest_fn(void *arg, const struct tally_row *row, uint64_t packets);
void ledger_tick(struct ledger *l, uint64_t mono_us, ledger_rest_fn *f, void *arg);

/* Call f for each row. */
void ledger_each(const struct ledger *l,
    void (*f)(void *arg, const struct tally_row *row), void *arg);

#endif
