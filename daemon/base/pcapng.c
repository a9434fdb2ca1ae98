/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the packets of a pcapng file, of any number of interfaces and sections */
#include "base/pcapng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parts.h"
#include "wire/cursor.h"
#include "wire/decode_link.h"

/* libpcap refuses files whose interfaces differ in link type or snapshot length, which is
 * what a capture on several of them has, and says so only once packets were read.
 *
 * A block, draft-ietf-opsawg-pcapng section 3.1; in the byte order of its section
 *  0               4               8
 * +---------------+---------------+- - - - - - - -+---------------+
 * | type          | length of all | body, padded  | length again  |
 * +---------------+---------------+- - - - - - - -+---------------+
 */
enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_OLD_PACKET = 2,
	BLOCK_SIMPLE_PACKET = 3, BLOCK_PACKET = 6 };
enum { HEADER = 8, FRAME = 12, BLOCK_MAX = 1 << 24, INTERFACES_MAX = 1 << 16,
	HELD = 1 << 16 };
enum { OPTION_TSRESOL = 9, OPTION_TSOFFSET = 14 };
enum { RESOLUTION_US = 6, RESOLUTION_NS = 9 }; /* the first unless one is given */
enum { BYTE_ORDER_MAGIC = 0x1a2b3c4d };

struct interface {
	uint16_t linktype;
	uint8_t resolution; /* 10^-n s, with the top bit 2^-n s */
	uint32_t snaplen;   /* 0: none */
	int64_t offset_s;
};

struct block {
	uint32_t type, len; /* len: of all of it */
	struct cursor body;
};

struct pcapng {
	struct parts parts;
	bool swap;  /* the section's byte order isn't ours */
	bool begun; /* a first packet waits, or its absence */
	int first;  /* what pcapng_begin() found: as pcapng_some() */
	struct pkt_in first_packet;
	struct interface *interface; /* of this section */
	size_t interfaces, interface_room;
};

bool pcapng_magic(const unsigned char head[static 4])
{
	return load_be32(head) == BLOCK_SECTION;
}

struct pcapng *pcapng_new(FILE *file)
{
	struct pcapng *p = calloc(1, sizeof(*p));

	if (p && parts_init(&p->parts, file, HELD) < 0) {
		free(p);
		return NULL;
	}
	return p;
}

void pcapng_free(struct pcapng *p)
{
	if (!p)
		return;
	parts_fini(&p->parts);
	free(p->interface);
	free(p);
}

const char *pcapng_error(const struct pcapng *p)
{
	return p->parts.why;
}

/* Numbers are in the byte order of who wrote the section. */
static uint16_t load16(const struct pcapng *p, const uint8_t *at)
{
	uint16_t n;

	memcpy(&n, at, sizeof(n));
	return p->swap ? __builtin_bswap16(n) : n;
}

static uint32_t load32(const struct pcapng *p, const uint8_t *at)
{
	uint32_t n;

	memcpy(&n, at, sizeof(n));
	return p->swap ? __builtin_bswap32(n) : n;
}

static uint64_t load64(const struct pcapng *p, const uint8_t *at)
{
	uint64_t n;

	memcpy(&n, at, sizeof(n));
	return p->swap ? __builtin_bswap64(n) : n;
}

static uint16_t get16(const struct pcapng *p, struct cursor *c)
{
	const uint8_t *at = cursor_take(c, 2);

	return at ? load16(p, at) : 0;
}

static uint32_t get32(const struct pcapng *p, struct cursor *c)
{
	const uint8_t *at = cursor_take(c, 4);

	return at ? load32(p, at) : 0;
}

/* The byte order of a section is known from the magic behind its header; interfaces count
 * from 0 in each. */
static int section_begins(struct pcapng *p, const uint8_t *magic)
{
	uint32_t native;

	memcpy(&native, magic, sizeof(native));
	if (native != BYTE_ORDER_MAGIC && __builtin_bswap32(native) != BYTE_ORDER_MAGIC)
		return parts_fail(
		    &p->parts, "a section's byte-order magic is 0x%08x", load_be32(magic));
	p->swap = native != BYTE_ORDER_MAGIC;
	p->interfaces = 0;
	return 0;
}

/* The block that begins here, its trailing length compared: 1, 0 if not all of it is
 * there, -1 if it can't be one. */
static int block_at(struct pcapng *p, struct block *ret)
{
	const uint8_t *at = p->parts.bytes + p->parts.at;
	size_t left = parts_left(&p->parts);
	uint32_t again;

	if (left < FRAME) /* the shortest; a section's has its magic there */
		return 0;
	if (load_be32(at) == BLOCK_SECTION && section_begins(p, at + HEADER) < 0)
		return -1;
	ret->type = load32(p, at);
	ret->len = load32(p, at + 4);
	if (ret->len < FRAME || ret->len > BLOCK_MAX || ret->len % 4)
		return parts_fail(&p->parts, "a block of type 0x%x with a length of %u",
		    ret->type, ret->len);
	if (left < ret->len)
		return 0;
	again = load32(p, at + ret->len - 4);
	if (again != ret->len)
		return parts_fail(
		    &p->parts, "a block of %u bytes ends as one of %u", ret->len, again);
	ret->body = cursor_of(at + HEADER, ret->len - FRAME);
	return 1;
}

static int section_read(struct pcapng *p, struct cursor c)
{
	uint16_t major;

	cursor_skip(&c, 4);
	major = get16(p, &c);
	if (!cursor_ok(&c) || major != 1)
		return parts_fail(&p->parts, "unknown pcapng savefile major version number %u", major);
	return 0;
}

/* Options, section 3.5: code, length, value padded to four bytes. */
static void interface_options(struct pcapng *p, struct cursor c, struct interface *i)
{
	struct cursor val;
	uint16_t code, len;

	while (cursor_left(&c) >= 4) {
		code = get16(p, &c);
		len = get16(p, &c);
		val = cursor_sub(&c, len);
		cursor_skip(&c, -(size_t)len & 3);
		if (code == 0 || !cursor_ok(&val))
			return;
		if (code == OPTION_TSRESOL && len == 1)
			i->resolution = cursor_u8(&val);
		if (code == OPTION_TSOFFSET && len == 8)
			i->offset_s = (int64_t)load64(p, val.at);
	}
}

/* Interface description, section 4.2: link type u16, reserved u16, snaplen u32, options. */
static int interface_read(struct pcapng *p, struct cursor c)
{
	struct interface i = { .resolution = RESOLUTION_US }, *bigger;
	size_t room = p->interface_room ? p->interface_room * 2 : 4;

	i.linktype = get16(p, &c);
	cursor_skip(&c, 2);
	i.snaplen = get32(p, &c);
	if (!cursor_ok(&c))
		return parts_fail(&p->parts, "an interface's block is too short");
	interface_options(p, c, &i);
	if (p->interfaces == INTERFACES_MAX)
		return parts_fail(&p->parts, "more than %d interfaces", INTERFACES_MAX);
	if (p->interfaces == p->interface_room) {
		bigger = reallocarray(p->interface, room, sizeof(*bigger));
		if (!bigger)
			return parts_fail(&p->parts, "%s", strerror(ENOMEM));
		p->interface = bigger;
		p->interface_room = room;
	}
	p->interface[p->interfaces++] = i;
	return 0;
}

/* Units of an interface's clock to seconds and microseconds. */
static void time_split(uint64_t units, uint8_t resolution, uint64_t *ret_s, uint64_t *ret_us)
{
	unsigned n = resolution & 0x7f, cut;
	uint64_t per_s = 1;

	*ret_s = *ret_us = 0;
	if (resolution & 0x80) {
		*ret_s = n < 64 ? units >> n : 0;
		units -= n < 64 ? *ret_s << n : 0;
		cut = n > 43 ? n - 43 : 0; /* so that 20 bits more have room */
		*ret_us = cut < 64 ? (units >> cut) * 1000000 >> (n - cut) : 0;
	} else if (n < 20) { /* else all 2^64 of them are less than a second */
		for (unsigned k = 0; k < n; k++)
			per_s *= 10;
		*ret_s = units / per_s;
		*ret_us = n > 6 ? units % per_s / (per_s / 1000000)
				: units % per_s * (1000000 / per_s);
	}
}

static int64_t clamp(int64_t n, int64_t max)
{
	return n < -max ? -max : n > max ? max : n;
}

/* Since 1970; what lies outside 1970-4147 is brought to its edge, so that nobody's
 * arithmetic overflows. */
static int64_t time_us(uint64_t units, const struct interface *i)
{
	const int64_t last_s = (int64_t)1 << 36;
	uint64_t s, us;
	int64_t at_s;

	if (i->offset_s == 0 && i->resolution == RESOLUTION_US &&
	    units < (uint64_t)last_s * 1000000)
		return (int64_t)units;
	if (i->offset_s == 0 && i->resolution == RESOLUTION_NS)
		return (int64_t)(units / 1000);
	time_split(units, i->resolution, &s, &us);
	at_s = s < (uint64_t)last_s ? (int64_t)s : last_s;
	at_s = clamp(at_s + clamp(i->offset_s, last_s), last_s);
	return (at_s < 0 ? 0 : at_s) * 1000000 + (int64_t)us;
}

static const struct interface *interface_of(struct pcapng *p, uint32_t id)
{
	if (id < p->interfaces)
		return &p->interface[id];
	parts_fail(&p->parts, "a packet of interface %u, of %zu", id, p->interfaces);
	return NULL;
}

/* Sections 4.3 (interface u32) and A (interface u16, drops u16): then time in two halves,
 * captured and original length, the bytes. */
static int packet_read(struct pcapng *p, struct cursor c, bool old, struct pkt_in *ret)
{
	const uint8_t *head = cursor_take(&c, 20);
	const struct interface *i;
	uint32_t caplen, len;
	uint64_t units;

	if (!head)
		return parts_fail(&p->parts, "a packet's block is too short");
	units = (uint64_t)load32(p, head + 4) << 32 | load32(p, head + 8);
	caplen = load32(p, head + 12);
	len = load32(p, head + 16);
	if (caplen > cursor_left(&c))
		return parts_fail(&p->parts, "a packet of %u bytes in a block that has %zu",
		    caplen, cursor_left(&c));
	i = interface_of(p, old ? load16(p, head) : load32(p, head));
	if (!i)
		return -1;
	*ret = (struct pkt_in){ .linktype = i->linktype, .ts_us = time_us(units, i),
		.caplen = caplen, .len = len > caplen ? len : caplen, .bytes = c.at };
	return 1;
}

/* Section 4.4: the original length, then what the first interface's snaplen left. */
static int simple_read(struct pcapng *p, struct cursor c, struct pkt_in *ret)
{
	const struct interface *i = interface_of(p, 0);
	uint32_t len = get32(p, &c), caplen;

	if (!i)
		return -1;
	caplen = i->snaplen && i->snaplen < len ? i->snaplen : len;
	if (!cursor_ok(&c) || caplen > cursor_left(&c))
		return parts_fail(&p->parts, "a packet of %u bytes in a block that has %zu",
		    caplen, cursor_left(&c));
	*ret = (struct pkt_in){ .linktype = i->linktype, .caplen = caplen, .len = len,
		.bytes = c.at };
	return 1;
}

/* 1: it holds a packet, 0: it does not, -1. */
static int block_read(struct pcapng *p, const struct block *b, struct pkt_in *ret)
{
	switch (b->type) {
	case BLOCK_SECTION:
		return section_read(p, b->body);
	case BLOCK_INTERFACE:
		return interface_read(p, b->body);
	case BLOCK_OLD_PACKET:
	case BLOCK_PACKET:
		return packet_read(p, b->body, b->type == BLOCK_OLD_PACKET, ret);
	case BLOCK_SIMPLE_PACKET:
		return simple_read(p, b->body, ret);
	}
	return 0; /* names, counters, secrets, whatever others put there */
}

static int one(void *arg, struct pkt_in *ret)
{
	struct pcapng *p = arg;
	struct block b;
	int rc;

	while ((rc = block_at(p, &b)) == 1) {
		rc = block_read(p, &b, ret);
		if (rc < 0)
			return rc;
		p->parts.at += b.len;
		if (rc == 1)
			return rc;
	}
	return rc;
}

/* Not even a whole block is left: the end, or the file breaks off. */
static int broken(void *arg)
{
	struct pcapng *p = arg;
	size_t left = parts_left(&p->parts);

	if (p->parts.why[0])
		return -1;
	if (left == 0)
		return 0;
	if (left < FRAME)
		return parts_fail(&p->parts,
		    "truncated pcapng dump file; tried to read %d bytes, only got %zu", FRAME,
		    left);
	return parts_fail(&p->parts,
	    "truncated pcapng dump file; tried to read a block of %u bytes, only got %zu",
	    load32(p, p->parts.bytes + p->parts.at + 4), left);
}

static const struct parts_kind kind = { one, broken };

int pcapng_begin(struct pcapng *p, int *ret_linktype)
{
	p->first = parts_some(&p->parts, &kind, p, &p->first_packet, 1);
	p->begun = true;
	if (p->first < 0 && p->interfaces == 0)
		return -1;
	*ret_linktype = p->interfaces ? p->interface[0].linktype : -1;
	for (size_t i = 0; i < p->interfaces; i++)
		if (decode_link_known(p->interface[i].linktype)) {
			*ret_linktype = p->interface[i].linktype;
			break;
		}
	return 0;
}

int pcapng_some(struct pcapng *p, struct pkt_in *ret, int max)
{
	if (!p->begun)
		return parts_some(&p->parts, &kind, p, ret, max);
	p->begun = false;
	if (p->first == 1)
		*ret = p->first_packet;
	return p->first;
}
