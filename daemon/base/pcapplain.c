/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the records of a pcap file of this machine's byte order, without a copy each */
#include "base/pcapplain.h"

#include <stdlib.h>
#include <string.h>

#include "base/parts.h"

/* draft-ietf-opsawg-pcap, section 5 (the file's header is libpcap's to read):
 *  0               4               8               12              16
 * +---------------+---------------+---------------+---------------+
 * | seconds       | micro-/nanos. | bytes held    | bytes on wire | packet …
 */
enum { HEADER = 16, CAPLEN_MAX = 262144, HELD = (1 << 16) - 24 };

struct pcapplain {
	struct parts parts;
	struct pcapplain_conf conf;
};

static const struct {
	uint32_t magic;
	bool nanoseconds;
} magics[] = { { 0xa1b2c3d4, false }, { 0xa1b23c4d, true } };

bool pcapplain_magic(const unsigned char head[static 4], bool *ret_nanoseconds)
{
	uint32_t magic;

	memcpy(&magic, head, sizeof(magic));
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (magics[i].magic == magic) {
			*ret_nanoseconds = magics[i].nanoseconds;
			return true;
		}
	return false;
}

struct pcapplain *pcapplain_new(FILE *file, const struct pcapplain_conf *conf)
{
	struct pcapplain *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	p->conf = *conf;
	if (parts_init(&p->parts, file, HELD) < 0) {
		free(p);
		return NULL;
	}
	return p;
}

void pcapplain_free(struct pcapplain *p)
{
	if (p)
		parts_fini(&p->parts);
	free(p);
}

/* Not even a whole record is left: the end, or the file breaks off. */
static int broken(void *arg)
{
	struct pcapplain *p = arg;
	const uint8_t *at = p->parts.bytes + p->parts.at;
	size_t left = parts_left(&p->parts);
	uint32_t caplen;

	if (p->parts.why[0])
		return -1;
	if (left == 0)
		return 0;
	if (left < HEADER)
		return parts_fail(&p->parts,
		    "truncated dump file; tried to read %d header bytes, only got %zu",
		    HEADER, left);
	memcpy(&caplen, at + 8, sizeof(caplen));
	/* libpcap reads what is within the snapshot length first */
	if (caplen > p->conf.snaplen && left - HEADER < p->conf.snaplen)
		caplen = p->conf.snaplen;
	return parts_fail(&p->parts,
	    "truncated dump file; tried to read %u captured bytes, only got %zu", caplen,
	    left - HEADER);
}

static int insane(struct pcapplain *p, uint32_t caplen)
{
	bool cut = caplen > p->conf.snaplen;

	return parts_fail(&p->parts,
	    cut ? "invalid packet capture length %u, bigger than snaplen of %u"
		: "invalid packet capture length %u, bigger than maximum of %u",
	    caplen, cut ? p->conf.snaplen : (uint32_t)CAPLEN_MAX);
}

static int one(void *arg, struct pkt_in *ret)
{
	struct pcapplain *p = arg;
	const uint8_t *at = p->parts.bytes + p->parts.at;
	size_t left = parts_left(&p->parts);
	uint32_t head[4];
	int32_t fraction;

	if (left < HEADER)
		return 0;
	memcpy(head, at, sizeof(head));
	if (head[2] > CAPLEN_MAX)
		return insane(p, head[2]);
	if (left - HEADER < head[2])
		return 0;
	fraction = p->conf.nanoseconds ? (int32_t)head[1] / 1000 : (int32_t)head[1];
	ret->linktype = p->conf.linktype;
	ret->ts_us = (int64_t)(int32_t)head[0] * 1000000 + fraction;
	ret->caplen = head[2] < p->conf.snaplen ? head[2] : p->conf.snaplen;
	ret->len = head[3];
	ret->bytes = at + HEADER;
	p->parts.at += HEADER + head[2];
	return 1;
}

int pcapplain_some(struct pcapplain *p, struct pkt_in *ret, int max)
{
	static const struct parts_kind kind = { one, broken };

	return parts_some(&p->parts, &kind, p, ret, max);
}

const char *pcapplain_error(const struct pcapplain *p)
{
	return p->parts.why;
}
