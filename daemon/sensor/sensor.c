/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the sensor role: captures in, sightings out */
#include "sensor/sensor.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "priv/drop.h"
#include "priv/msg.h"
#include "sensor/capture.h"
#include "sensor/halfopen.h"
#include "sensor/lookout.h"
#include "sensor/nflog.h"
#include "sensor/report.h"
#include "wire/wire.h"

enum { STATS_MS = 1000, FOREIGN_MAX = 64, HANDLES_MAX = MSG_IFACES_MAX + 1 };

/* Names of the interfaces there were at start: none can be asked for later. */
struct iface_name {
	unsigned index;
	char name[IFNAMSIZ];
};

struct sensor;
struct handle {
	struct sensor *sensor;
	struct capture *capture;
};

struct sensor {
	struct loop *loop;
	struct wire *wire;
	struct lookout *lookout;
	struct halfopens *halfopens;
	struct report *report;
	struct loop_source *writable; /* while sightings wait */
	int peer;
	struct msg_sensor_config config;
	struct handle handle[HANDLES_MAX];
	unsigned nhandles, nnames;
	struct iface_name names[FOREIGN_MAX];
	uint64_t strange, strange_said; /* nflog packets whose prefix is not ours */
	uint64_t nflog_lost;
	uint32_t nflog_next;            /* number of the next packet of log_group */
	bool nflog_counts;
};

/* ---- sightings out ---- */

static void on_writable(void *arg, int fd, uint32_t events);

/* Wait for room while something waits; a broken channel is replaced by MSG_PEER. */
static void flush(struct sensor *s)
{
	int rc = report_flush(s->report);

	if (rc == 1 && !s->writable)
		rc = loop_add_io(
		    s->loop, s->peer, EPOLLOUT, on_writable, s, &s->writable);
	else if (rc <= 0)
		loop_del(&s->writable);
	if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET)
		log_warnx("sensor", "channel to the engine: %s", strerror(-rc));
}

static void on_writable(void *arg, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	flush(arg);
}

static void send_sighting(struct sensor *s, const struct msg_sighting *m)
{
	report_sighting(s->report, m);
	if (report_waits(s->report) && !s->writable)
		flush(s);
}

static const char *name_of(const struct sensor *s, unsigned index)
{
	for (unsigned i = 0; i < s->nnames; i++)
		if (s->names[i].index == index)
			return s->names[i].name;
	return "";
}

static void set_iface(struct msg_sighting *m, const char *name)
{
	memset(m->iface, 0, sizeof(m->iface));
	memcpy(m->iface, name, strnlen(name, sizeof(m->iface) - 1));
}

/* ---- packets in ---- */

static void spoken(struct sensor *s, const struct sighting *w, const char *iface,
    const struct nflog_prefix *p, const char *const fired[], size_t nfired)
{
	struct msg_sighting m;

	memset(&m, 0, sizeof(m));
	m.time_us = w->last_us;
	m.src = w->client;
	m.dst = w->server;
	m.sport = w->client_port;
	m.dport = w->server_port;
	m.proto = IPPROTO_TCP;
	m.kind = SIGHT_SPOKEN;
	m.from_nflog = p != NULL;
	m.handshake = w->tcp_handshake;
	m.generation = p ? p->generation : 0;
	m.count = 1;
	m.facts = w->facts;
	set_iface(&m, iface);
	if (w->facts.app != APP_NONE)
		send_sighting(s, &m);
	m.kind = SIGHT_GUARD;
	m.from_nflog = false;
	for (size_t i = 0; i < nfired; i++) {
		memset(m.detail, 0, sizeof(m.detail));
		memcpy(m.detail, fired[i], strnlen(fired[i], sizeof(m.detail) - 1));
		send_sighting(s, &m);
	}
}

static void look(struct sensor *s, const struct pkt_in *pkt, const char *iface,
    const struct nflog_prefix *p)
{
	const char *fired[LOOKOUT_FIRED_MAX];
	struct sighting w;
	size_t n;
	bool news = wire_packet(s->wire, pkt, &w);
	const struct pkt_view *v;
	enum decode how;

	v = wire_view(s->wire, &how);
	if (!p && how == DECODE_OK)
		halfopen_packet(s->halfopens, v, pkt->ts_us);
	n = lookout_fired(s->lookout, s->wire, fired);
	if (news || (n > 0 && wire_known(s->wire, &w)))
		spoken(s, &w, iface, p, fired, n);
}

/* A flood is not to keep the engine busy: so many a second, others wait. */
static void half_open(struct sensor *s)
{
	enum { A_SECOND = 128 };
	struct msg_sighting m;
	struct halfopen h;

	for (int i = 0; i < A_SECOND && halfopen_take(s->halfopens, clock_now_us(), &h); i++) {
		memset(&m, 0, sizeof(m));
		m.kind = SIGHT_HALF_OPEN;
		m.time_us = h.ts_us;
		m.src = h.src;
		m.dst = h.dst;
		m.sport = h.sport;
		m.dport = h.dport;
		m.proto = IPPROTO_TCP;
		m.tcp_flags = TH_SYN;
		m.count = 1;
		send_sighting(s, &m);
	}
}

/* The kernel numbers what it logs: what is missing did not fit into the socket. */
static void count_lost(struct sensor *s, const struct pkt_nflog *n)
{
	if (!n->has_seq || n->group != s->config.log_group)
		return;
	if (s->nflog_counts)
		s->nflog_lost += n->seq - s->nflog_next;
	s->nflog_counts = true;
	s->nflog_next = n->seq + 1;
}

static void on_packet(void *arg, const struct capture *c, const struct pkt_in *pkt);

/* Whether the sender of a logged packet was seen to receive.  Conntrack is no witness: it
 * takes data in a SYN, and acknowledgments that nobody could know, for a connection.  What
 * the interfaces captured before this packet was logged is taken first. */
static bool proven(struct sensor *s, const struct pkt_view *v)
{
	const char *why;

	for (unsigned i = 0; i < s->nhandles; i++)
		if (!capture_is_nflog(s->handle[i].capture))
			(void)capture_read(s->handle[i].capture, on_packet, s, &why);
	return wire_handshake(s->wire, v);
}

/* Payload of established connections only is looked at: what was merely denied would
 * let strangers fill the flow table. */
static void logged(struct sensor *s, const struct pkt_in *read)
{
	struct pkt_in pkt = *read;
	struct nflog_prefix p;
	struct msg_sighting m;
	struct pkt_view v;
	const char *iface;

	decode_packet(&pkt, &v);
	if (v.nflog.present)
		count_lost(s, &v.nflog);
	if (v.nflog.ts_us > 0) /* libpcap's is when it was read */
		pkt.ts_us = v.nflog.ts_us;
	if (!v.nflog.present || !v.nflog.prefix ||
	    !nflog_parse(v.nflog.prefix, v.nflog.prefix_len, &p)) {
		s->strange++;
		return;
	}
	iface =
	    name_of(s, v.nflog.ifindex_in ? v.nflog.ifindex_in : v.nflog.ifindex_out);
	if (!p.copy && nflog_sighting(&p, &v, pkt.ts_us, &m)) {
		set_iface(&m, iface);
		m.handshake = m.handshake && proven(s, &v);
		send_sighting(s, &m);
	}
	if (p.copy || nflog_established(&p))
		look(s, &pkt, iface, &p);
}

static void on_packet(void *arg, const struct capture *c, const struct pkt_in *pkt)
{
	struct sensor *s = arg;

	if (capture_is_nflog(c))
		logged(s, pkt);
	else
		look(s, pkt, capture_name(c), NULL);
}

/* An interface that vanished can only be opened again with rights that are gone: end,
 * and be started anew. */
static void on_readable(void *arg, int fd, uint32_t events)
{
	struct handle *h = arg;
	const char *why;

	(void)fd;
	(void)events;
	if (capture_read(h->capture, on_packet, h->sensor, &why) < 0) {
		log_warnx("sensor", "%s", why);
		loop_stop(h->sensor->loop, EXIT_FAILURE);
	}
}

static void on_second(void *arg)
{
	struct sensor *s = arg;
	struct msg_sensor_stats st = {.handles = s->nhandles};
	struct wire_stats w;

	for (unsigned i = 0; i < s->nhandles; i++)
		capture_count(s->handle[i].capture, &st.packets, &st.dropped);
	wire_get_stats(s->wire, &w);
	st.flows = w.flows;
	st.evicted = w.flows_evicted;
	st.conflicts = w.conflicts;
	st.let_go = w.facts_evicted + w.streams_evicted + w.frags_dropped;
	st.nflog_lost = s->nflog_lost;
	report_stats(s->report, &st);
	half_open(s);
	if (s->strange > s->strange_said) {
		log_warnx("sensor", "%llu logged packets without a prefix of ours",
		    (unsigned long long)(s->strange - s->strange_said));
		s->strange_said = s->strange;
	}
}

/* ---- the enforcer ---- */

/* Fill *ret from the first configuration; whoever breaks the contract ends us. */
static int await_config(struct msg_sensor_config *ret)
{
	struct pollfd p = {.fd = ROLE_FD_PARENT, .events = POLLIN};
	union msg_body body;
	struct msg_hdr hdr;
	int fds[3], rc;

	do {
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return -errno;
		rc = msg_recv(
		    ROLE_FD_PARENT, ROLE_ENFORCER, ROLE_SENSOR, &hdr, &body, fds);
	} while (rc == -EAGAIN);
	if (rc <= 0)
		return rc == 0 ? -EPIPE : rc;
	if (hdr.type != MSG_SENSOR_CONFIG)
		return -EPROTO;
	*ret = body.sensor_config;
	return 0;
}

static void new_peer(struct sensor *s, int fd)
{
	loop_del(&s->writable);
	if (s->peer >= 0)
		close(s->peer);
	s->peer = fd;
	report_channel(s->report, fd);
	flush(s);
	on_second(s);
}

/* Other interfaces than those that are open need rights that are gone: the enforcer
 * starts a new sensor. */
static bool same_config(
    const struct msg_sensor_config *a, const struct msg_sensor_config *b)
{
	if (a->nifaces != b->nifaces || a->log_group != b->log_group)
		return false;
	for (uint32_t i = 0; i < a->nifaces; i++)
		if (strcmp(a->iface[i], b->iface[i]) != 0)
			return false;
	return true;
}

static void on_parent(void *arg, int fd, uint32_t events)
{
	struct sensor *s = arg;
	union msg_body body;
	struct msg_hdr hdr;
	int fds[3], rc;

	(void)events;
	rc = msg_recv(fd, ROLE_ENFORCER, ROLE_SENSOR, &hdr, &body, fds);
	if (rc == -EAGAIN)
		return;
	if (rc <= 0) {
		if (rc < 0)
			log_warnx(
			    "sensor", "channel to the enforcer: %s", strerror(-rc));
		loop_stop(s->loop, rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	} else if (hdr.type == MSG_PEER) {
		new_peer(s, fds[0]);
	} else if (hdr.type == MSG_SENSOR_GUARD) {
		if (!lookout_take(s->lookout, &body.sensor_guard))
			log_warnx("sensor", "a guard came out of turn");
	} else if (hdr.type == MSG_SENSOR_CONFIG &&
		   !same_config(&s->config, &body.sensor_config)) {
		log_info("sensor", "other interfaces are to be watched: starting anew");
		loop_stop(s->loop, EXIT_SUCCESS);
	}
}

/* ---- start ---- */

static void add_handle(
    struct sensor *s, struct capture *c, const char *name, const char *why)
{
	struct handle *h = &s->handle[s->nhandles];
	int rc;

	if (!c) {
		log_warnx("sensor", "%s: %s", name, why);
		return;
	}
	h->sensor = s;
	h->capture = c;
	rc = loop_add_io(s->loop, capture_fd(c), EPOLLIN, on_readable, h, NULL);
	if (rc < 0) {
		log_warnx("sensor", "%s: %s", name, strerror(-rc));
		capture_close(c);
		return;
	}
	s->nhandles++;
}

/* A handle that can't be opened is said and left out: half the sight is better than
 * none.  The engine hears how many there are. */
static void open_handles(struct sensor *s)
{
	const struct msg_sensor_config *conf = &s->config;
	const char *why = "";
	struct capture *c;

	c = capture_open_nflog(conf->log_group, &why);
	add_handle(s, c, "nflog", why);
	for (uint32_t i = 0; i < conf->nifaces; i++) {
		c = capture_open(conf->iface[i], conf->nifaces, &why);
		add_handle(s, c, conf->iface[i], why);
	}
}

static void learn_names(struct sensor *s)
{
	struct if_nameindex *list = if_nameindex();

	for (unsigned i = 0; list && list[i].if_index && s->nnames < FOREIGN_MAX; i++) {
		struct iface_name *n = &s->names[s->nnames++];

		n->index = list[i].if_index;
		strncpy(n->name, list[i].if_name, sizeof(n->name) - 1);
	}
	if (list)
		if_freenameindex(list);
}

static int sensor_init(struct sensor *s)
{
	struct wire_conf conf = {0};

	s->peer = ROLE_FD_PEER;
	s->loop = loop_new();
	s->report = report_new(s->peer);
	if (getrandom(&conf.seed, sizeof(conf.seed), 0) != (ssize_t)sizeof(conf.seed))
		return -errno;
	s->wire = wire_new(&conf);
	s->lookout = lookout_new();
	s->halfopens = halfopen_new(conf.seed);
	if (!s->loop || !s->report || !s->wire || !s->lookout || !s->halfopens)
		return -ENOMEM;
	lookout_watch(s->lookout, s->wire);
	learn_names(s);
	open_handles(s);
	return s->nhandles > 0 ? 0 : -ENODEV; /* blind: the enforcer tries again */
}

/* Before the rights go: sd-event reads the boot id when its first timer is armed,
 * which is in the first turn. */
static int sensor_watch(struct sensor *s)
{
	int rc = loop_add_io(s->loop, ROLE_FD_PARENT, EPOLLIN, on_parent, s, NULL);

	if (rc < 0)
		return rc;
	rc = loop_add_timer(s->loop, STATS_MS, STATS_MS, on_second, s, NULL);
	return rc < 0 ? rc : loop_turn(s->loop, 0);
}

/* Nothing is closed or freed at the end: libpcap would make system calls for it that
 * the filter refuses, and the process ends anyway. */
int sensor_main(void)
{
	static struct sensor s;
	int rc = await_config(&s.config);

	if (rc == 0)
		rc = sensor_init(&s);
	if (rc == 0)
		rc = sensor_watch(&s);
	if (rc < 0) {
		log_warnx("sensor", "can't start: %s", strerror(-rc));
		return EXIT_FAILURE;
	}
	priv_drop(ROLE_SENSOR);
	rc = msg_send(ROLE_FD_PARENT, MSG_READY, 0, NULL, NULL);
	on_second(&s); /* what it listens to is known from the start */
	if (rc == 0)
		rc = loop_run(s.loop);
	if (rc < 0)
		log_warnx("sensor", "%s", strerror(-rc));
	return rc < 0 ? EXIT_FAILURE : rc;
}
