/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a segment costs that goes through a gateway made of namespaces
 *
 * bench_forward sink PORT             takes connections and all they send
 * bench_forward send ADDR PORT N      N writes of 64 bytes on a connection; prints the ns
 *                                     of CPU and of time a segment
 * The way through veth, forward and veth is walked in the sender's own system call, so
 * what it is charged for holds the rules' work, and little else of the machine's. */
#include "bench.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

static double cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

static _Noreturn void sink(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, c;
	static char buf[1 << 20];

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 8) == 0, "sink");
	for (;;) {
		must((c = accept(fd, NULL, NULL)) >= 0, "accept");
		/* it answers once: of who only listens nobody knows what is spoken */
		must(read(c, buf, sizeof(buf)) > 0 && write(c, "a first answer", 14) == 14, "answer");
		while (read(c, buf, sizeof(buf)) > 0)
			;
		close(c);
	}
}

static int send_all(const char *addr, uint16_t port, long n)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	static const char data[64] = "neither SMB nor RDP: a line of some other protocol";
	char answer[14];
	struct tcp_info before, after;
	socklen_t len = sizeof(before);
	double cpu, ms, segments;

	must(inet_pton(AF_INET, addr, &a.sin_addr) == 1, addr);
	must(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	must(write(fd, data, sizeof(data)) == sizeof(data) && read(fd, answer, 14) == 14, "ask");
	for (long i = 0; i < 1000; i++) /* the window opens */
		must(write(fd, data, sizeof(data)) == sizeof(data), "write");
	must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &before, &len) == 0, "TCP_INFO");
	cpu = cpu_ns();
	ms = bench_ms();
	for (long i = 0; i < n; i++)
		must(write(fd, data, sizeof(data)) == sizeof(data), "write");
	ms = bench_ms() - ms;
	cpu = cpu_ns() - cpu;
	len = sizeof(after);
	must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &after, &len) == 0, "TCP_INFO");
	segments = (double)(after.tcpi_segs_out - before.tcpi_segs_out);
	printf("%.1f %.1f\n", cpu / segments, ms * 1e6 / segments);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "sink") == 0)
		sink((uint16_t)atoi(argv[2]));
	if (argc == 5 && strcmp(argv[1], "send") == 0)
		return send_all(argv[2], (uint16_t)atoi(argv[3]), atol(argv[4]));
	fprintf(stderr, "usage: bench_forward sink PORT | send ADDR PORT N\n");
	return 2;
}
