/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: maps from a host's ports to numbers, and the rules that look there */
#ifndef RULES_COMPILE_KEYS_H
#define RULES_COMPILE_KEYS_H

#include <stdbool.h>

#include "rules/compile.h"

/* What a key is made of, behind the host's address. */
enum key_kind {
	KEY_PORT,   /* protocol and port */
	KEY_RANGE,  /* number of a class of ports (compile_classes.c) */
	KEY_ICMP,   /* ICMP type */
	KEY_ANSWER, /* ICMP type of the answer */
	KEY_PROTO,  /* protocol */
	KEY_KINDS
};

/* Plane 0 holds what has no end; each other plane has two maps, to the end and to what
 * holds until then.  Few keys need more than one of these. */
enum { PLANES = 4 };
struct keys {
	char base[16]; /* first part of the names of its maps and chains */
	uint32_t value[PLANES][KEY_KINDS], until[PLANES][KEY_KINDS]; /* sets or RS_NONE */
};

struct key {
	enum key_kind kind;
	const struct netaddr *host;
	uint8_t proto;
	uint32_t rest; /* port, class, type */
};

void keys_init(struct keys *k, const char *base);
/* The key means value; until an end (seconds UTC, 0: none) in planes above 0. */
void keys_put(struct compile *c, const struct fam *f, struct keys *k, const struct key *key,
    unsigned plane, uint32_t until, uint32_t value, const char *comment);
/* Rules of chain `at` that look a packet up, in this orientation: a hit sets the packet's
 * priority to the value and goes on to `then`, a miss comes back.  Each map is asked by a
 * chain of its own: when it is made anew, no other map is asked by a new rule, which the
 * kernel would walk for that. */
void keys_rules(struct compile *c, const struct fam *f, const struct keys *k, uint32_t at,
    enum way w, uint32_t then);

#endif
