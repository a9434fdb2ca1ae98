/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: writing rules of a ruleset, one call a statement; private to rules/ */
#ifndef RULES_RULEWRITER_H
#define RULES_RULEWRITER_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/netaddr.h>
#include <cordon/ruleset.h>

/* All calls append to the rule begun last; they return b so that a rule reads as one
 * statement list.  Values are host order integers unless said otherwise. */


struct rs_builder *rw_rule(struct rs_builder *b, uint32_t chain);
struct rs_builder *rw_rule_for(struct rs_builder *b, uint32_t chain, const char *comment);
struct rs_builder *rw_cmp(struct rs_builder *b, enum rs_field f, enum rs_cmp cmp, uint64_t value);
struct rs_builder *rw_masked(struct rs_builder *b, enum rs_field f, uint64_t mask, enum rs_cmp cmp, uint64_t value);
/* payload[offset..offset+len) & mask cmp value, bytes; mask may be NULL */
struct rs_builder *rw_payload(struct rs_builder *b, uint16_t offset, uint8_t len, const uint8_t *mask,
    enum rs_cmp cmp, const uint8_t *value);
/* the same with an integer value of len bytes, big endian */
struct rs_builder *rw_payload_is(struct rs_builder *b, uint16_t offset, uint8_t len, enum rs_cmp cmp, uint64_t value);
/* an address field inside r, or outside */
struct rs_builder *rw_addr(struct rs_builder *b, enum rs_field f, const struct netrange *r);
struct rs_builder *rw_not_addr(struct rs_builder *b, enum rs_field f, const struct netrange *r);
/* a port (or type) field in lo..hi */
struct rs_builder *rw_ports(struct rs_builder *b, enum rs_field f, uint16_t lo, uint16_t hi);
struct rs_builder *rw_in(struct rs_builder *b, enum rs_field f, uint32_t set);
/* RS_IIFNAME or RS_OIFNAME is (is not) this name */
struct rs_builder *rw_iface(struct rs_builder *b, enum rs_field f, enum rs_cmp cmp, const char *name);
struct rs_builder *rw_not_in(struct rs_builder *b, enum rs_field f, uint32_t set);
struct rs_builder *rw_in_masked(struct rs_builder *b, enum rs_field f, const uint8_t mask[16], uint32_t set);
struct rs_builder *rw_fields_in(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t set);
struct rs_builder *rw_fields_not_in(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t set);
/* the last of the fields, an address, masked */
struct rs_builder *rw_masked_in(struct rs_builder *b, const uint8_t *fields, uint8_t n, const uint8_t mask[16], uint32_t set);
struct rs_builder *rw_masked_not_in(struct rs_builder *b, const uint8_t *fields, uint8_t n, const uint8_t mask[16], uint32_t set);
/* the packet's priority becomes what the fields are mapped to; else the rule ends */
struct rs_builder *rw_map(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t map);
struct rs_builder *rw_priority(struct rs_builder *b, uint32_t value);
struct rs_builder *rw_tos(struct rs_builder *b, uint8_t mask, uint8_t value);
struct rs_builder *rw_vmap(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t map);
/* add to set, or count in its element: true unless the set is full */
struct rs_builder *rw_tally(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t set);
/* the same, renewed by each packet for timeout_s; true at most per_minute times */
struct rs_builder *rw_flow(struct rs_builder *b, const uint8_t *fields, uint8_t n, uint32_t set, uint32_t timeout_s, uint32_t per_minute);
struct rs_builder *rw_state(struct rs_builder *b, uint32_t states);
struct rs_builder *rw_label(struct rs_builder *b, uint32_t bit);
struct rs_builder *rw_no_label(struct rs_builder *b, uint32_t bit);
struct rs_builder *rw_set_label(struct rs_builder *b, uint32_t bit);
struct rs_builder *rw_counter(struct rs_builder *b, const char *name);
struct rs_builder *rw_log(struct rs_builder *b, uint16_t group, uint32_t snaplen, const char *prefix);
struct rs_builder *rw_limit(struct rs_builder *b, uint32_t per_second, uint32_t burst);
void rw_go(struct rs_builder *b, enum rs_go go, uint32_t chain);
void rw_reset(struct rs_builder *b);

/* bytes of a name, NUL padded, for sets of interfaces */
void rw_ifname(uint8_t key[static 16], const char *name);

#endif
