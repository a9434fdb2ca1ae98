/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: located diagnostics, collected as data and printed by the caller */
#ifndef CORDON_DIAG_H
#define CORDON_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum diag_severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };

/* 1-based line and column (in bytes); file is an index of the list's files.  line 0:
 * the whole file.  end_col: first column behind the text meant, 0 if unknown.
 * end_line: 0 where that is one value in one line; else of a list or mapping, and
 * end_col counts characters then. */
struct diag_loc {
	uint32_t file, line, col, end_col, end_line;
};

/* A row of the table of codes: what CRD0xx means, for SARIF and `--explain`. */
struct diag_code {
	const char *code; /* "CRD001" */
	const char *name; /* "yaml-syntax" */
	enum diag_severity severity;
	const char *what; /* one line */
	const char *mend; /* how to mend it */
};
extern const struct diag_code diag_codes[]; /* ends with code NULL */

/* More of it for `check --explain`: one row a code, in the same order. */
struct diag_help {
	const char *code;
	const char *why;     /* what harm it does */
	const char *example; /* lines of policy as they should be, or a command */
};
extern const struct diag_help diag_help[]; /* ends with code NULL */

/* The rows of a code, or NULL. */
const struct diag_code *diag_code_find(const char *code);
const struct diag_help *diag_help_find(const char *code);
const char *diag_severity_name(enum diag_severity s); /* "error", "warning", "note" */

struct diag {
	const struct diag_code *code;
	struct diag_loc loc;
	char *message; /* without place and severity */
	char *hint;    /* what would be right, or NULL */
	char *source;  /* the line of the file, or NULL */
	char *accepted; /* the reason for which the policy accepts it, or NULL */
};

struct diaglist {
	struct diag *d;
	size_t n, cap, errors, warnings, notes; /* accepted ones are in none of these */
	size_t accepted;
	char **files;
	size_t nfiles;
	enum diag_severity last; /* of the one added last */
	bool overflow; /* the one added last was only counted */
	bool cut;      /* some were only counted: more than DIAG_MAX */
	bool notes_cut; /* likewise of notes: more than DIAG_NOTES_MAX */
	bool show_all; /* set by who prints: notes and what is accepted in text too */
};
/* Notes take at most half of it: they never displace an error. */
enum { DIAG_MAX = 2000, DIAG_NOTES_MAX = 1000 };

void diag_init(struct diaglist *l);
void diag_free(struct diaglist *l);
/* Index of path, stored once. */
uint32_t diag_file(struct diaglist *l, const char *path);
/* Add one; code as "CRD001", its row gives the severity.  Text is copied and wire
 * or file bytes that are not printable are escaped. */
void diag_add(struct diaglist *l, const char *code, struct diag_loc loc,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Whether one more with this code would only be counted. */
bool diag_is_full(const struct diaglist *l, const char *code);
/* Set hint / source line of the one added last. */
void diag_hint(struct diaglist *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void diag_source(struct diaglist *l, const char *line, size_t len);
/* The one added last is accepted by the policy, for this reason; never an error. */
void diag_accept(struct diaglist *l, const char *reason);
/* So is the one at index i. */
void diag_accept_at(struct diaglist *l, size_t i, const char *reason);
/* By file, line, column, code; equal ones once. */
void diag_sort(struct diaglist *l);
/* file:line:col: error: message [CRD001], the line, a caret, the hint. */
void diag_print(const struct diaglist *l, FILE *f, bool colour);
/* {"file","line","column","severity","code","name","message","hint"} one a row. */
void diag_print_json(const struct diaglist *l, FILE *f);
/* SARIF 2.1.0 */
void diag_print_sarif(const struct diaglist *l, FILE *f);

#endif
