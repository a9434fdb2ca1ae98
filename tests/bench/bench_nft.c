/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: ruleset -> kernel through daemon/nft, beside `nft -f` of its own text */
#include "bench.h"

#define NFTLAB_PLAIN
#include "nftlab.h"

static struct sample text = { .what = "nft -f, empty table" },
		     cold = { .what = "cordon, empty table" },
		     change = { .what = "cordon, one host changed" },
		     kernel = { .what = "  of that the kernel's transaction" },
	     all = { .what = "cordon, a port of every host changed" },
	     longest = { .what = "  of that the longest commit" },
	     hold = { .what = "  of that the longest without a breath" };
static struct nft_stats cold_stats, change_stats, all_stats;
static double last_breath, longest_hold;

/* What a block may have to wait for. */
static void breathe(void *arg)
{
	double now = bench_ms();

	(void)arg;
	if (now - last_breath > longest_hold)
		longest_hold = now - last_breath;
	last_breath = now;
}

static void time_all(struct nft *n, const struct ruleset *old, const struct ruleset *rs)
{
	struct ruleset *made = NULL;
	struct nft_stats after;
	struct nft_rest *rest;
	struct nft_error err;
	double start = last_breath = bench_ms();

	longest_hold = 0;
	errno = 0;
	must(nft_reload(n, old, rs, "bench", breathe, NULL, &made, &rest, &err,
		 &all_stats) == 0,
	    "the reload in pieces");
	nft_reload_rest(rest, &after);
	if (after.longest_us > all_stats.longest_us)
		all_stats.longest_us = after.longest_us;
	all_stats.pieces += after.pieces;
	breathe(NULL);
	sample_add(&all, bench_ms() - start);
	sample_add(&longest, (all_stats.pieces > 0 ? all_stats.longest_us :
						     all_stats.commit_us) / 1e3);
	sample_add(&hold, longest_hold);
	free(made);
}

/* False: nft cannot load so much in one transaction here, which takes the system's
 * root. */
static bool time_text(const char *path)
{
	char command[256];
	double start;

	snprintf(command, sizeof(command), "nft -f %s 2>/dev/null", path);
	start = bench_ms();
	if (system(command) != 0)
		return false;
	sample_add(&text, bench_ms() - start);
	must(system("nft delete table inet cordon") == 0, "nft delete");
	return true;
}

/* False: the socket buffer may not grow, which takes the system's root. */
static bool apply(struct nft *n, const struct ruleset *old, const struct ruleset *rs,
    struct nft_stats *st)
{
	struct nft_error err;

	if (nft_apply(n, old, rs, "bench", false, &err, st) == 0)
		return true;
	errno = err.err;
	must(err.err == EMSGSIZE || err.err == ENOBUFS, err.object);
	return false;
}

static bool time_ours(const struct ruleset *rs, const struct ruleset *next,
    const struct ruleset *every)
{
	double start = bench_ms();
	struct nft *n = nft_open();
	bool fits;

	must(n != NULL, "netlink");
	fits = apply(n, NULL, rs, &cold_stats);
	if (fits) {
		sample_add(&cold, bench_ms() - start);
		start = bench_ms();
		must(apply(n, rs, next, &change_stats), "the difference");
		sample_add(&change, bench_ms() - start);
		sample_add(&kernel, change_stats.commit_us / 1e3);
		time_all(n, next, every);
		must(nft_delete(n) == 0, "deleting the table");
	}
	nft_close(n);
	return fits;
}

static void report(const struct ruleset *rs, double build_ms)
{
	struct sample *peer = text.n > 0 ? &text : NULL;

	printf("  %u elements, %u sets, %u chains; text made in %.0f ms\n",
	    rs->table[RS_ELEMS].count, rs->table[RS_SETS].count,
	    rs->table[RS_CHAINS].count, build_ms);
	if (peer != NULL)
		sample_row(&text, NULL);
	else
		printf(
		    "  nft -f: refused here (its text loads where the system's root runs "
		    "this)\n");
	sample_row(&cold, peer);
	printf("  %-38s %u messages, %u bytes; last: %.1f ms to build, %.1f ms in the "
	       "kernel\n",
	    "", cold_stats.messages, cold_stats.bytes, cold_stats.build_us / 1e3,
	    cold_stats.commit_us / 1e3);
	sample_row(&change, NULL);
	sample_row(&kernel, NULL);
	printf("  %-38s %u messages, %u bytes, +%u -%u elements, +%u -%u chains\n", "",
	    change_stats.messages, change_stats.bytes, change_stats.elements_added,
	    change_stats.elements_deleted, change_stats.chains_added,
	    change_stats.chains_deleted);
	sample_row(&all, NULL);
	sample_row(&longest, NULL);
	sample_row(&hold, NULL);
	printf("  %-38s %u pieces, %u bytes, +%u -%u elements\n", "", all_stats.pieces,
	    all_stats.bytes, all_stats.elements_added, all_stats.elements_deleted);
}

static double write_text(const struct ruleset *rs, char *path)
{
	double start = bench_ms();
	int fd = mkstemp(path);
	FILE *f = fd == -1 ? NULL : fdopen(fd, "w");

	must(f != NULL && emit_nft(rs, f) == 0 && fclose(f) == 0, "writing the text");
	return bench_ms() - start;
}

int main(int argc, char **argv)
{
	int rounds = argc == 5 ? atoi(argv[1]) : 0;
	char path[] = P_tmpdir "/bench_nft.XXXXXX";
	struct ruleset *rs, *next, *every;
	struct fs *fs;
	double build_ms;

	if (rounds < 1 || rounds > BENCH_ROUNDS_MAX) {
		fprintf(stderr,
		    "usage: bench_nft ROUNDS POLICY SAME-WITH-ONE-HOST-CHANGED "
		    "SAME-WITH-ALL-CHANGED\n");
		return 2;
	}
	lab_enter();
	if (lab_why != NULL) {
		printf("  SKIP: %s\n", lab_why);
		return 0;
	}
	fs = bench_load(argv[2]);
	rs = bench_compile(fs, 1);
	free(fs);
	fs = bench_load(argv[3]);
	next = bench_compile(fs, 2);
	free(fs);
	fs = bench_load(argv[4]);
	every = bench_compile(fs, 3);
	free(fs);
	build_ms = write_text(rs, path);
	for (int i = 0, nft_can = 1; i < rounds; i++) {
		if (!time_ours(rs, next, every)) {
			printf(
			    "  SKIP: so large a transaction needs a socket buffer that "
			    "only the system's root may set\n");
			unlink(path);
			return 0;
		}
		nft_can = nft_can && time_text(path);
	}
	unlink(path);
	report(rs, build_ms);
	free(rs);
	free(next);
	free(every);
	return 0;
}
