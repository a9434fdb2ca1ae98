/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the one evaluator of a policy: two-sided consent (DESIGN section 4) */
#include <cordon/flowspace.h>

#include <netinet/in.h>
#include <string.h>

uint32_t fs_place_of(const struct fs *fs, const struct netaddr *a)
{
	const struct fs_place *p = fs_table(fs, FS_PLACES);
	uint32_t lo = 0, hi = fs->table[FS_PLACES].count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (netaddr_cmp(&p[mid].range.hi, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == fs->table[FS_PLACES].count || !netrange_has(&p[lo].range, a))
		return FS_NONE;
	return p[lo].host;
}

static bool service_has(const struct fs_service *s, uint8_t v, uint8_t proto,
    uint16_t port)
{
	return s->proto == proto && (s->family == 0 || s->family == v) &&
	    s->lo <= port && port <= s->hi;
}

/* What r grants for this protocol and port; *ret_has: whether it names it at all,
 * *ret_short: as a service that starts short. */
static uint8_t rule_grants(const struct fs *fs, const struct fs_rule *r, uint8_t v,
    uint8_t proto, uint16_t port, bool *ret_has, bool *ret_short)
{
	uint8_t grants = 0;

	*ret_has = *ret_short = false;
	for (uint32_t i = 0; i < r->services.count; i++) {
		const struct fs_service *s = fs_service(fs, r->services.first + i);

		if (service_has(s, v, proto, port)) {
			*ret_has = true;
			*ret_short |= s->short_opening != 0;
			grants |= s->grants;
		}
	}
	return grants;
}

/* Which requirement binds which protocol. */
static const struct {
	uint8_t require, proto;
} require_of[] = {
	{ FS_REQ_NLA, FS_RDP },
	{ FS_REQ_SMB2, FS_SMB },
	{ FS_REQ_SIGNING, FS_SMB },
};

/* A requirement holds only if every matching rule that grants its protocol has it. */
static uint8_t requires_kept(uint8_t held, const struct fs_rule *r, uint8_t grants)
{
	for (size_t i = 0; i < sizeof(require_of) / sizeof(require_of[0]); i++)
		if ((grants & require_of[i].proto) && !(r->require & require_of[i].require))
			held &= (uint8_t)~require_of[i].require;
	return held;
}

static uint8_t requires_of_grants(uint8_t grants)
{
	uint8_t all = 0;

	for (size_t i = 0; i < sizeof(require_of) / sizeof(require_of[0]); i++)
		if (grants & require_of[i].proto)
			all |= require_of[i].require;
	return all;
}

static void judge_side(const struct fs *fs, const struct fs_flow *flow, uint32_t host,
    enum fs_dir dir, struct fs_side *side)
{
	const struct fs_host *h = fs_host(fs, host);
	const struct netaddr *peer = dir == FS_IN ? &flow->src : &flow->dst;
	uint8_t kept = FS_REQ_NLA | FS_REQ_SMB2 | FS_REQ_SIGNING;

	*side = (struct fs_side){ .host = host, .rule = FS_NONE, .asleep = FS_NONE,
		.dir = dir, .observed = h->mode == FS_OBSERVE };
	for (uint32_t i = 0; i < h->rules[dir].count; i++) {
		uint32_t index = h->rules[dir].first + i;
		const struct fs_rule *r = fs_rule(fs, index);
		bool has, is_short;
		uint8_t grants = rule_grants(fs, r, peer->v, flow->proto, flow->dport, &has,
		    &is_short);

		if (!has || !netranges_have(fs_range(fs, r->peers.first), r->peers.count,
				peer))
			continue;
		if (!fs_rule_active(fs, r, flow->at, NULL)) {
			if (side->asleep == FS_NONE)
				side->asleep = index;
			continue;
		}
		if (!side->match)
			side->rule = index; /* rules are sorted by id */
		side->match = true;
		side->grants |= grants;
		side->short_opening |= is_short;
		kept = requires_kept(kept, r, grants);
	}
	side->require = kept & requires_of_grants(side->grants);
}

static void conclude(const struct fs *fs, struct fs_verdict *v)
{
	bool observed = false;

	v->result = FS_ALLOW;
	v->reason = FS_WHY_RULES;
	v->grants = FS_SMB | FS_RDP;
	for (unsigned i = 0; i < v->nsides; i++) {
		const struct fs_side *s = &v->side[i];

		if (s->match) {
			v->grants &= s->grants;
			v->require |= s->require;
			continue;
		}
		if (s->observed) {
			observed = true;
			continue;
		}
		if (v->result == FS_ALLOW || !fs_host(fs, s->host)->declared)
			v->reason = fs_host(fs, s->host)->declared ? FS_WHY_NO_RULE :
			    FS_WHY_UNDECLARED;
		v->result = FS_DENY;
	}
	if (v->result == FS_ALLOW && observed)
		v->reason = FS_WHY_OBSERVED;
	if (v->result == FS_DENY)
		v->grants = v->require = 0;
}

void fs_judge(const struct fs *fs, const struct fs_flow *flow, struct fs_verdict *ret)
{
	uint32_t from = fs_place_of(fs, &flow->src), to = fs_place_of(fs, &flow->dst);

	memset(ret, 0, sizeof(*ret));
	if (from == FS_NONE && to == FS_NONE) {
		ret->result = FS_PASS;
		ret->reason = FS_WHY_NOT_OURS;
		return;
	}
	if (from != FS_NONE && netaddr_is_multicast(&flow->dst)) {
		ret->result = FS_DENY;
		ret->reason = FS_WHY_MULTICAST;
		ret->side[ret->nsides++] = (struct fs_side){ .host = from,
			.rule = FS_NONE, .asleep = FS_NONE, .dir = FS_OUT };
		return;
	}
	if (from != FS_NONE)
		judge_side(fs, flow, from, FS_OUT, &ret->side[ret->nsides++]);
	if (to != FS_NONE)
		judge_side(fs, flow, to, FS_IN, &ret->side[ret->nsides++]);
	conclude(fs, ret);
}

enum fs_guard_action fs_use_action(const struct fs *fs, const struct fs_guard_use *u,
    const struct netaddr *peer, int64_t at)
{
	if (at >= u->expires)
		return u->default_action;
	if (peer != NULL && u->except.count > 0 &&
	    netranges_have(fs_range(fs, u->except.first), u->except.count, peer))
		return FS_GUARD_OFF;
	return u->action;
}

enum fs_guard_action fs_guard_action_of(const struct fs *fs, uint32_t host, uint32_t guard,
    const struct netaddr *peer, int64_t at)
{
	const struct fs_span *uses = &fs_host(fs, host)->guards;

	for (uint32_t i = uses->first; i < uses->first + uses->count; i++) {
		const struct fs_guard_use *u =
		    FS_AT(fs, FS_GUARD_USES, struct fs_guard_use, i);

		if (u->guard == guard)
			return fs_use_action(fs, u, peer, at);
	}
	return FS_GUARD_OFF;
}

const char *fs_result_name(enum fs_result r)
{
	switch (r) {
	case FS_PASS:
		return "pass";
	case FS_ALLOW:
		return "allow";
	case FS_DENY:
		return "deny";
	}
	return "?";
}

const char *fs_reason_text(enum fs_reason r)
{
	switch (r) {
	case FS_WHY_NOT_OURS:
		return "neither end is a legacy host or protected";
	case FS_WHY_RULES:
		return "every protected end has a rule for it";
	case FS_WHY_NO_RULE:
		return "no rule allows it";
	case FS_WHY_UNDECLARED:
		return "an undeclared address of a protected prefix has no rules";
	case FS_WHY_OBSERVED:
		return "no rule allows it, but the host is only observed";
	case FS_WHY_MULTICAST:
		return "broadcast and multicast of legacy hosts are dropped";
	case FS_WHY_NLA:
		return "nla-required";
	case FS_WHY_SMB2:
		return "smb2-required";
	case FS_WHY_SIGNING:
		return "signing-required";
	case FS_WHY_OPENING:
		return "opening";
	}
	return "?";
}
