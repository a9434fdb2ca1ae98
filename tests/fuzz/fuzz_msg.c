/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a role that was taken over sends; with -DFUZZ_REPLAY a replayer */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cordon/flowspace.h>

#include "enforcer/blocks.h"
#include "enforcer/guard.h"
#include "priv/msg.h"
#include "priv/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int channel[2];
static struct fs *policy;
static struct netrange never[2];

static void start(void)
{
	struct fs_builder *b = fsb_new();
	struct fs_span span;

	if (!b || proc_channel(channel) < 0 ||
	    netrange_parse("10.0.0.0/8", &never[0], NULL) < 0 ||
	    netrange_parse("2001:db8::/32", &never[1], NULL) < 0)
		abort();
	span = fsb_ranges(b, never, 2);
	fsb_settings(b)->never = span;
	policy = fsb_finish(b);
	fsb_free(b);
	if (!policy)
		abort();
}

/* However it is asked, the enforcer sets nothing that reaches into `never`. */
static void block(const struct msg_block *asked)
{
	struct msg_block b = *asked;
	struct guard_state g;
	struct netrange r;
	uint8_t key[16];

	guard_init(&g);
	if (guard_block(&g, policy, 1, &b) != MSG_OK)
		return;
	r = netrange_of_prefix(&b.addr, b.prefixlen);
	if (netrange_overlaps(&r, &never[0]) || netrange_overlaps(&r, &never[1]))
		abort();
	if (!block_key(&b, key))
		abort();
}

/* What was taken once is taken again: no message is only valid by accident. */
static void again(enum role from, enum role to, const struct msg_hdr *hdr,
    const union msg_body *body)
{
	struct msg_hdr h;
	union msg_body copy;
	int fds[3];

	if (msg_table[hdr->type].fds)
		return;
	if (msg_send(channel[0], (enum msg_type)hdr->type, hdr->id, body, NULL) != 0 ||
	    msg_recv(channel[1], from, to, &h, &copy, fds) != 1 ||
	    memcmp(&copy, body, hdr->len) != 0)
		abort();
}

/* First byte: sender and receiver; then the datagram. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum role from, to;
	struct msg_hdr hdr;
	union msg_body body;
	int fds[3];

	if (!policy)
		start();
	if (size < 2)
		return 0;
	from = (enum role)(data[0] & 3);
	to = (enum role)(data[0] >> 2 & 3);
	if (send(channel[0], data + 1, size - 1, MSG_DONTWAIT) < 0)
		return 0;
	if (msg_recv(channel[1], from, to, &hdr, &body, fds) != 1)
		return 0;
	if (!(msg_table[hdr.type].from & 1U << from) ||
	    !(msg_table[hdr.type].to & 1U << to) || size - 1 != sizeof(hdr) + hdr.len)
		abort();
	again(from, to, &hdr, &body);
	if (hdr.type == MSG_BLOCK)
		block(&body.block);
	return 0;
}

#include "fuzz_replay.h"
