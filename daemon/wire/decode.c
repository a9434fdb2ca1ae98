/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: link, network and transport headers of one captured packet */
#include "wire/decode.h"

#include <string.h>

#include "wire/decode_link.h"

enum { IPPROTO_TCP_ = 6, IPPROTO_UDP_ = 17, IPPROTO_SCTP_ = 132, IPPROTO_ICMP_ = 1,
	IPPROTO_ICMPV6_ = 58 };
enum { EXT_HOPOPT = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_AH = 51, EXT_DSTOPT = 60,
	EXT_MAX = 16 };

/* TCP header, RFC 9293 section 3.1
 *  0               2               4               8              12
 * +-------+-------+-------+-------+---------------+---------------+
 * | source port   | dest port     | sequence      | acknowledgment|
 * +---+---+-------+-------+-------+-------+-------+---------------+
 * |off|  flags    | window        | checksum      | urgent        | options …
 */
static enum decode transport_tcp(struct pkt_view *v)
{
	uint32_t len = (uint32_t)cursor_left(&v->body), header_len;
	const uint8_t *p = v->body.at;

	if (len < 20)
		return v->body_wire_len < 20 ? DECODE_MALFORMED : DECODE_SHORT;
	v->sport = load_be16(p);
	v->dport = load_be16(p + 2);
	v->seq = load_be32(p + 4);
	v->ack = load_be32(p + 8);
	header_len = (uint32_t)(p[12] >> 4) * 4;
	v->tcp_flags = p[13] & 0x3f;
	if (header_len < 20 || header_len > v->body_wire_len)
		return DECODE_MALFORMED;
	if (header_len > len)
		return DECODE_SHORT;
	v->payload = p + header_len;
	v->payload_len = len - header_len;
	v->wire_len = v->body_wire_len - header_len;
	return DECODE_OK;
}

static enum decode transport_udp(struct pkt_view *v)
{
	struct cursor c = v->body;
	uint32_t len;

	v->sport = cursor_be16(&c);
	v->dport = cursor_be16(&c);
	len = cursor_be16(&c);
	cursor_skip(&c, 2);
	if (!cursor_ok(&c))
		return v->body_wire_len < 8 ? DECODE_MALFORMED : DECODE_SHORT;
	if (len < 8 || len > v->body_wire_len)
		return DECODE_MALFORMED;
	v->wire_len = len - 8;
	v->payload = c.at;
	v->payload_len = (uint32_t)cursor_left(&c);
	if (v->payload_len > v->wire_len)
		v->payload_len = v->wire_len;
	return DECODE_OK;
}

/* Common header, RFC 9260 section 3.1. */
static enum decode transport_sctp(struct pkt_view *v)
{
	struct cursor c = v->body;

	v->sport = cursor_be16(&c);
	v->dport = cursor_be16(&c);
	cursor_skip(&c, 8); /* verification tag, checksum */
	if (!cursor_ok(&c)) {
		v->sport = v->dport = 0;
		return v->body_wire_len < 12 ? DECODE_MALFORMED : DECODE_SHORT;
	}
	v->payload = c.at;
	v->payload_len = (uint32_t)cursor_left(&c);
	v->wire_len = v->body_wire_len - 12;
	return DECODE_OK;
}

/* Cut the body at the datagram's end: what follows is link padding. */
static void view_body(struct pkt_view *v, const uint8_t *at, uint32_t left, uint32_t wire_len)
{
	v->body.at = at;
	v->body.end = at + (left < wire_len ? left : wire_len);
	v->body.short_read = false;
	v->body_wire_len = wire_len;
}

/* IPv4 header, RFC 791 section 3.1.  A total length of 0 is what a sender with
 * segmentation offload leaves in a capture of its own: take the rest.  More than
 * was captured is no error, the body is then shorter than body_wire_len. */
static enum decode decode_ip4(struct pkt_view *v, struct cursor *c)
{
	uint32_t header_len, total, left = (uint32_t)cursor_left(c);
	const uint8_t *p = cursor_take(c, 20);
	uint16_t frag;

	if (!p)
		return DECODE_SHORT;
	header_len = (p[0] & 0x0fu) * 4;
	total = load_be16(p + 2);
	frag = load_be16(p + 6);
	v->proto = p[9];
	v->src.v = v->dst.v = 4;
	memcpy(v->src.b, p + 12, 4);
	memcpy(v->dst.b, p + 16, 4);
	if (total == 0)
		total = left;
	if (header_len < 20 || total < header_len)
		return DECODE_MALFORMED;
	if (!cursor_take(c, header_len - 20))
		return DECODE_SHORT;
	view_body(v, c->at, left - header_len, total - header_len);
	if (!(frag & 0x3fff))
		return decode_transport(v);
	v->frag.id = load_be16(p + 4);
	v->frag.off = (frag & 0x1fffu) * 8;
	v->frag.more = frag & 0x2000;
	return DECODE_FRAGMENT;
}

/* One IPv6 extension header (RFC 8200 section 4); *next becomes what follows
 * it.  Returns its length in bytes, 0 if `*next` is no extension header. */
static uint32_t ip6_extension(struct pkt_view *v, struct cursor *c, uint8_t *next)
{
	const struct cursor start = *c;
	uint8_t type = *next, units;
	uint32_t len;
	uint16_t off;

	if (type != EXT_HOPOPT && type != EXT_ROUTING && type != EXT_FRAGMENT &&
	    type != EXT_AH && type != EXT_DSTOPT)
		return 0;
	*next = cursor_u8(c);
	units = cursor_u8(c);
	len = type == EXT_AH ? (units + 2u) * 4 : (units + 1u) * 8;
	if (type == EXT_FRAGMENT) {
		len = 8;
		off = cursor_be16(c);
		v->frag.off = off & 0xfff8u;
		v->frag.more = off & 1;
		v->frag.id = cursor_be32(c);
	}
	*c = cursor_from(&start, len);
	return len;
}

/* Walk the extension headers from v->proto and v->body on, up to the transport
 * or a fragment header.  At most EXT_MAX steps, each of eight bytes or more. */
static enum decode ip6_chain(struct pkt_view *v)
{
	uint32_t len;

	for (int steps = 0; steps < EXT_MAX; steps++) {
		len = ip6_extension(v, &v->body, &v->proto);
		if (len > v->body_wire_len)
			return DECODE_MALFORMED;
		v->body_wire_len -= len;
		if (!cursor_ok(&v->body))
			return DECODE_SHORT;
		if (v->frag.off || v->frag.more)
			return DECODE_FRAGMENT;
		if (len == 0)
			return DECODE_OK;
	}
	return DECODE_MALFORMED;
}

enum decode decode_transport(struct pkt_view *v)
{
	struct cursor c;
	enum decode d;

	if (v->src.v == 6) {
		d = ip6_chain(v);
		if (d != DECODE_OK)
			return d;
	}
	switch (v->proto) {
	case IPPROTO_TCP_:
		return transport_tcp(v);
	case IPPROTO_UDP_:
		return transport_udp(v);
	case IPPROTO_SCTP_:
		return transport_sctp(v);
	case IPPROTO_ICMP_:
	case IPPROTO_ICMPV6_:
		c = v->body;
		v->icmp_type = cursor_u8(&c);
		v->icmp_code = cursor_u8(&c);
		if (!cursor_ok(&c))
			return DECODE_SHORT;
		break;
	}
	v->payload = v->body.at;
	v->payload_len = (uint32_t)cursor_left(&v->body);
	v->wire_len = v->body_wire_len;
	return DECODE_OK;
}

/* IPv6 header, RFC 8200 section 3. */
static enum decode decode_ip6(struct pkt_view *v, struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 40);
	uint32_t len, left = (uint32_t)cursor_left(c);

	if (!p)
		return DECODE_SHORT;
	len = load_be16(p + 4);
	v->proto = p[6];
	v->src.v = v->dst.v = 6;
	memcpy(v->src.b, p + 8, 16);
	memcpy(v->dst.b, p + 24, 16);
	/* 0: a jumbogram, or segmentation offload at the sender */
	view_body(v, c->at, left, len ? len : left);
	return decode_transport(v);
}

enum decode decode_ip(struct cursor *c, struct pkt_view *v)
{
	if (cursor_left(c) == 0)
		return DECODE_SHORT;
	switch (*c->at >> 4) {
	case 4:
		return decode_ip4(v, c);
	case 6:
		return decode_ip6(v, c);
	}
	return DECODE_MALFORMED;
}

/* What nearly all packets are: Ethernet, IPv4 without options and in one piece, TCP.
 * Whatever is odd about one is left to the walk below, which says the same of these. */
static bool decode_usual(const struct pkt_in *in, struct pkt_view *v)
{
	enum { ETHER = 14, IP = 20, LEAST = ETHER + IP + 20 };
	const uint8_t *p;
	uint32_t total;

	if (in->linktype != 1 || in->caplen < LEAST || load_be16(in->bytes + 12) != 0x0800)
		return false;
	p = in->bytes + ETHER;
	total = load_be16(p + 2);
	if (p[0] != 0x45 || load_be16(p + 6) & 0x3fff || p[9] != IPPROTO_TCP_ || total < IP)
		return false;
	/* each member by itself: gcc makes a slow string instruction of clearing them all */
	v->src = v->dst = (struct netaddr){ .v = 4 };
	memcpy(v->src.b, p + 12, 4);
	memcpy(v->dst.b, p + 16, 4);
	v->proto = IPPROTO_TCP_;
	v->icmp_type = v->icmp_code = 0;
	v->vlan = 0;
	v->frag = (struct pkt_frag){ .id = 0 };
	v->nflog.present = false;
	view_body(v, p + IP, in->caplen - ETHER - IP, total - IP);
	return transport_tcp(v) == DECODE_OK;
}

enum decode decode_packet(const struct pkt_in *in, struct pkt_view *ret)
{
	struct cursor c = cursor_of(in->bytes, in->caplen);
	enum decode d;

	if (decode_usual(in, ret))
		return DECODE_OK;
	memset(ret, 0, offsetof(struct pkt_view, nflog));
	ret->nflog.present = false;
	ret->payload = ret->body.at = ret->body.end = in->bytes + in->caplen;
	d = decode_link(in->linktype, &c, ret);
	return d == DECODE_OK ? decode_ip(&c, ret) : d;
}
