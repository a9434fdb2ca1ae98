/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: sums by address and kind, as enforcer and engine keep them */
#ifndef CORDON_PRIV_TALLYTAB_H
#define CORDON_PRIV_TALLYTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/netaddr.h>
#include <cordon/tally.h>

enum { TALLY_SUMS = TALLY_FLOWS }; /* TALLY_HITS to TALLY_UNLOGGED */

/* addr.v 0: all that belongs to no declared host.  Which of the other fields is used is
 * up to the owner. */
struct tally_row {
	uint64_t sum[TALLY_SUMS], sent[TALLY_SUMS]; /* sent: what the other role knows */
	uint64_t before[2];  /* hits of one and two periods ago */
	uint64_t base;       /* told before the engine that runs was started */
	struct netaddr addr;
	uint8_t kind;
	bool used;
	bool dirty, there;   /* told is to be written to the kernel; has been before */
};

/* Rows are few: of addresses that were counted, which only declared hosts' are. */
struct tallytab {
	struct tally_row *row;
	size_t cap, n; /* cap: 0 or a power of two; rows in use have `used` */
};

/* The row of a key, or NULL. */
struct tally_row *tallytab_find(const struct tallytab *t, const struct netaddr *addr,
    uint8_t kind);
/* The same, made where it is not there yet; pointers to others end.  NULL: no memory,
 * or TALLYTAB_MAX rows. */
enum { TALLYTAB_MAX = 1 << 19 };
struct tally_row *tallytab_row(struct tallytab *t, const struct netaddr *addr,
    uint8_t kind);
void tallytab_free(struct tallytab *t);

#endif
