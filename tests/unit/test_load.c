/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: from policy texts to the flat block, as the evaluator sees it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <cmocka.h>

#include <cordon/guard.h>

#include "policytree.h"

enum { NOW = 1800000000 };

static struct fs *load(const struct policytree_file *files)
{
	struct diaglist d;
	struct fs *fs = NULL;

	diag_init(&d);
	if (policytree_load(files, NOW, &d, &fs) == -1) {
		diag_print(&d, stderr, false);
		fail_msg("the policy does not load");
	}
	diag_free(&d);
	assert_true(fs_valid(fs, fs->size));
	return fs;
}

/* The codes of all diagnostics, in order, as "CRD001 CRD002". */
static const char *codes(const struct policytree_file *files)
{
	static char text[512];
	struct diaglist d;
	struct fs *fs = NULL;

	text[0] = '\0';
	diag_init(&d);
	if (policytree_load(files, NOW, &d, &fs) == 0)
		free(fs);
	for (size_t i = 0; i < d.n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
		    i != 0 ? " " : "", d.d[i].code->code);
	diag_free(&d);
	return text;
}

static struct fs_verdict judge_at(const struct fs *fs, const char *src, const char *dst,
    uint8_t proto, uint16_t port, int64_t at)
{
	struct fs_flow f = { .proto = proto, .dport = port, .at = at };
	struct fs_verdict v;

	assert_int_equal(netaddr_parse(src, &f.src), 0);
	assert_int_equal(netaddr_parse(dst, &f.dst), 0);
	fs_judge(fs, &f, &v);
	return v;
}

static struct fs_verdict tcp(const struct fs *fs, const char *src, const char *dst,
    uint16_t port)
{
	return judge_at(fs, src, dst, IPPROTO_TCP, port, NOW);
}

static const char *rule_of(const struct fs *fs, const struct fs_verdict *v)
{
	return v->side[0].rule == FS_NONE ? "" :
	    fs_str(fs, fs_rule(fs, v->side[0].rule)->id);
}

static void test_two_files(void **state)
{
	const struct policytree_file files[] = {{"cordon.yaml", POLICYTREE_CORDON},
	    {"hosts/a.yaml", "host: a\naddresses: [10.9.0.11, \"fd00::11\"]\nallow:\n"
			     "  inbound:\n    - service: [mssql, tcp/8080]\n"
			     "      from: [10.8.0.1, \"fd00:1::/64\"]\n"},
	    {NULL, NULL}};
	struct fs *fs = load(files);
	struct fs_verdict v = tcp(fs, "10.8.0.1", "10.9.0.11", 1433);

	(void)state;
	assert_int_equal(v.result, FS_ALLOW);
	assert_string_equal(rule_of(fs, &v), "a/in/mssql+tcp-8080");
	assert_int_equal(fs_rule(fs, 0)->line, 5);
	assert_string_equal(fs_str(fs, fs_rule(fs, 0)->file), "hosts/a.yaml");
	assert_int_equal(tcp(fs, "fd00:1::9", "fd00::11", 8080).result, FS_ALLOW);
	assert_int_equal(tcp(fs, "10.8.0.2", "10.9.0.11", 1433).result, FS_DENY);
	assert_int_equal(tcp(fs, "10.8.0.1", "10.9.0.11", 445).result, FS_DENY);
	assert_int_equal(tcp(fs, "10.9.0.11", "10.8.0.1", 1433).result, FS_DENY);
	assert_int_equal(tcp(fs, "10.8.0.1", "10.8.0.2", 1433).result, FS_PASS);
	free(fs);
}

static void test_names(void **state)
{
	const struct policytree_file files[] = {
		{ "cordon.yaml", POLICYTREE_CORDON "block: { never: [all-jumps] }\n" },
		{ "groups.yaml", "jump-hosts: [10.8.0.4-10.8.0.6]\n"
		  "all-jumps: [jump-hosts, 10.7.0.0/24, b]\n" },
		{ "services.yaml", "erp: { ports: [tcp/7000-7010, tcp/7005-7020] }\n"
		  "both: { bundle: [erp, ping] }\n" },
		{ "hosts/z.yaml", "host: a\naddresses: 10.9.0.11\nallow:\n  inbound:\n"
		  "    - { service: both, from: all-jumps }\n"
		  "  outbound:\n    - { service: ntp, to: gateway }\n"
		  "---\nhost: b\naddresses: 10.9.0.12\nallow:\n  outbound:\n"
		  "    - { service: both, to: a }\n" },
		{ NULL, NULL } };
	struct fs *fs = load(files);
	struct netaddr jump;

	(void)state;
	assert_int_equal(tcp(fs, "10.8.0.5", "10.9.0.11", 7020).result, FS_ALLOW);
	assert_int_equal(tcp(fs, "10.8.0.7", "10.9.0.11", 7020).result, FS_DENY);
	assert_int_equal(tcp(fs, "10.7.0.255", "10.9.0.11", 7000).result, FS_ALLOW);
	assert_int_equal(
	    judge_at(fs, "10.8.0.5", "10.9.0.11", IPPROTO_ICMP, 8, NOW).result,
	    FS_ALLOW);
	assert_int_equal(
	    judge_at(fs, "10.9.0.11", "10.9.0.1", IPPROTO_UDP, 123, NOW).result,
	    FS_ALLOW);
	/* both ends are declared: both consent */
	assert_int_equal(tcp(fs, "10.9.0.12", "10.9.0.11", 7000).result, FS_ALLOW);
	assert_int_equal(tcp(fs, "10.9.0.11", "10.9.0.12", 7000).result, FS_DENY);
	assert_int_equal(netaddr_parse("10.8.0.6", &jump), 0);
	assert_true(netranges_have(fs_range(fs, fs->settings.never.first),
	    fs->settings.never.count, &jump));
	free(fs);
}

static uint8_t grants(const struct fs *fs, uint16_t port)
{
	return tcp(fs, "10.8.0.1", "10.9.0.11", port).grants;
}

static void test_grants(void **state)
{
	const struct policytree_file files[] = {{"cordon.yaml", POLICYTREE_CORDON},
	    {"services.yaml", "nas: { ports: [tcp/4450, udp/4450], speaks: smb }\n"},
	    {"hosts/a.yaml",
		"host: a\naddresses: 10.9.0.11\nallow:\n  inbound:\n"
		"    - { service: smb, from: 10.8.0.1 }\n"
		"    - { service: tcp/3389, from: 10.8.0.1 }\n"
		"    - { service: tcp/139-139, from: 10.8.0.1 }\n"
		"    - { service: tcp/130-138, from: 10.8.0.1 }\n"
		"    - { service: tcp/9000, from: 10.8.0.1, speaks: [smb, rdp] }\n"
		"    - { service: tcp/9001, from: 10.8.0.1 }\n"
		"    - { service: nas, from: 10.8.0.1 }\n"
		"    - { service: telnet, from: 10.8.0.1 }\n"},
	    {NULL, NULL}};
	struct fs *fs = load(files);

	(void)state;
	assert_int_equal(grants(fs, 445), FS_SMB);
	assert_int_equal(grants(fs, 3389), FS_RDP);
	assert_int_equal(grants(fs, 135), 0);
	assert_int_equal(grants(fs, 9000), FS_SMB | FS_RDP);
	assert_int_equal(grants(fs, 9001), 0);
	assert_int_equal(grants(fs, 4450), FS_SMB);
	for (uint32_t i = 0; i < fs->table[FS_SERVICES].count; i++) {
		const struct fs_service *s = fs_service(fs, i);

		if (s->proto == IPPROTO_UDP)
			assert_int_equal(s->grants, 0);
		assert_int_equal(s->short_opening, s->lo == 23);
	}
	free(fs);
}

static void test_guards(void **state)
{
	const struct policytree_file files[] = { { "cordon.yaml", POLICYTREE_CORDON },
		{ "guards/own.yaml", "guard: own\ntitle: ours\naction: alert\n"
		  "match: [{ at: 0, bytes: \"00 01\" }]\n" },
		{ "hosts/a.yaml", "host: a\naddresses: 10.9.0.11\nguards:\n  smb1:\n"
		  "    { action: disabled, reason: old scanner, expires: 2030-01-01 }\n"
		  "---\nhost: b\naddresses: 10.9.0.12\n" },
		{ NULL, NULL } };
	struct fs *fs = load(files);
	const struct fs_host *a = fs_host(fs, 0), *b = fs_host(fs, 1);
	const char *last = "";
	bool seen = false;

	(void)state;
	assert_int_equal(a->guards.count, 14); /* the profile's 13, and own */
	assert_int_equal(b->guards.count, a->guards.count);
	for (uint32_t i = 0; i < a->guards.count; i++) {
		const struct fs_guard_use *u =
		    FS_AT(fs, FS_GUARD_USES, struct fs_guard_use, a->guards.first + i);
		const char *id =
		    fs_str(fs, FS_AT(fs, FS_GUARDS, struct guard, u->guard)->id);

		assert_true(strcmp(last, id) < 0);
		last = id;
		if (strcmp(id, "smb1") != 0)
			continue;
		seen = true;
		assert_int_equal(u->action, FS_GUARD_OFF);
		assert_int_equal(u->default_action, FS_GUARD_DROP);
		assert_true(u->expires == 1893542400); /* 2030-01-02 */
		assert_string_equal(fs_str(fs, u->reason), "old scanner");
	}
	assert_true(seen);
	free(fs);
}

static void test_time(void **state)
{
	const struct policytree_file files[] = {
	    {"cordon.yaml", "cordon: 1\ngateway: { interfaces: lan0, timezone: "
			    "Europe/Berlin }\n"},
	    {"hosts/a.yaml",
		"host: a\naddresses: 10.9.0.11\nallow:\n  inbound:\n"
		"    - { service: ssh, from: 10.8.0.1, expires: 2027-03-31 }\n"
		"    - { service: http, from: 10.8.0.1, schedule: Mon-Fri 07:00-19:00 "
		"}\n"},
	    {NULL, NULL}};
	struct fs *fs = load(files);

	(void)state;
	assert_int_equal(
	    judge_at(fs, "10.8.0.1", "10.9.0.11", 6, 22, 1806537599).result, FS_ALLOW);
	assert_int_equal(
	    judge_at(fs, "10.8.0.1", "10.9.0.11", 6, 22, 1806537600).result, FS_DENY);
	/* Monday 2027-07-05: 07:00 in Berlin is 05:00 UTC; in winter 06:00 */
	assert_int_equal(
	    judge_at(fs, "10.8.0.1", "10.9.0.11", 6, 80, 1814763599).result, FS_DENY);
	assert_int_equal(
	    judge_at(fs, "10.8.0.1", "10.9.0.11", 6, 80, 1814763600).result, FS_ALLOW);
	assert_int_equal(
	    judge_at(fs, "10.8.0.1", "10.9.0.11", 6, 80, 1799647199).result, FS_DENY);
	assert_int_equal(
	    judge_at(fs, "10.8.0.1", "10.9.0.11", 6, 80, 1799647200).result, FS_ALLOW);
	free(fs);
}

/* Hosts come in the order of their names, wherever they stand; one tree, one block. */
static void test_deterministic(void **state)
{
	const struct policytree_file one[] = { { "cordon.yaml", POLICYTREE_CORDON },
		{ "hosts/x.yaml", "host: b\naddresses: 10.9.0.12\n---\n"
		  "host: a\naddresses: 10.9.0.11\n" }, { NULL, NULL } };
	struct fs *x = load(one), *y = load(one);

	(void)state;
	assert_int_equal(x->size, y->size);
	assert_memory_equal(x, y, x->size);
	assert_string_equal(fs_str(x, fs_host(x, 0)->name), "a");
	assert_string_equal(fs_str(x, fs_host(x, 1)->name), "b");
	free(x);
	free(y);
}

static void test_exposure(void **state)
{
	struct policytree_file files[] = { { "cordon.yaml", POLICYTREE_CORDON },
		{ "hosts/a.yaml", NULL }, { NULL, NULL } };
#define INBOUND(rules) "host: a\naddresses: 10.9.0.11\nallow:\n  inbound:\n" rules
	static const struct {
		const char *text, *codes;
	} rows[] = {
	    {INBOUND("    - { service: smb, from: 10.4.0.0/17 }\n"), ""},
	    {INBOUND("    - { service: smb, from: 10.4.0.0/16 }\n"), "CRD057"},
	    {INBOUND("    - { service: http, from: 10.4.0.0/16 }\n"), ""},
	    {INBOUND("    - { service: tcp/440-450, from: 10.4.0.0/16 }\n"), "CRD057"},
	    {INBOUND("    - { service: udp/445, from: 10.4.0.0/16 }\n"), ""},
	    {INBOUND("    - { service: smb, from: 10.4.0.0/16, exposure: accepted }\n"),
		"CRD057"},
	    {INBOUND("    - { service: smb, from: 10.4.0.0/16, exposure: accepted, "
		     "reason: x }\n"),
		""},
	    {INBOUND("    - { service: smb, from: 10.4.0.0/16, exposure: accepted, "
		     "reason: x }\n    - { service: tcp/445, from: 10.8.0.1 }\n"),
		""},
	    {INBOUND("    - { service: smb, from: 10.4.0.0/16, exposure: accepted, "
		     "reason: x }\n    - { service: tcp/445, from: 10.8.0.0/16 }\n"),
		"CRD057"},
	    {INBOUND("    - { service: ping, from: any }\n"), "CRD056"},
	    {INBOUND("    - { service: ping, from: [0.0.0.0/1, 128.0.0.0/1] }\n"),
		"CRD056"},
	    {INBOUND(
		 "    - { service: ping, from: any, exposure: accepted, reason: x }\n"),
		""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		files[1].text = rows[i].text;
		assert_string_equal(codes(files), rows[i].codes);
	}
}

/* With trusted_only, whatever others could have changed is refused. */
static void test_trusted(void **state)
{
	static const char *const names[] = {
	    "", "/cordon.yaml", "/hosts", "/hosts/a.yaml"};
	const struct policytree_file files[] = { { "cordon.yaml", POLICYTREE_CORDON },
		{ "hosts/a.yaml", "host: a\naddresses: 10.9.0.11\n" }, { NULL, NULL } };
	char dir[256], path[512];

	(void)state;
	snprintf(dir, sizeof(dir), "%s/cordon-test-XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : P_tmpdir);
	assert_non_null(mkdtemp(dir));
	umask(022);
	assert_int_equal(policytree_write(dir, files), 0);
	for (size_t i = 0; i <= sizeof(names) / sizeof(names[0]); i++) {
		struct rules_source src = {
		    .zoneinfo_fd = -1, .name = "", .trusted_only = true};
		bool last = i == sizeof(names) / sizeof(names[0]);
		struct diaglist d;
		struct stat st;
		struct fs *fs = NULL;

		snprintf(path, sizeof(path), "%s%s", dir, last ? "" : names[i]);
		assert_int_equal(stat(path, &st), 0);
		if (!last)
			assert_int_equal(chmod(path, st.st_mode | 020), 0);
		src.policy_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		diag_init(&d);
		assert_int_equal(rules_load(&src, &d, &fs), last ? 0 : -1);
		if (!last)
			assert_string_equal(d.d[0].code->code, "CRD011");
		assert_int_equal(chmod(path, st.st_mode & 07777), 0);
		close(src.policy_fd);
		diag_free(&d);
		free(fs);
	}
	policytree_remove(dir, files);
}

/* Whom a host's setting leaves out, until when, and not the host's other guards. */
static void test_guard_exceptions(void **state)
{
	const struct policytree_file files[] = { { "cordon.yaml", POLICYTREE_CORDON },
		{ "groups.yaml", "admins: [10.8.0.0/24, \"fd00::5\"]\n" },
		{ "hosts/a.yaml", "host: a\naddresses: 10.9.0.11\nguards:\n  smb1:\n"
		  "    { action: drop, except: [admins, b], reason: x, expires: 2030-01-01 }\n"
		  "---\nhost: b\naddresses: 10.9.0.12\n" },
		{ NULL, NULL } };
	static const struct {
		const char *peer;
		bool excepted;
	} rows[] = { { "10.8.0.0", true }, { "10.8.0.255", true }, { "10.8.1.0", false },
		{ "10.7.255.255", false }, { "10.9.0.12", true }, { "10.9.0.11", false },
		{ "fd00::5", true }, { "fd00::6", false } };
	struct fs *fs = load(files);
	const int64_t until = 1893542400; /* 2030-01-02: the day is the last one */
	uint32_t smb1 = 0, other = 0;

	(void)state;
	for (uint32_t i = 0; i < fs->table[FS_GUARDS].count; i++) {
		const char *id = fs_str(fs, FS_AT(fs, FS_GUARDS, struct guard, i)->id);

		smb1 = strcmp(id, "smb1") == 0 ? i : smb1;
		other = strcmp(id, "doublepulsar") == 0 ? i : other;
	}
	assert_int_equal(fs_guard_action_of(fs, 0, smb1, NULL, until - 1), FS_GUARD_DROP);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct netaddr a;

		assert_int_equal(netaddr_parse(rows[i].peer, &a), 0);
		assert_int_equal(fs_guard_action_of(fs, 0, smb1, &a, until - 1),
		    rows[i].excepted ? FS_GUARD_OFF : FS_GUARD_DROP);
		assert_int_equal(fs_guard_action_of(fs, 0, smb1, &a, until), FS_GUARD_DROP);
		assert_int_equal(fs_guard_action_of(fs, 0, other, &a, 0), FS_GUARD_DROP);
		assert_int_equal(fs_guard_action_of(fs, 1, smb1, &a, 0), FS_GUARD_DROP);
	}
	free(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_files),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_guard_exceptions),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_exposure),
		cmocka_unit_test(test_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
