/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: policy tree -> block -> ruleset, beside libyaml's bare event loop */
#include "bench.h"

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yaml.h>

/* All of the file; the caller free()s. */
static unsigned char *slurp(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *data;
	struct stat st;

	must(fd != -1 && fstat(fd, &st) == 0, path);
	data = malloc((size_t)st.st_size + 1);
	must(data != NULL && read(fd, data, (size_t)st.st_size) == st.st_size, path);
	close(fd);
	*ret_len = (size_t)st.st_size;
	return data;
}

/* What any program has to pay that reads these files with libyaml. */
static size_t events_of(const char *path)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	yaml_parser_t p;
	size_t len, n = 0;
	unsigned char *data = slurp(path, &len);

	must(yaml_parser_initialize(&p), "libyaml");
	yaml_parser_set_input_string(&p, data, len);
	for (; type != YAML_STREAM_END_EVENT; n++) {
		yaml_event_t e;

		must(yaml_parser_parse(&p, &e), path);
		type = e.type;
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&p);
	free(data);
	return n;
}

static bool is_yaml(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && strcmp(name + n - 5, ".yaml") == 0;
}

static size_t walk(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	size_t n = 0;

	must(d != NULL, dir);
	while ((e = readdir(d)) != NULL) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			n += walk(path);
		else if (is_yaml(e->d_name))
			n += events_of(path);
	}
	closedir(d);
	return n;
}

static struct sample yaml = { .what = "libyaml, events thrown away" },
		     load = { .what = "cordon, tree -> checked block" },
		     compile = { .what = "cordon, block -> ruleset" },
		     both = { .what = "cordon, tree -> ruleset" },
		     valid = { .what = "cordon, ruleset checked again" };

static void once(const char *dir, struct ruleset **ret)
{
	double start = bench_ms(), loaded, compiled;
	struct fs *fs;

	must(walk(dir) > 0, dir);
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
