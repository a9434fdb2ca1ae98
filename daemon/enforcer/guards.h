/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the guards in use, told to the sensor one by one */
#ifndef CORDON_ENFORCER_GUARDS_H
#define CORDON_ENFORCER_GUARDS_H

struct enforcer;

/* Send the sensor the guards of the live policy: at its start, and after each load. */
void guards_brief(struct enforcer *e);

#endif
