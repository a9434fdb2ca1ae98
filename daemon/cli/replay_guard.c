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
#include "cli/replay_gate.h"
#include "wire/guards.h"
#include "wire/wire.h"

/* A guard hit a packet, whoever uses the guard. */
struct raw {
	size_t flow, seq;
	uint64_t packet;
	int64_t ts_us;
	uint32_t guard;
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

static int add(struct replay_guards *g, const struct replay *r, uint32_t guard, int64_t ts_us)
{
	size_t flow = replay_last(r, NULL);

	if (g->n == g->room) {
		size_t room = g->room ? 2 * g->room : 64;
		struct raw *raw = reallocarray(g->raw, room, sizeof(*raw));

		if (!raw)
			return -1;
		g->raw = raw;
		g->room = room;
	}
	g->raw[g->n] = (struct raw){ .flow = flow, .seq = g->n, .guard = guard,
		.ts_us = ts_us, .packet = replay_flow(r, flow)->packets };
	g->n++;
	return 0;
}

/* What the kernel judges packet by packet, then what the tap found in messages. */
int replay_guards_packet(struct replay_guards *g, const struct replay *r, int64_t ts_us)
{
	uint32_t hit[GUARDS_HITS_MAX];
	enum decode how;
	const struct pkt_view *v = wire_view(g->wire, &how);
	bool to_client;
	size_t n;

	if (v->proto != IPPROTO_TCP || v->payload_len < GUARDS_PAYLOAD_MIN)
		return 0;
	replay_last(r, &to_client);
	n = guards_match(g->guards, to_client, v->payload, v->payload_len, hit);
	for (size_t i = 0; i < n; i++)
		if (guards_where(g->guards, hit[i]) == GUARD_KERNEL &&
		    add(g, r, hit[i], ts_us) < 0)
			return -1;
	n = guards_fired(g->guards, hit);
	for (size_t i = 0; i < n; i++)
		if (add(g, r, hit[i] | 1u << 31, ts_us) < 0)
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

/* As the kernel's rules: an enforced end that drops, before one that only tells. */
static bool counts(const struct replay_guards *g, const struct raw *raw,
    const struct replay_flow *f, const struct fs_verdict *v, const int64_t *at,
    struct replay_hit *ret)
{
	uint32_t guard = raw->guard & ~(1u << 31);
	int64_t second = at ? *at : raw->ts_us / 1000000 - (raw->ts_us % 1000000 < 0);

	*ret = (struct replay_hit){ .packet = raw->packet, .ts_us = raw->ts_us,
		.sensor = guard != raw->guard,
		.guard = fs_str(g->fs, FS_AT(g->fs, FS_GUARDS, struct guard, guard)->id) };
	for (unsigned i = 0; i < v->nsides; i++) {
		enum fs_guard_action a = fs_guard_action_of(g->fs, v->side[i].host, guard,
		    v->side[i].dir == FS_IN ? &f->src : &f->dst, second);
		bool watched = a == FS_GUARD_DROP && v->side[i].observed;

		a = watched ? FS_GUARD_ALERT : a;
		if (a > ret->action) {
			ret->action = a;
			ret->observed = watched;
		}
	}
	return ret->action != FS_GUARD_OFF;
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
 * no packet shows it is seen by the sensor.  Where the start of the flow is missing it is
 * taken for the kernel's. */
static bool not_granted(const struct replay_flow *f, const struct fs_verdict *v,
    const struct replay_opening *o, struct replay_hit *ret)
{
	uint8_t bit = f->app == APP_SMB ? FS_SMB : f->app == APP_RDP ? FS_RDP : 0;
	bool lacks = false, enforced = false;

	if (o->condemned) {
		*ret = (struct replay_hit){ .packet = o->packet, .ts_us = o->ts_us,
			.guard = not_granted_name(o->condemned), .action = FS_GUARD_DROP };
		return true;
	}
	for (unsigned i = 0; bit && i < v->nsides; i++) {
		if (v->side[i].match && (v->side[i].grants & bit))
			continue;
		lacks = true;
		enforced |= !v->side[i].observed;
	}
	*ret = (struct replay_hit){ .packet = f->spoken_at, .ts_us = f->spoken_us,
		.guard = not_granted_name(bit), .sensor = enforced && o->followed,
		.action = enforced && !o->followed ? FS_GUARD_DROP : FS_GUARD_ALERT,
		.observed = !enforced };
	return lacks;
}

size_t replay_guards_of(const struct replay_guards *g, size_t i,
    const struct replay_flow *f, const struct fs_verdict *v,
    const struct replay_opening *o, const int64_t *at, struct replay_hit *ret, size_t max)
{
	struct replay_hit built_in, hit;
	bool before = v->result == FS_ALLOW && not_granted(f, v, o, &built_in);
	size_t n = 0;

	if (v->result != FS_ALLOW)
		return 0;
	for (size_t k = first_of(g, i); k < g->n && g->raw[k].flow == i && n < max; k++) {
		if (before && built_in.packet <= g->raw[k].packet) {
			ret[n++] = built_in;
			before = false;
			if (built_in.action == FS_GUARD_DROP || n == max)
				return n;
		}
		if (!counts(g, &g->raw[k], f, v, at, &hit))
			continue;
		ret[n++] = hit;
		if (hit.action == FS_GUARD_DROP && !hit.sensor)
			return n;
	}
	if (before && n < max)
		ret[n++] = built_in;
	return n;
}
