/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the packets of a pcapng file, of any number of interfaces and sections */
#ifndef BASE_PCAPNG_H
#define BASE_PCAPNG_H

#include <stdbool.h>
#include <stdio.h>

struct pcapng;
struct pkt_in;

/* Whether these are the first four bytes of a pcapng file. */
bool pcapng_magic(const unsigned char head[static 4]);

/* Read from `file`, which stands at the first byte and stays the caller's; nobody else may
 * read it.  NULL without memory. */
struct pcapng *pcapng_new(FILE *file);
void pcapng_free(struct pcapng *p);

/* Read on to the first packet: 0, or -1 if that can't be (pcapng_error()).  Then
 * *ret_linktype is the first interface's whose packets can be decoded; where there is
 * none, the first one's; -1 where there is no interface at all. */
int pcapng_begin(struct pcapng *p, int *ret_linktype);

/* Up to max (>= 1) of the next packets, each with its interface's link type, their bytes
 * borrowed until the next call: how many, 0 at the end, -1 if the file breaks off or is
 * damaged there. */
int pcapng_some(struct pcapng *p, struct pkt_in *ret, int max);

/* Why; "" before that. */
const char *pcapng_error(const struct pcapng *p);

#endif
