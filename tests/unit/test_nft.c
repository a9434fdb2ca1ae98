/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the table in the kernel: reload, adoption, refusal, dry run, timed elements */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "nft/private.h"
#include "nftlab.h"

enum { LIMIT = 4 };

/* ---- rulesets ---- */

static struct rs_op op_go(enum rs_go go, uint32_t chain)
{
	return (struct rs_op){ .code = RS_OP_GO, .go = (uint8_t)go, .chain = chain };
}

static struct rs_op op_in(uint32_t set, uint8_t field)
{
	return (struct rs_op){ .code = RS_OP_LOOKUP, .set = set, .nfields = 1,
		.field = { field } };
}

static void rule2(struct rs_builder *b, uint32_t chain, const char *comment,
    struct rs_op x, struct rs_op y)
{
	rsb_rule(b, chain, comment);
	rsb_op(b, &x);
	rsb_op(b, &y);
}

static struct ruleset *finish(struct rs_builder *b, uint32_t generation)
{
	struct ruleset *rs = rsb_finish(b);

	rsb_free(b);
	assert_non_null(rs);
	rs->generation = generation;
	memset(rs->digest, (int)(generation & 255), sizeof(rs->digest));
	assert_true(ruleset_valid(rs, rs->size));
	return rs;
}

/* Blocks, allowed ports, a counter on what leaves.  n: how many allowed; bad: what the
 * kernel will refuse. */
enum bad { GOOD, BAD_ELEMENT, BAD_RULE };
static struct ruleset *small(uint32_t generation, unsigned n, enum bad bad)
{
	struct rs_builder *b = rsb_new();
	uint32_t denied = rsb_counter(b, "denied"), out, in, host;
	uint32_t blocks = rsb_set(b, "blocks4", &(struct rs_set){ .key = { RS_T_IP4 },
	    .nkeys = 1, .size = LIMIT, .timeout = true, .keep = true });
	uint32_t nets = rsb_set(b, "netblocks4", &(struct rs_set){ .key = { RS_T_IP4 },
	    .nkeys = 1, .interval = true, .timeout = true, .keep = true });
	uint32_t allow = rsb_set(b, "allow4", &(struct rs_set){ .key = { RS_T_IP4, RS_T_PORT },
	    .nkeys = 2, .map = true, .size = bad == BAD_ELEMENT ? 2 : 0 });

	host = rsb_chain(b, "host", NULL);
	out = rsb_chain(b, "out", &(struct rs_chain){ .hook = RS_HOOK_OUTPUT });
	in = rsb_chain(b, "in", &(struct rs_chain){ .hook = RS_HOOK_INPUT, .drop = true });
	rule2(b, out, "", op_in(blocks, RS_IP_DADDR), op_go(RS_DROP, 0));
	rule2(b, out, "count",
	    (struct rs_op){ .code = RS_OP_CMP, .field = { RS_TH_DPORT }, .len = 2,
		.value = { 0, 9 } },
	    (struct rs_op){ .code = RS_OP_COUNTER, .set = denied });
	if (bad == BAD_RULE)
		rule2(b, out, "db/in/broken",
		    (struct rs_op){ .code = RS_OP_CMP, .field = { RS_FIB_SADDR_OIF }, .len = 4 },
		    op_go(RS_DROP, 0));
	rule2(b, in, "", op_in(nets, RS_IP_SADDR), op_go(RS_DROP, 0));
	rule2(b, host, "db/in/sql", op_in(blocks, RS_IP_SADDR), op_go(RS_ACCEPT, 0));
	for (unsigned i = 0; i < n; i++) {
		uint8_t key[8] = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i, 0, 80 };
		char comment[32];

		snprintf(comment, sizeof(comment), "h%u/in/sql", i);
		rsb_elem(b, allow, key, NULL, generation % 2 != 0 && i % 3 == 0 ? RS_GOTO : RS_ACCEPT,
		    generation % 2 != 0 && i % 3 == 0 ? host : RS_NONE, comment);
	}
	return finish(b, generation);
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

static void apply(struct nft *n, const struct ruleset *old, const struct ruleset *rs,
    struct nft_stats *st)
{
	struct nft_error err;

	if (nft_apply(n, old, rs, "0123abc", false, &err, st) == -1)
		fail_msg("%s: %s %s %s", strerror(err.err), err.object, err.name, err.comment);
}

/* ---- what a packet and an element leave behind ---- */

static void send_udp(const char *to, uint16_t port, int count)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	inet_pton(AF_INET, to, &a.sin_addr);
	while (count-- > 0)
		(void)!sendto(s, "x", 1, 0, (struct sockaddr *)&a, sizeof(a));
	close(s);
}

static void counter_cb(void *arg, const char *name, uint64_t packets, uint64_t bytes)
{
	if (strcmp(name, "denied") == 0) {
		assert_true(bytes >= packets * 28);
		*(uint64_t *)arg = packets;
	}
}

static uint64_t counted(struct nft *n)
{
	uint64_t packets = UINT64_MAX;

	assert_int_equal(nft_counters(n, counter_cb, &packets), 0);
	return packets;
}

struct seen {
	unsigned count;
	uint8_t key[16];
	uint32_t expires_s;
};

static void elem_cb(void *arg, const void *key, size_t key_len, uint32_t expires_s)
{
	struct seen *s = arg;

	s->count++;
	memcpy(s->key, key, key_len < 16 ? key_len : 16);
	s->expires_s = expires_s;
}

static struct seen elements(struct nft *n, const char *set)
{
	struct seen s = { 0 };

	assert_int_equal(nft_elems(n, set, elem_cb, &s), 0);
	return s;
}

static void clean(struct nft *n)
{
	assert_int_equal(nft_delete(n), 0);
	nft_close(n);
}

/* ---- tests ---- */

static void test_reload(void **state)
{
	struct ruleset *a = small(1, 100, GOOD), *b = small(2, 101, GOOD),
		       *c = small(4, 101, GOOD);
	struct nft_stats st;
	struct nft *n;
	uint64_t before;

	(void)state;
	LAB();
	n = opened();
	apply(n, NULL, a, &st);
	assert_int_equal(nft_is_applied(n, 1, a->digest), 1);
	assert_int_equal(nft_is_applied(n, 2, b->digest), 0);
	assert_int_equal(nft_elem_add(n, "blocks4", "\x7f\0\0\x05", 4, 3600), 0);
	send_udp("127.0.0.1", 9, 3);
	send_udp("127.0.0.5", 9, 3); /* blocked before it is counted */
	before = counted(n);
	assert_int_equal(before, 3);

	apply(n, a, b, &st);
	assert_int_equal(st.chains_added + st.chains_deleted + st.sets_added + st.rules, 0);
	assert_int_equal(st.elements_deleted, 34); /* those that went to `host` */
	assert_int_equal(st.elements_added, 35);
	assert_int_equal(nft_is_applied(n, 2, b->digest), 1);
	assert_int_equal(counted(n), before);
	assert_int_equal(elements(n, "blocks4").count, 1);
	assert_true(elements(n, "blocks4").expires_s > 3590);

	apply(n, b, c, &st); /* only the mark */
	assert_int_equal(st.elements_deleted + st.elements_added + st.rules, 0);
	assert_int_equal(st.messages, 3);
	clean(n);
	free(a);
	free(b);
	free(c);
}

static void test_elements(void **state)
{
	struct ruleset *a = small(1, 1, GOOD);
	struct seen s;
	struct nft *n;

	(void)state;
	LAB();
	n = opened();
	apply(n, NULL, a, NULL);
	assert_int_equal(nft_elem_del(n, "blocks4", "\1\2\3\4", 4), -ENOENT);
	assert_int_equal(nft_elem_add(n, "nowhere", "\1\2\3\4", 4, 60), -ENOENT);
	assert_int_equal(nft_elem_add(n, "blocks4", "\1\2\3\4", 3, 60), -EINVAL);
	assert_int_equal(nft_elem_add(n, "blocks4", "\1\2\3\4", 4, 60), 0);
	assert_int_equal(nft_elem_add(n, "blocks4", "\1\2\3\4", 4, 7200), 0);
	s = elements(n, "blocks4");
	assert_int_equal(s.count, 1);
	assert_true(s.expires_s > 7190 && s.expires_s <= 7200);
	assert_int_equal(nft_elem_add(n, "blocks4", "\1\2\3\4", 4, 0), 0);
	assert_int_equal(elements(n, "blocks4").expires_s, 0);
	for (uint8_t i = 1; i < LIMIT; i++)
		assert_int_equal(nft_elem_add(n, "blocks4", &(uint8_t[4]){ i, 9, 9, 9 }, 4, 60), 0);
	assert_int_equal(nft_elem_add(n, "blocks4", "\5\5\5\5", 4, 60), -ENFILE);
	assert_int_equal(nft_elem_del(n, "blocks4", "\1\2\3\4", 4), 0);
	assert_int_equal(elements(n, "blocks4").count, LIMIT - 1);

	/* intervals: first and last */
	assert_int_equal(nft_elem_add(n, "netblocks4", "\12\1\0\0\12\1\377\377", 8, 60), 0);
	s = elements(n, "netblocks4");
	assert_int_equal(s.count, 1);
	assert_memory_equal(s.key, "\12\1\0\0\12\1\377\377", 8);
	assert_int_equal(nft_elem_del(n, "netblocks4", "\12\1\0\0\12\1\377\377", 8), 0);
	assert_int_equal(elements(n, "netblocks4").count, 0);
	clean(n);
	free(a);
}

/* Blocks, and which packets were logged, as packets leave it behind. */
static struct ruleset *logging(uint32_t generation)
{
	struct rs_builder *b = rsb_new();
	uint32_t out = rsb_chain(b, "out", &(struct rs_chain){ .hook = RS_HOOK_OUTPUT });
	uint32_t logged = rsb_set(b, "logged4", &(struct rs_set){ .key = { RS_T_IP4 },
	    .nkeys = 1, .size = 100, .dynamic = true, .timeout = true, .timeout_s = 60,
	    .keep = true });

	rsb_set(b, "blocks4", &(struct rs_set){ .key = { RS_T_IP4 }, .nkeys = 1,
	    .size = LIMIT, .timeout = true, .keep = true });
	rsb_rule(b, out, "");
	rsb_op(b, &(struct rs_op){ .code = RS_OP_UPDATE, .set = logged, .nfields = 1,
	    .field = { RS_IP_DADDR } });
	return finish(b, generation);
}

/* What was logged is forgotten when asked for, and only then; blocks are not. */
static void test_forget(void **state)
{
	struct ruleset *a = logging(1), *b = logging(2), *none = small(3, 1, GOOD);
	struct nft *n;

	(void)state;
	LAB();
	n = opened();
	apply(n, NULL, a, NULL);
	assert_int_equal(nft_elem_add(n, "blocks4", "\1\2\3\4", 4, 60), 0);
	send_udp("127.0.0.1", 9, 1);
	apply(n, a, b, NULL);
	assert_int_equal(elements(n, "logged4").count, 1);
	assert_int_equal(nft_forget(n, b), 0);
	assert_int_equal(elements(n, "logged4").count, 0);
	assert_int_equal(elements(n, "blocks4").count, 1);
	send_udp("127.0.0.1", 9, 1);
	assert_int_equal(elements(n, "logged4").count, 1);
	apply(n, b, a, NULL); /* what is there is still known */
	assert_int_equal(elements(n, "blocks4").count, 1);
	apply(n, a, none, NULL);
	assert_int_equal(nft_forget(n, none), 0);
	assert_int_equal(nft_forget(n, a), -ENOENT);
	clean(n);
	free(a);
	free(b);
	free(none);
}

/* Another process applied `a`, blocked an address, counted 2 packets, and is gone. */
static void leave_behind(const struct ruleset *a)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct nft *n = opened();

		if (nft_apply(n, NULL, a, "", false, NULL, NULL) == -1 ||
		    nft_elem_add(n, "blocks4", "\x7f\0\0\x05", 4, 3600) != 0)
			_exit(1);
		send_udp("127.0.0.1", 9, 2);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* What adoption makes is what a fresh start makes. */
static char *fresh_list(const struct ruleset *rs)
{
	struct nft *n = opened();
	char *list;

	apply(n, NULL, rs, NULL);
	list = lab_sorted();
	clean(n);
	return list;
}

static char *without_elements(struct nft *n)
{
	assert_int_equal(nft_elem_del(n, "blocks4", "\x7f\0\0\x05", 4), 0);
	return lab_sorted();
}

static void test_adopt_orphan(void **state)
{
	struct ruleset *a = small(1, 100, GOOD), *b = small(2, 50, GOOD);
	char *want, *have;
	struct nft_stats st;
	struct nft *n;

	(void)state;
	LAB();
	want = fresh_list(b);
	leave_behind(a);
	n = opened();
	assert_int_equal(nft_is_applied(n, 1, a->digest), 1);
	apply(n, NULL, b, &st);
	assert_int_equal(elements(n, "blocks4").count, 1);
	assert_int_equal(counted(n), 2);
	assert_int_equal(nft_is_applied(n, 2, b->digest), 1);
	if (st.owned)
		assert_int_not_equal(system("nft add chain inet cordon z 2>/dev/null"), 0);
	have = without_elements(n);
	assert_string_equal(have, want);
	clean(n);
	free(want);
	free(have);
	free(a);
	free(b);
}

/* A plain table that someone loaded, with objects of no meaning here. */
static void test_adopt_plain(void **state)
{
	static const char text[] =
	    "table inet cordon {\n"
	    "counter denied { packets 7 bytes 700 }\n counter stale { }\n"
	    "set blocks4 { type ipv4_addr; size 4; flags timeout; "
	    "elements = { 127.0.0.5 timeout 1h } }\n"
	    "set allow4 { type ipv4_addr; elements = { 10.0.0.1 } }\n"
	    "map old { type inet_service : verdict; elements = { 80 : goto host } }\n"
	    "chain host { tcp dport { 1, 2 } accept; ip saddr @allow4 drop; }\n"
	    "chain in { type filter hook input priority 5; policy accept; jump host; }\n"
	    "chain gone { goto host; }\n"
	    "}\ntable ip other {\nchain c { }\n}\n";
	struct ruleset *b = small(2, 50, GOOD);
	char *want, *have;
	struct nft *n;

	(void)state;
	LAB();
	want = fresh_list(b);
	assert_true(lab_load(text));
	n = opened();
	apply(n, NULL, b, NULL);
	assert_int_equal(elements(n, "blocks4").count, 1);
	assert_true(elements(n, "blocks4").expires_s > 3590);
	assert_int_equal(counted(n), 7);
	assert_int_equal(system("nft list table ip other >/dev/null"), 0);
	assert_int_equal(system("nft delete table ip other"), 0);
	have = without_elements(n);
	assert_string_equal(have, want);
	clean(n);
	free(want);
	free(have);
	free(b);
}

static void refused(struct nft *n, const struct ruleset *old, const struct ruleset *bad,
    int err, const char *object, const char *name, const char *comment)
{
	char *before = lab_output("nft list ruleset"), *after;
	struct nft_error e;

	for (int dry = 0; dry < 2; dry++) {
		assert_int_equal(nft_apply(n, old, bad, "", dry, &e, NULL), -1);
		assert_int_equal(e.err, err);
		assert_string_equal(e.object, object);
		assert_string_equal(e.name, name);
		assert_string_equal(e.comment, comment);
	}
	after = lab_output("nft list ruleset");
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void test_refused(void **state)
{
	struct ruleset *a = small(1, 3, GOOD), *elem = small(2, 3, BAD_ELEMENT),
		       *rule = small(2, 3, BAD_RULE);
	struct nft *n;

	(void)state;
	LAB();
	n = opened();
	apply(n, NULL, a, NULL);
	refused(n, NULL, elem, ENFILE, "element", "allow4", "h2/in/sql");
	refused(n, a, elem, ENFILE, "element", "allow4", "h2/in/sql");
	refused(n, NULL, rule, EOPNOTSUPP, "rule", "out", "db/in/broken");
	refused(n, a, rule, EOPNOTSUPP, "rule", "out", "db/in/broken");
	clean(n);
	free(a);
	free(elem);
	free(rule);
}

/* One daemon at a time; what another one has done can still be read. */
/* A table that is not ours alone: what others did to it is undone by the next reload. */
static void test_repaired(void **state)
{
	struct ruleset *a = small(1, 30, GOOD), *b = small(2, 30, GOOD);
	char *want, *have;
	struct nft *n;

	(void)state;
	LAB();
	want = fresh_list(b);
	plain = true;
	n = opened();
	plain = false;
	apply(n, NULL, a, NULL);
	assert_int_equal(system("nft flush chain inet cordon in; nft add rule inet cordon out "
				"accept; nft add chain inet cordon extra"), 0);
	assert_int_equal(nft_apply(n, a, b, "", true, NULL, NULL), 0);
	apply(n, a, b, NULL);
	have = lab_sorted();
	assert_string_equal(have, want);
	clean(n);
	free(want);
	free(have);
	free(a);
	free(b);
}

static void test_owned_by_another(void **state)
{
	struct ruleset *a = small(1, 3, GOOD), *b = small(2, 3, GOOD);
	struct nft *n, *other;
	struct nft_error e;
	struct nft_stats st;

	(void)state;
	LAB();
	n = opened();
	other = opened();
	apply(n, NULL, a, &st);
	if (st.owned) {
		assert_int_equal(nft_apply(other, NULL, b, "", false, &e, NULL), -1);
		assert_int_equal(e.err, EPERM);
		assert_string_equal(e.object, "table");
		assert_int_equal(nft_elem_add(other, "blocks4", "\1\2\3\4", 4, 9), -EPERM);
	}
	assert_int_equal(nft_is_applied(other, 1, a->digest), 1);
	assert_int_equal(elements(other, "blocks4").count, 0);
	nft_close(other);
	clean(n);
	free(a);
	free(b);
}

/* Others commit all the time: a transaction that saw an older generation is made anew. */
static void test_busy_neighbour(void **state)
{
	struct ruleset *a = small(1, 300, GOOD), *b = small(2, 300, GOOD);
	pid_t pid;
	struct nft *n;
	struct seen s;
	bool flip = false;

	(void)state;
	LAB();
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* where the test fails before its end */
		execlp("sh", "sh", "-c", "trap stop=1 TERM; while test -z \"$stop\"; do nft add "
					 "table ip busy; nft delete table ip busy; done", (char *)NULL);
		_exit(1);
	}
	n = opened();
	apply(n, NULL, a, NULL);
	assert_int_equal(nft_elem_add(n, "blocks4", "\1\2\3\4", 4, 0), 0);
	for (int i = 0; i < 60; i++, flip = !flip)
		apply(n, i % 2 == 0 ? NULL : flip ? b : a, flip ? a : b, NULL);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	s = elements(n, "blocks4");
	assert_int_equal(s.count, 1);
	clean(n);
	free(a);
	free(b);
}

static void test_dry(void **state)
{
	struct ruleset *a = small(1, 3, GOOD), *b = small(2, 9, GOOD);
	char *before, *after;
	struct nft *n;

	(void)state;
	LAB();
	n = opened();
	assert_int_equal(nft_apply(n, NULL, a, "", true, NULL, NULL), 0);
	before = lab_output("nft list ruleset");
	assert_string_equal(before, "");
	free(before);
	apply(n, NULL, a, NULL);
	before = lab_output("nft list ruleset");
	assert_int_equal(nft_apply(n, a, b, "", true, NULL, NULL), 0);
	assert_int_equal(nft_apply(n, NULL, b, "", true, NULL, NULL), 0);
	after = lab_output("nft list ruleset");
	assert_string_equal(before, after);
	clean(n);
	free(before);
	free(after);
	free(a);
	free(b);
}

static void test_many(void **state)
{
	enum { MANY = 100000 };
	struct rs_builder *b = rsb_new();
	struct nft_error err = { 0 };
	struct nft_stats st;
	struct ruleset *rs;
	struct nft *n;
	uint32_t set;

	(void)state;
	LAB();
	set = rsb_set(b, "many", &(struct rs_set){ .nkeys = 4, .size = MANY,
	    .key = { RS_T_IP4, RS_T_IP4, RS_T_PROTO, RS_T_PORT } });
	for (unsigned i = 0; i < MANY; i++) {
		uint8_t key[16] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 10, 0, 0,
			1, 6, 0, 0, 0, 1, 0xbd };

		rsb_elem(b, set, key, NULL, 0, RS_NONE, "h/in/smb");
	}
	rs = finish(b, 1);
	n = opened();
	if (nft_apply(n, NULL, rs, "", false, &err, &st) == -1) {
		nft_close(n);
		free(rs);
		if (err.err != EMSGSIZE)
			fail_msg("%s: %s %s", strerror(err.err), err.object, err.name);
		print_message("SKIP: no right to a send buffer over net.core.wmem_max\n");
		skip();
	}
	assert_int_equal(st.elements_added, MANY);
	assert_int_equal(elements(n, "many").count, MANY);
	print_message("100,000 elements: %u messages, %u bytes, build %u us, commit %u us\n",
	    st.messages, st.bytes, st.build_us, st.commit_us);
	clean(n);
	free(rs);
}

/* ---- random pairs: the difference leads where a fresh start does ---- */

static uint32_t seed;
static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static struct ruleset *random_rules(uint32_t generation)
{
	static const char *const names[] = { "c0", "c1", "c2", "c3", "c4", "c5" };
	static const char *const set_names[] = { "s0", "s1", "s2", "s3", "s4", "s5" };
	struct rs_builder *b = rsb_new();
	uint32_t chain[6], sets[6], nchain = 0, nset = 0, base, map, ranges;

	for (int i = 0; i < 3; i++)
		if (draw(4) > 0)
			rsb_counter(b, names[i]);
	rsb_counter(b, "always");
	for (int i = 0; i < 6; i++)
		if (draw(3) > 0)
			chain[nchain++] = rsb_chain(b, names[i], NULL);
	base = rsb_chain(b, "base", &(struct rs_chain){ .hook = RS_HOOK_FORWARD,
	    .drop = draw(2) == 1, .priority = draw(8) == 0 });
	for (int i = 0; i < 6; i++)
		if (draw(3) > 0)
			sets[nset++] = rsb_set(b, set_names[i], &(struct rs_set){
			    .key = { RS_T_IP4 }, .nkeys = 1, .size = draw(12) == 0 ? 99 : 0 });
	map = rsb_set(b, "map", &(struct rs_set){ .key = { RS_T_IP4 }, .nkeys = 1, .map = true });
	ranges = rsb_set(b, "ranges", &(struct rs_set){ .key = { RS_T_IP4 }, .nkeys = 1,
	    .interval = true });
	for (uint32_t i = 0; i < 40; i++) {
		uint8_t key[4] = { 10, 0, 0, (uint8_t)draw(60) }, end[4];
		bool jump = nchain > 0 && draw(2) == 0;

		if (nset > 0)
			rsb_elem(b, sets[draw(nset)], key, NULL, 0, RS_NONE,
			    draw(3) == 0 ? "note" : "");
		rsb_elem(b, map, key, NULL, jump ? RS_GOTO : RS_DROP,
		    jump ? chain[draw(nchain)] : RS_NONE, "");
		key[2] = (uint8_t)(i * 4 + 1);
		memcpy(end, key, 4);
		end[2] = (uint8_t)(end[2] + draw(3));
		if (draw(2) == 0)
			rsb_elem(b, ranges, key, end, 0, RS_NONE, "");
	}
	rule2(b, base, "", (struct rs_op){ .code = RS_OP_VMAP, .set = map, .nfields = 1,
	    .field = { RS_IP_SADDR } }, (struct rs_op){ .code = RS_OP_COUNTER, .set = 0 });
	rule2(b, base, "", op_in(ranges, RS_IP_DADDR), op_go(RS_DROP, 0));
	for (uint32_t i = 0; i < nchain && nset > 0; i++)
		for (uint32_t r = draw(3); r > 0; r--)
			rule2(b, chain[i], draw(2) == 0 ? "id" : "",
			    op_in(sets[draw(nset)], RS_IP_DADDR), op_go(RS_DROP, 0));
	return finish(b, generation);
}

static void test_random_differences(void **state)
{
	struct ruleset *was, *now;
	char *want, *have;
	struct nft *n;
	uint32_t first = (uint32_t)time(NULL), pairs = 25;

	(void)state;
	LAB();
	if (getenv("SEED") != NULL)
		first = (uint32_t)strtoul(getenv("SEED"), NULL, 10);
	print_message("seed %u, %u pairs\n", first, pairs);
	seed = first;
	for (uint32_t i = 0; i < pairs; i++) {
		was = random_rules(1);
		now = random_rules(2);
		want = fresh_list(now);
		n = opened();
		apply(n, NULL, was, NULL);
		apply(n, was, now, NULL);
		have = lab_sorted();
		if (strcmp(have, want) != 0)
			fail_msg("SEED=%u pair %u\n--- want\n%s\n--- have\n%s", first, i, want, have);
		apply(n, now, was, NULL);
		apply(n, NULL, now, NULL);
		free(have);
		have = lab_sorted();
		assert_string_equal(have, want);
		clean(n);
		free(have);
		free(want);
		free(was);
		free(now);
	}
}

static int setup_plain(void **state)
{
	(void)state;
	plain = true;
	return 0;
}

int main(void)
{
	static const struct CMUnitTest owned[] = {
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_adopt_orphan),
		cmocka_unit_test(test_adopt_plain),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_repaired),
		cmocka_unit_test(test_owned_by_another),
		cmocka_unit_test(test_busy_neighbour),
		cmocka_unit_test(test_dry),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_random_differences),
	};
	static const struct CMUnitTest shared[] = {
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_adopt_orphan),
		cmocka_unit_test(test_adopt_plain),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_busy_neighbour),
		cmocka_unit_test(test_dry),
		cmocka_unit_test(test_random_differences),
	};
	int failed;

	lab_enter();
	if (lab_why == NULL && system("ip link set lo up") != 0)
		lab_why = "cannot bring up lo";
	failed = cmocka_run_group_tests_name("table owned", owned, NULL, NULL);
	return failed +
	    cmocka_run_group_tests_name("plain table", shared, setup_plain, NULL);
}
