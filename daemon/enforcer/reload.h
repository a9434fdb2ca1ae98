/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: from a policy tree or image to the kernel, or no change at all */
#ifndef CORDON_ENFORCER_RELOAD_H
#define CORDON_ENFORCER_RELOAD_H

#include <stdint.h>

#include "priv/msg.h"

struct enforcer;
struct image;

/* Load the tree.  id: of the engine's MSG_RELOAD, which gets its answer, or 0.
 * want: all zero where nobody asked for anything special. */
void reload_ask(struct enforcer *e, uint32_t id, const struct msg_reload *want);

/* Put an earlier policy in force, of which only the flow space is needed; deed says
 * why.  0 and the answer comes when it is done, or -errno (-EBUSY: a load runs). */
int reload_back(struct enforcer *e, uint32_t id, const struct image *i,
    enum policy_deed deed);

/* Answer a request (id 0: none) without diagnostics. */
void reload_result(struct enforcer *e, uint32_t id, enum msg_code code, int err,
    enum policy_deed deed);

/* At the start: the tree; where that fails, the last good image.  Waits.  Exit
 * status; ENFORCER_OK: e->live is in force (with -n: the kernel would take it). */
int reload_first(struct enforcer *e);

/* For -e: the last good image; where there is none, the tree.  Waits. */
int reload_early(struct enforcer *e);

/* Compile again once a rule starts or ends; look after the table.  Starts timers. */
int reload_watch(struct enforcer *e);

#endif
