/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a verdict as JSON and in words; shared by explain and replay */
#ifndef CORDON_CLI_ANSWER_H
#define CORDON_CLI_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cordon/flowspace.h>

struct jsonbuf;

/* allow, deny or would_deny: what one side says by itself. */
const char *answer_side(const struct fs_side *s);
const char *answer_dir(enum fs_dir d); /* "inbound", "outbound" */

/* A walk over the guards of the hosts involved that look at the flow at its time (action
 * alert or drop); only TCP has any.  Starts zeroed. */
struct answer_guards {
	uint32_t at[2]; /* by side: uses that are behind it */
};
/* The next in ascending order, each once; false: no more. */
bool answer_guards_next(struct answer_guards *w, const struct fs *fs,
    const struct fs_flow *flow, const struct fs_verdict *v, uint32_t *ret);

/* "verdict":…,"sides":[…],"guards":[…],"reason":… without the braces around. */
void answer_members(struct jsonbuf *b, const struct fs *fs, const struct fs_flow *flow,
    const struct fs_verdict *v);

/* The rows of a set of flows as explain_set.c asks for them: one member of "sides". */
void answer_side_json(struct jsonbuf *b, const struct fs *fs, const struct fs_side *s);

/* The same in sentences, with file:line of every rule or host named.  src and dst:
 * how the ends are called ("erp-db01 (10.20.8.11)"). */
void answer_text(FILE *f, bool colour, const struct fs *fs, const struct fs_flow *flow,
    const struct fs_verdict *v, const char *src, const char *dst);

/* The whole way to the verdict, step by step: place, block, each side's rules and those
 * that nearly match, observe mode, what may be spoken, guards, result. */
void answer_path(FILE *f, bool colour, const struct fs *fs, const struct fs_flow *flow,
    const struct fs_verdict *v, const char *src, const char *dst);

/* The line that both start with. */
void answer_headline(FILE *f, bool colour, const struct fs_flow *flow,
    const struct fs_verdict *v, const char *src, const char *dst);
/* What may be spoken on an allowed TCP flow, as a sentence. */
const char *answer_spoken(const struct fs_verdict *v);
/* The i-th requirement as a sentence, "" where it is not asked for; NULL: no more. */
const char *answer_required(const struct fs_verdict *v, unsigned i);

/* "tcp/445", "icmp/8", "ip/50"; returns buf. */
enum { ANSWER_SERVICE_LEN = 24 };
const char *answer_service(const struct fs_flow *flow, char buf[static ANSWER_SERVICE_LEN]);

#endif
