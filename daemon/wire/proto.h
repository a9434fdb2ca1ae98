/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: recognisers: one row of a table, and one file, a protocol */
#ifndef WIRE_PROTO_H
#define WIRE_PROTO_H

#include <string.h>

#include "wire/cursor.h"
#include "wire/facts.h"

enum match { MATCH_NO, MATCH_MORE, MATCH_YES, MATCH_MALFORMED };

/* Who a message says sent it. */
enum sender { ROLE_UNKNOWN, ROLE_CLIENT, ROLE_SERVER };

/* What is looked at of one message: longer ones are cut there, the rest is
 * skipped unread.  Every message is put together to HEAD_MIN bytes at least,
 * which is what guards may count on. */
enum { MESSAGE_HEAD_MIN = 128, MESSAGE_HEAD_MAX = 4096 };

/* A flow as a recogniser sees it.  The upper part is given, the lower one is
 * for the recogniser to fill. */
struct flow_view {
	bool stream_start; /* the bytes are the first of a stream seen from its SYN */
	bool final;	   /* the rest of the message will not come: judge what is there */
	bool client_known, from_client;
	uint32_t in_packet; /* for the tap: how much of the message one packet shows that
			       begins with it; 0: none does */
	struct flow_facts *facts; /* NULL in open() of a flow not yet recognised */

	uint32_t want; /* MORE: bytes needed in all, > those given */
	uint32_t used; /* YES: length of the message, may exceed the bytes given */
	uint32_t news; /* NEWS_* */
	enum sender role;
	bool aside; /* the message was none of the application's own */
	bool done; /* nothing further in this direction is of interest */
};

/* open(): do these bytes begin the protocol?  It reads only.  message(): take
 * one message of a recognised flow, writing facts.  `app` APP_NONE is an
 * envelope: its message is taken and the table is asked again. */
struct proto {
	const char *name;
	enum app app;
	enum match (*open)(struct cursor c, struct flow_view *v);
	enum match (*message)(struct cursor c, struct flow_view *v);
	const char *help; /* what is recognised */
};

extern const struct proto proto_table[];
extern const size_t proto_count;

/* Ask the rows in turn.  YES: *ret_row is the row.  MORE: at least one row needs
 * v->want bytes and none matched.  Else NO. */
enum match proto_open(struct cursor c, struct flow_view *v, const struct proto **ret_row);

/* The first row of an application protocol; its message() is that of all. */
const struct proto *proto_of(enum app app);

/* A test of a packet's first bytes, for flows whose start was missed or was
 * something else: only what may pass open() strictly gets there, or what is too short to
 * tell.  SMB for as long as the flow lives, the rest while `early`. */
static inline bool proto_glance(const uint8_t *p, size_t len, bool early)
{
	if (len > 0 && p[0] == 0)
		return len <= 4 || (p[4] >= 0xfc &&
		    memcmp(p + 5, "SMB", len < 8 ? len - 5 : 3) == 0);
	return early && len > 0 && p[0] == 3 && (len < 2 || p[1] == 0) &&
	    (len < 6 || p[5] == 0xe0 || p[5] == 0xd0 || p[5] == 0xf0);
}

enum match nbss_open(struct cursor c, struct flow_view *v);
enum match nbss_message(struct cursor c, struct flow_view *v);
enum match smb1_open(struct cursor c, struct flow_view *v);
enum match smb2_open(struct cursor c, struct flow_view *v);
enum match smb_message(struct cursor c, struct flow_view *v);
enum match rdp_open(struct cursor c, struct flow_view *v);
enum match rdp_message(struct cursor c, struct flow_view *v);

#endif
