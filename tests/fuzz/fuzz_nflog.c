/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: fuzz what the kernel logs: the nflog packet, its prefix, the sighting of it
 *
 * Input: a packet of the nflog link type; the whole of it is also read as a prefix. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "priv/msg.h"
#include "sensor/nflog.h"
#include "wire/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINK_NFLOG = 239 };

static void check_prefix(const uint8_t *prefix, size_t len, const struct pkt_view *v)
{
	struct nflog_prefix p = { .generation = 7 };
	union msg_body body;

	if (!nflog_parse(prefix, len, &p))
		return;
	if (memchr(p.detail, 0, sizeof(p.detail)) == NULL || (!p.copy && p.kind >= SIGHT_KINDS))
		abort();
	(void)nflog_established(&p);
	memset(&body, 0, sizeof(body));
	/* What the sensor sends is what the engine takes. */
	if (!p.copy && v && nflog_sighting(&p, v, 1, &body.sighting) &&
	    !msg_valid(MSG_SIGHTING, &body))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkt_in in = { .linktype = LINK_NFLOG, .ts_us = 1, .caplen = (uint32_t)size,
		.len = (uint32_t)size };
	uint8_t *bytes = malloc(size ? size : 1);
	struct pkt_view v;

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	in.bytes = bytes;
	decode_packet(&in, &v);
	if (v.nflog.present && v.nflog.prefix)
		check_prefix(v.nflog.prefix, v.nflog.prefix_len, &v);
	check_prefix(bytes, size, NULL);
	free(bytes);
	return 0;
}

#include "fuzz_replay.h"
