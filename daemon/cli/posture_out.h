/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a posture as text, JSON or markdown */
#ifndef CORDON_CLI_POSTURE_OUT_H
#define CORDON_CLI_POSTURE_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cordon/posture.h>

struct observed;
struct observed_host;

/* What all hosts come to. */
struct posture_total {
	size_t hosts, cover[3];         /* by enum posture_cover */
	size_t inconsistent, differing; /* hosts */
	size_t states[POSTURE_NSTATES]; /* findings */
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

/* What was seen of a host; NULL: not asked for. */
const struct observed_host *posture_observed(
    const struct posture_view *v, uint32_t host);

/* What the policy has against f, as a sentence without its full stop. */
void posture_shield_text(
    FILE *f, const struct posture_view *v, const struct posture_finding *finding);
/* "4 hosts: 2 judged, …" */
void posture_total_text(FILE *f, const struct posture_total *t);

#endif
