/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: SMB1: dialects, signing, native OS, logons, shares and pipes */
#include "wire/smb.h"

/* SMB header, MS-CIFS 2.2.3.1; numbers little endian
 *  0        4    5       9      10       12       14           22   24   26   28   30   32
 * +--------+----+-------+------+--------+--------+------------+----+----+----+----+----+
 * |FF 'SMB'|cmd |status |flags |flags2  |PIDHigh |signature   |rsv |TID |PID |UID |MID |
 * +--------+----+-------+------+--------+--------+------------+----+----+----+----+----+
 * then WordCount u8, words, ByteCount u16, bytes.
 */
enum { HEADER_LEN = 32, FLAG_REPLY = 0x80, ANDX_MAX = 4, ANDX_NONE = 0xff };
enum { FLAGS2_SIGNED = 0x4, FLAGS2_UNICODE = 0x8000 };
enum { CMD_TRANSACTION = 0x25, CMD_CORE_TREE = 0x70, CMD_NEGOTIATE = 0x72, CMD_SESSION_SETUP = 0x73,
	CMD_LOGOFF = 0x74, CMD_TREE_CONNECT = 0x75, CMD_NT_CREATE = 0xa2 };

/* Order is the value of smb_facts.smb1_offered. */
static const char *const dialects[] = {
	"PC NETWORK PROGRAM 1.0", "PCLAN1.0", "XENIX CORE", "MICROSOFT NETWORKS 1.03",
	"MICROSOFT NETWORKS 3.0", "LANMAN1.0", "Windows for Workgroups 3.1a",
	"DOS LM1.2X002", "LM1.2X002", "DOS LANMAN2.1", "LANMAN2.1", "Samba",
	"NT LANMAN 1.0", "NT LM 0.12", "CIFS", "SMB 2.002", "SMB 2.???",
};
enum { DIALECT_COUNT = sizeof(dialects) / sizeof(dialects[0]) };

const char *smb1_dialect_name(unsigned index)
{
	return index < DIALECT_COUNT ? dialects[index] : NULL;
}

/* The command codes of MS-CIFS 2.2.2.1 that some system ever sent. */
static bool command_known(uint8_t cmd)
{
	return cmd <= 0x34 || (cmd >= 0x70 && cmd <= 0x75) || (cmd >= 0x80 && cmd <= 0x84) ||
	    (cmd >= 0xa0 && cmd <= 0xa5) || (cmd >= 0xc0 && cmd <= 0xc3) ||
	    (cmd >= 0xd0 && cmd <= 0xda);
}

/* Frame and magic decide at a stream's start, where fuzzers and exploits invent
 * commands; elsewhere the command must be one too. */
enum match smb1_open(struct cursor c, struct flow_view *v)
{
	enum match m = smb_frame(&c, SMB_MAGIC_1, v);

	if (m != MATCH_YES)
		return m;
	return v->stream_start || command_known(cursor_u8(&c)) ? MATCH_YES : MATCH_NO;
}

uint32_t smb1_want(struct cursor c)
{
	cursor_skip(&c, 4);
	switch (cursor_u8(&c)) {
	case CMD_NEGOTIATE:
	case CMD_SESSION_SETUP:
	case CMD_TREE_CONNECT:
	case CMD_CORE_TREE:
	case CMD_NT_CREATE:
	case CMD_TRANSACTION:
		return MESSAGE_HEAD_MAX;
	}
	return 0;
}

/* One block of a message: its words and bytes, and the place of the bytes in the
 * message, which decides where UTF-16 is padded to an even offset. */
struct block {
	uint8_t word_count;
	struct cursor words, bytes;
	size_t bytes_at;
	bool utf16, cut; /* cut: the bytes break off before their count */
};

static bool block_read(const struct cursor *msg, size_t at, bool utf16, struct block *ret)
{
	struct cursor c = cursor_from(msg, at);
	size_t len;

	ret->word_count = cursor_u8(&c);
	ret->words = cursor_sub(&c, ret->word_count * 2u);
	len = cursor_le16(&c);
	ret->bytes_at = at + 3 + ret->word_count * 2u;
	ret->utf16 = utf16;
	if (!cursor_ok(&c))
		return false;
	ret->cut = len > cursor_left(&c);
	ret->bytes = cursor_sub(&c, ret->cut ? cursor_left(&c) : len);
	return true;
}

/* The string up to the NUL; short where a capture cut it off, so that half a name is none. */
static struct cursor whole_string(const struct block *b, struct cursor *c, bool utf16)
{
	struct cursor s = text_until_nul(c, utf16);

	if (b->cut && (size_t)(c->at - s.at) < cursor_left(&s) + (utf16 ? 2 : 1))
		s = (struct cursor){ s.at, s.at, true };
	return s;
}

/* The next string of the block.  UTF-16 is padded to an even offset in the message
 * (MS-CIFS 2.2.1.1), but impacket's server pads to odd ones after short blobs: where
 * Latin text shows, 'W' 00 or 00 'W' 00, it decides. */
static struct cursor block_string(const struct block *b, struct cursor *c)
{
	bool odd = (b->bytes_at + (size_t)(c->at - b->bytes.at)) % 2;

	if (b->utf16 && cursor_left(c) >= 3) {
		if (c->at[0] != 0 && c->at[1] == 0)
			odd = false;
		else if (c->at[0] == 0 && c->at[1] != 0 && c->at[2] == 0)
			odd = true;
	}
	if (b->utf16 && odd && cursor_left(c))
		cursor_skip(c, 1);
	return whole_string(b, c, b->utf16);
}

/* Two strings into facts, as far as they are there. */
static void block_names(const struct block *b, struct cursor *c, struct fact_text *os,
    struct fact_text *lm)
{
	struct cursor first = block_string(b, c), second = block_string(b, c);

	if (cursor_ok(&first))
		TEXT_SET(*os, first, b->utf16);
	if (cursor_ok(&second))
		TEXT_SET(*lm, second, b->utf16);
}

static uint8_t dialect_index(struct cursor name)
{
	for (uint8_t i = 0; i < DIALECT_COUNT; i++)
		if (cursor_left(&name) == strlen(dialects[i]) &&
		    cursor_starts(&name, dialects[i], strlen(dialects[i])))
			return i;
	return SMB1_DIALECT_UNKNOWN;
}

/* Negotiate request, MS-CIFS 2.2.4.52.1: a list of 0x02 and a string. */
static void negotiate_request(const struct block *b, struct flow_view *v)
{
	struct smb_facts *f = &v->facts->smb;
	struct cursor c = b->bytes, name;

	f->smb1_count = 0;
	while (cursor_u8(&c) == 0x02 && f->smb1_count < SMB1_OFFERED_MAX) {
		name = whole_string(b, &c, false);
		if (!cursor_ok(&name))
			break;
		f->smb1_offered[f->smb1_count++] = dialect_index(name);
	}
	v->news |= NEWS_DIALECT;
}

/* Negotiate response, MS-CIFS 2.2.4.52.2: dialect index u16, security mode u8. */
static void negotiate_response(const struct block *b, struct flow_view *v)
{
	struct smb_facts *f = &v->facts->smb;
	struct cursor c = b->words;
	uint16_t index = cursor_le16(&c);
	uint8_t mode = cursor_u8(&c);

	if (b->word_count == 0)
		return;
	f->smb1_answered = 1;
	f->smb1_chosen = index >= SMB1_DIALECT_NONE ? SMB1_DIALECT_NONE : (uint8_t)index;
	v->news |= NEWS_DIALECT;
	if (b->word_count != 17)
		return;
	if (mode & 4)
		smb_flag(v, SMB_SERVER_SIGNING_ENABLED, NEWS_SECURITY);
	if (mode & 8)
		smb_flag(v, SMB_SERVER_SIGNING_REQUIRED, NEWS_SECURITY);
}

/* Session setup request, MS-SMB 2.2.4.6.1 (12 words, a security blob), MS-CIFS 2.2.4.53.1
 * (13 words, two passwords and the names) or LAN Manager's (10 words, one password). */
static void setup_request(const struct block *b, struct flow_view *v)
{
	struct smb_facts *f = &v->facts->smb;
	struct cursor lens = cursor_from(&b->words, 14), c = b->bytes, user, domain;
	size_t ansi = cursor_le16(&lens), unicode = 0;

	if (b->word_count == 13)
		unicode = cursor_le16(&lens);
	if (f->smb1_answered && f->smb1_chosen != SMB1_DIALECT_NONE)
		smb_flag(v, SMB_1_IN_USE, NEWS_DIALECT);
	if (b->word_count == 12) {
		ntlmssp_take(cursor_sub(&c, ansi < cursor_left(&c) ? ansi : cursor_left(&c)), v);
	} else if (b->word_count == 13 || b->word_count == 10) {
		cursor_skip(&c, ansi + unicode);
		user = block_string(b, &c);
		domain = block_string(b, &c);
		if (!cursor_ok(&c) || !cursor_ok(&user) || !cursor_ok(&domain))
			return;
		TEXT_SET(f->ntlm.user, user, b->utf16);
		TEXT_SET(f->ntlm.domain, domain, b->utf16);
		if (f->ntlm.user.len == 0 && ansi <= 1 && unicode == 0)
			smb_flag(v, SMB_NULL_SESSION, NEWS_SESSION);
	} else {
		return;
	}
	if (cursor_left(&c) == 0)
		return;
	block_names(b, &c, &f->client_os, &f->client_lm);
	v->news |= NEWS_IDENTITY;
}

/* Session setup response, MS-SMB 2.2.4.6.2 (4 words) or MS-CIFS 2.2.4.53.2 (3). */
static void setup_response(const struct block *b, struct flow_view *v)
{
	struct smb_facts *f = &v->facts->smb;
	struct cursor w = cursor_from(&b->words, 4), c = b->bytes;
	uint16_t action = cursor_le16(&w);
	size_t len = b->word_count == 4 ? cursor_le16(&w) : 0;

	if (b->word_count != 3 && b->word_count != 4)
		return;
	if (action & 1)
		smb_flag(v, SMB_GUEST, NEWS_SESSION);
	if (len)
		ntlmssp_take(cursor_sub(&c, len < cursor_left(&c) ? len : cursor_left(&c)), v);
	if (cursor_left(&c) == 0)
		return;
	block_names(b, &c, &f->native_os, &f->native_lm);
	v->news |= NEWS_IDENTITY;
}

static void tree_request(const struct block *b, struct flow_view *v)
{
	struct cursor w = cursor_from(&b->words, 6), c = b->bytes;

	cursor_skip(&c, cursor_le16(&w)); /* the password */
	if (b->word_count == 4 && cursor_ok(&c))
		smb_note_share(v, block_string(b, &c), b->utf16);
}

/* MS-CIFS 2.2.4.50.1, of the oldest dialects: 0x04 and the path, the same with password
 * and service. */
static void core_tree_request(const struct block *b, struct flow_view *v)
{
	struct cursor c = b->bytes, path;

	if (cursor_u8(&c) != 0x04)
		return;
	path = whole_string(b, &c, false);
	if (cursor_ok(&path))
		smb_note_share(v, path, false);
}

static void name_request(const struct block *b, struct flow_view *v)
{
	struct cursor c = b->bytes;

	smb_note_pipe(v, block_string(b, &c), b->utf16);
}

/* One row a command whose block is read; requests and replies apart. */
static const struct command {
	uint8_t cmd;
	bool andx;
	void (*request)(const struct block *b, struct flow_view *v);
	void (*response)(const struct block *b, struct flow_view *v);
} commands[] = {
	{ CMD_NEGOTIATE, false, negotiate_request, negotiate_response },
	{ CMD_SESSION_SETUP, true, setup_request, setup_response },
	{ CMD_TREE_CONNECT, true, tree_request, NULL },
	{ CMD_CORE_TREE, false, core_tree_request, NULL },
	{ CMD_NT_CREATE, true, name_request, NULL },
	{ CMD_TRANSACTION, false, name_request, NULL },
	{ CMD_LOGOFF, true, NULL, NULL },
};

static const struct command *command_find(uint8_t cmd)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].cmd == cmd)
			return &commands[i];
	return NULL;
}

/* An AndX message is a chain of blocks, each naming the next one's command and
 * offset (MS-CIFS 2.2.3.4): offsets must rise, at most ANDX_MAX are followed. */
static void walk_blocks(const struct cursor *msg, uint8_t cmd, bool reply, bool utf16,
    struct flow_view *v)
{
	const struct command *row;
	size_t at = HEADER_LEN, next_at;
	struct block b;
	struct cursor w;

	for (int i = 0; i < ANDX_MAX && (row = command_find(cmd)) != NULL; i++) {
		if (!block_read(msg, at, utf16, &b))
			return;
		if (!reply && row->request)
			row->request(&b, v);
		if (reply && row->response)
			row->response(&b, v);
		w = b.words;
		cmd = cursor_u8(&w);
		cursor_skip(&w, 1);
		next_at = cursor_le16(&w);
		if (!row->andx || !cursor_ok(&w) || cmd == ANDX_NONE || next_at <= at)
			return;
		at = next_at;
	}
}

bool smb1_take(struct cursor msg, struct flow_view *v)
{
	struct cursor c = cursor_from(&msg, 4);
	uint8_t cmd = cursor_u8(&c), flags;
	uint32_t status = cursor_le32(&c);
	uint16_t flags2, pid_high;
	bool reply;

	flags = cursor_u8(&c);
	flags2 = cursor_le16(&c);
	pid_high = cursor_le16(&c);
	if (!cursor_ok(&c))
		return false;
	reply = flags & FLAG_REPLY;
	v->role = reply ? ROLE_SERVER : ROLE_CLIENT;
	if (!smb_believed(v))
		return true;
	smb_flag(v, SMB_SEEN_1, NEWS_DIALECT);
	if (flags2 & FLAGS2_SIGNED)
		smb_flag(v, reply ? SMB_SEEN_SIGNED : SMB_CLIENT_SIGNING_ENABLED, NEWS_SECURITY);
	if (!reply && cmd == CMD_NEGOTIATE)
		v->facts->smb.pid_high = pid_high;
	if (reply && cmd == CMD_SESSION_SETUP)
		smb_logon_status(v, status);
	walk_blocks(&msg, cmd, reply, flags2 & FLAGS2_UNICODE, v);
	return true;
}
