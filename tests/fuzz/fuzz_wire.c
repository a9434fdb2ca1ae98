/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: fuzz the way from packet to sighting; with -DFUZZ_REPLAY a replayer
 *
 * Input: packets of [linktype, BE 16][length, BE 16][bytes], the last one cut at the
 * end.  A length with the top bit set means that the packet was 100 bytes longer on
 * the wire.  Small tables, so that evictions happen. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What guards will do: read all that they are given. */
static uint32_t read_all(void *arg, const struct flow_view *v, const uint8_t *bytes,
    uint32_t len)
{
	volatile uint8_t *sum = arg;

	for (uint32_t i = 0; i < len; i++)
		*sum ^= bytes[i];
	return v->facts && len && bytes[len - 1] == 0x5a ? NEWS_GUARD : 0;
}

static void check_sighting(const struct sighting *s)
{
	const struct smb_facts *smb = &s->facts.smb;

	if (s->facts.app == APP_NONE || s->facts.app >= APP_COUNT || !s->facts.confidence)
		abort();
	if (s->facts.app == APP_RDP && s->facts.rdp.channel_count > RDP_CHANNELS_MAX)
		abort();
	if (s->facts.app == APP_SMB &&
	    (smb->smb1_count > SMB1_OFFERED_MAX || smb->smb2_count > SMB2_OFFERED_MAX ||
		smb->native_os.len > sizeof(smb->native_os.b) ||
		smb->ntlm.user.len > sizeof(smb->ntlm.user.b)))
		abort();
}

/* Up to max packets of the input. */
static unsigned take(struct cursor *c, struct pkt_in *ret, unsigned max)
{
	static int64_t ts_us;
	unsigned n = 0;
	uint16_t len;

	while (n < max && cursor_left(c) > 4) {
		struct pkt_in *in = &ret[n++];

		in->linktype = cursor_be16(c);
		len = cursor_be16(c);
		in->caplen = len & 0x7fff;
		if (in->caplen > cursor_left(c))
			in->caplen = (uint32_t)cursor_left(c);
		in->len = in->caplen + (len & 0x8000 ? 100 : 0);
		in->bytes = cursor_take(c, in->caplen);
		in->ts_us = ts_us += 100000;
	}
	return n;
}

/* One is told of packets ahead, the other is not: they see the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct wire_conf conf = { .flows = 8, .streams = 3, .facts = 3, .frags = 1,
		.tunnels = true };
	uint8_t sum = 0;
	const struct wire_tap tap = { read_all, &sum };
	struct wire *w = wire_new(&conf), *plain = wire_new(&conf);
	struct cursor c = cursor_of(data, size);
	struct pkt_in in[WIRE_AHEAD];
	struct wire_stats a, b;
	struct sighting s, t;
	unsigned n;

	if (!w || !plain)
		goto out;
	wire_set_tap(w, &tap);
	wire_set_tap(plain, &tap);
	while ((n = take(&c, in, WIRE_AHEAD)) > 0) {
		wire_ahead(w, in, n);
		for (unsigned i = 0; i < n; i++) {
			bool news = wire_packet(w, &in[i], &s);

			if (news != wire_packet(plain, &in[i], &t) ||
			    (news && (s.flow_id != t.flow_id || s.news != t.news)))
				abort();
			if (news)
				check_sighting(&s);
		}
	}
	for (bool more = true; more;) {
		more = wire_finish(w, &s);
		if (more != wire_finish(plain, &t))
			abort();
		if (more)
			check_sighting(&s);
	}
	wire_get_stats(w, &a);
	wire_get_stats(plain, &b);
	if (memcmp(&a, &b, sizeof(a)) != 0)
		abort();
out:
	wire_free(w);
	wire_free(plain);
	return 0;
}

#include "fuzz_replay.h"
