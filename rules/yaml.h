/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: YAML files as trees of marked nodes, within hard limits */
#ifndef CORDON_RULES_YAML_H
#define CORDON_RULES_YAML_H

#include <cordon/diag.h>

#include "rules/arena.h"

enum {
	YAML_DEPTH_MAX = 16,
	YAML_NODES_MAX = 400000, /* of a file, aliases counted as what they stand for */
	YAML_FILE_MAX = 4 << 20, /* bytes */
	YAML_ANCHORS_MAX = 64,   /* of a document */
};

enum ynode_kind { YNODE_SCALAR, YNODE_SEQ, YNODE_MAP };

struct ynode {
	enum ynode_kind kind;
	bool plain;           /* a scalar without quotes */
	uint32_t line, col;   /* 1-based, col in characters */
	uint32_t end_col;     /* first behind it; of a scalar 0: ends on another line */
	uint32_t end_line;    /* of a collection; of a block: where what follows starts */
	uint32_t n;           /* items; scalar: bytes of text */
	uint32_t weight;      /* nodes below and including this, aliases expanded */
	const char *text;     /* scalar, NUL-terminated, no NUL inside */
	struct yitem *items;  /* in file order */
};

/* Aliases share the node they stand for. */
struct yitem {
	struct yitem *next;
	struct ynode *key; /* a scalar; NULL in a sequence */
	struct ynode *value;
};

struct ydoc {
	struct ydoc *next;
	struct ynode *root;
};

/* What went wrong first; text is in the arena. */
struct yaml_error {
	const char *code, *message, *hint;
	uint32_t line, col, end_col; /* col in characters; line 0: the whole file */
};

/* Parse data[0..len).  The nodes live in the arena.  0 and *ret (NULL: no document),
 * or -1 and *ret_error.  Duplicate keys are reported through dup (may be NULL) and
 * do not end the parse; the first one stays. */
typedef void yaml_dup_fn(void *arg, const struct ynode *key, const struct ynode *first);
int yaml_parse(struct arena *a, const char *data, size_t len, yaml_dup_fn *dup, void *arg,
    struct ydoc **ret, struct yaml_error *ret_error);

/* ---- the same text as tokens with their places, for who prints it again ---- */

enum yevent_kind { YEVENT_DOC, YEVENT_DOC_END, YEVENT_SCALAR, YEVENT_ALIAS, YEVENT_SEQ,
	YEVENT_MAP, YEVENT_END };
enum yevent_style { YSTYLE_PLAIN, YSTYLE_QUOTED, YSTYLE_BLOCK };

/* start, end: byte offsets in the text.  Text and anchor (NULL: none) live during the
 * call only. */
struct yevent {
	enum yevent_kind kind;
	enum yevent_style style; /* of a scalar */
	bool flow;               /* of a collection */
	bool is_explicit;        /* of a document: `---` stands there */
	size_t start, end;
	uint32_t col;            /* of start, from 0 */
	const char *text, *anchor;
	size_t len;
};

/* Call fn for each; what it returns other than 0 ends the walk.  Tokens only: limits and
 * duplicate keys are yaml_parse()'s matter, to be asked first.  0, -1: not YAML. */
typedef int yaml_event_fn(void *arg, const struct yevent *e);
int yaml_walk(const char *data, size_t len, yaml_event_fn *fn, void *arg);

#endif
