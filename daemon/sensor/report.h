/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the way of sightings to the engine: never blocks, counts what is lost */
#ifndef CORDON_SENSOR_REPORT_H
#define CORDON_SENSOR_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/msg.h"

/* Sightings that wait while the engine is busy or being restarted. */
enum { REPORT_QUEUE = 512, REPORT_LOOKBACK = 16 };

struct report {
	int fd; /* channel to the engine, or -1 */
	uint32_t head, count; /* of the ring */
	uint64_t sightings, lost; /* packets' worth, by count */
	struct msg_sighting ring[REPORT_QUEUE];
};

/* NULL: no memory.  The only allocation of this module. */
struct report *report_new(int fd);
void report_free(struct report *r);

/* The engine was restarted: what waits goes to the new channel.  fd is not closed
 * by this module; -1: none for now. */
void report_channel(struct report *r, int fd);

/* Send now if nothing waits, else queue.  A sighting equal to one of the last
 * waiting (but for time and count) is added to its count.  Where the queue is full
 * it is lost and counted. */
void report_sighting(struct report *r, const struct msg_sighting *s);

/* Send what waits as far as the channel takes it.  0: nothing waits any more, 1:
 * ask again when the channel is writable, -errno: the channel broke (nothing was
 * lost). */
int report_flush(struct report *r);

bool report_waits(const struct report *r);

/* Fill in sightings and lost, send.  Skipped if the channel is full. */
void report_stats(struct report *r, struct msg_sensor_stats *st);

#endif
