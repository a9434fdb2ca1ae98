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

/* A guard on answers shows that the attack is over, it does not stop it; one on scans
 * (ATT&CK T1595) hides the hole. */
static bool guard_helps(
    const struct fs *fs, const struct guard *g, const struct servicing_vuln *n)
{
	if (g->dir == GUARD_TO_CLIENT || strncmp(fs_str(fs, g->attack), "T1595", 5) == 0)
		return false;
	for (unsigned i = 0; i < n->nguards; i++)
		if (strcmp(fs_str(fs, g->id), n->guards[i]) == 0)
			return true;
	return names_cve(fs, g, n);
}

static void find_guards(
    struct inventory *v, const struct servicing_vuln *n, struct posture_shield *ret)
{
	const struct fs_span *uses = &v->h->guards;

	ret->guards = arena_calloc(v->arena, uses->count + 1, sizeof(*ret->guards));
	for (uint32_t i = 0; ret->guards != NULL && i < uses->count; i++) {
		const struct fs_guard_use *u =
		    FS_AT(v->fs, FS_GUARD_USES, struct fs_guard_use, uses->first + i);
		const struct guard *g = FS_AT(v->fs, FS_GUARDS, struct guard, u->guard);
		uint8_t action = v->at < u->expires ? u->action : u->default_action;

		if (action == FS_GUARD_OFF || !guard_helps(v->fs, g, n))
			continue;
		if (ret->observed || g->where == GUARD_SENSOR)
			action = FS_GUARD_ALERT;
		ret->guards[ret->nguards++] =
		    (struct posture_guard){ .guard = u->guard, .action = action };
	}
}

/* ---- rules ---- */

static bool service_reaches(const struct fs_service *s, const struct servicing_vuln *n)
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
	for (unsigned i = 0; i < n->nports; i++)
		if (s->proto == n->ports[i].proto && s->lo <= n->ports[i].port &&
		    n->ports[i].port <= s->hi)
			return true;
	return false;
}

static bool rule_reaches(
    const struct inventory *v, const struct fs_rule *r, const struct servicing_vuln *n)
{
	if (!fs_rule_active(v->fs, r, v->at, NULL))
		return false;
	for (uint32_t i = 0; i < r->services.count; i++)
		if (service_reaches(fs_service(v->fs, r->services.first + i), n))
			return true;
	return false;
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

static void find_rules(
    struct inventory *v, const struct servicing_vuln *n, struct posture_shield *ret)
{
	const struct fs_span *rules = &v->h->rules[FS_IN];

	ret->rules = arena_calloc(v->arena, rules->count + 1, sizeof(*ret->rules));
	ret->require = n->require;
	for (uint32_t i = 0; ret->rules != NULL && i < rules->count; i++) {
		const struct fs_rule *r = fs_rule(v->fs, rules->first + i);

		if (!rule_reaches(v, r, n))
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

void posture_shield(
    struct inventory *v, const struct servicing_vuln *n, struct posture_shield *ret)
{
	ret->observed = v->h->mode == FS_OBSERVE;
	find_guards(v, n, ret);
	find_rules(v, n, ret);
	ret->unreachable = ret->nrules == 0 && !ret->observed;
}
