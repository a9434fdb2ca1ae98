/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: for the benches: a clock, samples, medians with their spread, ratios */
#ifndef CORDON_TESTS_BENCH_H
#define CORDON_TESTS_BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cordon/diag.h>
#include <cordon/flowspace.h>
#include <cordon/rules.h>
#include <cordon/ruleset.h>

enum { BENCH_ROUNDS_MAX = 1001 };

static inline double bench_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static inline void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct sample {
	const char *what;
	int n;
	double ms[BENCH_ROUNDS_MAX];
};

static inline void sample_add(struct sample *s, double ms)
{
	must(s->n < BENCH_ROUNDS_MAX, "too many rounds");
	s->ms[s->n++] = ms;
}

static int sample_order(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The value below which `part` (0-1) of the samples lie; sorts them. */
static inline double sample_at(struct sample *s, double part)
{
	int i = (int)(part * s->n);

	must(s->n > 0, s->what);
	qsort(s->ms, (size_t)s->n, sizeof(*s->ms), sample_order);
	return s->ms[i < s->n ? i : s->n - 1];
}

/* One row: median, spread, and the ratio to a peer of the same run (or NULL). */
static inline void sample_row(struct sample *s, struct sample *peer)
{
	double median = sample_at(s, 0.5);

	printf("  %-38s %10.2f ms  (%.2f .. %.2f, n %d)", s->what, median, s->ms[0],
	    s->ms[s->n - 1], s->n);
	if (peer != NULL)
		printf("  %.2fx of %s", median / sample_at(peer, 0.5), peer->what);
	printf("\n");
}

/* The tree as `cordon check` loads it; its errors end the bench. */
static inline struct fs *bench_load(const char *dir)
{
	struct rules_source src = { .name = dir, .now = (int64_t)time(NULL) };
	struct diaglist d;
	struct fs *fs = NULL;

	diag_init(&d);
	src.policy_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	src.zoneinfo_fd =
	    open("/usr/share/zoneinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(src.policy_fd != -1, dir);
	if (rules_load(&src, &d, &fs) == -1) {
		fprintf(stderr, "bench: %s: %u errors; cordon check shows them\n", dir,
		    (unsigned)d.errors);
		exit(1);
	}
	close(src.policy_fd);
	if (src.zoneinfo_fd != -1)
		close(src.zoneinfo_fd);
	diag_free(&d);
	return fs;
}

static inline struct ruleset *bench_compile(const struct fs *fs, uint32_t generation)
{
	/* A floor as the daemon gives one, so that timed rules have all their tests. */
	struct compile_opts o = { .at = (int64_t)time(NULL),
		.floor = 1700000000,
		.generation = generation,
		.log_group = 5 };
	struct ruleset *rs = NULL;

	must(rules_compile(fs, &o, NULL, &rs) == 0, "compiling");
	return rs;
}

#endif
