/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what is inside a plain tunnel's packet; one row of a table a kind */
#include "wire/tunnel.h"

#include <string.h>

#include "wire/decode_link.h"

enum { PROTO_IPIP = 4, PROTO_UDP = 17, PROTO_IPV6 = 41, PROTO_GRE = 47 };
enum { PORT_GTPU = 2152, PORT_VXLAN = 4789, PORT_GENEVE = 6081 };
enum { DLT_ETHERNET = 1 };

static enum decode version_is(const struct cursor *c, unsigned version)
{
	if (cursor_left(c) == 0)
		return DECODE_SHORT;
	return *c->at >> 4 == (int)version ? DECODE_OK : DECODE_NOT_IP;
}

static enum decode open_ip4(struct cursor *c, struct pkt_view *v) /* RFC 2003 */
{
	(void)v;
	return version_is(c, 4);
}

static enum decode open_ip6(struct cursor *c, struct pkt_view *v) /* RFC 4213, 2473 */
{
	(void)v;
	return version_is(c, 6);
}

/* ERSPAN of type II, draft-foschiano-erspan-03 section 4.2: version 4 bits, VLAN 12, …, of
 * which type I has nothing, and GRE no sequence number then. */
static enum decode open_erspan2(struct cursor *c, struct pkt_view *v, bool numbered)
{
	if (numbered)
		cursor_skip(c, 8);
	return decode_link(DLT_ETHERNET, c, v);
}

/* Type III, section 4.3: 12 bytes, the last two of which are
 * | P | frame type 5 | hardware id 6 | D | granularity 2 | O |
 * and 8 more where O says so.  Frame type 0 is Ethernet, 2 is IP. */
static enum decode open_erspan3(struct cursor *c, struct pkt_view *v)
{
	uint16_t bits;

	cursor_skip(c, 10);
	bits = cursor_be16(c);
	if (bits & 1)
		cursor_skip(c, 8);
	if (!cursor_ok(c))
		return DECODE_SHORT;
	switch (bits >> 10 & 0x1f) {
	case 0:
		return decode_link(DLT_ETHERNET, c, v);
	case 2:
		return DECODE_OK;
	}
	return DECODE_NOT_IP;
}

/* Source routes, RFC 1701: family u16, offset u8, length u8, bytes; the last has none. */
static void skip_routes(struct cursor *c)
{
	uint16_t family;
	uint8_t len;

	do {
		family = cursor_be16(c);
		cursor_skip(c, 1);
		len = cursor_u8(c);
		cursor_skip(c, len);
	} while (cursor_ok(c) && (family || len));
}

/* What an EtherType in a tunnel's header says; below 1536 it is no EtherType, but, of GRE,
 * a keep-alive (0) or another protocol's business. */
static enum decode typed(uint16_t type, struct cursor *c, struct pkt_view *v)
{
	enum { BRIDGED = 0x6558, LEAST = 1536 };

	if (!cursor_ok(c))
		return DECODE_SHORT;
	if (type == BRIDGED) /* also NVGRE, RFC 7637 */
		return decode_link(DLT_ETHERNET, c, v);
	return type < LEAST ? DECODE_NOT_IP : decode_ethertype(type, c, v);
}

/* RFC 2784, 2890; R of RFC 1701
 *  0               2               4
 * +-+-+-+-+-------+---------------+- - - - - - - - - - - - - - - -+
 * |C|R|K|S|  … ver| EtherType     | C or R: 4, K: 4, S: 4, R: routes
 */
static enum decode open_gre(struct cursor *c, struct pkt_view *v)
{
	enum { C = 0x8000, R = 0x4000, K = 0x2000, S = 0x1000, VERSION = 7 };
	enum { ERSPAN = 0x88be, ERSPAN_III = 0x22eb };
	uint16_t flags = cursor_be16(c), type = cursor_be16(c);

	if (flags & VERSION) /* 1: PPTP */
		return DECODE_NOT_IP;
	cursor_skip(c, flags & (C | R) ? 4 : 0);
	cursor_skip(c, flags & K ? 4 : 0);
	cursor_skip(c, flags & S ? 4 : 0);
	if (flags & R)
		skip_routes(c);
	if (type == ERSPAN)
		return open_erspan2(c, v, flags & S);
	return type == ERSPAN_III ? open_erspan3(c, v) : typed(type, c, v);
}

/* RFC 7348 section 5: flags u8 of which I is set, 3 bytes, VNI 3 bytes, 1 byte. */
static enum decode open_vxlan(struct cursor *c, struct pkt_view *v)
{
	uint8_t flags = cursor_u8(c);

	cursor_skip(c, 7);
	if (!cursor_ok(c))
		return DECODE_SHORT;
	return flags & 0x08 ? decode_link(DLT_ETHERNET, c, v) : DECODE_NOT_IP;
}

/* RFC 8926 section 3.4: version 2 bits (0), words of options 6 bits, flags u8, EtherType
 * u16, VNI 3 bytes, 1 byte. */
static enum decode open_geneve(struct cursor *c, struct pkt_view *v)
{
	uint8_t first = cursor_u8(c);
	uint16_t type;

	cursor_skip(c, 1);
	type = cursor_be16(c);
	cursor_skip(c, 4 + (first & 0x3fu) * 4);
	return first >> 6 == 0 ? typed(type, c, v) : DECODE_NOT_IP;
}

/* 3GPP TS 29.281 section 5.1: version 3 bits (1), PT (1), spare, E, S, PN; message type
 * u8, length u16 of what follows these 8 bytes, TEID u32.  With E, S or PN four more, whose
 * last is the type of an extension header: length u8 in fours, bytes, next type u8. */
static enum decode open_gtpu(struct cursor *c, struct pkt_view *v)
{
	enum { VERSION_1 = 0x30, T_PDU = 255, LONGER = 7 };
	uint8_t flags = cursor_u8(c), type = cursor_u8(c), next = 0, units;

	(void)v;
	cursor_skip(c, 6);
	if (flags & LONGER) {
		cursor_skip(c, 3);
		next = cursor_u8(c);
	}
	if (cursor_ok(c) && ((flags & 0xf0) != VERSION_1 || type != T_PDU))
		return DECODE_NOT_IP;
	while (next && cursor_ok(c)) {
		units = cursor_u8(c);
		if (cursor_ok(c) && units == 0)
			return DECODE_NOT_IP;
		cursor_skip(c, units ? units * 4u - 2 : 0);
		next = cursor_u8(c);
	}
	return cursor_ok(c) ? DECODE_OK : DECODE_SHORT;
}

/* UDP's port is that of the receiver: the sender's is a hash of what is inside. */
static const struct tunnel {
	uint8_t proto;
	uint16_t port;
	enum decode (*open)(struct cursor *c, struct pkt_view *v);
} tunnels[] = {
	{ PROTO_IPIP, 0, open_ip4 },
	{ PROTO_IPV6, 0, open_ip6 },
	{ PROTO_GRE, 0, open_gre },
	{ PROTO_UDP, PORT_VXLAN, open_vxlan },
	{ PROTO_UDP, PORT_GENEVE, open_geneve },
	{ PROTO_UDP, PORT_GTPU, open_gtpu },
};

static const struct tunnel *tunnel_of(const struct pkt_view *v)
{
	for (size_t i = 0; i < sizeof(tunnels) / sizeof(tunnels[0]); i++)
		if (tunnels[i].proto == v->proto &&
		    (v->proto != PROTO_UDP || tunnels[i].port == v->dport))
			return &tunnels[i];
	return NULL;
}

bool tunnel_enter(struct pkt_view *v, enum decode *ret_how)
{
	const struct tunnel *t = tunnel_of(v);
	struct cursor c = cursor_of(v->payload, v->payload_len);
	bool cut = v->payload_len < v->wire_len;
	struct pkt_view in;
	enum decode how;

	if (!t)
		return false;
	memset(&in, 0, sizeof(in));
	in.payload = in.body.at = in.body.end = c.end;
	in.nflog = v->nflog;
	how = t->open(&c, &in);
	if (how == DECODE_OK)
		how = decode_ip(&c, &in);
	/* Who only happens to use the port, or sends no IP inside, stays what it was. */
	if (how != DECODE_OK && how != DECODE_FRAGMENT && !(how == DECODE_SHORT && cut))
		return false;
	if (!in.vlan)
		in.vlan = v->vlan;
	*v = in;
	*ret_how = how;
	return true;
}
