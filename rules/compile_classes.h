/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: classes of ports: what all port ranges of the policy are unions of */
#ifndef RULES_COMPILE_CLASSES_H
#define RULES_COMPILE_CLASSES_H

#include "rules/compile.h"

struct port_class {
	uint16_t lo, hi;
};

/* Find them, and make their maps: port -> number.  0, or -1: no memory. */
int classes_new(struct compile *c);
void classes_free(struct classes *k);
/* The map of a protocol (tcp, udp, sctp), or RS_NONE: no rule has a range of it. */
uint32_t classes_map(const struct compile *c, uint8_t proto);
/* The classes that make up lo..hi, both ends of some rule's range; returns how many. */
size_t classes_of(const struct compile *c, uint8_t proto, uint16_t lo, uint16_t hi,
    const struct port_class **ret_first);
/* A class by protocol and first port: it stays as other ranges come and go. */
uint32_t class_number(uint8_t proto, uint16_t lo);

#endif
