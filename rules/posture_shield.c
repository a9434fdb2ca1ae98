/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the policy has against a vulnerability: guards, and who reaches it at
 * all */
#include <string.h>

#include <cordon/guard.h>

#include "rules/posture.h"

/* ---- guards ---- */

static bool names_cve(
    const struct fs *fs, const struct guard *g, const struct servicing_vuln *n)
{
	for (uint32_t i = 0; i < g->cve_count; i++) {
		const char *cve =
		    fs_str(fs, *FS_AT(fs, FS_WORDS, uint32_t, g->cve_first + i));

		for (unsigned k = 0; k < n->ncve; k++)
			if (strcmp(cve, n->cve[k]) == 0)
				return true;
	}
	return false;
}

/* The table names it: it takes away what the attack needs. */
static bool is_listed(
    const struct fs *fs, const struct guard *g, const struct servicing_vuln *n)
{
	for (unsigned i = 0; i < n->nguards; i++)
		if (strcmp(fs_str(fs, g->id), n->guards[i]) == 0)
			return true;
	return false;
}

/* A guard on answers shows that the attack is over, it does not stop it; one on scans
 * (ATT&CK T1595) hides the hole. */
static bool guard_helps(
    const struct fs *fs, const struct guard *g, const struct servicing_vuln *n)
{
	if (g->dir == GUARD_TO_CLIENT || strncmp(fs_str(fs, g->attack), "T1595", 5) == 0)
		return false;
	return is_listed(fs, g, n) || names_cve(fs, g, n);
}

/* Whether some of the sources that reach the vulnerability are exceptions. */
static bool leaves_out(
    const struct fs *fs, const struct fs_span *except, const struct posture_shield *s)
{
	for (uint32_t i = 0; i < except->count; i++)
		for (size_t k = 0; k < s->nsources; k++)
			if (netrange_overlaps(
				fs_range(fs, except->first + i), &s->sources[k]))
				return true;
	return false;
}

static struct posture_guard guard_now(const struct inventory *v,
    const struct fs_guard_use *u, const struct posture_shield *s)
{
	const struct guard *g = FS_AT(v->fs, FS_GUARDS, struct guard, u->guard);
	struct posture_guard ret = { .guard = u->guard,
		.action = (uint8_t)fs_use_action(v->fs, u, NULL, v->at),
		.then = u->default_action,
		.until = v->at < u->expires ? u->expires : FS_FOREVER };

	if (v->at < u->expires && ret.action != FS_GUARD_OFF) {
		ret.except = u->except;
		ret.leaves_out = leaves_out(v->fs, &u->except, s);
	}
	if (ret.action == FS_GUARD_DROP && (s->observed || g->where == GUARD_SENSOR))
		ret.action = FS_GUARD_ALERT;
	return ret;
}

static void find_guards(
    struct inventory *v, const struct servicing_vuln *n, struct posture_shield *ret)
{
	const struct fs_span *uses = &v->h->guards;

	ret->guards = arena_calloc(v->arena, uses->count + 1, sizeof(*ret->guards));
	for (uint32_t i = 0; ret->guards != NULL && i < uses->count; i++) {
		const struct fs_guard_use *u =
		    FS_AT(v->fs, FS_GUARD_USES, struct fs_guard_use, uses->first + i);

		if (guard_helps(v->fs, FS_AT(v->fs, FS_GUARDS, struct guard, u->guard), n))
			ret->guards[ret->nguards++] = guard_now(v, u, ret);
	}
}

/* ---- rules ---- */

static bool service_speaks(const struct fs_service *s, const struct servicing_vuln *n)
{
	static const struct {
		uint8_t speaks;
		uint16_t port;
	} usual[] = { { FS_SMB, 445 }, { FS_SMB, 139 }, { FS_RDP, 3389 } };

	if ((s->grants & n->speaks) != 0)
		return true;
	for (size_t i = 0; s->proto == 6 && i < sizeof(usual) / sizeof(usual[0]); i++)
		if ((usual[i].speaks & n->speaks) != 0 && s->lo <= usual[i].port &&
		    usual[i].port <= s->hi)
			return true;
	return false;
}

static bool service_has_port(const struct fs_service *s, const struct servicing_vuln *n)
{
	for (unsigned i = 0; i < n->nports; i++)
		if (s->proto == n->ports[i].proto && s->lo <= n->ports[i].port &&
		    n->ports[i].port <= s->hi)
			return true;
	return false;
}

static bool services_reach(const struct inventory *v, const struct fs_span *services,
    const struct servicing_vuln *n, bool *ret_beside)
{
	bool reach = false;

	for (uint32_t i = 0; i < services->count; i++) {
		const struct fs_service *s = fs_service(v->fs, services->first + i);

		*ret_beside |= service_has_port(s, n);
		reach |= service_speaks(s, n) || service_has_port(s, n);
	}
	return reach;
}

static size_t sources_of(
    const struct inventory *v, const struct posture_shield *s, struct netrange *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nrules; i++) {
		const struct fs_span *peers = &fs_rule(v->fs, s->rules[i])->peers;

		if (ret != NULL && peers->count > 0)
			memcpy(ret + n, fs_range(v->fs, peers->first),
			    peers->count * sizeof(*ret));
		n += peers->count;
	}
	return n;
}

/* A posture is no matter of the hour: a rule whose schedule is shut now counts. */
static void find_rules(
    struct inventory *v, const struct servicing_vuln *n, struct posture_shield *ret)
{
	const struct fs_span *rules = &v->h->rules[FS_IN];

	ret->rules = arena_calloc(v->arena, rules->count + 1, sizeof(*ret->rules));
	ret->require = n->require;
	for (uint32_t i = 0; ret->rules != NULL && i < rules->count; i++) {
		const struct fs_rule *r = fs_rule(v->fs, rules->first + i);

		if (v->at >= r->expires ||
		    !services_reach(v, &r->services, n, &ret->beside))
			continue;
		ret->require &= r->require;
		ret->rules[ret->nrules++] = rules->first + i;
	}
	if (ret->nrules == 0)
		ret->require = 0;
	ret->sources =
	    arena_calloc(v->arena, sources_of(v, ret, NULL) + 1, sizeof(*ret->sources));
	if (ret->sources != NULL)
		ret->nsources =
		    netranges_merge(ret->sources, sources_of(v, ret, ret->sources));
}

static uint32_t find_grant(const struct inventory *v, const struct servicing_vuln *n)
{
	const struct fs_span *jits = &v->h->jits;
	bool beside = false;

	for (uint32_t i = 0; i < jits->count; i++) {
		const struct fs_jit *j =
		    FS_AT(v->fs, FS_JITS, struct fs_jit, jits->first + i);

		if (services_reach(v, &j->services, n, &beside))
			return jits->first + i;
	}
	return FS_NONE;
}

/* ---- what it comes to ---- */

/* One that takes away what the attack needs is enough; of those that know a shape of it
 * each that the kernel has must stand.  None may leave out a source that reaches it. */
static enum posture_against guards_level(
    const struct inventory *v, const struct servicing_vuln *n, const struct posture_shield *s)
{
	size_t shapes = 0, dropped = 0, some = 0;

	for (size_t i = 0; i < s->nguards; i++) {
		const struct posture_guard *p = &s->guards[i];
		const struct guard *g = FS_AT(v->fs, FS_GUARDS, struct guard, p->guard);
		bool whole = p->action == FS_GUARD_DROP && !p->leaves_out;

		some += p->action == FS_GUARD_DROP;
		if (whole && is_listed(v->fs, g, n))
			return POSTURE_GUARDED;
		if (is_listed(v->fs, g, n) || g->where == GUARD_SENSOR)
			continue;
		shapes++;
		dropped += whole;
	}
	if (some == 0)
		return POSTURE_NOTHING;
	return dropped == shapes && shapes > 0 ? POSTURE_GUARDED : POSTURE_PARTLY;
}

static enum posture_against level_of(
    const struct inventory *v, const struct servicing_vuln *n, const struct posture_shield *s)
{
	enum posture_against level;

	if (s->unreachable)
		return POSTURE_CLOSED;
	if (s->observed)
		return POSTURE_NOTHING;
	level = n->require != 0 && s->require == n->require ? POSTURE_GUARDED
							    : guards_level(v, n, s);
	return level == POSTURE_GUARDED && s->beside ? POSTURE_PARTLY : level;
}

const char *posture_against_name(enum posture_against a)
{
	switch (a) {
	case POSTURE_CLOSED:
		return "closed";
	case POSTURE_GUARDED:
		return "guarded";
	case POSTURE_PARTLY:
		return "partly";
	case POSTURE_NOTHING:
		return "nothing";
	case POSTURE_NAGAINST:
		break;
	}
	return "";
}

void posture_shield(
    struct inventory *v, const struct servicing_vuln *n, struct posture_shield *ret)
{
	ret->observed = v->h->mode == FS_OBSERVE;
	find_rules(v, n, ret);
	find_guards(v, n, ret);
	ret->grant = find_grant(v, n);
	ret->unreachable = ret->nrules == 0 && !ret->observed;
	ret->level = level_of(v, n, ret);
}
