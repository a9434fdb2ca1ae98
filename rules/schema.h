/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the one table of every policy key */
#ifndef CORDON_RULES_SCHEMA_H
#define CORDON_RULES_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_type {
	S_TEXT,     /* pstr: one line, 1 to max bytes */
	S_NAME,     /* pstr: a-z 0-9 -, up to max bytes */
	S_ID,       /* pstr: as a name, also + . _ */
	S_IFACE,    /* pstr: a network interface */
	S_ADDRESS,  /* pstr: one address */
	S_PREFIX,   /* pstr: address, CIDR or range, no names */
	S_PEER,     /* pstr: those, or a name, `gateway`, `any` */
	S_SERVICE,  /* pstr: a service's name or an inline one */
	S_PORTS,    /* pstr: an inline service */
	S_KB,       /* pstr: KB and digits */
	S_CVE,      /* pstr: CVE-2017-0144 */
	S_CODE,     /* pstr: the code of a finding, CRD100 */
	S_HEX,      /* pstr: bytes in hex */
	S_SCHEDULE, /* pstr */
	S_INT,      /* pnum: min to max */
	S_BOOL,     /* pnum */
	S_DURATION, /* pnum: seconds, min to max */
	S_TIME,     /* pnum: first second behind the date, or the instant */
	S_INSTANT,  /* pnum: RFC 3339 instant, or the start of a date */
	S_WORD,     /* pnum: one of words */
	S_WORDS,    /* pnum: bits of words; one or a list */
	S_SECTION,  /* the struct of `sub`, in place */
	S_NTYPES
};

enum schema_flag {
	SF_REQUIRED = 1,
	SF_LIST = 2,   /* plist: a list of them, or one alone */
	SF_MAP = 4,    /* plist of sub: a mapping whose keys are its first field */
	SF_STRICT = 8, /* with SF_LIST: one alone is not enough */
};

struct schema_word {
	const char *text; /* NULL ends the list */
	int64_t value;
};

struct schema_section;

struct schema_key {
	const char *name;
	enum schema_type type;
	unsigned flags;
	size_t offset; /* of the field in the section's struct */
	const char *help;
	int64_t min, max, dflt;
	const struct schema_word *words;
	const struct schema_section *sub;
};

struct schema_section {
	const char *what; /* "host", in messages */
	size_t size;      /* of the struct; it starts with a struct diag_loc */
	const struct schema_key *keys; /* name NULL ends the list */
	/* What a value that is no mapping stands for: this key alone. */
	const char *short_for;
	bool short_only;
	/* SF_MAP: the type of the mapping's keys, and where they go. */
	enum schema_type map_type;
	size_t map_offset;
};

enum schema_file {
	FILE_CORDON, FILE_GROUPS, FILE_SERVICES, FILE_GUARDS, FILE_PROFILES, FILE_HOSTS,
	FILE_TESTS, FILE_NKINDS
};

struct schema_kind {
	const char *name; /* "cordon": cordon.yaml; "groups": groups.yaml, groups/…yaml */
	bool single, folder; /* NAME.yaml, the files in NAME/ may stand there */
	bool documents;      /* several documents in one file */
	unsigned flags;      /* SF_MAP, SF_LIST of sections, or 0: one section a document */
	const struct schema_section *section;
	const char *help;
};

extern const struct schema_kind schema_kinds[FILE_NKINDS];

/* The row of that name, or NULL. */
const struct schema_key *schema_find(const struct schema_section *s, const char *name);
/* What a type is called: "an address, CIDR or range". */
const char *schema_type_text(enum schema_type t);

#endif
