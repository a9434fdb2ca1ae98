/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: which guards hit which flow of a capture */
#include "cli/hits.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/flowspace.h>

#include "wire/guards.h"
#include "wire/wire.h"

struct hit_flow {
	uint64_t id;
	uint32_t bits[FACT_GUARD_WORDS];
};

struct hits {
	struct hit_flow *flow;
	size_t n, room;
	uint32_t *slot; /* index + 1 into flow, 0: free; slots a power of two */
	size_t slots;
};

struct guards *hits_guards(const struct fs *fs, size_t *ret_left_out)
{
	struct guards *g = guards_new();
	size_t left_out = 0;

	for (uint32_t i = 0; g && i < fs->table[FS_GUARDS].count; i++) {
		const struct guard *one = FS_AT(fs, FS_GUARDS, struct guard, i);

		if (one->where != GUARD_BUILTIN &&
		    !guards_add(g, i, (enum guard_where)one->where,
			(enum guard_dir)one->dir, one->alternative_len,
			FS_AT(fs, FS_GUARD_TERMS, struct guard_term, one->term_first)))
			left_out++;
	}
	if (g)
		guards_ready(g);
	if (ret_left_out)
		*ret_left_out = left_out;
	return g;
}

struct hits *hits_new(void)
{
	return calloc(1, sizeof(struct hits));
}

void hits_free(struct hits *h)
{
	if (!h)
		return;
	free(h->flow);
	free(h->slot);
	free(h);
}

static size_t slot_of(const struct hits *h, uint64_t id)
{
	size_t at = (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & (h->slots - 1);

	while (h->slot[at] && h->flow[h->slot[at] - 1].id != id)
		at = (at + 1) & (h->slots - 1);
	return at;
}

static int grow(struct hits *h)
{
	size_t room = h->room ? h->room * 2 : 64;
	struct hit_flow *flow = reallocarray(h->flow, room, sizeof(*flow));

	if (!flow)
		return -1;
	h->flow = flow;
	h->room = room;
	free(h->slot);
	h->slots = room * 2;
	h->slot = calloc(h->slots, sizeof(*h->slot));
	if (!h->slot)
		return -1;
	for (size_t i = 0; i < h->n; i++)
		h->slot[slot_of(h, h->flow[i].id)] = (uint32_t)i + 1;
	return 0;
}

static int add(struct hits *h, uint64_t id, const uint32_t *hit, size_t n)
{
	struct hit_flow *f;
	size_t at;

	if (h->n == h->room && grow(h) < 0)
		return -1;
	at = slot_of(h, id);
	if (!h->slot[at]) {
		memset(&h->flow[h->n], 0, sizeof(h->flow[0]));
		h->flow[h->n].id = id;
		h->slot[at] = (uint32_t)++h->n;
	}
	f = &h->flow[h->slot[at] - 1];
	for (size_t i = 0; i < n; i++)
		f->bits[hit[i] / 32] |= 1u << hit[i] % 32;
	return 0;
}

/* Of SMB and RDP the sensor's own guards are asked about messages: a packet may hold several,
 * which are not one. */
static size_t of_kernel(const struct guards *g, uint32_t *hit, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (guards_where(g, hit[i]) == GUARD_KERNEL)
			hit[kept++] = hit[i];
	return kept;
}

int hits_packet(
    struct hits *h, const struct guards *g, const struct wire *w, uint32_t *ret)
{
	enum decode how;
	const struct pkt_view *v = wire_view(w, &how);
	enum guard_dir sent;
	bool to_client;
	uint64_t id = 0;
	size_t n;

	if (how != DECODE_OK || v->proto != IPPROTO_TCP ||
	    v->payload_len < GUARDS_PAYLOAD_MIN || !wire_flow(w, NULL, &to_client))
		return 0;
	sent = to_client ? GUARD_TO_CLIENT : GUARD_TO_SERVER;
	n = guards_match(
	    g, wire_opened(w) ? sent : GUARD_BOTH, v->payload, v->payload_len, ret);
	if (wire_app(w) != APP_NONE)
		n = of_kernel(g, ret, n);
	if (n && wire_flow(w, &id, &to_client) && add(h, id, ret, n) < 0)
		return -1;
	return (int)n;
}

const uint32_t *hits_of(const struct hits *h, uint64_t id)
{
	size_t at = h->slots ? slot_of(h, id) : 0;

	return h->slots && h->slot[at] ? h->flow[h->slot[at] - 1].bits : NULL;
}

int hits_at(const struct hits *h, size_t i, uint64_t *ret_id, const uint32_t **ret_bits)
{
	if (i >= h->n)
		return 0;
	*ret_id = h->flow[i].id;
	*ret_bits = h->flow[i].bits;
	return 1;
}
