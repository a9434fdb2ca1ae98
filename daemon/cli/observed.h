/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what an event log says that the declared hosts said of themselves */
#ifndef CORDON_CLI_OBSERVED_H
#define CORDON_CLI_OBSERVED_H

#include <stddef.h>
#include <stdint.h>

#include <cordon/posture.h>

/* One thing seen of a host, in as many events as `count`.  Texts but `said` come from
 * the wire and are cut where they are too long. */
struct observed_sight {
	enum posture_seen verdict;
	char said[512];
	char ntlm[32], native_os[96], native_lm[64], dialect[24];
	char first[40], last[40]; /* timestamps, as the file has them, in its order */
	uint64_t count;
};

enum { OBSERVED_SIGHTS_MAX = 16, OBSERVED_LINE_MAX = 256 * 1024 };
struct observed_host {
	struct observed_sight *sight;
	size_t n;
	uint64_t more; /* events that fitted none of them */
};

struct observed {
	struct observed_host *host; /* by FS_HOSTS index */
	size_t nhosts;
	uint64_t lines, used; /* read; that said something of a declared host */
	uint64_t malformed;   /* not JSON, or too long: skipped */
};

/* Read events, one JSON object a line, from path ("-": standard input).  0:
 * observed_free() it; -1: errno. */
int observed_read(const char *path, const struct fs *fs, struct observed **ret);
void observed_free(struct observed *o);

/* The verdict on a host: the worst of its sights. */
enum posture_seen observed_verdict(const struct observed_host *h);

#endif
