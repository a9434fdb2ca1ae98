/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: capture files, one packet after the other */
#include "base/pcapfile.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/gzfile.h"
#include "base/pcapng.h"
#include "base/pcapplain.h"
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
	bool section; /* the first bytes are pcapng's */
	bool simple, nanoseconds;   /* to be read by `plain` */
	struct pcapplain *plain;    /* instead of pcap, behind the header */
	struct pcapng *ng;	    /* instead of pcap, from the first byte */
	struct readahead *ahead;    /* NULL: straight from `plain` or `ng` */
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

/* Whom the first bytes are for. */
static void inside(struct pcapfile *f, const unsigned char head[static 4], size_t n)
{
	f->simple = n == 4 && pcapplain_magic(head, &f->nanoseconds);
	f->section = n == 4 && pcapng_magic(head);
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
	inside(f, head, n);
	if (n < 2 || head[0] != 0x1f || head[1] != 0x8b)
		return explain(head, n, err);
	f->file = gzfile_open(f->raw, &f->gz);
	if (!f->file) {
		f->file = f->raw;
		snprintf(err, PCAPFILE_ERRLEN, "%s", strerror(ENOMEM));
		return -1;
	}
	setvbuf(f->file, NULL, _IOFBF, READ_AHEAD);
	inside(f, head, peek(f->file, head));
	return 0;
}

static int link_known(struct pcapfile *f, char *err)
{
	const char *name;

	if (decode_link_known(f->linktype))
		return 0;
	name = pcap_datalink_val_to_name(f->linktype);
	snprintf(err, PCAPFILE_ERRLEN, "link type %d (%s) is none that is known here",
	    f->linktype, name ? name : "unnamed");
	return -1;
}

/* Of several interfaces one must be of use; a file may also hold none, and no packets. */
static int open_pcapng(struct pcapfile *f, char *err)
{
	f->ng = pcapng_new(f->file);
	if (!f->ng) {
		snprintf(err, PCAPFILE_ERRLEN, "%s", strerror(ENOMEM));
		return -1;
	}
	if (pcapng_begin(f->ng, &f->linktype) < 0) {
		snprintf(err, PCAPFILE_ERRLEN, "neither pcap nor pcapng: %s",
		    f->gz.why ? f->gz.why : pcapng_error(f->ng));
		return -1;
	}
	return f->linktype < 0 ? 0 : link_known(f, err);
}

static int open_pcap(struct pcapfile *f, char *err)
{
	char why[PCAP_ERRBUF_SIZE] = "";

	if (f->section)
		return open_pcapng(f, err);
	f->pcap = pcap_fopen_offline(f->file, why);
	if (!f->pcap) {
		snprintf(err, PCAPFILE_ERRLEN, "neither pcap nor pcapng: %s",
		    f->gz.why ? f->gz.why : why);
		return -1;
	}
	f->linktype = pcap_datalink(f->pcap);
	return link_known(f, err);
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
static int next_pcap(void *arg, struct pkt_in *ret)
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

static int next_ng(void *arg, struct pkt_in *ret)
{
	struct pcapfile *f = arg;

	return pcapng_some(f->ng, ret, 1);
}

static int next_plain(void *arg, struct pkt_in *ret)
{
	struct pcapfile *f = arg;

	return pcapplain_some(f->plain, ret, 1);
}

/* Who reads the packets: libpcap on a thread of its own; of files as nearly all are
 * nobody but us, which costs less than handing packets over, unless they are packed. */
static int open_packets(struct pcapfile *f)
{
	struct pcapplain_conf conf = { .linktype = f->linktype,
		.nanoseconds = f->nanoseconds };
	readahead_source *source = f->ng ? next_ng : next_pcap;

	if (f->pcap && f->simple && pcap_major_version(f->pcap) == 2 &&
	    pcap_minor_version(f->pcap) == 4) {
		conf.snaplen = (uint32_t)pcap_snapshot(f->pcap);
		f->plain = pcapplain_new(f->file, &conf);
		if (!f->plain)
			return -1;
		source = next_plain;
	}
	if (f->file == f->raw && source != next_pcap)
		return 0;
	f->ahead = readahead_new(source, f);
	return f->ahead ? 0 : -1;
}

struct pcapfile *pcapfile_of(FILE *file, char err[static PCAPFILE_ERRLEN])
{
	struct pcapfile *f = calloc(1, sizeof(*f));

	if (!f) {
		snprintf(err, PCAPFILE_ERRLEN, "%s", strerror(ENOMEM));
		if (file != stdin)
			fclose(file);
		return NULL;
	}
	f->raw = file;
	/* libpcap reads twice a packet; stdio's 4 KB would make a system call of
	 * every tenth. */
	setvbuf(f->raw, NULL, _IOFBF, READ_AHEAD);
	measure(f);
	if (look_inside(f, err) < 0 || open_pcap(f, err) < 0)
		goto out;
	if (open_packets(f) < 0) {
		snprintf(err, PCAPFILE_ERRLEN, "%s", strerror(ENOMEM));
		goto out;
	}
	return f;
out:
	pcapfile_close(f);
	return NULL;
}

struct pcapfile *pcapfile_open(const char *path, char err[static PCAPFILE_ERRLEN])
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");

	if (file)
		return pcapfile_of(file, err);
	snprintf(err, PCAPFILE_ERRLEN, "%s", strerror(errno));
	return NULL;
}

void pcapfile_close(struct pcapfile *f)
{
	if (!f)
		return;
	if (f->ahead)
		readahead_free(f->ahead);
	pcapplain_free(f->plain);
	pcapng_free(f->ng);
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
	if (f->ahead)
		return readahead_some(f->ahead, ret, max);
	return f->ng ? pcapng_some(f->ng, ret, max) : pcapplain_some(f->plain, ret, max);
}

const char *pcapfile_error(struct pcapfile *f)
{
	if (f->gz.why)
		return f->gz.why;
	if (f->ng)
		return pcapng_error(f->ng);
	return f->plain ? pcapplain_error(f->plain) : pcap_geterr(f->pcap);
}

int pcapfile_percent(const struct pcapfile *f)
{
	off_t at = f->size ? ftello(f->raw) : -1;

	if (at < 0)
		return -1;
	return (uint64_t)at >= f->size ? 100 : (int)((double)at * 100 / (double)f->size);
}
