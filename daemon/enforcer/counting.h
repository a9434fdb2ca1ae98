/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the kernel counted, read in time and handed to the engine */
#ifndef CORDON_ENFORCER_COUNTING_H
#define CORDON_ENFORCER_COUNTING_H

#include "priv/msg.h"

struct child;
struct enforcer;

/* Every COUNTING_MS the elements of flows are read, then the sums of hosts, then what
 * differs is sent.  A flow's element lives for 20 s after its last packet: nothing that
 * it counted goes unread.  What of the sums stands in written events (MSG_TOLD) is kept
 * in the kernel beside them: it lives exactly as long as they do. */
enum { COUNTING_MS = 5000, COUNTING_WRITE_MS = 200 };

/* Start.  0 or -errno. */
int counting_watch(struct enforcer *e);
void counting_close(struct enforcer *e);

/* A new engine was started: it knows nothing. */
void counting_brief(struct enforcer *e);
/* The engine wrote events that stand for so many packets. */
void counting_told(struct enforcer *e, const struct msg_sum *s);
/* The engine has ended: take what it said last. */
void counting_drain(struct child *engine);

#endif
