/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: openings: SMB and RDP only where granted, and there nothing else first */
#include "rules/compile.h"

#include <stdio.h>
#include <string.h>

#include "rules/rulewriter.h"

/* A frame header may come in a segment of its own or be cut anywhere: then the rest
 * starts earlier in the next packet.  Every shift that leaves a whole magic is tried. */
enum { HEADER_LEN = 4, WHOLE_LEN = 16 };
enum { REPLY = 1 }; /* ct direction */

struct opening {
	const char *name;
	uint32_t in_label, out_label;
};

/* The families that rules of both have to tell apart: none where all is enforced. */
static bool apart(const struct compile *c, int i)
{
	return compile_watches(c) ? c->fam[i].lives : i == 0;
}

static void of_family(struct compile *c, const struct fam *f)
{
	if (compile_watches(c) && !f->watches) /* else the addresses say so */
		rw_cmp(c->b, RS_NFPROTO, RS_EQ, f->nfproto);
}

/* A packet without a connection has no labels; where SMB or RDP may be granted such
 * packets do not come here (compile_odd.c).  One of its ends is protected: what is that
 * matters only where some are not enforced. */
static void stray_rules(struct compile *c, uint32_t found, uint32_t report)
{
	for (int i = 0; i < 2; i++) {
		const struct fam *f = &c->fam[i];
		const enum rs_field end[2] = { f->daddr, f->saddr };

		for (int e = 0; e < 2 && apart(c, i) && (f->watches || e == 0); e++) {
			rw_state(rw_rule(c->b, found), RS_CT_INVALID | RS_CT_UNTRACKED);
			of_family(c, f);
			if (f->watches)
				rw_in(c->b, end[e], f->legacy);
			compile_enforced(c, f, end[e]);
			rw_go(c->b, RS_GOTO, report);
		}
	}
}

/* The side that does not grant it, where that side is enforced: client to server, so
 * the server is the destination. */
static void condemn_rules(struct compile *c, uint32_t found, const struct opening *o,
    uint32_t report)
{
	for (int i = 0; i < 2; i++) {
		const struct fam *f = &c->fam[i];
		const enum rs_field end[2] = { f->daddr, f->saddr };
		const uint32_t label[2] = { o->in_label, o->out_label };

		for (int e = 0; e < 2 && apart(c, i); e++) {
			rw_no_label(rw_rule(c->b, found), label[e]);
			of_family(c, f);
			/* one picked up has no labels of an end that is not ours either */
			if (f->watches)
				rw_in(c->b, end[e], f->legacy);
			compile_enforced(c, f, end[e]);
			rw_go(rw_set_label(c->b, LABEL_CONDEMNED), RS_GOTO, report);
		}
	}
}

/* The connection is condemned where an enforced side does not grant the protocol,
 * reported where only an observed one does not; else the chain returns. */
static uint32_t found_chain(struct compile *c, const struct opening *o)
{
	char name[RS_NAME_MAX];
	uint32_t found, report, watch;

	snprintf(name, sizeof(name), "found_%s", o->name);
	found = rsb_chain(c->b, name, NULL);
	report = compile_report(c, NULL, "exposure", o->name, c->answer);
	stray_rules(c, found, report);
	condemn_rules(c, found, o, report);
	if (!compile_watches(c))
		return found;
	snprintf(name, sizeof(name), "%s-observed", o->name);
	watch = compile_report(c, NULL, "exposure", name, RS_NONE);
	rw_go(rw_no_label(rw_rule(c->b, found), o->in_label), RS_GOTO, watch);
	rw_go(rw_no_label(rw_rule(c->b, found), o->out_label), RS_GOTO, watch);
	return found;
}

/* MS-SMB2 2.1 framing; the magics of MS-SMB 2.2.3.1 and MS-SMB2 2.2.1, 2.2.41, 2.2.42
 * are 0xff, 0xfe, 0xfd, 0xfc and "SMB". */
static void smb_rule(struct compile *c, uint16_t at)
{
	static const uint8_t magic[4] = { 0xfc, 'S', 'M', 'B' };
	static const uint8_t mask[4] = { 0xfc, 0xff, 0xff, 0xff };

	rw_rule(c->b, c->opening);
	if (at == HEADER_LEN)
		rw_payload_is(c->b, 0, 1, RS_EQ, 0);
	rw_payload(c->b, at, 4, mask, RS_EQ, magic);
}

/* RFC 1002 4.3.2: session request, called name of 32 characters first */
static void netbios_rule(struct compile *c)
{
	rw_payload_is(rw_rule(c->b, c->opening), 0, 5, RS_EQ, 0x8100004420);
}

static void smb_rules(struct compile *c, uint32_t found)
{
	for (uint16_t at = 0; at <= HEADER_LEN; at++) {
		smb_rule(c, at);
		rw_go(c->b, RS_JUMP, found);
	}
	netbios_rule(c);
	rw_go(c->b, RS_JUMP, found);
	/* granted, and whole: judged.  A session request is followed by the opening. */
	smb_rule(c, HEADER_LEN);
	rw_go(rw_set_label(c->b, LABEL_JUDGED), RS_RETURN, RS_NONE);
	netbios_rule(c);
	rw_go(c->b, RS_RETURN, RS_NONE);
}

/* What follows the seven fixed bytes of an X.224 connection request from a client of
 * RDP (MS-RDPBCGR 2.2.1.1), and no other user of TPKT: a cookie or routing token, an
 * empty token, or the negotiation request. */
static const struct {
	uint8_t len;
	uint64_t value, mask;
} rdp_tail[] = {
	{ 7, 0x436f6f6b69653a, 0xffffffffffffff },   /* "Cookie:" */
	{ 8, 0x0100080000000000, 0xff00ffff00ffffff }, /* RDP_NEG_REQ */
	{ 3, 0x0d0a01, 0xffffff },                   /* empty token, RDP_NEG_REQ */
};
enum { RDP_TAILS = sizeof(rdp_tail) / sizeof(rdp_tail[0]) };

/* A connection request whose TPKT header lost its first `cut` bytes to the packet
 * before, with tail[i]. */
static void rdp_rule(struct compile *c, uint16_t cut, size_t i)
{
	uint8_t mask[8], value[8];

	for (int k = 0; k < rdp_tail[i].len; k++) {
		int shift = 8 * (rdp_tail[i].len - 1 - k);

		mask[k] = (uint8_t)(rdp_tail[i].mask >> shift);
		value[k] = (uint8_t)(rdp_tail[i].value >> shift);
	}
	rw_rule(c->b, c->opening);
	if (cut == 0)
		rw_payload_is(c->b, 0, 2, RS_EQ, 0x0300);
	rw_payload_is(c->b, (uint16_t)(5 - cut), 3, RS_EQ, 0xe00000);
	rw_payload(c->b, (uint16_t)(11 - cut), rdp_tail[i].len, mask, RS_EQ, value);
}

/* The bare request: TPKT length 11, LI 6, CR, references and class. */
static void rdp_bare_rule(struct compile *c)
{
	rw_payload_is(rw_rule(c->b, c->opening), 0, 8, RS_EQ, 0x0300000b06e00000);
}

static void rdp_rules(struct compile *c, uint32_t found)
{
	rdp_bare_rule(c);
	rw_go(c->b, RS_JUMP, found);
	for (uint16_t cut = 0; cut <= HEADER_LEN; cut++) {
		for (size_t i = 0; i < RDP_TAILS; i++) {
			rdp_rule(c, cut, i);
			rw_go(c->b, RS_JUMP, found);
		}
	}
	/* granted, and whole: judged */
	rdp_bare_rule(c);
	rw_go(rw_set_label(c->b, LABEL_JUDGED), RS_RETURN, RS_NONE);
	for (size_t i = 0; i < RDP_TAILS; i++) {
		rdp_rule(c, 0, i);
		rw_go(rw_set_label(c->b, LABEL_JUDGED), RS_RETURN, RS_NONE);
	}
}

/* Where a protocol is granted and nothing of it was found, the client speaks something
 * else: it is refused, unless a side is only observed. */
static void refuse_rules(struct compile *c, uint32_t at, const struct opening *o,
    uint32_t refused)
{
	for (int i = 0; i < 2; i++) {
		const struct fam *f = &c->fam[i];

		if (!apart(c, i))
			continue;
		rw_label(rw_label(rw_rule(c->b, at), o->in_label), o->out_label);
		of_family(c, f);
		compile_enforced(c, f, f->daddr);
		compile_enforced(c, f, f->saddr);
		rw_go(c->b, RS_GOTO, refused);
	}
}

/* Negotiate requests alone, told by more bytes: a false hit is so rare that these run
 * on any number of packets.  MS-SMB2 2.2.1: StructureSize 64; MS-SMB 2.2.3.1: the
 * command, no error. */
static void smb_strict_rules(struct compile *c, uint32_t found)
{
	for (uint16_t at = 0; at <= HEADER_LEN; at++) {
		rw_payload_is(rw_rule(c->b, c->opening), at, 6, RS_EQ, 0xfe534d424000);
		rw_go(c->b, RS_JUMP, found);
		rw_payload_is(rw_rule(c->b, c->opening), at, 8, RS_EQ, 0xff534d4272000000);
		rw_go(c->b, RS_JUMP, found);
	}
}

/* Who may send an opening.  Of a connection seen from its SYN only the client; of one
 * picked up later, or a packet without a connection, either end. */
static void client_rule(struct compile *c, uint32_t seen)
{
	rw_cmp(rw_no_label(rw_rule(c->b, c->opening), LABEL_PICKED), RS_CT_DIR, RS_EQ, REPLY);
	rw_go(c->b, RS_GOTO, seen);
}

/* Whole packets after the first three, and what may be a server's, are not asked for
 * the short magics. */
static void enough_rules(struct compile *c, uint32_t seen)
{
	rw_payload_is(rw_label(rw_rule(c->b, c->opening), LABEL_SEEN3), WHOLE_LEN - 1, 1,
	    RS_GE, 0);
	rw_go(c->b, RS_GOTO, seen);
	rw_payload_is(rw_cmp(rw_rule(c->b, c->opening), RS_CT_DIR, RS_EQ, REPLY),
	    WHOLE_LEN - 1, 1, RS_GE, 0);
	rw_go(c->b, RS_GOTO, seen);
}

/* Shorter payloads do not count, and are not let through first where they are not usual.
 * A server of SMB or RDP is silent until it has the whole opening in order: so its data
 * after the client's ends the judging.  A count of packets would not: a client can send
 * any number ahead of their turn, or ones that the server drops. */
static void judged_rules(struct compile *c, const struct opening o[2], uint32_t seen)
{
	static const uint32_t may_be_short[2] = { LABEL_IN_SHORT, LABEL_OUT_SHORT };
	uint32_t at = c->opening;
	uint32_t refused = compile_report(c, NULL, "denied", "opening", c->answer);

	rw_payload_is(rw_rule(c->b, at), 7, 1, RS_GE, 0);
	rw_go(c->b, RS_GOTO, seen);
	for (size_t i = 0; i < 2; i++) {
		rw_payload_is(rw_rule(c->b, at), 0, 1, RS_GE, 0);
		rw_no_label(rw_no_label(c->b, LABEL_SEEN1), may_be_short[i]);
		rw_counter(c->b, "short");
		rw_go(c->b, RS_DROP, RS_NONE);
	}

	rw_cmp(rw_label(rw_rule(c->b, seen), LABEL_SEEN1), RS_CT_DIR, RS_EQ, REPLY);
	rw_set_label(rw_payload_is(c->b, 0, 1, RS_GE, 0), LABEL_JUDGED);
	rw_cmp(rw_rule(c->b, seen), RS_CT_DIR, RS_EQ, REPLY);
	rw_go(c->b, RS_RETURN, RS_NONE);
	for (int i = 0; i < 2; i++)
		refuse_rules(c, seen, &o[i], refused);
	rw_set_label(rw_label(rw_rule(c->b, seen), LABEL_SEEN2), LABEL_SEEN3);
	rw_set_label(rw_label(rw_rule(c->b, seen), LABEL_SEEN1), LABEL_SEEN2);
	rw_set_label(rw_rule(c->b, seen), LABEL_SEEN1);
}

void compile_openings(struct compile *c)
{
	static const struct opening o[2] = { { "smb", LABEL_IN_SMB, LABEL_OUT_SMB },
		{ "rdp", LABEL_IN_RDP, LABEL_OUT_RDP } };
	uint32_t seen = rsb_chain(c->b, "looked_at", NULL);
	uint32_t found_smb = found_chain(c, &o[0]);

	client_rule(c, seen);
	smb_strict_rules(c, found_smb);
	rdp_rules(c, found_chain(c, &o[1]));
	enough_rules(c, seen);
	smb_rules(c, found_smb);
	judged_rules(c, o, seen);
}
