/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the life of sensor and engine, and messages to them */
#ifndef CORDON_ENFORCER_ROLES_H
#define CORDON_ENFORCER_ROLES_H

#include <stdint.h>

#include "priv/msg.h"

struct child;
struct enforcer;

enum { ROLES_BACKOFF_MAX_MS = 5000, ROLES_LIVED_MS = 10000, ROLES_QUEUE_MAX = 100000 };

void roles_init(struct enforcer *e);
/* Start both; a policy is in force.  One that can't be started is tried again. */
void roles_start(struct enforcer *e);
/* SIGTERM, and SIGKILL for those still there after a second. */
void roles_stop(struct enforcer *e);

/* Send to a running role, in order; what its socket has no room for now is kept and
 * sent later.  fd (-1: none) stays the caller's.  Dropped where it does not run. */
void roles_send(struct enforcer *e, enum role role, enum msg_type type, uint32_t id,
    const void *body, int fd);

/* The policy in force changed: tell the engine, give the sensor its interfaces. */
void roles_policy(struct enforcer *e);
/* Open the event log and hand it to the engine. */
void roles_log_file(struct enforcer *e);

/* End one in good order, to be started again with what is there now. */
void roles_restart(struct enforcer *e, enum role role);

/* End one that broke the contract; it is started again. */
void roles_kill(struct child *c, const char *why);

#endif
