/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: inline services: tcp/445, udp/1000-2000, icmp/echo-request, ip/50 */
#ifndef CORDON_RULES_INLINE_H
#define CORDON_RULES_INLINE_H

#include "rules/policy.h"

/* Parse s into ret[0..1]: icmp/NAME stands for ICMP and ICMPv6 where both have it.
 * Grants and name stay empty.  Their number, or -1 with *ret_why (static text). */
int inline_parse(const char *s, struct pport ret[static 2], const char **ret_why);

#endif
