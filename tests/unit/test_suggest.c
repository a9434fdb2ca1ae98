/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: from observed flows to rules: names, groups, CIDRs, and what stays apart */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cordon/suggest.h>

#include "policytree.h"
#include "smallfs.h"

static const struct policytree_file tree[] = {
	{ "cordon.yaml", "cordon: 1\ngateway: { interfaces: [lan0], addresses: [10.9.0.1],\n"
			 "  protect: [{ prefix: 10.20.8.0/24, mode: observe }] }\n" },
	{ "groups.yaml", "apps: [10.1.0.0/29]\npair: [10.2.0.1, 10.2.0.2]\n"
			 "wide: [10.0.0.0/8]\n" },
	{ "services.yaml", "own: { ports: [tcp/6000, tcp/6001] }\n"
			   "both: { bundle: [own, mssql] }\n" },
	{ "hosts/a.yaml", "host: a\naddresses: [10.20.8.11, \"fd00::11\"]\nmode: observe\nallow:\n"
			  "  inbound: [{ id: seen-1, service: tcp/22, from: 10.1.0.0 }]\n" },
	{ "hosts/b.yaml", "host: b\naddresses: [10.20.8.12, \"fd00::12\"]\n" },
	{ NULL, NULL },
};

static char dir[64], got[4096];

static void put(const char *const *item, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? "," : "",
		    item[i]);
}

static void take(void *ctx, const struct suggestion *s)
{
	(void)ctx;
	snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s %s %s ", s->host,
	    s->dir == FS_IN ? "in" : "out", s->id);
	put(s->services, s->nservices);
	strcat(got, " ");
	put(s->peers, s->npeers);
	snprintf(got + strlen(got), sizeof(got) - strlen(got), " %d%s%s%s\n", (int)s->count,
	    s->middle ? " guessed" : "", *s->note ? " # " : "", s->note);
}

static struct suggest_flow flow(const char *host, enum fs_dir d, const char *peer,
    uint8_t proto, uint16_t port)
{
	return (struct suggest_flow){ .host = ip(host), .peer = ip(peer), .dir = (uint8_t)d,
		.proto = proto, .port = port, .count = 1, .first_us = 10, .last_us = 20 };
}

static const char *suggest(struct suggest_flow *f, size_t n, unsigned share)
{
	struct rules_source src = { .name = "", .zoneinfo_fd = -1, .now = 1000 };
	struct diaglist d;

	got[0] = '\0';
	diag_init(&d);
	src.policy_fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(rules_suggest(&src, 1000, share, f, n, &d, take, NULL), 0);
	close(src.policy_fd);
	diag_free(&d);
	return got;
}
#define SUGGEST(...) \
	suggest((struct suggest_flow[]){ __VA_ARGS__ }, \
	    sizeof((struct suggest_flow[]){ __VA_ARGS__ }) / sizeof(struct suggest_flow), 80)
#define IN_TCP(peer, port) flow("10.20.8.11", FS_IN, peer, 6, port)

static void services(void **state)
{
	(void)state;
	assert_string_equal(SUGGEST(IN_TCP("10.5.0.1", 1433)),
	    "a in seen-2 mssql 10.5.0.1 1\n"); /* seen-1 is taken */
	assert_string_equal(SUGGEST(IN_TCP("10.5.0.1", 6000), IN_TCP("10.5.0.1", 7777)),
	    "a in seen-2 own,tcp/7777 10.5.0.1 2\n");
	assert_string_equal(SUGGEST(IN_TCP("10.5.0.1", 6001), IN_TCP("10.5.0.1", 1433)),
	    "a in seen-2 both 10.5.0.1 2\n");
	/* dynamic ports of RPC without its end point mapper are no RPC */
	assert_string_equal(SUGGEST(IN_TCP("10.5.0.1", 49160)),
	    "a in seen-2 tcp/49160 10.5.0.1 1\n");
	assert_string_equal(SUGGEST(IN_TCP("10.5.0.1", 135), IN_TCP("10.5.0.1", 49160)),
	    "a in seen-2 rpc 10.5.0.1 2\n");
	assert_string_equal(SUGGEST(flow("10.20.8.11", FS_OUT, "10.5.0.1", 17, 53),
				flow("10.20.8.11", FS_OUT, "10.5.0.1", 6, 88),
				flow("10.20.8.11", FS_OUT, "10.5.0.1", 17, 123),
				flow("10.20.8.11", FS_OUT, "10.5.0.1", 6, 389)),
	    "a out seen-1 kerberos,ldap,dns,ntp 10.5.0.1 4"
	    " # 4 of the 8 services of ad-member\n");
	assert_string_equal(SUGGEST(flow("10.20.8.11", FS_IN, "10.5.0.1", 1, 8)),
	    "a in seen-2 ping 10.5.0.1 1\n");
	assert_string_equal(SUGGEST(flow("10.20.8.11", FS_IN, "10.5.0.1", 50, 0)),
	    "a in seen-2 ip/50 10.5.0.1 1\n");
}

static void peers(void **state)
{
	struct suggest_flow f[8];
	char address[16];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		snprintf(address, sizeof(address), "10.1.0.%u", i);
		f[i] = IN_TCP(address, 1433);
	}
	assert_string_equal(suggest(f, 8, 80), "a in seen-2 mssql apps 8\n");
	for (unsigned i = 0; i < 8; i++) {
		snprintf(address, sizeof(address), "10.1.0.%u", i);
		f[i] = IN_TCP(address, 1433);
	}
	assert_string_equal(suggest(f, 7, 80),
	    "a in seen-2 mssql apps 7 # 7 of the 8 addresses of apps\n");
	assert_string_equal(suggest(f, 6, 80),
	    "a in seen-2 mssql 10.1.0.0/30,10.1.0.4/31 6\n");
	assert_string_equal(SUGGEST(IN_TCP("10.2.0.1", 1433)),
	    "a in seen-2 mssql 10.2.0.1 1\n"); /* one of a pair is not the pair */
	assert_string_equal(SUGGEST(IN_TCP("10.20.8.12", 1433), IN_TCP("10.9.0.1", 1433)),
	    "a in seen-2 mssql b,gateway 2\n");
	assert_string_equal(
	    SUGGEST(flow("fd00::11", FS_IN, "fd00:5::1", 6, 1433), IN_TCP("10.5.0.1", 1433)),
	    "a in seen-2 mssql 10.5.0.1,fd00:5::1 2\n");
}

static void apart(void **state)
{
	struct suggest_flow f[] = { IN_TCP("10.5.0.1", 445), IN_TCP("10.5.0.2", 3389),
		IN_TCP("10.5.0.3", 8080), IN_TCP("10.1.0.0", 22), IN_TCP("10.5.0.4", 1433) };
	unsigned told = 0, granted = 0;

	(void)state;
	f[2].apart = "hit a guard";
	assert_string_equal(suggest(f, 5, 80), "a in seen-2 mssql 10.5.0.4 1\n");
	for (size_t i = 0; i < 5; i++) {
		told += f[i].apart != NULL;
		granted += f[i].granted;
	}
	assert_int_equal(told, 3);
	assert_int_equal(granted, 1);
}

static void hosts(void **state)
{
	struct suggest_flow guessed = IN_TCP("10.5.0.1", 1433);

	(void)state;
	guessed.middle = true;
	assert_string_equal(suggest(&guessed, 1, 80), "a in seen-2 mssql 10.5.0.1 1 guessed\n");
	assert_string_equal(
	    SUGGEST(flow("10.20.8.40", FS_OUT, "10.5.0.1", 17, 53), IN_TCP("10.5.0.1", 1433),
		flow("10.20.8.12", FS_IN, "10.5.0.1", 6, 1433)),
	    "a in seen-2 mssql 10.5.0.1 1\nb in seen-1 mssql 10.5.0.1 1\n"
	    "host-10-20-8-40 out seen-1 dns 10.5.0.1 1\n");
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/cordon-suggest-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : policytree_write(dir, tree);
}

static int tear_down(void **state)
{
	(void)state;
	policytree_remove(dir, tree);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services),
		cmocka_unit_test(peers),
		cmocka_unit_test(apart),
		cmocka_unit_test(hosts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
