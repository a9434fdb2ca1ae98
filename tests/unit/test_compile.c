/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the compiler: deterministic, shared by content, valid, bounded */
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

static struct fs *fleet(unsigned hosts, const char *sources, bool swapped)
{
	struct fs_builder *b = fsb_new();
	struct fs *fs;

	for (unsigned i = 0; i < hosts; i++) {
		char name[32], address[64], id[2][64];
		uint32_t h;

		snprintf(name, sizeof(name), "h%u", i);
		snprintf(address, sizeof(address), "10.20.%u.%u fd00::%x", i / 200, i % 200 + 1,
		    i + 1);
		h = ft_host(b, name, address, true, FS_ENFORCE);
		snprintf(id[0], sizeof(id[0]), "%s/in/rpc", name);
		snprintf(id[1], sizeof(id[1]), "%s/in/smb", name);
		for (int k = 0; k < 2; k++) {
			struct ft_rule r = { .id = id[k ^ swapped], .proto = 6,
				.peers = sources };

			r.lo = (k ^ swapped) == 0 ? 49152 : 445;
			r.hi = (k ^ swapped) == 0 ? 65535 : 445;
			r.grants = (k ^ swapped) == 0 ? 0 : FS_SMB;
			ft_rule(b, h, r);
		}
	}
	fs = fsb_finish(b);
	fsb_free(b);
	assert_non_null(fs);
	return fs;
}

static struct ruleset *compiled(const struct fs *fs)
{
	struct compile_opts o = { .at = 1800000000, .log_group = 2008 };
	struct ruleset *rs;

	assert_int_equal(rules_compile(fs, &o, NULL, &rs), 0);
	assert_true(ruleset_valid(rs, rs->size));
	return rs;
}

static void same_policy_same_bytes(void **state)
{
	struct fs *a = fleet(20, "10.1.0.0/16 fd00:1::/32 10.30.0.7", false);
	struct fs *b = fleet(20, "10.1.0.0/16 fd00:1::/32 10.30.0.7", false);
	struct ruleset *x = compiled(a), *y = compiled(b);

	(void)state;
	assert_int_equal(x->size, y->size);
	assert_memory_equal(x, y, x->size);
	free(a);
	free(b);
	free(x);
	free(y);
}

static void order_of_rules_does_not_show(void **state)
{
	char *text[2];
	size_t len[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fs *fs = fleet(3, "10.1.0.0/16", i == 1);
		struct ruleset *rs = compiled(fs);
		FILE *f = open_memstream(&text[i], &len[i]);

		memset(rs->digest, 0, sizeof(rs->digest));
		assert_int_equal(emit_nft(rs, f), 0);
		fclose(f);
		free(fs);
		free(rs);
	}
	assert_string_equal(text[0], text[1]);
	free(text[0]);
	free(text[1]);
}

/* Equal lists of sources are one chain, however many hosts use them. */
static void equal_lists_are_shared(void **state)
{
	struct fs *few = fleet(2, "10.1.0.0/16 10.40.0.0/14", false);
	struct fs *many = fleet(300, "10.1.0.0/16 10.40.0.0/14", false);
	struct ruleset *x = compiled(few), *y = compiled(many);

	(void)state;
	assert_int_equal(x->table[RS_CHAINS].count, y->table[RS_CHAINS].count);
	assert_int_equal(x->table[RS_SETS].count, y->table[RS_SETS].count);
	assert_true(y->table[RS_ELEMS].count > 300);
	free(few);
	free(many);
	free(x);
	free(y);
}

/* A host with one rule for RDP and one for SMB. */
static struct ruleset *of_requirements(uint8_t rdp, uint8_t smb, int64_t expires)
{
	struct fs_builder *b = fsb_new();
	uint32_t h = ft_host(b, "h", "10.20.8.11", true, FS_ENFORCE);
	struct ruleset *rs;
	struct fs *fs;

	ft_rule(b, h, (struct ft_rule){ .id = "h/in/rdp", .proto = IPPROTO_TCP, .lo = 3389,
		.grants = FS_RDP, .require = rdp, .peers = "10.1.0.5", .expires = expires });
	ft_rule(b, h, (struct ft_rule){ .id = "h/in/smb", .proto = IPPROTO_TCP, .lo = 445,
		.grants = FS_SMB, .require = smb, .peers = "10.1.0.5", .expires = expires });
	fs = fsb_finish(b);
	assert_non_null(fs);
	fsb_free(b);
	rs = compiled(fs);
	free(fs);
	return rs;
}

static bool has_chain(const struct ruleset *rs, const char *name)
{
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++)
		if (strcmp(rs_str(rs, rs_chain(rs, i)->name), name) == 0)
			return true;
	return false;
}

/* Gates cost nothing where nothing is required, and stay within the documented bits. */
static void gates_where_required(void **state)
{
	static const struct {
		uint8_t rdp, smb;
		int64_t expires;
		bool gate, nla, smb_gate;
	} v[] = {
		{ 0, 0, 0, false, false, false },
		{ FS_REQ_NLA, 0, 0, true, true, false },
		{ 0, FS_REQ_SMB2, 0, true, false, true },
		{ 0, FS_REQ_SIGNING, 0, true, false, true },
		{ FS_REQ_NLA, FS_REQ_SMB2 | FS_REQ_SIGNING, 0, true, true, true },
		{ FS_REQ_NLA, FS_REQ_SMB2, 1700000000, false, false, false }, /* over */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct ruleset *rs = of_requirements(v[i].rdp, v[i].smb, v[i].expires);

		assert_int_equal(has_chain(rs, "gate"), v[i].gate);
		assert_int_equal(has_chain(rs, "nla_request"), v[i].nla);
		assert_int_equal(has_chain(rs, "smb1_request"), v[i].smb_gate);
		for (uint32_t k = 0; k < rs->table[RS_OPS].count; k++) {
			const struct rs_op *op = RS_AT(rs, RS_OPS, struct rs_op, k);

			if (op->code == RS_OP_CT_LABEL || op->code == RS_OP_SET_LABEL)
				assert_in_range(op->arg, v[i].gate ? 64 : 112, 127);
		}
		free(rs);
	}
}

static void damaged_rulesets_are_refused_or_safe(void **state)
{
	struct fs *fs = fleet(3, "10.1.0.0/16 10.30.0.7", false);
	struct ruleset *rs = compiled(fs);
	uint8_t *copy = malloc(rs->size);
	unsigned seed = (unsigned)time(NULL), accepted = 0;
	FILE *null = fopen("/dev/null", "w");

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 3000; round++) {
		memcpy(copy, rs, rs->size);
		copy[(size_t)rand() % rs->size] = (uint8_t)rand();
		if (!ruleset_valid(copy, rs->size))
			continue;
		accepted++;
		emit_nft((const struct ruleset *)(void *)copy, null);
	}
	print_message("%u of 3000 accepted\n", accepted);
	fclose(null);
	free(copy);
	free(rs);
	free(fs);
}

static void loops_are_refused(void **state)
{
	struct rs_builder *b = rsb_new();
	uint32_t one = rsb_chain(b, "one", NULL), two = rsb_chain(b, "two", NULL);
	struct rs_op go;
	struct ruleset *rs;

	(void)state;
	memset(&go, 0, sizeof(go));
	go.code = RS_OP_GO;
	go.go = RS_GOTO;
	go.set = RS_NONE;
	go.chain = two;
	rsb_rule(b, one, "");
	rsb_op(b, &go);
	rs = rsb_finish(b);
	assert_true(ruleset_valid(rs, rs->size));
	free(rs);
	rsb_free(b);

	b = rsb_new();
	one = rsb_chain(b, "one", NULL);
	two = rsb_chain(b, "two", NULL);
	rsb_rule(b, one, "");
	rsb_op(b, &go);
	go.chain = one;
	rsb_rule(b, two, "");
	rsb_op(b, &go);
	rs = rsb_finish(b);
	assert_false(ruleset_valid(rs, rs->size));
	free(rs);
	rsb_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_policy_same_bytes),
		cmocka_unit_test(order_of_rules_does_not_show),
		cmocka_unit_test(equal_lists_are_shared),
		cmocka_unit_test(gates_where_required),
		cmocka_unit_test(damaged_rulesets_are_refused_or_safe),
		cmocka_unit_test(loops_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
