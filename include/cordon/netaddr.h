/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: addresses and address ranges as values; no names, no DNS */
#ifndef CORDON_NETADDR_H
#define CORDON_NETADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NETADDR_STRLEN = 46, NETRANGE_STRLEN = 2 * 46 + 1 };

/* An address in network byte order.  v is 4 or 6 (0: no address); IPv4 sits in
 * b[0..3] and the rest is zero, so that memcmp() over the struct orders all of
 * IPv4 before all of IPv6. */
struct netaddr {
	uint8_t v;
	uint8_t b[16];
};

/* lo..hi, both inside, one family, lo <= hi. */
struct netrange {
	struct netaddr lo, hi;
};

/* Bytes of an address of family a->v: 4 or 16. */
static inline size_t netaddr_size(const struct netaddr *a)
{
	return a->v == 4 ? 4 : 16;
}

/* <0, 0, >0: byte order, IPv4 before IPv6. */
int netaddr_cmp(const struct netaddr *a, const struct netaddr *b);

/* Parse a numeric IPv4 or IPv6 address (no zone, no name).  0, or -1 with
 * *ret untouched. */
int netaddr_parse(const char *s, struct netaddr *ret);

/* Write a in canonical form (RFC 5952 for IPv6) into buf; returns buf. */
const char *netaddr_format(const struct netaddr *a, char buf[static NETADDR_STRLEN]);

/* Make *a the address after / before it.  False at the family's end, *a
 * untouched then. */
bool netaddr_next(struct netaddr *a);
bool netaddr_prev(struct netaddr *a);

/* The range of the prefix of `len` bits that holds a (host bits are ignored). */
struct netrange netrange_of_prefix(const struct netaddr *a, unsigned len);

/* All of a family (v = 4 or 6). */
struct netrange netrange_all(uint8_t v);

/* Parse "addr", "addr/len" or "addr-addr".  0, or -1 with *ret untouched and
 * *ret_why (static text, may be asked with NULL) saying what is wrong: host
 * bits set, mixed families, reversed range, prefix length out of range. */
int netrange_parse(const char *s, struct netrange *ret, const char **ret_why);

/* Write r as "addr", "addr/len" where it is a prefix, else "lo-hi". */
const char *netrange_format(const struct netrange *r,
    char buf[static NETRANGE_STRLEN]);

/* The prefix length if r is exactly one prefix, else -1.  A single address is
 * 32 or 128. */
int netrange_prefixlen(const struct netrange *r);

bool netrange_has(const struct netrange *r, const struct netaddr *a);
bool netrange_overlaps(const struct netrange *a, const struct netrange *b);

/* Sort r[0..n) and merge what overlaps or touches; returns the new count. */
size_t netranges_merge(struct netrange *r, size_t n);

/* Index of the first of sorted disjoint r[0..n) that does not end before a, n if there
 * is none; O(log n). */
size_t netranges_from(const struct netrange *r, size_t n, const struct netaddr *a);

/* Whether sorted disjoint r[0..n) holds a; O(log n). */
bool netranges_have(const struct netrange *r, size_t n, const struct netaddr *a);

/* The largest prefix that starts at r->lo and ends within r; r->lo moves past
 * it.  Returns false when that emptied r (the last prefix).  For splitting a
 * range into CIDRs: do { more = netrange_pop_prefix(&r, &p); use(p); } while (more). */
bool netrange_pop_prefix(struct netrange *r, struct netrange *ret_prefix);

/* Multicast (224/4, ff00::/8) or limited broadcast (255.255.255.255). */
bool netaddr_is_multicast(const struct netaddr *a);
/* 169.254/16 or fe80::/10. */
bool netaddr_is_linklocal(const struct netaddr *a);

#endif
