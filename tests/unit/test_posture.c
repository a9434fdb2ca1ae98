/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the servicing table, and what inventories prove by it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cordon/guard.h>
#include <cordon/posture.h>

#include "policytree.h"

enum { AT = 1780272000 }; /* 2026-06-01 */

static struct servicing *table(void)
{
	struct servicing *t = NULL;
	char why[200] = "";

	if (servicing_shipped(&t, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	return t;
}

/* One host "a" with this os: and the rest of its YAML. */
static struct fs *host_with(const char *os, const char *rest)
{
	char text[2000];
	const struct policytree_file files[] = { { "cordon.yaml", POLICYTREE_CORDON },
		{ "hosts/a.yaml", text }, { NULL, NULL } };
	struct diaglist d;
	struct fs *fs = NULL;

	snprintf(text, sizeof(text), "host: a\naddresses: 10.9.0.2\n%s%s%s", os,
	    *os != '\0' ? "\n" : "", rest);
	diag_init(&d);
	if (policytree_load(files, AT, &d, &fs) != 0) {
		diag_print(&d, stderr, false);
		fail_msg("policy refused");
	}
	diag_free(&d);
	return fs;
}

struct judged {
	struct servicing *t;
	struct fs *fs;
	struct posture *p;
};

static struct judged judge(const char *os, const char *rest)
{
	struct judged j = { .t = table(), .fs = host_with(os, rest) };

	assert_int_equal(posture_judge(j.t, j.fs, 0, AT, &j.p), 0);
	return j;
}

static void done(struct judged *j)
{
	posture_free(j->p);
	free(j->fs);
	servicing_free(j->t);
}

static const struct posture_finding *finding(const struct posture *p, const char *id)
{
	for (size_t i = 0; i < p->nfindings; i++)
		if (strcmp(p->findings[i].vuln->id, id) == 0)
			return &p->findings[i];
	fail_msg("no finding %s", id);
	return NULL;
}

/* ---- the table ---- */

static void test_table(void **state)
{
	struct servicing *t = table();
	const struct servicing_update *u;

	(void)state;
	assert_int_equal(t->nupdates, 220);
	u = servicing_find(t, "KB4493471");
	assert_non_null(u);
	assert_string_equal(u->date, "2019-04-09");
	assert_int_equal(u->month, 12 * 2019 + 3);
	assert_int_equal(u->kind, SERVICING_ROLLUP);
	assert_int_equal(u->build, 6003);
	assert_int_equal(u->revision, 20489);
	u = servicing_find(t, "KB5030271"); /* the sources give two */
	assert_int_equal(u->revision, 22262);
	assert_int_equal(u->revision_high, 22264);
	assert_true(servicing_find(t, "KB4538484")->uncertain);
	assert_int_equal(servicing_find(t, "KB4474419")->required_from, 12 * 2019 + 6);
	assert_int_equal(servicing_find(t, "KB5034173")->programme, SERVICING_AZURE);
	assert_null(servicing_find(t, "KB1"));
	assert_null(servicing_find(t, ""));
	servicing_free(t);
}

/* No row without a source, none that names a machine or a tool it was made with. */
static void test_sources(void **state)
{
	struct servicing *t = table();

	(void)state;
	for (size_t i = 0; i < t->nupdates; i++) {
		assert_true(strlen(t->updates[i].source) > 3);
		assert_null(strstr(t->updates[i].source, "find_"));
		if (t->updates[i].uncertain)
			assert_true(strlen(t->updates[i].note) > 3);
	}
	for (size_t i = 0; i < t->nvulns; i++)
		assert_true(strlen(t->vulns[i].source) > 3);
	servicing_free(t);
}

/* Each fix brings the revision that its vulnerability calls the first fixed one. */
static void test_anchors(void **state)
{
	struct servicing *t = table();

	(void)state;
	for (size_t i = 0; i < t->nvulns; i++) {
		const struct servicing_vuln *v = &t->vulns[i];

		assert_true(v->affects || v->nguards == 0);
		for (unsigned k = 0; v->revision != 0 && k < v->nfixed_by; k++) {
			assert_int_equal(v->fixed_by[k]->build, v->build);
			assert_int_equal(v->fixed_by[k]->revision, v->revision);
		}
	}
	servicing_free(t);
}

/* A guard that the table names has to ship. */
static void test_guards_ship(void **state)
{
	struct judged j = judge("", "");

	(void)state;
	for (size_t i = 0; i < j.t->nvulns; i++) {
		for (unsigned k = 0; k < j.t->vulns[i].nguards; k++) {
			bool found = false;

			for (uint32_t g = 0; g < j.fs->table[FS_GUARDS].count; g++)
				found |= strcmp(fs_str(j.fs, FS_AT(j.fs, FS_GUARDS,
								 struct guard, g)
								 ->id),
					     j.t->vulns[i].guards[k]) == 0;
			assert_true(found);
		}
	}
	done(&j);
}

#define GOOD_UPDATE "- { date: 2019-04-09, kb: KB1, kind: rollup, source: s }\n"
#define GOOD_CVE                                                                       \
	"- { id: a, cve: CVE-2019-1, affects: \"yes\", fixed_by: KB1, speaks: smb, source: s }\n"

static void test_bad_tables(void **state)
{
	static const struct {
		const char *updates, *cves, *why;
	} rows[] = {
		{ "", GOOD_CVE, "one list" },
		{ "a: b\n", GOOD_CVE, "one list" },
		{ "- text\n", GOOD_CVE, "not a map" },
		{ "- [\n", GOOD_CVE, "line " },
		{ "- { date: 2019, kb: KB1, kind: rollup, source: s }\n", GOOD_CVE,
		    "date" },
		{ "- { date: 2019-13, kb: KB1, kind: rollup, source: s }\n", GOOD_CVE,
		    "date" },
		{ "- { date: 2019-04-09, kb: KB1, kind: best, source: s }\n", GOOD_CVE,
		    "best" },
		{ "- { date: 2019-04-09, kind: rollup, source: s }\n", GOOD_CVE,
		    "KB number" },
		{ "- { date: 2019-04-09, kb: KB1, kind: rollup }\n", GOOD_CVE,
		    "source" },
		{ "- { date: 2019-04-09, kb: 1, kind: rollup, source: s }\n", GOOD_CVE,
		    "KB" },
		{ "- { date: 2019-04-09, kb: KB1, kind: rollup, source: s, x: y }\n",
		    GOOD_CVE, "unknown key" },
		{ "- { date: 2019-04-09, kb: KB1, kb: KB2, kind: rollup, source: s }\n",
		    GOOD_CVE, "twice" },
		{ "- { date: 2019-04-09, kb: KB1, kind: rollup, source: s, revision: 1.x }\n",
		    GOOD_CVE, "BUILD.REVISION" },
		{ "- { date: 2019-04-09, kb: KB1, kind: rollup, source: s, revision: "
		  "6003.99999999999999999999 }\n",
		    GOOD_CVE, "BUILD.REVISION" },
		{ GOOD_UPDATE GOOD_UPDATE, GOOD_CVE, "twice" },
		{ GOOD_UPDATE "- { date: 2018-04, kb: KB2, kind: rollup, source: s }\n",
		    GOOD_CVE, "after" },
		{ GOOD_UPDATE, "- { id: a, cve: CVE-1, fixed_by: KB7, source: s }\n",
		    "KB7" },
		{ GOOD_UPDATE, "- { id: a, cve: CVE-1, source: s }\n", "speaks" },
		{ GOOD_UPDATE, "- { id: a, cve: CVE-1, ports: tcp/1-2, source: s }\n",
		    "port" },
		{ GOOD_UPDATE,
		    "- { id: a, cve: [1, 2, 3, 4, 5, 6, 7, 8, 9], source: s }\n",
		    "at most 8" },
	};
	struct servicing *t;
	char why[200];

	(void)state;
	assert_int_equal(servicing_parse(GOOD_UPDATE, strlen(GOOD_UPDATE), GOOD_CVE,
			     strlen(GOOD_CVE), &t, why, sizeof(why)),
	    0);
	servicing_free(t);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		t = NULL;
		assert_int_equal(
		    servicing_parse(rows[i].updates, strlen(rows[i].updates),
			rows[i].cves, strlen(rows[i].cves), &t, why, sizeof(why)),
		    -1);
		assert_null(t);
		if (strstr(why, rows[i].why) == NULL)
			fail_msg("row %zu: \"%s\" lacks \"%s\"", i, why, rows[i].why);
	}
}

/* ---- level, last, install ---- */

#define SP2(more) "os: { product: windows-server-2008-sp2" more " }"

static void test_level(void **state)
{
	static const struct {
		const char *os, *level;
	} rows[] = {
		{ SP2(", build: 6003, revision: 20489"),
		    "6003.20489: April 2019 rollup or security-only (KB4493471, KB4493458)" },
		{ SP2(", build: 6003, revision: 20500"),
		    "6003.20500: between April 2019" },
		{ SP2(", build: 6003, revision: 20480"),
		    "6003.20480: below the first" },
		{ SP2(", build: 6003, revision: 24000"), "6003.24000: above the last" },
		{ SP2(", build: 6003, revision: 22264"), "6003.22264: September 2023" },
		{ SP2(", build: 6002, revision: 24566"),
		    "6002.24566: March 2019 rollup" },
		{ SP2(", build: 6002, revision: 18005"),
		    "6002.18005: below the first" },
		{ SP2(", build: 6003"),
		    "6003, revision not stated: an update of 2019-03-19" },
		{ SP2(", build: 6002"),
		    "6002, revision not stated: no update of 2019-03-19" },
		{ SP2(""), "build not stated" },
		{ "", "os not stated" },
		{ "os: { product: windows-xp, build: 2600 }", "not covered" },
		{ "os: { product: windows-server-2008-r2, build: 7601 }",
		    "not covered" },
		{ "os: { product: windows-server-2008-sp1 }", "not covered" },
		{ "os: { product: windows-server-2008, build: 6001 }",
		    "not covered: build 6001" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(rows[i].os, "");

		if (strncmp(j.p->level.text, rows[i].level, strlen(rows[i].level)) != 0)
			fail_msg("%s: %s", rows[i].os, j.p->level.text);
		assert_int_equal(j.p->ninconsistent, 0);
		done(&j);
	}
}

static void test_last(void **state)
{
	static const struct {
		const char *os;
		enum posture_by by;
		uint32_t month, all;
	} rows[] = {
		{ SP2(", build: 6003"), POSTURE_BY_NOTHING, 0, 0 },
		{ SP2(", build: 6003, updates: [KB4474419, KB4493730, KB5039341, KB4575904]"),
		    POSTURE_BY_NOTHING, 0, 0 }, /* none of these is a fix */
		{ SP2(", updates: [KB4489887]"), POSTURE_BY_NOTHING, 0,
		    0 }, /* nor a preview */
		{ SP2(", updates: [KB4499149]"), POSTURE_BY_ROLLUP, 12 * 2019 + 4,
		    12 * 2019 + 4 },
		{ SP2(", updates: [KB4503287, KB4499149]"), POSTURE_BY_SECURITY_ONLY,
		    12 * 2019 + 5, 12 * 2019 + 4 },
		{ SP2(", build: 6003, revision: 22464, updates: [KB4499149]"),
		    POSTURE_BY_REVISION, 12 * 2024, 12 * 2019 + 4 },
		{ SP2(", updates: [KB4012598]"), POSTURE_BY_FIX, 12 * 2017 + 2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(rows[i].os, "");

		assert_int_equal(j.p->last_by, rows[i].by);
		assert_int_equal(j.p->last_month, rows[i].month);
		assert_int_equal(j.p->cumulative_month, rows[i].all);
		done(&j);
	}
}

static void test_behind(void **state)
{
	struct judged j = judge(SP2(", build: 6003, revision: 22464"), "");

	(void)state;
	assert_int_equal(j.p->months_behind, 24);
	assert_string_equal(j.p->behind.text,
	    "24 months behind the final update (6003.23717, January 2026); level with the "
	    "last for ESU in Azure (6003.22464, January 2024)");
	assert_string_equal(j.p->behind.cite[0]->kb, "KB5073697");
	done(&j);
}

static void test_install(void **state)
{
	static const struct {
		const char *os, *says;
		enum posture_install can;
	} rows[] = {
		{ SP2(", build: 6003"), "can't take updates from July 2019 on",
		    POSTURE_INSTALL_NO },
		{ SP2(", updates: [KB4474419]"),
		    "KB4493730 (servicing stack) is not listed", POSTURE_INSTALL_NO },
		{ SP2(", updates: [KB4493730]"), "KB4474419 (SHA-2) is not listed",
		    POSTURE_INSTALL_NO },
		{ SP2(", updates: [KB4474419, KB4493730]"),
		    "ESU in Azure ended 2024-01-09", POSTURE_INSTALL_YES },
		{ SP2(", build: 6003, revision: 20562"), "took an update of July 2019",
		    POSTURE_INSTALL_IT_DID },
		{ SP2(", updates: [KB5034176]"), "took an update of July 2019",
		    POSTURE_INSTALL_IT_DID },
		{ SP2(", updates: [KB4503273]"), "ends with KB4503273",
		    POSTURE_INSTALL_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(rows[i].os, "");

		assert_int_equal(j.p->install_new, rows[i].can);
		if (strstr(j.p->install.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].os, j.p->install.text);
		/* a genuine early one is no contradiction */
		assert_int_equal(j.p->ninconsistent, 0);
		done(&j);
	}
}

static void test_inconsistent(void **state)
{
	static const struct {
		const char *os, *says;
	} rows[] = {
		{ SP2(", build: 6002, updates: [KB4493471]"), "KB4493471" },
		{ SP2(", build: 6002, updates: [KB4499180]"), "KB4499180" },
		{ SP2(", build: 6002, updates: [KB5010384]"),
		    "KB5010384" }, /* no revision known */
		{ SP2(", build: 6002, updates: [KB4489887]"),
		    "BetaWiki" }, /* sources differ */
		{ SP2(", build: 6003, revision: 20489, updates: [KB5034173]"),
		    "6003.22464" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(rows[i].os, "");

		assert_int_equal(j.p->ninconsistent, 1);
		assert_non_null(strstr(j.p->inconsistent[0].text, rows[i].says));
		assert_int_equal(j.p->inconsistent[0].ncites, 1);
		done(&j);
	}
}

static void test_consistent(void **state)
{
	static const char *const rows[] = { SP2(", build: 6002, updates: [KB4489880]"),
		SP2(", build: 6002, updates: [KB4474419, KB4493730, KB5039341]"),
		SP2(", build: 6003, updates: [KB4489880]"),
		/* of spoolsv.exe: says nothing of the kernel's revision */
		SP2(", build: 6003, revision: 21137, updates: [KB5004955]") };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(rows[i], "");

		assert_int_equal(j.p->ninconsistent, 0);
		done(&j);
	}
}

/* ---- vulnerabilities ---- */

static void test_states(void **state)
{
	static const struct {
		const char *os, *id;
		enum posture_state want;
	} rows[] = {
		/* only the listed number proves what is older than the rollups */
		{ SP2(", build: 6003, revision: 23717, updates: [KB5073697]"),
		    "MS17-010", POSTURE_CANT_TELL },
		{ SP2(", updates: [KB4012598]"), "MS17-010", POSTURE_FIXED },
		{ SP2(", updates: [KB4018466]"), "MS17-010", POSTURE_FIXED },
		{ SP2(", build: 6002"), "MS17-010", POSTURE_CANT_TELL },
		{ SP2(", updates: [KB5073697]"), "MS15-083", POSTURE_CANT_TELL },
		{ SP2(", updates: [KB975517]"), "MS09-050", POSTURE_FIXED },
		/* rollups are cumulative, security-only updates are not, previews are
		   neither */
		{ SP2(", updates: [KB4499149]"), "BlueKeep", POSTURE_FIXED },
		{ SP2(", updates: [KB4499180]"), "BlueKeep", POSTURE_FIXED },
		{ SP2(", updates: [KB4503273]"), "BlueKeep", POSTURE_FIXED },
		{ SP2(", updates: [KB4503287]"), "BlueKeep", POSTURE_CANT_TELL },
		{ SP2(", updates: [KB4493471]"), "BlueKeep", POSTURE_CANT_TELL },
		{ SP2(", updates: [KB4503271]"), "BlueKeep", POSTURE_CANT_TELL },
		{ SP2(", updates: [KB5039341, KB4474419]"), "BlueKeep",
		    POSTURE_CANT_TELL },
		/* build and revision */
		{ SP2(", build: 6002"), "BlueKeep", POSTURE_OPEN },
		{ SP2(", build: 6003"), "BlueKeep", POSTURE_CANT_TELL },
		{ SP2(", build: 6003, revision: 20511"), "BlueKeep", POSTURE_OPEN },
		{ SP2(", build: 6003, revision: 20512"), "BlueKeep", POSTURE_FIXED },
		{ SP2(", build: 6003, revision: 20540"), "BlueKeep",
		    POSTURE_CANT_TELL },
		{ SP2(", build: 6003, revision: 20540, updates: [KB4503287]"),
		    "BlueKeep", POSTURE_CANT_TELL },
		{ SP2(", build: 6003, revision: 20540, updates: [KB4503273]"),
		    "BlueKeep", POSTURE_FIXED },
		{ SP2(", build: 6003, revision: 21137"), "PrintNightmare",
		    POSTURE_OPEN },
		{ SP2(", build: 6003, revision: 21137, updates: [KB5004959]"),
		    "PrintNightmare", POSTURE_FIXED },
		{ SP2(", build: 6003, revision: 21137, updates: [KB5003661]"),
		    "PrintNightmare", POSTURE_OPEN },
		/* of the fix's month only the rollup is known to hold it */
		{ SP2(", build: 6003, revision: 22769"), "CVE-2024-38077",
		    POSTURE_CANT_TELL },
		/* a contradiction proves nothing but by number */
		{ SP2(", build: 6002, updates: [KB4499149]"), "BlueKeep",
		    POSTURE_FIXED },
		{ SP2(", build: 6002, updates: [KB4499149]"), "SIGRed",
		    POSTURE_CANT_TELL },
		/* attempts, whatever the level */
		{ SP2(", build: 6002"), "MS08-067", POSTURE_NOT_AFFECTED },
		{ SP2(""), "Zerologon", POSTURE_NOT_AFFECTED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(rows[i].os, "");
		const struct posture_finding *f = finding(j.p, rows[i].id);

		if (f->state != rows[i].want)
			fail_msg("%s of %s: %s: %s", rows[i].id, rows[i].os,
			    posture_state_name(f->state), f->why.text);
		assert_true(*f->why.text != '\0');
		/* what is stated as proven rests on a row */
		if (f->state == POSTURE_FIXED || f->state == POSTURE_OPEN)
			assert_true(f->why.ncites > 0);
		assert_int_equal(
		    f->by != POSTURE_BY_NOTHING, f->state == POSTURE_FIXED);
		done(&j);
	}
}

static size_t guards_that(const struct posture_finding *f, uint8_t action)
{
	size_t n = 0;

	for (size_t i = 0; i < f->shield.nguards; i++)
		n += f->shield.guards[i].action == action;
	return n;
}

static void test_shield(void **state)
{
	struct judged j = judge(SP2(", build: 6003"), "");
	const struct posture_finding *f = finding(j.p, "MS17-010");

	(void)state;
	assert_int_equal(guards_that(f, FS_GUARD_DROP), 4); /* not the one on answers */
	assert_true(f->shield.unreachable);
	done(&j);

	j = judge(SP2(", build: 6003"),
	    "mode: observe\nguards: { smb1: { action: disabled, reason: r } }\n");
	f = finding(j.p, "MS17-010");
	assert_int_equal(guards_that(f, FS_GUARD_DROP), 0);
	assert_int_equal(guards_that(f, FS_GUARD_ALERT), 3);
	assert_false(f->shield.unreachable);
	done(&j);

	/* a guard switched off until yesterday is on again */
	j = judge(SP2(", build: 6003"),
	    "guards: { smb1: { action: disabled, reason: r, "
	    "expires: 2026-05-01 } }\n");
	assert_int_equal(guards_that(finding(j.p, "MS17-010"), FS_GUARD_DROP), 4);
	done(&j);
}

static void test_reach(void **state)
{
	struct judged j = judge(SP2(", build: 6003"),
	    "allow:\n  inbound:\n"
	    "    - { id: one, service: rdp, from: 10.1.0.5, require: [nla] }\n"
	    "    - { id: two, service: rdp, from: 10.1.0.6, require: [nla] }\n"
	    "    - { id: past, service: rdp, from: 10.1.0.7, expires: 2026-05-01 }\n"
	    "    - { id: range, service: tcp/440-450, from: 10.2.0.9 }\n");
	const struct posture_finding *f = finding(j.p, "BlueKeep");

	(void)state;
	assert_int_equal(f->shield.nrules, 2);
	assert_int_equal(f->shield.nsources, 1); /* .5-.6 */
	assert_int_equal(f->shield.require, FS_REQ_NLA);
	assert_false(f->shield.unreachable);
	assert_int_equal(finding(j.p, "MS17-010")->shield.nrules, 1);
	assert_true(finding(j.p, "SIGRed")->shield.unreachable);
	done(&j);

	j = judge(SP2(", build: 6003"),
	    "allow:\n  inbound:\n"
	    "    - { id: one, service: rdp, from: 10.1.0.5, require: [nla] }\n"
	    "    - { id: two, service: rdp, from: 10.1.0.6 }\n");
	assert_int_equal(finding(j.p, "BlueKeep")->shield.require, 0);
	done(&j);
}

/* ---- what was seen ---- */

#define W2008 "Windows Server (R) 2008 Standard "

static void test_compare(void **state)
{
	static const struct {
		const char *os;
		struct posture_sighting s;
		enum posture_seen want;
		const char *says;
	} rows[] = {
		{ SP2(", build: 6003"), { .ntlm_version = "6.0.6003" },
		    POSTURE_SEEN_AGREES, "Vista" },
		{ SP2(", build: 6003"), { .ntlm_version = "6.0.6002" },
		    POSTURE_SEEN_DIFFERS, "April 2019" },
		{ SP2(", build: 6002"), { .ntlm_version = "6.0.6003" },
		    POSTURE_SEEN_DIFFERS, "6002 is declared" },
		{ SP2(", build: 6003"), { .ntlm_version = "6.0.6001" },
		    POSTURE_SEEN_DIFFERS, "6001" },
		{ SP2(", build: 6003"), { .ntlm_version = "6.1.7601" },
		    POSTURE_SEEN_DIFFERS, "6.1.7601" },
		{ SP2(", build: 6003"), { .ntlm_version = "6.1.0" },
		    POSTURE_SEEN_DIFFERS, "Samba" },
		{ SP2(", build: 6003"), { .ntlm_version = "255.255.65535" },
		    POSTURE_SEEN_UNKNOWN, "255" },
		{ SP2(", build: 6003"), { .ntlm_version = "6.0.6003x" },
		    POSTURE_SEEN_UNKNOWN, "not a version" },
		{ SP2(", build: 6003"), { .ntlm_version = "" }, POSTURE_SEEN_UNKNOWN,
		    "not a" },
		{ SP2(", build: 6003"), { .ntlm_version = "-6.0.6003" },
		    POSTURE_SEEN_UNKNOWN, "" },
		{ SP2(", build: 6003"), { .native_os = W2008 "6003 Service Pack 2" },
		    POSTURE_SEEN_AGREES, "as declared" },
		{ SP2(", build: 6003"), { .native_os = W2008 "6002 Service Pack 2" },
		    POSTURE_SEEN_DIFFERS, "6002" },
		{ SP2(", build: 6003"),
		    { .native_os = W2008 "without Hyper-V 6003 Service "
					 "Pack 2" },
		    POSTURE_SEEN_AGREES, "as declared" },
		{ SP2(", build: 6003"),
		    { .native_os =
			    "Windows Server 2008 R2 Standard 7601 Service Pack 1" },
		    POSTURE_SEEN_DIFFERS, "R2" },
		{ SP2(", build: 6002"),
		    { .native_os = "Windows Vista (TM) Business 6002 Service Pack 2",
			.ntlm_version = "6.0.6002" },
		    POSTURE_SEEN_DIFFERS, "Vista" },
		{ SP2(", build: 6003"),
		    { .native_os = "Unix", .native_lm = "Samba 4.17" },
		    POSTURE_SEEN_DIFFERS, "Samba" },
		{ SP2(", build: 6003"), { .native_os = "\033[2J" },
		    POSTURE_SEEN_UNKNOWN, "not one that is known" },
		{ SP2(", build: 6003"), { .dialect = "2.10" }, POSTURE_SEEN_DIFFERS,
		    "2.10" },
		{ SP2(", build: 6003"), { .dialect = "2.??" }, POSTURE_SEEN_DIFFERS,
		    "2.10" },
		{ SP2(", build: 6003"), { .dialect = "3.11" }, POSTURE_SEEN_DIFFERS,
		    "2.10" },
		{ SP2(", build: 6003"), { .dialect = "2.02" }, POSTURE_SEEN_NOTHING,
		    "" },
		{ SP2(", build: 6003"), { .dialect = "NT LM 0.12" },
		    POSTURE_SEEN_NOTHING, "" },
		{ SP2(", build: 6003"), { .ntlm_version = NULL }, POSTURE_SEEN_NOTHING,
		    "" },
		{ SP2(""), { .ntlm_version = "6.0.6003" }, POSTURE_SEEN_UNKNOWN,
		    "no build" },
		{ "", { .ntlm_version = "6.0.6003" }, POSTURE_SEEN_UNKNOWN,
		    "is declared" },
		{ "os: { product: windows-xp }", { .ntlm_version = "10.0.20348" },
		    POSTURE_SEEN_UNKNOWN, "is declared" },
		/* 2008 shipped as 6001: who declares that is believed */
		{ "os: { product: windows-server-2008, build: 6001 }",
		    { .ntlm_version = "6.0.6001" }, POSTURE_SEEN_AGREES,
		    "build 6001, as declared, without Service Pack 2" },
		{ "os: { product: windows-server-2008-sp1, build: 6001 }",
		    { .native_os = W2008 "6001 Service Pack 1" }, POSTURE_SEEN_AGREES,
		    "build 6001, as declared" },
		{ "os: { product: windows-server-2008, build: 6001 }",
		    { .ntlm_version = "6.0.6002" }, POSTURE_SEEN_DIFFERS,
		    "6001 is declared" },
		{ SP2(", build: 6003"), { .ntlm_version = "6.0.6000" },
		    POSTURE_SEEN_DIFFERS, "no Server 2008 has" },
		{ SP2(", build: 6003"), { .ntlm_version = "6.0.6004" },
		    POSTURE_SEEN_UNKNOWN, "not known" },
		/* other systems, where a build is declared */
		{ "os: { product: windows-server-2008-r2, build: 7601 }",
		    { .ntlm_version = "6.1.7601", .dialect = "2.10" },
		    POSTURE_SEEN_AGREES, "6.1.7601, as declared" },
		{ "os: { product: windows-server-2008-r2, build: 7601 }",
		    { .native_os =
			    "Windows Server 2008 R2 Standard 7601 Service Pack 1" },
		    POSTURE_SEEN_AGREES, "as declared" },
		{ "os: { product: windows-server-2008-r2, build: 7601 }",
		    { .ntlm_version = "6.0.6003" }, POSTURE_SEEN_DIFFERS,
		    "7601 is declared" },
		{ "os: { product: windows-vista, build: 6002 }",
		    { .native_os = "Windows Vista (TM) Business 6002 Service Pack 2",
			.ntlm_version = "6.0.6002" },
		    POSTURE_SEEN_AGREES, "as declared" },
		{ "os: { product: windows-xp, build: 2600 }",
		    { .ntlm_version = "10.0.20348" }, POSTURE_SEEN_DIFFERS,
		    "2600 is declared" },
		/* editions */
		{ SP2(", build: 6003"),
		    { .native_os = "Windows Web Server (R) 2008 6003 Service Pack 2" },
		    POSTURE_SEEN_AGREES, "as declared" },
		{ SP2(", build: 6003"),
		    { .native_os = "Windows Web Server (R) 2008 6002 Service Pack 2" },
		    POSTURE_SEEN_DIFFERS, "6003 is declared" },
		{ SP2(", build: 6003"),
		    { .native_os = "Windows Server (R) 2008 R2 Standard 7601" },
		    POSTURE_SEEN_DIFFERS, "another Windows" },
		{ SP2(", build: 6003"), { .native_os = "Windows Server (R) 2008" },
		    POSTURE_SEEN_UNKNOWN, "without a build" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fs *fs = host_with(rows[i].os, "");
		char buf[512], small[9];
		enum posture_seen got;

		got = posture_compare(fs, fs_host(fs, 0), &rows[i].s, buf, sizeof(buf));
		if (got != rows[i].want || strstr(buf, rows[i].says) == NULL)
			fail_msg("row %zu: %s: %s", i, posture_seen_name(got), buf);
		for (const char *c = buf; *c != '\0'; c++)
			assert_in_range(*c, ' ', '~'); /* nothing of the wire's */
		/* the verdict does not depend on the room for words */
		assert_int_equal(posture_compare(fs, fs_host(fs, 0), &rows[i].s, small,
				     sizeof(small)),
		    got);
		assert_true(strlen(small) < sizeof(small));
		free(fs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_guards_ship),
		cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_install),
		cmocka_unit_test(test_inconsistent),
		cmocka_unit_test(test_consistent),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_shield),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
