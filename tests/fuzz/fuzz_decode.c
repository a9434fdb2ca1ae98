/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: fuzz link, network and transport headers and the fragment pool
 *
 * Input as fuzz_wire's: packets of [linktype, BE 16][length, BE 16][bytes], a length with
 * the top bit set for one that was 100 bytes longer on the wire. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/decode.h"
#include "wire/frag.h"
#include "wire/tunnel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const uint8_t *at, size_t len)
{
	static volatile uint8_t sum;

	for (size_t i = 0; i < len; i++)
		sum ^= at[i];
	(void)sum;
}

/* What every user of a view counts on, however decoding ended. */
static void check(const struct pkt_view *v, enum decode how)
{
	if (v->body.at > v->body.end)
		abort();
	read_all(v->body.at, (size_t)(v->body.end - v->body.at));
	if (v->nflog.present) {
		read_all(v->nflog.prefix, v->nflog.prefix_len);
		read_all(v->nflog.hwaddr, v->nflog.hwaddr_len);
	}
	if (how != DECODE_OK)
		return;
	if (v->payload_len > v->wire_len || v->src.v != v->dst.v ||
	    (v->src.v != 4 && v->src.v != 6))
		abort();
	read_all(v->payload, v->payload_len);
}

/* Into tunnels, which get shorter each time. */
static void enter(const struct pkt_view *v, enum decode how)
{
	struct pkt_view in = *v;

	while (how == DECODE_OK) {
		const uint8_t *at = in.payload;

		if (!tunnel_enter(&in, &how))
			break;
		check(&in, how);
		if (how == DECODE_OK && in.payload <= at)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frag_pool *frags = frag_pool_new(2);
	struct cursor c = cursor_of(data, size);
	struct pkt_in in = { .ts_us = 1 };
	struct pkt_view v;
	enum decode how;
	uint16_t len;

	if (!frags)
		return 0;
	while (cursor_left(&c) > 4) {
		in.linktype = cursor_be16(&c);
		len = cursor_be16(&c);
		in.caplen = len & 0x7fff;
		if (in.caplen > cursor_left(&c))
			in.caplen = (uint32_t)cursor_left(&c);
		in.len = in.caplen + (len & 0x8000 ? 100 : 0);
		in.bytes = cursor_take(&c, in.caplen);
		in.ts_us += 1000000;
		how = decode_packet(&in, &v);
		check(&v, how);
		enter(&v, how);
		if (how != DECODE_FRAGMENT || !frag_add(frags, &v, in.ts_us))
			continue;
		v.frag = (struct pkt_frag){ .id = 0 };
		how = decode_transport(&v);
		check(&v, how);
		enter(&v, how);
	}
	frag_pool_free(frags);
	return 0;
}

#include "fuzz_replay.h"
