/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: ruleset -> kernel through daemon/nft beside `nft -f` of its text, as a ratio */
#include <errno.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define NFTLAB_PLAIN
#include "nftlab.h"

#include <cordon/rules.h>

enum { ROUNDS_MAX = 101, PER_HOST = 10 };

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_nft: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- a synthetic plant: N hosts of 10 rules, v4 and v6, in and out ---- */

struct plant {
	struct rs_builder *b;
	uint32_t exact4, exact6, map4, nlists;
	uint32_t *list; /* chains that test a source list */
};

/* A source list: a content-named interval set of CIDRs, and the chain that asks it. */
static uint32_t plant_list(struct plant *p, uint32_t i)
{
	char name[32];
	uint32_t set, chain;

	snprintf(name, sizeof(name), "l%08x", i);
	set = rsb_set(p->b, name, &(struct rs_set){ .key = { RS_T_IP4 }, .nkeys = 1,
	    .interval = true, .content_named = true });
	for (uint8_t k = 0; k < 5; k++) {
		uint8_t lo[4] = { 172, (uint8_t)(16 + k), (uint8_t)(i >> 8), (uint8_t)i };
		uint8_t hi[4] = { lo[0], lo[1], lo[2], lo[3] };

		lo[3] &= 0xfc;
		hi[3] = lo[3] | 3;
		rsb_elem(p->b, set, lo, hi, 0, RS_NONE, "");
	}
	name[0] = 'c';
	chain = rsb_chain(p->b, name, &(struct rs_chain){ .content_named = true });
	rsb_rule(p->b, chain, "");
	rsb_op(p->b, &(struct rs_op){ .code = RS_OP_LOOKUP, .set = set, .nfields = 1,
	    .field = { RS_IP_SADDR } });
	rsb_op(p->b, &(struct rs_op){ .code = RS_OP_GO, .go = RS_ACCEPT });
	return chain;
}

static void put32(uint8_t *at, uint32_t v)
{
	v = htonl(v);
	memcpy(at, &v, 4);
}

/* Six exact IPv4 flows, two of IPv6, two services open to a list. */
static void plant_host(struct plant *p, uint32_t h, uint32_t salt)
{
	char id[40];

	for (uint32_t r = 0; r < PER_HOST; r++) {
		uint8_t k4[16] = { 0 }, k6[40] = { 0xfd }, m4[12] = { 0 };

		snprintf(id, sizeof(id), "host-%u/in/service-%u", h, r);
		if (r < 6) {
			put32(k4, 0x0b000000 + (h * 31 + r * 7 + salt) % 65536);
			put32(k4 + 4, 0x0a000000 + h);
			k4[8] = IPPROTO_TCP;
			k4[12] = 4;
			k4[13] = (uint8_t)r;
			rsb_elem(p->b, p->exact4, k4, NULL, 0, RS_NONE, id);
		} else if (r < 8) {
			put32(k6 + 12, (h * 17 + r + salt) % 65536);
			k6[16] = 0xfd;
			put32(k6 + 28, 0x10000000 + h);
			k6[32] = IPPROTO_TCP;
			k6[37] = (uint8_t)r;
			rsb_elem(p->b, p->exact6, k6, NULL, 0, RS_NONE, id);
		} else {
			put32(m4, 0x0a000000 + h);
			m4[4] = IPPROTO_TCP;
			m4[8] = 5;
			m4[9] = (uint8_t)r;
			rsb_elem(p->b, p->map4, m4, NULL, RS_GOTO,
			    p->list[(h + r + salt) % p->nlists], id);
		}
	}
}

/* changed: the host whose sources differ from the plant before; UINT32_MAX: none. */
static struct ruleset *plant(uint32_t hosts, uint32_t changed, uint32_t generation)
{
	struct plant p = { .b = rsb_new(), .nlists = hosts < 10 ? 2 : hosts / 5 };
	struct ruleset *rs;
	uint32_t base;

	p.nlists = p.nlists > 2000 ? 2000 : p.nlists;
	p.list = calloc(p.nlists, sizeof(*p.list));
	must(p.b != NULL && p.list != NULL, "memory");
	for (uint32_t i = 0; i < p.nlists; i++)
		p.list[i] = plant_list(&p, i);
	p.exact4 = rsb_set(p.b, "exact4", &(struct rs_set){ .nkeys = 4, .size = hosts * 6,
	    .key = { RS_T_IP4, RS_T_IP4, RS_T_PROTO, RS_T_PORT } });
	p.exact6 = rsb_set(p.b, "exact6", &(struct rs_set){ .nkeys = 4, .size = hosts * 2,
	    .key = { RS_T_IP6, RS_T_IP6, RS_T_PROTO, RS_T_PORT } });
	p.map4 = rsb_set(p.b, "map4", &(struct rs_set){ .nkeys = 3, .size = hosts * 2,
	    .map = true, .key = { RS_T_IP4, RS_T_PROTO, RS_T_PORT } });
	base = rsb_chain(p.b, "forward", &(struct rs_chain){ .hook = RS_HOOK_FORWARD });
	rsb_rule(p.b, base, "");
	rsb_op(p.b, &(struct rs_op){ .code = RS_OP_LOOKUP, .set = p.exact4, .nfields = 4,
	    .field = { RS_IP_SADDR, RS_IP_DADDR, RS_L4PROTO, RS_TH_DPORT } });
	rsb_op(p.b, &(struct rs_op){ .code = RS_OP_GO, .go = RS_ACCEPT });
	rsb_rule(p.b, base, "");
	rsb_op(p.b, &(struct rs_op){ .code = RS_OP_VMAP, .set = p.map4, .nfields = 3,
	    .field = { RS_IP_DADDR, RS_L4PROTO, RS_TH_DPORT } });
	for (uint32_t h = 0; h < hosts; h++)
		plant_host(&p, h, h == changed ? 1 : 0);
	rs = rsb_finish(p.b);
	must(rs != NULL, "building the ruleset");
	rsb_free(p.b);
	free(p.list);
	rs->generation = generation;
	return rs;
}

static struct ruleset *given(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at;

	must(fd != -1 && fstat(fd, &st) == 0, path);
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	must(at != MAP_FAILED, path);
	close(fd);
	errno = EINVAL;
	must(ruleset_valid(at, (size_t)st.st_size), "not a ruleset");
	return at;
}

/* ---- timing ---- */

struct sample {
	const char *what;
	double ms[ROUNDS_MAX];
	int n;
};

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(struct sample *s)
{
	qsort(s->ms, (size_t)s->n, sizeof(*s->ms), by_value);
	return s->ms[s->n / 2];
}

static void report(struct sample *s)
{
	double m = median(s);

	printf("  %-28s %9.2f ms   (%.2f .. %.2f, %d runs)\n", s->what, m, s->ms[0],
	    s->ms[s->n - 1], s->n);
}

static void time_text(const char *path, struct sample *s)
{
	char command[256];
	double start;

	snprintf(command, sizeof(command), "nft -f %s", path);
	start = now_ms();
	must(system(command) == 0, command);
	s->ms[s->n++] = now_ms() - start;
	must(system("nft delete table inet cordon") == 0, "nft delete");
}

static void apply(struct nft *n, const struct ruleset *old, const struct ruleset *rs,
    struct nft_stats *st)
{
	struct nft_error err;

	if (nft_apply(n, old, rs, "bench", false, &err, st) == 0)
		return;
	errno = err.err;
	must(false, err.object);
}

static void time_ours(const struct ruleset *rs, const struct ruleset *next,
    struct sample *cold, struct sample *diff, struct sample *kernel, struct nft_stats *st)
{
	double start = now_ms();
	struct nft *n = nft_open();
	struct nft_stats d;

	must(n != NULL, "netlink");
	apply(n, NULL, rs, st);
	cold->ms[cold->n++] = now_ms() - start;
	if (next != NULL) {
		start = now_ms();
		apply(n, rs, next, &d);
		diff->ms[diff->n++] = now_ms() - start;
		kernel->ms[kernel->n++] = d.commit_us / 1e3;
	}
	must(nft_delete(n) == 0, "deleting the table");
	nft_close(n);
}

static void bench(const char *name, const struct ruleset *rs, const struct ruleset *next,
    int rounds)
{
	struct sample text = { .what = "nft -f" }, cold = { .what = "cordon, cold" },
		      diff = { .what = "one host changed, whole" },
		      kernel = { .what = "one host changed, kernel" };
	char path[] = "/tmp/bench_nft.XXXXXX";
	struct nft_stats st;
	int fd = mkstemp(path);
	FILE *f = fd == -1 ? NULL : fdopen(fd, "w");

	must(f != NULL && emit_nft(rs, f) == 0 && fclose(f) == 0, "writing the text");
	for (int i = 0; i < rounds; i++) {
		time_text(path, &text);
		time_ours(rs, next, &cold, &diff, &kernel, &st);
	}
	unlink(path);
	printf("%s: %u elements, %u sets, %u chains; %u messages, %u bytes\n", name,
	    rs->table[RS_ELEMS].count, rs->table[RS_SETS].count, rs->table[RS_CHAINS].count,
	    st.messages, st.bytes);
	report(&text);
	report(&cold);
	if (next != NULL) {
		report(&diff);
		report(&kernel);
	}
	printf("  cordon / nft -f: %.3f\n", median(&cold) / median(&text));
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = { 10, 1000, 10000 };
	int rounds = argc > 1 ? atoi(argv[1]) : 5;

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_nft [ROUNDS [RULESET…]]   1 to %d rounds\n",
		    ROUNDS_MAX);
		return 2;
	}
	lab_enter();
	if (lab_why != NULL) {
		printf("SKIP: %s\n", lab_why);
		return 77;
	}
	for (int i = 2; i < argc; i++)
		bench(argv[i], given(argv[i]), NULL, rounds);
	for (size_t i = 0; argc <= 2 && i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct ruleset *rs = plant(sizes[i], UINT32_MAX, 1),
			       *next = plant(sizes[i], sizes[i] / 2, 2);
		char name[32];

		snprintf(name, sizeof(name), "%u hosts", sizes[i]);
		bench(name, rs, next, rounds);
		free(rs);
		free(next);
	}
	return 0;
}
