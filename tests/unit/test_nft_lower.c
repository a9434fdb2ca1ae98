/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: each opcode and field becomes what nft makes of the same text, byte by byte */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>

#include <cordon/rules.h>
#include "nftlab.h"

/* ---- what both renderings start with: the sets, in text and in calls ---- */

/* Numbers in the machine's order, as the kernel keeps a priority. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LIST_KEY      "\x67\x45\x23\x81"
#define PRIORITY_FLAG { 0, 0, 0, 0x80 }
#define PRIORITY_ONE  { 1 }
#else
#define LIST_KEY      "\x81\x23\x45\x67"
#define PRIORITY_FLAG { 0x80 }
#define PRIORITY_ONE  { 0, 0, 0, 1 }
#endif

enum { S_PORT4, S_PORT6, S_ADDR4, S_IF4, S_ICMP4, S_RANGE4, S_RANGE6, S_IFS, S_DYN4, S_DYN6,
	S_MAP4, S_PROTO, S_PORTS, S_MAPR, S_ICMP6,
	S_VALUE4, S_VALUER, S_LIST4, S_LIST6, NSETS };
static const struct {
	const char *text;
	struct rs_set set;
} sets[NSETS] = {
	[S_PORT4] = { "set port4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service; "
		      "size 100; elements = { 10.0.0.1 . 10.0.0.2 . tcp . 80 comment \"a/in/b\", "
		      "10.0.0.1 . 10.0.0.3 . udp . 53 }; }",
	    { .key = { RS_T_IP4, RS_T_IP4, RS_T_PROTO, RS_T_PORT }, .nkeys = 4, .size = 100 } },
	[S_PORT6] = { "set port6 { type ipv6_addr . ipv6_addr . inet_proto . inet_service; "
		      "comment \"six\"; }",
	    { .key = { RS_T_IP6, RS_T_IP6, RS_T_PROTO, RS_T_PORT }, .nkeys = 4 } },
	[S_ADDR4] = { "set addr4 { type ipv4_addr; flags timeout; size 10; timeout 90s; }",
	    { .key = { RS_T_IP4 }, .nkeys = 1, .size = 10, .timeout = true, .timeout_s = 90 } },
	[S_IF4] = { "set if4 { type ifname . ipv4_addr; elements = { \"lan8\" . 10.0.0.1 }; }",
	    { .key = { RS_T_IFNAME, RS_T_IP4 }, .nkeys = 2 } },
	[S_ICMP4] = { "set icmp4 { type ipv4_addr . icmp_type; }",
	    { .key = { RS_T_IP4, RS_T_ICMP }, .nkeys = 2 } },
	[S_RANGE4] = { "set range4 { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, "
		       "11.0.0.0/8, 192.168.1.5-192.168.1.9 comment \"r\", "
		       "255.255.0.0-255.255.255.255 comment \"top\" }; }",
	    { .key = { RS_T_IP4 }, .nkeys = 1, .interval = true } },
	[S_RANGE6] = { "set range6 { type ipv6_addr; flags interval,timeout; size 9; }",
	    { .key = { RS_T_IP6 }, .nkeys = 1, .interval = true, .timeout = true, .size = 9 } },
	[S_IFS] = { "set ifs { type ifname; elements = { \"lan8\", \"lan9\" }; }",
	    { .key = { RS_T_IFNAME }, .nkeys = 1 } },
	[S_DYN4] = { "set dyn4 { type ipv4_addr . inet_service; size 100; flags dynamic,timeout; "
		     "timeout 60s; }",
	    { .key = { RS_T_IP4, RS_T_PORT }, .nkeys = 2, .size = 100, .dynamic = true,
		.timeout = true, .timeout_s = 60 } },
	[S_DYN6] = { "set dyn6 { type ipv6_addr; size 100; flags dynamic,timeout; }",
	    { .key = { RS_T_IP6 }, .nkeys = 1, .size = 100, .dynamic = true, .timeout = true } },
	[S_MAP4] = { "map map4 { type ipv4_addr . inet_proto . inet_service : verdict; "
		     "comment \"ports\"; elements = { 10.0.0.1 . tcp . 80 comment \"m\" : goto x, "
		     "10.0.0.1 . tcp . 81 : accept, 10.0.0.1 . tcp . 82 : jump x, "
		     "10.0.0.1 . tcp . 83 : drop }; }",
	    { .key = { RS_T_IP4, RS_T_PROTO, RS_T_PORT }, .nkeys = 3, .map = true } },
	[S_PROTO] = { "set proto { type inet_proto; elements = { tcp, udp, gre }; }",
	    { .key = { RS_T_PROTO }, .nkeys = 1 } },
	[S_PORTS] = { "set ports { type inet_service; elements = { 80, 443 }; }",
	    { .key = { RS_T_PORT }, .nkeys = 1 } },
	[S_MAPR] = { "map mapr { type inet_service : verdict; flags interval; "
		     "elements = { 0-79 : drop, 80-90 : jump x, 91 : return }; }",
	    { .key = { RS_T_PORT }, .nkeys = 1, .map = true, .interval = true } },
	[S_VALUE4] = { "map value4 { type ipv4_addr . inet_proto . inet_service : classid; "
		       "elements = { 10.0.0.1 . tcp . 80 comment \"v\" : 8123:4567, "
		       "10.0.0.1 . tcp . 81 : 8000:1 }; }",
	    { .key = { RS_T_IP4, RS_T_PROTO, RS_T_PORT }, .nkeys = 3, .map = RS_MAP_VALUE } },
	[S_VALUER] = { "map valuer { type inet_service : classid; flags interval; "
		       "elements = { 1-79 : 8006:1, 80-90 : 8006:50 }; }",
	    { .key = { RS_T_PORT }, .nkeys = 1, .map = RS_MAP_VALUE, .interval = true } },
	[S_LIST4] = { "set list4 { type classid . ipv4_addr; elements = { "
		      "8123:4567 . 10.1.16.0 }; }",
	    { .key = { RS_T_PRIORITY, RS_T_IP4 }, .nkeys = 2 } },
	[S_LIST6] = { "map list6 { type ipv6_addr . classid : classid; }",
	    { .key = { RS_T_IP6, RS_T_PRIORITY }, .nkeys = 2, .map = RS_MAP_VALUE } },
	[S_ICMP6] = { "set icmp6 { type icmpv6_type; elements = { nd-neighbor-solicit, 134 }; }",
	    { .key = { RS_T_ICMP6 }, .nkeys = 1 } },
};

static const struct {
	int set;
	const char *key, *end; /* bytes, of the set's key_len */
	enum rs_go go;
	const char *comment;
	uint32_t value; /* of maps to values */
} elems[] = {
	{ S_PORT4, "\12\0\0\1\12\0\0\2\6\0\0\0\0\120\0\0", NULL, 0, "a/in/b", 0 },
	{ S_PORT4, "\12\0\0\1\12\0\0\3\21\0\0\0\0\65\0\0", NULL, 0, "", 0 },
	{ S_IF4, "lan8\0\0\0\0\0\0\0\0\0\0\0\0\12\0\0\1", NULL, 0, "", 0 },
	{ S_RANGE4, "\12\0\0\0", "\12\377\377\377", 0, "", 0 },
	{ S_RANGE4, "\13\0\0\0", "\13\377\377\377", 0, "", 0 },
	{ S_RANGE4, "\300\250\1\5", "\300\250\1\11", 0, "r", 0 },
	{ S_RANGE4, "\377\377\0\0", "\377\377\377\377", 0, "top", 0 },
	{ S_IFS, "lan8\0\0\0\0\0\0\0\0\0\0\0\0", NULL, 0, "", 0 },
	{ S_IFS, "lan9\0\0\0\0\0\0\0\0\0\0\0\0", NULL, 0, "", 0 },
	{ S_MAP4, "\12\0\0\1\6\0\0\0\0\120\0\0", NULL, RS_GOTO, "m", 0 },
	{ S_MAP4, "\12\0\0\1\6\0\0\0\0\121\0\0", NULL, RS_ACCEPT, "", 0 },
	{ S_MAP4, "\12\0\0\1\6\0\0\0\0\122\0\0", NULL, RS_JUMP, "", 0 },
	{ S_MAP4, "\12\0\0\1\6\0\0\0\0\123\0\0", NULL, RS_DROP, "", 0 },
	{ S_PROTO, "\6\0\0\0", NULL, 0, "", 0 },
	{ S_PROTO, "\21\0\0\0", NULL, 0, "", 0 },
	{ S_PROTO, "\57\0\0\0", NULL, 0, "", 0 },
	{ S_PORTS, "\0\120\0\0", NULL, 0, "", 0 },
	{ S_PORTS, "\1\273\0\0", NULL, 0, "", 0 },
	{ S_MAPR, "\0\0\0\0", "\0\117\0\0", RS_DROP, "", 0 },
	{ S_MAPR, "\0\120\0\0", "\0\132\0\0", RS_JUMP, "", 0 },
	{ S_MAPR, "\0\133\0\0", "\0\133\0\0", RS_RETURN, "", 0 },
	{ S_ICMP6, "\207\0\0\0", NULL, 0, "", 0 },
	{ S_ICMP6, "\206\0\0\0", NULL, 0, "", 0 },
	{ S_VALUE4, "\12\0\0\1\6\0\0\0\0\120\0\0", NULL, 0, "v", 0x81234567 },
	{ S_VALUE4, "\12\0\0\1\6\0\0\0\0\121\0\0", NULL, 0, "", 0x80000001 },
	{ S_VALUER, "\0\1\0\0", "\0\117\0\0", 0, "", 0x80060001 },
	{ S_VALUER, "\0\120\0\0", "\0\132\0\0", 0, "", 0x80060050 },
	{ S_LIST4, LIST_KEY "\12\1\20\0", NULL, 0, "", 0 },
};

/* ---- rules: text and ops ---- */

#define CMP(f, c, l, v) { .code = RS_OP_CMP, .field = { f }, .cmp = c, .len = l, .value = v }
#define MASK(f, c, l, m, v) \
	{ .code = RS_OP_CMP, .field = { f }, .cmp = c, .len = l, .has_mask = true, \
	    .value = v, .mask = m }
#define RAW(f, o, c, l, v) \
	{ .code = RS_OP_CMP, .field = { f }, .offset = o, .cmp = c, .len = l, .value = v }
#define RAWMASK(f, o, c, l, m, v) \
	{ .code = RS_OP_CMP, .field = { f }, .offset = o, .cmp = c, .len = l, \
	    .has_mask = true, .value = v, .mask = m }
#define RANGE(f, l, lo, hi, n) \
	{ .code = RS_OP_RANGE, .field = { f }, .len = l, .value = lo, .mask = hi, .negate = n }
#define LOOKUP(s, n, ...) \
	{ .code = RS_OP_LOOKUP, .set = s, .negate = n, .field = { __VA_ARGS__ } }
#define MAP(s, ...) { .code = RS_OP_MAP, .set = s, .field = { __VA_ARGS__ } }
#define VMAP(s, ...) { .code = RS_OP_VMAP, .set = s, .field = { __VA_ARGS__ } }
#define UPDATE(s, t, ...) \
	{ .code = RS_OP_UPDATE, .set = s, .arg = t, .field = { __VA_ARGS__ } }
#define GO(g) { .code = RS_OP_GO, .go = g, .chain = 0 }
#define ACCEPT GO(RS_ACCEPT)
#define B(...) { __VA_ARGS__ }
#define NS(s) B((uint8_t)((s) & 255), (uint8_t)((s) >> 8 & 255), (uint8_t)((s) >> 16 & 255), \
	    (uint8_t)((s) >> 24 & 255), (uint8_t)((s) >> 32 & 255), \
	    (uint8_t)((s) >> 40 & 255), (uint8_t)((s) >> 48 & 255), (uint8_t)((s) >> 56 & 255))
#define Y2030 (1893456000ull * 1000000000ull)

static const struct {
	const char *text;
	struct rs_op op[6];
	unsigned nops;
	const char *comment;
} rules[] = {
	{ "meta nfproto ipv4 accept", { CMP(RS_NFPROTO, RS_EQ, 1, B(2)), ACCEPT }, 2, "" },
	{ "meta nfproto != ipv4 accept", { CMP(RS_NFPROTO, RS_NE, 1, B(2)), ACCEPT }, 2, "" },
	{ "meta l4proto tcp accept", { CMP(RS_L4PROTO, RS_EQ, 1, B(6)), ACCEPT }, 2, "" },
	{ "meta l4proto 6-17 accept", { RANGE(RS_L4PROTO, 1, B(6), B(17), false), ACCEPT }, 2, "" },
	{ "meta l4proto @proto accept", { LOOKUP(S_PROTO, false, RS_L4PROTO), ACCEPT }, 2, "" },
	{ "iifname \"lan8\" accept", { CMP(RS_IIFNAME, RS_EQ, 16, "lan8"), ACCEPT }, 2, "" },
	{ "oifname != \"lan8\" accept", { CMP(RS_OIFNAME, RS_NE, 16, "lan8"), ACCEPT }, 2, "" },
	{ "meta pkttype broadcast drop", { CMP(RS_PKTTYPE, RS_EQ, 1, B(1)), GO(RS_DROP) }, 2, "" },
	{ "meta pkttype != host drop", { CMP(RS_PKTTYPE, RS_NE, 1, B(0)), GO(RS_DROP) }, 2, "" },
	{ "meta time < 1893456000 accept", { CMP(RS_TIME, RS_LT, 8, NS(Y2030)), ACCEPT }, 2, "" },
	{ "meta time >= 1893456000 accept", { CMP(RS_TIME, RS_GE, 8, NS(Y2030)), ACCEPT }, 2, "" },
	{ "meta time > 1893456000 accept", { CMP(RS_TIME, RS_GT, 8, NS(Y2030)), ACCEPT }, 2, "" },
	{ "meta time <= 1893456000 accept", { CMP(RS_TIME, RS_LE, 8, NS(Y2030)), ACCEPT }, 2, "" },
	{ "meta time 1893456000 accept", { CMP(RS_TIME, RS_EQ, 8, NS(Y2030)), ACCEPT }, 2, "" },
	{ "meta time 1893456000-1893456100 accept",
	    { RANGE(RS_TIME, 8, NS(Y2030), NS(Y2030 + 100000000000ull), false), ACCEPT }, 2, "" },
	{ "ct direction original accept", { CMP(RS_CT_DIR, RS_EQ, 1, B(0)), ACCEPT }, 2, "" },
	{ "ct direction reply accept", { CMP(RS_CT_DIR, RS_EQ, 1, B(1)), ACCEPT }, 2, "" },
	{ "ip saddr 1.2.3.4 accept", { CMP(RS_IP_SADDR, RS_EQ, 4, B(1, 2, 3, 4)), ACCEPT }, 2, "" },
	{ "ip saddr 1.2.3.4 ip daddr 1.2.3.5 accept",
	    { CMP(RS_IP_SADDR, RS_EQ, 4, B(1, 2, 3, 4)),
		CMP(RS_IP_DADDR, RS_EQ, 4, B(1, 2, 3, 5)), ACCEPT }, 3, "" },
	{ "ip saddr 10.0.0.0/8 accept",
	    { MASK(RS_IP_SADDR, RS_EQ, 4, B(255), B(10)), ACCEPT }, 2, "" },
	{ "ip saddr != 10.1.0.0/16 accept",
	    { MASK(RS_IP_SADDR, RS_NE, 4, B(255, 255), B(10, 1)), ACCEPT }, 2, "" },
	{ "ip daddr 10.128.0.0/9 accept",
	    { MASK(RS_IP_DADDR, RS_EQ, 4, B(255, 128), B(10, 128)), ACCEPT }, 2, "" },
	{ "ip saddr 1.2.3.4-1.2.3.9 accept",
	    { RANGE(RS_IP_SADDR, 4, B(1, 2, 3, 4), B(1, 2, 3, 9), false), ACCEPT }, 2, "" },
	{ "ip saddr != 1.2.3.4-1.2.3.9 accept",
	    { RANGE(RS_IP_SADDR, 4, B(1, 2, 3, 4), B(1, 2, 3, 9), true), ACCEPT }, 2, "" },
	{ "ip6 saddr fe80::/10 accept",
	    { MASK(RS_IP6_SADDR, RS_EQ, 16, B(255, 192), B(254, 128)), ACCEPT }, 2, "" },
	{ "ip6 saddr fe80::/64 ip6 daddr ff02::1 accept",
	    { MASK(RS_IP6_SADDR, RS_EQ, 16, B(255, 255, 255, 255, 255, 255, 255, 255),
		  B(254, 128)),
		CMP(RS_IP6_DADDR, RS_EQ, 16, B(255, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)),
		ACCEPT }, 3, "" },
	{ "meta nfproto ipv6 ip6 hoplimit 255 accept",
	    { CMP(RS_NFPROTO, RS_EQ, 1, B(10)), CMP(RS_IP6_HOPLIMIT, RS_EQ, 1, B(255)), ACCEPT },
	    3, "" },
	{ "th sport 80 accept", { CMP(RS_TH_SPORT, RS_EQ, 2, B(0, 80)), ACCEPT }, 2, "" },
	{ "th dport >= 1024 accept", { CMP(RS_TH_DPORT, RS_GE, 2, B(4, 0)), ACCEPT }, 2, "" },
	{ "th dport 1-1023 accept",
	    { RANGE(RS_TH_DPORT, 2, B(0, 1), B(3, 255), false), ACCEPT }, 2, "" },
	{ "th dport != 1-1023 accept",
	    { RANGE(RS_TH_DPORT, 2, B(0, 1), B(3, 255), true), ACCEPT }, 2, "" },
	{ "th dport @ports accept", { LOOKUP(S_PORTS, false, RS_TH_DPORT), ACCEPT }, 2, "" },
	{ "meta l4proto udp th dport 53 accept",
	    { CMP(RS_L4PROTO, RS_EQ, 1, B(17)), CMP(RS_TH_DPORT, RS_EQ, 2, B(0, 53)), ACCEPT },
	    3, "" },
	{ "tcp flags & (syn|ack) == syn accept",
	    { MASK(RS_TCP_FLAGS, RS_EQ, 1, B(18), B(2)), ACCEPT }, 2, "" },
	{ "tcp flags & rst == 0 accept",
	    { MASK(RS_TCP_FLAGS, RS_EQ, 1, B(4), B(0)), ACCEPT }, 2, "" },
	{ "tcp flags & rst != 0 accept",
	    { MASK(RS_TCP_FLAGS, RS_NE, 1, B(4), B(0)), ACCEPT }, 2, "" },
	{ "meta l4proto tcp tcp flags & (syn|ack) == syn th dport 80 accept",
	    { CMP(RS_L4PROTO, RS_EQ, 1, B(6)), MASK(RS_TCP_FLAGS, RS_EQ, 1, B(18), B(2)),
		CMP(RS_TH_DPORT, RS_EQ, 2, B(0, 80)), ACCEPT }, 4, "" },
	{ "icmp type echo-request accept",
	    { CMP(RS_ICMP_TYPE, RS_EQ, 1, B(8)), ACCEPT }, 2, "" },
	{ "meta l4proto icmp icmp type 3-4 accept",
	    { CMP(RS_L4PROTO, RS_EQ, 1, B(1)), RANGE(RS_ICMP_TYPE, 1, B(3), B(4), false),
		ACCEPT }, 3, "" },
	{ "ip saddr 1.2.3.4 icmp type echo-request accept",
	    { CMP(RS_IP_SADDR, RS_EQ, 4, B(1, 2, 3, 4)), CMP(RS_ICMP_TYPE, RS_EQ, 1, B(8)),
		ACCEPT }, 3, "" },
	{ "icmpv6 type nd-neighbor-solicit ip6 hoplimit 255 accept",
	    { CMP(RS_ICMP6_TYPE, RS_EQ, 1, B(135)), CMP(RS_IP6_HOPLIMIT, RS_EQ, 1, B(255)),
		ACCEPT }, 3, "" },
	{ "icmpv6 type @icmp6 accept", { LOOKUP(S_ICMP6, false, RS_ICMP6_TYPE), ACCEPT }, 2, "" },
	{ "fib saddr type local accept",
	    { CMP(RS_FIB_SADDR_TYPE, RS_EQ, 4, B(2)), ACCEPT }, 2, "" },
	{ "fib daddr type != local accept",
	    { CMP(RS_FIB_DADDR_TYPE, RS_NE, 4, B(2)), ACCEPT }, 2, "" },
	{ "fib saddr . iif oif missing drop",
	    { CMP(RS_FIB_SADDR_OIF, RS_EQ, 4, B(0)), GO(RS_DROP) }, 2, "" },
	{ "fib saddr . iif oif != missing drop",
	    { CMP(RS_FIB_SADDR_OIF, RS_NE, 4, B(0)), GO(RS_DROP) }, 2, "" },
	{ "@ih,32,32 0xff534d42 drop",
	    { RAW(RS_IH, 4, RS_EQ, 4, B(255, 0x53, 0x4d, 0x42)), GO(RS_DROP) }, 2, "" },
	{ "@ih,40,8 0xe0 drop", { RAW(RS_IH, 5, RS_EQ, 1, B(0xe0)), GO(RS_DROP) }, 2, "" },
	{ "@ih,0,24 & 0xff00ff == 0x010003 drop",
	    { RAWMASK(RS_IH, 0, RS_EQ, 3, B(255, 0, 255), B(1, 0, 3)), GO(RS_DROP) }, 2, "" },
	{ "@ih,0,64 0x0102030405060708 drop",
	    { RAW(RS_IH, 0, RS_EQ, 8, B(1, 2, 3, 4, 5, 6, 7, 8)), GO(RS_DROP) }, 2, "" },
	{ "@ih,0,64 & 0xffffff00ffff0000 != 0x1122330011220000 drop",
	    { RAWMASK(RS_IH, 0, RS_NE, 8, B(255, 255, 255, 0, 255, 255, 0, 0),
		  B(0x11, 0x22, 0x33, 0, 0x11, 0x22, 0, 0)), GO(RS_DROP) }, 2, "" },
	{ "@ih,0,16 < 0x0300 drop", { RAW(RS_IH, 0, RS_LT, 2, B(3, 0)), GO(RS_DROP) }, 2, "" },
	{ "@ih,8,24 35-1000000 drop",
	    { { .code = RS_OP_RANGE, .field = { RS_IH }, .offset = 1, .len = 3,
		  .value = { 0, 0, 35 }, .mask = { 0x0f, 0x42, 0x40 } }, GO(RS_DROP) }, 2, "" },
	{ "@ih,272,16 0x5100 @ih,288,8 0x0 drop",
	    { RAW(RS_IH, 34, RS_EQ, 2, B(0x51)), RAW(RS_IH, 36, RS_EQ, 1, B(0)), GO(RS_DROP) }, 3,
	    "" },
	{ "@ih,0,24 1 @ih,24,24 2 @ih,48,64 3 drop",
	    { RAW(RS_IH, 0, RS_EQ, 3, B(0, 0, 1)), RAW(RS_IH, 3, RS_EQ, 3, B(0, 0, 2)),
		RAW(RS_IH, 6, RS_EQ, 8, B(0, 0, 0, 0, 0, 0, 0, 3)), GO(RS_DROP) }, 4, "" },
	{ "@ih,32,64 1 @ih,96,64 2 @ih,160,8 3 drop",
	    { RAW(RS_IH, 4, RS_EQ, 8, B(0, 0, 0, 0, 0, 0, 0, 1)),
		RAW(RS_IH, 12, RS_EQ, 8, B(0, 0, 0, 0, 0, 0, 0, 2)),
		RAW(RS_IH, 20, RS_EQ, 1, B(3)), GO(RS_DROP) }, 4, "" },
	{ "@ih,0,8 1 iifname \"lan8\" @ih,8,8 2 drop",
	    { RAW(RS_IH, 0, RS_EQ, 1, B(1)), CMP(RS_IIFNAME, RS_EQ, 16, "lan8"),
		RAW(RS_IH, 1, RS_EQ, 1, B(2)), GO(RS_DROP) }, 4, "" },
	{ "@ih,0,8 1 counter @ih,8,8 2 drop",
	    { RAW(RS_IH, 0, RS_EQ, 1, B(1)), { .code = RS_OP_COUNTER, .set = RS_NONE },
		RAW(RS_IH, 1, RS_EQ, 1, B(2)), GO(RS_DROP) }, 4, "" },
	{ "@ih,0,8 1 @ih,16,8 4 counter @ih,8,8 2 drop",
	    { RAW(RS_IH, 0, RS_EQ, 1, B(1)), RAW(RS_IH, 2, RS_EQ, 1, B(4)),
		{ .code = RS_OP_COUNTER, .set = RS_NONE }, RAW(RS_IH, 1, RS_EQ, 1, B(2)),
		GO(RS_DROP) }, 5, "" },
	{ "@ih,0,8 1 @ih,8,8 & 0xf0 == 0x10 @ih,16,8 1 drop",
	    { RAW(RS_IH, 0, RS_EQ, 1, B(1)), RAWMASK(RS_IH, 1, RS_EQ, 1, B(0xf0), B(0x10)),
		RAW(RS_IH, 2, RS_EQ, 1, B(1)), GO(RS_DROP) }, 4, "" },
	{ "meta l4proto udp th dport 67 th sport 68 accept",
	    { CMP(RS_L4PROTO, RS_EQ, 1, B(17)), CMP(RS_TH_DPORT, RS_EQ, 2, B(0, 67)),
		CMP(RS_TH_SPORT, RS_EQ, 2, B(0, 68)), ACCEPT }, 4, "" },
	{ "meta l4proto udp th sport 68 th dport 67 accept",
	    { CMP(RS_L4PROTO, RS_EQ, 1, B(17)), CMP(RS_TH_SPORT, RS_EQ, 2, B(0, 68)),
		CMP(RS_TH_DPORT, RS_EQ, 2, B(0, 67)), ACCEPT }, 4, "" },
	{ "icmp type 3 @th,8,8 1 accept",
	    { CMP(RS_ICMP_TYPE, RS_EQ, 1, B(3)), RAW(RS_TH_RAW, 1, RS_EQ, 1, B(1)), ACCEPT }, 3,
	    "" },
	{ "@th,0,8 & 0xf0 == 0x10 drop",
	    { RAWMASK(RS_TH_RAW, 0, RS_EQ, 1, B(0xf0), B(0x10)), GO(RS_DROP) }, 2, "" },
	{ "ip saddr . ip daddr . meta l4proto . th dport @port4 accept",
	    { LOOKUP(S_PORT4, false, RS_IP_SADDR, RS_IP_DADDR, RS_L4PROTO, RS_TH_DPORT), ACCEPT },
	    2, "" },
	{ "ip daddr . ip saddr . meta l4proto . th sport != @port4 accept",
	    { LOOKUP(S_PORT4, true, RS_IP_DADDR, RS_IP_SADDR, RS_L4PROTO, RS_TH_SPORT), ACCEPT },
	    2, "" },
	{ "ip6 saddr . ip6 daddr . meta l4proto . th dport @port6 accept",
	    { LOOKUP(S_PORT6, false, RS_IP6_SADDR, RS_IP6_DADDR, RS_L4PROTO, RS_TH_DPORT),
		ACCEPT }, 2, "" },
	{ "ip saddr @addr4 drop", { LOOKUP(S_ADDR4, false, RS_IP_SADDR), GO(RS_DROP) }, 2, "" },
	{ "ip daddr != @range4 drop", { LOOKUP(S_RANGE4, true, RS_IP_DADDR), GO(RS_DROP) }, 2, "" },
	{ "ip6 saddr @range6 drop", { LOOKUP(S_RANGE6, false, RS_IP6_SADDR), GO(RS_DROP) }, 2, "" },
	{ "ip6 saddr & ffff:ffff:ffff:ffff:: @dyn6 drop",
	    { { .code = RS_OP_LOOKUP, .set = S_DYN6, .field = { RS_IP6_SADDR }, .len = 16,
		  .has_mask = true, .mask = { 255, 255, 255, 255, 255, 255, 255, 255 } },
		GO(RS_DROP) }, 2, "" },
	{ "meta priority set ip daddr . meta l4proto . th dport map @value4 accept",
	    { MAP(S_VALUE4, RS_IP_DADDR, RS_L4PROTO, RS_TH_DPORT), ACCEPT }, 2, "" },
	{ "meta l4proto tcp meta priority set th sport map @valuer "
	  "meta priority set ip6 daddr . meta priority map @list6 accept",
	    { CMP(RS_L4PROTO, RS_EQ, 1, B(6)), MAP(S_VALUER, RS_TH_SPORT),
		MAP(S_LIST6, RS_IP6_DADDR, RS_PRIORITY), ACCEPT }, 4, "" },
	{ "meta priority . ip saddr @list4 accept",
	    { LOOKUP(S_LIST4, false, RS_PRIORITY, RS_IP_SADDR), ACCEPT }, 2, "" },
	{ "meta priority . ip saddr & 255.255.240.0 @list4 accept",
	    { { .code = RS_OP_LOOKUP, .set = S_LIST4, .field = { RS_PRIORITY, RS_IP_SADDR },
		  .len = 4, .has_mask = true, .mask = { 255, 255, 240 } }, ACCEPT }, 2, "" },
	{ "meta priority >= 8000:0 meta priority set 0:2",
	    { CMP(RS_PRIORITY, RS_GE, 4, PRIORITY_FLAG),
		{ .code = RS_OP_PRIORITY, .arg = 2 } }, 2, "" },
	{ "meta priority & 8000:0 == 8000:0 meta priority set 0:0",
	    { MASK(RS_PRIORITY, RS_EQ, 4, PRIORITY_FLAG, PRIORITY_FLAG),
		{ .code = RS_OP_PRIORITY } }, 2, "" },
	{ "meta priority & 8000:0 != 0:0 meta priority . ip saddr @list4 accept",
	    { MASK(RS_PRIORITY, RS_NE, 4, PRIORITY_FLAG, B(0)),
		LOOKUP(S_LIST4, false, RS_PRIORITY, RS_IP_SADDR), ACCEPT }, 3, "" },
	{ "iifname != \"lan8\" meta nfproto ipv4 accept",
	    { CMP(RS_IIFNAME, RS_NE, 16, B('l', 'a', 'n', '8')),
		CMP(RS_NFPROTO, RS_EQ, 1, B(2)), ACCEPT }, 3, "" },
	{ "ip saddr != 10.0.0.2-10.0.0.9 ip saddr != 10.0.0.0 drop",
	    { { .code = RS_OP_RANGE, .field = { RS_IP_SADDR }, .len = 4, .negate = true,
		  .value = { 10, 0, 0, 2 }, .mask = { 10, 0, 0, 9 } },
		CMP(RS_IP_SADDR, RS_NE, 4, B(10)), GO(RS_DROP) }, 3, "" },
	{ "meta priority 8000:0 accept", { CMP(RS_PRIORITY, RS_EQ, 4, PRIORITY_FLAG), ACCEPT },
	    2, "" },
	{ "meta priority 0:1-8000:0 accept",
	    { { .code = RS_OP_RANGE, .field = { RS_PRIORITY }, .len = 4,
		  .value = PRIORITY_ONE, .mask = PRIORITY_FLAG }, ACCEPT }, 2, "" },
	{ "@nh,8,8 & 0x18 == 0x08 accept",
	    { { .code = RS_OP_CMP, .field = { RS_NH_RAW }, .offset = 1, .cmp = RS_EQ, .len = 1,
		  .has_mask = true, .value = { 8 }, .mask = { 0x18 } }, ACCEPT }, 2, "" },
	{ "iifname @ifs accept", { LOOKUP(S_IFS, false, RS_IIFNAME), ACCEPT }, 2, "" },
	{ "iifname . ip saddr @if4 accept",
	    { LOOKUP(S_IF4, false, RS_IIFNAME, RS_IP_SADDR), ACCEPT }, 2, "" },
	{ "ip saddr . icmp type @icmp4 accept",
	    { LOOKUP(S_ICMP4, false, RS_IP_SADDR, RS_ICMP_TYPE), ACCEPT }, 2, "" },
	{ "ip saddr . meta l4proto . th dport vmap @map4",
	    { VMAP(S_MAP4, RS_IP_SADDR, RS_L4PROTO, RS_TH_DPORT) }, 1, "" },
	{ "th dport vmap @mapr", { VMAP(S_MAPR, RS_TH_DPORT) }, 1, "" },
	{ "tcp flags & (syn|ack) == syn ip saddr . meta l4proto . th dport vmap @map4",
	    { MASK(RS_TCP_FLAGS, RS_EQ, 1, B(18), B(2)),
		VMAP(S_MAP4, RS_IP_SADDR, RS_L4PROTO, RS_TH_DPORT) }, 2, "" },
	{ "ct state invalid drop",
	    { { .code = RS_OP_CT_STATE, .arg = RS_CT_INVALID }, GO(RS_DROP) }, 2, "" },
	{ "ct state established,related accept",
	    { { .code = RS_OP_CT_STATE, .arg = RS_CT_ESTABLISHED | RS_CT_RELATED }, ACCEPT }, 2,
	    "" },
	{ "ct state ! established,related,new,untracked accept",
	    { { .code = RS_OP_CT_STATE, .negate = true, .arg = RS_CT_ESTABLISHED |
		      RS_CT_RELATED | RS_CT_NEW | RS_CT_UNTRACKED }, ACCEPT }, 2, "" },
	{ "ct label 3 accept", { { .code = RS_OP_CT_LABEL, .arg = 3 }, ACCEPT }, 2, "" },
	{ "ct label 100 accept", { { .code = RS_OP_CT_LABEL, .arg = 100 }, ACCEPT }, 2, "" },
	{ "ct label ! 127 accept",
	    { { .code = RS_OP_CT_LABEL, .arg = 127, .negate = true }, ACCEPT }, 2, "" },
	{ "ct label set 100", { { .code = RS_OP_SET_LABEL, .arg = 100 } }, 1, "" },
	{ "ct label set 113 | 64 | 124 accept",
	    { { .code = RS_OP_SET_LABEL, .arg = 113 }, { .code = RS_OP_SET_LABEL, .arg = 64 },
		{ .code = RS_OP_SET_LABEL, .arg = 124 }, ACCEPT }, 4, "" },
	{ "ct label set 64 counter ct label set 65",
	    { { .code = RS_OP_SET_LABEL, .arg = 64 },
		{ .code = RS_OP_COUNTER, .set = RS_NONE },
		{ .code = RS_OP_SET_LABEL, .arg = 65 } }, 3, "" },
	{ "counter drop", { { .code = RS_OP_COUNTER, .set = RS_NONE }, GO(RS_DROP) }, 2, "" },
	{ "counter name \"denied\" drop", { { .code = RS_OP_COUNTER, .set = 0 }, GO(RS_DROP) }, 2,
	    "" },
	{ "log prefix \"denied g1 \" group 2008 snaplen 128 queue-threshold 1",
	    { { .code = RS_OP_LOG, .arg = 2008, .arg2 = 128 } }, 1, "" },
	{ "limit rate 10/second burst 20 packets accept",
	    { { .code = RS_OP_LIMIT, .arg = 10, .arg2 = 20 }, ACCEPT }, 2, "" },
	{ "limit rate over 10/second burst 20 packets drop",
	    { { .code = RS_OP_LIMIT, .arg = 10, .arg2 = 20, .negate = true }, GO(RS_DROP) }, 2,
	    "" },
	{ "add @dyn4 { ip saddr . th dport timeout 30s }",
	    { UPDATE(S_DYN4, 30, RS_IP_SADDR, RS_TH_DPORT) }, 1, "" },
	{ "add @dyn6 { ip6 daddr timeout 1h }", { UPDATE(S_DYN6, 3600, RS_IP6_DADDR) }, 1, "" },
	{ "add @dyn4 { ip saddr . th dport }",
	    { UPDATE(S_DYN4, 0, RS_IP_SADDR, RS_TH_DPORT) }, 1, "" },
	{ "reject with tcp reset", { { .code = RS_OP_RESET } }, 1, "" },
	{ "meta l4proto tcp limit rate 9/second burst 5 packets reject with tcp reset",
	    { CMP(RS_L4PROTO, RS_EQ, 1, B(6)), { .code = RS_OP_LIMIT, .arg = 9, .arg2 = 5 },
		{ .code = RS_OP_RESET } }, 3, "" },
	{ "jump x", { GO(RS_JUMP) }, 1, "" },
	{ "goto x", { GO(RS_GOTO) }, 1, "" },
	{ "continue", { GO(RS_CONTINUE) }, 1, "" },
	{ "return comment \"erp-db01/in/mssql\"", { GO(RS_RETURN) }, 1, "erp-db01/in/mssql" },
	{ "drop", { GO(RS_DROP) }, 1, "" },
};
enum { NRULES = sizeof(rules) / sizeof(*rules) };

/* ---- both renderings ---- */

static char *text_rendering(void)
{
	char *buf = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&buf, &len);

	fputs("table inet cordon {\ncounter denied { }\nchain x { comment \"target\"; }\n", f);
	for (int i = 0; i < NSETS; i++)
		fprintf(f, "%s\n", sets[i].text);
	fputs("chain c { type filter hook forward priority -10; policy drop; "
	      "comment \"base\"\n", f);
	for (int i = 0; i < NRULES; i++)
		fprintf(f, "%s\n", rules[i].text);
	fputs("}\n}\n", f);
	fclose(f);
	return buf;
}

/* comments: of sets and chains, which only the netlink rendering has. */
static struct ruleset *built(bool comments)
{
	struct rs_builder *b = rsb_new();
	struct rs_chain x = { .hook = RS_HOOK_NONE },
			c = { .hook = RS_HOOK_FORWARD, .priority = -10, .drop = true };
	struct ruleset *rs;
	uint32_t prefix = rsb_str(b, "denied g1 ");

	rsb_counter(b, "denied");
	x.comment = rsb_str(b, comments ? "target" : "");
	c.comment = rsb_str(b, comments ? "base" : "");
	rsb_chain(b, "x", &x);
	rsb_chain(b, "c", &c);
	for (int i = 0; i < NSETS; i++) {
		struct rs_set s = sets[i].set;
		char name[RS_NAME_MAX];
		const char *comment = strstr(sets[i].text, "; comment \"") != NULL ? "six" : "";

		if (i == S_MAP4)
			comment = "ports";
		sscanf(sets[i].text, "%*s %63s", name);
		s.comment = rsb_str(b, comments ? comment : "");
		assert_int_equal(rsb_set(b, name, &s), i);
	}
	for (size_t i = 0; i < sizeof(elems) / sizeof(*elems); i++)
		rsb_elem(b, (uint32_t)elems[i].set, elems[i].key, elems[i].end, elems[i].go,
		    elems[i].go == RS_JUMP || elems[i].go == RS_GOTO ? 0 :
			elems[i].value != 0 ? elems[i].value : RS_NONE,
		    elems[i].comment);
	for (int i = 0; i < NRULES; i++) {
		rsb_rule(b, 1, rules[i].comment);
		for (unsigned o = 0; o < rules[i].nops; o++) {
			struct rs_op op = rules[i].op[o];

			if (op.code == RS_OP_LOG)
				op.str = prefix;
			if (op.code == RS_OP_LOOKUP || op.code == RS_OP_VMAP ||
			    op.code == RS_OP_MAP || op.code == RS_OP_UPDATE)
				op.nfields = sets[op.set].set.nkeys;
			rsb_op(b, &op);
		}
	}
	rs = rsb_finish(b);
	rsb_free(b);
	assert_non_null(rs);
	assert_true(ruleset_valid(rs, rs->size));
	return rs;
}

/* ---- raw bytes from the kernel ---- */

struct raw {
	char hex[NRULES + NSETS][2048];
	int count;
	uint16_t first, second; /* the attributes to keep */
};

static void hex_of(char *out, const struct nlattr *attr)
{
	const uint8_t *p = mnl_attr_get_payload(attr);

	sprintf(out, "%u:", mnl_attr_get_type(attr));
	for (unsigned i = 0; i < mnl_attr_get_payload_len(attr) && i < 900; i++)
		sprintf(out + strlen(out), "%02x", p[i]);
	strcat(out, " ");
}

static int raw_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct raw *raw = arg;
	struct nlattr *attr;
	char *out = raw->hex[raw->count++];

	*out = '\0';
	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == raw->first ||
		    mnl_attr_get_type(attr) == raw->second)
			hex_of(out + strlen(out), attr);
	return MNL_CB_OK;
}

static struct raw *raw_dump(uint16_t type, uint16_t table, uint16_t first, uint16_t second)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
	struct raw *raw = calloc(1, sizeof(*raw));
	static char buf[1 << 17];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;
	ssize_t got;

	raw->first = first;
	raw->second = second;
	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 1;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = NFPROTO_INET;
	mnl_attr_put_strz(nlh, table, "cordon");
	assert_true(mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0);
	assert_true(mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) > 0);
	do
		got = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	while (got > 0 && mnl_cb_run(buf, (size_t)got, 1, mnl_socket_get_portid(nl), raw_cb, raw) > 0);
	mnl_socket_close(nl);
	return raw;
}

static struct raw *raw_rules(void)
{
	return raw_dump(NFT_MSG_GETRULE, NFTA_RULE_TABLE, NFTA_RULE_EXPRESSIONS,
	    NFTA_RULE_USERDATA);
}

static struct raw *raw_sets(uint16_t first, uint16_t second)
{
	return raw_dump(NFT_MSG_GETSET, NFTA_SET_TABLE, first, second);
}

static void compare(const struct raw *text, const struct raw *netlink, bool is_rules)
{
	int bad = 0;

	assert_int_equal(text->count, netlink->count);
	for (int i = 0; i < text->count; i++)
		if (strcmp(text->hex[i], netlink->hex[i]) != 0) {
			print_error("%s\n  nft:    %s\n  cordon: %s\n",
			    is_rules ? rules[i].text : sets[i].text, text->hex[i],
			    netlink->hex[i]);
			bad++;
		}
	assert_int_equal(bad, 0);
}

static void test_same_as_nft(void **state)
{
	char *text = text_rendering(), *by_nft, *by_us;
	struct raw *raw[8];
	struct ruleset *rs = built(true);
	struct nft_error err;
	struct nft *n;

	(void)state;
	LAB();
	assert_true(lab_load(text));
	by_nft = lab_list();
	raw[0] = raw_rules();
	assert_int_equal(raw[0]->count, NRULES);
	raw[1] = raw_sets(NFTA_SET_KEY_TYPE, NFTA_SET_USERDATA);
	raw[2] = raw_sets(NFTA_SET_FLAGS, NFTA_SET_DESC);
	raw[3] = raw_sets(NFTA_SET_KEY_LEN, NFTA_SET_TIMEOUT);
	assert_int_equal(system("nft delete table inet cordon"), 0);

	n = nft_open();
	assert_non_null(n);
	if (nft_apply(n, NULL, rs, "abc123", false, &err, NULL) == -1)
		fail_msg("%s: %s %s %s", strerror(err.err), err.object, err.name, err.comment);
	raw[4] = raw_rules();
	raw[5] = raw_sets(NFTA_SET_KEY_TYPE, NFTA_SET_USERDATA);
	raw[6] = raw_sets(NFTA_SET_FLAGS, NFTA_SET_DESC);
	raw[7] = raw_sets(NFTA_SET_KEY_LEN, NFTA_SET_TIMEOUT);
	by_us = lab_list();
	for (int i = 0; i < 4; i++)
		compare(raw[i], raw[i + 4], i == 0);
	lab_same(by_us, by_nft);
	assert_int_equal(nft_delete(n), 0);
	nft_close(n);
	for (int i = 0; i < 8; i++)
		free(raw[i]);
	free(by_nft);
	free(by_us);
	free(text);
	free(rs);
}

/* cordon's own text, loaded by `nft -f`, lists as what netlink made. */
static void test_same_as_emitted(void **state)
{
	struct ruleset *rs = built(false);
	char *text = NULL, *by_text, *by_us;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct nft *n;

	(void)state;
	LAB();
	assert_int_equal(emit_nft(rs, f), 0);
	fclose(f);
	assert_true(lab_load(text));
	by_text = lab_list();
	assert_int_equal(system("nft delete table inet cordon"), 0);
	n = nft_open();
	assert_non_null(n);
	assert_int_equal(nft_apply(n, NULL, rs, "abc123", false, NULL, NULL), 0);
	by_us = lab_list();
	lab_same(by_us, by_text);
	assert_int_equal(nft_delete(n), 0);
	nft_close(n);
	free(by_text);
	free(by_us);
	free(text);
	free(rs);
}

/* The table above leaves no opcode and no field out. */
static void test_complete(void **state)
{
	bool op[RS_OP_GO + 1] = { false }, field[RS_NFIELDS] = { false };

	(void)state;
	for (int i = 0; i < NRULES; i++)
		for (unsigned o = 0; o < rules[i].nops; o++) {
			const struct rs_op *p = &rules[i].op[o];
			int nf = p->code == RS_OP_CMP || p->code == RS_OP_RANGE ? 1 :
			    p->code == RS_OP_LOOKUP || p->code == RS_OP_VMAP ||
				p->code == RS_OP_MAP || p->code == RS_OP_UPDATE ? sets[p->set].set.nkeys : 0;

			op[p->code] = true;
			for (int f = 0; f < nf; f++)
				field[p->field[f]] = true;
		}
	for (int i = 0; i <= RS_OP_GO; i++)
		if (!op[i])
			fail_msg("opcode %d has no rule", i);
	for (int i = 0; i < RS_NFIELDS; i++)
		if (!field[i])
			fail_msg("field %d has no rule", i);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_nft),
		cmocka_unit_test(test_same_as_emitted),
		cmocka_unit_test(test_complete),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
