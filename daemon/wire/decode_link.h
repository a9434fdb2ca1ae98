/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: link headers; one row of a table a link type */
#ifndef WIRE_DECODE_LINK_H
#define WIRE_DECODE_LINK_H

#include "wire/decode.h"

/* Advance *c to the IP header behind a header of this link type, filling vlan
 * and nflog of *v: DECODE_OK, or why there is none.  Whether it is IP and which
 * version the caller sees from the first nibble. */
enum decode decode_link(int linktype, struct cursor *c, struct pkt_view *v);

/* The same behind an EtherType, of tags, PPPoE, MPLS and IP; a number below 1501 is the
 * length of an LLC frame. */
enum decode decode_ethertype(uint16_t type, struct cursor *c, struct pkt_view *v);

/* Whether packets of this link type can be decoded. */
bool decode_link_known(int linktype);

#endif
