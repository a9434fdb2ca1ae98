/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what event logs say that the declared hosts said of themselves */
#ifndef CORDON_CLI_OBSERVED_H
#define CORDON_CLI_OBSERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/netaddr.h>
#include <cordon/posture.h>

/* One thing seen of a host, in as many events as `count`.  Texts but `said` come from
 * the wire and are cut where they are too long. */
struct observed_sight {
	enum posture_seen verdict;
	char said[512];
	char address[NETADDR_STRLEN]; /* of the host, as it answered */
	char ntlm[32], native_os[96], native_lm[64], dialect[24];
	char name[32],
	    domain[32]; /* NetBIOS, of the NTLM challenge (MS-NLMP 2.2.2.1) */
	char first[40],
	    last[40]; /* timestamps as the log has them, the least and greatest */
	uint64_t count;
	bool past; /* its address said something else since, and this no more */
};

enum { OBSERVED_SIGHTS_MAX = 16, OBSERVED_LINE_MAX = 256 * 1024 };
struct observed_host {
	struct observed_sight *sight; /* by `first`, then as they came */
	size_t n;
	uint64_t more;             /* events that fitted none of them */
	enum posture_seen verdict; /* the worst of its sights that are not past */
	char **notes;              /* what they come to: texts, partly from the wire */
	size_t nnotes;
};

struct observed {
	struct observed_host *host; /* by FS_HOSTS index */
	size_t nhosts;
	uint64_t lines, used; /* read; that said something of a declared host */
	uint64_t malformed;   /* not JSON, or too long: skipped */
	uint64_t broken;      /* packed files that end early or are damaged */
	uint64_t files;
};

/* Read events, one JSON object a line, plain or packed by gzip: of a file, of standard
 * input ("-"), or of all files in a folder that have ".jsonl" in their names, in
 * whatever order.  0: observed_free() it; -1: errno (ENODATA: a folder without any). */
int observed_read(const char *path, const struct fs *fs, struct observed **ret);
void observed_free(struct observed *o);

/* ---- observed_judge.c ---- */
/* Set verdict, past and notes of all hosts.  0, or -1: no memory. */
int observed_judge(struct observed *o, const struct fs *fs);

#endif
