/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: `require:` of one connection, packet by packet, as the kernel's rules hold it */
#ifndef CORDON_CLI_REPLAY_GATE_H
#define CORDON_CLI_REPLAY_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/flowspace.h>

struct data;
struct opening;
struct pkt_view;

/* What the labels of a connection say of it (rules/compile_gates.c): the same states, in
 * the same order.  Zeroed: nothing is required. */
struct gate {
	uint8_t need, held, broken; /* fs_require_bit */
	bool noted;                 /* the server's SYN-ACK named the first byte */
	bool asked, asked_smb;      /* a request has passed; it is one of SMB */
	bool session, smb2_spoken, client_signs, refused;
	bool late;                  /* this packet is a request behind the refusal */
	bool off;                   /* nothing is required any more */
	uint16_t first;             /* low bits of that byte's number */
	uint8_t len;                /* low byte of the request's length */
};

/* Its SYN has passed: what the sides of v ask for, o having their grants. */
void gate_opens(struct gate *s, const struct fs_verdict *v, const struct opening *o);
/* Whether packets are looked at. */
bool gate_holds(const struct gate *s);
/* Whether a FIN or RST of the client now is remembered against it. */
bool gate_shuts(const struct gate *s, const struct pkt_view *v, bool reply);

enum gate_said { GATE_PASSES, GATE_LATE, GATE_CONDEMNS };
/* One packet of it.  *ret_broken: the requirement that condemns, or those of observed
 * sides that it breaks. */
enum gate_said gate_packet(struct gate *s, const struct opening *o, const struct data *d,
    const struct pkt_view *v, bool reply, uint8_t *ret_broken);

/* As in events: "nla-required"; of 0 "opening". */
const char *replay_gate_reason(uint8_t require);

#endif
