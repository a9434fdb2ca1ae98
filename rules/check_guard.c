/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: guards that are weak, never hit, contradict each other or hit the innocent */
#include <string.h>

#include "rules/check.h"
#include "rules/resolve.h"

/* ---- what one alternative says of a payload ---- */

enum { BYTES = GUARD_OFFSET_MAX + 1 + 8 };

/* The terms before the first search, as bits; `ends` is how long a payload must be. */
struct known {
	uint8_t mask[BYTES], value[BYTES];
	size_t ends;
	uint8_t fixed; /* terms before the first search */
	bool never;    /* two of them contradict */
};

static void known_of(const struct guard_term *t, uint8_t n, struct known *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (uint8_t i = 0; i < n && t[i].within == 0; i++) {
		if ((size_t)t[i].offset + t[i].len > ret->ends)
			ret->ends = (size_t)t[i].offset + t[i].len;
		ret->fixed = (uint8_t)(i + 1);
		for (uint8_t k = 0; !t[i].negate && k < t[i].len; k++) {
			uint8_t *m = &ret->mask[t[i].offset + k];
			uint8_t *v = &ret->value[t[i].offset + k];

			ret->never |= ((*v ^ t[i].value[k]) & *m & t[i].mask[k]) != 0;
			*m |= t[i].mask[k];
			*v |= t[i].value[k];
		}
	}
}

/* Whether what is known settles the comparison: 1 equal, 0 different, -1 it does not. */
static int settles(const struct known *a, const struct guard_term *t)
{
	bool all = true;

	for (uint8_t k = 0; k < t->len; k++) {
		uint8_t m = a->mask[t->offset + k], v = a->value[t->offset + k];

		if (((v ^ t->value[k]) & m & t->mask[k]) != 0)
			return 0;
		all &= (t->mask[k] & ~m) == 0;
	}
	return all ? 1 : -1;
}

static bool never_holds(const struct guard_term *t, const struct known *a)
{
	if (a->never)
		return true;
	for (uint8_t i = 0; i < a->fixed; i++)
		if (settles(a, &t[i]) == (t[i].negate ? 1 : 0))
			return true;
	return false;
}

static bool term_implied(
    const struct known *a, const struct guard_term *at, const struct guard_term *t)
{
	if ((size_t)t->offset + t->len > a->ends)
		return false;
	if (settles(a, t) == (t->negate ? 0 : 1))
		return true;
	for (uint8_t i = 0; i < a->fixed; i++)
		if (memcmp(&at[i], t, sizeof(*t)) == 0)
			return true;
	return false;
}

/* Whether every payload that alternative a hits is hit by b, too. */
static bool alternative_implied(const struct guard_term *a, uint8_t na,
    const struct guard_term *b, uint8_t nb)
{
	struct known known;
	uint8_t i = 0;

	known_of(a, na, &known);
	for (; i < nb && b[i].within == 0; i++)
		if (!term_implied(&known, a, &b[i]))
			return false;
	return i == nb || (nb - i == na - known.fixed &&
		memcmp(a + known.fixed, b + i, (nb - i) * sizeof(*a)) == 0);
}

static bool guard_implied(const struct pguard *a, const struct pguard *b)
{
	const struct guard_term *ta = a->terms;

	if (a->where.v != b->where.v ||
	    (a->direction.v != b->direction.v && b->direction.v != GUARD_BOTH))
		return false;
	for (size_t i = 0; i < GUARD_ALTERNATIVE_MAX && a->alternative_len[i] > 0; i++) {
		const struct guard_term *tb = b->terms;
		bool found = false;

		for (size_t k = 0; k < GUARD_ALTERNATIVE_MAX && b->alternative_len[k] > 0 &&
		     !found; k++) {
			found = alternative_implied(
			    ta, a->alternative_len[i], tb, b->alternative_len[k]);
			tb += b->alternative_len[k];
		}
		if (!found)
			return false;
		ta += a->alternative_len[i];
	}
	return a->alternative_len[0] > 0;
}

/* ---- one guard ---- */

/* DESIGN section 4: a drop needs so many bits, 10^-12 a packet. */
enum { BITS_MIN = 40 };

static void check_search(struct policy *p, const struct pguard *g,
    const struct palternative *a, const struct guard_term *t, uint8_t n)
{
	PLIST_EACH(struct pterm, own, a->terms)
	{
		if (own->within.v == 0)
			continue;
		if (g->where.v != GUARD_SENSOR)
			policy_error(p, "CRD073", own->within.loc,
			    "the kernel can't search: `within` is for `where: sensor`");
		else if (own->negate.v != 0)
			policy_error(p, "CRD073", own->within.loc,
			    "`not` can't be searched for");
	}
	if (guard_searches(t, n) == 0)
		policy_error(p, "CRD073", a->loc,
		    "more than two searches, or over more than %d places together",
		    GUARD_SEARCH_MAX);
}

static void check_alternative(struct policy *p, const struct pguard *g,
    const struct palternative *a, const struct guard_term *t, uint8_t n)
{
	unsigned bits = guard_bits(t, n);
	struct known known;

	known_of(t, n, &known);
	check_search(p, g, a, t, n);
	if (never_holds(t, &known))
		policy_error(p, "CRD074", a->loc,
		    "guard \"%s\" never hits here: two comparisons contradict", g->id.s);
	if (bits >= BITS_MIN || n == 0 || g->action.v != FS_GUARD_DROP)
		return;
	policy_error(p, "CRD065", a->loc,
	    "guard \"%s\" tests %u bits here: random payload hits it once in 2^%u "
	    "packets, and it drops",
	    g->id.s, bits, bits);
	diag_hint(p->diag, "test at least %d bits, or use `action: alert`", BITS_MIN);
}

static void check_bytes(struct policy *p, const struct pguard *g)
{
	const struct guard_term *t = g->terms;

	for (size_t i = 0; i < g->match.n && i < GUARD_ALTERNATIVE_MAX; i++) {
		check_alternative(p, g, (struct palternative *)g->match.v + i, t,
		    g->alternative_len[i]);
		t += g->alternative_len[i];
	}
}

/* ---- against openings that rules may grant ---- */

#define OPENING(what, dir, text) { what, dir, text, sizeof(text) - 1 }
/* As Windows, Samba, mstsc and FreeRDP send them. */
static const struct {
	const char *what;
	uint8_t dir;
	const char *bytes;
	size_t len;
} innocent[] = {
	OPENING("an SMB2 negotiate", GUARD_TO_SERVER,
	    "\0\0\0\x68\xfeSMB\x40\0\0\0\0\0\0\0\0\0\x1f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\x24\0\2\0\1\0\0\0\0\0\0\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\x10"
	    "\0\0\0\0\0\0\0\0\2\2\x10\2"),
	OPENING("the SMB negotiate that offers SMB1 and SMB2", GUARD_TO_SERVER,
	    "\0\0\0\x45\xffSMBr\0\0\0\0\x18\x53\xc8\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xfe"
	    "\0\0\0\0\0\x22\0\2NT LM 0.12\0\2SMB 2.002\0\2SMB 2.\?\?\?"),
	OPENING("an SMB2 session setup", GUARD_TO_SERVER,
	    "\0\0\0\xa2\xfeSMB\x40\0\1\0\0\0\0\0\1\0\x21\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"
	    "\xff\xfe\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\x19\0\0\1\1\0\0\0\0\0\0\0\x58\0\x4a\0\0\0\0\0\0\0\0\0"
	    "\x60\x48\6\6\x2b\6\1\5\5\2\xa0\x3e\x30\x3c\xa0\xe\x30\xc\6\xa\x2b\6\1\4\1\x82"),
	OPENING("an SMB2 negotiate's answer", GUARD_TO_CLIENT,
	    "\0\0\0\xaa\xfeSMB\x40\0\0\0\0\0\0\0\0\0\1\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\x41\0\3\0\2\2\0\0"),
	OPENING("an RDP connection request", GUARD_TO_SERVER,
	    "\3\0\0\x27\x22\xe0\0\0\0\0\0Cookie: mstshash=a\r\n\1\0\x8\0\3\0\0\0"),
	OPENING("an RDP connection request without cookie", GUARD_TO_SERVER,
	    "\3\0\0\x13\xe\xe0\0\0\0\0\0\1\0\x8\0\xb\0\0\0"),
	OPENING("an RDP connection confirm", GUARD_TO_CLIENT,
	    "\3\0\0\x13\xe\xd0\0\0\x12\x34\0\2\x1f\x8\0\2\0\0\0"),
	OPENING("a TLS client hello", GUARD_TO_SERVER,
	    "\x16\3\1\0\xb5\1\0\0\xb1\3\3\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\x10"),
	OPENING("a NetBIOS session request", GUARD_TO_SERVER,
	    "\x81\0\0\x44\x20"
	    "CKFDENECFDEFFCFGEFFCCACACACACACA\0\x20"
	    "EBFDDDCACACACACACACACACACACACACA\0"),
};

static bool hits(const struct pguard *g, const char *bytes, size_t len)
{
	const struct guard_term *t = g->terms;

	for (size_t i = 0; i < GUARD_ALTERNATIVE_MAX && g->alternative_len[i] > 0; i++) {
		if (guard_match(t, g->alternative_len[i], (const uint8_t *)bytes, len))
			return true;
		t += g->alternative_len[i];
	}
	return false;
}

static void check_innocent(struct policy *p, const struct pguard *g)
{
	for (size_t i = 0; i < sizeof(innocent) / sizeof(innocent[0]); i++) {
		if ((g->direction.v != GUARD_BOTH && g->direction.v != innocent[i].dir) ||
		    !hits(g, innocent[i].bytes, innocent[i].len))
			continue;
		policy_error(p, "CRD071", g->id.loc,
		    "guard \"%s\" hits %s, with which honest clients begin", g->id.s,
		    innocent[i].what);
		diag_hint(p->diag, "compare more bytes, or use `action: alert`");
	}
}

/* ---- against each other ---- */

/* Strength of what it does; the words of enum fs_guard_action are in this order.  True:
 * it was said that g does nothing, which is not said again of another one. */
static bool check_pair(struct policy *p, const struct pguard *g, const struct pguard *other,
    bool earlier, bool useless)
{
	bool same;

	if (g->action.v == FS_GUARD_OFF || other->action.v == FS_GUARD_OFF ||
	    !guard_implied(g, other))
		return false;
	same = guard_implied(other, g);
	if (other->action.v < g->action.v) {
		if (same && !other->shipped)
			return false; /* said of the other one */
		if (same) {
			policy_error(p, "CRD075", g->id.loc,
			    "guard \"%s\" is the shipped \"%s\" with another action",
			    g->id.s, other->id.s);
			diag_hint(p->diag, "set the action in the host's `guards:`");
		}
		return false;
	}
	if (same && other->action.v != g->action.v)
		policy_error(p, "CRD075", g->id.loc,
		    "guard \"%s\" hits what \"%s\" hits, and they do different things",
		    g->id.s, other->id.s);
	else if (!useless && (!same || earlier || other->shipped)) {
		policy_error(p, "CRD070", g->id.loc,
		    "guard \"%s\" does nothing: all it hits \"%s\" hits, too", g->id.s,
		    other->id.s);
		return true;
	}
	return false;
}

static void check_others(struct policy *p, size_t at)
{
	const struct pguard *g = p->guards.v[at];
	bool useless = false;

	for (size_t i = 0; i < p->guards.n; i++) {
		const struct pguard *other = p->guards.v[i];

		if (i != at && strcmp(g->id.s, other->id.s) != 0)
			useless |= check_pair(p, g, other, i < at, useless);
	}
}

/* The kernel's log calls what a guard only tells ID-alert, and chains are named so. */
static void check_id(struct policy *p, const struct pguard *g)
{
	static const char *const taken[] = { "alert", "log", "count" };
	const char *last = strrchr(g->id.s, '-');

	last = last == NULL ? g->id.s : last + 1;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (strcmp(last, taken[i]) != 0)
			continue;
		policy_error(p, "CRD026", g->id.loc,
		    "no guard's id may end with the word \"%s\"", taken[i]);
		diag_hint(p->diag, "choose another id");
	}
}

/* ---- exceptions ---- */

/* The kernel asks for each prefix length in one rule, which has room for so many. */
enum { EXCEPT_LENGTHS = 24 };

static void note_lengths(const struct prangeset *s, bool seen[2][129])
{
	for (size_t i = 0; i < s->n; i++) {
		struct netrange rest = s->r[i], p;
		bool more;

		do {
			more = netrange_pop_prefix(&rest, &p);
			seen[p.lo.v == 6][netrange_prefixlen(&p)] = true;
		} while (more);
	}
}

static unsigned lengths(const bool seen[129])
{
	unsigned n = 0;

	for (int i = 0; i <= 128; i++)
		n += seen[i];
	return n;
}

/* All hosts together: they share the kernel's sets. */
static void check_except_lengths(struct policy *p)
{
	bool seen[2][129] = { { false } }, told = false;

	for (size_t i = 0; i < p->hosts.n && !told; i++) {
		const struct phost *h = p->hosts.v[i];

		PLIST_EACH(struct pguard_set, s, h->guards)
		{
			note_lengths(&s->ranges, seen);
			if (told || (lengths(seen[0]) <= EXCEPT_LENGTHS &&
				lengths(seen[1]) <= EXCEPT_LENGTHS))
				continue;
			told = true;
			policy_error(p, "CRD076", s->except.loc,
			    "exceptions of guards have more than %d prefix lengths",
			    EXCEPT_LENGTHS);
			diag_hint(p->diag, "round ranges to prefixes");
		}
	}
}

static bool is_everybody(const struct prangeset *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (netrange_prefixlen(&s->r[i]) == 0)
			return true;
	return false;
}

static void check_except(struct policy *p, const struct pguard_set *s)
{
	if (s->except.n == 0)
		return;
	if (s->action.given && s->action.v == FS_GUARD_OFF) {
		policy_error(p, "CRD076", s->except.loc,
		    "guard \"%s\" is disabled: nobody is an exception", s->id.s);
		diag_hint(p->diag, "which action is it to have for the others?");
	} else if (is_everybody(&s->ranges)) {
		policy_error(p, "CRD076", s->except.loc,
		    "guard \"%s\" would be left for nobody", s->id.s);
		diag_hint(p->diag, "name who is trusted, or use `action: disabled`");
	}
	if (s->reason.s == NULL) {
		policy_error(p, "CRD058", s->id.loc,
		    "guard \"%s\" has exceptions without a reason", s->id.s);
		diag_hint(p->diag, "add `reason:`, and better `expires:` too");
	}
}

int check_guards(struct policy *p)
{
	for (size_t i = 0; i < p->guards.n; i++) {
		const struct pguard *g = p->guards.v[i];
		struct pguard *first = resolve_find_guard(p, g->id.s);

		if (first != g) {
			policy_error(p, "CRD040", g->id.loc, "%s called \"%s\"",
			    first->shipped ? "there is a shipped guard" :
			    "there is another guard", g->id.s);
			diag_hint(p->diag, "choose another id");
		}
		check_bytes(p, g);
		if (g->shipped)
			continue;
		check_id(p, g);
		if (g->where.v == GUARD_BUILTIN)
			policy_error(p, "CRD072", g->where.loc,
			    "only shipped guards are built in");
		if (g->action.v == FS_GUARD_DROP)
			check_innocent(p, g);
		check_others(p, i);
	}
	check_except_lengths(p);
	return 0;
}

/* Whether the host uses the guard without a setting. */
static bool is_used(const struct phost *h, const struct pguard *g)
{
	if (!g->shipped)
		return g->action.v != FS_GUARD_OFF;
	if (h->used_profile == NULL)
		return false;
	PLIST_EACH(struct pstr, id, h->used_profile->guards)
	{
		if (strcmp(id->s, g->id.s) == 0)
			return true;
	}
	return false;
}

static void check_disabled(struct policy *p, const struct phost *h, const struct pguard_set *s)
{
	if (!s->action.given || s->action.v != FS_GUARD_OFF || s->guard == NULL)
		return;
	if (s->guard->where.v != GUARD_BUILTIN && !is_used(h, s->guard)) {
		policy_error(p, "CRD070", s->id.loc,
		    "guard \"%s\" is off on \"%s\" without this setting", s->id.s, h->name.s);
		diag_hint(p->diag, "remove it");
	}
}

void check_guard_settings(struct policy *p, struct phost *h)
{
	PLIST_EACH(struct pguard_set, s, h->guards)
	{
		if (s->guard != NULL && s->guard->where.v == GUARD_BUILTIN) {
			policy_error(p, "CRD072", s->id.loc,
			    "guard \"%s\" is built in: no setting changes it", s->id.s);
			diag_hint(p->diag, "a rule grants the protocol, `mode: observe` watches");
		}
		if (s->action.v == FS_GUARD_OFF && s->action.given &&
		    s->reason.s == NULL) {
			policy_error(p, "CRD058", s->id.loc,
			    "guard \"%s\" is disabled without a reason", s->id.s);
			diag_hint(p->diag, "add `reason:`, and better `expires:` too");
		}
		check_disabled(p, h, s);
		check_except(p, s);
		check_expired_setting(p, &s->expires);
	}
}
