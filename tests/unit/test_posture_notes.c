/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: posture: what looks mistyped, what is not covered, and how far guards help
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cordon/guard.h>
#include <cordon/posture.h>

#include "policytree.h"

enum { AT = 1780272000 }; /* 2026-06-01, a Monday */
#define SP2(more) "os: { product: windows-server-2008-sp2" more " }"

struct judged {
	struct servicing *t;
	struct fs *fs;
	struct posture *p;
};

/* One host "a" with this os: and the rest of its YAML, at second `at`. */
static struct judged judge(const char *os, const char *rest, int64_t at)
{
	char text[2000], why[200] = "";
	const struct policytree_file files[] = { { "cordon.yaml", POLICYTREE_CORDON },
		{ "hosts/a.yaml", text }, { NULL, NULL } };
	struct judged j = { 0 };
	struct diaglist d;

	snprintf(text, sizeof(text), "host: a\naddresses: 10.9.0.2\n%s\n%s", os, rest);
	diag_init(&d);
	if (policytree_load(files, at, &d, &j.fs) != 0) {
		diag_print(&d, stderr, false);
		fail_msg("policy refused: %s", text);
	}
	diag_free(&d);
	if (servicing_shipped(&j.t, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	assert_int_equal(posture_judge(j.t, j.fs, 0, at, &j.p), 0);
	return j;
}

static void done(struct judged *j)
{
	posture_free(j->p);
	free(j->fs);
	servicing_free(j->t);
}

static bool noted(const struct posture *p, const char *text)
{
	for (size_t i = 0; i < p->nnotes; i++)
		if (strstr(p->notes[i].text, text) != NULL)
			return true;
	return false;
}

/* ---- what looks mistyped ---- */

static void test_notes(void **state)
{
	static const struct {
		const char *os, *note;
	} rows[] = {
		/* numbers of the same bulletins, of another system */
		{ SP2(", build: 6003, updates: [KB4012212, KB4499175]"),
		    "KB4012212, KB4499175: updates of Windows Server 2008 R2 or Windows 7, not" },
		{ SP2(", build: 6003, updates: [KB4490628]"),
		    "KB4490628: an update of Windows Server 2008 R2 or Windows 7" },
		{ SP2(", build: 6003, updates: [KB4012213]"),
		    "Windows Server 2012 R2" },
		/* slips: neighbours the other way round, one digit another, one lost */
		{ SP2(", build: 6003, updates: [KB4493741]"),
		    "did you mean KB4493471?" },
		{ SP2(", build: 6003, updates: [KB5034172]"), "KB5034173" },
		{ SP2(", build: 6003, updates: [KB449347]"),
		    "did you mean KB4493471?" },
		{ SP2(", build: 6003, updates: [KB9999999]"),
		    "KB9999999: not in the table, proves nothing here" },
		{ SP2(", build: 6003, updates: [KB9999991, KB9999992, KB9999993, KB9999994, "
		      "KB9999995, KB9999996]"),
		    "KB9999994 and 2 more: not in the table, prove nothing" },
		/* revisions */
		{ SP2(", build: 6002, revision: 20489"),
		    "20489 is the revision that KB4493471 (2019-04-09) gives build 6003, not 6002" },
		{ SP2(", build: 6003, revision: 24565"), "gives build 6002, not 6003" },
		{ SP2(", build: 6003, revision: 24000"),
		    "no known update brings revision 6003.24000" },
		{ SP2(", revision: 20489"),
		    "revision 20489 without a build proves nothing" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(rows[i].os, "", AT);

		if (!noted(j.p, rows[i].note))
			fail_msg("row %zu: \"%s\" is not noted", i, rows[i].note);
		assert_int_equal(j.p->ninconsistent, 0);
		done(&j);
	}
}

/* A number that nobody knows proves nothing; and what is in order is not remarked on.
 */
static void test_quiet(void **state)
{
	static const char *const rows[] = { SP2(", build: 6003"),
		SP2(", build: 6002, revision: 24556"),
		SP2(", build: 6003, revision: 20500"),
		SP2(", build: 6003, revision: 22464, updates: [KB4474419, KB4493730, "
		    "KB5034173]") };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(rows[i], "", AT);

		if (j.p->nnotes > 0)
			fail_msg("row %zu: %s", i, j.p->notes[0].text);
		done(&j);
	}
}

static void test_beyond(void **state)
{
	struct judged j = judge(SP2(", build: 6003, revision: 24000"), "", AT);

	(void)state;
	assert_int_equal(j.p->last_month, 0);
	assert_int_equal(j.p->install_new, POSTURE_INSTALL_NO);
	assert_int_equal(j.p->states[POSTURE_FIXED], 0);
	done(&j);
	/* the last one that is known does prove */
	j = judge(SP2(", build: 6003, revision: 23717"), "", AT);
	assert_int_equal(j.p->last_month, 12 * 2026);
	assert_int_equal(j.p->install_new, POSTURE_INSTALL_IT_DID);
	done(&j);
}

/* A list that says the build where nobody else does. */
static void test_build_by_update(void **state)
{
	struct judged j = judge(SP2(", updates: [KB4499149]"), "", AT);

	(void)state;
	assert_non_null(strstr(j.p->level.text, "KB4499149"));
	assert_non_null(strstr(j.p->level.text, "brings 6003"));
	done(&j);
	j = judge(SP2(", updates: [KB4489880]"), "", AT);
	assert_string_equal(j.p->level.text, "build not stated");
	done(&j);
}

/* Neither of the two that later updates need: early, never inconsistent. */
static void test_pair(void **state)
{
	static const struct {
		const char *os, *missing, *listed;
	} rows[] = {
		{ SP2(", build: 6003, updates: [KB4474419]"), "KB4493730",
		    "KB4474419" },
		{ SP2(", build: 6003, updates: [KB4493730]"), "KB4474419",
		    "KB4493730" },
		{ SP2(", build: 6003"), "KB4493730", "no such" },
		{ SP2(", build: 6003, updates: [KB4489887]"), "KB4474419", "no such" },
		{ SP2(", build: 6002, updates: [KB4489880]"), "KB4474419", "no such" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(rows[i].os, "", AT);

		assert_int_equal(j.p->ninconsistent, 0);
		assert_non_null(
		    strstr(j.p->install.text, "can't take updates from July 2019 on"));
		assert_non_null(strstr(j.p->install.text, rows[i].missing));
		assert_null(strstr(j.p->install.text, rows[i].listed));
		done(&j);
	}
}

static void test_not_covered(void **state)
{
	static const struct {
		const char *os, *says;
	} rows[] = {
		{ "os: { product: windows-server-2008, build: 6001 }",
		    "without Service Pack 2" },
		{ SP2(", build: 6001"), "without Service Pack 2" },
		{ "os: { product: windows-server-2008-sp1 }",
		    "Service Pack 2 comes before" },
		{ "os: { product: windows-server-2008-sp1, build: 6003 }",
		    "but build 6003 is one of Service Pack 2" },
		{ SP2(", build: 6000"), "no Server 2008 has it" },
		{ SP2(", build: 7601"), "Windows Server 2008 R2's" },
		{ "os: { product: windows-server-2008-r2, build: 7601 }",
		    "another system (6.1)" },
		{ "os: { product: windows-server-2008-r2, build: 6003 }",
		    "but build 6003" },
		{ SP2(", build: 9600"), "not that of Service Pack 2" },
		{ "os: { product: windows-xp, build: 2600 }", "the table is that of" },
		{ "os: { product: windows-vista, build: 6002 }",
		    "the table is that of" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(rows[i].os, "", AT);

		assert_int_equal(j.p->cover, POSTURE_NOT_COVERED);
		if (strstr(j.p->level.text, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, j.p->level.text);
		assert_int_equal(j.p->nfindings, 0);
		done(&j);
	}
}

/* ---- how far guards and rules help ---- */

#define SMB "allow: { inbound: [ { service: smb, from: 10.1.0.0/24, reason: r } ] }\n"
#define RDP(more)                                                                      \
	"allow: { inbound: [ { service: rdp, from: 10.1.0.0/24, reason: r" more        \
	" } ] }\n"
#define OFF(guard)          guard ": { action: disabled, reason: r }"
#define NOT_FOR(guard, who) guard ": { action: drop, except: [" who "], reason: r }"

static void test_level(void **state)
{
	static const struct {
		const char *id, *rest;
		enum posture_against want;
	} rows[] = {
		{ "MS17-010", "", POSTURE_CLOSED },
		{ "MS17-010", SMB, POSTURE_GUARDED },
		{ "MS17-010", SMB "mode: observe\n", POSTURE_NOTHING },
		{ "MS17-010", "mode: observe\n", POSTURE_NOTHING },
		/* one that takes SMB1 away is enough, and so are all that know a shape
		 */
		{ "MS17-010", SMB "guards: { " OFF("ms17-010-groom") " }\n",
		    POSTURE_GUARDED },
		{ "MS17-010", SMB "guards: { " OFF("smb1") " }\n", POSTURE_GUARDED },
		{ "MS17-010",
		    SMB "guards: { " OFF("smb1") ", " OFF("ms17-010-groom") " }\n",
		    POSTURE_PARTLY },
		{ "MS17-010",
		    SMB "guards: { smb1: { action: alert, reason: r }, "
			"ms17-010-nttrans: { action: alert, reason: r } }\n",
		    POSTURE_PARTLY },
		{ "MS17-010",
		    SMB "guards: { " OFF("smb1") ", " OFF("ms17-010-groom") ", " OFF(
			"ms17-010-nttrans") ", " OFF("ms17-010-trans2") " }\n",
		    POSTURE_NOTHING },
		/* exceptions count where they reach it */
		{ "MS09-050", SMB "guards: { " NOT_FOR("ms09-050", "10.1.0.7") " }\n",
		    POSTURE_PARTLY },
		{ "MS09-050", SMB "guards: { " NOT_FOR("ms09-050", "10.2.0.7") " }\n",
		    POSTURE_GUARDED },
		{ "MS09-050",
		    SMB
		    "guards: { ms09-050: { action: drop, except: [10.1.0.7], reason: r, "
		    "expires: 2026-05-01 } }\n",
		    POSTURE_GUARDED },
		{ "MS09-050",
		    SMB
		    "guards: { ms09-050: { action: disabled, reason: r, expires: 2026-06-01 "
		    "} }\n",
		    POSTURE_NOTHING },                      /* valid through that day */
		{ "CVE-2017-11780", SMB, POSTURE_NOTHING }, /* there is no guard */
		/* the sensor only tells; NLA keeps out who has no password */
		{ "BlueKeep", RDP(""), POSTURE_NOTHING },
		{ "BlueKeep", RDP(", require: [nla]"), POSTURE_GUARDED },
		{ "BlueKeep", RDP(", require: [nla]") "mode: observe\n",
		    POSTURE_NOTHING },
		/* reachable at other hours is reachable; what expired is not */
		{ "BlueKeep", RDP(", schedule: \"Sat 08:00-09:00\""), POSTURE_NOTHING },
		{ "BlueKeep", RDP(", expires: 2026-05-01"), POSTURE_CLOSED },
		/* a guard on a pipe does not stand on the port of RPC */
		{ "PrintNightmare", SMB, POSTURE_NOTHING },
		{ "PrintNightmare",
		    SMB "guards: { pipe-spoolss: { action: drop, reason: r } }\n",
		    POSTURE_GUARDED },
		{ "PrintNightmare",
		    "allow: { inbound: [ { service: [smb, tcp/135], from: 10.1.0.0/24, reason: r } "
		    "] }\nguards: { pipe-spoolss: { action: drop, reason: r } }\n",
		    POSTURE_PARTLY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judged j = judge(SP2(", build: 6002"), rows[i].rest, AT);
		const struct posture_finding *f = NULL;
		size_t n = 0;

		for (size_t k = 0; k < j.p->nfindings; k++)
			if (strcmp(j.p->findings[k].vuln->id, rows[i].id) == 0)
				f = &j.p->findings[k];
		assert_non_null(f);
		if (f->shield.level != rows[i].want)
			fail_msg("row %zu, %s: %s, not %s", i, rows[i].id,
			    posture_against_name(f->shield.level),
			    posture_against_name(rows[i].want));
		for (int s = 0; s < POSTURE_NSTATES; s++)
			for (int a = 0; a < POSTURE_NAGAINST; a++)
				n += j.p->against[s][a];
		assert_int_equal(n, j.p->nfindings - j.p->states[POSTURE_FIXED]);
		done(&j);
	}
}

static void test_grant(void **state)
{
	struct judged j = judge(SP2(", build: 6002"),
	    "jit: { rdp: { from: 10.1.0.0/24, max: 60m } }\n", AT);

	(void)state;
	for (size_t i = 0; i < j.p->nfindings; i++) {
		const struct posture_finding *f = &j.p->findings[i];

		assert_int_equal(f->shield.level, POSTURE_CLOSED);
		assert_int_equal(
		    f->shield.grant == FS_NONE, (f->vuln->speaks & FS_RDP) == 0);
	}
	done(&j);
}

/* ---- the list of other systems ---- */

static void test_bad_others(void **state)
{
	static const char *const rows[] = { "", "{}", "- { product: p, kbs: [KB1] }",
		"- { product: p, source: s }", "- { product: p, source: s, kbs: [] }",
		"- { product: p, source: s, kbs: [1234] }",
		"- { product: p, source: s, kbs: [KB4493471] }", /* ours */
		"- { product: p, source: s, kbs: KB1 }",
		"- { product: p, source: s, kbs: [KB1], more: x }", "- [" };
	char why[200] = "";
	struct servicing *t = NULL;

	(void)state;
	if (servicing_shipped(&t, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	assert_true(t->nothers >= 3);
	assert_null(servicing_of_other(t, "KB4493471"));
	assert_null(servicing_of_other(t, ""));
	assert_non_null(servicing_of_other(t, "KB4012212"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		why[0] = '\0';
		assert_int_equal(servicing_parse_others(
				     t, rows[i], strlen(rows[i]), why, sizeof(why)),
		    -1);
		assert_non_null(strstr(why, "other-systems.yaml"));
	}
	servicing_free(t);
}

static void test_near(void **state)
{
	static const struct {
		const char *kb;
		bool near;
	} rows[] = { { "KB4493471", false }, { "KB4493741", true },
		{ "KB449347", true }, { "KB44934711", true }, { "KB4493472", true },
		{ "KB", false }, { "", false }, { "K", false }, { "KB4493", false },
		{ "KB1493742", false } };
	struct servicing *t = NULL;
	const struct servicing_update *found[4];
	char why[200];

	(void)state;
	assert_int_equal(servicing_shipped(&t, why, sizeof(why)), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = servicing_near(t, rows[i].kb, found, 4);
		bool hit = false;

		for (size_t k = 0; k < n; k++)
			hit |= strcmp(found[k]->kb, "KB4493471") == 0;
		if (hit != rows[i].near)
			fail_msg("%s", rows[i].kb);
	}
	servicing_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_beyond),
		cmocka_unit_test(test_build_by_update),
		cmocka_unit_test(test_pair),
		cmocka_unit_test(test_not_covered),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_grant),
		cmocka_unit_test(test_bad_others),
		cmocka_unit_test(test_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
