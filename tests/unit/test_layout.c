/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the table's layout: nothing of a host is a chain, little changes in a reload */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include <cordon/rules.h>
#include <cordon/ruleset.h>

#include "fstest.h"
#include "rules/compile_levels.h"

enum { NOW = 1800000000, DAY = 86400 };

/* A host with lists of its own, port ranges, ends, both families, both directions. */
static void busy_host(struct fs_builder *b, unsigned i)
{
	char name[16], text[64], id[64], list[2][200];
	uint32_t h;

	snprintf(name, sizeof(name), "h%u", i);
	/* none beside another: each is a range of its own */
	snprintf(text, sizeof(text), "10.20.%u.%u fd00::%x", i / 100, i % 100 * 2 + 1,
	    2 * i + 1);
	h = ft_host(b, name, text, true, FS_ENFORCE);
	snprintf(list[0], sizeof(list[0]), "10.1.%u.%u 10.%u.0.0/16 172.16.%u.0/24 fd01:%x::/48",
	    i / 200, i % 200 + 1, i % 200 + 21, i % 250, i + 1);
	snprintf(list[1], sizeof(list[1]), "10.2.%u.%u 192.168.%u.0/24 fd02::%x", i / 200,
	    i % 200 + 1, i % 250, i + 1);
	for (int k = 0; k < 5; k++) {
		const struct ft_rule r[5] = {
			{ .id = id, .proto = 6, .lo = 1433, .peers = list[0] },
			{ .id = id, .proto = 6, .lo = 445, .grants = FS_SMB, .peers = list[1] },
			{ .id = id, .proto = 6, .lo = 49152, .hi = 65535, .peers = list[0],
			    .expires = NOW + DAY * (1 + i % 3) },
			{ .id = id, .proto = 6, .lo = (uint16_t)(8000 + 100 * (i % 3)),
			    .hi = (uint16_t)(8049 + 100 * (i % 3)), .peers = list[1] },
			{ .id = id, .proto = 17, .lo = 514, .dir = FS_OUT, .peers = list[0],
			    .expires = NOW + DAY * (1 + i % 3) },
		};

		snprintf(id, sizeof(id), "%s/%s/r%d", name, k == 4 ? "out" : "in", k);
		ft_rule(b, h, r[k]);
	}
}

static struct ruleset *compiled(struct fs_builder *b, uint32_t generation, int64_t floor)
{
	struct compile_opts o = { .at = NOW, .floor = floor, .generation = generation,
		.log_group = 2008 };
	struct fs *fs = fsb_finish(b);
	struct ruleset *rs = NULL;

	fsb_free(b);
	assert_non_null(fs);
	assert_int_equal(rules_compile(fs, &o, NULL, &rs), 0);
	assert_true(ruleset_valid(rs, rs->size));
	free(fs);
	return rs;
}

static struct ruleset *busy(unsigned hosts, uint32_t generation, int64_t floor)
{
	struct fs_builder *b = fsb_new();

	for (unsigned i = 0; i < hosts; i++)
		busy_host(b, i);
	return compiled(b, generation, floor);
}

/* A commit costs by the number of chains; a new jump, the walk of all that is reached. */
static void chains_do_not_grow_with_hosts(void **state)
{
	struct ruleset *few = busy(4, 1, NOW), *many = busy(500, 1, NOW);

	(void)state;
	assert_int_equal(few->table[RS_CHAINS].count, many->table[RS_CHAINS].count);
	assert_int_equal(few->table[RS_RULES].count, many->table[RS_RULES].count);
	assert_int_equal(few->table[RS_SETS].count, many->table[RS_SETS].count);
	assert_in_range(many->table[RS_CHAINS].count, 1, 250);
	for (uint32_t i = 0; i < many->table[RS_SETS].count; i++)
		assert_int_not_equal(rs_set(many, i)->map, RS_MAP_VERDICT);
	assert_true(many->table[RS_ELEMS].count > 100 * few->table[RS_ELEMS].count);
	free(few);
	free(many);
}

/* All that its rules are, but for what depends on other strings' places. */
static char *chain_bytes(const struct ruleset *rs, const struct rs_chain *c, size_t *len)
{
	char *text;
	FILE *f = open_memstream(&text, len);

	for (uint32_t i = 0; i < c->rules.count; i++) {
		const struct rs_rule *r = RS_AT(rs, RS_RULES, struct rs_rule, c->rules.first + i);

		for (uint32_t o = 0; o < r->ops.count; o++) {
			const struct rs_op *op = RS_AT(rs, RS_OPS, struct rs_op, r->ops.first + o);

			fwrite(op, offsetof(struct rs_op, str), 1, f);
			if (op->code == RS_OP_LOG)
				fputs(rs_str(rs, op->str), f);
			fwrite(op->value, sizeof(op->value), 1, f);
		}
	}
	fclose(f);
	return text;
}

static bool logs(const struct ruleset *rs, const struct rs_chain *c)
{
	const struct rs_rule *r =
	    RS_AT(rs, RS_RULES, struct rs_rule, c->rules.first + c->rules.count - 1);

	if (c->rules.count == 0 || c->rules.count > 2)
		return false;
	for (uint32_t o = 0; o < r->ops.count; o++)
		if (RS_AT(rs, RS_OPS, struct rs_op, r->ops.first + o)->code == RS_OP_LOG)
			return true;
	return false;
}

/* Of a policy that did not change, timed rules and all: the generation in log prefixes,
 * each in a chain of one rule, or behind the jump that counts, and the floor under the clock, in one rule. */
static void a_reload_changes_the_logs_and_the_clock(void **state)
{
	struct ruleset *a = busy(30, 1, NOW), *b = busy(30, 2, NOW + 60);
	unsigned clocks = 0, changed = 0;

	(void)state;
	assert_int_equal(a->table[RS_CHAINS].count, b->table[RS_CHAINS].count);
	assert_int_equal(a->table[RS_ELEMS].count, b->table[RS_ELEMS].count);
	assert_int_equal(a->table[RS_KEYS].count, b->table[RS_KEYS].count);
	assert_memory_equal(rs_table(a, RS_KEYS), rs_table(b, RS_KEYS), a->table[RS_KEYS].count);
	for (uint32_t i = 0; i < a->table[RS_ELEMS].count; i++)
		assert_int_equal(RS_AT(a, RS_ELEMS, struct rs_elem, i)->chain,
		    RS_AT(b, RS_ELEMS, struct rs_elem, i)->chain);
	for (uint32_t i = 0; i < a->table[RS_CHAINS].count; i++) {
		const struct rs_chain *x = rs_chain(a, i), *y = rs_chain(b, i);
		const char *name = rs_str(a, x->name);
		size_t slen, tlen;
		char *s = chain_bytes(a, x, &slen), *t = chain_bytes(b, y, &tlen);

		assert_string_equal(name, rs_str(b, y->name));
		if (slen != tlen || memcmp(s, t, slen) != 0) {
			bool clock = strcmp(name, "clock") == 0;

			if (!clock && !logs(a, x))
				fail_msg("chain %s changes", name);
			clocks += clock;
			changed++;
		}
		free(s);
		free(t);
	}
	assert_int_equal(clocks, 1);
	assert_true(changed > 1);
	free(a);
	free(b);
}

static const struct rs_set *set_named(const struct ruleset *rs, const char *name)
{
	for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++)
		if (strcmp(rs_str(rs, rs_set(rs, i)->name), name) == 0)
			return rs_set(rs, i);
	fail_msg("no set %s", name);
	return NULL;
}

static uint32_t only_value(const struct ruleset *rs, const char *name)
{
	const struct rs_set *s = set_named(rs, name);

	assert_int_equal(s->elems.count, 1);
	return RS_AT(rs, RS_ELEMS, struct rs_elem, s->elems.first)->chain;
}

/* One port, six rules with six ends.  Three are kept apart; the rest end in the kernel
 * with the earliest of them, when the daemon compiles again: never later than they may. */
static void many_ends_of_one_port(void **state)
{
	static const int days[] = { 0, 9, 3, 7, 1, 5 };
	struct fs_builder *b = fsb_new();
	uint32_t h = ft_host(b, "h", "10.20.0.1", true, FS_ENFORCE);
	struct ruleset *rs;

	(void)state;
	for (int i = 0; i < 6; i++) {
		char id[32], peer[32];
		struct ft_rule r = { .id = id, .proto = 6, .lo = 80, .peers = peer };

		snprintf(id, sizeof(id), "h/in/r%d", i);
		snprintf(peer, sizeof(peer), "10.1.0.%d", i + 1);
		r.expires = days[i] == 0 ? 0 : NOW + DAY * days[i];
		ft_rule(b, h, r);
	}
	rs = compiled(b, 1, NOW);
	assert_true(only_value(rs, "inport4") >= 0x80000002);
	assert_int_equal(only_value(rs, "inport4_until1"), NOW + DAY * 9);
	assert_int_equal(only_value(rs, "inport4_until2"), NOW + DAY * 7);
	assert_int_equal(only_value(rs, "inport4_until3"), NOW + DAY * 1);
	/* six single addresses, the last three in one list */
	assert_int_equal(set_named(rs, "peers4_32")->elems.count, 6);
	free(rs);
}

static uint32_t end_in_kernel(int64_t expires)
{
	struct fs_builder *b = fsb_new();
	uint32_t h = ft_host(b, "h", "10.20.0.1", true, FS_ENFORCE), end;
	struct ruleset *rs;

	ft_rule(b, h, (struct ft_rule){ .id = "h/in/r", .proto = 6, .lo = 80,
	    .peers = "10.1.0.1", .expires = expires });
	rs = compiled(b, 1, NOW);
	end = only_value(rs, "inport4_until1");
	free(rs);
	return end;
}

/* Beyond what a number holds it still is a timed rule, which a wrong clock closes. */
static void ends_far_away(void **state)
{
	(void)state;
	assert_int_equal(end_in_kernel(0x7fffffff), 0x7fffffff);
	assert_int_equal(end_in_kernel(0x80000000), 0x7fffffff); /* stands for "over" */
	assert_int_equal(end_in_kernel(0x80000001), 0x80000001);
	assert_int_equal(end_in_kernel(0xfffffffe), 0xfffffffe);
	assert_int_equal(end_in_kernel(0xffffffff), 0xfffffffe);
	assert_int_equal(end_in_kernel(32472144000), 0xfffffffe); /* 2999 */
}

/* Ranges that overlap: what a host's ports have in common is joined, and only that. */
static void overlapping_ranges(void **state)
{
	struct fs_builder *b = fsb_new();
	uint32_t h = ft_host(b, "h", "10.20.0.1", true, FS_ENFORCE);
	struct ruleset *rs;

	(void)state;
	ft_rule(b, h, (struct ft_rule){ .id = "h/in/a", .proto = 6, .lo = 100, .hi = 300,
	    .peers = "10.1.0.1" });
	ft_rule(b, h, (struct ft_rule){ .id = "h/in/b", .proto = 6, .lo = 200, .hi = 400,
	    .peers = "10.1.0.2" });
	ft_rule(b, h, (struct ft_rule){ .id = "h/in/c", .proto = 17, .lo = 100, .hi = 300,
	    .peers = "any" });
	rs = compiled(b, 1, NOW);
	assert_int_equal(set_named(rs, "tcpclass")->elems.count, 3); /* 100- 200- 301- */
	assert_int_equal(set_named(rs, "udpclass")->elems.count, 1);
	assert_int_equal(set_named(rs, "inrange4")->elems.count, 3);
	assert_int_equal(set_named(rs, "peers4_32")->elems.count, 4); /* a, b, and both */
	free(rs);
}

/* However prefixes are spread: each has a level that is as long, elements stay bounded,
 * and the look-ups are few. */
static void levels(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 500; round++) {
		struct levels l;
		uint64_t all = 0, cost = 0;
		unsigned lens = 0, used = 0;

		memset(&l, 0, sizeof(l));
		for (int i = rand() % 20; i >= 0; i--) {
			int len = rand() % PREFIX_LENS;

			l.weight[len] = (uint64_t)(rand() % (round % 3 ? 100 : 100000)) + 1;
		}
		levels_choose(&l);
		for (int len = 0; len < PREFIX_LENS; len++) {
			used += l.used[len];
			if (l.weight[len] == 0)
				continue;
			lens++;
			all += l.weight[len];
			assert_true(l.level[len] >= len && l.used[l.level[len]]);
			assert_true(l.level[len] - len < 40);
			cost += l.weight[len] << (l.level[len] - len);
		}
		assert_true(used >= 1 && used <= lens);
		assert_true(lens > 4 ? cost <= 2 * all + 1024 : cost == all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_do_not_grow_with_hosts),
		cmocka_unit_test(a_reload_changes_the_logs_and_the_clock),
		cmocka_unit_test(many_ends_of_one_port),
		cmocka_unit_test(ends_far_away),
		cmocka_unit_test(overlapping_ranges),
		cmocka_unit_test(levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
