/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: requests that came in the middle of long work, and can wait for its end */
#ifndef CORDON_ENFORCER_LATER_H
#define CORDON_ENFORCER_LATER_H

#include <stdbool.h>

#include "priv/msg.h"

struct child;

enum { LATER_MAX = 64 }; /* of one role; what is beyond stays in its socket */

bool later_room(const struct child *c);
/* Keep a request that carries no descriptor, behind those kept before.  0 or -ENOMEM. */
int later_keep(struct child *c, const struct msg_hdr *hdr, const union msg_body *body);
/* Take the first one; false: there is none. */
bool later_take(struct child *c, struct msg_hdr *ret_hdr, union msg_body *ret_body);
void later_clear(struct child *c);

#endif
