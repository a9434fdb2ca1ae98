/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: policy tree -> block -> ruleset, beside libyaml's bare event loop */
#include "events.h"

static struct sample yaml = { .what = "libyaml, events thrown away" },
		     load = { .what = "cordon, tree -> checked block" },
		     compile = { .what = "cordon, block -> ruleset" },
		     both = { .what = "cordon, tree -> ruleset" },
		     valid = { .what = "cordon, ruleset checked again" };

static void once(const char *dir, struct ruleset **ret)
{
	double start = bench_ms(), loaded, compiled;
	struct fs *fs;

	must(events_walk(dir) > 0, dir);
	sample_add(&yaml, bench_ms() - start);
	start = bench_ms();
	fs = bench_load(dir);
	loaded = bench_ms();
	*ret = bench_compile(fs, 1);
	compiled = bench_ms();
	must(ruleset_valid(*ret, (*ret)->size), "not a ruleset");
	sample_add(&valid, bench_ms() - compiled);
	sample_add(&load, loaded - start);
	sample_add(&compile, compiled - loaded);
	sample_add(&both, compiled - start);
	free(fs);
}

int main(int argc, char **argv)
{
	int rounds = argc == 3 ? atoi(argv[1]) : 0;
	struct ruleset *rs = NULL;

	if (rounds < 1 || rounds > BENCH_ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_compile ROUNDS POLICY\n");
		return 2;
	}
	for (int i = 0; i < rounds; i++) {
		free(rs);
		once(argv[2], &rs);
	}
	printf("  %u elements, %u sets, %u chains, %u rules, %u bytes\n",
	    rs->table[RS_ELEMS].count, rs->table[RS_SETS].count,
	    rs->table[RS_CHAINS].count, rs->table[RS_RULES].count, rs->size);
	sample_row(&yaml, NULL);
	sample_row(&load, &yaml);
	sample_row(&compile, &yaml);
	sample_row(&both, &yaml);
	sample_row(&valid, &yaml);
	free(rs);
	return 0;
}
