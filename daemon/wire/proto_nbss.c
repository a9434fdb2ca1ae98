/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: NetBIOS session service: the envelope before SMB on port 139 */
#include "wire/smb.h"

/* RFC 1002 section 4.3
 *  0       1       2               4
 * +-------+-------+---------------+------------------------------------------
 * | type  | flags | length        | 0x81: called name (34), calling name (34)
 * +-------+-------+---------------+------------------------------------------
 * A name in first-level encoding: 0x20, 32 letters 'A'..'P', 0x00.
 */
enum { NBSS_REQUEST = 0x81, NBSS_POSITIVE = 0x82, NBSS_NEGATIVE = 0x83,
	NBSS_RETARGET = 0x84, NBSS_KEEPALIVE = 0x85, NBSS_NAME_LEN = 34 };

static bool nbss_name(struct cursor *c, uint8_t ret[16])
{
	struct cursor name = cursor_sub(c, NBSS_NAME_LEN);
	uint8_t hi, lo;

	if (cursor_u8(&name) != 0x20)
		return false;
	for (int i = 0; i < 16; i++) {
		hi = cursor_u8(&name);
		lo = cursor_u8(&name);
		if (hi < 'A' || hi > 'P' || lo < 'A' || lo > 'P')
			return false;
		ret[i] = (uint8_t)((hi - 'A') << 4 | (lo - 'A'));
	}
	return cursor_u8(&name) == 0 && cursor_ok(&name);
}

static void nbss_note(struct fact_name *fact, const uint8_t name[16])
{
	uint8_t len = 15; /* the 16th is the suffix */

	while (len && (name[len - 1] == ' ' || name[len - 1] == 0))
		len--;
	memcpy(fact->b, name, len);
	fact->len = len;
}

/* A request says nothing of SMB: many a service sat on NetBIOS sessions. */
enum match nbss_open(struct cursor c, struct flow_view *v)
{
	uint8_t name[16], type;
	uint16_t flags, len;

	v->want = 4;
	if (cursor_left(&c) == 0)
		return v->final ? MATCH_NO : MATCH_MORE;
	type = cursor_u8(&c);
	if (type < NBSS_REQUEST || type > NBSS_KEEPALIVE)
		return MATCH_NO;
	flags = cursor_u8(&c);
	len = cursor_be16(&c);
	if (!cursor_ok(&c))
		return flags > 1 || v->final ? MATCH_NO : MATCH_MORE;
	switch (type) {
	case NBSS_REQUEST:
		if (flags != 0 || len != 2 * NBSS_NAME_LEN)
			return MATCH_NO;
		v->want = 4 + len;
		if (cursor_left(&c) < len)
			return v->final ? MATCH_NO : MATCH_MORE;
		return nbss_name(&c, name) && nbss_name(&c, name) ? MATCH_YES : MATCH_NO;
	case NBSS_POSITIVE:
	case NBSS_KEEPALIVE:
		return flags == 0 && len == 0 ? MATCH_YES : MATCH_NO;
	case NBSS_NEGATIVE:
		return flags == 0 && len == 1 ? MATCH_YES : MATCH_NO;
	}
	return MATCH_NO;
}

enum match nbss_message(struct cursor c, struct flow_view *v)
{
	uint8_t type, called[16], calling[16];
	uint32_t len;

	type = cursor_u8(&c);
	cursor_skip(&c, 1);
	len = cursor_be16(&c);
	if (!cursor_ok(&c) || type < NBSS_REQUEST || type > NBSS_KEEPALIVE || len > 256)
		return MATCH_MALFORMED;
	v->aside = true;
	v->used = 4 + len;
	v->want = v->used;
	if (cursor_left(&c) < len && !v->final)
		return MATCH_MORE;
	if (type == NBSS_REQUEST && nbss_name(&c, called) && nbss_name(&c, calling)) {
		nbss_note(&v->facts->smb.called, called);
		nbss_note(&v->facts->smb.calling, calling);
		smb_flag(v, SMB_SEEN_NBSS, NEWS_IDENTITY);
		v->role = ROLE_CLIENT;
	}
	return MATCH_YES;
}
