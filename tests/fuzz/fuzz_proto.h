/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: for the targets of recognisers: one row of the table on a stream of bytes
 *
 * Input: [flags of the flow_view][row][bytes of one direction]. */
#ifndef TESTS_FUZZ_PROTO_H
#define TESTS_FUZZ_PROTO_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/proto.h"

enum { FUZZ_PREFIX_MAX = 160, FUZZ_MESSAGES_MAX = 64 };

static inline struct flow_view fuzz_view(uint8_t flags, struct flow_facts *facts)
{
	struct flow_view v = { .stream_start = flags & 1, .final = flags & 2,
		.client_known = flags & 4 };

	v.from_client = v.client_known && flags & 8;
	v.facts = facts;
	return v;
}

static inline enum match fuzz_open(
    const struct proto *row, uint8_t flags, const uint8_t *bytes, size_t len)
{
	struct flow_view v = fuzz_view(flags, NULL);
	enum match m = row->open(cursor_of(bytes, len), &v);

	if (m == MATCH_MORE && (v.final || v.want <= len || v.want > MESSAGE_HEAD_MAX))
		abort();
	if (m == MATCH_MALFORMED)
		abort();
	return m;
}

/* What a prefix was judged holds for all that begins with it: neither does cutting a
 * stream into pieces hide a protocol, nor does it make one. */
static inline void fuzz_prefixes(
    const struct proto *row, uint8_t flags, const uint8_t *bytes, size_t len)
{
	enum match last = MATCH_MORE, m;

	flags &= (uint8_t)~2u; /* more will come */
	for (size_t i = 0; i <= len && i < FUZZ_PREFIX_MAX; i++) {
		m = fuzz_open(row, flags, bytes, i);
		if (last != MATCH_MORE && m != last)
			abort();
		last = m;
	}
}

static inline void fuzz_facts(const struct flow_facts *f)
{
	const struct smb_facts *smb = &f->smb;

	if (f->app == APP_RDP && f->rdp.channel_count > RDP_CHANNELS_MAX)
		abort();
	if (f->app == APP_SMB &&
	    (smb->smb1_count > SMB1_OFFERED_MAX || smb->smb2_count > SMB2_OFFERED_MAX ||
		smb->native_os.len > sizeof(smb->native_os.b) ||
		smb->native_lm.len > sizeof(smb->native_lm.b) ||
		smb->ntlm.user.len > sizeof(smb->ntlm.user.b) ||
		smb->called.len > sizeof(smb->called.b)))
		abort();
}

/* Messages as follow.c reads them, from a stream that the row has opened. */
static inline void fuzz_messages(
    const struct proto *row, uint8_t flags, const uint8_t *bytes, size_t len)
{
	struct flow_facts facts = { .app = (uint8_t)row->app };
	struct flow_view v;
	enum match m;

	for (int i = 0; i < FUZZ_MESSAGES_MAX && len; i++) {
		v = fuzz_view(flags, &facts);
		m = row->message(cursor_of(bytes, len), &v);
		fuzz_facts(&facts);
		if (m == MATCH_MORE && !v.final && v.want <= len)
			abort();
		if (m != MATCH_YES || v.used == 0 || v.used >= len || v.done)
			return;
		bytes += v.used;
		len -= v.used;
		flags &= (uint8_t)~1u;
	}
}

static inline void fuzz_row(const struct proto *row, const uint8_t *data, size_t size)
{
	uint8_t *bytes;
	size_t len = size - 2;

	/* its own allocation, so that reading past it shows */
	bytes = malloc(len ? len : 1);
	if (!bytes)
		return;
	memcpy(bytes, data + 2, len);
	fuzz_prefixes(row, data[0], bytes, len);
	if (fuzz_open(row, data[0], bytes, len) == MATCH_YES || data[0] & 16)
		fuzz_messages(row, data[0], bytes, len);
	free(bytes);
}

#endif
