/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: framing of SMB messages, logon failures, shares and pipes of interest */
#include "wire/smb.h"

/* Session message on 139 and 445 alike (MS-SMB2 2.1, RFC 1002 section 4.3)
 *  0       1               4               8
 * +-------+---------------+---------------+-----------
 * | 0x00  | length, BE 24 | magic 'S''M''B'| header …
 * +-------+---------------+---------------+-----------
 */
enum { FRAME_ASKED = 36, FRAME_LEAST = 24 };

enum match smb_frame(struct cursor *c, uint8_t magic, struct flow_view *v)
{
	const uint8_t want[] = { magic, 'S', 'M', 'B' };
	size_t left = cursor_left(c), known;
	uint32_t len;

	v->want = FRAME_ASKED;
	if (left == 0)
		return v->final ? MATCH_NO : MATCH_MORE;
	if (*c->at != 0)
		return MATCH_NO;
	if (left > 4) {
		known = left - 4 < 4 ? left - 4 : 4;
		if (memcmp(c->at + 4, want, known) != 0)
			return MATCH_NO;
	}
	if (left < 4)
		return v->final ? MATCH_NO : MATCH_MORE;
	len = cursor_be32(c);
	if (len < 32)
		return MATCH_NO;
	if (left < (v->final ? FRAME_LEAST : FRAME_ASKED))
		return v->final ? MATCH_NO : MATCH_MORE;
	cursor_skip(c, 4);
	return MATCH_YES;
}

/* One message of a recognised flow: keep-alives and session answers between
 * them are passed over, long ones are cut at their head. */
enum match smb_message(struct cursor c, struct flow_view *v)
{
	uint32_t left = (uint32_t)cursor_left(&c), frame, want;
	struct cursor body;
	bool ok, two;

	v->want = left < 4 ? 4 : 8;
	if (left < 4 || (left < 8 && c.at[0] == 0 && (c.at[1] | c.at[2] | c.at[3]) != 0))
		return v->final ? MATCH_MALFORMED : MATCH_MORE;
	if (c.at[0] != 0)
		return nbss_message(c, v);
	frame = 4 + cursor_be32(&c);
	v->used = frame;
	if (frame < 8)
		return frame == 4 ? MATCH_YES : MATCH_MALFORMED;
	if (*c.at < SMB_MAGIC_COMPRESSED || memcmp(c.at + 1, "SMB", 3) != 0)
		return MATCH_MALFORMED;
	two = *c.at != SMB_MAGIC_1;
	want = frame < MESSAGE_HEAD_MIN ? frame : MESSAGE_HEAD_MIN;
	if (left >= want) {
		want = 4 + (two ? smb2_want(c) : smb1_want(c));
		want = want < MESSAGE_HEAD_MIN ? MESSAGE_HEAD_MIN : want;
		want = want > MESSAGE_HEAD_MAX ? MESSAGE_HEAD_MAX : want;
		want = want > frame ? frame : want;
	}
	v->want = want;
	if (left < want && !v->final)
		return MATCH_MORE;
	body = cursor_at(&c, 0, left < frame ? left - 4 : frame - 4);
	ok = two ? smb2_take(body, v) : smb1_take(body, v);
	return ok ? MATCH_YES : MATCH_MALFORMED;
}

/* NTSTATUS of a logon that failed (MS-ERREF 2.3.1). */
static const uint32_t logon_failures[] = {
	0xc000006d, /* LOGON_FAILURE */
	0xc0000064, /* NO_SUCH_USER */
	0xc000006a, /* WRONG_PASSWORD */
	0xc000006e, /* ACCOUNT_RESTRICTION */
	0xc000006f, /* INVALID_LOGON_HOURS */
	0xc0000070, /* INVALID_WORKSTATION */
	0xc0000071, /* PASSWORD_EXPIRED */
	0xc0000072, /* ACCOUNT_DISABLED */
	0xc000015b, /* LOGON_TYPE_NOT_GRANTED */
	0xc0000193, /* ACCOUNT_EXPIRED */
	0xc0000224, /* PASSWORD_MUST_CHANGE */
	0xc0000234, /* ACCOUNT_LOCKED_OUT */
};

void smb_logon_status(struct flow_view *v, uint32_t status)
{
	for (size_t i = 0; i < sizeof(logon_failures) / sizeof(logon_failures[0]); i++) {
		if (logon_failures[i] != status)
			continue;
		v->facts->smb.logon_failure = status;
		v->facts->smb.logon_failures++;
		v->news |= NEWS_LOGON_FAILURE;
		return;
	}
}

/* Order is the bit of smb_facts.interest: append only. */
static const struct interest {
	const char *name;
	bool share;
} interests[] = {
	{ "IPC$", true },	{ "ADMIN$", true },   { "drive$", true },
	{ "svcctl", false },	{ "atsvc", false },   { "samr", false },
	{ "lsarpc", false },	{ "netlogon", false }, { "spoolss", false },
	{ "srvsvc", false },	{ "wkssvc", false },  { "winreg", false },
	{ "browser", false },	{ "epmapper", false }, { "efsrpc", false },
	{ "print$", true },	{ "SYSVOL", true },   { "NETLOGON", true },
};
enum { INTEREST_COUNT = sizeof(interests) / sizeof(interests[0]), INTEREST_DRIVE = 2 };

const char *smb_interest_name(unsigned bit)
{
	return bit < INTEREST_COUNT ? interests[bit].name : NULL;
}

static uint8_t ascii_lower(uint8_t ch)
{
	return ch >= 'A' && ch <= 'Z' ? (uint8_t)(ch + 32) : ch;
}

static bool equal_nocase(const uint8_t *s, size_t len, const char *name)
{
	if (strlen(name) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (ascii_lower(s[i]) != ascii_lower((uint8_t)name[i]))
			return false;
	return true;
}

static void note(struct flow_view *v, const uint8_t *name, size_t len, bool share)
{
	struct smb_facts *f = &v->facts->smb;
	uint32_t hit = 0;

	if (share && len == 2 && name[1] == '$' && ascii_lower(name[0]) >= 'a' &&
	    ascii_lower(name[0]) <= 'z')
		hit = 1u << INTEREST_DRIVE;
	for (unsigned i = 0; i < INTEREST_COUNT && !hit; i++)
		if (interests[i].share == share && equal_nocase(name, len, interests[i].name))
			hit = 1u << i;
	if (hit & ~f->interest)
		v->news |= NEWS_INTEREST;
	f->interest |= hit;
}

/* The part behind the last backslash. */
static void note_last(struct flow_view *v, struct cursor c, bool utf16, bool share)
{
	uint8_t buf[255];
	size_t len = utf16 ? text_utf16(c, buf, sizeof(buf)) : text_bytes(c, buf, sizeof(buf));
	const uint8_t *slash = len ? memrchr(buf, '\\', len) : NULL;
	size_t skip = slash ? (size_t)(slash - buf) + 1 : 0;

	if (len > skip)
		note(v, buf + skip, len - skip, share);
}

void smb_note_share(struct flow_view *v, struct cursor path, bool utf16)
{
	note_last(v, path, utf16, true);
}

void smb_note_pipe(struct flow_view *v, struct cursor name, bool utf16)
{
	note_last(v, name, utf16, false);
}
