/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: capture files, one packet after the other */
#ifndef BASE_PCAPFILE_H
#define BASE_PCAPFILE_H

#include <stddef.h>
#include <stdio.h>

#include "wire/decode.h"

struct pcapfile;

enum { PCAPFILE_ERRLEN = 512 };

/* Open a pcap or pcapng file, as it is or packed by gzip; "-" for standard input.  NULL on
 * failure with the reason, without the path, in err: not readable, no capture, a link type
 * that isn't known. */
struct pcapfile *pcapfile_open(const char *path, char err[static PCAPFILE_ERRLEN]);

/* The same of a stream at its first byte, which is closed with it, or at once on failure,
 * unless it is stdin. */
struct pcapfile *pcapfile_of(FILE *file, char err[static PCAPFILE_ERRLEN]);

void pcapfile_close(struct pcapfile *f);

/* Up to max of the next packets, whose bytes are borrowed until the next call: how many,
 * 0 at the end, -1 if the file is broken off or damaged there (pcapfile_error()).  gzip
 * and rarer kinds of pcap are read ahead on a second processor where there is one. */
int pcapfile_some(struct pcapfile *f, struct pkt_in *ret, int max);

/* The same for one. */
static inline int pcapfile_next(struct pcapfile *f, struct pkt_in *ret)
{
	return pcapfile_some(f, ret, 1);
}

const char *pcapfile_error(struct pcapfile *f);

/* How much of the file has been read, 0-100; -1: its size isn't known. */
int pcapfile_percent(const struct pcapfile *f);

#endif
