/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: NTLMSSP messages inside security blobs */
#include "wire/smb.h"

enum { NTLM_CHALLENGE = 2, NTLM_AUTHENTICATE = 3, AV_MAX = 32 };
enum { NTLM_UNICODE = 0x1, NTLM_ESS = 0x80000, NTLM_VERSION = 0x2000000 };
enum { AV_END, AV_NB_COMPUTER, AV_NB_DOMAIN, AV_DNS_COMPUTER, AV_DNS_DOMAIN };

/* A field triple (MS-NLMP 2.2.1): length u16, allocated u16, offset u32 from the
 * message's start.  The bytes are short where the capture was cut before them; the
 * length is known all the same. */
struct field {
	uint16_t len;
	struct cursor bytes;
};

/* *lowest falls to the offset of fields that are not empty. */
static struct field ntlm_field(struct cursor *c, const struct cursor *msg, uint32_t *lowest)
{
	struct field f = { .len = cursor_le16(c) };
	uint32_t off;

	cursor_skip(c, 2);
	off = cursor_le32(c);
	if (f.len && off < *lowest)
		*lowest = off;
	f.bytes = cursor_at(msg, off, f.len);
	return f;
}

/* AV pairs (MS-NLMP 2.2.2.1): id u16, length u16, value, ended by id 0. */
static void ntlm_target_info(struct cursor c, struct ntlm_facts *n)
{
	struct cursor val;
	uint16_t id;

	for (int i = 0; i < AV_MAX && cursor_left(&c) >= 4; i++) {
		id = cursor_le16(&c);
		val = cursor_sub(&c, cursor_le16(&c));
		switch (id) {
		case AV_END:
			return;
		case AV_NB_COMPUTER:
			TEXT_SET(n->nb_computer, val, true);
			break;
		case AV_NB_DOMAIN:
			TEXT_SET(n->nb_domain, val, true);
			break;
		case AV_DNS_COMPUTER:
			TEXT_SET(n->dns_computer, val, true);
			break;
		case AV_DNS_DOMAIN:
			TEXT_SET(n->dns_domain, val, true);
			break;
		}
	}
}

/* CHALLENGE_MESSAGE, MS-NLMP 2.2.1.2
 *  0          8      12          20      24          32       40         48
 * +----------+------+-----------+-------+-----------+--------+----------+--------+
 * | NTLMSSP\0| 2    |target name| flags | challenge | zero   | info     | version|
 * +----------+------+-----------+-------+-----------+--------+----------+--------+
 * Older servers leave the version out and put payload there: it is believed only
 * if the flag says so and no field lies on it.
 */
static void ntlm_challenge(struct cursor msg, struct flow_view *v)
{
	struct ntlm_facts *n = &v->facts->smb.ntlm;
	struct cursor c = cursor_from(&msg, 12);
	struct field info;
	uint32_t lowest = UINT32_MAX, flags;

	(void)ntlm_field(&c, &msg, &lowest);
	flags = cursor_le32(&c);
	cursor_skip(&c, 16);
	if (!cursor_ok(&c))
		return;
	n->has_challenge = 1;
	n->challenge_flags = flags;
	v->news |= NEWS_IDENTITY;
	info = ntlm_field(&c, &msg, &lowest);
	if (cursor_ok(&info.bytes))
		ntlm_target_info(info.bytes, n);
	if (!(flags & NTLM_VERSION) || lowest < 56 || cursor_left(&c) < 8)
		return;
	n->major = cursor_u8(&c);
	n->minor = cursor_u8(&c);
	n->build = cursor_le16(&c);
	n->has_version = 1;
}

/* By the lengths that are told, so that a cut capture makes nobody anonymous. */
static uint8_t ntlm_response_kind(const struct field *lm, const struct field *nt,
    const struct field *user, uint32_t flags)
{
	static const uint8_t zero[16];
	struct cursor tail = cursor_from(&lm->bytes, 8);

	if (nt->len == 0 && user->len == 0 && lm->len <= 1)
		return NTLM_RESPONSE_ANONYMOUS;
	if (nt->len > 24)
		return NTLM_RESPONSE_V2;
	if (!(flags & NTLM_ESS) || lm->len != 24)
		return NTLM_RESPONSE_V1;
	if (!cursor_ok(&lm->bytes))
		return NTLM_RESPONSE_NONE;
	return cursor_starts(&tail, zero, 16) ? NTLM_RESPONSE_V1_ESS : NTLM_RESPONSE_V1;
}

/* AUTHENTICATE_MESSAGE, MS-NLMP 2.2.1.3: fields LM, NT, domain, user, workstation,
 * session key from +12 on, then flags. */
static void ntlm_authenticate(struct cursor msg, struct flow_view *v)
{
	struct ntlm_facts *n = &v->facts->smb.ntlm;
	struct cursor c = cursor_from(&msg, 12);
	struct field f[6];
	uint32_t lowest = UINT32_MAX, flags;
	bool utf16;

	for (int i = 0; i < 6; i++)
		f[i] = ntlm_field(&c, &msg, &lowest);
	if (!cursor_ok(&c))
		return;
	flags = lowest >= 64 ? cursor_le32(&c) : 0;
	utf16 = flags & NTLM_UNICODE;
	n->has_auth = 1;
	n->response = ntlm_response_kind(&f[0], &f[1], &f[3], flags);
	TEXT_SET(n->domain, f[2].bytes, utf16);
	TEXT_SET(n->user, f[3].bytes, utf16);
	TEXT_SET(n->workstation, f[4].bytes, utf16);
	v->news |= NEWS_SESSION;
	if (n->response == NTLM_RESPONSE_ANONYMOUS)
		smb_flag(v, SMB_NULL_SESSION, NEWS_SESSION);
}

/* The blob is SPNEGO (RFC 4178), raw NTLMSSP or Kerberos: the signature is looked
 * for instead of walking ASN.1 that a stranger wrote. */
void ntlmssp_take(struct cursor blob, struct flow_view *v)
{
	static const char kerberos[] =
	    "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00"; /* OID, AP-REQ */
	ptrdiff_t at = cursor_find(&blob, "NTLMSSP", 8);
	struct cursor msg, type;

	if (at < 0) {
		if (cursor_find(&blob, kerberos, sizeof(kerberos) - 1) >= 0)
			smb_flag(v, SMB_KERBEROS, NEWS_SESSION);
		return;
	}
	msg = cursor_from(&blob, (size_t)at);
	type = cursor_from(&msg, 8);
	switch (cursor_le32(&type)) {
	case NTLM_CHALLENGE:
		if (v->role == ROLE_SERVER)
			ntlm_challenge(msg, v);
		break;
	case NTLM_AUTHENTICATE:
		if (v->role == ROLE_CLIENT)
			ntlm_authenticate(msg, v);
		break;
	}
}
