/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: patch posture: what the inventory of a host proves by the servicing table */
#ifndef CORDON_POSTURE_H
#define CORDON_POSTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/flowspace.h>
#include <cordon/servicing.h>

enum posture_cover {
	POSTURE_JUDGED,
	POSTURE_NOT_STATED,  /* the policy says nothing of its os */
	POSTURE_NOT_COVERED, /* not a Windows Server 2008 SP2 */
};
enum posture_state {
	POSTURE_FIXED,
	POSTURE_OPEN,
	POSTURE_CANT_TELL,
	POSTURE_NOT_AFFECTED,
	POSTURE_NSTATES
};

/* A sentence, and the rows of the table that it rests on. */
enum { POSTURE_CITES_MAX = 6 };
struct posture_claim {
	const char *text; /* "" where there is nothing to say */
	const struct servicing_update *cite[POSTURE_CITES_MAX];
	unsigned ncites;
};

/* How a security update came to be proven. */
enum posture_by {
	POSTURE_BY_NOTHING,
	POSTURE_BY_ROLLUP,
	POSTURE_BY_SECURITY_ONLY,
	POSTURE_BY_FIX,
	POSTURE_BY_REVISION
};

/* Updates of July 2019 and later. */
enum posture_install {
	POSTURE_INSTALL_NO,     /* what they need is not listed */
	POSTURE_INSTALL_YES,    /* it is */
	POSTURE_INSTALL_IT_DID, /* it is not, but one of them is installed */
};

/* A guard of the host that is made against a vulnerability. */
struct posture_guard {
	uint32_t guard; /* FS_GUARDS */
	uint8_t
	    action; /* fs_guard_action at the time asked for; FS_GUARD_ALERT also where
		     * the host is only observed, or the guard is one of the sensor's */
	uint8_t then;          /* fs_guard_action from `until` on */
	bool leaves_out;       /* some of the sources that reach it are exceptions */
	struct fs_span except; /* FS_RANGES: exceptions in force */
	int64_t until;         /* when the host's own setting ends, or FS_FOREVER */
};

/* What all of that comes to. */
enum posture_against {
	POSTURE_CLOSED,  /* nobody reaches it */
	POSTURE_GUARDED, /* what is known of it is dropped, whoever sends it */
	POSTURE_PARTLY,  /* not from everybody, or not all of it */
	POSTURE_NOTHING, /* also where it is only reported */
	POSTURE_NAGAINST
};

/* What stands against a vulnerability in the policy, at the time asked for. */
struct posture_shield {
	struct posture_guard *guards;
	uint32_t *rules; /* FS_RULES: inbound ones by which it is reachable, by id; also
			  * those whose schedule is not open just now */
	struct netrange *sources; /* of those rules, sorted, disjoint */
	size_t nguards, nrules, nsources;
	uint32_t grant; /* FS_JITS: what `cordon grant` may open it by, or FS_NONE */
	enum posture_against level;
	uint8_t
	    require;   /* demanded by all those rules, of what helps; fs_require_bit */
	bool observed; /* the host is only observed: nothing is denied */
	bool beside;   /* reachable by a port whose protocol no guard knows */
	bool unreachable; /* no rule, and enforced */
};

struct posture_finding {
	const struct servicing_vuln *vuln;
	enum posture_state state;
	enum posture_by by; /* how it is proven fixed; else nothing */
	struct posture_claim why;
	struct posture_shield shield; /* empty where fixed */
};

struct posture {
	uint32_t host; /* FS_HOSTS */
	enum posture_cover cover;
	const char *declared; /* "windows-server-2008-sp2, build 6003.22464" */
	struct posture_claim level, last, behind, install;
	enum posture_by last_by;
	enum posture_install install_new;
	uint32_t last_month;       /* month of servicing.h; 0: none proven */
	uint32_t cumulative_month; /* all up to it is proven, by a rollup; 0: nothing */
	uint32_t months_behind;    /* of last_month, to the final update of all */
	struct posture_claim *inconsistent, *notes;
	size_t ninconsistent, nnotes;
	struct posture_finding
	    *findings; /* one a vulnerability of the table; judged only */
	size_t nfindings;
	size_t states[POSTURE_NSTATES];                    /* findings by state */
	size_t against[POSTURE_NSTATES][POSTURE_NAGAINST]; /* the same by level */
};

/* Judge one declared host at second `at` (for rules and guards that end, and ends of
 * support).  0: posture_free() it, fs and t outlive it.  -1: no memory. */
int posture_judge(const struct servicing *t, const struct fs *fs, uint32_t host,
    int64_t at, struct posture **ret);
void posture_free(struct posture *p);

const char *posture_state_name(
    enum posture_state s);                       /* "fixed", "open", "can't tell" … */
const char *posture_by_name(enum posture_by by); /* "rollup" …, "" for nothing */
const char *posture_against_name(enum posture_against a); /* "closed", "guarded" … */

/* ---- what the wire says ---- */

/* Facts of one event about a server; any text may be NULL.  Hostile. */
struct posture_sighting {
	const char *native_os, *native_lm;
	const char *ntlm_version; /* "6.0.6003" */
	const char *dialect;      /* "2.02", "2.??", "NT LM 0.12" */
};
enum posture_seen {
	POSTURE_SEEN_NOTHING, /* no fact that identifies */
	POSTURE_SEEN_AGREES,
	POSTURE_SEEN_DIFFERS,
	POSTURE_SEEN_UNKNOWN, /* facts that cannot be judged */
};

/* Compare with what the policy declares of h.  What is said of it goes into buf,
 * without any of the foreign text. */
enum posture_seen posture_compare(const struct fs *fs, const struct fs_host *h,
    const struct posture_sighting *s, char *buf, size_t size);
const char *posture_seen_name(enum posture_seen s); /* "agrees", "differs", "unknown" */

#endif
