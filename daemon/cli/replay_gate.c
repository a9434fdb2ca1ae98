/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: `require:` of one connection, packet by packet, as the kernel's rules hold it */
#include "cli/replay_gate.h"

#include <string.h>

#include "cli/replay_gate_wire.h"
#include "wire/decode.h"

enum { REQUIREMENTS = 3 };
enum { CR_MIN = 11, CR_MAX = 128, CC_LEN = 19 };
enum { SMB1_MIN = 35, SMB1_MAX = 239, SLACK = 16 };
enum { HEAD = 4 };        /* of SMB's frame */
enum { LENGTH = 3 };      /* low byte of the length, of TPKT and of that frame alike */

static const struct {
	uint8_t require, proto;
	const char *reason;
} rows[REQUIREMENTS] = {
	{ FS_REQ_NLA, FS_RDP, "nla-required" },
	{ FS_REQ_SMB2, FS_SMB, "smb2-required" },
	{ FS_REQ_SIGNING, FS_SMB, "signing-required" },
};

const char *replay_gate_reason(uint8_t require)
{
	for (size_t i = 0; i < REQUIREMENTS; i++)
		if (rows[i].require == require)
			return rows[i].reason;
	return "opening";
}

/* ---- the request ---- */

static void broken(struct gate *s)
{
	if ((s->need & FS_REQ_NLA) && !s->asked_smb)
		s->broken |= FS_REQ_NLA;
	else
		s->broken |= s->need & (FS_REQ_SMB2 | FS_REQ_SIGNING);
	s->off = true;
}

/* The first request's length is kept: what comes again has the same.  Once refused the
 * client can only be late. */
static void once(struct gate *s, const struct data *d)
{
	s->late = s->refused;
	if (s->late)
		return;
	if (s->asked && s->len != d->p[LENGTH]) {
		broken(s);
		return;
	}
	s->len = d->p[LENGTH];
	s->asked = true;
}

static bool whole_rdp_request(const struct data *d)
{
	return data_rdp_request(d) && d->n >= CR_MIN && d->n <= CR_MAX &&
	    d->p[LENGTH] == d->n && d->p[LENGTH + 1] == d->n - 5;
}

static void smb1_request(struct gate *s, const struct data *d, uint16_t seq)
{
	uint8_t len = d->p[LENGTH];
	uint32_t end = (uint32_t)(len & ~(SLACK - 1)) + SLACK + HEAD - 1;

	s->asked_smb = true;
	if ((s->smb2_spoken && seq != s->first) || len < SMB1_MIN || len > SMB1_MAX ||
	    d->n > end || d->n < SMB1_MIN + HEAD)
		broken(s);
	else
		once(s, d);
}

static void smb_request(struct gate *s, const struct data *d, uint16_t seq, uint8_t both)
{
	if ((both & FS_RDP) && !(s->need & FS_REQ_NLA) && !s->asked_smb &&
	    data_rdp_request(d)) {
		s->off = true;
	} else if (!s->session && !s->asked && data_netbios(d)) {
		s->asked_smb = true;
	} else if (data_is(d, 0, "\0\0\0", 3) && data_is(d, HEAD, "\xffSMB\x72", 5)) {
		smb1_request(s, d, seq);
	} else if (s->asked && !s->smb2_spoken) {
		broken(s);
	} else if (data_smb2_negotiate(d)) {
		s->asked_smb = true;
		s->client_signs |= data_bit(d, HEAD + 64 + 4, 1);
	} else {
		broken(s);
	}
}

/* both: what both sides grant. */
static void request(struct gate *s, const struct data *d, uint16_t seq, uint8_t both)
{
	if (!s->session && !s->smb2_spoken && seq != s->first) {
		broken(s);
		return;
	}
	if (s->need & FS_REQ_NLA) {
		if (!s->asked && (both & FS_SMB) && (data_smb(d, 0) || data_netbios(d)))
			s->asked_smb = true;
		if (!s->asked_smb) {
			if (whole_rdp_request(d))
				once(s, d);
			else
				broken(s);
			return;
		}
		if (s->need == FS_REQ_NLA) {
			s->off = true;
			return;
		}
	}
	smb_request(s, d, seq, both);
}

/* ---- the answer ---- */

/* MS-RDPBCGR 2.2.1.2: 19 bytes, CredSSP selected, or a failure. */
static void rdp_answer(struct gate *s, const struct data *d)
{
	bool confirm = data_is(d, 0, "\3\0\0\x13\x0e\xd0", 6) && d->n == CC_LEN &&
	    data_is(d, 13, "\x08\0", 2);

	if (!s->asked || !confirm) {
		broken(s);
	} else if (data_is(d, 10, "\0\2", 2) &&
	    (data_is(d, 15, "\2\0\0\0", 4) || data_is(d, 15, "\x08\0\0\0", 4))) {
		s->off = true;
	} else if (data_is(d, 10, "\0\3", 2)) {
		s->refused = true;
	} else {
		broken(s);
	}
}

static void unsigned_answer(struct gate *s)
{
	s->broken |= FS_REQ_SIGNING;
	s->off = true;
}

/* MS-SMB2 2.2.4: SecurityMode at 2 of the body, dialect at 4. */
static void smb2_answer(struct gate *s, const struct data *d)
{
	if (!(s->need & FS_REQ_SIGNING))
		s->off = true;
	else if (!data_is(d, HEAD + 8, "\0\0\0\0", 4))
		return; /* an error */
	else if (data_bit(d, HEAD + 64 + 2, 1) || s->client_signs)
		s->off = true;
	else if (data_is(d, HEAD + 64 + 4, "\xff\2", 2))
		s->smb2_spoken = true;
	else
		unsigned_answer(s);
}

/* MS-CIFS 2.2.4.52.2: count of words, index of the dialect, mode of security. */
static void smb1_answer(struct gate *s, const struct data *d)
{
	const uint32_t words = HEAD + 32;

	s->broken |= s->need & FS_REQ_SMB2;
	if (!(s->need & FS_REQ_SIGNING))
		s->off = true;
	else if (data_is(d, words + 1, "\xff\xff", 2))
		return; /* no dialect */
	else if (d->have > words && d->p[words] >= 13 && data_bit(d, words + 3, 3))
		s->off = true;
	else
		unsigned_answer(s);
}

static void answer(struct gate *s, const struct data *d)
{
	if ((s->need & FS_REQ_NLA) && !s->asked_smb) {
		rdp_answer(s, d);
	} else if (!s->asked_smb) {
		broken(s);
	} else if (d->p[0] == 0x83 || d->p[0] == 0x84) {
		return; /* RFC 1002 4.3.4, 4.3.5: no session */
	} else if (data_is(d, 0, "\x82\0\0\0", 4)) {
		if (d->n > HEAD)
			broken(s);
		else
			s->session = true;
	} else if (data_smb2_negotiate(d) && d->n > HEAD + 64 + 5) {
		smb2_answer(s, d);
	} else if (d->p[0] == 0 && data_is(d, HEAD, "\xffSMB\x72", 5)) {
		smb1_answer(s, d);
	} else {
		broken(s);
	}
}

/* ---- one packet ---- */

/* Condemned by the first that an enforced side has; else those of observed sides are
 * told. */
static enum gate_said conclude(const struct gate *s, uint8_t *ret_broken)
{
	*ret_broken = s->broken;
	for (size_t i = 0; i < REQUIREMENTS; i++) {
		if (s->broken & s->held & rows[i].require) {
			*ret_broken = rows[i].require;
			return GATE_CONDEMNS;
		}
	}
	return s->late ? GATE_LATE : GATE_PASSES;
}

enum gate_said gate_packet(struct gate *s, const struct opening *o, const struct data *d,
    const struct pkt_view *v, bool reply, uint8_t *ret_broken)
{
	uint8_t syn = v->tcp_flags & (TCP_SYN | TCP_ACK);

	s->late = false;
	if (syn == (TCP_SYN | TCP_ACK) && reply && !s->noted) {
		s->first = (uint16_t)v->ack;
		s->noted = true;
	}
	if (d->n > 0) {
		if (syn == TCP_SYN)
			broken(s); /* data before the gate */
		else if (reply)
			answer(s, d);
		else
			request(s, d, (uint16_t)v->seq, o->grants[FS_IN] & o->grants[FS_OUT]);
	}
	return conclude(s, ret_broken);
}

bool gate_holds(const struct gate *s)
{
	return s->need != 0 && !s->off;
}

bool gate_shuts(const struct gate *s, const struct pkt_view *v, bool reply)
{
	return s->held != 0 && !reply && (v->tcp_flags & (TCP_FIN | TCP_RST)) != 0;
}

/* ---- its SYN ---- */

void gate_opens(struct gate *s, const struct fs_verdict *v, const struct opening *o)
{
	for (unsigned i = 0; i < v->nsides; i++) {
		const struct fs_side *side = &v->side[i];
		enum fs_dir other = side->dir == FS_IN ? FS_OUT : FS_IN;

		for (size_t q = 0; q < REQUIREMENTS; q++) {
			if (!(side->require & rows[q].require) ||
			    (!o->observed[other] && !(o->grants[other] & rows[q].proto)))
				continue;
			s->need |= rows[q].require;
			if (!side->observed)
				s->held |= rows[q].require;
		}
	}
}
