/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: large reloads in pieces: blocks between them, death between them, the end */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "nft/private.h"
#include "nftlab.h"

/* ---- rulesets ---- */

static uint32_t value_map(struct rs_builder *b, const char *name)
{
	return rsb_set(b, name, &(struct rs_set){ .key = { RS_T_IP4, RS_T_PORT }, .nkeys = 2,
		.map = RS_MAP_VALUE });
}

static void fill_map(struct rs_builder *b, uint32_t map, unsigned n, uint32_t value)
{
	for (unsigned i = 0; i < n; i++) {
		const uint8_t key[8] = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i, 0, 80 };

		rsb_elem(b, map, key, NULL, RS_CONTINUE, value, "h/in/http");
	}
}

/* A map asked by the output chain, a set of single addresses and one of intervals that
 * each hold `allowed`; what is in none of them is dropped: ports of 127/8. */
static struct ruleset *ruleset(uint32_t generation, unsigned n, uint32_t value,
    const char *allowed)
{
	struct rs_builder *b = rsb_new();
	uint32_t in = value_map(b, "in4"), out;
	uint32_t block = rsb_set(b, "block4", &(struct rs_set){ .key = { RS_T_IP4 },
	    .nkeys = 1, .size = 100, .timeout = true, .keep = true });
	uint32_t one = rsb_set(b, "one4", &(struct rs_set){ .key = { RS_T_IP4 }, .nkeys = 1 });
	uint32_t nets = rsb_set(b, "nets4", &(struct rs_set){ .key = { RS_T_IP4 },
	    .nkeys = 1, .interval = true });
	const uint8_t key[2] = { RS_IP_DADDR, RS_TH_DPORT };
	struct rs_op op = { .nfields = 1, .field = { RS_IP_DADDR } },
		     go = { .code = RS_OP_GO, .go = RS_DROP };
	struct ruleset *rs;
	uint8_t a[4];

	out = rsb_chain(b, "out", &(struct rs_chain){ .hook = RS_HOOK_OUTPUT });
	rsb_rule(b, out, "");
	op.code = RS_OP_LOOKUP;
	op.set = block;
	rsb_op(b, &op);
	rsb_op(b, &go);
	rsb_rule(b, out, "");
	op.negate = true;
	op.set = one;
	rsb_op(b, &op);
	op.set = nets;
	rsb_op(b, &op);
	rsb_op(b, &go);
	rsb_rule(b, out, "");
	op = (struct rs_op){ .code = RS_OP_MAP, .set = in, .nfields = 2 };
	memcpy(op.field, key, sizeof(key));
	rsb_op(b, &op);
	rsb_op(b, &go);
	fill_map(b, in, n, value);
	inet_pton(AF_INET, allowed, a);
	for (unsigned i = 0; i < 3000; i++) {
		const uint8_t lo[4] = { 127, value & 1 ? 1 : 2, (uint8_t)(i >> 7),
			(uint8_t)(i << 1) };

		rsb_elem(b, one, lo, NULL, RS_CONTINUE, RS_NONE, "");
		rsb_elem(b, nets, lo, lo, RS_CONTINUE, RS_NONE, "");
	}
	rsb_elem(b, one, a, NULL, RS_CONTINUE, RS_NONE, "");
	rsb_elem(b, nets, a, a, RS_CONTINUE, RS_NONE, "");
	rs = rsb_finish(b);
	rsb_free(b);
	assert_non_null(rs);
	rs->generation = generation;
	assert_true(ruleset_valid(rs, rs->size));
	return rs;
}

/* As on a kernel before 6.9, where a table can't be owned and persist. */
static bool plain;

static struct nft *opened(void)
{
	struct nft *n = nft_open();

	assert_non_null(n);
	n->can_own = n->can_own && !plain;
	return n;
}

static void apply(struct nft *n, const struct ruleset *rs)
{
	struct nft_error err;

	if (nft_apply(n, NULL, rs, "", false, &err, NULL) == -1)
		fail_msg("%s: %s %s", strerror(err.err), err.object, err.name);
}

/* The names that a reload gave sets, back as the policy has them. */
static char *listed(void)
{
	char *text = lab_output(LAB_LIST " | sed -E 's/\\<(in4|one4|nets4)_B\\>/\\1/g' | "
		"awk '{ line = line $0 \"|\" } /^(table|\t?\\})/ { print line; line = \"\" }' | "
		"sort");

	assert_non_null(text);
	return text;
}

static bool passes(const char *to)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9) };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	bool ok;

	inet_pton(AF_INET, to, &a.sin_addr);
	ok = sendto(s, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1;
	close(s);
	return ok;
}

/* ---- what happens between the pieces ---- */

struct between {
	struct nft *n;
	unsigned calls, die_at; /* 0: never */
	unsigned old, new, mixed;
};

static void block(struct between *w)
{
	const uint8_t key[4] = { 198, 51, (uint8_t)(w->calls >> 8), (uint8_t)w->calls };
	int r = nft_elem_add(w->n, "block4", key, sizeof(key), 600);

	if (r != 0 && r != -ENFILE && r != -ENOSPC) /* 100 fit */
		fail_msg("block %u: %s", w->calls, strerror(-r));
}

static void unblock(struct nft *n, unsigned calls)
{
	for (unsigned i = 1; i <= calls; i++) {
		const uint8_t key[4] = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i };

		int r = nft_elem_del(n, "block4", key, sizeof(key));

		if (r != 0 && r != -ENOENT) /* no more than 100 fit */
			fail_msg("unblock %u: %s", i, strerror(-r));
	}
}

static void breathe(void *arg)
{
	struct between *w = arg;
	bool before = passes("127.0.0.11"), after = passes("127.0.0.12");

	w->calls++;
	if (w->calls == w->die_at)
		_exit(0);
	w->old += before && !after;
	w->new += !before && after;
	w->mixed += before == after;
	block(w);
}

static struct ruleset *reload(struct between *w, const struct ruleset *old,
    const struct ruleset *rs, struct nft_stats *st)
{
	struct ruleset *made = NULL;
	struct nft_rest *rest;
	struct nft_error err;
	struct nft_stats after;

	if (nft_reload(w->n, old, rs, "", breathe, w, &made, &rest, &err, st) == -1)
		fail_msg("%s: %s", strerror(err.err), err.object);
	nft_reload_rest(rest, &after);
	st->pieces += after.pieces;
	if (made != NULL)
		assert_true(ruleset_valid(made, made->size));
	return made;
}

static void count_block(void *arg, const void *key, size_t len, uint32_t left)
{
	(void)key;
	(void)len;
	assert_true(left > 0);
	++*(unsigned *)arg;
}

/* ---- tests ---- */

/* Old and new one after the other in the kernel, each as a fresh load of it would be. */
static void pieces(void)
{
	struct ruleset *a = ruleset(1, 6000, 0x80000011, "127.0.0.11"),
		       *b = ruleset(2, 9000, 0x80000012, "127.0.0.12"), *now = a;
	struct between w = { .n = opened() };
	struct nft_stats st;
	unsigned blocks = 0;
	char *want[2], *got;

	apply(w.n, a);
	want[0] = listed();
	apply(w.n, b);
	want[1] = listed();
	apply(w.n, a);
	for (int round = 1; round <= 4; round++) {
		struct ruleset *made;

		w.calls = w.old = w.new = w.mixed = 0;
		made = reload(&w, now, round % 2 ? b : a, &st);
		assert_true(st.pieces > 10);
		assert_true(w.calls >= st.pieces);
		/* a packet saw one policy or the other, and both were seen */
		assert_int_equal(w.mixed, 0);
		assert_true(w.old > 0 && w.new > 0);
		if (now != a && now != b)
			free(now);
		now = made != NULL ? made : round % 2 ? b : a;
		blocks = 0;
		assert_int_equal(nft_elems(w.n, "block4", count_block, &blocks), 0);
		assert_true(blocks > 10);
		unblock(w.n, w.calls);
		got = listed();
		lab_same(got, want[round % 2]);
		free(got);
	}
	if (now != a && now != b)
		free(now);
	free(want[0]);
	free(want[1]);
	assert_int_equal(nft_delete(w.n), 0);
	nft_close(w.n);
	free(a);
	free(b);
}

static void test_pieces(void **state)
{
	(void)state;
	LAB();
	pieces();
	plain = true;
	pieces();
	plain = false;
}

/* Dies in breath `at`.  What is left: old in force before the switch, new behind it, and
 * the next one, who knows nothing, makes it whole. */
static void death(unsigned at)
{
	struct ruleset *a = ruleset(1, 6000, 0x80000011, "127.0.0.11"),
		       *b = ruleset(2, 9000, 0x80000012, "127.0.0.12");
	struct between w = { .die_at = at };
	pid_t pid = fork();
	struct nft *n;
	char *got, *want;
	int status;

	if (pid == 0) {
		struct nft_stats st;

		w.n = opened();
		apply(w.n, a);
		free(reload(&w, a, b, &st));
		_exit(1); /* it had fewer pieces than that */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(passes("127.0.0.11") != passes("127.0.0.12"));
	n = opened();
	apply(n, a);
	unblock(n, at); /* these stayed, too */
	got = listed();
	assert_int_equal(nft_delete(n), 0);
	apply(n, a);
	want = listed();
	lab_same(got, want);
	free(got);
	free(want);
	assert_int_equal(nft_delete(n), 0);
	nft_close(n);
	free(a);
	free(b);
}

static void test_death(void **state)
{
	static const unsigned at[] = { 1, 6, 8, 12, 17 };

	(void)state;
	LAB();
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		death(at[i]);
}

/* A reload that failed half way leaves sets; the next one takes them away. */
static void test_swept(void **state)
{
	struct ruleset *a = ruleset(1, 6000, 0x80000011, "127.0.0.11"),
		       *b = ruleset(2, 9000, 0x80000012, "127.0.0.12"), *made;
	struct between w = { 0 };
	struct nft_rest *rest = NULL;
	struct nft_stats st;
	char *got;

	(void)state;
	LAB();
	plain = true; /* another hand can add to it */
	w.n = opened();
	apply(w.n, a);
	assert_int_equal(system("nft add set inet cordon in4_B '{ type ipv4_addr; }'"), 0);
	/* a generation that is not ours: the whole table is looked at */
	made = NULL;
	assert_int_equal(nft_reload(w.n, a, b, "", breathe, &w, &made, &rest,
		&(struct nft_error){ 0 }, &st), -1);
	assert_null(made);
	assert_null(rest);
	assert_true(passes("127.0.0.11"));
	apply(w.n, a);
	free(reload(&w, a, b, &st));
	got = lab_list();
	assert_non_null(strstr(got, "in4_B"));
	assert_null(strstr(got, "map in4 "));
	free(got);
	assert_int_equal(nft_delete(w.n), 0);
	nft_close(w.n);
	plain = false;
	free(a);
	free(b);
}

/* A small change is one transaction, in place, and only that change. */
static void test_small(void **state)
{
	struct ruleset *a = ruleset(1, 6000, 0x80000011, "127.0.0.11"),
		       *b = ruleset(2, 6001, 0x80000011, "127.0.0.11"), *made;
	struct between w = { 0 };
	struct nft_stats st;

	(void)state;
	LAB();
	w.n = opened();
	apply(w.n, a);
	made = reload(&w, a, b, &st);
	assert_int_equal(st.pieces, 0);
	assert_int_equal(st.elements_added, 1);
	assert_int_equal(st.elements_deleted, 0);
	assert_int_equal(st.rules, 0);
	assert_int_equal(st.sets_added + st.chains_added + st.sets_deleted, 0);
	assert_int_equal(nft_delete(w.n), 0);
	nft_close(w.n);
	free(made);
	free(a);
	free(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_death),
		cmocka_unit_test(test_swept),
		cmocka_unit_test(test_small),
	};

	lab_enter();
	if (lab_why == NULL && system("ip link set lo up") != 0)
		lab_why = "the namespace has no loopback";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
