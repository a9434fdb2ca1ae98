/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: live packets: AF_PACKET interfaces and nflog groups, through libpcap */
#ifndef CORDON_SENSOR_CAPTURE_H
#define CORDON_SENSOR_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

struct pkt_in;
struct capture;

enum {
	CAPTURE_SNAPLEN = 1600,      /* bytes kept of a packet; frames may have 65 KB */
	CAPTURE_RING = 64 << 20,     /* bytes of ring, all interfaces together */
	CAPTURE_RING_MIN = 4 << 20,  /* of one interface */
	CAPTURE_NFLOG_BUF = 16 << 20,/* of the nflog socket */
	CAPTURE_BATCH = 64,          /* packets taken in one turn of the loop */
};

/* What a packet of an interface has to be for the kernel to hand it up: names no
 * address and no port.  Exported for tests. */
const char *capture_filter(bool with_vlans);

/* Open with the filter locked, non-blocking, immediate; share: how many interfaces
 * the ring is for.  NULL: *ret_why (static or libpcap's text, valid until the next
 * open) says why. */
struct capture *capture_open(const char *iface, unsigned share, const char **ret_why);
/* Groups `group` and group + 1 as one handle, each packet handed up at once. */
struct capture *capture_open_nflog(uint16_t group, const char **ret_why);
void capture_close(struct capture *c);

const char *capture_name(const struct capture *c);
bool capture_is_nflog(const struct capture *c);
/* Readable when there are packets. */
int capture_fd(const struct capture *c);

/* Take up to CAPTURE_BATCH packets; pkt is valid during the call.  Number taken, or
 * -1: the handle is broken for good (the interface is gone), *ret_why as above. */
typedef void capture_packet_fn(void *arg, const struct capture *c,
    const struct pkt_in *pkt);
int capture_read(struct capture *c, capture_packet_fn *f, void *arg, const char **ret_why);

/* Add the packets taken and those the kernel had no room for, since the opening. */
void capture_count(struct capture *c, uint64_t *packets, uint64_t *dropped);

#endif
