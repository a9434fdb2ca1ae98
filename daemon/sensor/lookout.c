/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the guards the sensor looks for, as the enforcer tells them */
#include "sensor/lookout.h"

#include <stdlib.h>
#include <string.h>

#include "wire/guards.h"

struct lookout {
	struct guards *guards;
	char id[GUARDS_MAX][MSG_DETAIL_LEN];
	uint32_t told, total; /* of the list that is coming in */
};

struct lookout *lookout_new(void)
{
	struct lookout *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->guards = guards_new();
	if (!l->guards) {
		free(l);
		return NULL;
	}
	return l;
}

void lookout_free(struct lookout *l)
{
	if (!l)
		return;
	guards_free(l->guards);
	free(l);
}

void lookout_watch(struct lookout *l, struct wire *w)
{
	wire_set_tap(w, &(struct wire_tap){ guards_tap, l->guards });
}

bool lookout_take(struct lookout *l, const struct msg_sensor_guard *m)
{
	if (m->index == 0) {
		guards_clear(l->guards);
		l->told = 0;
		l->total = m->total;
	}
	if (m->index != l->told || m->total != l->total)
		return false;
	if (m->total > 0) {
		memcpy(l->id[m->index], m->id, sizeof(m->id));
		if (!guards_add(l->guards, m->index, (enum guard_where)m->where,
			(enum guard_dir)m->dir, m->alternative_len, m->terms))
			return false;
	}
	if (++l->told >= l->total)
		guards_ready(l->guards);
	return true;
}

/* Guards of the sensor that the packet hits by itself: of a connection that speaks neither
 * SMB nor RDP as far as is known, for those are judged by their messages. */
static size_t packet_hits(const struct lookout *l, const struct wire *w,
    const char *ret[static LOOKOUT_FIRED_MAX])
{
	uint32_t hit[GUARDS_HITS_MAX];
	enum decode how;
	const struct pkt_view *v = wire_view(w, &how);
	enum guard_dir sent = GUARD_BOTH;
	bool to_client;
	size_t n, sensors = 0;

	if (how != DECODE_OK || v->payload_len < GUARDS_PAYLOAD_MIN ||
	    !wire_flow(w, NULL, &to_client) || wire_app(w) != APP_NONE)
		return 0;
	if (wire_opened(w))
		sent = to_client ? GUARD_TO_CLIENT : GUARD_TO_SERVER;
	n = guards_match(l->guards, sent, v->payload, v->payload_len, hit);
	for (size_t i = 0; i < n; i++)
		if (guards_where(l->guards, hit[i]) == GUARD_SENSOR)
			ret[sensors++] = l->id[hit[i]];
	return sensors;
}

size_t lookout_fired(struct lookout *l, const struct wire *w,
    const char *ret[static LOOKOUT_FIRED_MAX])
{
	uint32_t hit[GUARDS_HITS_MAX];
	size_t n = guards_fired(l->guards, hit);

	for (size_t i = 0; i < n; i++)
		ret[i] = l->id[hit[i]];
	return n ? n : packet_hits(l, w, ret);
}
