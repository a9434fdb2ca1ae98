/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: fuzz capture files: pcap, pcapng and gzip, of which the input is one
 *
 * However its bytes come, in one piece or trickling through a pipe, and however many
 * packets are asked for at once, a file says the same; and of a pcap file libpcap says
 * that too. */
#include <pcap/pcap.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pcapfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AT_ONCE = 16 };

/* What a reading of the file came to. */
struct result {
	uint64_t packets, sum;
	int end; /* 0 or -1; -2: not opened */
	char why[PCAPFILE_ERRLEN];
};

static void mix(struct result *r, uint64_t n)
{
	r->sum = (r->sum ^ n) * 0x9e3779b97f4a7c15u;
}

static void packet(struct result *r, const struct pkt_in *in)
{
	r->packets++;
	mix(r, (uint64_t)(unsigned)in->linktype << 32 | in->caplen);
	mix(r, (uint64_t)in->ts_us);
	mix(r, in->len);
	for (uint32_t i = 0; i < in->caplen; i++)
		mix(r, in->bytes[i]);
	/* so that times can be subtracted */
	if (in->ts_us > INT64_MAX / 2 || in->ts_us < INT64_MIN / 2)
		abort();
}

static struct result read_all(FILE *file, int at_once)
{
	struct result r = { .end = -2 };
	struct pcapfile *f = pcapfile_of(file, r.why);
	struct pkt_in in[AT_ONCE];

	if (!f) {
		if (!r.why[0])
			abort();
		return r;
	}
	while ((r.end = pcapfile_some(f, in, at_once)) > 0)
		for (int i = 0; i < r.end; i++)
			packet(&r, &in[i]);
	if (pcapfile_percent(f) > 100)
		abort();
	if (r.end < 0)
		snprintf(r.why, sizeof(r.why), "%s", pcapfile_error(f));
	if ((r.end < 0) != (r.why[0] != 0))
		abort();
	pcapfile_close(f);
	return r;
}

/* A stream that gives a few bytes at a time and can't be wound back. */
struct pipe {
	const uint8_t *at, *end;
	size_t some;
};

static ssize_t pipe_read(void *cookie, char *buf, size_t size)
{
	struct pipe *p = cookie;
	size_t n = (size_t)(p->end - p->at);

	n = n < size ? n : size;
	n = n < p->some ? n : p->some;
	memcpy(buf, p->at, n);
	p->at += n;
	p->some = p->some % 4096 * 3 + 1;
	return (ssize_t)n;
}

static struct result by_libpcap(FILE *file)
{
	struct result r = { .end = -2 };
	struct pcap_pkthdr *h;
	const u_char *bytes;
	pcap_t *p = pcap_fopen_offline(file, r.why);
	int rc;

	if (!p) {
		fclose(file);
		return r;
	}
	while ((rc = pcap_next_ex(p, &h, &bytes)) == 1) {
		struct pkt_in in = { .linktype = pcap_datalink(p), .caplen = h->caplen,
			.len = h->len, .bytes = bytes,
			.ts_us = (int64_t)h->ts.tv_sec * 1000000 + h->ts.tv_usec };

		packet(&r, &in);
	}
	r.end = rc == PCAP_ERROR_BREAK ? 0 : -1;
	pcap_close(p);
	return r;
}

/* Without a second processor nothing is read ahead by a thread, which costs a fuzzer more
 * than what it tries; replayed, the threads are there. */
static void one_processor(void)
{
#ifndef FUZZ_REPLAY
	static cpu_set_t set;

	if (CPU_COUNT(&set))
		return;
	CPU_SET((unsigned)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char gzip[] = "\x1f\x8b", section[] = "\x0a\x0d\x0d\x0a";
	const cookie_io_functions_t io = { .read = pipe_read };
	struct pipe p = { data, data + size, 1 + size % 7 };
	FILE *whole = size ? fmemopen((void *)(uintptr_t)data, size, "rb") : NULL;
	FILE *pieces = fopencookie(&p, "rb", io);
	struct result a, b;

	one_processor();
	if (!whole || !pieces)
		goto out;
	a = read_all(whole, 1);
	b = read_all(pieces, AT_ONCE);
	if (a.packets != b.packets || a.sum != b.sum || a.end != b.end ||
	    strcmp(a.why, b.why) != 0)
		abort();
	if (a.end == -2 || (size >= 2 && memcmp(data, gzip, 2) == 0) ||
	    (size >= 4 && memcmp(data, section, 4) == 0))
		return 0;
	b = by_libpcap(fmemopen((void *)(uintptr_t)data, size, "rb"));
	if (a.packets != b.packets || a.sum != b.sum || a.end != b.end)
		abort();
	return 0;
out:
	if (whole)
		fclose(whole);
	if (pieces)
		fclose(pieces);
	return 0;
}

#include "fuzz_replay.h"
