/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: live packets through libpcap, never with its defaults */
#include "sensor/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "wire/decode.h"

struct capture {
	pcap_t *pcap;
	char name[IFNAMSIZ + 8];
	int fd, linktype;
	bool nflog;
	uint64_t taken, dropped;
	capture_packet_fn *f;
	void *arg;
};

static char why[PCAP_ERRBUF_SIZE + 64];

/* ---- the filter ---- */

/* A TCP packet opens or ends a connection, carries little (split headers, ACKs that
 * end a handshake), or starts with TPKT, an SMB magic behind its frame header, or a
 * NetBIOS session request, or an answer that holds the names too (a byte of a stream's
 * start that is not seen hides what comes behind it); or with what is left of the magic
 * where the packet before ended in it; or it is a request of DCE/RPC, which guards look
 * at (C706 12.6.3.1: version 5.0, type 0).  A load behind the packet's end rejects the
 * packet, so the length is asked first. */
/* clang-format off */
#define STARTS(load) \
		 " or " load(0, 2) " = 0x0300" \
		 " or " load(4, 4) " & 0xffffff = 0x534d42" \
		 " or " load(0, 4) " & 0xfcffffff = 0x80000044" \
		 " or " load(0, 4) " & 0xffffff00 = 0x534d4200" \
		 " or " load(0, 2) " = 0x4d42" \
		 " or " load(0, 4) " = 0x42720000" \
		 " or " load(0, 4) " & 0xffffff00 = 0x42400000" \
		 " or " load(0, 4) " & 0xffffff00 = 0x05000000"
#define V4_DATA  "((tcp[12] & 0xf0) >> 2)"
#define V4_LOAD(at, n) "tcp[" V4_DATA " + " #at ":" #n "]"
#define V4       "(ip and tcp and (tcp[13] & 7 != 0" \
		 " or ip[2:2] - ((ip[0] & 0xf) << 2) - " V4_DATA " <= 64" STARTS(V4_LOAD) "))"
#define V4_FRAGS "(ip and ip[9] = 6 and ip[6:2] & 0x3fff != 0)"
#define V6_DATA  "40 + ((ip6[52] & 0xf0) >> 2)"
#define V6_LOAD(at, n) "ip6[" V6_DATA " + " #at ":" #n "]"
#define V6       "(ip6 and ip6[6] = 6 and (ip6[53] & 7 != 0" \
		 " or ip6[4:2] - ((ip6[52] & 0xf0) >> 2) <= 64" STARTS(V6_LOAD) "))"
/* Behind extension headers anything may stand: hop-by-hop, routing, fragment,
 * destination options. */
#define V6_EXT   "(ip6 and (ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 60))"
#define ANY      "(" V4 " or " V4_FRAGS " or " V6 " or " V6_EXT ")"
/* clang-format on */

/* `vlan` shifts all that stands behind it: no tag, one, two (QinQ). */
const char *capture_filter(bool with_vlans)
{
	return with_vlans ? ANY " or (vlan and (" ANY " or (vlan and " ANY ")))" : ANY;
}

static int set_filter(struct capture *c)
{
	struct bpf_program prog;
	int rc = -1;

	/* A link without Ethernet headers knows no tags. */
	if (pcap_compile(
		c->pcap, &prog, capture_filter(true), 1, PCAP_NETMASK_UNKNOWN) < 0 &&
	    pcap_compile(
		c->pcap, &prog, capture_filter(false), 1, PCAP_NETMASK_UNKNOWN) < 0)
		return -1;
	rc = pcap_setfilter(c->pcap, &prog);
	pcap_freecode(&prog);
	return rc;
}

static int lock_filter(const struct capture *c)
{
	int one = 1;

	return setsockopt(c->fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof(one));
}

/* ---- opening ---- */

static const char *because(const struct capture *c, const char *what)
{
	snprintf(why, sizeof(why), "%s: %s", what, pcap_geterr(c->pcap));
	return why;
}

static struct capture *fail(struct capture *c, const char *what, const char **ret_why)
{
	*ret_why = c && c->pcap ? because(c, what) : what;
	capture_close(c);
	return NULL;
}

static struct capture *create(
    const char *device, const char *name, const char **ret_why)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (!c)
		return fail(NULL, "out of memory", ret_why);
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->fd = -1;
	c->pcap = pcap_create(device, why);
	if (!c->pcap)
		return fail(c, why, ret_why);
	return c;
}

/* Whatever else is set has to be set before. */
static int activate(struct capture *c)
{
	char err[PCAP_ERRBUF_SIZE];
	int rc = pcap_activate(c->pcap);

	if (rc < 0)
		return -1;
	if (rc > 0)
		log_info("capture", "%s: %s", c->name, pcap_statustostr(rc));
	if (pcap_setnonblock(c->pcap, 1, err) < 0)
		return -1;
	c->linktype = pcap_datalink(c->pcap);
	c->fd = pcap_get_selectable_fd(c->pcap);
	return c->fd < 0 ? -1 : 0;
}

struct capture *capture_open(const char *iface, unsigned share, const char **ret_why)
{
	struct capture *c = create(iface, iface, ret_why);
	int ring = CAPTURE_RING / (int)(share ? share : 1);

	if (!c)
		return NULL;
	if (ring < CAPTURE_RING_MIN)
		ring = CAPTURE_RING_MIN;
	if (pcap_set_snaplen(c->pcap, CAPTURE_SNAPLEN) != 0 ||
	    pcap_set_promisc(c->pcap, 1) != 0 ||
	    pcap_set_immediate_mode(c->pcap, 1) != 0 ||
	    pcap_set_timeout(c->pcap, 1) != 0 ||
	    pcap_set_buffer_size(c->pcap, ring) != 0 || activate(c) < 0)
		return fail(c, "can't capture", ret_why);
	if (set_filter(c) < 0 || lock_filter(c) < 0)
		return fail(c, "can't set and lock the filter", ret_why);
	return c;
}

/* ---- nflog ---- */

static void put_attr(struct nlmsghdr *h, uint16_t type, const void *data, uint16_t len)
{
	struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
	char *at = (char *)h + NLMSG_ALIGN(h->nlmsg_len);

	memcpy(at, &a, sizeof(a));
	memcpy(at + NLA_HDRLEN, data, len);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + NLA_ALIGN(a.nla_len);
}

/* What libpcap does not set: hand up each packet at once (qthresh 1; the timeout of
 * the rest is in 1/100 s), and no more of it than is looked at.  Its receive buffer is
 * the snap length + 128, too small for our prefix, hence the two different lengths. */
static int tune_group(int fd, uint16_t group)
{
	union {
		struct nlmsghdr h;
		char space[128];
	} m;
	struct nfgenmsg g = {.version = NFNETLINK_V0, .res_id = htons(group)};
	struct nfulnl_msg_config_mode mode = {
	    htonl(CAPTURE_SNAPLEN), NFULNL_COPY_PACKET, 0};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	uint32_t one = htonl(1);
	uint16_t number = htons(NFULNL_CFG_F_SEQ); /* each packet: losses show */

	memset(&m, 0, sizeof(m));
	m.h.nlmsg_len = NLMSG_LENGTH(sizeof(g));
	m.h.nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	m.h.nlmsg_flags = NLM_F_REQUEST;
	memcpy(NLMSG_DATA(&m.h), &g, sizeof(g));
	put_attr(&m.h, NFULA_CFG_MODE, &mode, sizeof(mode));
	put_attr(&m.h, NFULA_CFG_QTHRESH, &one, sizeof(one));
	put_attr(&m.h, NFULA_CFG_TIMEOUT, &one, sizeof(one));
	put_attr(&m.h, NFULA_CFG_FLAGS, &number, sizeof(number));
	return sendto(fd, &m, m.h.nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0
		   ? -1
		   : 0;
}

struct capture *capture_open_nflog(uint16_t group, const char **ret_why)
{
	char device[32];
	struct capture *c;
	int size = CAPTURE_NFLOG_BUF;

	snprintf(device, sizeof(device), "nflog:%u,%u", group, group + 1u);
	c = create(device, "nflog", ret_why);
	if (!c)
		return NULL;
	c->nflog = true;
	if (pcap_set_snaplen(c->pcap, UINT16_MAX) != 0 ||
	    pcap_set_immediate_mode(c->pcap, 1) != 0 ||
	    pcap_set_timeout(c->pcap, 1) != 0 || activate(c) < 0)
		return fail(c, "can't read the kernel's log", ret_why);
	if (c->linktype != DLT_NFLOG)
		return fail(c, "not an nflog handle", ret_why);
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 &&
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
		log_warn("capture", "nflog: receive buffer");
	if (tune_group(c->fd, group) < 0 ||
	    tune_group(c->fd, (uint16_t)(group + 1)) < 0 || lock_filter(c) < 0)
		return fail(c, "can't set up the nflog groups", ret_why);
	return c;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	if (c->pcap)
		pcap_close(c->pcap);
	free(c);
}

/* ---- reading ---- */

const char *capture_name(const struct capture *c)
{
	return c->name;
}

bool capture_is_nflog(const struct capture *c)
{
	return c->nflog;
}

int capture_fd(const struct capture *c)
{
	return c->fd;
}

static void on_packet(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
	struct capture *c = (struct capture *)(void *)user;
	struct pkt_in pkt = {
	    .linktype = c->linktype,
	    .ts_us = (int64_t)h->ts.tv_sec * 1000000 + h->ts.tv_usec,
	    .caplen = h->caplen,
	    .len = h->len,
	    .bytes = bytes,
	};

	c->taken++;
	c->f(c->arg, c, &pkt);
}

int capture_read(
    struct capture *c, capture_packet_fn *f, void *arg, const char **ret_why)
{
	int n;

	c->f = f;
	c->arg = arg;
	errno = 0;
	n = pcap_dispatch(c->pcap, CAPTURE_BATCH, on_packet, (u_char *)c);
	if (n >= 0)
		return n;
	/* An empty nflog socket is an error to libpcap. */
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
		return 0;
	/* A link that goes down comes up again on the same handle. */
	if (errno == ENETDOWN || strstr(pcap_geterr(c->pcap), "went down")) {
		log_info("capture", "%s: the link is down", c->name);
		return 0;
	}
	*ret_why = because(c, c->name);
	return -1;
}

/* pcap_stats() of an interface opens files below /sys, which the sensor may not: ask
 * the socket.  Asking sets its counts to zero. */
void capture_count(struct capture *c, uint64_t *packets, uint64_t *dropped)
{
	struct tpacket_stats now;
	struct pcap_stat st;
	socklen_t len = sizeof(now);

	if (c->nflog && pcap_stats(c->pcap, &st) == 0)
		c->dropped = st.ps_drop;
	else if (!c->nflog &&
		 getsockopt(c->fd, SOL_PACKET, PACKET_STATISTICS, &now, &len) == 0)
		c->dropped += now.tp_drops;
	*packets += c->taken;
	*dropped += c->dropped;
}
