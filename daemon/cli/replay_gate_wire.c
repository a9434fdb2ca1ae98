/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: openings and requests of SMB and RDP in one packet, as the kernel's rules tell them */
#include "cli/replay_gate_wire.h"

#include <string.h>

#include <cordon/flowspace.h>

enum { HEAD = 4, SHORT = 8, WHOLE = 16 };

bool data_is(const struct data *d, uint32_t at, const char *bytes, uint32_t len)
{
	return at + len <= d->have && memcmp(d->p + at, bytes, len) == 0;
}

bool data_bit(const struct data *d, uint32_t at, unsigned bit)
{
	return at < d->have && (d->p[at] >> bit & 1);
}

/* MS-SMB 2.2.3.1, MS-SMB2 2.2.1, 2.2.41, 2.2.42: 0xff, 0xfe, 0xfd, 0xfc and "SMB" */
bool data_smb(const struct data *d, uint32_t cut)
{
	uint32_t at = HEAD - cut;

	return (cut > 0 || data_is(d, 0, "\0", 1)) && data_is(d, at + 1, "SMB", 3) &&
	    d->p[at] >= 0xfc;
}

bool data_netbios(const struct data *d)
{
	return data_is(d, 0, "\x81\0\0\x44\x20", 5);
}

bool data_smb2_negotiate(const struct data *d)
{
	return data_is(d, 0, "\0", 1) && data_is(d, HEAD, "\xfeSMB\x40\0", 6) &&
	    data_is(d, HEAD + 12, "\0\0", 2);
}

bool data_rdp_request(const struct data *d)
{
	return data_is(d, 0, "\3\0\0", 3) && data_is(d, 5, "\xe0\0\0", 3) &&
	    data_is(d, 10, "\0", 1);
}

/* Behind the seven fixed bytes what only RDP says: a cookie or token, an empty token,
 * the negotiation request; or nothing, in a bare request. */
static bool opens_rdp(const struct data *d, uint32_t cut)
{
	uint32_t tail = 11 - cut;

	if (cut == 0 && data_is(d, 0, "\3\0\0\x0b\x06\xe0\0\0", 8))
		return true;
	if ((cut == 0 && !data_is(d, 0, "\3\0", 2)) || !data_is(d, 5 - cut, "\xe0\0\0", 3))
		return false;
	return data_is(d, tail, "Cookie:", 7) || data_is(d, tail, "\r\n\1", 3) ||
	    (data_is(d, tail, "\1", 1) && data_is(d, tail + 2, "\x08\0", 2) &&
		data_is(d, tail + 5, "\0\0\0", 3));
}

/* Negotiate requests, by more bytes than the magic. */
static bool opens_smb_surely(const struct data *d, uint32_t cut)
{
	return data_is(d, HEAD - cut, "\xfeSMB\x40\0", 6) ||
	    data_is(d, HEAD - cut, "\xffSMB\x72\0\0\0", 8);
}

static bool opens(const struct data *d, uint8_t proto, uint32_t cut)
{
	if (proto == FS_RDP)
		return opens_rdp(d, cut);
	return data_smb(d, cut) || (cut == 0 && data_netbios(d));
}

/* Whether the protocol is found, whole or without the start of its header; enough: the
 * short magics are not looked for any more. */
static bool found(const struct data *d, uint8_t proto, bool enough)
{
	for (uint32_t cut = 0; cut <= HEAD; cut++)
		if ((proto == FS_SMB && opens_smb_surely(d, cut)) ||
		    ((proto != FS_SMB || !enough) && opens(d, proto, cut)))
			return true;
	return false;
}

/* Whether an enforced side does not grant what is spoken. */
static bool forbidden(const struct opening *o, uint8_t proto)
{
	for (int dir = FS_IN; dir <= FS_OUT; dir++)
		if (o->ours[dir] && !o->observed[dir] && !(o->grants[dir] & proto))
			return true;
	return false;
}

/* Where both grant a protocol and neither is only observed, its opening comes first. */
static bool refused(const struct opening *o)
{
	return (o->grants[FS_IN] & o->grants[FS_OUT]) != 0 && !o->observed[FS_IN] &&
	    !o->observed[FS_OUT];
}

/* Behind the predicates: data that is none of them. */
static enum opening_verdict looked_at(struct opening *o, const struct data *d, bool reply)
{
	if (reply) { /* a server is silent until it has the opening */
		o->judged = o->seen > 0;
		return OPENING_PASSES;
	}
	if (d->n < SHORT && !o->seen && (!o->short_ok[FS_IN] || !o->short_ok[FS_OUT]))
		return OPENING_DROPS;
	if (d->n >= SHORT && refused(o))
		return OPENING_DROPS;
	o->seen += d->n >= SHORT && o->seen < SEEN_ENOUGH;
	return OPENING_PASSES;
}

enum opening_verdict opening_packet(struct opening *o, const struct data *d, bool reply)
{
	static const uint8_t protos[] = { FS_RDP, FS_SMB };
	bool enough = (o->seen == SEEN_ENOUGH || reply) && d->n >= WHOLE;

	if (reply && !o->picked)
		return looked_at(o, d, reply);
	for (size_t i = 0; i < sizeof(protos); i++) {
		if (found(d, protos[i], enough) && forbidden(o, protos[i])) {
			o->condemned = protos[i];
			return OPENING_CONDEMNS;
		}
		if ((protos[i] != FS_SMB || !enough) && opens(d, protos[i], 0)) {
			/* a session request is followed by it */
			o->judged = !data_netbios(d);
			return OPENING_PASSES;
		}
	}
	if (reply && d->n < SHORT)
		return OPENING_PASSES;
	return looked_at(o, d, reply);
}

uint8_t opening_of_stray(const struct data *d)
{
	return found(d, FS_SMB, false) ? FS_SMB : found(d, FS_RDP, false) ? FS_RDP : 0;
}
