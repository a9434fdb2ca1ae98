/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a policy's guards do to the flows of a capture */
#include "cli/replay_guard.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/guard.h>

#include "cli/cli.h"
#include "cli/hits.h"
#include "cli/replay.h"
#include "cli/replay_kernel.h"
#include "wire/guards.h"
#include "wire/wire.h"

/* A guard hit a packet. */
struct raw {
	size_t flow, seq;
	struct replay_hit hit;
};

struct replay_guards {
	const struct fs *fs;
	struct wire *wire;
	struct guards *guards;
	struct raw *raw;
	size_t n, room;
};

struct replay_guards *replay_guards_new(const struct fs *fs, struct wire *w)
{
	struct replay_guards *g = calloc(1, sizeof(*g));
	size_t left_out;

	if (!g)
		return NULL;
	g->fs = fs;
	g->wire = w;
	g->guards = hits_guards(fs, &left_out);
	if (!g->guards) {
		free(g);
		return NULL;
	}
	if (left_out)
		cli_warnx("%zu guards are too many to be looked for and left out", left_out);
	wire_set_tap(w, &(struct wire_tap){ guards_tap, g->guards });
	return g;
}

void replay_guards_free(struct replay_guards *g)
{
	if (!g)
		return;
	guards_free(g->guards);
	free(g->raw);
	free(g);
}

static int add(struct replay_guards *g, const struct replay *r, const struct replay_hit *hit)
{
	if (g->n == g->room) {
		size_t room = g->room ? 2 * g->room : 64;
		struct raw *raw = reallocarray(g->raw, room, sizeof(*raw));

		if (!raw)
			return -1;
		g->raw = raw;
		g->room = room;
	}
	g->raw[g->n] = (struct raw){ .flow = replay_last(r, NULL), .seq = g->n, .hit = *hit };
	g->n++;
	return 0;
}

/* As the kernel's rules: an enforced end that drops, before one that only tells.  False:
 * nobody uses the guard. */
static bool counts(const struct replay_guards *g, const struct netaddr *const peer[2],
    const struct replay_pass *p, uint32_t guard, struct replay_hit *ret)
{
	ret->guard = fs_str(g->fs, FS_AT(g->fs, FS_GUARDS, struct guard, guard)->id);
	ret->action = FS_GUARD_OFF;
	for (int i = 0; i < 2; i++) {
		enum fs_guard_action a;
		bool watched;

		if (p->host[i] == FS_NONE)
			continue;
		a = fs_guard_action_of(g->fs, p->host[i], guard, peer[i], p->at);
		watched = a == FS_GUARD_DROP &&
		    fs_host(g->fs, p->host[i])->mode == FS_OBSERVE;
		a = watched ? FS_GUARD_ALERT : a;
		if (a > ret->action) {
			ret->action = a;
			ret->observed = watched;
		}
	}
	return ret->action != FS_GUARD_OFF;
}

/* What the kernel judges packet by packet, the first drop ends it; then what the tap found
 * in messages. */
int replay_guards_packet(struct replay_guards *g, const struct replay *r, int64_t ts_us,
    struct replay_pass *p)
{
	uint32_t guard[GUARDS_HITS_MAX], fired[GUARDS_HITS_MAX];
	enum decode how;
	const struct pkt_view *v = wire_view(g->wire, &how);
	size_t n, nfired = guards_fired(g->guards, fired); /* of this packet, whatever becomes of it */
	const struct netaddr *peer[2] = { &v->dst, &v->src };
	struct replay_hit hit = { .ts_us = ts_us,
		.packet = replay_flow(r, replay_last(r, NULL))->packets };

	/* a few bytes, or a bare acknowledgment, may complete what messages are found in */
	if (!p->judged || p->why != REPLAY_PASSES)
		return 0;
	n = guards_match(g->guards, p->sent, v->payload, v->payload_len, guard);
	for (size_t i = 0; i < n && wire_app(g->wire) == APP_NONE; i++)
		if (guards_where(g->guards, guard[i]) == GUARD_SENSOR && nfired < GUARDS_HITS_MAX)
			fired[nfired++] = guard[i]; /* no messages: as the sensor does */
	for (size_t i = 0; i < n && p->why == REPLAY_PASSES; i++) {
		if (guards_where(g->guards, guard[i]) != GUARD_KERNEL ||
		    !counts(g, peer, p, guard[i], &hit))
			continue;
		if (add(g, r, &hit) < 0)
			return -1;
		if (hit.action == FS_GUARD_DROP) {
			p->why = REPLAY_GUARD;
			p->guard = hit.guard;
		}
	}
	hit.sensor = true;
	for (size_t i = 0; i < nfired && p->why == REPLAY_PASSES; i++)
		if (counts(g, peer, p, fired[i], &hit) && add(g, r, &hit) < 0)
			return -1;
	return 0;
}

int replay_guards_messages(struct replay_guards *g, const struct replay *r, int64_t ts_us,
    const int64_t *at)
{
	uint32_t fired[GUARDS_HITS_MAX];
	size_t n = guards_fired(g->guards, fired);
	const struct replay_flow *f = replay_flow(r, replay_last(r, NULL));
	const struct netaddr *peer[2] = { &f->dst, &f->src };
	struct replay_pass p = { .host = { fs_place_of(g->fs, &f->src),
				     fs_place_of(g->fs, &f->dst) },
		.at = at ? *at : ts_us / 1000000 - (ts_us % 1000000 < 0) };
	struct replay_hit hit = { .ts_us = ts_us, .packet = f->packets, .sensor = true };

	for (size_t i = 0; i < n; i++)
		if (counts(g, peer, &p, fired[i], &hit) && add(g, r, &hit) < 0)
			return -1;
	return 0;
}

static int by_flow(const void *a, const void *b)
{
	const struct raw *x = a, *y = b;

	if (x->flow != y->flow)
		return x->flow < y->flow ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

void replay_guards_sort(struct replay_guards *g)
{
	if (g->n > 1)
		qsort(g->raw, g->n, sizeof(*g->raw), by_flow);
}

static size_t first_of(const struct replay_guards *g, size_t flow)
{
	size_t lo = 0, hi = g->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (g->raw[mid].flow < flow)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const char *not_granted_name(uint8_t proto)
{
	return proto == FS_SMB ? "smb-not-granted" : "rdp-not-granted";
}

/* The kernel drops at SMB's or RDP's opening where an enforced side lacks the grant; what
 * no packet shows it is seen by the sensor.  Where the capture hides what the kernel looks
 * at it is taken for the kernel's. */
static bool not_granted(const struct replay_flow *f, const struct fs_verdict *v,
    const struct replay_fate *fate, struct replay_hit *ret)
{
	uint8_t bit = f->app == APP_SMB ? FS_SMB : f->app == APP_RDP ? FS_RDP : 0;
	bool lacks = false, enforced = false;

	if (fate->spoke) {
		*ret = (struct replay_hit){ .packet = fate->spoke_at, .ts_us = fate->spoke_us,
			.guard = not_granted_name(fate->spoke), .action = FS_GUARD_DROP };
		return true;
	}
	for (unsigned i = 0; bit && i < v->nsides; i++) {
		if (v->side[i].match && (v->side[i].grants & bit))
			continue;
		lacks = true;
		enforced |= !v->side[i].observed;
	}
	*ret = (struct replay_hit){ .packet = f->spoken_at, .ts_us = f->spoken_us,
		.guard = not_granted_name(bit), .sensor = enforced && fate->followed,
		.action = enforced && !fate->followed ? FS_GUARD_DROP : FS_GUARD_ALERT,
		.observed = !enforced };
	return lacks && (fate->condemned == 0 || f->spoken_at < fate->first);
}

size_t replay_guards_of(const struct replay_guards *g, size_t i,
    const struct replay_flow *f, const struct fs_verdict *v,
    const struct replay_fate *fate, struct replay_hit *ret, size_t max)
{
	struct replay_hit built_in;
	bool before = v->result == FS_ALLOW && not_granted(f, v, fate, &built_in);
	size_t n = 0;

	for (size_t k = first_of(g, i); k < g->n && g->raw[k].flow == i && n < max; k++) {
		if (before && built_in.packet <= g->raw[k].hit.packet) {
			ret[n++] = built_in;
			before = false;
			if (n == max)
				return n;
		}
		ret[n++] = g->raw[k].hit;
	}
	if (before && n < max)
		ret[n++] = built_in;
	return n;
}
