/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a forwarded packet costs, through several gateways turn by turn */
#include "bench.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/socket.h>

/* A veth hands its frame over within the call that sends it: so the CPU time of the calls
 * is that of the packets, sender and the far end's drop included.  forward.sh makes the
 * networks with these addresses; the next hop's is nobody's, which drops them there. */
static const uint8_t gw_wan[6] = { 2, 0, 0, 0, 0, 3 }, pc_mac[6] = { 2, 0, 0, 0, 0, 4 },
		     gw_lan[6] = { 2, 0, 0, 0, 0, 1 }, db_mac[6] = { 2, 0, 0, 0, 0, 2 };

enum { GATEWAYS_MAX = 8, PORT = 8080, DATA = 64, LARGE = 1400, OLD = 10000, NEW = 2000 };
enum mode { UDP_OLD, UDP_LARGE, UDP_NEW, TCP_OLD, TCP_LARGE, TCP_ANSWER, TCP_NEW, MODES };
static const struct {
	const char *name;
	uint8_t proto;
	bool new, back;
	size_t data;
} mode_row[MODES] = {
	[UDP_OLD] = { "UDP, established", IPPROTO_UDP, false, false, DATA },
	[UDP_LARGE] = { "UDP, established, 1400 bytes", IPPROTO_UDP, false, false, LARGE },
	[UDP_NEW] = { "UDP, new flow each", IPPROTO_UDP, true, false, DATA },
	[TCP_OLD] = { "TCP data, established", IPPROTO_TCP, false, false, DATA },
	[TCP_LARGE] = { "TCP data, established, 1400 bytes", IPPROTO_TCP, false, false, LARGE },
	[TCP_ANSWER] = { "TCP data, the host's", IPPROTO_TCP, false, true, DATA },
	[TCP_NEW] = { "TCP SYN, new each", IPPROTO_TCP, true, false, 0 },
};

struct gateway {
	const char *name;
	int wan, lan;
	uint16_t next; /* source port of the next new flow */
	struct sample of[MODES];
};

static uint32_t client, server;

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint16_t sum(const void *data, size_t len, uint32_t s)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < len; i++)
		s += i % 2 == 0 ? (uint32_t)at[i] << 8 : at[i];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

/* One frame of so many bytes of data. */
static size_t frame(uint8_t *buf, bool back, uint8_t proto, uint16_t port, uint8_t flags,
    uint32_t seq, size_t data)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = proto,
		.saddr = back ? server : client, .daddr = back ? client : server };
	struct tcphdr tcp = { .source = htons(back ? PORT : port),
		.dest = htons(back ? port : PORT), .seq = htonl(seq),
		.ack_seq = htonl(back ? 1001 : 7001), .doff = 5, .window = htons(60000) };
	struct udphdr udp = { .source = htons(port), .dest = htons(PORT),
		.len = htons((uint16_t)(sizeof(udp) + data)) };
	size_t head = proto == IPPROTO_TCP ? sizeof(tcp) : sizeof(udp);

	((uint8_t *)&tcp)[13] = flags;
	ip.tot_len = htons((uint16_t)(sizeof(ip) + head + data));
	ip.check = sum(&ip, sizeof(ip), 0);
	memcpy(buf, back ? gw_lan : gw_wan, 6);
	memcpy(buf + 6, back ? db_mac : pc_mac, 6);
	buf[12] = 8;
	buf[13] = 0;
	memcpy(buf + 14, &ip, sizeof(ip));
	memcpy(buf + 34, proto == IPPROTO_TCP ? (void *)&tcp : (void *)&udp, head);
	memset(buf + 34 + head, 'x', data);
	return 34 + head + data;
}

static void send_one(int fd, const uint8_t *buf, size_t len)
{
	must(send(fd, buf, len, 0) == (ssize_t)len, "sending a frame");
}

/* Handshake, a little data both ways: judged, if it is judged at all. */
static void open_tcp(struct gateway *g)
{
	uint8_t buf[256];

	send_one(g->wan, buf, frame(buf, false, IPPROTO_TCP, 20000, TH_SYN, 1000, 0));
	send_one(g->lan, buf,
	    frame(buf, true, IPPROTO_TCP, 20000, TH_SYN | TH_ACK, 7000, 0));
	for (int i = 0; i < 4; i++) {
		send_one(g->wan, buf,
		    frame(buf, false, IPPROTO_TCP, 20000, TH_ACK, 1001 + DATA * (uint32_t)i, DATA));
		send_one(g->lan, buf,
		    frame(buf, true, IPPROTO_TCP, 20000, TH_ACK, 7001 + DATA * (uint32_t)i, DATA));
	}
}

static void measure(struct gateway *g, enum mode m)
{
	const bool is_new = mode_row[m].new, back = mode_row[m].back;
	const int n = is_new ? NEW : OLD, from = back ? g->lan : g->wan;
	uint8_t buf[54 + LARGE];
	size_t len = frame(buf, back, mode_row[m].proto, 20000, m == TCP_NEW ? TH_SYN : TH_ACK,
	    (back ? 7001 : 1001) + DATA, mode_row[m].data);
	double start;

	for (int i = 0; i < 200 && !is_new; i++) /* warm */
		send_one(from, buf, len);
	start = cpu_ns();
	for (int i = 0; i < n; i++) {
		if (is_new) {
			if (++g->next < 21000)
				g->next = 21000;
			buf[34] = (uint8_t)(g->next >> 8);
			buf[35] = (uint8_t)g->next;
		}
		send_one(from, buf, len);
	}
	/* as nanoseconds in the place of milliseconds: sample_row() is not used */
	sample_add(&g->of[m], (cpu_ns() - start) / n);
}

static int socket_in(const char *pid, const char *iface)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET };
	char path[64];
	int ns, fd, on = 1;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	must(ns != -1 && setns(ns, CLONE_NEWNET) == 0, path);
	close(ns);
	fd = socket(AF_PACKET, SOCK_RAW, 0); /* receives nothing */
	a.sll_ifindex = (int)if_nametoindex(iface);
	must(fd != -1 && a.sll_ifindex > 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
		 setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) == 0,
	    iface);
	return fd;
}

static void report(struct gateway *g, int n)
{
	for (int m = 0; m < MODES; m++) {
		double base = sample_at(&g[0].of[m], 0.5);

		printf("  %s\n", mode_row[m].name);
		for (int i = 0; i < n; i++) {
			double median = sample_at(&g[i].of[m], 0.5);

			printf("    %-28s %7.0f ns  (%.0f .. %.0f, n %d)  %.2fx\n", g[i].name,
			    median, g[i].of[m].ms[0], g[i].of[m].ms[g[i].of[m].n - 1],
			    g[i].of[m].n, median / base);
		}
	}
}

int main(int argc, char **argv)
{
	static struct gateway g[GATEWAYS_MAX];
	int rounds = argc > 3 ? atoi(argv[1]) : 0, n = (argc - 4) / 3;

	if (rounds < 1 || rounds > BENCH_ROUNDS_MAX || n < 1 || n > GATEWAYS_MAX ||
	    argc != 4 + 3 * n || inet_pton(AF_INET, argv[2], &client) != 1 ||
	    inet_pton(AF_INET, argv[3], &server) != 1) {
		fprintf(stderr, "usage: bench_packet ROUNDS CLIENT HOST "
				"{NAME PID-OF-CLIENT PID-OF-HOST}...\n");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		g[i].name = argv[4 + 3 * i];
		g[i].wan = socket_in(argv[5 + 3 * i], "eth0");
		g[i].lan = socket_in(argv[6 + 3 * i], "eth0");
		for (int m = 0; m < MODES; m++)
			g[i].of[m].what = g[i].name;
		open_tcp(&g[i]);
	}
	for (int round = 0; round < rounds; round++)
		for (int m = 0; m < MODES; m++)
			for (int i = 0; i < n; i++)
				measure(&g[(i + round) % n], (enum mode)m);
	report(g, n);
	return 0;
}
