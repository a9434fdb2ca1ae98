/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: capture files read without libpcap say what libpcap says of them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/pcapfile.h"

enum { MAGIC_US = 0xa1b2c3d4, MAGIC_NS = 0xa1b23c4d, ROOM = 4 << 20, AT_ONCE = 7 };

static uint8_t file[ROOM];
static size_t len;

static void put(const void *p, size_t n)
{
	assert_true(n <= ROOM - len);
	memcpy(file + len, p, n);
	len += n;
}

static void begin(uint32_t magic, uint16_t minor, uint32_t snaplen)
{
	len = 0;
	put(&magic, 4);
	put((uint16_t[]){ 2, minor }, 4);
	put((uint32_t[]){ 0, 0, snaplen, 1 }, 16);
}

static void record(uint32_t sec, uint32_t fraction, uint32_t caplen, uint32_t held)
{
	static uint8_t body[300000];

	assert_true(held <= sizeof(body));
	for (uint32_t i = 0; i < held; i++)
		body[i] = (uint8_t)(i * 7 + held + sec);
	put((uint32_t[]){ sec, fraction, caplen, caplen + sec % 3 }, 16);
	put(body, held);
}

static void save(const char *path)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(file, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void same_packet(const struct pkt_in *in, const struct pcap_pkthdr *h, const u_char *b)
{
	assert_int_equal(in->ts_us, (int64_t)h->ts.tv_sec * 1000000 + h->ts.tv_usec);
	assert_int_equal(in->caplen, h->caplen);
	assert_int_equal(in->len, h->len);
	assert_int_equal(in->linktype, 1);
	assert_memory_equal(in->bytes, b, h->caplen);
}

/* Both read what `file` holds; returns how many packets that are. */
static unsigned compare(void)
{
	char path[256], err[PCAPFILE_ERRLEN], why[PCAP_ERRBUF_SIZE];
	struct pcapfile *f;
	struct pkt_in in[AT_ONCE];
	struct pcap_pkthdr *h;
	const u_char *bytes;
	unsigned packets = 0;
	int n, rc, fd;
	pcap_t *p;

	snprintf(path, sizeof(path), "%s/test_pcapfile.XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : P_tmpdir);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	save(path);
	f = pcapfile_open(path, err);
	p = pcap_open_offline(path, why);
	assert_non_null(f);
	assert_non_null(p);
	while ((n = pcapfile_some(f, in, 1 + rand() % AT_ONCE)) > 0)
		for (int i = 0; i < n; i++, packets++) {
			assert_int_equal(pcap_next_ex(p, &h, &bytes), 1);
			same_packet(&in[i], h, bytes);
		}
	rc = pcap_next_ex(p, &h, &bytes);
	assert_int_equal(n, rc == PCAP_ERROR_BREAK ? 0 : -1);
	if (n < 0)
		assert_string_equal(pcapfile_error(f), pcap_geterr(p));
	assert_int_equal(pcapfile_some(f, in, 1), n); /* and again */
	pcapfile_close(f);
	pcap_close(p);
	unlink(path);
	return packets;
}

static void test_whole(void **state)
{
	(void)state;
	begin(MAGIC_US, 4, 65535);
	assert_int_equal(compare(), 0);
	for (uint32_t i = 0; i < 3000; i++)
		record(i, 999999 - i, i % 1500, i % 1500);
	assert_int_equal(compare(), 3000);
	begin(MAGIC_NS, 4, 65535);
	record(5, 999999999, 60, 60);
	record(0x7fffffff, 1999, 0, 0);
	assert_int_equal(compare(), 2);
	begin(MAGIC_US, 4, 262144);
	for (uint32_t i = 0; i < 9; i++) /* longer than what is read at once */
		record(i, i, 262144 - i, 262144 - i);
	assert_int_equal(compare(), 9);
}

/* Longer than the file's snapshot length: cut there. */
static void test_snaplen(void **state)
{
	(void)state;
	begin(MAGIC_US, 4, 100);
	record(1, 1, 99, 99);
	record(1, 1, 1000, 1000);
	record(1, 1, 101, 101);
	assert_int_equal(compare(), 3);
	record(1, 1, 1000, 99);
	assert_int_equal(compare(), 3);
	begin(MAGIC_US, 4, 100);
	record(1, 1, 1000, 500);
	assert_int_equal(compare(), 0);
	begin(MAGIC_US, 4, 0); /* none given */
	record(1, 1, 1000, 1000);
	assert_int_equal(compare(), 1);
}

static void test_broken(void **state)
{
	static const uint32_t insane[] = { 262145, 0x7fffffff, 0xffffffff };

	(void)state;
	begin(MAGIC_US, 4, 65535);
	record(1, 1, 60, 60);
	for (size_t whole = len, cut = 1; cut < 76; cut++) {
		record(1, 1, 60, 60);
		len = whole + cut;
		assert_int_equal(compare(), 1);
		len = whole;
	}
	for (size_t i = 0; i < 3; i++)
		for (uint32_t snaplen = 65535; snaplen; snaplen = snaplen == 65535 ? 1u << 30 : 0) {
			begin(MAGIC_US, 4, snaplen);
			record(1, 1, 60, 60);
			record(1, 1, insane[i], 200);
			assert_int_equal(compare(), 1);
		}
}

/* What is left to libpcap: the other byte order, older versions. */
static void test_others(void **state)
{
	(void)state;
	begin(MAGIC_US, 3, 65535);
	record(0, 1, 60, 60);
	assert_int_equal(compare(), 1);
	begin(__builtin_bswap32(MAGIC_US), 0x400, __builtin_bswap32(65535));
	memcpy(file + 4, "\0\2\0\4", 4);
	memcpy(file + 20, "\0\0\0\1", 4);
	put("\0\0\0\1\0\0\0\2\0\0\0\4\0\0\0\5abcd", 20);
	assert_int_equal(compare(), 1);
}

static void test_chance(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 60; round++) {
		begin(rand() % 2 ? MAGIC_US : MAGIC_NS, 4, 1u << rand() % 19);
		for (int i = rand() % 200; i > 0 && len < ROOM - 300000; i--) {
			uint32_t n = (uint32_t)rand() % (rand() % 20 ? 1600 : 262145);

			record((uint32_t)rand(), (uint32_t)rand() % 1000000000, n, n);
		}
		if (rand() % 2)
			len -= (size_t)rand() % (len - 23);
		for (int i = rand() % 3; i > 0 && len > 24; i--)
			file[24 + (size_t)rand() % (len - 24)] ^= (uint8_t)(1 << rand() % 8);
		if (len >= 24)
			(void)compare();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_snaplen),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
