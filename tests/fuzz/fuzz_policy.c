/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: policy files from strangers; with -DFUZZ_REPLAY a replayer of files */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/diag.h>
#include <cordon/flowspace.h>

#include "rules/check.h"
#include "rules/load.h"
#include "rules/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lines "%% KIND" start a file of that kind; what stands before the first is a host. */
static enum schema_file kind_of(const char *line, size_t len)
{
	for (int k = 0; k < FILE_NKINDS; k++) {
		size_t n = strlen(schema_kinds[k].name);

		if (len >= 3 + n && memcmp(line + 3, schema_kinds[k].name, n) == 0)
			return (enum schema_file)k;
	}
	return FILE_HOSTS;
}

static const char *next_mark(const char *at, const char *end)
{
	while (at < end && (at + 3 > end || memcmp(at, "%% ", 3) != 0)) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));

		if (nl == NULL)
			return end;
		at = nl + 1;
	}
	return at;
}

static void load_parts(struct policy *p, const char *at, const char *end)
{
	enum schema_file kind = FILE_HOSTS;

	while (at < end) {
		const char *mark = next_mark(at, end);
		const char *nl =
		    mark < end ? memchr(mark, '\n', (size_t)(end - mark)) : NULL;

		if (mark > at)
			load_file(p, kind, "fuzz.yaml", at, (size_t)(mark - at), false);
		if (nl == NULL)
			return;
		kind = kind_of(mark, (size_t)(nl - mark));
		at = nl + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1), *text = NULL;
	struct diaglist d;
	struct policy p;
	struct fs *fs = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (copy == NULL || f == NULL)
		abort();
	memcpy(copy, data, size);
	diag_init(&d);
	policy_init(&p, &d);
	p.arena.limit = p.scratch.limit = 256u << 20;
	p.now = 1800000000;
	if (load_shipped(&p) == -1)
		abort();
	load_parts(&p, copy, copy + size);
	/* An accepted policy must be one that other processes accept. */
	if (pipeline_finish(&p, &fs) == 0 && (d.errors != 0 || !fs_valid(fs, fs->size)))
		abort();
	if (fs == NULL && p.cordon != NULL && d.errors == 0)
		abort();
	/* What a reviewer is told besides never makes it an error. */
	if (fs != NULL && (review_policy(&p, fs) != 0 || d.errors != 0) && !p.arena.over)
		abort();
	d.show_all = true;
	diag_sort(&d);
	diag_print(&d, f, true);
	diag_print_json(&d, f);
	diag_print_sarif(&d, f);
	fclose(f);
	free(text);
	free(fs);
	policy_free(&p);
	diag_free(&d);
	free(copy);
	return 0;
}

#include "fuzz_replay.h"
