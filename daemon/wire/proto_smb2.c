/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: SMB2 and SMB3, also inside encrypted and compressed transforms */
#include "wire/smb.h"

/* SMB2 header, MS-SMB2 2.2.1; numbers little endian
 *  0        4     6      8       12    14     16     20     24     32    40   48
 * +--------+-----+------+-------+-----+------+------+------+------+-----+----+-----------+
 * |FE 'SMB'| 64  |charge|status |cmd  |credit|flags |next  |msg id|..tree|sess|signature |
 * +--------+-----+------+-------+-----+------+------+------+------+-----+----+-----------+
 * FD 'SMB' is the TRANSFORM_HEADER (2.2.41, 52 bytes, then ciphertext), FC 'SMB' the
 * COMPRESSION_TRANSFORM_HEADER (2.2.42, 16 bytes, then compressed data).
 */
enum { HEADER_LEN = 64, FLAG_RESPONSE = 1, FLAG_SIGNED = 8, COMPOUND_MAX = 8 };
enum { CMD_NEGOTIATE = 0, CMD_SESSION_SETUP = 1, CMD_TREE_CONNECT = 3, CMD_CREATE = 5,
	CMD_LAST = 19 };
enum { SIGNING_ENABLED = 1, SIGNING_REQUIRED = 2 };
enum { ENCRYPTED_ASKED = 4 + 44 }; /* of a frame with FD 'SMB', from its start */
enum { SESSION_GUEST = 1, SESSION_NULL = 2 };

/* At a stream's start the magic and the frame decide, also for the all-zero
 * header of EternalBlue's grooming; anywhere else StructureSize and command are
 * asked for, 80 bits in all. */
static bool plain_plausible(struct cursor c, const struct flow_view *v)
{
	uint16_t size = cursor_le16(&c), cmd;

	cursor_skip(&c, 6);
	cmd = cursor_le16(&c);
	return cursor_ok(&c) && (v->stream_start || (size == HEADER_LEN && cmd < CMD_LAST));
}

/* OriginalMessageSize at +36, Flags (or the algorithm) 1 or 2 at +42.  What of it will
 * not come is not asked for. */
static enum match encrypted_plausible(struct cursor c, const struct flow_view *v)
{
	struct cursor at = cursor_from(&c, 32), end = cursor_from(&c, ENCRYPTED_ASKED - 8);
	uint32_t size = cursor_le32(&at);
	uint16_t flags;

	if (!v->final && !cursor_ok(&end))
		return MATCH_MORE;
	if (!cursor_ok(&at))
		return MATCH_YES;
	cursor_skip(&at, 2);
	flags = cursor_le16(&at);
	return size != 0 && size <= 0x1ffffff && (!cursor_ok(&at) || (flags >= 1 && flags <= 4))
	    ? MATCH_YES
	    : MATCH_NO;
}

/* OriginalCompressedSegmentSize at +4, CompressionAlgorithm 0..5 at +8. */
static bool compressed_plausible(struct cursor c)
{
	uint32_t size = cursor_le32(&c);
	uint16_t algorithm = cursor_le16(&c);

	return cursor_ok(&c) && size != 0 && size <= 0x1ffffff && algorithm <= 5;
}

static enum match open_as(struct cursor *c, uint8_t magic, struct flow_view *v, bool *more)
{
	enum match m = smb_frame(c, magic, v);

	if (m == MATCH_MORE)
		*more = true;
	return m;
}

enum match smb2_open(struct cursor c, struct flow_view *v)
{
	struct cursor plain = c, encrypted = c, compressed = c;
	bool more = false;

	if (open_as(&plain, SMB_MAGIC_2, v, &more) == MATCH_YES && plain_plausible(plain, v))
		return MATCH_YES;
	if (open_as(&encrypted, SMB_MAGIC_ENCRYPTED, v, &more) == MATCH_YES) {
		v->want = ENCRYPTED_ASKED;
		return encrypted_plausible(encrypted, v);
	}
	if (open_as(&compressed, SMB_MAGIC_COMPRESSED, v, &more) == MATCH_YES &&
	    compressed_plausible(compressed))
		return MATCH_YES;
	return more ? MATCH_MORE : MATCH_NO;
}

uint32_t smb2_want(struct cursor c)
{
	uint16_t cmd;

	if (*c.at != SMB_MAGIC_2)
		return 0;
	cursor_skip(&c, 12);
	cmd = cursor_le16(&c);
	cursor_skip(&c, 6);
	if (cursor_le32(&c) != 0) /* compound: more headers follow */
		return MESSAGE_HEAD_MAX;
	return cmd == CMD_NEGOTIATE || cmd == CMD_SESSION_SETUP || cmd == CMD_TREE_CONNECT ||
		cmd == CMD_CREATE
	    ? MESSAGE_HEAD_MAX
	    : 0;
}

/* A buffer named by offset (from the header) and length at `at`. */
static struct cursor buffer_at(const struct cursor *msg, size_t at)
{
	struct cursor c = cursor_from(msg, at);
	size_t off = cursor_le16(&c), len = cursor_le16(&c), left;

	c = cursor_from(msg, off);
	left = cursor_left(&c);
	return cursor_sub(&c, len < left ? len : left);
}

static void signing(struct flow_view *v, uint16_t mode, uint32_t enabled, uint32_t required)
{
	if (mode & SIGNING_ENABLED)
		smb_flag(v, enabled, NEWS_SECURITY);
	if (mode & SIGNING_REQUIRED)
		smb_flag(v, required, NEWS_SECURITY);
}

/* NEGOTIATE request, MS-SMB2 2.2.3: count at +66, mode at +68, dialects from +100. */
static void negotiate_request(const struct cursor *msg, struct flow_view *v)
{
	struct smb_facts *f = &v->facts->smb;
	struct cursor c = cursor_from(msg, 66), list = cursor_from(msg, 100);
	uint16_t count = cursor_le16(&c), dialect;

	signing(v, cursor_le16(&c), SMB_CLIENT_SIGNING_ENABLED, SMB_CLIENT_SIGNING_REQUIRED);
	f->smb2_count = 0;
	while (count-- && f->smb2_count < SMB2_OFFERED_MAX) {
		dialect = cursor_le16(&list);
		if (!cursor_ok(&list))
			break;
		f->smb2_offered[f->smb2_count++] = dialect;
	}
	v->news |= NEWS_DIALECT;
}

/* NEGOTIATE response, MS-SMB2 2.2.4. */
static void negotiate_response(const struct cursor *msg, struct flow_view *v)
{
	struct smb_facts *f = &v->facts->smb;
	struct cursor c = cursor_from(msg, 66), times = cursor_from(msg, 104);
	uint16_t mode = cursor_le16(&c), dialect = cursor_le16(&c);

	if (!cursor_ok(&c) || dialect == 0)
		return;
	signing(v, mode, SMB_SERVER_SIGNING_ENABLED, SMB_SERVER_SIGNING_REQUIRED);
	if (f->smb2_chosen != dialect)
		v->news |= NEWS_DIALECT;
	f->smb2_chosen = dialect;
	f->server_time = cursor_le64(&times);
	f->server_start = cursor_le64(&times);
}

static void setup_request(const struct cursor *msg, struct flow_view *v)
{
	ntlmssp_take(buffer_at(msg, 76), v);
}

static void setup_response(const struct cursor *msg, struct flow_view *v)
{
	struct cursor c = cursor_from(msg, 66);
	uint16_t flags = cursor_le16(&c);

	if (flags & SESSION_GUEST)
		smb_flag(v, SMB_GUEST, NEWS_SESSION);
	if (flags & SESSION_NULL)
		smb_flag(v, SMB_NULL_SESSION, NEWS_SESSION);
	ntlmssp_take(buffer_at(msg, 68), v);
}

/* One command of a compound; msg starts at its header. */
static void take_one(const struct cursor *msg, struct flow_view *v)
{
	struct cursor c = cursor_from(msg, 8);
	uint32_t status = cursor_le32(&c), flags;
	uint16_t cmd = cursor_le16(&c);
	bool response;

	cursor_skip(&c, 2);
	flags = cursor_le32(&c);
	response = flags & FLAG_RESPONSE;
	if (flags & FLAG_SIGNED)
		smb_flag(v, SMB_SEEN_SIGNED, NEWS_SECURITY);
	switch (cmd) {
	case CMD_NEGOTIATE:
		if (response && status == 0)
			negotiate_response(msg, v);
		else if (!response)
			negotiate_request(msg, v);
		break;
	case CMD_SESSION_SETUP:
		if (response) {
			smb_logon_status(v, status);
			setup_response(msg, v);
		} else {
			setup_request(msg, v);
		}
		break;
	case CMD_TREE_CONNECT:
		if (!response)
			smb_note_share(v, buffer_at(msg, 68), true);
		break;
	case CMD_CREATE:
		if (!response)
			smb_note_pipe(v, buffer_at(msg, 108), true);
		break;
	}
}

bool smb2_take(struct cursor msg, struct flow_view *v)
{
	struct cursor c;
	uint16_t size;
	uint32_t next = 0;

	if (*msg.at == SMB_MAGIC_ENCRYPTED || *msg.at == SMB_MAGIC_COMPRESSED) {
		smb_flag(v, *msg.at == SMB_MAGIC_ENCRYPTED ? SMB_SEEN_ENCRYPTED
							   : SMB_SEEN_COMPRESSED,
		    NEWS_SECURITY);
		return true;
	}
	c = cursor_from(&msg, 16);
	v->role = cursor_le32(&c) & FLAG_RESPONSE ? ROLE_SERVER : ROLE_CLIENT;
	if (!cursor_ok(&c))
		return false;
	if (!smb_believed(v))
		return true;
	smb_flag(v, SMB_SEEN_2, NEWS_DIALECT);
	for (int i = 0; i < COMPOUND_MAX; i++) {
		c = cursor_from(&msg, 4);
		size = cursor_le16(&c);
		cursor_skip(&c, 14);
		next = cursor_le32(&c);
		if (!cursor_ok(&c) || size != HEADER_LEN)
			break;
		take_one(&msg, v);
		if (next < HEADER_LEN || next > cursor_left(&msg))
			break;
		msg = cursor_from(&msg, next);
	}
	return true;
}
