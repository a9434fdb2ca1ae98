/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: SHA-1 by FIPS 180's examples, Community ID by the specification's */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/community.h"
#include "engine/sha1.h"

static void hex_of(const void *data, size_t len, char hex[41])
{
	uint8_t d[SHA1_LEN];

	sha1(data, len, d);
	for (int i = 0; i < SHA1_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", d[i]);
}

static void vectors(void **state)
{
	static const struct {
		const char *in, *hex;
	} v[] = {
		{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
		{ "The quick brown fox jumps over the lazy dog",
		    "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12" },
	};
	char hex[41];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		hex_of(v[i].in, strlen(v[i].in), hex);
		assert_string_equal(hex, v[i].hex);
	}
}

/* Every length around the block's end pads differently. */
static void million(void **state)
{
	static char a[1000000];
	char hex[41];

	(void)state;
	memset(a, 'a', sizeof(a));
	hex_of(a, sizeof(a), hex);
	assert_string_equal(hex, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
	hex_of(a, 55, hex);
	assert_string_equal(hex, "c1c8bbdc22796e28c0e15163d20899b65621d65a");
	hex_of(a, 56, hex);
	assert_string_equal(hex, "c2db330f6083854c99d4b5bfb6e8f29f201be699");
	hex_of(a, 64, hex);
	assert_string_equal(hex, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

static void id_is(const char *src, const char *dst, uint8_t proto, uint16_t sport,
    uint16_t dport, const char *want)
{
	struct netaddr a = { 0 }, b = { 0 };
	char id[COMMUNITY_LEN] = "";

	assert_int_equal(netaddr_parse(src, &a), 0);
	assert_int_equal(netaddr_parse(dst, &b), 0);
	assert_int_equal(community_id(&a, &b, proto, sport, dport, id), want != NULL);
	assert_string_equal(id, want ? want : "");
}

/* From the specification's baseline, seed 0. */
static void community(void **state)
{
	(void)state;
	id_is("128.232.110.120", "66.35.250.204", IPPROTO_TCP, 34855, 80,
	    "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	id_is("66.35.250.204", "128.232.110.120", IPPROTO_TCP, 80, 34855,
	    "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	id_is("192.168.1.52", "8.8.8.8", IPPROTO_UDP, 54585, 53,
	    "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
	id_is("192.168.0.89", "192.168.0.1", IPPROTO_ICMP, 0, 8,
	    "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
	id_is("fe80::260:97ff:fe07:69ea", "ff02::1", IPPROTO_ICMPV6, 0, 134,
	    "1:pkvHqCL88/tg1k4cPigmZXUtL00=");
	/* destination unreachable has no counterpart: its code would be needed */
	id_is("192.168.0.89", "192.168.0.1", IPPROTO_ICMP, 0, 3, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(million),
		cmocka_unit_test(community),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
