/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: RDP: connection request and confirm, and the clear GCC blocks */
#include "wire/proto.h"
#include "wire/smb.h"

/* Connection request and confirm (MS-RDPBCGR 2.2.1.1, 2.2.1.2; RFC 1006, X.224)
 *  0    1    2         4    5     6        8        10     11
 * +----+----+---------+----+-----+--------+--------+-----+-----------------------+
 * | 03 | 00 |length BE| LI |E0/D0| dst ref| src ref|class| variable part         |
 * +----+----+---------+----+-----+--------+--------+-----+-----------------------+
 * Request: [cookie or token, CR LF] [RDP_NEG_REQ [correlation info]]
 * Confirm: [RDP_NEG_RSP | RDP_NEG_FAILURE]
 *           type u8, flags u8, length u16 LE = 8, value u32 LE
 * S7, MMS and other ISO-TSAP users put TSAP parameters (C0, C1, C2) there, which
 * RDP never has; H.323 uses TPKT without X.224.
 */
enum { X224_CR = 0xe0, X224_CC = 0xd0, X224_DATA = 0xf0, X224_FIXED = 11, X224_MAX = 512 };
enum { NEG_REQ = 1, NEG_RSP = 2, NEG_FAILURE = 3, NEG_CORRELATION = 6, NEG_LEN = 8,
	NEG_CORRELATION_LEN = 36 };

struct neg {
	bool present;
	uint8_t type, flags;
	uint32_t value;
};

/* The TPKT and X.224 header of a connect of `code`; *ret_var is its variable part. */
static enum match x224_connect(struct cursor c, uint8_t code, struct flow_view *v,
    struct cursor *ret_var)
{
	const uint8_t fixed[] = { 3, 0 };
	size_t left = cursor_left(&c);
	uint16_t len, dst;
	uint8_t li, got;

	v->want = X224_FIXED;
	if (left == 0 || memcmp(c.at, fixed, left < 2 ? left : 2) != 0)
		return left || v->final ? MATCH_NO : MATCH_MORE;
	cursor_skip(&c, 2);
	len = cursor_be16(&c);
	li = cursor_u8(&c);
	got = cursor_u8(&c);
	if (left >= 4 && (len < X224_FIXED || len > X224_MAX))
		return MATCH_NO;
	if ((left >= 5 && li != (uint8_t)(len - 5)) || (left >= 6 && got != code))
		return MATCH_NO;
	if (left < X224_FIXED || left < len) {
		v->want = left < X224_FIXED ? X224_FIXED : len;
		return v->final ? MATCH_NO : MATCH_MORE;
	}
	dst = cursor_be16(&c);
	cursor_skip(&c, 2);
	if (cursor_u8(&c) != 0 || (code == X224_CR && dst != 0))
		return MATCH_NO;
	*ret_var = cursor_sub(&c, len - (size_t)X224_FIXED);
	v->used = len;
	return MATCH_YES;
}

static struct neg neg_read(struct cursor c)
{
	struct neg n;
	uint16_t len;

	n.type = cursor_u8(&c);
	n.flags = cursor_u8(&c);
	len = cursor_le16(&c);
	n.value = cursor_le32(&c);
	n.present = cursor_ok(&c) && len == NEG_LEN;
	return n;
}

/* What follows the token: nothing, RDP_NEG_REQ, or that and correlation info. */
static bool neg_request(struct cursor c, struct neg *ret)
{
	struct cursor extra;

	*ret = (struct neg){ .present = false };
	if (cursor_left(&c) == 0)
		return true;
	*ret = neg_read(c);
	extra = cursor_from(&c, NEG_LEN);
	return ret->present && ret->type == NEG_REQ && ret->value < 0x100 &&
	    (cursor_left(&extra) == 0 || (cursor_left(&extra) == NEG_CORRELATION_LEN &&
					       *extra.at == NEG_CORRELATION));
}

/* ISO 8073 parameters: code, length, value, to the end: not RDP's. */
static bool tsap_parameters(struct cursor c)
{
	while (cursor_left(&c)) {
		if (cursor_u8(&c) < 0x85)
			return false;
		cursor_skip(&c, cursor_u8(&c));
	}
	return cursor_ok(&c);
}

/* The variable part of a request (FACTS rule RDP-1). */
static bool request_read(struct cursor var, struct cursor *ret_token, struct neg *ret_neg)
{
	ptrdiff_t crlf = cursor_find(&var, "\r\n", 2);
	struct cursor rest;

	*ret_token = cursor_at(&var, 0, 0);
	if (cursor_left(&var) == 0 || neg_request(var, ret_neg)) {
		*ret_neg = neg_read(var);
		return true;
	}
	if (crlf < 0 || tsap_parameters(var))
		return false;
	*ret_token = cursor_at(&var, 0, (size_t)crlf);
	rest = cursor_from(&var, (size_t)crlf + 2);
	return neg_request(rest, ret_neg) || cursor_starts(&var, "Cookie: mstshash=", 17);
}

static bool confirm_read(struct cursor var, struct neg *ret)
{
	*ret = neg_read(var);
	if (cursor_left(&var) == 0)
		return true;
	if (!ret->present || cursor_left(&var) != NEG_LEN)
		return false;
	return (ret->type == NEG_RSP && ret->value < 0x100) ||
	    (ret->type == NEG_FAILURE && ret->value >= 1 && ret->value <= 6);
}

/* MCS Connect-Initial or -Response alone, where the connection before it was not captured:
 * behind the header (see take_mcs()) the key of RDP's GCC, which other users of T.125 do
 * not have. */
enum { MCS_HEAD = 9, MCS_INITIAL = 0x65, MCS_RESPONSE = 0x66 };

static enum match mcs_open(struct cursor c, struct flow_view *v)
{
	static const uint8_t head[] = { 3, 0, 0, 0, 2, X224_DATA, 0x80, 0x7f };
	size_t left = cursor_left(&c);
	struct cursor at = cursor_from(&c, 2), msg;
	uint16_t len = cursor_be16(&at);
	uint8_t tag;

	for (size_t i = 0; i < sizeof(head) && i < left; i++)
		if (c.at[i] != head[i] && i / 2 != 1) /* any length */
			return MATCH_NO;
	at = cursor_from(&c, sizeof(head));
	tag = cursor_u8(&at);
	if (left >= MCS_HEAD && ((tag != MCS_INITIAL && tag != MCS_RESPONSE) ||
	    len < MCS_HEAD || len > MESSAGE_HEAD_MAX))
		return MATCH_NO;
	v->want = left < MCS_HEAD ? MCS_HEAD : len;
	if (left < v->want && !v->final)
		return MATCH_MORE;
	msg = cursor_at(&c, 0, left < len ? left : len);
	return left > MCS_HEAD &&
	    cursor_find(&msg, tag == MCS_INITIAL ? "Duca" : "McDn", 4) > 0 ? MATCH_YES
									    : MATCH_NO;
}

enum match rdp_open(struct cursor c, struct flow_view *v)
{
	struct cursor var, token;
	struct neg neg;
	enum match cr = x224_connect(c, X224_CR, v, &var), cc;
	uint32_t want = v->want;

	if (cr == MATCH_YES)
		return request_read(var, &token, &neg) ? MATCH_YES : MATCH_NO;
	/* A confirm alone must carry RDP's answer: a bare one is anybody's. */
	cc = x224_connect(c, X224_CC, v, &var);
	if (cc == MATCH_YES)
		return confirm_read(var, &neg) && neg.present ? MATCH_YES : MATCH_NO;
	if (cr == MATCH_NO && cc == MATCH_NO)
		return mcs_open(c, v);
	if (cr == MATCH_MORE)
		v->want = want;
	return MATCH_MORE;
}

static void take_cookie(struct rdp_facts *f, struct cursor token)
{
	static const char prefix[] = "Cookie: mstshash=";

	if (cursor_starts(&token, prefix, sizeof(prefix) - 1))
		cursor_skip(&token, sizeof(prefix) - 1);
	else if (cursor_left(&token))
		f->flags |= RDP_ROUTED;
	TEXT_SET(f->cookie, token, false);
}

static enum match take_request(struct cursor c, struct flow_view *v)
{
	struct rdp_facts *f = &v->facts->rdp;
	struct cursor var, token;
	struct neg neg = { .present = false };
	enum match m = x224_connect(c, X224_CR, v, &var);

	if (m != MATCH_YES)
		return m == MATCH_NO ? MATCH_MALFORMED : m;
	if (!request_read(var, &token, &neg))
		return MATCH_MALFORMED;
	v->role = ROLE_CLIENT;
	v->news |= NEWS_SECURITY;
	f->flags |= RDP_HAS_REQUEST;
	take_cookie(f, token);
	if (neg.present && neg.type == NEG_REQ) {
		f->flags |= RDP_HAS_NEG_REQ;
		f->neg_flags = neg.flags;
		f->requested = neg.value;
	}
	return MATCH_YES;
}

static enum match take_confirm(struct cursor c, struct flow_view *v)
{
	struct rdp_facts *f = &v->facts->rdp;
	struct cursor var;
	struct neg neg;
	enum match m = x224_connect(c, X224_CC, v, &var);

	if (m != MATCH_YES)
		return m == MATCH_NO ? MATCH_MALFORMED : m;
	if (!confirm_read(var, &neg))
		return MATCH_MALFORMED;
	v->role = ROLE_SERVER;
	v->news |= NEWS_SECURITY;
	f->flags |= RDP_HAS_CONFIRM;
	if (neg.present && neg.type == NEG_RSP) {
		f->flags |= RDP_HAS_NEG_RSP;
		f->selected = neg.value;
	} else if (neg.present) {
		f->flags |= RDP_HAS_FAILURE;
		f->failure = neg.value;
	}
	/* Otherwise standard security: the server's GCC blocks come in clear. */
	v->done = neg.present && (neg.type == NEG_FAILURE || neg.value != 0);
	return MATCH_YES;
}

/* Channel definitions, MS-RDPBCGR 2.2.1.3.4: count u32, then 8 bytes of name and
 * 4 of options each. */
static void take_channels(struct cursor c, struct rdp_facts *f)
{
	static const uint8_t t120[RDP_CHANNEL_NAME] = "MS_T120";
	uint32_t count = cursor_le32(&c);
	const uint8_t *name;
	bool same;

	f->channel_count = 0;
	while (count-- && f->channel_count < RDP_CHANNELS_MAX) {
		name = cursor_take(&c, RDP_CHANNEL_NAME);
		cursor_skip(&c, 4);
		if (!name)
			return;
		memcpy(f->channels[f->channel_count++], name, RDP_CHANNEL_NAME);
		same = true;
		for (int i = 0; i < RDP_CHANNEL_NAME; i++)
			same &= name[i] == t120[i] ||
			    (t120[i] >= 'A' && t120[i] <= 'Z' && name[i] == t120[i] + 32);
		if (same)
			f->flags |= RDP_MS_T120;
	}
}

enum { CS_CORE = 0xc001, CS_SECURITY = 0xc002, CS_NET = 0xc003, SC_SECURITY = 0x0c02 };

static void take_block(uint16_t type, struct cursor c, struct flow_view *v)
{
	struct rdp_facts *f = &v->facts->rdp;
	struct cursor at;

	switch (type) {
	case CS_CORE:
		at = cursor_from(&c, 16);
		f->client_build = cursor_le32(&at);
		if (!cursor_ok(&at))
			return;
		TEXT_SET(f->client_name, cursor_sub(&at, 32), true);
		f->flags |= RDP_HAS_CORE;
		v->news |= NEWS_IDENTITY;
		break;
	case CS_NET:
		take_channels(c, f);
		v->news |= NEWS_CHANNELS;
		break;
	case SC_SECURITY:
		f->encryption_method = cursor_le32(&c);
		f->encryption_level = cursor_le32(&c);
		f->flags |= RDP_HAS_SECURITY;
		v->news |= NEWS_SECURITY;
		break;
	}
}

/* MCS Connect-Initial or -Response (MS-RDPBCGR 2.2.1.3, 2.2.1.4): BER and PER wrap
 * the blocks (type u16, length u16, body).  The wrapping ends with the GCC key
 * "Duca" or "McDn" and a PER length, which is looked for instead of walked. */
static void take_gcc(struct cursor msg, const char *key, struct flow_view *v)
{
	ptrdiff_t at = cursor_find(&msg, key, 4);
	struct cursor c;
	uint16_t type, len;

	if (at < 0)
		return;
	c = cursor_from(&msg, (size_t)at + 4);
	if (cursor_u8(&c) & 0x80)
		cursor_skip(&c, 1);
	while (cursor_left(&c) >= 4) {
		type = cursor_le16(&c);
		len = cursor_le16(&c);
		if (len < 4)
			return;
		len = (uint16_t)(len - 4);
		take_block(type, cursor_sub(&c, len < cursor_left(&c) ? len : cursor_left(&c)), v);
	}
}

/* After the connection: TLS, or MCS in clear; then nothing more is read. */
static enum match take_mcs(struct cursor c, struct flow_view *v, uint8_t tag, const char *key)
{
	const struct cursor start = c;
	uint32_t len;

	v->want = 9;
	if (cursor_left(&c) < 9 && !v->final)
		return MATCH_MORE;
	v->done = true;
	v->used = (uint32_t)cursor_left(&c);
	if (cursor_u8(&c) == 0x16 && cursor_u8(&c) == 3) {
		v->facts->rdp.flags |= RDP_TLS;
		v->news |= NEWS_SECURITY;
		return MATCH_YES;
	}
	c = cursor_from(&start, 2);
	len = cursor_be16(&c);
	cursor_skip(&c, 1);
	if (!cursor_starts(&start, "\x03", 2) || cursor_u8(&c) != X224_DATA)
		return MATCH_YES;
	cursor_skip(&c, 1);
	if (cursor_u8(&c) != 0x7f || cursor_u8(&c) != tag || len > MESSAGE_HEAD_MAX)
		return MATCH_YES;
	v->role = tag == MCS_INITIAL ? ROLE_CLIENT : ROLE_SERVER;
	v->want = len;
	if (cursor_left(&start) < len && !v->final) {
		v->done = false;
		return MATCH_MORE;
	}
	take_gcc(cursor_at(&start, 0, len < cursor_left(&start) ? len : cursor_left(&start)),
	    key, v);
	return MATCH_YES;
}

/* Which side speaks is known from TCP or, where that start was missed, from the
 * code of the message. */
enum match rdp_message(struct cursor c, struct flow_view *v)
{
	uint32_t flags = v->facts->rdp.flags;
	struct cursor peek = cursor_from(&c, 5);
	bool client = v->from_client;
	uint8_t code, tag;

	if (cursor_left(&c) < 6) {
		v->want = 6;
		return v->final ? MATCH_MALFORMED : MATCH_MORE;
	}
	code = cursor_u8(&peek);
	cursor_skip(&peek, 2);
	tag = cursor_u8(&peek);
	if (!v->client_known)
		client = code != X224_CC && !(code == X224_DATA && tag == MCS_RESPONSE);
	/* perhaps what comes first was not captured */
	if (client)
		return flags & RDP_HAS_REQUEST || code == X224_DATA ||
			(flags & RDP_HAS_CONFIRM && code != X224_CR)
		    ? take_mcs(c, v, MCS_INITIAL, "Duca")
		    : take_request(c, v);
	return flags & RDP_HAS_CONFIRM || code == X224_DATA
	    ? take_mcs(c, v, MCS_RESPONSE, "McDn")
	    : take_confirm(c, v);
}
