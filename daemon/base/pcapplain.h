/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the records of a pcap file of this machine's byte order, without a copy each */
#ifndef BASE_PCAPPLAIN_H
#define BASE_PCAPPLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct pcapplain;
struct pkt_in;

/* What the file's header said. */
struct pcapplain_conf {
	int linktype;
	uint32_t snaplen; /* > 0; what is longer is cut there */
	bool nanoseconds; /* of the time stamps, else microseconds */
};

/* Whether the first four bytes of a file are those of one that can be read here; then
 * *ret_nanoseconds.  Other byte orders and variants are libpcap's. */
bool pcapplain_magic(const unsigned char head[static 4], bool *ret_nanoseconds);

/* Read from `file`, which stands behind the file's header and stays the caller's; nobody
 * else may read it.  NULL without memory. */
struct pcapplain *pcapplain_new(FILE *file, const struct pcapplain_conf *conf);
void pcapplain_free(struct pcapplain *p);

/* Up to max (>= 1) of the next packets, whose bytes are borrowed until the next call: how
 * many, 0 at the end, -1 if the file breaks off or is damaged there. */
int pcapplain_some(struct pcapplain *p, struct pkt_in *ret, int max);

/* Why, in libpcap's words; "" before that. */
const char *pcapplain_error(const struct pcapplain *p);

#endif
