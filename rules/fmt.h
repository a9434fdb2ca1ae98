/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a YAML file as it is printed again: nodes with the comments around them */
#ifndef CORDON_RULES_FMT_H
#define CORDON_RULES_FMT_H

#include <stdio.h>

#include "rules/arena.h"
#include "rules/schema.h"
#include "rules/yaml.h"

enum { FMT_WIDTH = 100, FMT_INDENT = 2 };

struct fcomment {
	struct fcomment *next;
	const char *text; /* from '#', NUL-terminated, nothing blank at its end */
	uint32_t col;     /* where it stood, from 0 */
	bool blank;       /* an empty line before it */
};
struct fcomments {
	struct fcomment *first, *last;
	bool blank; /* an empty line behind them all, before what they belong to */
};

struct fitem;
struct fnode {
	enum ynode_kind kind;
	bool alias;              /* anchor is the name it refers to */
	enum yevent_style style; /* of a scalar */
	const char *text, *anchor;
	size_t len;
	const char *raw; /* of a block scalar: its lines as they stand, raw_len bytes */
	size_t raw_len;
	bool flow, commented; /* of a collection; commented: comments are inside */
	uint32_t col;         /* of its items, from 0 */
	struct fitem *items, *last;
	struct fcomments foot; /* behind the last item */
};
struct fitem {
	struct fitem *next;
	struct fcomments lead;  /* above it */
	struct fnode *key;      /* NULL in a sequence */
	struct fcomments mid;   /* between key and value */
	struct fnode *value;    /* NULL only while reading */
	struct fcomment *trail; /* behind it on its line, or NULL */
};
struct fdoc {
	struct fdoc *next;
	bool is_explicit, anchored;
	struct fcomments lead;  /* above `---` */
	struct fcomment *trail; /* behind `---` */
	struct fitem root;      /* lead: head of the document */
};
struct ffile {
	struct fdoc *docs;
	struct fcomments foot;
	size_t ncomments;
};

/* Read text that yaml_parse() took.  All of it lives in the arena.  0 or -1: no memory. */
int fmt_read(struct arena *a, const char *data, size_t len, struct ffile *ret);
void fmt_comments_append(struct fcomments *to, const struct fcomments *from);

/* Put keys into the order of the table; kind FILE_NKINDS: none known.  -1: no memory. */
int fmt_order(struct arena *a, struct ffile *f, enum schema_file kind);

/* Print it; write errors are left in out. */
void fmt_write(const struct ffile *f, FILE *out);

/* ---- scalars ---- */

/* Whether a bare word of this text is something else than text to some YAML reader. */
bool fmt_is_typed(const char *s);
/* As printed in one line, plain or quoted; in a flow collection more is quoted.  The
 * arena's; NULL: no memory. */
const char *fmt_scalar(struct arena *a, const struct fnode *n, bool in_flow);
/* Characters of UTF-8 text. */
size_t fmt_width(const char *s);

#endif
