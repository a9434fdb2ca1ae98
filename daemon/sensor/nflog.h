/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the kernel says about a packet it logged */
#ifndef CORDON_SENSOR_NFLOG_H
#define CORDON_SENSOR_NFLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "priv/msg.h"

struct pkt_view;

/* A log prefix of the compiled rules: "cordon KIND gGENERATION [DETAIL]". */
struct nflog_prefix {
	bool copy; /* KIND is `copy`: a packet to look at, no decision */
	enum sighting_kind kind; /* where it is no copy */
	uint32_t generation;
	char detail[MSG_DETAIL_LEN]; /* a guard id, "smb", "rdp", or "" */
};

/* Parse prefix[0..len) (without its NUL).  False: not one of ours, or damaged; *ret
 * untouched. */
bool nflog_parse(const uint8_t *prefix, size_t len, struct nflog_prefix *ret);

/* Whether a packet logged so is proof that its sender receives our answers:
 * conntrack had seen both sides before the rule could match. */
bool nflog_established(const struct nflog_prefix *p);

/* The sighting of a decoded packet.  ts_us: capture time.  iface and facts stay
 * empty.  False: it holds no addresses. */
bool nflog_sighting(const struct nflog_prefix *p, const struct pkt_view *v, int64_t ts_us,
    struct msg_sighting *ret);

#endif
