/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the table of checks, and those of rules and services */
#include "rules/check.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rules/inline.h"
#include "rules/resolve.h"

/* ---- ids ---- */

static int by_id(const void *a, const void *b)
{
	const struct prule *x = *(struct prule *const *)a,
			   *y = *(struct prule *const *)b;
	int c = strcmp(x->full_id, y->full_id);

	if (c == 0)
		c = (x->loc.line > y->loc.line) - (x->loc.line < y->loc.line);
	return c != 0 ? c : (x->loc.col > y->loc.col) - (x->loc.col < y->loc.col);
}

static void check_ids_of(struct policy *p, const struct plist *rules)
{
	struct prule **sorted = calloc(rules->n, sizeof(*sorted));

	if (sorted == NULL) {
		policy_no_memory(p);
		return;
	}
	for (uint32_t i = 0; i < rules->n; i++)
		sorted[i] = (struct prule *)rules->v + i;
	qsort(sorted, rules->n, sizeof(*sorted), by_id);
	for (uint32_t i = 1; i < rules->n; i++) {
		if (strcmp(sorted[i]->full_id, sorted[i - 1]->full_id) != 0 ||
		    (sorted[i]->service.n == 0 && sorted[i]->id.s == NULL))
			continue;
		policy_error(p, "CRD055", sorted[i]->loc,
		    "two rules have the id \"%s\"", sorted[i]->full_id);
		diag_hint(p->diag, "give one of them an `id:`; the other is in line %u",
		    sorted[i - 1]->loc.line);
	}
	free(sorted);
}

static void check_ids(struct policy *p, struct phost *h)
{
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		if (h->allow.rules[dir].n > 1)
			check_ids_of(p, &h->allow.rules[dir]);
	}
}

/* ---- protocols ---- */

static uint8_t grants_of(const struct prule *r)
{
	uint8_t grants = 0;

	for (uint32_t i = 0; i < r->ports.n; i++)
		grants |= r->ports.v[i].grants;
	return grants;
}

static void check_require(struct policy *p, struct phost *h, enum fs_dir dir,
    struct prule *r)
{
	static const struct {
		enum fs_require_bit require;
		enum fs_proto_bit protocol;
		const char *word, *name;
	} rows[] = { { FS_REQ_NLA, FS_RDP, "nla", "RDP" },
		{ FS_REQ_SMB2, FS_SMB, "smb2", "SMB" },
		{ FS_REQ_SIGNING, FS_SMB, "signing", "SMB" } };
	uint8_t grants = grants_of(r);

	(void)h;
	(void)dir;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((r->require.v & rows[i].require) != 0 &&
		    (grants & rows[i].protocol) == 0)
			policy_error(p, "CRD059", r->require.loc,
			    "\"%s\" is required, but the rule does not grant %s",
			    rows[i].word, rows[i].name);
	}
}

static void check_speaks(struct policy *p, struct phost *h, enum fs_dir dir,
    struct prule *r)
{
	bool single = false;

	(void)h;
	(void)dir;
	if (!r->speaks.given)
		return;
	PLIST_EACH(struct pstr, s, r->service)
	{
		struct pport port[2];
		const char *why;
		int n = strchr(s->s, '/') != NULL ? inline_parse(s->s, port, &why) : -1;

		if (n != 1 || port[0].proto != IPPROTO_TCP)
			continue;
		single = true;
		if (port[0].lo == port[0].hi)
			continue;
		policy_error(p, "CRD060", r->speaks.loc,
		    "a range (%s) never grants a protocol", s->s);
		diag_hint(p->diag, "name the port");
	}
	if (single)
		return;
	policy_error(
	    p, "CRD060", r->speaks.loc, "\"speaks\" without an inline TCP port");
	diag_hint(p->diag, "a named service says itself what it speaks");
}

/* ---- rules that do nothing ---- */

static bool has_family(const struct prangeset *s, uint8_t v)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->r[i].lo.v == v)
			return true;
	}
	return false;
}

static void check_families(struct policy *p, struct phost *h, enum fs_dir dir,
    struct prule *r)
{
	bool both4 = has_family(&h->ranges, 4) && has_family(&r->ranges, 4);
	bool both6 = has_family(&h->ranges, 6) && has_family(&r->ranges, 6);
	bool match = r->ports.n == 0 || r->ranges.n == 0 || h->ranges.n == 0;

	for (uint32_t i = 0; i < r->ports.n; i++) {
		uint8_t family = r->ports.v[i].family;

		match |= (both4 && family != 6) || (both6 && family != 4);
	}
	if (match)
		return;
	policy_error(p, "CRD063", r->peers.loc,
	    "this rule matches nothing: \"%s\" and its peers have no address family in "
	    "common",
	    h->name.s);
	diag_hint(p->diag, "add %s address to the host, or peers of the other family",
	    has_family(&h->ranges, 4) ? "an IPv6" : "an IPv4");
	(void)dir;
}

static void report_expired(
    struct policy *p, const struct pnum *expires, const char *what)
{
	if (expires->given && expires->v <= p->now)
		policy_error(p, "CRD064", expires->loc, "%s has expired", what);
}

void check_expired_setting(struct policy *p, const struct pnum *expires)
{
	report_expired(p, expires, "this setting");
}

static void check_expired(struct policy *p, struct phost *h, enum fs_dir dir,
    struct prule *r)
{
	(void)h;
	(void)dir;
	report_expired(p, &r->expires, "this rule");
}

/* ---- services ---- */

static int check_services(struct policy *p)
{
	for (size_t i = 0; i < p->services.n; i++) {
		const struct pservice *s = p->services.v[i];
		bool ports = s->ports.loc.line != 0, bundle = s->bundle.loc.line != 0;

		if (ports && bundle)
			policy_error(p, "CRD062", s->name.loc,
			    "service \"%s\" has both ports and a bundle", s->name.s);
		else if (!ports && !bundle && s->title.s == NULL)
			continue; /* its value was not even a mapping: reported */
		else if (!ports && !bundle)
			policy_error(p, "CRD062", s->name.loc,
			    "service \"%s\" has neither ports nor a bundle", s->name.s);
		if (bundle && (s->speaks.given || s->short_opening.given))
			policy_error(p, "CRD062", s->name.loc,
			    "bundle \"%s\" has \"%s\", which only a service can have",
			    s->name.s, s->speaks.given ? "speaks" : "short_opening");
	}
	return 0;
}

/* ---- cordon.yaml ---- */

static int check_log(struct policy *p)
{
	const struct pstr *file = p->cordon != NULL ? &p->cordon->log.file : NULL;

	if (file == NULL || file->s == NULL)
		return 0;
	if (file->s[0] != '/' || strstr(file->s, "/../") != NULL)
		policy_error(p, "CRD022", file->loc,
		    "log.file takes an absolute path, not "
		    "\"%s\"",
		    file->s);
	return 0;
}

/* As `cordon suggest` writes it. */
static void check_reason(struct policy *p, struct phost *h, enum fs_dir dir,
    struct prule *r)
{
	(void)h;
	(void)dir;
	if (r->reason.s != NULL && strncmp(r->reason.s, "FIXME", 5) == 0)
		policy_error(p, "CRD067", r->reason.loc,
		    "rule \"%s\" was suggested, and nobody said what for", r->full_id);
}

static const struct check checks[] = {
    {"gateway", check_gateway, NULL, NULL},
    {"log", check_log, NULL, NULL},
    {"addresses", check_addresses, NULL, NULL},
    {"services", check_services, NULL, NULL},
    {"guards", check_guards, check_guard_settings, NULL},
    {"ids", NULL, check_ids, NULL},
    {"require", NULL, NULL, check_require},
    {"speaks", NULL, NULL, check_speaks},
    {"families", NULL, NULL, check_families},
    {"expired", NULL, NULL, check_expired},
    {"reason", NULL, NULL, check_reason},
    {"any", NULL, NULL, check_any},
    {"wide", NULL, check_wide, NULL},
    {"tests", check_tests, NULL, NULL},
    {"enforced", check_settings_enforced, check_host_enforced, NULL},
};

static void check_host(struct policy *p, struct phost *h)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i].host != NULL)
			checks[i].host(p, h);
		if (checks[i].rule == NULL)
			continue;
		for (int dir = FS_IN; dir <= FS_OUT; dir++) {
			PLIST_EACH(struct prule, r, h->allow.rules[dir])
			{
				checks[i].rule(p, h, (enum fs_dir)dir, r);
			}
		}
	}
}

int check_policy(struct policy *p)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i].run != NULL && checks[i].run(p) == -1)
			return -1;
	}
	for (size_t i = 0; i < p->hosts.n; i++)
		check_host(p, p->hosts.v[i]);
	return 0;
}
