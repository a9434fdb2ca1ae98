/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: messages to a role that its socket has no room for yet */
#ifndef CORDON_ENFORCER_QUEUE_H
#define CORDON_ENFORCER_QUEUE_H

#include <stdint.h>

#include "priv/msg.h"

struct child;

/* Send now, or keep for queue_flush() (fd is duplicated then).  0 or -errno
 * (-ENOBUFS: ROLES_QUEUE_MAX reached). */
int queue_send(struct child *c, enum msg_type type, uint32_t id, const void *body, int fd);
/* The socket has room again. */
void queue_flush(struct child *c);
void queue_clear(struct child *c);

#endif
