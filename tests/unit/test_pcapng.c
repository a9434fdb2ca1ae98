/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: pcapng files of several interfaces and sections, whole and damaged */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/pcapng.h"
#include "wire/decode.h"

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, OLD_PACKET = 2, SIMPLE = 3, NAMES = 4, PACKET = 6 };

static uint8_t file[4096];
static size_t len, block_at;
static bool big;

static void put(const void *p, size_t n)
{
	assert_true(n <= sizeof(file) - len);
	if (n)
		memcpy(file + len, p, n);
	len += n;
}

static void put16(uint16_t n)
{
	put(big ? (uint8_t[]){ (uint8_t)(n >> 8), (uint8_t)n }
		: (uint8_t[]){ (uint8_t)n, (uint8_t)(n >> 8) }, 2);
}

static void put32(uint32_t n)
{
	put16((uint16_t)(big ? n >> 16 : n));
	put16((uint16_t)(big ? n : n >> 16));
}

static void block(uint32_t type)
{
	block_at = len;
	put32(type);
	put32(0);
}

static void block_end(void)
{
	size_t end, total;

	while ((len - block_at) % 4)
		put("", 1);
	total = len + 4 - block_at;
	end = len;
	len = block_at + 4;
	put32((uint32_t)total);
	len = end;
	put32((uint32_t)total);
}

static void section(bool big_endian)
{
	big = big_endian;
	block(SECTION);
	put32(0x1a2b3c4d);
	put16(1), put16(0);
	put32(UINT32_MAX), put32(UINT32_MAX);
	block_end();
}

/* resolution and offset 0: left out. */
static void interface(uint16_t linktype, uint32_t snaplen, uint8_t resolution, int64_t offset)
{
	uint64_t bits = (uint64_t)offset;

	block(INTERFACE);
	put16(linktype), put16(0), put32(snaplen);
	put16(2), put16(3), put("lan", 4); /* its name, padded */
	if (resolution)
		put16(9), put16(1), put((uint8_t[]){ resolution, 0, 0, 0 }, 4);
	if (offset) {
		put16(14), put16(8);
		put32((uint32_t)(big ? bits >> 32 : bits));
		put32((uint32_t)(big ? bits : bits >> 32));
	}
	put16(0), put16(0);
	block_end();
}

static void packet(uint32_t id, uint64_t units, const char *text, uint32_t wire_len)
{
	block(PACKET);
	put32(id), put32((uint32_t)(units >> 32)), put32((uint32_t)units);
	put32((uint32_t)strlen(text)), put32(wire_len);
	put(text, strlen(text));
	block_end();
}

static int empty(void **state)
{
	(void)state;
	len = 0;
	return 0;
}

static FILE *opened;

static struct pcapng *read_it(void)
{
	struct pcapng *p;

	opened = fmemopen(file, len, "rb");
	assert_non_null(opened);
	p = pcapng_new(opened);
	assert_non_null(p);
	return p;
}

static void finish(struct pcapng *p)
{
	pcapng_free(p);
	fclose(opened);
}

static void assert_packet(struct pcapng *p, int linktype, int64_t ts_us, const char *text,
    uint32_t wire_len)
{
	struct pkt_in in;

	assert_int_equal(pcapng_some(p, &in, 1), 1);
	assert_int_equal(in.linktype, linktype);
	assert_int_equal(in.ts_us, ts_us);
	assert_int_equal(in.caplen, strlen(text));
	assert_int_equal(in.len, wire_len);
	assert_memory_equal(in.bytes, text, strlen(text));
}

/* What libpcap refuses: link types and snapshot lengths that differ. */
static void interfaces(void **state)
{
	struct pkt_in in;
	struct pcapng *p;
	int linktype;

	(void)state;
	for (int ends = 0; ends < 2; ends++) {
		len = 0;
		section(ends);
		interface(4711, 0, 0, 0);
		interface(113, 96, 9, 0);
		interface(1, 262144, 0, 10);
		packet(1, 5000001999u, "cooked", 60);
		packet(2, 7, "ether", 5);
		block(NAMES), put("anything", 8), block_end();
		packet(0, 0, "unknown", 9);
		section(!ends); /* with its own interfaces */
		interface(101, 4, 6, 0);
		block(OLD_PACKET), put16(0), put16(3);
		put32(0), put32(8), put32(3), put32(3), put("old", 3), block_end();
		block(SIMPLE), put32(9), put("simp", 4), block_end();
		p = read_it();
		assert_int_equal(pcapng_begin(p, &linktype), 0);
		assert_int_equal(linktype, 113); /* the first that is known */
		assert_packet(p, 113, 5000001, "cooked", 60);
		assert_packet(p, 1, 10000007, "ether", 5);
		assert_packet(p, 4711, 0, "unknown", 9);
		assert_packet(p, 101, 8, "old", 3);
		assert_packet(p, 101, 0, "simp", 9);
		assert_int_equal(pcapng_some(p, &in, 1), 0);
		assert_string_equal(pcapng_error(p), "");
		finish(p);
	}
}

static void clocks(void **state)
{
	static const struct {
		uint8_t resolution;
		int64_t offset;
		uint64_t units;
		int64_t us;
	} rows[] = {
		{ 6, 0, 1234567, 1234567 },
		{ 3, 0, 1234, 1234000 },
		{ 9, 0, 1234567890, 1234567 },
		{ 19, 0, 12345678901234567890u, 1234567 },
		{ 20, 0, UINT64_MAX, 0 },
		{ 127, 0, UINT64_MAX, 0 },
		{ 0x80 | 20, 0, 3u << 19, 1500000 },
		{ 0x80 | 63, 0, 3ull << 62, 1500000 },
		{ 0x80 | 64, 0, 3ull << 62, 750000 },
		{ 0x80 | 127, 0, UINT64_MAX, 0 },
		{ 0x80, 0, UINT64_MAX, (1ll << 36) * 1000000 },
		{ 6, -1, 2500000, 1500000 },
		{ 6, INT64_MIN, 5, 5 },
		{ 6, INT64_MAX, 5, (1ll << 36) * 1000000 + 5 },
	};
	struct pcapng *p;
	int linktype;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		len = 0;
		section(i % 2);
		interface(1, 0, rows[i].resolution, rows[i].offset);
		packet(0, rows[i].units, "x", 1);
		p = read_it();
		assert_int_equal(pcapng_begin(p, &linktype), 0);
		assert_packet(p, 1, rows[i].us, "x", 1);
		finish(p);
	}
}

/* The last block is what is wrong; the packet before it still comes. */
static void assert_wrong(const char *why)
{
	struct pkt_in in;
	struct pcapng *p = read_it();
	int linktype;

	assert_int_equal(pcapng_begin(p, &linktype), 0);
	assert_packet(p, 1, 1, "good", 4);
	assert_int_equal(pcapng_some(p, &in, 1), -1);
	if (strcmp(pcapng_error(p), why) != 0)
		fail_msg("\"%s\", not \"%s\"", pcapng_error(p), why);
	finish(p);
}

static void good(void)
{
	len = 0;
	section(false);
	interface(1, 0, 0, 0);
	packet(0, 1, "good", 4);
}

static void damage(void **state)
{
	(void)state;
	good(), packet(1, 0, "x", 1);
	assert_wrong("a packet of interface 1, of 1");
	good(), block(PACKET), put32(0), put32(0), put32(0), put32(5), put32(5), put("four", 4);
	block_end();
	assert_wrong("a packet of 5 bytes in a block that has 4");
	good(), block(SIMPLE), put32(5), put("four", 4), block_end();
	assert_wrong("a packet of 5 bytes in a block that has 4");
	good(), put32(NAMES), put32(13), put32(0), put32(0);
	assert_wrong("a block of type 0x4 with a length of 13");
	good(), put32(NAMES), put32(8), put32(0);
	assert_wrong("a block of type 0x4 with a length of 8");
	good(), put32(NAMES), put32(0x7ffffffc), put32(0);
	assert_wrong("a block of type 0x4 with a length of 2147483644");
	good(), put32(NAMES), put32(16), put32(0), put32(20);
	assert_wrong("a block of 16 bytes ends as one of 20");
	good(), put32(NAMES), put32(16), put32(0);
	assert_wrong("truncated pcapng dump file; tried to read a block of 16 bytes, only got 12");
	good(), put32(NAMES), put16(0);
	assert_wrong("truncated pcapng dump file; tried to read 12 bytes, only got 6");
	good(), put32(SECTION), put32(28), put32(0x11223344);
	assert_wrong("a section's byte-order magic is 0x44332211");
	good(), block(SECTION), put32(0x1a2b3c4d), put16(2), block_end();
	assert_wrong("unknown pcapng savefile major version number 2");
	good(), block(INTERFACE), put32(1), block_end();
	assert_wrong("an interface's block is too short");
}

/* A file may hold nothing; a section without interfaces has no packets. */
static void nothing(void **state)
{
	struct pcapng *p;
	struct pkt_in in;
	int linktype = 0;

	(void)state;
	section(false);
	p = read_it();
	assert_int_equal(pcapng_begin(p, &linktype), 0);
	assert_int_equal(linktype, -1);
	assert_int_equal(pcapng_some(p, &in, 1), 0);
	finish(p);
	packet(0, 0, "x", 1);
	p = read_it();
	assert_int_equal(pcapng_begin(p, &linktype), -1);
	assert_string_equal(pcapng_error(p), "a packet of interface 0, of 0");
	finish(p);
	assert_true(pcapng_magic(file));
	assert_false(pcapng_magic((const unsigned char *)"\xd4\xc3\xb2\xa1"));
}

/* Whatever bytes stand there: it ends, and packets lie within what was read. */
static void random_damage(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	uint8_t whole[sizeof(file)];
	struct pkt_in in;
	struct pcapng *p;
	int linktype, n;
	unsigned sum = 0;
	size_t all;

	(void)state;
	print_message("SEED=%u\n", seed);
	srand(seed);
	good();
	interface(113, 96, 9, 5), packet(1, 99, "cooked", 60);
	section(true), interface(101, 3, 0, 0), block(SIMPLE), put32(3), put("raw", 3), block_end();
	all = len;
	memcpy(whole, file, all);
	for (int i = 0; i < 20000; i++) {
		memcpy(file, whole, all);
		len = rand() % 4 ? all : 1 + (size_t)rand() % all;
		for (int k = rand() % 4; k > 0; k--)
			file[(size_t)rand() % len] = (uint8_t)(rand() % 3 ? rand() % 32 : rand());
		p = read_it();
		n = pcapng_begin(p, &linktype) < 0 ? -1 : 1;
		while (n == 1 && (n = pcapng_some(p, &in, 1)) == 1) {
			assert_true(in.caplen <= in.len);
			for (uint32_t b = 0; b < in.caplen; b++)
				sum += in.bytes[b]; /* a sanitizer looks on */
		}
		assert_true((n < 0) == (pcapng_error(p)[0] != 0));
		finish(p);
	}
	assert_int_not_equal(sum, 0);
}

#define TEST(f) cmocka_unit_test_setup(f, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(interfaces),
		TEST(clocks),
		TEST(damage),
		TEST(nothing),
		TEST(random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
