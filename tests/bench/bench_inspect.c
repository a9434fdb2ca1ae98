/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a mixed capture, the bare libpcap loop, and the wire under a flood */
#include "bench.h"

#include <pcap/pcap.h>

#include "base/pcapfile.h"
#include "wire/wire.h"

/* bench_inspect gen OUT FLOWS SEED TURNS CAPTURE...
 *	write a capture of that many flows: those of the captures, HTTP, TLS, DNS, random;
 *	all but the first and DNS of 2 to TURNS + 1 segments of data
 * bench_inspect read FILE
 *	only read it, as libpcap's users do
 * bench_inspect flood FLOWS ROUNDS
 *	ns a packet of wire, quiet and flooded
 */

enum { LIVE = 4096, TURNS_MAX = 64, TEMPLATES_MAX = 64, SEGMENT = 1448, FRAME = 1600 };

static uint64_t state;
static uint32_t turns_most;

static uint64_t rnd(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(rnd() >> 33) % n;
}

/* ---- what is said: turns of a template, or generated ---- */

struct turn {
	bool by_server;
	uint16_t len;
	uint8_t bytes[SEGMENT];
};
struct template {
	uint32_t n;
	struct turn turn[TURNS_MAX];
};
static struct template *template;
static uint32_t templates;

struct heard { /* a TCP connection of a capture */
	struct netaddr client;
	uint16_t cport, sport;
	struct template *t;
};

static struct heard *heard_of(struct heard *h, uint32_t *n, const struct pkt_view *v)
{
	for (uint32_t i = 0; i < *n; i++)
		if ((h[i].cport == v->sport && h[i].sport == v->dport) ||
		    (h[i].cport == v->dport && h[i].sport == v->sport))
			return &h[i];
	if (*n == TEMPLATES_MAX || templates == TEMPLATES_MAX ||
	    (v->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return NULL;
	h[*n] = (struct heard){ v->src, v->sport, v->dport, &template[templates++] };
	return &h[(*n)++];
}

static void learn(const char *path)
{
	char err[PCAPFILE_ERRLEN];
	struct pcapfile *f = pcapfile_open(path, err);
	struct heard heard[TEMPLATES_MAX];
	uint32_t n = 0;
	struct pkt_in in;

	must(f != NULL, path);
	while (pcapfile_next(f, &in) == 1) {
		struct pkt_view v;
		struct heard *h;
		struct turn *t;

		if (decode_packet(&in, &v) != DECODE_OK || v.proto != 6 ||
		    (h = heard_of(heard, &n, &v)) == NULL || v.payload_len == 0 ||
		    h->t->n == TURNS_MAX)
			continue;
		t = &h->t->turn[h->t->n++];
		t->by_server = v.sport != h->cport || netaddr_cmp(&v.src, &h->client) != 0;
		t->len = (uint16_t)(v.payload_len > SEGMENT ? SEGMENT : v.payload_len);
		memcpy(t->bytes, v.payload, t->len);
	}
	pcapfile_close(f);
}

static void noise(uint8_t *b, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t r = rnd();

		memcpy(b + i, &r, 8);
	}
}

/* ---- flows under way ---- */

enum kind { LEARNED, HTTP, TLS, RANDOM, DNS };
struct live {
	enum kind kind;
	bool v6, vlan;
	uint32_t src, dst, at, turns, seq[2];
	uint16_t sport, dport;
	const struct template *t;
};

static void begin(struct live *f)
{
	uint32_t dice = below(100);

	memset(f, 0, sizeof(*f));
	f->kind = dice < 10 ? LEARNED : dice < 40 ? HTTP : dice < 72 ? TLS :
	    dice < 82	    ? RANDOM
			    : DNS;
	f->v6 = below(5) == 0;
	f->vlan = below(10) == 0;
	f->src = (uint32_t)rnd();
	f->dst = below(2000);
	f->sport = (uint16_t)(1024 + below(64000));
	f->seq[0] = (uint32_t)rnd();
	f->seq[1] = (uint32_t)rnd();
	f->dport = f->kind == HTTP ? 80 : f->kind == TLS ? 443 : f->kind == DNS ? 53 :
									(uint16_t)(1 + below(9999));
	f->t = templates ? &template[below(templates)] : NULL;
	if (f->kind == LEARNED && !f->t)
		f->kind = RANDOM;
	f->turns = f->kind == LEARNED ? f->t->n : f->kind == DNS ? 2 : 2 + below(turns_most);
}

/* Payload of turn i; each flow of a kind begins as that kind does. */
static uint32_t say(const struct live *f, uint32_t i, bool *ret_server, uint8_t *b)
{
	static const char get[] = "GET /status HTTP/1.1\r\nHost: intranet\r\nUser-Agent: x\r\n\r\n";
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
	uint32_t len = below(3) ? SEGMENT : 40 + below(900);

	*ret_server = i > 0 && below(8);
	if (f->kind == LEARNED) {
		*ret_server = f->t->turn[i].by_server;
		memcpy(b, f->t->turn[i].bytes, f->t->turn[i].len);
		return f->t->turn[i].len;
	}
	if (f->kind == DNS) {
		*ret_server = i == 1;
		len = 40 + below(60);
	} else if (i == 0 && f->kind != RANDOM) {
		len = 300;
	}
	noise(b, len);
	if (f->kind == HTTP && i == 0)
		memcpy(b, get, sizeof(get) - 1);
	else if (f->kind == HTTP && i == 1)
		memcpy(b, ok, sizeof(ok) - 1);
	else if (f->kind == TLS)
		memcpy(b, i < 2 ? "\x16\x03\x01\x01\x20\x01" : "\x17\x03\x03\x05\xa0\x33", 6);
	return len;
}

static uint8_t *put16(uint8_t *p, uint32_t n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t n)
{
	return put16(put16(p, n >> 16), n & 0xffff);
}

static uint8_t *put_ip(uint8_t *p, const struct live *f, bool back, uint8_t proto, uint32_t len)
{
	uint32_t c = f->src, s = 0x0a140000 + f->dst;

	if (!f->v6) {
		p = put32(put16(put16(p, 0x4500), 20 + len), 0x00004000);
		p = put32(p, 0x40000000u | (uint32_t)proto << 16);
		return put32(put32(p, back ? s : c), back ? c : s);
	}
	p = put16(put32(p, 0x60000000), len);
	*p++ = proto;
	*p++ = 64;
	for (int end = 0; end < 2; end++) {
		p = put32(put32(put32(p, 0xfd000020), 0), 0);
		p = put32(p, (end == 0) == back ? s : c);
	}
	return p;
}

static uint32_t put_frame(uint8_t *frame, struct live *f, bool back, uint8_t flags,
    const uint8_t *data, uint32_t len)
{
	bool udp = f->kind == DNS;
	uint8_t *p = frame;

	memset(p, 2, 12);
	p += 12;
	if (f->vlan)
		p = put16(put16(p, 0x8100), 8);
	p = put16(p, f->v6 ? 0x86dd : 0x0800);
	p = put_ip(p, f, back, udp ? 17 : 6, len + (udp ? 8 : 20));
	p = put16(put16(p, back ? f->dport : f->sport), back ? f->sport : f->dport);
	if (udp) {
		p = put16(put16(p, 8 + len), 0);
	} else {
		p = put32(put32(p, f->seq[back]), flags & TCP_ACK ? f->seq[!back] : 0);
		p = put32(put16(put16(p, 0x5000u | flags), 0xfaf0), 0);
	}
	if (len)
		memcpy(p, data, len);
	f->seq[back] += len + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
	return (uint32_t)(p - frame) + len;
}

/* The next packet: handshake, turns with an acknowledgment after each, both FINs.
 * false: that was the last. */
static bool advance(struct live *f, uint8_t *frame, uint32_t *ret_len)
{
	static const uint8_t hand[] = { TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK };
	uint8_t data[SEGMENT + 8];
	uint32_t i = f->at++, len;
	bool back;

	if (f->kind == DNS) {
		len = say(f, i, &back, data);
		*ret_len = put_frame(frame, f, back, 0, data, len);
		return f->at < f->turns;
	}
	if (i < 3) {
		*ret_len = put_frame(frame, f, i == 1, hand[i], NULL, 0);
		return true;
	}
	i -= 3;
	if (i >= 2 * f->turns) {
		*ret_len = put_frame(frame, f, i & 1, TCP_FIN | TCP_ACK, NULL, 0);
		return i == 2 * f->turns;
	}
	if (i & 1) { /* whoever did not speak; either tells the same */
		*ret_len = put_frame(frame, f, i & 2, TCP_ACK, NULL, 0);
		return true;
	}
	len = say(f, i / 2, &back, data);
	*ret_len = put_frame(frame, f, back, TCP_ACK | TCP_PSH, data, len);
	return true;
}

static int gen(const char *out, uint32_t flows)
{
	static struct live live[LIVE];
	uint32_t begun = 0, running = 0, len = 0, at;
	pcap_t *p = pcap_open_dead(1, 65535);
	pcap_dumper_t *d = p ? pcap_dump_open(p, out) : NULL;
	struct pcap_pkthdr h = { .ts = { .tv_sec = 1700000000 } };
	uint8_t frame[FRAME];
	uint64_t packets = 0;

	must(d != NULL, out);
	while (running < LIVE && begun < flows) {
		begin(&live[running++]);
		begun++;
	}
	while (running) {
		at = below(running);
		if (!advance(&live[at], frame, &len)) {
			if (begun < flows) {
				begin(&live[at]);
				begun++;
			} else {
				live[at] = live[--running];
			}
		}
		h.ts.tv_usec += 7;
		if (h.ts.tv_usec >= 1000000) {
			h.ts.tv_sec++;
			h.ts.tv_usec = 0;
		}
		h.caplen = h.len = len;
		pcap_dump((u_char *)d, &h, frame);
		packets++;
	}
	must(pcap_dump_flush(d) == 0, "writing");
	pcap_dump_close(d);
	pcap_close(p);
	printf("%llu %u\n", (unsigned long long)packets, begun);
	return 0;
}

static int bare(const char *path)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, err);
	struct pcap_pkthdr *h;
	const u_char *bytes;
	uint64_t n = 0, sum = 0;

	must(p != NULL, path);
	while (pcap_next_ex(p, &h, &bytes) == 1) {
		n++;
		sum += h->caplen;
	}
	pcap_close(p);
	printf("%llu %llu\n", (unsigned long long)n, (unsigned long long)sum);
	return 0;
}

/* ---- a flood of one segment each ---- */

static double feed(struct wire *w, uint32_t flows, uint64_t kinds, uint64_t seed)
{
	static uint8_t frames[1024][FRAME];
	static uint32_t lens[1024];
	uint8_t data[64] = "x first segment, and never another one of this flow";
	double ms = 0, from;
	struct sighting s;

	state = seed;
	for (uint32_t done = 0; done < flows; done += 1024) {
		for (int i = 0; i < 1024; i++) {
			struct live f;

			begin(&f);
			f.kind = HTTP;
			f.v6 = f.vlan = false;
			f.src = (uint32_t)(rnd() % kinds); /* few of them: known flows */
			f.sport = 4000;
			f.dst = 1;
			f.dport = 80;
			f.seq[0] = 7;
			lens[i] = put_frame(frames[i], &f, false, TCP_ACK, data, sizeof(data));
		}
		from = bench_ms();
		for (int i = 0; i < 1024; i++)
			(void)wire_packet(w, &(struct pkt_in){ .linktype = 1, .ts_us = done,
			    .caplen = lens[i], .len = lens[i], .bytes = frames[i] }, &s);
		ms += bench_ms() - from;
	}
	return ms * 1e6 / flows;
}

static int flood(uint32_t flows, int rounds)
{
	static struct sample quiet = { .what = "known flows (1/10 of the table)" },
			     flooded = { .what = "each packet of a flow of its own" };
	const struct wire_conf conf = { .flows = 1u << 17, .seed = 42 };
	struct wire_stats st = { .flows = 0 };

	for (int i = 0; i < rounds; i++) {
		struct wire *w = wire_new(&conf);

		must(w != NULL, "memory");
		(void)feed(w, 1u << 18, conf.flows / 10, 1);
		sample_add(&quiet, feed(w, flows, conf.flows / 10, (uint64_t)i));
		sample_add(&flooded, feed(w, flows, UINT32_MAX, (uint64_t)i));
		wire_get_stats(w, &st);
		wire_free(w);
	}
	for (struct sample *s = &quiet; s; s = s == &quiet ? &flooded : NULL) {
		double median = sample_at(s, 0.5);

		printf("  %-38s %8.0f ns a packet  (%.0f .. %.0f, n %d)\n", s->what, median,
		    s->ms[0], s->ms[s->n - 1], s->n);
	}
	printf("  flooded / known: %.2fx; table %u, flows %llu, let go %llu\n",
	    sample_at(&flooded, 0.5) / sample_at(&quiet, 0.5), conf.flows,
	    (unsigned long long)st.flows, (unsigned long long)st.flows_evicted);
	return 0;
}

int main(int argc, char **argv)
{
	turns_most = 16;
	if (argc >= 6 && strcmp(argv[1], "gen") == 0) {
		template = calloc(TEMPLATES_MAX, sizeof(*template));
		must(template != NULL, "memory");
		state = strtoull(argv[4], NULL, 10);
		turns_most = (uint32_t)strtoul(argv[5], NULL, 10);
		must(turns_most > 0, "TURNS");
		for (int i = 6; i < argc; i++)
			learn(argv[i]);
		return gen(argv[2], (uint32_t)strtoul(argv[3], NULL, 10));
	}
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return bare(argv[2]);
	if (argc == 4 && strcmp(argv[1], "flood") == 0)
		return flood((uint32_t)strtoul(argv[2], NULL, 10), atoi(argv[3]));
	fprintf(stderr, "usage: bench_inspect gen OUT FLOWS SEED TURNS CAPTURE... | "
			"read FILE | flood FLOWS ROUNDS\n");
	return 2;
}
