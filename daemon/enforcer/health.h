/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what around the table would make it void, and telling the engine */
#ifndef CORDON_ENFORCER_HEALTH_H
#define CORDON_ENFORCER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/msg.h"

struct enforcer;
struct netrange;

/* Tell the engine.  detail: cut and copied. */
void health_say(struct enforcer *e, enum health_what what, enum role role, int code,
    const char *detail);

/* Read the machine's addresses into e->local (kept as it was on failure). */
void health_read_addresses(struct enforcer *e);

/* Look for what would make the table void (enforcer/checks.h) and tell the engine of
 * what is new and what is over.  Then again every few seconds. */
void health_check(struct enforcer *e);
/* Something changed: look in a moment. */
void health_soon(struct enforcer *e);
/* Tell an engine that was started anew what it can't know. */
void health_brief(struct enforcer *e);
void health_close(struct enforcer *e);

/* Whether r overlaps an address of this machine. */
bool health_is_local(const struct enforcer *e, const struct netrange *r);
/* net.ipv4.ip_forward and net.ipv6.conf.all.forwarding of this namespace. */
bool health_forwarding(uint8_t v);

#endif
