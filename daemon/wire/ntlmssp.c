/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: NTLMSSP messages inside security blobs */
#include "wire/smb.h"

enum { NTLM_CHALLENGE = 2, NTLM_AUTHENTICATE = 3, AV_MAX = 32 };
enum { NTLM_UNICODE = 0x1, NTLM_ESS = 0x80000, NTLM_VERSION = 0x2000000 };
enum { AV_END, AV_NB_COMPUTER, AV_NB_DOMAIN, AV_DNS_COMPUTER, AV_DNS_DOMAIN };

/* A field triple (MS-NLMP 2.2.1): length u16, allocated u16, offset u32 from the
 * message's start.  *lowest falls to the offset of fields that are not empty. */
static struct cursor ntlm_field(struct cursor *c, const struct cursor *msg, uint32_t *lowest)
{
	uint32_t len = cursor_le16(c), off;

	cursor_skip(c, 2);
	off = cursor_le32(c);
	if (len && off < *lowest)
		*lowest = off;
	return cursor_at(msg, off, len);
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
	struct cursor c = cursor_from(&msg, 12), info;
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
	if (cursor_ok(&info))
		ntlm_target_info(info, n);
	if (!(flags & NTLM_VERSION) || lowest < 56 || cursor_left(&c) < 8)
		return;
	n->major = cursor_u8(&c);
	n->minor = cursor_u8(&c);
	n->build = cursor_le16(&c);
	n->has_version = 1;
}

static uint8_t ntlm_response_kind(struct cursor lm, struct cursor nt, struct cursor user,
    uint32_t flags)
{
	static const uint8_t zero[16];
	size_t len = cursor_left(&nt), lm_len = cursor_left(&lm);
	struct cursor tail = cursor_from(&lm, 8);

	if (len == 0 && cursor_left(&user) == 0 && lm_len <= 1)
		return NTLM_RESPONSE_ANONYMOUS;
	if (len > 24)
		return NTLM_RESPONSE_V2;
	if (flags & NTLM_ESS && lm_len == 24 && cursor_starts(&tail, zero, 16))
		return NTLM_RESPONSE_V1_ESS;
	return NTLM_RESPONSE_V1;
}

/* AUTHENTICATE_MESSAGE, MS-NLMP 2.2.1.3: fields LM, NT, domain, user, workstation,
 * session key from +12 on, then flags. */
static void ntlm_authenticate(struct cursor msg, struct flow_view *v)
{
	struct ntlm_facts *n = &v->facts->smb.ntlm;
	struct cursor c = cursor_from(&msg, 12), f[6];
	uint32_t lowest = UINT32_MAX, flags;
	bool utf16;

	for (int i = 0; i < 6; i++)
		f[i] = ntlm_field(&c, &msg, &lowest);
	if (!cursor_ok(&c))
		return;
	flags = lowest >= 64 ? cursor_le32(&c) : 0;
	utf16 = flags & NTLM_UNICODE;
	n->has_auth = 1;
	n->response = ntlm_response_kind(f[0], f[1], f[3], flags);
	TEXT_SET(n->domain, f[2], utf16);
	TEXT_SET(n->user, f[3], utf16);
	TEXT_SET(n->workstation, f[4], utf16);
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
