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

#define TEST(f) cmocka_unit_test_setup(f, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(link_types),
		TEST(ip6_extensions),
		TEST(bad_lengths),
		TEST(sctp),
		TEST(nflog),
		TEST(fragments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
