/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy as written: every value with its place in the files */
#ifndef CORDON_RULES_POLICY_H
#define CORDON_RULES_POLICY_H

#include <cordon/diag.h>
#include <cordon/flowspace.h>
#include <cordon/guard.h>

#include "rules/arena.h"
#include "rules/names.h"

/* All of it lives in the policy's arena.  A place's `file` is an index of
 * policy.files, its columns count characters until they are reported. */
struct pstr {
	const char *s; /* NULL: not given */
	struct diag_loc loc;
};

/* A number, seconds, an instant, an enum's value, the bits of a word list. */
struct pnum {
	int64_t v; /* the default where not given */
	bool given;
	struct diag_loc loc;
};

struct plist {
	void *v; /* of the row's element type */
	uint32_t n;
	struct diag_loc loc; /* line 0: not given */
};
#define PLIST_EACH(type, it, list) \
	for (type *it = (list).v, *it##_end = (list).n > 0 ? it + (list).n : it; \
	     it != it##_end; it++)

struct prangeset {
	struct netrange *r; /* sorted, disjoint */
	size_t n;
};

/* A finding that may stay: of what lies in `scope`, the text it is written in. */
struct paccept {
	struct diag_loc loc;
	struct pstr finding, reason, of;
	struct pnum expires;
	struct diag_loc scope; /* resolved; line 0: the whole tree */
	bool used;             /* it met a finding */
};
/* check.require: what has to be stated. */
enum policy_stated { STATED_OWNER = 1, STATED_TICKET = 2, STATED_REASON = 4 };

/* ---- cordon.yaml ---- */
struct pprefix {
	struct diag_loc loc;
	struct pstr prefix;
	struct pnum mode, since;
	struct plist accept; /* paccept; likewise below */
	struct netrange range; /* resolved */
};
struct pgateway {
	struct diag_loc loc;
	struct plist interfaces, addresses, protect, management; /* pstr; pprefix */
	struct pstr timezone;
};
struct pcordon {
	struct diag_loc loc;
	struct plist accept;
	struct {
		struct diag_loc loc;
		struct pnum require, expiring_s, observe_s, exposure;
	} check;
	struct prangeset addresses, management, never; /* resolved */
	struct pnum version;
	struct pgateway gateway;
	struct {
		struct diag_loc loc;
		struct pnum mode, since;
		struct pstr profile;
	} defaults;
	struct {
		struct diag_loc loc;
		struct plist interfaces; /* pstr */
		struct pnum on_loss;
	} sensor;
	struct {
		struct diag_loc loc;
		struct pnum ttl_s, scope, on;
		struct plist never; /* pstr */
		struct {
			struct diag_loc loc;
			struct pnum targets, within_s;
		} scan;
		struct {
			struct diag_loc loc;
			struct pnum failures, attempts, within_s;
		} bruteforce;
	} block;
	struct {
		struct diag_loc loc;
		struct pstr file;
		struct pnum journald;
		struct {
			struct diag_loc loc;
			struct pnum source, host;
		} quota;
	} log;
};

/* ---- names ---- */
enum resolve_state { RESOLVE_NEW, RESOLVE_OPEN, RESOLVE_DONE };

struct pgroup {
	struct diag_loc loc;
	struct pstr name;
	struct plist members, accept; /* pstr; paccept */
	enum resolve_state state;
	bool used; /* somebody refers to it: check_used.c */
	struct prangeset ranges; /* resolved */
};

/* As struct fs_service, the name still text. */
struct pport {
	const char *name;
	uint16_t lo, hi;
	uint8_t proto, grants, family;
	bool short_opening;
};
struct pports {
	struct pport *v;
	uint32_t n;
};

struct pservice {
	struct diag_loc loc;
	struct pstr name, title;
	struct plist ports, bundle, accept; /* pstr; paccept */
	bool used;
	struct pnum speaks, short_opening;
	bool shipped;
	enum resolve_state state;
	struct pports resolved;
	struct fs_span span; /* in the builder; count 0: not added yet */
};

/* ---- guards and profiles ---- */
struct pterm {
	struct diag_loc loc;
	struct pnum at, negate, within;
	struct pstr bytes, mask;
};
struct palternative {
	struct diag_loc loc;
	struct plist terms; /* pterm */
};
struct pguard {
	struct diag_loc loc;
	struct pstr id, title, attack, note, validated;
	struct plist cve, references; /* pstr */
	struct pnum direction, protocol, where, action, affects;
	struct plist match, accept; /* palternative; paccept */
	bool shipped;
	struct guard_term terms[GUARD_TERM_MAX]; /* resolved */
	uint8_t alternative_len[GUARD_ALTERNATIVE_MAX];
	uint32_t nterms, index; /* index: in FS_GUARDS */
};
struct pprofile {
	struct diag_loc loc;
	struct pstr name, title;
	struct plist guards; /* pstr */
	struct fs_span uses; /* in the builder */
	uint32_t shown;      /* string index of its name */
};

/* ---- hosts ---- */
struct prule {
	struct diag_loc loc;
	struct pstr id, reason, ticket, schedule;
	struct plist service, peers, accept; /* pstr; paccept */
	struct pnum expires, require, exposure, speaks;
	/* resolved */
	const char *full_id;
	struct prangeset ranges;
	struct pports ports;
	struct pservice *single; /* the only service, where it is a named one */
	bool any;                /* `any`, or all of a family */
};
struct pguard_set {
	struct diag_loc loc;
	struct pstr id, reason;
	struct pnum action, expires;
	struct plist except; /* pstr */
	struct pguard *guard; /* resolved */
	struct prangeset ranges;
};
struct pjit {
	struct diag_loc loc;
	struct pstr service;
	struct plist from; /* pstr */
	struct pnum max_s;
	struct prangeset ranges;
	struct pports ports;
};
struct phost {
	struct diag_loc loc;
	struct pstr name, owner, profile;
	struct plist addresses, accept; /* pstr; paccept */
	struct pnum mode, since;
	struct {
		struct diag_loc loc;
		struct pstr product;
		struct pnum build, revision;
		struct plist updates; /* pstr */
	} os;
	struct {
		struct diag_loc loc;
		struct plist rules[2]; /* prule, by enum fs_dir */
	} allow;
	struct plist guards, jit; /* pguard_set, pjit */
	struct prangeset ranges;  /* resolved */
	struct pprofile *used_profile;
};

/* ---- tests/ ---- */
struct ptest {
	struct diag_loc loc;
	struct pstr name, flow, only, rule; /* flow and expect, or only */
	struct pnum expect, at;
};

struct pvec {
	void **v;
	size_t n, cap;
};

struct pfile {
	const char *path; /* as shown */
	const char *data;
	size_t len;
	uint32_t shown; /* its index in the list of diagnostics, and 1; 0: not there yet */
};

struct policy {
	struct arena arena, scratch; /* scratch: YAML nodes of one file */
	struct diaglist *diag;
	struct names names;    /* hosts, groups, services */
	struct pfile *files;
	size_t nfiles, cap_files;
	struct {
		uint32_t file, line;
		size_t off;
	} near; /* where a line was found last */
	struct pcordon *cordon;
	struct pvec groups, services, guards, profiles, hosts, tests; /* struct p… * */
	struct space_axes *everybody; /* [2]: `*`, of flowset.c; NULL until it is asked */
	struct paccept **accepts; /* by scope: file, then start; of check_accept.c */
	size_t naccepts;
	int64_t now;
	int zoneinfo_fd;
	struct fs_transition *transitions;
	size_t ntransitions;
};

void policy_init(struct policy *p, struct diaglist *d);
void policy_free(struct policy *p);
/* Append; -1: no memory (reported). */
int pvec_add(struct policy *p, struct pvec *v, void *item);
/* Report that memory ran out, once; -1. */
int policy_no_memory(struct policy *p);

/* Report at a place of the files, with the source line.  -1. */
int policy_error(struct policy *p, const char *code, struct diag_loc loc,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* "file:line" of a place, in the arena. */
const char *policy_place(struct policy *p, struct diag_loc loc);

#endif
