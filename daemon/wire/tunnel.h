/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what is inside a plain tunnel's packet, for captures */
#ifndef WIRE_TUNNEL_H
#define WIRE_TUNNEL_H

#include <stdbool.h>

#include "wire/decode.h"

/* GRE, ERSPAN, NVGRE, IP in IP, VXLAN, Geneve and GTP-U, as mirror feeds bring them.
 *
 * Only for looking at captures (`cordon inspect`).  The kernel judges the outer packet,
 * so `replay` has to as well; and the live sensor must not look inside, as then whoever
 * sends one UDP packet would write sessions between two ends of his choice, have their
 * "client" blocked, and hide what these ends really say to each other. */

/* One step in: *v, decoded (DECODE_OK) as the outer packet, becomes the inner one and
 * *ret_how says how far that could be decoded: DECODE_OK, DECODE_FRAGMENT, or DECODE_SHORT
 * where the capture cut it.  False: it is no tunnel known here, or none with an IP packet
 * in it; nothing is changed then.  What is borrowed stays so. */
bool tunnel_enter(struct pkt_view *v, enum decode *ret_how);

#endif
