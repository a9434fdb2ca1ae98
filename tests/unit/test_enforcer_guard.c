/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what may never be blocked, ttl bounds, budgets, the sets of blocks */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cordon/flowspace.h>

#include "enforcer/blocks.h"
#include "enforcer/guard.h"

#define SECOND UINT64_C(1000000)

static struct netrange range_of(const char *s)
{
	struct netrange r;

	assert_int_equal(netrange_parse(s, &r, NULL), 0);
	return r;
}

static struct fs_span ranges_of(struct fs_builder *b, const char *one, const char *two)
{
	struct netrange r[2] = { range_of(one), range_of(two) };

	return fsb_ranges(b, r, 2);
}

/* L: 10.20.8.11, fd00:20:8::11.  P: 10.20.8.0/24. */
static struct fs *policy(enum fs_scope scope)
{
	struct fs_builder *b = fsb_new();
	struct fs_host host = { .name = fsb_str(b, "erp"), .declared = true };
	struct fs_host net = { .name = fsb_str(b, "10.20.8.0/24") };
	struct netrange p = range_of("10.20.8.0/24");
	struct fs_settings *s;
	struct fs *fs;

	host.addresses = ranges_of(b, "10.20.8.11", "fd00:20:8::11");
	net.addresses = fsb_ranges(b, &p, 1);
	fsb_add(b, FS_HOSTS, &host);
	fsb_add(b, FS_HOSTS, &net);
	s = fsb_settings(b);
	s->addresses = ranges_of(b, "10.20.8.1", "fd00:20:8::1");
	s = fsb_settings(b);
	s->management = ranges_of(b, "10.1.0.0/24", "fd00:1::/64");
	s = fsb_settings(b);
	s->never = ranges_of(b, "10.9.9.9", "2001:db8:5::53");
	s = fsb_settings(b);
	s->block_scope = (uint8_t)scope;
	s->block_ttl_s = 3600;
	fs = fsb_finish(b);
	fsb_free(b);
	assert_non_null(fs);
	return fs;
}

static struct msg_block block(const char *addr, enum block_origin origin, uint32_t ttl_s)
{
	struct msg_block b = { .origin = (uint8_t)origin, .ttl_s = ttl_s };

	assert_int_equal(netaddr_parse(addr, &b.addr), 0);
	b.prefixlen = b.addr.v == 4 ? 32 : 128;
	return b;
}

static enum msg_code ask(const struct fs *fs, struct msg_block b)
{
	struct guard_state g;

	guard_init(&g);
	return guard_block(&g, fs, SECOND, &b);
}

static void test_never(void **state)
{
	static const char *const never[] = { "10.20.8.1", "fd00:20:8::1", "10.1.0.77",
		"fd00:1::5", "10.9.9.9", "2001:db8:5::53", "10.20.8.11", "10.20.8.200",
		"fd00:20:8::11" };
	struct fs *fs = policy(FS_SCOPE_LEGACY);

	(void)state;
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
		assert_int_equal(ask(fs, block(never[i], BLOCK_AUTO, 60)), MSG_E_NEVER);
		/* an operator neither, without saying that it is a quarantine */
		assert_int_equal(ask(fs, block(never[i], BLOCK_OPERATOR, 60)), MSG_E_NEVER);
	}
	assert_int_equal(ask(fs, block("203.0.113.9", BLOCK_AUTO, 60)), MSG_OK);
	assert_int_equal(ask(fs, block("2001:db8:6::1", BLOCK_AUTO, 60)), MSG_OK);
	free(fs);
}

static void test_own_addresses(void **state)
{
	struct fs *fs = policy(FS_SCOPE_LEGACY);
	struct netrange own = range_of("198.51.100.1");
	struct msg_block b = block("198.51.100.1", BLOCK_AUTO, 60);
	struct guard_state g;

	(void)state;
	guard_init(&g);
	assert_int_equal(guard_block(&g, fs, 1, &b), MSG_OK);
	g.local = &own;
	g.nlocal = 1;
	assert_int_equal(guard_block(&g, fs, 1, &b), MSG_E_NEVER);
	free(fs);
}

static void test_no_source(void **state)
{
	static const char *const none[] = { "0.0.0.0", "127.0.0.1", "224.0.0.1",
		"255.255.255.255", "::", "::1", "ff02::1" };
	struct fs *fs = policy(FS_SCOPE_LEGACY);

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_int_equal(ask(fs, block(none[i], BLOCK_OPERATOR, 60)), MSG_E_INVALID);
	free(fs);
}

static void test_ttl(void **state)
{
	static const struct {
		enum block_origin origin;
		uint32_t ttl_s;
		enum msg_code code;
	} row[] = {
		{ BLOCK_AUTO, 0, MSG_E_INVALID }, { BLOCK_AUTO, 9, MSG_E_INVALID },
		{ BLOCK_AUTO, 10, MSG_OK }, { BLOCK_AUTO, 86400, MSG_OK },
		{ BLOCK_AUTO, 86401, MSG_E_INVALID }, { BLOCK_OPERATOR, 0, MSG_OK },
		{ BLOCK_OPERATOR, 1, MSG_OK }, { BLOCK_OPERATOR, 30 * 86400, MSG_OK },
		{ BLOCK_OPERATOR, 30 * 86400 + 1, MSG_E_INVALID },
		{ BLOCK_OPERATOR, UINT32_MAX, MSG_E_INVALID },
	};
	struct fs *fs = policy(FS_SCOPE_LEGACY);

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++)
		assert_int_equal(ask(fs, block("203.0.113.9", row[i].origin, row[i].ttl_s)),
		    row[i].code);
	free(fs);
}

static void test_scope(void **state)
{
	struct fs *legacy = policy(FS_SCOPE_LEGACY), *all = policy(FS_SCOPE_ALL);
	struct msg_block b = block("203.0.113.9", BLOCK_AUTO, 60);

	(void)state;
	b.scope = FS_SCOPE_ALL;
	assert_int_equal(ask(legacy, b), MSG_E_INVALID);
	assert_int_equal(ask(all, b), MSG_OK);
	b.origin = BLOCK_OPERATOR;
	assert_int_equal(ask(legacy, b), MSG_OK);
	free(legacy);
	free(all);
}

static void test_quarantine(void **state)
{
	struct fs *fs = policy(FS_SCOPE_LEGACY);
	struct msg_block b = block("10.20.8.11", BLOCK_OPERATOR, 0);

	(void)state;
	b.legacy = true;
	assert_int_equal(ask(fs, b), MSG_OK);
	b.origin = BLOCK_AUTO;
	b.ttl_s = 60;
	assert_int_equal(ask(fs, b), MSG_E_INVALID); /* never by itself */
	b = block("203.0.113.9", BLOCK_OPERATOR, 0);
	b.legacy = true;
	assert_int_equal(ask(fs, b), MSG_E_INVALID); /* no legacy host */
	b = block("10.20.8.1", BLOCK_OPERATOR, 0);
	b.legacy = true;
	assert_int_equal(ask(fs, b), MSG_E_NEVER); /* the gateway */
	free(fs);
}

/* The /64 around an address that may not be blocked is not blocked whole. */
static void test_narrowing(void **state)
{
	static const struct {
		const char *addr;
		uint8_t prefixlen;
		enum msg_code code;
	} row[] = {
		{ "2001:db8:6::1", 64, MSG_OK },
		{ "2001:db8:5::99", 128, MSG_OK }, /* beside the one of `never` */
		{ "2001:db8:5::53", 0, MSG_E_NEVER },
		{ "fd00:20:8::66", 128, MSG_OK }, /* beside a legacy host */
		{ "fe80::1", 128, MSG_OK },
	};
	struct fs *fs = policy(FS_SCOPE_LEGACY);

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		struct msg_block b = block(row[i].addr, BLOCK_AUTO, 60);
		struct guard_state g;

		guard_init(&g);
		b.prefixlen = 64;
		assert_int_equal(guard_block(&g, fs, 1, &b), row[i].code);
		if (row[i].code == MSG_OK)
			assert_int_equal(b.prefixlen, row[i].prefixlen);
		else
			assert_int_equal(b.prefixlen, 64); /* untouched */
	}
	free(fs);
}

static unsigned spend(struct guard_state *g, const struct fs *fs, uint64_t at_us,
    enum block_origin origin, unsigned asked)
{
	struct msg_block b = block("203.0.113.9", origin, 60);
	unsigned got = 0;

	for (unsigned i = 0; i < asked; i++)
		got += guard_block(g, fs, at_us, &b) == MSG_OK;
	return got;
}

static void test_budget(void **state)
{
	struct fs *fs = policy(FS_SCOPE_LEGACY);
	struct guard_state g;

	(void)state;
	guard_init(&g);
	assert_int_equal(spend(&g, fs, SECOND, BLOCK_AUTO, 5000), GUARD_AUTO_BURST);
	assert_int_equal(spend(&g, fs, SECOND, BLOCK_AUTO, 5), 0);
	/* an operator's budget is his own */
	assert_int_equal(spend(&g, fs, SECOND, BLOCK_OPERATOR, 5), 5);
	assert_int_equal(spend(&g, fs, 2 * SECOND, BLOCK_AUTO, 5000), GUARD_AUTO_RATE);
	/* called every 100 us, it still refills at its rate */
	for (uint64_t us = 2 * SECOND; us < 3 * SECOND; us += 100)
		spend(&g, fs, us, BLOCK_AUTO, 0);
	assert_int_equal(spend(&g, fs, 3 * SECOND, BLOCK_AUTO, 5000), GUARD_AUTO_RATE);
	/* never more than the burst, nor backwards */
	assert_int_equal(spend(&g, fs, SECOND, BLOCK_AUTO, 10), 0);
	assert_int_equal(spend(&g, fs, 100000 * SECOND, BLOCK_AUTO, 5000),
	    GUARD_AUTO_BURST);
	free(fs);
}

/* What was refused costs nothing. */
static void test_refusals_are_free(void **state)
{
	struct fs *fs = policy(FS_SCOPE_LEGACY);
	struct msg_block b = block("10.9.9.9", BLOCK_AUTO, 60);
	struct guard_state g;

	(void)state;
	guard_init(&g);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(guard_block(&g, fs, SECOND, &b), MSG_E_NEVER);
	assert_int_equal(spend(&g, fs, SECOND, BLOCK_AUTO, 1), 1);
	free(fs);
}

static void test_sets(void **state)
{
	static const struct {
		const char *addr, *set;
		uint8_t prefixlen, scope;
		bool legacy;
	} row[] = {
		{ "203.0.113.9", "block4", 32, FS_SCOPE_LEGACY, false },
		{ "2001:db8::9", "block6", 128, FS_SCOPE_LEGACY, false },
		{ "2001:db8::9", "block6net", 64, FS_SCOPE_LEGACY, false },
		{ "203.0.113.9", "blockall4", 32, FS_SCOPE_ALL, false },
		{ "2001:db8::9", "blockall6", 128, FS_SCOPE_ALL, false },
		{ "2001:db8::9", "blockall6net", 64, FS_SCOPE_ALL, false },
		{ "10.20.8.11", "quarantine4", 32, FS_SCOPE_LEGACY, true },
		{ "10.20.8.11", "quarantine4", 32, FS_SCOPE_ALL, true },
		{ "fd00::11", "quarantine6", 128, FS_SCOPE_LEGACY, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		struct msg_block b = block(row[i].addr, BLOCK_OPERATOR, 60);
		uint8_t key[16], low[8] = { 0 };
		const struct block_set *s;

		b.prefixlen = row[i].prefixlen;
		b.scope = row[i].scope;
		b.legacy = row[i].legacy;
		s = block_key(&b, key);
		assert_non_null(s);
		assert_string_equal(s->name, row[i].set);
		assert_memory_equal(key, b.addr.b, row[i].prefixlen / 8);
		if (row[i].prefixlen == 64)
			assert_memory_equal(key + 8, low, 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never), cmocka_unit_test(test_own_addresses),
		cmocka_unit_test(test_no_source), cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_scope), cmocka_unit_test(test_quarantine),
		cmocka_unit_test(test_narrowing), cmocka_unit_test(test_budget),
		cmocka_unit_test(test_refusals_are_free), cmocka_unit_test(test_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
