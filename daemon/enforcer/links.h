/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: interfaces of the sensor that were not there at its start, or come back */
#ifndef CORDON_ENFORCER_LINKS_H
#define CORDON_ENFORCER_LINKS_H

struct enforcer;

/* The sensor can't open an interface once its rights are gone.  So where one of its
 * list comes up that it did not find, goes away or is replaced, a new sensor is
 * started. 0 or -errno. */
int links_watch(struct enforcer *e);
void links_close(struct enforcer *e);

/* A sensor starts now: remember what it finds. */
void links_found(struct enforcer *e);

#endif
