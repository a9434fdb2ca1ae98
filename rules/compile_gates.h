/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the gates' files share; private to rules/ */
#ifndef RULES_COMPILE_GATES_H
#define RULES_COMPILE_GATES_H

#include "rules/compile.h"

/* In the order of their labels. */
enum requirement { NLA, SMB2, SIGNING, REQUIREMENTS };

/* Offsets in the payload: the low byte of the length, of TPKT and of SMB's frame
 * alike; behind the frame's header. */
enum { GATES_LENGTH = 3, GATES_FRAME = 4 };

/* Chains of the gates.  The kernel counts 15 jumps and gotos: what a gate's chain leads
 * to is at most four behind the first. */
struct gates {
	uint32_t request, answer; /* data of the client, of the server */
	uint32_t same, once;      /* at the stream's first byte; of the first one's length */
	uint32_t broken;          /* what fits nothing */
};

/* One bit of a byte of the TCP header (RS_TH_RAW) or the payload (RS_IH): appended to
 * the rule begun last. */
void gates_bit(
    struct compile *c, enum rs_field f, uint16_t at, unsigned bit, bool set);
/* TPKT, X.224 connection request of class 0 (MS-RDPBCGR 2.2.1.1): likewise. */
void gates_rdp_request(struct compile *c);
/* compile_gates_smb.c: rules of g->request and g->answer */
void gates_smb(struct compile *c, const struct gates *g);

#endif
