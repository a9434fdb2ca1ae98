/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the guards the sensor looks for, as the enforcer tells them */
#ifndef CORDON_SENSOR_LOOKOUT_H
#define CORDON_SENSOR_LOOKOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "priv/msg.h"
#include "wire/wire.h"

enum { LOOKOUT_FIRED_MAX = 16 };

struct lookout;

/* Everything is allocated here.  NULL without memory. */
struct lookout *lookout_new(void);
void lookout_free(struct lookout *l);

/* Have w ask l about every message. */
void lookout_watch(struct lookout *l, struct wire *w);

/* One guard of a list; the first begins a new list, with the last it is in force (until
 * then nothing new is looked for).  False: it is out of turn. */
bool lookout_take(struct lookout *l, const struct msg_sensor_guard *m);

/* The ids of the guards that hit with the packet last taken by w, valid until
 * lookout_take(): its messages, or else the packet itself.  To be asked after every packet,
 * whether or not there is news of it: what is left over would be told of the next one. */
size_t lookout_fired(struct lookout *l, const struct wire *w,
    const char *ret[static LOOKOUT_FIRED_MAX]);

#endif
