/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: capture files, one packet after the other */
#ifndef BASE_PCAPFILE_H
#define BASE_PCAPFILE_H

#include <stddef.h>

#include "wire/decode.h"

struct pcapfile;

enum { PCAPFILE_ERRLEN = 512 };

/* Open a pcap or pcapng file, "-" for standard input.  Compressed files are
 * refused by libpcap (pipe them through gzip -dc).  NULL on failure with the
 * reason, without the path, in err. */
struct pcapfile *pcapfile_open(const char *path, char err[static PCAPFILE_ERRLEN]);
void pcapfile_close(struct pcapfile *f);

/* 1 and the next packet, whose bytes are borrowed until the next call; 0 at the
 * end; -1 if the file is broken off or damaged there (pcapfile_error()). */
int pcapfile_next(struct pcapfile *f, struct pkt_in *ret);
const char *pcapfile_error(struct pcapfile *f);

#endif
