/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: link, network and transport headers of one captured packet */
#ifndef WIRE_DECODE_H
#define WIRE_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/netaddr.h>

#include "wire/cursor.h"

/* One packet as a capture hands it over.  `linktype` is libpcap's DLT_ or
 * LINKTYPE_ number; `len` is its length on the wire, `caplen` <= len what
 * `bytes` holds.  Borrowed for the call. */
struct pkt_in {
	int linktype;
	int64_t ts_us; /* since 1970 */
	uint32_t caplen, len;
	const uint8_t *bytes;
};

enum decode {
	DECODE_OK,	  /* view has addresses, and a transport if it is known */
	DECODE_FRAGMENT,  /* part of an IP datagram: view.frag and view.body */
	DECODE_NOT_IP,	  /* ARP, LLC, an NFLOG group without payload, … */
	DECODE_MALFORMED, /* lengths or versions that can't be */
	DECODE_SHORT,	  /* cut by the snap length before the headers ended */
	DECODE_LINKTYPE,  /* of a link type not known here */
};

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32 };

/* What DLT_NFLOG adds; nothing else of it is set unless `present`.  Pointers are borrowed
 * from the packet; the prefix is raw bytes without its NUL. */
struct pkt_nflog {
	bool present, has_mark, has_seq;
	uint8_t hook; /* NF_INET_* */
	uint8_t hwaddr_len;
	uint16_t hw_protocol, prefix_len;
	uint16_t group; /* and the packet's number in it */
	uint32_t seq;
	uint32_t mark, ifindex_in, ifindex_out;
	const uint8_t *prefix, *hwaddr;
	int64_t ts_us; /* 0: none given */
};

struct pkt_frag {
	uint32_t id;
	uint32_t off; /* bytes */
	bool more;
};

/* Ports, seq and ack are in host order.  For other protocols than TCP, UDP and
 * SCTP the ports are 0.  `body` starts at the transport header, `payload` after it;
 * both are cut at the IP length, so link padding never shows. */
struct pkt_view {
	struct netaddr src, dst;
	uint8_t proto;	   /* IPPROTO_*, after IPv6 extension headers */
	uint8_t tcp_flags; /* TCP_* */
	uint8_t icmp_type, icmp_code;
	uint16_t sport, dport;
	uint16_t vlan; /* outermost tag's id, 0: none */
	uint32_t seq, ack;
	struct cursor body;
	const uint8_t *payload;
	uint32_t payload_len; /* bytes captured */
	uint32_t wire_len;    /* bytes the segment had, >= payload_len */
	uint32_t body_wire_len;
	struct pkt_frag frag;
	struct pkt_nflog nflog;
};

/* Decode one packet.  *ret is filled as far as decoding came, whatever is
 * returned; it borrows from in->bytes. */
enum decode decode_packet(const struct pkt_in *in, struct pkt_view *ret);

/* Decode from the IP header at *c on, where all of *v is 0 but what the link filled: as
 * decode_packet(). */
enum decode decode_ip(struct cursor *c, struct pkt_view *v);

/* Decode the transport header in v->body, for a datagram put together after
 * v->frag was cleared: as decode_packet(). */
enum decode decode_transport(struct pkt_view *v);

#endif
