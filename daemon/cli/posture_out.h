/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a posture as text, JSON or markdown */
#ifndef CORDON_CLI_POSTURE_OUT_H
#define CORDON_CLI_POSTURE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cordon/posture.h>

struct observed;
struct observed_host;
struct observed_sight;

enum { POSTURE_UNCERTAIN_MAX = 128 };

/* What all hosts come to. */
struct posture_total {
	size_t hosts, cover[3];         /* by enum posture_cover */
	size_t inconsistent, differing; /* hosts */
	size_t states[POSTURE_NSTATES]; /* findings */
	size_t against[POSTURE_NSTATES][POSTURE_NAGAINST];
	struct posture_first *first, **first_end; /* hosts in need, in their order */
	/* Uncertain rows that something rests on, by date. */
	const struct servicing_update *uncertain[POSTURE_UNCERTAIN_MAX];
	size_t nuncertain, more_uncertain;
};

/* A host where something is open that can be reached and is not guarded. */
struct posture_first {
	struct posture_first *next;
	uint32_t host;
	size_t n;
	const struct servicing_vuln *vulns[];
};

struct posture_view {
	const struct fs *fs;
	const struct observed *observed; /* NULL: not asked for */
	int64_t at;
};

/* One format: called for each host in turn, then once for the end. */
struct posture_format {
	void (*begin)(const struct posture_view *v);
	void (*host)(const struct posture_view *v, const struct posture *p);
	/* 0, or -1: what was written got lost (said on stderr). */
	int (*end)(const struct posture_view *v, const struct posture_total *t);
};
extern const struct posture_format posture_text, posture_json, posture_markdown;

/* A text that is put together: f takes it.  Who closes f frees text, then. */
struct posture_made {
	FILE *f;
	char *text;
	size_t size;
};
bool posture_made_begin(struct posture_made *m); /* false: no memory */

/* What was seen of a host; NULL: not asked for. */
const struct observed_host *posture_observed(
    const struct posture_view *v, uint32_t host);

/* Of these, texts from the wire or the policy may be part: out_escaped() what comes. */
/* A claim, with a mark for each uncertain row that it rests on. */
void posture_claim_text(FILE *f, const struct posture_claim *c);
/* "MS14-068 (CVE-2014-6324; if it is a domain controller), Kerberos checksum" */
void posture_name_text(FILE *f, const struct servicing_vuln *n);
void posture_sight_text(FILE *f, const struct observed_sight *s);
/* What the policy has against f, as a sentence without its full stop. */
void posture_shield_text(
    FILE *f, const struct posture_view *v, const struct posture_finding *finding);
/* The end of a guard's setting as a policy writes it: a date that it is valid through,
 * or an instant; "" for FS_FOREVER.  Returns buf. */
enum { POSTURE_UNTIL_LEN = 32 };
const char *posture_until(int64_t at, char buf[static POSTURE_UNTIL_LEN]);

/* "BlueKeep, SIGRed (if it is a DNS server)" */
void posture_first_text(FILE *f, const struct posture_first *first);
/* "4 hosts: 2 judged, …" and a table of what is open, in columns. */
void posture_total_text(FILE *f, const struct posture_total *t);

#endif
