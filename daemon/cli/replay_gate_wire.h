/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: openings and requests of SMB and RDP in one packet, as the kernel's rules tell them */
#ifndef CORDON_CLI_REPLAY_GATE_WIRE_H
#define CORDON_CLI_REPLAY_GATE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

/* The payload of a packet: n bytes, of which the capture has `have`.  As in the kernel
 * what lies beyond the end never matches. */
struct data {
	const uint8_t *p;
	uint32_t have, n;
};

bool data_is(const struct data *d, uint32_t at, const char *bytes, uint32_t len);
bool data_bit(const struct data *d, uint32_t at, unsigned bit);

/* A frame of SMB of which the first `cut` bytes came before; a NetBIOS session request
 * (RFC 1002 4.3.2); NEGOTIATE of SMB2 or its answer (MS-SMB2 2.2.3, 2.2.4). */
bool data_smb(const struct data *d, uint32_t cut);
bool data_netbios(const struct data *d);
bool data_smb2_negotiate(const struct data *d);
/* TPKT, X.224 connection request of class 0 (MS-RDPBCGR 2.2.1.1), whatever its length. */
bool data_rdp_request(const struct data *d);

/* What a connection may open with (rules/compile_openings.c), by fs_dir of the side that
 * says so; a side that is not protected grants all. */
struct opening {
	uint8_t grants[2]; /* fs_proto_bit */
	/* of the sender's and the receiver's end of the packet at hand: */
	bool ours[2], observed[2];
	bool short_ok[2];
	bool fresh;        /* there is something to judge */
	bool picked;       /* its SYN was not seen: either end may be the client */
	bool judged;       /* its opening was found, or none can come any more */
	uint8_t seen;      /* packets with other data before it, at most SEEN_ENOUGH */
	uint8_t condemned; /* fs_proto_bit: what it spoke where that is not granted */
};
enum { SEEN_ENOUGH = 3 };

enum opening_verdict { OPENING_PASSES, OPENING_DROPS, OPENING_CONDEMNS };

/* One packet that has data; reply: conntrack's direction.  What is judged is asked only
 * for data in another SYN. */
enum opening_verdict opening_packet(struct opening *o, const struct data *d, bool reply);
/* What a packet without a connection opens: fs_proto_bit or 0. */
uint8_t opening_of_stray(const struct data *d);

#endif
