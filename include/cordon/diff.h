/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a change of policy opens, closes and weakens */
#ifndef CORDON_DIFF_H
#define CORDON_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/flowspace.h>

/* Why flows count as exposure opened. */
enum diff_why {
	DIFF_OPENED = 1,   /* allowed now: SMB, RDP or one of their ports */
	DIFF_SMB = 2,      /* allowed before, SMB may be spoken now */
	DIFF_RDP = 4,
	DIFF_NO_NLA = 8,   /* granted before, no longer required now */
	DIFF_NO_SMB2 = 16,
	DIFF_NO_SIGNING = 32,
	DIFF_GUARD = 64,      /* a guard is weaker */
	DIFF_NEVER = 128,     /* may no longer be blocked */
	DIFF_MANAGEMENT = 256,/* reaches the gateway whatever the rules say */
	DIFF_UNPROTECTED = 512,/* no longer ours: other tables decide */
	DIFF_ON_LOSS = 1024,  /* no longer closed while the sensor is away */
	DIFF_LATER = 2048,    /* SMB or RDP, but not at this time: by a schedule */
};
enum { DIFF_NWHY = 12 };

/* A rule, or (rule NULL) the host or prefix that is only observed. */
struct diff_cause {
	const char *rule, *host, *file;
	uint32_t line;
};

/* Flows with src, dst, protocol and port in these ranges.  ICMP types are ports; whole
 * protocols have ports 0-65535 (ICMP 0-255). */
struct diff_region {
	struct netrange src, dst;
	uint8_t proto_lo, proto_hi;
	uint16_t port_lo, port_hi;
	unsigned why;              /* enum diff_why; 0 but for exposure */
	const char *guard;         /* DIFF_GUARD: its id */
	struct diff_cause *causes; /* sorted by rule */
	size_t ncauses;
	struct fs_flow witness;    /* one of them */
	bool at_most; /* the mode of very many hosts changed: of these flows those that
	               * their rules do not allow; regions of this kind may overlap */
};
struct diff_regions {
	struct diff_region *v;
	size_t n, cap;
};

enum diff_list { DIFF_MODES, DIFF_GUARDS, DIFF_TIMES, DIFF_TRUST, DIFF_LISTS };

/* A difference that is no set of flows at the time of comparison. */
struct diff_change {
	const char *subject;     /* host, rule or setting */
	const char *what;        /* guard, or which property; may be NULL */
	const char *old, *new;   /* as a person reads it; NULL: not there */
	const char *file;        /* in the new tree, else in the old; may be NULL */
	uint32_t line;
	bool weaker;
};
struct diff_changes {
	struct diff_change *v;
	size_t n, cap;
};

struct diff {
	struct diff_regions opened, closed, exposure; /* disjoint; exposure: by reason */
	struct diff_changes list[DIFF_LISTS];
	void *memory;
};

/* Compare at second `at`.  The result refers to both blocks: they outlive it.  0; -ENOMEM;
 * -E2BIG: the flows that differ fall into more than a million pieces. */
int rules_diff(const struct fs *old, const struct fs *new, int64_t at, struct diff **ret);
void diff_free(struct diff *d);
bool diff_is_empty(const struct diff *d);

/* A word for one bit of enum diff_why. */
const char *diff_why_name(enum diff_why bit);

#endif
