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

/* A veth hands its frame over within the call that sends it: so the time of the calls is
 * that of the packets, sender and the far end's drop included.  forward.sh makes the
 * networks with these addresses; the next hop's is nobody's, which drops them there. */
static const uint8_t gw_wan[6] = { 2, 0, 0, 0, 0, 3 }, pc_mac[6] = { 2, 0, 0, 0, 0, 4 },
		     gw_lan[6] = { 2, 0, 0, 0, 0, 1 }, db_mac[6] = { 2, 0, 0, 0, 0, 2 };

enum { GATEWAYS_MAX = 8, PORT = 8080, DATA = 64, OLD = 20000, NEW = 2000 };
enum mode { UDP_OLD, UDP_NEW, TCP_OLD, TCP_NEW, MODES };
static const char *const mode_name[MODES] = { "UDP, established", "UDP, new flow each",
	"TCP data, established", "TCP SYN, new each" };

struct gateway {
	const char *name;
	int wan, lan;
	uint16_t next; /* source port of the next new flow */
	struct sample of[MODES];
};

static uint32_t client, server;

static uint16_t sum(const void *data, size_t len, uint32_t s)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < len; i++)
		s += i % 2 == 0 ? (uint32_t)at[i] << 8 : at[i];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

/* One frame of DATA bytes, or of none where flags has SYN. */
static size_t frame(uint8_t *buf, bool back, uint8_t proto, uint16_t port, uint8_t flags,
    uint32_t seq)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = proto,
		.saddr = back ? server : client, .daddr = back ? client : server };
	struct tcphdr tcp = { .source = htons(back ? PORT : port),
		.dest = htons(back ? port : PORT), .seq = htonl(seq),
		.ack_seq = htonl(back ? 1001 : 7001), .doff = 5, .window = htons(60000) };
	struct udphdr udp = { .source = htons(port), .dest = htons(PORT),
		.len = htons(sizeof(udp) + DATA) };
	size_t data = flags & TH_SYN ? 0 : DATA;
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

	send_one(g->wan, buf, frame(buf, false, IPPROTO_TCP, 20000, TH_SYN, 1000));
	send_one(g->lan, buf, frame(buf, true, IPPROTO_TCP, 20000, TH_SYN | TH_ACK, 7000));
	for (int i = 0; i < 4; i++) {
		send_one(g->wan, buf,
		    frame(buf, false, IPPROTO_TCP, 20000, TH_ACK, 1001 + DATA * (uint32_t)i));
		send_one(g->lan, buf,
		    frame(buf, true, IPPROTO_TCP, 20000, TH_ACK, 7001 + DATA * (uint32_t)i));
	}
}

static void measure(struct gateway *g, enum mode m)
{
	const bool is_new = m == UDP_NEW || m == TCP_NEW;
	const uint8_t proto = m == UDP_OLD || m == UDP_NEW ? IPPROTO_UDP : IPPROTO_TCP;
	const int n = is_new ? NEW : OLD;
	uint8_t buf[256];
	size_t len = frame(buf, false, proto, 20000, m == TCP_NEW ? TH_SYN : TH_ACK, 1001 + DATA);
	double start;

	for (int i = 0; i < 200 && !is_new; i++) /* warm */
		send_one(g->wan, buf, len);
	start = bench_ms();
	for (int i = 0; i < n; i++) {
		if (is_new) {
			if (++g->next < 21000)
				g->next = 21000;
			buf[34] = (uint8_t)(g->next >> 8);
			buf[35] = (uint8_t)g->next;
		}
		send_one(g->wan, buf, len);
	}
	/* as nanoseconds in the place of milliseconds: sample_row() is not used */
	sample_add(&g->of[m], (bench_ms() - start) * 1e6 / n);
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

		printf("  %s\n", mode_name[m]);
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
