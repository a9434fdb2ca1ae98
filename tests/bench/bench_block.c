/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: from a packet that speaks SMB or RDP to its source's block in the kernel */
#include "bench.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

/* Both ends of each connection are written here, frame by frame, so that no stack adds
 * its own time.  block.sh makes the interfaces with these addresses. */
static const uint8_t gw_wan[6] = { 2, 0, 0, 0, 0, 3 }, pc_mac[6] = { 2, 0, 0, 0, 0, 4 },
		     gw_lan[6] = { 2, 0, 0, 0, 0, 1 }, db_mac[6] = { 2, 0, 0, 0, 0, 2 },
		     other[6] = { 2, 0, 0, 0, 0, 9 };

enum { SERVER_PORT = 8080, WAIT_MS = 15000, LOST_MAX = 3, PAUSE_US = 10000 };

static const uint8_t smb1[] = { 0, 0, 0, 47, 0xff, 'S', 'M', 'B', 0x72, 0, 0, 0, 0,
	0x18, 0x53, 0xc8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xca, 0,
	0, 0, 0, 0, 12, 0, 2, 'N', 'T', ' ', 'L', 'M', ' ', '0', '.', '1', '2', 0 };
static const uint8_t rdp[] = { 3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0,
	0, 0 };

static struct in_addr server;
static int wan, lan, monitor;

/* ---- frames ---- */

static uint32_t sum16(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)at[i] << 8 : at[i];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

struct frame {
	const uint8_t *from, *to; /* hardware addresses */
	struct in_addr src, dst;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags;
	const uint8_t *data;
	size_t len;
};

static void send_frame(int fd, const struct frame *f)
{
	uint8_t buf[256] = { 0 };
	struct iphdr ip = { .version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = IPPROTO_TCP,
		.saddr = f->src.s_addr,
		.daddr = f->dst.s_addr };
	struct tcphdr tcp = { .source = htons(f->sport),
		.dest = htons(f->dport),
		.seq = htonl(f->seq),
		.ack_seq = htonl(f->ack),
		.doff = 5,
		.window = htons(8192) };
	size_t len = sizeof(ip) + sizeof(tcp) + f->len;
	uint32_t sum;

	((uint8_t *)&tcp)[13] = f->flags;
	ip.tot_len = htons((uint16_t)len);
	ip.check = fold(sum16(&ip, sizeof(ip), 0));
	sum = sum16(&ip.saddr, 8, IPPROTO_TCP + (uint32_t)(sizeof(tcp) + f->len));
	sum = sum16(&tcp, sizeof(tcp), sum);
	tcp.check = fold(f->len > 0 ? sum16(f->data, f->len, sum) : sum);
	memcpy(buf, f->to, 6);
	memcpy(buf + 6, f->from, 6);
	buf[12] = 8;
	memcpy(buf + 14, &ip, sizeof(ip));
	memcpy(buf + 34, &tcp, sizeof(tcp));
	if (f->len > 0)
		memcpy(buf + 54, f->data, f->len);
	must(send(fd, buf, 14 + len, 0) == (ssize_t)(14 + len), "sending a frame");
}

/* ---- what the kernel tells of table inet cordon ---- */

/* The element of set block4 with this key, in one read of messages. */
static bool told(uint8_t *buf, size_t len, struct in_addr src)
{
	struct nlmsghdr *h = (void *)buf;

	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len))
		if (h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM) &&
		    memmem(h, h->nlmsg_len, "block4", 7) != NULL &&
		    memmem(h, h->nlmsg_len, &src, sizeof(src)) != NULL)
			return true;
	return false;
}

static void drain(void)
{
	static uint8_t buf[1 << 16];

	while (recv(monitor, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		;
}

/* The time at which the block was told; 0: it did not come, or messages were lost. */
static double wait_block(struct in_addr src)
{
	static uint8_t buf[1 << 16] __attribute__((aligned(8)));
	double end = bench_ms() + WAIT_MS;

	while (bench_ms() < end) {
		struct pollfd p = { .fd = monitor, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, 100) != 1)
			continue;
		n = recv(monitor, buf, sizeof(buf), 0);
		if (n > 0 && told(buf, (size_t)n, src))
			return bench_ms();
		if (n < 0 && errno == ENOBUFS)
			return 0;
	}
	return 0;
}

/* ---- one sample ---- */

/* Through the gateway: the kernel drops the payload and logs it.  Beside it: only the
 * interface shows the frames, to other hardware addresses than the gateway's. */
static double once(bool beside, unsigned i)
{
	const uint8_t *data = i % 2 == 0 ? smb1 : rdp;
	size_t len = i % 2 == 0 ? sizeof(smb1) : sizeof(rdp);
	struct in_addr src = { htonl(0x0a1e0000u + 256 + i) }; /* 10.30.1.0 on */
	struct frame out = { beside ? db_mac : pc_mac, beside ? other : gw_wan, src,
		server, 20000, SERVER_PORT, 1000, 0, TH_SYN, NULL, 0 };
	struct frame back = { db_mac, beside ? other : gw_lan, server, src, SERVER_PORT,
		20000, 7000, 1001, TH_SYN | TH_ACK, NULL, 0 };
	int fd = beside ? lan : wan;
	double start, end;

	send_frame(fd, &out);
	usleep(1000);
	send_frame(lan, &back);
	usleep(1000);
	out.seq = 1001;
	out.ack = 7001;
	out.flags = TH_ACK;
	send_frame(fd, &out);
	usleep(PAUSE_US);
	drain();
	out.flags = TH_ACK | TH_PUSH;
	out.data = data;
	out.len = len;
	start = bench_ms();
	send_frame(fd, &out);
	end = wait_block(src);
	return end > 0 ? end - start : -1;
}

/* ---- what the machine takes for as many wake-ups, and nothing else ---- */

static int chain_in, chain_out;

static int relay(int from)
{
	int to[2];
	char c;

	must(pipe2(to, O_CLOEXEC) == 0, "a pipe");
	if (fork() == 0) {
		close(to[0]);
		while (read(from, &c, 1) == 1 && write(to[1], &c, 1) == 1)
			;
		_exit(0);
	}
	close(to[1]);
	close(from);
	return to[0];
}

/* A packet wakes the sensor, that the engine, that the enforcer, and the kernel us. */
static void chain_start(void)
{
	int first[2], end;

	must(pipe2(first, O_CLOEXEC) == 0, "a pipe");
	end = first[0];
	for (int i = 0; i < 3; i++)
		end = relay(end);
	chain_in = first[1];
	chain_out = end;
}

static double chain_once(void)
{
	double start = bench_ms();
	char c = 0;

	must(write(chain_in, &c, 1) == 1 && read(chain_out, &c, 1) == 1, "the chain");
	return bench_ms() - start;
}

/* ---- sockets in the two networks ---- */

static void enter(const char *pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd != -1 && setns(fd, CLONE_NEWNET) == 0, path);
	close(fd);
}

static int raw_socket(const char *iface)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW, 0); /* receives nothing */

	a.sll_ifindex = (int)if_nametoindex(iface);
	must(fd != -1 && a.sll_ifindex > 0 &&
		 bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0,
	    iface);
	return fd;
}

static int monitor_socket(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER),
	    group = NFNLGRP_NFTABLES, size = 64 << 20;

	must(fd != -1 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
		 setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		     sizeof(group)) == 0,
	    "listening to nftables");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) == -1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

static void report(struct sample *s, int lost)
{
	double p50, p99, max;

	if (s->n == 0) {
		printf("  %-26s no block came in %d samples\n", s->what, lost);
		return;
	}
	p50 = sample_at(s, 0.5);
	p99 = sample_at(s, 0.99);
	max = sample_at(s, 1);
	printf("  %-26s p50 %8.3f ms  p99 %8.3f ms  max %8.3f ms  (min %.3f, n %d",
	    s->what, p50, p99, max, s->ms[0], s->n);
	if (lost > 0)
		printf(", %d without a block", lost);
	printf(")\n");
}

int main(int argc, char **argv)
{
	static struct sample through = { .what = "nflog path" },
			     aside = { .what = "AF_PACKET path" },
			     bare = { .what = "bare chain of 4 wake-ups" };
	int lost[2] = { 0, 0 };
	unsigned n, first;

	if (argc != 7 || inet_aton(argv[6], &server) == 0) {
		fprintf(stderr,
		    "usage: bench_block SAMPLES FIRST PID-OF-GATEWAY PID-OF-HOST "
		    "PID-OF-CLIENT HOST\n");
		return 2;
	}
	n = (unsigned)atoi(argv[1]);
	first = (unsigned)atoi(argv[2]);
	enter(argv[4]);
	lan = raw_socket("eth0");
	enter(argv[5]);
	wan = raw_socket("eth0");
	enter(argv[3]);
	chain_start(); /* holds the write end of the first pipe: ends with us */
	monitor = monitor_socket();
	for (unsigned i = 0; i < 2 * n && lost[0] + lost[1] <= LOST_MAX; i++) {
		bool beside = i / 2 % 2; /* each path gets both protocols */
		double ms = once(beside, first + i);

		if (ms < 0)
			lost[beside]++;
		else
			sample_add(beside ? &aside : &through, ms);
		usleep(PAUSE_US);
		sample_add(&bare, chain_once());
	}
	report(&aside, lost[1]);
	report(&through, lost[0]);
	report(&bare, 0);
	return lost[0] + lost[1] > LOST_MAX; /* something is wrong with the set-up */
}
