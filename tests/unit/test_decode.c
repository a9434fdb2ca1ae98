/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: link types, IPv4, IPv6 chains, fragments, NFLOG from crafted bytes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "wire/decode.h"
#include "wire/frag.h"
#include "wire/tunnel.h"
#include "wire/wire.h"

enum { LINK_ETHER = 1, LINK_RAW = 101, LINK_SLL = 113, LINK_SLL2 = 276, LINK_NULL = 0,
	LINK_PPP = 9, LINK_NFLOG = 239 };

/* 192.0.2.1:4660 -> 198.51.100.2:445, PSH|ACK, "hello", and its IPv6 twin. */
static const uint8_t ip4[] = {
	0x45, 0, 0, 45, 0x12, 0x34, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2,
	0x12, 0x34, 0x01, 0xbd, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0, 0, 0, 0, 0, 0,
	'h', 'e', 'l', 'l', 'o' };
static const uint8_t tcp[] = { 0x12, 0x34, 0x01, 0xbd, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18,
	0, 0, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o' };

static uint8_t buf[512];
static size_t buf_len;
static struct pkt_view view;

static void put(const void *bytes, size_t len)
{
	memcpy(buf + buf_len, bytes, len);
	buf_len += len;
}
#define PUT(...) put((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static enum decode decode(int linktype, size_t caplen)
{
	struct pkt_in in = { linktype, 0, (uint32_t)caplen, (uint32_t)buf_len, buf };

	return decode_packet(&in, &view);
}

static void assert_hello(void)
{
	assert_int_equal(view.proto, 6);
	assert_int_equal(view.sport, 0x1234);
	assert_int_equal(view.dport, 445);
	assert_int_equal(view.seq, 0x01020304);
	assert_int_equal(view.ack, 0x05060708);
	assert_int_equal(view.tcp_flags, TCP_PSH | TCP_ACK);
	assert_int_equal(view.payload_len, 5);
	assert_int_equal(view.wire_len, 5);
	assert_memory_equal(view.payload, "hello", 5);
}

static int empty(void **state)
{
	(void)state;
	buf_len = 0;
	return 0;
}

static void link_types(void **state)
{
	static const uint8_t macs[12];

	(void)state;
	put(ip4, sizeof(ip4));
	assert_int_equal(decode(LINK_RAW, buf_len), DECODE_OK);
	assert_hello();
	buf_len = 0;
	put(macs, 12), PUT(8, 0), put(ip4, sizeof(ip4)), PUT(0, 0, 0);
	assert_int_equal(decode(LINK_ETHER, buf_len), DECODE_OK);
	assert_hello(); /* without the padding */
	buf_len = 0;
	put(macs, 12), PUT(0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 8, 0), put(ip4, sizeof(ip4));
	assert_int_equal(decode(LINK_ETHER, buf_len), DECODE_OK);
	assert_hello();
	assert_int_equal(view.vlan, 7);
	buf_len = 0;
	put(macs, 12), PUT(0, 0, 8, 0), put(ip4, sizeof(ip4));
	assert_int_equal(decode(LINK_SLL, buf_len), DECODE_OK);
	assert_hello();
	buf_len = 0;
	PUT(8, 0), put(macs, 12), PUT(0, 0, 0, 0, 0, 0), put(ip4, sizeof(ip4));
	assert_int_equal(decode(LINK_SLL2, buf_len), DECODE_OK);
	assert_hello();
	buf_len = 0;
	PUT(2, 0, 0, 0), put(ip4, sizeof(ip4));
	assert_int_equal(decode(LINK_NULL, buf_len), DECODE_OK);
	assert_hello();
	buf_len = 0;
	PUT(0xff, 3, 0, 0x21), put(ip4, sizeof(ip4));
	assert_int_equal(decode(LINK_PPP, buf_len), DECODE_OK);
	assert_hello();
	assert_int_equal(decode(4711, buf_len), DECODE_LINKTYPE);
}

/* Begin a packet with these bytes, the IP packet behind: is it found? */
static void assert_link(int linktype, const void *head, size_t len)
{
	buf_len = 0;
	put(head, len);
	put(ip4, sizeof(ip4));
	assert_int_equal(decode(linktype, buf_len), DECODE_OK);
	assert_hello();
	assert_int_not_equal(decode(linktype, len), DECODE_OK);
}
#define ASSERT_LINK(linktype, text) assert_link(linktype, text, sizeof(text) - 1)

#define MACS "\2\0\0\0\0\1\2\0\0\0\0\2"
#define SNAP "\xaa\xaa\3\0\0\0\x08\0"

static void rare_links(void **state)
{
	enum { PPPOE = 51, ATM = 100, CHDLC = 104, WLAN = 105, ENC = 109, RADIO = 127,
		PKTAP = 258 };

	(void)state;
	ASSERT_LINK(LINK_ETHER, MACS "\0\65" SNAP); /* a length: LLC and SNAP follow */
	ASSERT_LINK(LINK_ETHER, MACS "\x81\0\0\7\0\65" SNAP);
	ASSERT_LINK(LINK_ETHER, MACS "\x88\x47\0\1\0\x40\0\2\1\x40"); /* two labels */
	ASSERT_LINK(LINK_ETHER, MACS "\x88\x64\x11\0\0\1\0\57\0\x21");
	ASSERT_LINK(PPPOE, "\x11\0\0\1\0\57\0\x21");
	ASSERT_LINK(ATM, SNAP);
	ASSERT_LINK(CHDLC, "\x0f\0\x08\0");
	ASSERT_LINK(LINK_PPP, "\x8f\0\x08\0");
	ASSERT_LINK(LINK_PPP, "\xff\3\2\x81\0\1\1\x40");
	ASSERT_LINK(ENC, "\2\0\0\0" "\0\0\1\0" "\0\0\0\0");
	ASSERT_LINK(WLAN, "\x08\1\0\0" MACS "\0\0\0\0\0\3\0\0" SNAP);
	ASSERT_LINK(WLAN, "\x88\3\0\0" MACS MACS "\0\0\0\0" SNAP); /* four addresses, QoS */
	ASSERT_LINK(WLAN, "\x88\x81\0\0" MACS "\0\0\0\0\0\3\0\0\0\0\1\2\3\4" SNAP);
	ASSERT_LINK(RADIO, "\0\0\x0c\0\0\0\0\0ABCD" "\x08\1\0\0" MACS
			   "\0\0\0\0\0\3\0\0" SNAP);
	ASSERT_LINK(PKTAP, "\x0c\0\0\0\1\0\0\0\1\0\0\0" MACS "\x08\0");
	ASSERT_LINK(PKTAP, "\x0c\0\0\0\1\0\0\0\x0c\0\0\0");
}

/* Headers like them that hold no IP, or none that can be read. */
static void rare_links_without(void **state)
{
	static const struct {
		int linktype;
		const char *head;
		size_t len;
	} rows[] = {
#define ROW(linktype, text) { linktype, text, sizeof(text) - 1 }
		ROW(LINK_ETHER, MACS "\0\65" "\xf0\xf0\3\0\0\0\x08\0"), /* NetBIOS */
		ROW(LINK_ETHER, MACS "\0\3" "\x42\x42\3"),
		ROW(LINK_ETHER, MACS "\0\65" "\xaa\xaa\3\0\0\0\x08\6"), /* ARP */
		ROW(LINK_ETHER, MACS "\x88\x47\0\1\1\x40\0\0\0\0"), /* pseudowire */
		ROW(105, "\x08\x41\0\0" MACS "\0\0\0\0\0\3\0\0" SNAP), /* encrypted */
		ROW(105, "\x48\1\0\0" MACS "\0\0\0\0\0\3\0\0"),	    /* empty */
		ROW(105, "\x80\0\0\0" MACS "\0\0\0\0\0\3\0\0" SNAP),    /* beacon */
		ROW(105, "\x88\1\0\0" MACS "\0\0\0\0\0\3\0\0\x80\0" SNAP), /* A-MSDU */
		ROW(258, "\4\0\0\0\1\0\0\0\1\0\0\0" MACS "\x08\0"),
		ROW(258, "\x0c\0\0\0\1\0\0\0\x69\0\0\0"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_len = 0;
		put(rows[i].head, rows[i].len);
		put(ip4, sizeof(ip4));
		assert_int_equal(decode(rows[i].linktype, buf_len), DECODE_NOT_IP);
	}
}

static void put_ip6(uint8_t next, uint8_t len)
{
	PUT(0x60, 0, 0, 0, 0, len, next, 64);
	PUT(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	PUT(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
}

static void ip6_extensions(void **state)
{
	(void)state;
	put_ip6(0, 8 + 16 + 12 + sizeof(tcp));
	PUT(60, 0, 1, 4, 0, 0, 0, 0);		    /* hop by hop */
	PUT(51, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0); /* destination */
	PUT(6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1);    /* AH */
	put(tcp, sizeof(tcp));
	assert_int_equal(decode(LINK_RAW, buf_len), DECODE_OK);
	assert_hello();
	assert_int_equal(view.src.v, 6);
	/* A chain without end is refused, one cut short says so. */
	buf_len = 0;
	put_ip6(0, 160);
	for (int i = 0; i < 20; i++)
		PUT(0, 0, 1, 4, 0, 0, 0, 0);
	assert_int_equal(decode(LINK_RAW, buf_len), DECODE_MALFORMED);
	assert_int_equal(decode(LINK_RAW, 60), DECODE_SHORT);
}

static void bad_lengths(void **state)
{
	(void)state;
	put(ip4, sizeof(ip4));
	for (size_t cut = 0; cut < 40; cut++)
		assert_int_equal(decode(LINK_RAW, cut), DECODE_SHORT);
	assert_int_equal(decode(LINK_RAW, 42), DECODE_OK);
	assert_int_equal(view.payload_len, 2);
	assert_int_equal(view.wire_len, 5);
	buf[0] = 0x44;
	assert_int_equal(decode(LINK_RAW, buf_len), DECODE_MALFORMED);
	buf[0] = 0x45, buf[3] = 19;
	assert_int_equal(decode(LINK_RAW, buf_len), DECODE_MALFORMED);
	buf[3] = 45, buf[32] = 0x40;
	assert_int_equal(decode(LINK_RAW, buf_len), DECODE_MALFORMED);
	buf[32] = 0xf0; /* 60 bytes of header in 25 */
	assert_int_equal(decode(LINK_RAW, buf_len), DECODE_MALFORMED);
	buf[32] = 0x50, buf[2] = buf[3] = 0; /* offload: no total length */
	assert_int_equal(decode(LINK_RAW, buf_len), DECODE_OK);
	assert_hello();
}

static void nflog(void **state)
{
	(void)state;
	PUT(2, 0, 0, 5);
	PUT(11, 0, 10, 0, 'c', 'r', 'd', ' ', 'x', '-', 0, 0); /* prefix, padded */
	PUT(8, 0, 2, 0, 0, 0, 0x12, 0x34);		       /* mark */
	PUT(8, 0, 4, 0, 0, 0, 0, 3);			       /* ifindex in */
	PUT(16, 0, 8, 0, 0, 6, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0);  /* hwaddr */
	PUT(20, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2);
	PUT(4 + sizeof(ip4), 0, 9, 0), put(ip4, sizeof(ip4));
	assert_int_equal(decode(LINK_NFLOG, buf_len), DECODE_OK);
	assert_hello();
	assert_true(view.nflog.present);
	assert_int_equal(view.nflog.prefix_len, 6);
	assert_memory_equal(view.nflog.prefix, "crd x-", 6);
	assert_true(view.nflog.has_mark);
	assert_int_equal(view.nflog.mark, 0x1234);
	assert_int_equal(view.nflog.ifindex_in, 3);
	assert_int_equal(view.nflog.hwaddr_len, 6);
	assert_int_equal(view.nflog.ts_us, 1000002);
	buf[4] = 3; /* a TLV shorter than its header */
	assert_int_equal(decode(LINK_NFLOG, buf_len), DECODE_MALFORMED);
	assert_int_equal(decode(LINK_NFLOG, 3), DECODE_SHORT);
}

static bool fragment(struct frag_pool *p, uint16_t off, bool more, const uint8_t *bytes,
    uint8_t len)
{
	buf_len = 0;
	put(ip4, 20);
	buf[3] = (uint8_t)(20 + len);
	buf[6] = (uint8_t)((more ? 0x20 : 0) | off / 8 >> 8);
	buf[7] = (uint8_t)(off / 8);
	put(bytes, len);
	assert_int_equal(decode(LINK_RAW, buf_len), DECODE_FRAGMENT);
	return frag_add(p, &view, 0);
}

static void fragments(void **state)
{
	struct frag_pool *p = frag_pool_new(2);
	uint8_t other[8] = { 0 };

	(void)state;
	assert_false(fragment(p, 16, false, tcp + 16, sizeof(tcp) - 16));
	assert_false(fragment(p, 0, true, tcp, 8));
	assert_false(fragment(p, 0, true, tcp, 8)); /* repeated */
	assert_true(fragment(p, 8, true, tcp + 8, 8));
	memset(&view.frag, 0, sizeof(view.frag));
	assert_int_equal(decode_transport(&view), DECODE_OK);
	assert_hello();
	/* An overlap that differs gives the datagram up. */
	assert_false(fragment(p, 0, true, tcp, 8));
	assert_false(fragment(p, 0, true, other, 8));
	assert_false(fragment(p, 8, true, tcp + 8, 8));
	assert_false(fragment(p, 16, false, tcp + 16, sizeof(tcp) - 16));
	assert_int_equal(frag_pool_stats(p)->datagrams, 1);
	assert_int_equal(frag_pool_stats(p)->dropped, 1);
	frag_pool_free(p);
}

/* A piece behind the last one is none in the place of one that is missing. */
static void fragment_behind(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct frag_pool *p = frag_pool_new(1);

		if (late)
			assert_false(fragment(p, 64, true, tcp, 8));
		assert_false(fragment(p, 16, false, tcp + 16, sizeof(tcp) - 16));
		if (!late)
			assert_false(fragment(p, 64, true, tcp, 8));
		assert_false(fragment(p, 0, true, tcp, 8));
		assert_int_equal(frag_pool_stats(p)->datagrams, 0);
		assert_int_equal(frag_pool_stats(p)->dropped, 1);
		frag_pool_free(p);
	}
}

/* SCTP has ports, too, and a header of 12 bytes. */
static void sctp(void **state)
{
	(void)state;
	put(ip4, 20);
	buf[3] = 36;
	buf[9] = 132;
	PUT(0x12, 0x34, 0x0b, 0x59, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 4);
	assert_int_equal(decode(LINK_RAW, buf_len), DECODE_OK);
	assert_int_equal(view.sport, 0x1234);
	assert_int_equal(view.dport, 2905);
	assert_int_equal(view.payload_len, 4);
	assert_int_equal(decode(LINK_RAW, 31), DECODE_SHORT);
	buf[3] = 31;
	assert_int_equal(decode(LINK_RAW, 31), DECODE_MALFORMED);
}

/* An IPv4 packet of this protocol around what begins at `at`. */
static void around(uint8_t proto, size_t at)
{
	size_t len = buf_len - at;

	memmove(buf + at + 20, buf + at, len);
	memcpy(buf + at, ip4, 20);
	buf[at + 2] = (uint8_t)((len + 20) >> 8);
	buf[at + 3] = (uint8_t)(len + 20);
	buf[at + 9] = proto;
	buf_len += 20;
}

static bool entered(size_t caplen, enum decode *ret_how)
{
	assert_int_equal(decode(LINK_RAW, caplen), DECODE_OK);
	return tunnel_enter(&view, ret_how);
}

/* What a tunnel's packet carries behind its own IP header, up to the IP packet. */
static const struct tunnel_case {
	uint8_t proto, len;
	const char *head;
} cases[] = {
#define CASE(proto, text) { proto, sizeof(text) - 1, text }
#define UDP(port) "\x80\0" port "\0\0\0\0" /* put_case() knows the length */
	CASE(4, ""),
	CASE(47, "\0\0\x08\0"),
	CASE(47, "\x80\0\x08\0\x12\x34\0\0"),
	CASE(47, "\x20\0\x08\0\0\0\0\7"),
	CASE(47, "\x30\0\x08\0\0\0\0\7\0\0\0\1"),
	CASE(47, "\x40\0\x08\0\0\0\0\0\x08\0\0\4\x0a\0\0\1\0\0\0\0"),
	CASE(47, "\0\0\x65\x58" MACS "\x08\0"),
	CASE(47, "\0\0\x88\xbe" MACS "\x08\0"),
	CASE(47, "\x10\0\x88\xbe\0\0\0\1\x10\1\0\1\0\0\0\0" MACS "\x81\0\0\7\x08\0"),
	CASE(47, "\x10\0\x22\xeb\0\0\0\1\x20\1\0\1\0\0\0\0\0\0\0\0" MACS "\x08\0"),
	CASE(47, "\x10\0\x22\xeb\0\0\0\1\x20\1\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"
		 MACS "\x08\0"),
	CASE(47, "\x10\0\x22\xeb\0\0\0\1\x20\1\0\1\0\0\0\0\0\0\x08\0"),
	CASE(17, UDP("\x12\xb5") "\x08\0\0\0\0\1\2\0" MACS "\x08\0"),
	CASE(17, UDP("\x17\xc1") "\0\0\x65\x58\0\1\2\0" MACS "\x08\0"),
	CASE(17, UDP("\x17\xc1") "\2\0\x08\0\0\1\2\0\0\0\0\1\0\0\0\0"),
	CASE(17, UDP("\x08\x68") "\x30\xff\0\x2d\0\0\0\1"),
	CASE(17, UDP("\x08\x68") "\x32\xff\0\x31\0\0\0\1\0\1\0\0"),
	CASE(17, UDP("\x08\x68") "\x34\xff\0\x35\0\0\0\1\0\0\0\x85\1\0\1\0"),
};

static void put_case(const struct tunnel_case *t)
{
	buf_len = 0;
	put(t->head, t->len);
	put(ip4, sizeof(ip4));
	around(t->proto, 0);
	if (t->proto == 17)
		buf[25] = (uint8_t)(buf_len - 20);
}

static void tunnels(void **state)
{
	enum decode how = DECODE_OK;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_case(&cases[i]);
		assert_true(entered(buf_len, &how));
		assert_int_equal(how, DECODE_OK);
		assert_hello();
		assert_int_equal(view.src.b[0], 192);
		assert_false(tunnel_enter(&view, &how));
		/* cut by the snap length: where the headers end it can be told */
		for (size_t cut = cases[i].proto == 17 ? 28 : 20; cut < buf_len - 25; cut++) {
			how = DECODE_OK;
			if (!entered(cut, &how))
				fail_msg("case %zu cut at %zu", i, cut);
			assert_int_equal(how, DECODE_SHORT);
		}
		assert_true(entered(buf_len - 2, &how));
		assert_int_equal(how, DECODE_OK);
		assert_int_equal(view.payload_len, 3);
		assert_int_equal(view.wire_len, 5);
	}
}

/* What isn't one, and what carries no IP, stays what it was. */
static void no_tunnels(void **state)
{
	static const struct tunnel_case none[] = {
		CASE(41, ""),					    /* IPv4 there */
		CASE(47, "\0\0\0\0"),				    /* keep-alive */
		CASE(47, "\0\1\x88\x0b"),			    /* PPTP */
		CASE(47, "\0\0\x08\6"),				    /* ARP */
		CASE(47, "\0\0\x65\x58" MACS "\x08\6"),
		CASE(47, "\x10\0\x22\xeb\0\0\0\1\x20\1\0\1\0\0\0\0\0\0\4\0"),
		CASE(17, UDP("\x12\xb6") "\x08\0\0\0\0\1\2\0" MACS "\x08\0"),
		CASE(17, UDP("\x12\xb5") "\0\0\0\0\0\1\2\0" MACS "\x08\0"),
		CASE(17, UDP("\x17\xc1") "\x40\0\x65\x58\0\1\2\0" MACS "\x08\0"),
		CASE(17, UDP("\x08\x68") "\x30\1\0\x2d\0\0\0\1"), /* echo */
		CASE(17, UDP("\x08\x68") "\x4f\xff\0\x2d\0\0\0\1"),
		CASE(17, UDP("\x08\x68") "\x34\xff\0\x35\0\0\0\1\0\0\0\x85\0\0\1\0"),
		CASE(6, "\x12\x34\1\xbd\0\0\0\0\0\0\0\0\x50\x10\0\0\0\0\0\0"),
	};
	enum decode how = DECODE_LINKTYPE;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		put_case(&none[i]);
		assert_false(entered(buf_len, &how));
		assert_int_equal(how, DECODE_LINKTYPE);
		assert_int_equal(view.proto, none[i].proto);
		assert_ptr_equal(view.body.at, buf + 20);
	}
	put_case(&cases[0]); /* all of it came, but the packet inside says it is longer */
	buf[23] = 60;
	buf_len -= 20;
	buf[3] = (uint8_t)buf_len;
	assert_false(entered(buf_len, &how));
}

/* How many TCP packets are seen. */
static uint64_t tcp_in(struct wire *w)
{
	struct pkt_in in = { LINK_RAW, 1, (uint32_t)buf_len, (uint32_t)buf_len, buf };
	struct wire_stats before, after;
	struct sighting s;

	wire_get_stats(w, &before);
	wire_packet(w, &in, &s);
	wire_get_stats(w, &after);
	return after.tcp - before.tcp;
}

static void nested(void **state)
{
	const struct wire_conf conf = { .flows = 16, .streams = 2, .facts = 2, .frags = 1,
		.tunnels = true };
	struct wire *in = wire_new(&conf), *outside = wire_new(NULL);
	struct wire_stats st;

	(void)state;
	assert_non_null(in);
	assert_non_null(outside);
	put(ip4, sizeof(ip4));
	for (int depth = 1; depth <= 5; depth++) {
		around(4, 0);
		assert_int_equal(tcp_in(in), depth <= 4);
		assert_int_equal(tcp_in(outside), 0); /* sensor, replay: the outer packet */
	}
	wire_get_stats(in, &st);
	assert_int_equal(st.tunnelled, 5);
	wire_get_stats(outside, &st);
	assert_int_equal(st.tunnelled, 0);
	wire_free(in);
	wire_free(outside);
}

/* A part of what `all` carries as a fragment, in the tunnel if that is asked. */
static void put_piece(const uint8_t *all, size_t len, size_t off, size_t end, bool tunnelled)
{
	buf_len = 0;
	put(all, 20), put(all + 20 + off, end - off);
	buf[3] = (uint8_t)buf_len;
	buf[6] = (uint8_t)((end < len - 20 ? 0x20 : 0) | off / 8 >> 8);
	buf[7] = (uint8_t)(off / 8);
	if (tunnelled)
		around(4, 0);
}

/* The tunnel's packet, what is in it, or both are in pieces; there is one place for them. */
static void pieces_in_tunnels(void **state)
{
	const struct wire_conf conf = { .flows = 16, .streams = 2, .facts = 2, .frags = 1,
		.tunnels = true };
	struct wire *w = wire_new(&conf);
	uint8_t whole[128];

	(void)state;
	assert_non_null(w);
	put_piece(ip4, sizeof(ip4), 0, 8, true);
	assert_int_equal(tcp_in(w), 0);
	put_piece(ip4, sizeof(ip4), 8, 25, true);
	assert_int_equal(tcp_in(w), 1);
	buf_len = 0;
	put(ip4, sizeof(ip4)), around(4, 0);
	memcpy(whole, buf, 65);
	put_piece(whole, 65, 24, 45, false);
	assert_int_equal(tcp_in(w), 0);
	put_piece(whole, 65, 0, 24, false);
	assert_int_equal(tcp_in(w), 1);
	/* put together it is a piece again, and lies where that has to go */
	put_piece(ip4, sizeof(ip4), 0, 16, true);
	memcpy(whole, buf, 56);
	put_piece(whole, 56, 0, 16, false);
	assert_int_equal(tcp_in(w), 0);
	put_piece(whole, 56, 16, 36, false);
	assert_int_equal(tcp_in(w), 0);
	put_piece(ip4, sizeof(ip4), 16, 25, true);
	assert_int_equal(tcp_in(w), 1);
	wire_free(w);
}

#define TEST(f) cmocka_unit_test_setup(f, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(link_types),
		TEST(rare_links),
		TEST(rare_links_without),
		TEST(ip6_extensions),
		TEST(bad_lengths),
		TEST(sctp),
		TEST(nflog),
		TEST(fragments),
		TEST(fragment_behind),
		TEST(tunnels),
		TEST(no_tunnels),
		TEST(nested),
		TEST(pieces_in_tunnels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
