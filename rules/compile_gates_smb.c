/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: gates of SMB: smb2 (no SMB1) and signing */
#include "rules/compile_gates.h"

#include "rules/rulewriter.h"

enum { SIGNING_REQUIRED_BIT = 1, SMB1_SIGNING_BIT = 3 };
/* lengths of an SMB1 negotiate that can be held; what may stand behind it */
enum { SMB1_MIN = 35, SMB1_MAX = 239, SLACK = 16 };

/* The length's low byte is one of n to n + 15. */
static void in_block(struct compile *c, uint16_t n)
{
	static const uint8_t mask[1] = { 0xf0 };
	const uint8_t value[1] = { (uint8_t)n };

	rw_payload(c->b, GATES_LENGTH, 1, mask, RS_EQ, value);
}

/* SMB1 negotiate (MS-CIFS 2.2.4.52) of up to 239 bytes, behind which not as much as a
 * header of SMB1 follows. */
static void smb1_request_rules(struct compile *c, const struct gates *g)
{
	uint32_t old = rsb_chain(c->b, "smb1_request", NULL);

	rw_payload_is(rw_rule(c->b, g->request), 0, 3, RS_EQ, 0);
	rw_payload_is(c->b, GATES_FRAME, 5, RS_EQ, 0xff534d4272);
	rw_go(rw_set_label(c->b, LABEL_ASKED_SMB), RS_GOTO, old);
	/* behind the server's first answer it can only come again */
	rw_go(rw_label(rw_rule(c->b, old), LABEL_SMB2_SPOKEN), RS_JUMP, g->same);
	rw_go(rw_label(rw_rule(c->b, old), LABEL_PASSED), RS_RETURN, RS_NONE);
	/* behind a frame shorter than its header the next one could stand */
	rw_payload_is(rw_rule(c->b, old), GATES_LENGTH, 1, RS_LT, SMB1_MIN);
	rw_go(c->b, RS_GOTO, g->broken);
	for (uint16_t n = 2 * SLACK; n <= SMB1_MAX; n += SLACK) {
		rw_rule(c->b, old);
		in_block(c, n);
		rw_payload_is(c->b, n + SLACK + GATES_FRAME - 1, 1, RS_GE, 0);
		rw_go(c->b, RS_GOTO, g->broken);
	}
	rw_payload_is(rw_rule(c->b, old), GATES_LENGTH, 1, RS_GT, SMB1_MAX);
	rw_go(c->b, RS_GOTO, g->broken);
	rw_payload_is(rw_rule(c->b, old), SMB1_MIN + GATES_FRAME - 1, 1, RS_GE, 0);
	rw_go(c->b, RS_GOTO, g->once);
	rw_go(rw_rule(c->b, old), RS_GOTO, g->broken);
}

/* SMB2 NEGOTIATE (MS-SMB2 2.2.3); SecurityMode at 4 of its body. */
static void smb2_request_rules(struct compile *c, const struct gates *g)
{
	for (int signs = 1; signs >= 0; signs--) {
		rw_payload_is(rw_rule(c->b, g->request), 0, 1, RS_EQ, 0);
		rw_payload_is(c->b, GATES_FRAME, 6, RS_EQ, 0xfe534d424000);
		rw_payload_is(c->b, GATES_FRAME + 12, 2, RS_EQ, 0);
		rw_set_label(c->b, LABEL_ASKED_SMB);
		if (signs) {
			gates_bit(c, RS_IH, GATES_FRAME + 64 + 4, SIGNING_REQUIRED_BIT, true);
			rw_set_label(c->b, LABEL_CLIENT_SIGNS);
		}
		rw_go(c->b, RS_RETURN, RS_NONE);
	}
}

static void smb_request_rules(struct compile *c, const struct gates *g)
{
	/* RDP where that is granted too, and nothing is required of it */
	rw_label(rw_label(rw_rule(c->b, g->request), LABEL_IN_RDP), LABEL_OUT_RDP);
	rw_no_label(rw_no_label(c->b, LABEL_NEED + NLA), LABEL_ASKED_SMB);
	gates_rdp_request(c);
	rw_go(rw_set_label(c->b, LABEL_PASSED), RS_RETURN, RS_NONE);
	/* a session request (RFC 1002 4.3.2), before anything else */
	rw_no_label(rw_no_label(rw_rule(c->b, g->request), LABEL_SESSION), LABEL_ASKED);
	rw_payload_is(c->b, 0, 5, RS_EQ, 0x8100004420);
	rw_go(rw_set_label(c->b, LABEL_ASKED_SMB), RS_RETURN, RS_NONE);
	smb1_request_rules(c, g);
	/* bytes of SMB1 must not hide behind a frame of SMB2 */
	rw_no_label(rw_label(rw_rule(c->b, g->request), LABEL_ASKED), LABEL_SMB2_SPOKEN);
	rw_go(c->b, RS_GOTO, g->broken);
	smb2_request_rules(c, g);
	rw_go(rw_rule(c->b, g->request), RS_GOTO, g->broken);
}

/* The server speaks SMB2 (MS-SMB2 2.2.4): SecurityMode at 2 of the body, dialect at 4;
 * of the wildcard dialect another NEGOTIATE follows. */
static void smb2_answer_rules(struct compile *c, uint32_t at)
{
	rw_no_label(rw_rule(c->b, at), LABEL_NEED + SIGNING);
	rw_go(rw_set_label(c->b, LABEL_PASSED), RS_RETURN, RS_NONE);
	rw_payload_is(rw_rule(c->b, at), GATES_FRAME + 8, 4, RS_NE, 0); /* an error */
	rw_go(c->b, RS_RETURN, RS_NONE);
	rw_rule(c->b, at);
	gates_bit(c, RS_IH, GATES_FRAME + 64 + 2, SIGNING_REQUIRED_BIT, true);
	rw_go(rw_set_label(c->b, LABEL_PASSED), RS_RETURN, RS_NONE);
	rw_label(rw_rule(c->b, at), LABEL_CLIENT_SIGNS);
	rw_go(rw_set_label(c->b, LABEL_PASSED), RS_RETURN, RS_NONE);
	rw_payload_is(rw_rule(c->b, at), GATES_FRAME + 64 + 4, 2, RS_EQ, 0xff02);
	rw_go(rw_set_label(c->b, LABEL_SMB2_SPOKEN), RS_RETURN, RS_NONE);
	rw_rule(c->b, at);
	rw_set_label(rw_set_label(c->b, LABEL_BROKEN + SIGNING), LABEL_PASSED);
}

/* The server speaks SMB1: index of the dialect at 1 of the words, 0xffff: none; mode of
 * security behind it (MS-CIFS 2.2.4.52.2). */
static void smb1_answer_rules(struct compile *c, uint32_t at)
{
	const uint16_t words = GATES_FRAME + 32;

	rw_label(rw_rule(c->b, at), LABEL_NEED + SMB2);
	rw_set_label(c->b, LABEL_BROKEN + SMB2);
	rw_no_label(rw_rule(c->b, at), LABEL_NEED + SIGNING);
	rw_go(rw_set_label(c->b, LABEL_PASSED), RS_RETURN, RS_NONE);
	rw_payload_is(rw_rule(c->b, at), words + 1, 2, RS_EQ, 0xffff);
	rw_go(c->b, RS_RETURN, RS_NONE);
	rw_payload_is(rw_rule(c->b, at), words, 1, RS_GE, 13);
	gates_bit(c, RS_IH, words + 3, SMB1_SIGNING_BIT, true);
	rw_go(rw_set_label(c->b, LABEL_PASSED), RS_RETURN, RS_NONE);
	rw_rule(c->b, at);
	rw_set_label(rw_set_label(c->b, LABEL_BROKEN + SIGNING), LABEL_PASSED);
}

static void smb_answer_rules(struct compile *c, const struct gates *g)
{
	uint32_t at = g->answer;
	uint32_t smb1 = rsb_chain(c->b, "smb1_answer", NULL);
	uint32_t smb2 = rsb_chain(c->b, "smb2_answer", NULL);

	rw_go(rw_no_label(rw_rule(c->b, at), LABEL_ASKED_SMB), RS_GOTO, g->broken);
	/* RFC 1002 4.3.3-4.3.5: no session; or one, with nothing behind that */
	rw_payload_is(rw_rule(c->b, at), 0, 1, RS_EQ, 0x83);
	rw_go(c->b, RS_RETURN, RS_NONE);
	rw_payload_is(rw_rule(c->b, at), 0, 1, RS_EQ, 0x84);
	rw_go(c->b, RS_RETURN, RS_NONE);
	rw_payload_is(rw_rule(c->b, at), 0, 4, RS_EQ, 0x82000000);
	rw_go(rw_payload_is(c->b, GATES_FRAME, 1, RS_GE, 0), RS_GOTO, g->broken);
	rw_payload_is(rw_rule(c->b, at), 0, 4, RS_EQ, 0x82000000);
	rw_go(rw_set_label(c->b, LABEL_SESSION), RS_RETURN, RS_NONE);
	rw_payload_is(rw_rule(c->b, at), 0, 1, RS_EQ, 0);
	rw_payload_is(c->b, GATES_FRAME, 6, RS_EQ, 0xfe534d424000);
	rw_payload_is(c->b, GATES_FRAME + 12, 2, RS_EQ, 0);
	rw_payload_is(c->b, GATES_FRAME + 64 + 5, 1, RS_GE, 0);
	rw_go(c->b, RS_GOTO, smb2);
	rw_payload_is(rw_rule(c->b, at), 0, 1, RS_EQ, 0);
	rw_payload_is(c->b, GATES_FRAME, 5, RS_EQ, 0xff534d4272);
	rw_go(c->b, RS_GOTO, smb1);
	rw_go(rw_rule(c->b, at), RS_GOTO, g->broken);
	smb2_answer_rules(c, smb2);
	smb1_answer_rules(c, smb1);
}

void gates_smb(struct compile *c, const struct gates *g)
{
	smb_request_rules(c, g);
	smb_answer_rules(c, g);
}
