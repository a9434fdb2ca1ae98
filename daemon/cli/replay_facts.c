/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a policy says of the two ends of a TCP connection, whoever opens it */
#include "cli/replay_facts.h"

#include <netinet/in.h>

#include "cli/replay_gate_wire.h"
#include "wire/decode.h"

enum { PORTS_MAX = 256 }; /* of a range that grants; wider ones are no elements of sets */

static uint8_t binds(uint8_t grants)
{
	return (uint8_t)((grants & FS_SMB ? FS_REQ_SMB2 | FS_REQ_SIGNING : 0) |
	    (grants & FS_RDP ? FS_REQ_NLA : 0));
}

/* Whether some rule of the host, for whatever peer, grants SMB or RDP on this port, and
 * (*asks) requires something of it: the sets speaks* and asks* of rules/compile_odd.c. */
static bool speaks_at(const struct fs *fs, uint32_t host, enum fs_dir dir, uint16_t port,
    int64_t at, bool *asks)
{
	const struct fs_span *rules;
	bool speaks = false;

	*asks = false;
	if (host == FS_NONE)
		return false;
	rules = &fs_host(fs, host)->rules[dir];
	for (uint32_t i = rules->first; i < rules->first + rules->count; i++) {
		const struct fs_rule *r = fs_rule(fs, i);

		if (!fs_rule_active(fs, r, at, NULL))
			continue;
		for (uint32_t k = 0; k < r->services.count; k++) {
			const struct fs_service *s = fs_service(fs, r->services.first + k);

			if (s->proto != IPPROTO_TCP || s->grants == 0 || port < s->lo ||
			    port > s->hi || s->hi - s->lo >= PORTS_MAX)
				continue;
			speaks = true;
			*asks |= (binds(s->grants) & r->require) != 0;
		}
	}
	return speaks;
}

/* A packet from end `from` to the other. */
static void way(struct facts *f, const struct fs *fs, const struct netaddr *src,
    const struct netaddr *dst, uint16_t dport, unsigned from)
{
	struct fs_flow asked = { .src = *src, .dst = *dst, .proto = IPPROTO_TCP,
		.dport = dport, .at = f->at };
	struct fs_verdict v;
	bool in, out;

	fs_judge(fs, &asked, &v);
	f->allowed[from] = v.result != FS_DENY;
	f->reason[from] = v.reason;
	f->speaks |= speaks_at(fs, f->host[!from], FS_IN, dport, f->at, &in);
	f->speaks |= speaks_at(fs, f->host[from], FS_OUT, dport, f->at, &out);
	f->asks[from] = (in && !f->observed[!from]) || (out && !f->observed[from]);
}

void facts_of(struct facts *ret, const struct fs *fs, const struct pkt_view *v,
    unsigned from, int64_t at)
{
	*ret = (struct facts){ .at = at };
	ret->host[from] = fs_place_of(fs, &v->src);
	ret->host[!from] = fs_place_of(fs, &v->dst);
	if (!facts_ours(ret))
		return;
	for (int i = 0; i < 2; i++)
		ret->observed[i] = ret->host[i] != FS_NONE &&
		    fs_host(fs, ret->host[i])->mode == FS_OBSERVE;
	way(ret, fs, &v->src, &v->dst, v->dport, from);
	way(ret, fs, &v->dst, &v->src, v->sport, !from);
}

bool facts_ours(const struct facts *f)
{
	return f->host[0] != FS_NONE || f->host[1] != FS_NONE;
}

bool facts_enforced(const struct facts *f)
{
	return (f->host[0] != FS_NONE && !f->observed[0]) ||
	    (f->host[1] != FS_NONE && !f->observed[1]);
}

void facts_ends(const struct facts *f, unsigned from, struct opening *o)
{
	o->ours[FS_IN] = f->host[!from] != FS_NONE;
	o->ours[FS_OUT] = f->host[from] != FS_NONE;
	o->observed[FS_IN] = f->observed[!from];
	o->observed[FS_OUT] = f->observed[from];
}
