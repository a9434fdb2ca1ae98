/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the table of sinks, and the queue in front of each */
#include "engine/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct sink_row *const sink_rows[] = { &sink_file, &sink_journal };
enum { NSINKS = sizeof(sink_rows) / sizeof(sink_rows[0]), RECORD_MAX = 16384 };

/* Records wait whole: 4 bytes of length, then the text.  `done` bytes of the first
 * are written already. */
struct sink {
	const struct sink_row *row;
	int fd;
	bool enabled;
	char *queue;
	size_t head, used, done; /* a ring of row->queue bytes */
	uint64_t written, lost;
	int err;
};

struct sinks {
	struct sink s[NSINKS];
	uint64_t asked_us, written_at_ask;
	char record[RECORD_MAX];
};

struct sinks *sinks_new(void)
{
	struct sinks *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	for (size_t i = 0; i < NSINKS; i++) {
		s->s[i].row = sink_rows[i];
		s->s[i].fd = sink_rows[i]->open();
		s->s[i].queue = malloc(sink_rows[i]->queue);
		if (!s->s[i].queue) {
			sinks_free(s);
			return NULL;
		}
	}
	return s;
}

void sinks_free(struct sinks *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < NSINKS; i++) {
		if (s->s[i].row && s->s[i].fd >= 0)
			close(s->s[i].fd);
		free(s->s[i].queue);
	}
	free(s);
}

static struct sink *sink_by_name(struct sinks *s, const char *name)
{
	for (size_t i = 0; i < NSINKS; i++)
		if (strcmp(s->s[i].row->name, name) == 0)
			return &s->s[i];
	return NULL;
}

void sinks_enable(struct sinks *s, const char *name, bool enable)
{
	struct sink *k = sink_by_name(s, name);

	if (k)
		k->enabled = enable;
}

static void ring_copy_in(struct sink *k, const void *data, size_t len)
{
	size_t at = (k->head + k->used) % k->row->queue, first = k->row->queue - at;

	if (first > len)
		first = len;
	memcpy(k->queue + at, data, first);
	memcpy(k->queue, (const char *)data + first, len - first);
	k->used += len;
}

static void ring_copy_out(const struct sink *k, size_t skip, void *to, size_t len)
{
	size_t at = (k->head + skip) % k->row->queue, first = k->row->queue - at;

	if (first > len)
		first = len;
	memcpy(to, k->queue + at, first);
	memcpy((char *)to + first, k->queue, len - first);
}

/* Keep a record whose first `done` bytes are out already. */
static bool enqueue(struct sink *k, const char *text, size_t len, size_t done)
{
	uint32_t n = (uint32_t)len;

	if (k->used + sizeof(n) + len > k->row->queue) {
		k->lost++;
		return false;
	}
	if (k->used == 0)
		k->done = done;
	ring_copy_in(k, &n, sizeof(n));
	ring_copy_in(k, text, len);
	return true;
}

/* Bytes of text[0..len) that got out; sets k->err. */
static size_t write_some(struct sink *k, const char *text, size_t len)
{
	size_t done = 0;

	k->err = 0;
	while (done < len) {
		ssize_t n =
		    k->fd < 0 ? -ENOENT : k->row->write(k->fd, text + done, len - done);

		if (n == -EINTR)
			continue;
		if (n <= 0) {
			k->err = n < 0 ? (int)-n : EIO;
			break;
		}
		done += (size_t)n;
	}
	return done;
}

static void sink_flush(struct sinks *s, struct sink *k)
{
	while (k->used > 0) {
		uint32_t n;
		size_t out;

		ring_copy_out(k, 0, &n, sizeof(n));
		ring_copy_out(k, sizeof(n), s->record, n);
		out = write_some(k, s->record + k->done, n - k->done);
		if (k->done + out < n) {
			k->done += out;
			return;
		}
		k->head = (k->head + sizeof(n) + n) % k->row->queue;
		k->used -= sizeof(n) + n;
		k->done = 0;
		k->written++;
	}
}

void sinks_flush(struct sinks *s)
{
	for (size_t i = 0; i < NSINKS; i++)
		sink_flush(s, &s->s[i]);
}

bool sinks_write(struct sinks *s, const struct event *e, const char *json, size_t len)
{
	bool any = false, taken = false;

	for (size_t i = 0; i < NSINKS; i++) {
		struct sink *k = &s->s[i];
		size_t n, out;

		if (!k->enabled)
			continue;
		any = true;
		n = k->row->render(e, json, len, s->record, sizeof(s->record));
		if (n == 0) {
			k->lost++;
			continue;
		}
		/* what waits goes first; it is tried on the timer, not by each event */
		out = k->used == 0 ? write_some(k, s->record, n) : 0;
		if (out == n)
			k->written++;
		taken |= out == n || enqueue(k, s->record, n, out);
	}
	return taken || !any;
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return a >= 0 && fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

void sinks_set_file(struct sinks *s, int fd)
{
	struct sink *k = sink_by_name(s, "file");
	int flags = fcntl(fd, F_GETFL);

	if (same_file(k->fd, fd)) {
		close(fd);
		return;
	}
	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK); /* it may be a pipe */
	sink_flush(s, k);
	if (k->fd >= 0)
		close(k->fd);
	k->fd = fd;
	k->done = 0; /* a line cut in the old file starts again in the new one */
	sink_flush(s, k);
}

bool sinks_want_file(struct sinks *s, uint64_t mono_us)
{
	struct sink *k = sink_by_name(s, "file");
	struct stat st;
	bool missing;

	if (!k->enabled)
		return false;
	missing = k->fd < 0 || fstat(k->fd, &st) != 0 || st.st_nlink == 0;
	if (!missing &&
	    (mono_us - s->asked_us < SINK_REOPEN_US || s->written_at_ask == k->written))
		return false;
	s->asked_us = mono_us;
	s->written_at_ask = k->written;
	return true;
}

bool sinks_stats(const struct sinks *s, size_t i, struct sink_stats *ret)
{
	if (i >= NSINKS)
		return false;
	*ret = (struct sink_stats){ .name = s->s[i].row->name,
		.enabled = s->s[i].enabled,
		.written = s->s[i].written,
		.lost = s->s[i].lost,
		.queued = (uint32_t)s->s[i].used,
		.err = s->s[i].err };
	return true;
}

uint64_t sinks_lost(const struct sinks *s)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < NSINKS; i++)
		lost += s->s[i].lost;
	return lost;
}
