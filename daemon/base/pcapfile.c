/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: capture files, one packet after the other */
#include "base/pcapfile.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/gzfile.h"
#include "base/readahead.h"
#include "wire/decode_link.h"

enum { READ_AHEAD = 1 << 16 };

struct pcapfile {
	pcap_t *pcap;
	FILE *file; /* pcap's; `raw` below it where that is gzip */
	FILE *raw;
	struct gzfile_error gz;
	uint64_t size; /* of the file, 0: unknown */
	int linktype;
	struct readahead *ahead;
};

/* First bytes of what others pack captures with. */
static const struct packer {
	const char *magic, *unpack;
} packers[] = {
	{ "\x28\xb5\x2f\xfd", "zstd -dc" },
	{ "\xfd\x37\x7aX", "xz -dc" },
	{ "BZh", "bzip2 -dc" },
	{ "\x04\x22\x4d\x18", "lz4 -dc" },
	{ "PK\x03\x04", "unzip -p" },
};

/* Look at the first bytes and give them back, which glibc does for as many as it has. */
static size_t peek(FILE *f, unsigned char head[static 4])
{
	size_t n = fread(head, 1, 4, f);

	for (size_t i = n; i-- > 0;)
		ungetc(head[i], f);
	return n;
}

static int explain(const unsigned char *head, size_t n, char *err)
{
	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		size_t len = strnlen(packers[i].magic, 4);

		if (n < len || memcmp(head, packers[i].magic, len) != 0)
			continue;
		snprintf(err, PCAPFILE_ERRLEN,
		    "packed otherwise than by gzip: unpack it into the command, `%s FILE |` "
		    "and `-` for the file",
		    packers[i].unpack);
		return -1;
	}
	return 0;
}

/* f->file from f->raw; -1 with the reason. */
static int look_inside(struct pcapfile *f, char *err)
{
	unsigned char head[4];
	size_t n;

	errno = 0;
	n = peek(f->raw, head);
	if (n == 0) {
		snprintf(err, PCAPFILE_ERRLEN, "%s",
		    ferror(f->raw) ? strerror(errno) : "the file is empty");
		return -1;
	}
	f->file = f->raw;
	if (n < 2 || head[0] != 0x1f || head[1] != 0x8b)
		return explain(head, n, err);
	f->file = gzfile_open(f->raw, &f->gz);
	if (!f->file) {
		f->file = f->raw;
		snprintf(err, PCAPFILE_ERRLEN, "%s", strerror(ENOMEM));
		return -1;
	}
	setvbuf(f->file, NULL, _IOFBF, READ_AHEAD);
	return 0;
}

static int open_pcap(struct pcapfile *f, char *err)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	const char *name;

	f->pcap = pcap_fopen_offline(f->file, why);
	if (!f->pcap) {
		snprintf(err, PCAPFILE_ERRLEN, "neither pcap nor pcapng: %s",
		    f->gz.why ? f->gz.why : why);
		return -1;
	}
	f->linktype = pcap_datalink(f->pcap);
	if (decode_link_known(f->linktype))
		return 0;
	name = pcap_datalink_val_to_name(f->linktype);
	snprintf(err, PCAPFILE_ERRLEN, "link type %d (%s) is none that is known here",
	    f->linktype, name ? name : "unnamed");
	return -1;
}

static void measure(struct pcapfile *f)
{
	off_t end;

	if (f->raw == stdin || fseeko(f->raw, 0, SEEK_END) != 0)
		return;
	end = ftello(f->raw);
	f->size = end > 0 ? (uint64_t)end : 0;
	rewind(f->raw);
}

/* For the read-ahead: as libpcap gives them. */
static int next(void *arg, struct pkt_in *ret)
{
	struct pcapfile *f = arg;
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

struct pcapfile *pcapfile_open(const char *path, char err[static PCAPFILE_ERRLEN])
{
	struct pcapfile *f = calloc(1, sizeof(*f));

	if (!f) {
		snprintf(err, PCAPFILE_ERRLEN, "%s", strerror(ENOMEM));
		return NULL;
	}
	f->raw = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
	if (!f->raw) {
		snprintf(err, PCAPFILE_ERRLEN, "%s", strerror(errno));
		free(f);
		return NULL;
	}
	/* libpcap reads twice a packet; stdio's 4 KB would make a system call of
	 * every tenth. */
	setvbuf(f->raw, NULL, _IOFBF, READ_AHEAD);
	measure(f);
	if (look_inside(f, err) < 0 || open_pcap(f, err) < 0)
		goto out;
	f->ahead = readahead_new(next, f);
	if (!f->ahead) {
		snprintf(err, PCAPFILE_ERRLEN, "%s", strerror(ENOMEM));
		goto out;
	}
	return f;
out:
	pcapfile_close(f);
	return NULL;
}

void pcapfile_close(struct pcapfile *f)
{
	if (!f)
		return;
	if (f->ahead)
		readahead_free(f->ahead);
	if (f->pcap) /* closes the file unless it is stdin */
		pcap_close(f->pcap);
	else if (f->file && f->file != stdin)
		fclose(f->file);
	else if (!f->file && f->raw != stdin)
		fclose(f->raw);
	free(f);
}

int pcapfile_some(struct pcapfile *f, struct pkt_in *ret, int max)
{
	return readahead_some(f->ahead, ret, max);
}

const char *pcapfile_error(struct pcapfile *f)
{
	return f->gz.why ? f->gz.why : pcap_geterr(f->pcap);
}

int pcapfile_percent(const struct pcapfile *f)
{
	off_t at = f->size ? ftello(f->raw) : -1;

	if (at < 0)
		return -1;
	return (uint64_t)at >= f->size ? 100 : (int)((double)at * 100 / (double)f->size);
}
