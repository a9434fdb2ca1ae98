/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the servicing table: updates, ends of support and vulnerabilities, as data
 */
#ifndef CORDON_SERVICING_H
#define CORDON_SERVICING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum servicing_kind {
	SERVICING_LIFECYCLE,
	SERVICING_END,
	SERVICING_FIX,
	SERVICING_ROLLUP,
	SERVICING_SECURITY_ONLY,
	SERVICING_PREVIEW,
	SERVICING_SSU,
	SERVICING_SHA2,
	SERVICING_ESU_PREP,
	SERVICING_NKINDS
};

/* Who gets an update, in the order in which they ended. */
enum servicing_programme {
	SERVICING_FREE,
	SERVICING_ESU,
	SERVICING_AZURE,
	SERVICING_PREMIUM,
	SERVICING_NPROGRAMMES
};

/* A row.  Texts are never NULL; "" where the table says nothing.  Months count from
 * year 0 (12 * year + month - 1), 0: none. */
struct servicing_update {
	const char *date; /* "2019-04-09" or, where the day is not sourced, "2019-04" */
	const char *kb;   /* "KB4493471" */
	const char *note, *source;
	const char *of; /* whose version `revision` is: "ntoskrnl", "MSRC" … */
	uint32_t month, required_from; /* updates of required_from and later need it */
	uint32_t build;                /* that it brings; 0: not known */
	uint32_t revision, revision_high; /* equal unless the sources differ */
	enum servicing_kind kind;
	enum servicing_programme programme; /* of rollup, security-only, preview, end */
	bool uncertain;                     /* the note says what */
};

/* A vulnerability, or several that one update mends. */
enum { SERVICING_LIST_MAX = 8 };
struct servicing_vuln {
	const char *id, *title, *note, *source;
	const char *role; /* only hosts that are one are concerned; "": all */
	const char *cve[SERVICING_LIST_MAX];
	const struct servicing_update *fixed_by[SERVICING_LIST_MAX];
	const char *guards[SERVICING_LIST_MAX];
	struct {
		uint8_t proto; /* IPPROTO_* */
		uint16_t port;
	} ports[SERVICING_LIST_MAX];
	unsigned ncve, nfixed_by, nguards, nports;
	uint32_t build, revision; /* the lowest that is fixed; 0: not known */
	uint8_t speaks;  /* fs_proto_bit: one of these, or a port, must be reachable */
	uint8_t require; /* fs_require_bit: what a rule may demand against it */
	bool affects;    /* builds 6002 and 6003 at all */
	bool in_rollups; /* every rollup from the month of the fix on holds it */
};

/* Updates of another system that an inventory may name by mistake. */
struct servicing_other {
	const char *product, *source; /* "Windows Server 2008 R2 or Windows 7" */
	const char *const *kb;
	size_t nkb;
};

struct servicing {
	const struct servicing_update *updates; /* by date */
	const struct servicing_vuln *vulns;     /* in the order of the file */
	const struct servicing_other *others;
	size_t nupdates, nvulns, nothers;
};

/* The table that ships with the program.  0: servicing_free() it; -1: *ret untouched
 * and why[0..size) says why not. */
int servicing_shipped(struct servicing **ret, char *why, size_t size);
/* The same from two texts: servicing.yaml and cves.yaml. */
int servicing_parse(const char *updates, size_t updates_len, const char *cves,
    size_t cves_len, struct servicing **ret, char *why, size_t size);
/* Add other-systems.yaml to a table, once; -1: why says why not. */
int servicing_parse_others(
    struct servicing *t, const char *text, size_t len, char *why, size_t size);
void servicing_free(struct servicing *t);

/* The row of an update ("KB4474419"), or NULL. */
const struct servicing_update *servicing_find(
    const struct servicing *t, const char *kb);

/* Whose update it is, of systems that are not ours; or NULL. */
const struct servicing_other *servicing_of_other(
    const struct servicing *t, const char *kb);

/* Updates whose numbers a slip of the finger makes of kb; their number, at most max. */
size_t servicing_near(const struct servicing *t, const char *kb,
    const struct servicing_update **ret, size_t max);

const char *servicing_kind_name(enum servicing_kind k);           /* "security-only" */
const char *servicing_programme_name(enum servicing_programme p); /* "azure" */

#endif
