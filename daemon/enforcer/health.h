/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what around the table would make it void, and telling the engine */
#ifndef CORDON_ENFORCER_HEALTH_H
#define CORDON_ENFORCER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/msg.h"

struct enforcer;

/* Tell the engine.  detail: cut and copied. */
void health_say(struct enforcer *e, enum health_what what, enum role role, int code,
    const char *detail);

/* Read the machine's addresses into e->local (kept as it was on failure). */
void health_read_addresses(struct enforcer *e);

/* After a load: gateway.addresses against the machine's, forwarding of the families
 * that are protected.  Warns and tells the engine. */
void health_check(struct enforcer *e);

/* net.ipv4.ip_forward and net.ipv6.conf.all.forwarding of this namespace. */
bool health_forwarding(uint8_t v);

#endif
