/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the policy compiler in a few calls: load, judge, compile, emit */
#ifndef CORDON_RULES_H
#define CORDON_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct diaglist;
struct fs;
struct ruleset;

/* How the library reads files: given by the caller, so that the loader can work
 * from one read-only descriptor and tests from memory. */
struct rules_source {
	int policy_fd;   /* directory, opened O_DIRECTORY; the policy tree */
	int zoneinfo_fd; /* directory of compiled time zones, or -1: only UTC is known */
	const char *name; /* how the tree is called in diagnostics: "" = names stay relative */
	bool trusted_only; /* refuse files that others than root and the caller may write */
	int64_t now;      /* seconds UTC, for warnings about what is expired */
	uint8_t *ret_digest; /* NULL, or RULES_DIGEST_LEN bytes for rules_load(): what the
	                      * result was made from; zero: it is not to be recognised */
};
enum { RULES_DIGEST_LEN = 32 };

/* Parse, resolve and check the tree.  All errors of it are in *d (initialised by
 * the caller).  0: *ret_fs is a block to free(); there may be warnings.  -1: the
 * policy has errors, *ret_fs untouched. */
int rules_load(const struct rules_source *src, struct diaglist *d, struct fs **ret_fs);

/* The digest that rules_load() would give now, without parsing: of the tree's names and
 * contents, the zone file of `timezone`, and what ships with the program.  0; -1: there
 * is something that a load would report, or no memory. */
int rules_digest(
    const struct rules_source *src, const char *timezone, uint8_t ret[static 32]);

/* The same, and the findings of a reviewer besides (CRD100 and up, warnings and notes),
 * where there are no errors. */
int rules_check(const struct rules_source *src, struct diaglist *d, struct fs **ret_fs);

/* The guards that ship with the program, in a block without hosts.  0: *ret_fs is a block
 * to free(); -1: no memory. */
int rules_shipped_guards(struct fs **ret_fs);

/* For how long and what for a ruleset is compiled. */
struct compile_opts {
	int64_t at;          /* rules that do not exist at this second are left out */
	int64_t floor;       /* a clock before this closes all timed rules; 0: no such test */
	uint32_t generation; /* stands in log prefixes */
	uint16_t log_group;  /* nflog group of denials; copies go to log_group + 1 */
};

/* 0 and *ret (free()), or -1 and a diagnostic (too large, no memory). */
int rules_compile(const struct fs *fs, const struct compile_opts *o, struct diaglist *d,
    struct ruleset **ret);

/* What is put in force at boot where no policy is known at all: nothing is forwarded;
 * the gateway itself stays reachable, to mend that.  0, or -1: no memory. */
int rules_closed(struct ruleset **ret);

/* The ruleset as text that `nft -f` loads by itself.  -1: write error. */
int emit_nft(const struct ruleset *rs, FILE *f);
/* The ruleset as JSON: sets, elements, chains, rules with their text. */
int emit_json(const struct ruleset *rs, FILE *f);
/* JSON Schema 2020-12 of the policy files, from the one table of keys. */
int emit_schema(FILE *f);

/* Parse "tcp/445", "icmp/echo-request", "ip/50" as in flows: one port or type.
 * family 4 or 6 picks icmp or icmpv6.  0 or -1 with *ret_why. */
int rules_parse_service(const char *s, uint8_t family, uint8_t *ret_proto,
    uint16_t *ret_port, const char **ret_why);
/* RFC 3339 instant, or a date (its start, UTC).  0 or -1. */
int rules_parse_time(const char *s, int64_t *ret);

#endif
