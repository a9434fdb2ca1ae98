/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the verbs of a review beside libyaml's bare event loop over one tree */
#include "events.h"

#include <sys/resource.h>
#include <sys/wait.h>

/* Each a process of its own, as a pipeline runs it: its start counts, and its memory is
 * its own.  Taken in turn, so that what else the machine does meets all alike. */
struct row {
	struct sample t;
	struct sample cpu;   /* of user and system: less in doubt on a busy machine */
	const char *argv[8]; /* argv[0] NULL: the peer */
	const char *input;   /* file for standard input, or NULL */
	long rss_kb;         /* the most of all rounds */
};

static void child(const struct row *r, const char *tree)
{
	int in = open(r->input != NULL ? r->input : "/dev/null", O_RDONLY);
	int out = open("/dev/null", O_WRONLY);

	must(in != -1 && out != -1, r->t.what);
	dup2(in, 0);
	dup2(out, 1);
	if (r->argv[0] == NULL)
		_exit(events_walk(tree) > 0 ? 0 : 1);
	dup2(out, 2);
	execv(r->argv[0], (char *const *)(uintptr_t)r->argv);
	_exit(127);
}

static double cpu_ms(const struct rusage *u)
{
	return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e3 +
	    (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e3;
}

static void run(struct row *r, const char *tree)
{
	double start = bench_ms();
	pid_t pid = fork();
	struct rusage use;
	int status;

	must(pid != -1, "fork");
	if (pid == 0)
		child(r, tree);
	must(wait4(pid, &status, 0, &use) == pid, "wait");
	sample_add(&r->t, bench_ms() - start);
	sample_add(&r->cpu, cpu_ms(&use));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "bench: %s: status %x\n", r->t.what, status);
		exit(1);
	}
	if (use.ru_maxrss > r->rss_kb)
		r->rss_kb = use.ru_maxrss;
}

static size_t lines_of(const char *path)
{
	size_t len, n = 0;
	unsigned char *data = events_slurp(path, &len);

	for (size_t i = 0; i < len; i++)
		n += data[i] == '\n';
	free(data);
	return n;
}

enum { EVENTS, CHECK, DIFF, TEST, EXPLAIN_NONE, EXPLAIN, ROWS };

/* "KEY CPU-MS KB" for whom compares sizes. */
static void keep(const char *path, struct row *row)
{
	static const char *const key[ROWS] = { "events", "check", "diff", "test", NULL,
		"explain" };
	FILE *f = path != NULL ? fopen(path, "w") : NULL;

	for (int i = 0; f != NULL && i < ROWS; i++) {
		if (key[i] != NULL)
			fprintf(f, "%s %.3f %ld\n", key[i], sample_at(&row[i].cpu, 0.5),
			    row[i].rss_kb);
	}
	if (f != NULL)
		fclose(f);
}

int main(int argc, char **argv)
{
	int rounds = argc >= 4 ? atoi(argv[1]) : 0;
	char changed[PATH_MAX], tests[PATH_MAX], flows[PATH_MAX];
	const char *tree = argc >= 4 ? argv[3] : "", *cordon = argc >= 4 ? argv[2] : "";
	struct row row[ROWS] = {
		[EVENTS] = { .t.what = "libyaml, events thrown away" },
		[CHECK] = { .t.what = "cordon check", .argv = { cordon, "check", tree } },
		[DIFF] = { .t.what = "cordon diff, 100 hosts changed",
			.argv = { cordon, "diff", tree, changed } },
		[TEST] = { .t.what = "cordon test, 1,000 set assertions",
			.argv = { cordon, "test", tests } },
		[EXPLAIN_NONE] = { .t.what = "cordon explain -, no flow",
			.argv = { cordon, "explain", tree, "-" } },
		[EXPLAIN] = { .t.what = "cordon explain -, all flows",
			.argv = { cordon, "explain", tree, "-" }, .input = flows },
	};
	double took;

	if (rounds < 1 || rounds > BENCH_ROUNDS_MAX || argc > 5) {
		fprintf(stderr, "usage: bench_verbs ROUNDS CORDON POLICY [RESULT]\n");
		return 2;
	}
	snprintf(changed, sizeof(changed), "%s-changed", tree);
	snprintf(tests, sizeof(tests), "%s-tests", tree);
	snprintf(flows, sizeof(flows), "%s-flows", tree);
	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < ROWS; k++)
			run(&row[k], tree);
	}
	for (int k = 0; k < ROWS; k++) {
		sample_row(&row[k].t, k != EVENTS ? &row[EVENTS].t : NULL);
		row[k].cpu.what = k == EVENTS ? "  CPU time" : "  its CPU time";
		sample_row(&row[k].cpu, k != EVENTS ? &row[EVENTS].cpu : NULL);
		printf("  %-38s %10.2f MB\n", "  its memory, at most",
		    (double)row[k].rss_kb / 1024);
	}
	took = sample_at(&row[EXPLAIN].t, 0.5) - sample_at(&row[EXPLAIN_NONE].t, 0.5);
	printf("  explain, loading subtracted: %.0f flows a second\n",
	    (double)lines_of(flows) / took * 1e3);
	keep(argc > 4 ? argv[4] : NULL, row);
	return 0;
}
