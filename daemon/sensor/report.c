/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the queue of sightings in front of the engine's channel */
#include "sensor/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct report *report_new(int fd)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r)
		r->fd = fd;
	return r;
}

void report_free(struct report *r)
{
	free(r);
}

void report_channel(struct report *r, int fd)
{
	r->fd = fd;
}

bool report_waits(const struct report *r)
{
	return r->count > 0;
}

static struct msg_sighting *waiting(struct report *r, uint32_t i)
{
	return &r->ring[(r->head + i) % REPORT_QUEUE];
}

/* SPOKEN is never merged: its facts grow. */
static bool same(const struct msg_sighting *a, const struct msg_sighting *b)
{
	return a->kind == b->kind && a->kind != SIGHT_SPOKEN && a->proto == b->proto &&
	       a->sport == b->sport && a->dport == b->dport &&
	       a->generation == b->generation && a->handshake == b->handshake &&
	       netaddr_cmp(&a->src, &b->src) == 0 &&
	       netaddr_cmp(&a->dst, &b->dst) == 0 &&
	       strcmp(a->detail, b->detail) == 0 && strcmp(a->iface, b->iface) == 0;
}

static bool merge(struct report *r, const struct msg_sighting *s)
{
	for (uint32_t i = 0; i < r->count && i < REPORT_LOOKBACK; i++) {
		struct msg_sighting *old = waiting(r, r->count - 1 - i);

		if (same(old, s) && old->count <= UINT32_MAX - s->count) {
			old->count += s->count;
			return true;
		}
	}
	return false;
}

static void enqueue(struct report *r, const struct msg_sighting *s)
{
	if (merge(r, s))
		return;
	if (r->count == REPORT_QUEUE) {
		r->lost += s->count;
		return;
	}
	*waiting(r, r->count) = *s;
	r->count++;
}

void report_sighting(struct report *r, const struct msg_sighting *s)
{
	r->sightings += s->count;
	if (r->count > 0 || r->fd < 0 || msg_send(r->fd, MSG_SIGHTING, 0, s, NULL) != 0)
		enqueue(r, s);
}

int report_flush(struct report *r)
{
	while (r->count > 0) {
		int rc;

		if (r->fd < 0)
			return -EPIPE;
		rc = msg_send(r->fd, MSG_SIGHTING, 0, waiting(r, 0), NULL);
		if (rc == -EAGAIN)
			return 1;
		if (rc < 0)
			return rc;
		r->head = (r->head + 1) % REPORT_QUEUE;
		r->count--;
	}
	return 0;
}

void report_stats(struct report *r, struct msg_sensor_stats *st)
{
	st->sightings = r->sightings;
	st->lost = r->lost;
	if (r->fd >= 0)
		(void)msg_send(r->fd, MSG_SENSOR_STATS, 0, st, NULL);
}
