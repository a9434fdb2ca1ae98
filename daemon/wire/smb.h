/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the files of SMB share: framing, names, security blobs */
#ifndef WIRE_SMB_H
#define WIRE_SMB_H

#include "wire/proto.h"

/* The four magics: this byte, then "SMB". */
enum { SMB_MAGIC_1 = 0xff, SMB_MAGIC_2 = 0xfe, SMB_MAGIC_ENCRYPTED = 0xfd,
	SMB_MAGIC_COMPRESSED = 0xfc };

/* Whether the bytes can begin a session message (FACTS rule SMB-1: type 0, length
 * 32..0xffffff, then `magic`-"SMB").  YES needs 36 bytes, of a cut capture 24, all
 * that is asked of headers; it leaves *c behind the length and the magic; MORE sets
 * v->want. */
enum match smb_frame(struct cursor *c, uint8_t magic, struct flow_view *v);

/* Bytes of a message, the header at 0, that are to be put together before it is
 * handed to smb?_take(); c holds the first MESSAGE_HEAD_MIN or all of them. */
uint32_t smb1_want(struct cursor c);
uint32_t smb2_want(struct cursor c);

/* Take the facts from one message; c begins at the magic and may be cut.  Role
 * and news are set.  False: not a message of that protocol. */
bool smb1_take(struct cursor c, struct flow_view *v);
bool smb2_take(struct cursor c, struct flow_view *v);

/* Whether a message of this role is believed: a client does not speak as server. */
static inline bool smb_believed(const struct flow_view *v)
{
	return !v->client_known || v->role == ROLE_UNKNOWN ||
	    v->from_client == (v->role == ROLE_CLIENT);
}

/* Set flags, and `news` if one of them is new. */
static inline void smb_flag(struct flow_view *v, uint32_t flags, uint32_t news)
{
	if ((v->facts->smb.flags & flags) != flags)
		v->news |= news;
	v->facts->smb.flags |= flags;
}

/* Status of a session setup response: counts the failures of a logon. */
void smb_logon_status(struct flow_view *v, uint32_t status);

/* A path of a tree connect, or a name of a pipe: noted if it is of interest. */
void smb_note_share(struct flow_view *v, struct cursor path, bool utf16);
void smb_note_pipe(struct flow_view *v, struct cursor name, bool utf16);

/* Look for NTLMSSP (or a Kerberos token) in a security blob: ntlmssp.c. */
void ntlmssp_take(struct cursor blob, struct flow_view *v);

/* Copy text into a struct fact_name or fact_text: at most max bytes.  Returns the
 * length.  UTF-16LE is converted, other text is taken as it is; a NUL ends both. */
uint8_t text_utf16(struct cursor c, uint8_t *ret, size_t max);
uint8_t text_bytes(struct cursor c, uint8_t *ret, size_t max);
#define TEXT_SET(fact, c, utf16)                                                           \
	((fact).len = (utf16) ? text_utf16((c), (fact).b, sizeof((fact).b))                \
			      : text_bytes((c), (fact).b, sizeof((fact).b)))

/* Split off a NUL-terminated string (its terminator is consumed, not returned);
 * without one, all that is left. */
struct cursor text_until_nul(struct cursor *c, bool utf16);

#endif
