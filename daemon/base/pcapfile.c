/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: capture files, one packet after the other */
#include "base/pcapfile.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_AHEAD = 1 << 18 };

struct pcapfile {
	pcap_t *pcap;
	int linktype;
};

struct pcapfile *pcapfile_open(const char *path, char err[static PCAPFILE_ERRLEN])
{
	struct pcapfile *f = calloc(1, sizeof(*f));
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
	char why[PCAP_ERRBUF_SIZE] = "";

	if (!f || !file) {
		snprintf(err, PCAPFILE_ERRLEN, "%s", strerror(errno));
		goto out;
	}
	/* libpcap reads twice a packet; stdio's 4 KB would make a system call of
	 * every tenth. */
	setvbuf(file, NULL, _IOFBF, READ_AHEAD);
	f->pcap = pcap_fopen_offline(file, why);
	if (!f->pcap) {
		snprintf(err, PCAPFILE_ERRLEN, "%s", why);
		goto out;
	}
	f->linktype = pcap_datalink(f->pcap);
	return f;
out:
	if (file && file != stdin)
		fclose(file);
	free(f);
	return NULL;
}

void pcapfile_close(struct pcapfile *f)
{
	if (!f)
		return;
	pcap_close(f->pcap);
	free(f);
}

int pcapfile_next(struct pcapfile *f, struct pkt_in *ret)
{
	struct pcap_pkthdr *header;
	const u_char *bytes;

	switch (pcap_next_ex(f->pcap, &header, &bytes)) {
	case 1:
		break;
	case PCAP_ERROR_BREAK:
		return 0;
	default:
		return -1;
	}
	ret->linktype = f->linktype;
	ret->ts_us = (int64_t)header->ts.tv_sec * 1000000 + header->ts.tv_usec;
	ret->caplen = header->caplen;
	ret->len = header->len;
	ret->bytes = bytes;
	return 1;
}

const char *pcapfile_error(struct pcapfile *f)
{
	return pcap_geterr(f->pcap);
}
