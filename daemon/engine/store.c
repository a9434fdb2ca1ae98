/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the engine keeps over a restart: incidents, causes of blocks, flows */
#include "engine/store.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cordon/flowspace.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/state.h"

/* Larger states are written less often. */
#define STORE_MAGIC     "CRDNENG1"
#define STORE_SLOT      ((off_t)32 << 20) /* bytes: more than all tables together */
#define STORE_SMALL     ((size_t)256 << 10)
#define STORE_SMALL_US  UINT64_C(2000000)
#define STORE_LARGE_US  UINT64_C(10000000)

enum section { SECTION_INCIDENT, SECTION_BLOCK, SECTION_FLOW, SECTION_SCANNER,
	SECTION_STATS, SECTIONS };

/* Before each copy; sum is of the bytes behind it, its key their length and seq. */
struct store_head {
	char magic[8];
	uint64_t seq, len, sum;
};

/* Before the elements of a section. */
struct section_head {
	uint32_t section, size, count, zero;
};

/* A block and why it is; left_us: to its end when it was written, UINT64_MAX: for
 * good.  at_us: when that was, since 1970. */
struct kept_block {
	struct msg_block block;
	struct event event;
	uint64_t left_us;
	int64_t at_us;
};

struct store {
	int fd;
	bool dirty;
	uint64_t seq, saved_us;
	size_t last_len;
	unsigned char *buf; /* while a copy is made */
	size_t len, cap;
	size_t open_at; /* of the section_head that is added to, in buf */
	bool failed, failed_said;
};

struct store *store_new(void)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s)
		s->fd = -1;
	return s;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->buf);
	free(s);
}

void store_touch(struct store *s)
{
	s->dirty = true;
}

/* ---- writing ---- */

static void put(struct store *s, const void *data, size_t len)
{
	if (s->cap - s->len < len) {
		size_t cap = s->cap * 2 > s->len + len ? s->cap * 2 : s->len + len + 65536;
		unsigned char *grown = realloc(s->buf, cap);

		if (!grown) {
			s->failed = true;
			return;
		}
		s->buf = grown;
		s->cap = cap;
	}
	memcpy(s->buf + s->len, data, len);
	s->len += len;
}

static void section_begin(struct store *s, enum section section, size_t size)
{
	struct section_head h = { .section = section, .size = (uint32_t)size };

	s->open_at = s->len;
	put(s, &h, sizeof(h));
}

static void section_add(struct store *s, const void *elem, size_t size)
{
	struct section_head h;

	put(s, elem, size);
	if (s->failed)
		return;
	memcpy(&h, s->buf + s->open_at, sizeof(h));
	h.count++;
	memcpy(s->buf + s->open_at, &h, sizeof(h));
}

static void put_incident(void *arg, const struct incident_kept *n)
{
	section_add(arg, n, sizeof(*n));
}

static void put_block(void *arg, struct blocklist_entry *b)
{
	struct engine *g = arg;
	uint64_t now = clock_mono_us();
	struct kept_block k;

	if (b->state != BLOCK_SET)
		return;
	memset(&k, 0, sizeof(k));
	k.block = b->block;
	k.event = b->event;
	k.left_us = b->ends_us == UINT64_MAX ? UINT64_MAX
		    : b->ends_us > now	    ? b->ends_us - now
					     : 0;
	k.at_us = clock_now_us();
	section_add(g->store, &k, sizeof(k));
}

static void put_flow(void *arg, const struct watch_flow *f)
{
	struct watch_flow kept = *f;

	if (kept.why == WATCH_SCAN)
		kept.why = WATCH_PLAIN; /* follows from the scanners */
	section_add(arg, &kept, sizeof(kept));
}

static void put_all(struct engine *g)
{
	struct store *s = g->store;
	const struct netaddr *scanner = watched_scanners(g->watched);
	struct watch_stats stats;

	section_begin(s, SECTION_INCIDENT, sizeof(struct incident_kept));
	incidents_each(g->incidents, put_incident, s);
	section_begin(s, SECTION_BLOCK, sizeof(struct kept_block));
	blocklist_each(g->blocks, put_block, g);
	section_begin(s, SECTION_FLOW, sizeof(struct watch_flow));
	watched_each(g->watched, put_flow, s);
	section_begin(s, SECTION_SCANNER, sizeof(*scanner));
	for (int i = 0; i < WATCH_SCANNERS && scanner[i].v; i++)
		section_add(s, &scanner[i], sizeof(*scanner));
	section_begin(s, SECTION_STATS, sizeof(stats));
	watched_stats(g->watched, &stats);
	section_add(s, &stats, sizeof(stats));
}

static uint64_t sum_of(const struct store_head *h, const void *data)
{
	uint8_t key[crypto_shorthash_KEYBYTES];
	uint64_t sum;

	memcpy(key, &h->seq, 8);
	memcpy(key + 8, &h->len, 8);
	crypto_shorthash((uint8_t *)&sum, data, h->len, key);
	return sum;
}

static bool write_at(int fd, const void *data, size_t len, off_t at)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* The head last: until it is there the copy before counts. */
static bool write_copy(struct store *s)
{
	static const struct store_head none;
	off_t at = (s->seq + 1) % 2 ? STORE_SLOT : 0;
	struct store_head h = { .magic = STORE_MAGIC, .seq = s->seq + 1, .len = s->len };

	if (s->len > (size_t)STORE_SLOT - sizeof(h))
		return false;
	h.sum = sum_of(&h, s->buf);
	if (!write_at(s->fd, &none, sizeof(none), at) ||
	    !write_at(s->fd, s->buf, s->len, at + (off_t)sizeof(h)) ||
	    !write_at(s->fd, &h, sizeof(h), at))
		return false;
	s->seq++;
	return true;
}

void store_save(struct engine *g)
{
	struct store *s = g->store;

	if (s->fd < 0)
		return;
	s->len = 0;
	s->failed = false;
	put_all(g);
	if (s->failed || !write_copy(s)) {
		if (!s->failed_said)
			log_warn("state", "incidents and observed flows are not kept");
		s->failed_said = true;
	} else {
		s->failed_said = false;
	}
	s->dirty = false;
	s->saved_us = clock_mono_us();
	s->last_len = s->len;
	if (s->cap > STORE_SMALL) {
		free(s->buf);
		s->buf = NULL;
		s->cap = 0;
	}
}

void store_tick(struct engine *g)
{
	struct store *s = g->store;
	uint64_t every = s->last_len > STORE_SMALL ? STORE_LARGE_US : STORE_SMALL_US;

	if (s->dirty && clock_mono_us() - s->saved_us >= every)
		store_save(g);
}

/* ---- reading ---- */

static bool text_ok(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static void get_incident(struct engine *g, const void *elem)
{
	struct incident_kept n;

	memcpy(&n, elem, sizeof(n));
	if (event_valid(&n.last) && n.kind < EVENT_KINDS && event_kinds[n.kind].alert &&
	    n.block <= INCIDENT_ENDED && text_ok(n.id, sizeof(n.id)) &&
	    (n.source.v == 4 || n.source.v == 6))
		incidents_restore(g->incidents, &n);
}

/* The kernel is asked once the policy is there: what it has no more is told as ended. */
static void get_block(struct engine *g, const void *elem)
{
	struct blocklist_entry *e;
	struct kept_block k;
	union msg_body body;
	uint64_t passed;
	int64_t now = clock_now_us();

	memcpy(&k, elem, sizeof(k));
	memset(&body, 0, sizeof(body));
	memcpy(&body.block, &k.block, sizeof(k.block));
	if (!event_valid(&k.event) || !msg_valid(MSG_BLOCK, &body))
		return;
	e = blocklist_add(g->blocks, &k.block);
	if (!e)
		return;
	passed = now > k.at_us ? (uint64_t)(now - k.at_us) : 0;
	e->state = BLOCK_SET;
	e->event = k.event;
	e->ends_us = k.left_us == UINT64_MAX ? UINT64_MAX
		     : k.left_us > passed    ? clock_mono_us() + k.left_us - passed
					     : clock_mono_us();
}

static bool addr_ok(const struct netaddr *a)
{
	return a->v == 4 || a->v == 6;
}

static void get_flow(struct engine *g, const void *elem)
{
	struct watch_flow f;

	memcpy(&f, elem, sizeof(f));
	if (addr_ok(&f.host) && addr_ok(&f.peer) && f.dir <= FS_OUT && f.why < WATCH_SCAN &&
	    f.middle <= 1 && text_ok(f.guard, sizeof(f.guard)))
		watched_add(g->watched, &f);
}

static void get_scanner(struct engine *g, const void *elem)
{
	struct netaddr a;

	memcpy(&a, elem, sizeof(a));
	if (addr_ok(&a))
		watched_scanner(g->watched, &a);
}

static void get_stats(struct engine *g, const void *elem)
{
	struct watch_stats stats;

	memcpy(&stats, elem, sizeof(stats));
	watched_restore_stats(g->watched, &stats);
}

static const struct {
	size_t size;
	void (*get)(struct engine *g, const void *elem);
} sections[SECTIONS] = {
	[SECTION_INCIDENT] = { sizeof(struct incident_kept), get_incident },
	[SECTION_BLOCK] = { sizeof(struct kept_block), get_block },
	[SECTION_FLOW] = { sizeof(struct watch_flow), get_flow },
	[SECTION_SCANNER] = { sizeof(struct netaddr), get_scanner },
	[SECTION_STATS] = { sizeof(struct watch_stats), get_stats },
};

static void get_all(struct engine *g, const unsigned char *p, size_t len)
{
	struct section_head h;

	while (len >= sizeof(h)) {
		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		len -= sizeof(h);
		if (h.count > len || h.size == 0 || h.count > len / h.size)
			return;
		for (uint32_t i = 0; i < h.count; i++)
			if (h.section < SECTIONS && sections[h.section].size == h.size)
				sections[h.section].get(g, p + (size_t)i * h.size);
		p += (size_t)h.count * h.size;
		len -= (size_t)h.count * h.size;
	}
}

/* The copy at `at` if it is whole and newer than *ret_seq; the caller frees it. */
static unsigned char *read_copy(int fd, off_t at, uint64_t *ret_seq, size_t *ret_len)
{
	struct store_head h;
	unsigned char *data;

	if (pread(fd, &h, sizeof(h), at) != (ssize_t)sizeof(h) ||
	    memcmp(h.magic, STORE_MAGIC, sizeof(h.magic)) != 0 ||
	    h.len > (uint64_t)STORE_SLOT - sizeof(h) || h.seq <= *ret_seq)
		return NULL;
	data = malloc(h.len + 1);
	if (!data || pread(fd, data, h.len, at + (off_t)sizeof(h)) != (ssize_t)h.len ||
	    sum_of(&h, data) != h.sum) {
		free(data);
		return NULL;
	}
	*ret_seq = h.seq;
	*ret_len = h.len;
	return data;
}

void store_take(struct engine *g, int fd)
{
	struct store *s = g->store;
	unsigned char *best = NULL;
	size_t len = 0;

	if (s->fd >= 0) { /* it is read once, at the start */
		close(fd);
		return;
	}
	s->fd = fd;
	for (int slot = 0; slot < 2; slot++) {
		unsigned char *copy = read_copy(fd, slot * STORE_SLOT, &s->seq, &len);

		if (!copy)
			continue;
		free(best);
		best = copy;
	}
	if (best)
		get_all(g, best, len);
	free(best);
	if (incidents_count(g->incidents) > 0)
		log_info("state", "%u incidents are known from before",
		    incidents_count(g->incidents));
}
