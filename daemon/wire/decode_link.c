/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: link headers; one row of a table a link type */
#include "wire/decode_link.h"

#include <string.h>

enum { ETHER_IP4 = 0x0800, ETHER_IP6 = 0x86dd, ETHER_VLAN = 0x8100, ETHER_QINQ = 0x88a8,
	ETHER_QINQ_OLD = 0x9100, ETHER_PPPOE = 0x8864, ETHER_MPLS = 0x8847,
	ETHER_MPLS_UP = 0x8848, ETHER_LENGTH_MAX = 1500, VLAN_MAX = 4, LABELS_MAX = 8 };

static enum decode ethertype(uint16_t type)
{
	return type == ETHER_IP4 || type == ETHER_IP6 ? DECODE_OK : DECODE_NOT_IP;
}

/* Labels up to the one with the bottom bit (RFC 3032 section 2.1).  What they carry no
 * field says; an IP header shows itself, a pseudowire begins with 0. */
static enum decode mpls(struct cursor *c)
{
	uint32_t label = 0;

	for (int i = 0; i < LABELS_MAX && !(label & 0x100); i++)
		label = cursor_be32(c);
	if (!cursor_ok(c) || cursor_left(c) == 0)
		return DECODE_SHORT;
	return *c->at >> 4 == 4 || *c->at >> 4 == 6 ? DECODE_OK : DECODE_NOT_IP;
}

/* PPP's protocol field (RFC 1661 section 2), one byte where compressed. */
static enum decode ppp_protocol(struct cursor *c)
{
	uint16_t proto = cursor_u8(c);

	if (!(proto & 1))
		proto = (uint16_t)(proto << 8 | cursor_u8(c));
	if (!cursor_ok(c))
		return DECODE_SHORT;
	if (proto == 0x281 || proto == 0x283)
		return mpls(c);
	return proto == 0x21 || proto == 0x57 ? DECODE_OK : DECODE_NOT_IP;
}

/* LLC with SNAP, which names an EtherType (RFC 1042); 0 for any other LLC. */
static uint16_t snap(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 8);

	return p && memcmp(p, "\xaa\xaa\x03\0\0", 6) == 0 ? load_be16(p + 6) : 0;
}

static enum decode link_llc(struct cursor *c, struct pkt_view *v)
{
	(void)v;
	return ethertype(snap(c));
}

/* What follows an EtherType: 802.1Q and 802.1ad tags, then IP, or what it is wrapped in.
 * A small number is the length of an LLC frame instead (IEEE 802.3). */
enum decode decode_ethertype(uint16_t type, struct cursor *c, struct pkt_view *v)
{
	int tags;
	uint16_t tci;

	for (tags = 0; tags < VLAN_MAX && (type == ETHER_VLAN || type == ETHER_QINQ ||
					     type == ETHER_QINQ_OLD);
	    tags++) {
		tci = cursor_be16(c);
		if (tags == 0)
			v->vlan = tci & 0x0fff;
		type = cursor_be16(c);
	}
	if (!cursor_ok(c))
		return DECODE_SHORT;
	if (type == ETHER_PPPOE) {
		cursor_skip(c, 6);
		return ppp_protocol(c);
	}
	if (type == ETHER_MPLS || type == ETHER_MPLS_UP)
		return mpls(c);
	return type <= ETHER_LENGTH_MAX ? link_llc(c, v) : ethertype(type);
}

static enum decode link_ether(struct cursor *c, struct pkt_view *v)
{
	const uint8_t *p = cursor_take(c, 14);
	uint16_t type = p ? load_be16(p + 12) : 0;

	return type == ETHER_IP4 ? DECODE_OK : decode_ethertype(type, c, v);
}

static enum decode link_raw(struct cursor *c, struct pkt_view *v)
{
	(void)c, (void)v;
	return DECODE_OK;
}

/* Linux cooked: packet type, ARPHRD, address length and bytes, then EtherType. */
static enum decode link_sll(struct cursor *c, struct pkt_view *v)
{
	cursor_skip(c, 14);
	return decode_ethertype(cursor_be16(c), c, v);
}

static enum decode link_sll2(struct cursor *c, struct pkt_view *v)
{
	uint16_t type = cursor_be16(c);

	cursor_skip(c, 18);
	return decode_ethertype(type, c, v);
}

/* BSD loopback: an address family in the byte order of who captured (NULL) or
 * of the network (LOOP); its number for IPv6 differs by system. */
static enum decode link_null(struct cursor *c, struct pkt_view *v)
{
	uint32_t family = cursor_be32(c);

	(void)v;
	if (!cursor_ok(c))
		return DECODE_SHORT;
	if (family >> 16)
		family = __builtin_bswap32(family);
	return family == 2 || family == 10 || family == 24 || family == 28 || family == 30
	    ? DECODE_OK
	    : DECODE_NOT_IP;
}

/* Cisco's HDLC: address, control, EtherType. */
static enum decode link_chdlc(struct cursor *c, struct pkt_view *v)
{
	cursor_skip(c, 2);
	return decode_ethertype(cursor_be16(c), c, v);
}

/* On serial lines also Cisco's framing is called PPP (RFC 1547 section 4.3.1). */
static enum decode link_ppp(struct cursor *c, struct pkt_view *v)
{
	if (cursor_starts(c, "\x0f", 2) || cursor_starts(c, "\x8f", 2))
		return link_chdlc(c, v);
	if (cursor_starts(c, "\xff\x03", 2))
		cursor_skip(c, 2);
	return ppp_protocol(c);
}

static enum decode link_pppoe(struct cursor *c, struct pkt_view *v)
{
	(void)v;
	cursor_skip(c, 6);
	return ppp_protocol(c);
}

/* BSD's IPsec: address family, SPI, flags. */
static enum decode link_enc(struct cursor *c, struct pkt_view *v)
{
	enum decode d = link_null(c, v);

	cursor_skip(c, 8);
	return d;
}

/* IEEE 802.11, section 9.2: frame control u16 LE, and of a data frame three addresses or
 * four, QoS, HT control.  Nothing is seen of encrypted and of aggregated ones. */
static enum decode link_wlan(struct cursor *c, struct pkt_view *v)
{
	enum { TYPE = 0x0c, DATA = 0x08, EMPTY = 0x40, QOS = 0x80, BOTH_DS = 0x0300,
		PROTECTED = 0x4000, ORDER = 0x8000, AGGREGATE = 0x80 };
	uint16_t control = cursor_le16(c), qos = 0;

	if (cursor_ok(c) && ((control & TYPE) != DATA || control & (EMPTY | PROTECTED)))
		return DECODE_NOT_IP;
	cursor_skip(c, (control & BOTH_DS) == BOTH_DS ? 28 : 22);
	if (control & QOS)
		qos = cursor_le16(c);
	if (control & QOS && control & ORDER)
		cursor_skip(c, 4);
	return qos & AGGREGATE ? DECODE_NOT_IP : link_llc(c, v);
}

/* Radiotap: version u8, pad u8, length u16 LE, fields. */
static enum decode link_radiotap(struct cursor *c, struct pkt_view *v)
{
	struct cursor head = cursor_from(c, 2);

	cursor_skip(c, cursor_le16(&head));
	return cursor_ok(&head) ? link_wlan(c, v) : DECODE_SHORT;
}

/* macOS's PKTAP: length u32, what next u32, link type u32, LE: of Ethernet or IP. */
static enum decode link_pktap(struct cursor *c, struct pkt_view *v)
{
	struct cursor head = *c;
	uint32_t len = cursor_le32(&head), type;

	cursor_skip(&head, 4);
	type = cursor_le32(&head);
	cursor_skip(c, len);
	if (!cursor_ok(&head) || !cursor_ok(c))
		return DECODE_SHORT;
	if (len >= 12 && type == 1)
		return link_ether(c, v);
	return len >= 12 && type == 12 ? DECODE_OK : DECODE_NOT_IP;
}

/* NFULA_* of linux/netfilter/nfnetlink_log.h; numbers are in network order. */
enum { NFULA_PACKET_HDR = 1, NFULA_MARK, NFULA_TIMESTAMP, NFULA_IFINDEX_INDEV,
	NFULA_IFINDEX_OUTDEV, NFULA_HWADDR = 8, NFULA_PAYLOAD, NFULA_PREFIX,
	NFULA_SEQ = 12 };

static void nflog_value(struct pkt_nflog *n, uint16_t type, struct cursor val,
    struct cursor *ret_payload)
{
	int64_t secs;

	switch (type) {
	case NFULA_PACKET_HDR:
		n->hw_protocol = cursor_be16(&val);
		n->hook = cursor_u8(&val);
		break;
	case NFULA_MARK:
		n->mark = cursor_be32(&val);
		n->has_mark = cursor_ok(&val);
		break;
	case NFULA_TIMESTAMP:
		secs = (int64_t)(cursor_be64(&val) & 0xffffffffffu);
		n->ts_us = secs * 1000000 + (int64_t)(cursor_be64(&val) & 0xfffff);
		break;
	case NFULA_IFINDEX_INDEV:
		n->ifindex_in = cursor_be32(&val);
		break;
	case NFULA_IFINDEX_OUTDEV:
		n->ifindex_out = cursor_be32(&val);
		break;
	case NFULA_HWADDR:
		n->hwaddr_len = (uint8_t)cursor_be16(&val);
		cursor_skip(&val, 2);
		n->hwaddr = n->hwaddr_len <= 8 ? cursor_take(&val, n->hwaddr_len) : NULL;
		n->hwaddr_len = n->hwaddr ? n->hwaddr_len : 0;
		break;
	case NFULA_SEQ:
		n->seq = cursor_be32(&val);
		n->has_seq = cursor_ok(&val);
		break;
	case NFULA_PAYLOAD:
		*ret_payload = val;
		break;
	case NFULA_PREFIX:
		n->prefix = val.at;
		n->prefix_len = (uint16_t)cursor_left(&val);
		while (n->prefix_len && n->prefix[n->prefix_len - 1] == 0)
			n->prefix_len--;
		break;
	}
}

/* DLT_NFLOG: family u8, version u8 (0), resource id u16 BE, then TLVs whose
 * length u16 and type u16 are in the byte order of the machine that captured
 * (cordon's own: little endian is tried first), padded to four bytes. */
static enum decode link_nflog(struct cursor *c, struct pkt_view *v)
{
	struct cursor payload = { c->end, c->end, true };
	uint16_t len, type;
	bool swap;

	memset(&v->nflog, 0, sizeof(v->nflog));
	cursor_skip(c, 1);
	if (cursor_u8(c) != 0)
		return DECODE_MALFORMED;
	v->nflog.group = cursor_be16(c);
	v->nflog.present = cursor_ok(c);
	swap = cursor_left(c) >= 4 && c->at[0] == 0 && c->at[1] >= 4;
	while (cursor_left(c) >= 4) {
		len = swap ? cursor_be16(c) : cursor_le16(c);
		type = swap ? cursor_be16(c) : cursor_le16(c);
		if (len < 4)
			return DECODE_MALFORMED;
		nflog_value(&v->nflog, type & 0x7fff, cursor_sub(c, len - 4u), &payload);
		len = (uint16_t)(-len & 3);
		cursor_skip(c, len < cursor_left(c) ? len : cursor_left(c));
	}
	if (!cursor_ok(c))
		return DECODE_SHORT;
	*c = payload;
	return cursor_left(c) ? DECODE_OK : DECODE_NOT_IP;
}

static const struct link_row {
	int linktype;
	enum decode (*decode)(struct cursor *c, struct pkt_view *v);
} links[] = {
	{ 1, link_ether },   /* EN10MB */
	{ 239, link_nflog }, /* NFLOG */
	{ 113, link_sll },   /* LINUX_SLL */
	{ 276, link_sll2 },  /* LINUX_SLL2 */
	{ 12, link_raw },    /* RAW, as DLT_ on Linux */
	{ 14, link_raw },    /* RAW, as DLT_ on OpenBSD */
	{ 101, link_raw },   /* RAW, as LINKTYPE_ */
	{ 228, link_raw },   /* IPV4 */
	{ 229, link_raw },   /* IPV6 */
	{ 0, link_null },    /* NULL */
	{ 108, link_null },  /* LOOP */
	{ 9, link_ppp },     /* PPP */
	{ 50, link_ppp },    /* PPP_SERIAL */
	{ 51, link_pppoe },  /* PPP_ETHER */
	{ 100, link_llc },   /* ATM_RFC1483, as LINKTYPE_ */
	{ 11, link_llc },    /* ATM_RFC1483, as DLT_ */
	{ 104, link_chdlc }, /* C_HDLC */
	{ 105, link_wlan },  /* IEEE802_11 */
	{ 109, link_enc },   /* ENC */
	{ 127, link_radiotap }, /* IEEE802_11_RADIO */
	{ 258, link_pktap }, /* PKTAP */
};

static const struct link_row *link_find(int linktype)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (links[i].linktype == linktype)
			return &links[i];
	return NULL;
}

bool decode_link_known(int linktype)
{
	return link_find(linktype) != NULL;
}

enum decode decode_link(int linktype, struct cursor *c, struct pkt_view *v)
{
	const struct link_row *row = link_find(linktype);

	return row ? row->decode(c, v) : DECODE_LINKTYPE;
}
