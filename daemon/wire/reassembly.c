/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: bounded buffers that put the bytes of TCP streams in order */
#include "wire/reassembly.h"

#include <stdlib.h>
#include <string.h>

/* Offsets count from data[0], whose sequence number is `zero`.  Bytes
 * [head, fill) are in order and unread; beyond fill a bit of `have` tells which
 * bytes are there, up to top.  Reading moves only head; the bytes move down by
 * multiples of eight, so that the bits move as whole bytes. */
struct stream {
	uint32_t zero, head, fill, top, want, owner;
	uint32_t newer, older;
	uint8_t have[STREAM_WINDOW / 8];
	uint8_t data[STREAM_WINDOW];
};

struct stream_pool {
	uint32_t n, fresh;	 /* those from fresh on were never taken */
	uint32_t free_list;	 /* given back, linked by `newer` */
	uint32_t newest, oldest; /* taken ones */
	struct stream_stats stats;
	struct stream s[];
};

struct stream_pool *stream_pool_new(uint32_t n)
{
	struct stream_pool *p = calloc(1, sizeof(*p) + (size_t)n * sizeof(p->s[0]));

	if (!p)
		return NULL;
	p->n = n;
	p->newest = p->oldest = p->free_list = STREAM_NONE;
	return p;
}

void stream_pool_free(struct stream_pool *p)
{
	free(p);
}

const struct stream_stats *stream_pool_stats(const struct stream_pool *p)
{
	return &p->stats;
}

void stream_release(struct stream_pool *p, uint32_t id)
{
	struct stream *s = &p->s[id];

	if (s->newer == STREAM_NONE)
		p->newest = s->older;
	else
		p->s[s->newer].older = s->older;
	if (s->older == STREAM_NONE)
		p->oldest = s->newer;
	else
		p->s[s->older].newer = s->newer;
	s->newer = p->free_list;
	p->free_list = id;
}

uint32_t stream_take(struct stream_pool *p, uint32_t owner, uint32_t base,
    uint32_t *ret_evicted)
{
	struct stream *s;
	uint32_t id;

	*ret_evicted = STREAM_NONE;
	if (p->free_list == STREAM_NONE && p->fresh < p->n) {
		p->s[p->fresh].newer = STREAM_NONE;
		p->free_list = p->fresh++;
	} else if (p->free_list == STREAM_NONE) {
		*ret_evicted = p->s[p->oldest].owner;
		p->stats.evicted++;
		stream_release(p, p->oldest);
	}
	id = p->free_list;
	s = &p->s[id];
	p->free_list = s->newer;
	s->newer = STREAM_NONE;
	s->older = p->newest;
	if (p->newest != STREAM_NONE)
		p->s[p->newest].newer = id;
	p->newest = id;
	if (p->oldest == STREAM_NONE)
		p->oldest = id;
	s->owner = owner;
	s->zero = base;
	s->head = s->fill = s->top = s->want = 0;
	memset(s->have, 0, sizeof(s->have));
	return id;
}

bool stream_oldest(const struct stream_pool *p, uint32_t *ret_owner)
{
	if (p->oldest == STREAM_NONE)
		return false;
	*ret_owner = p->s[p->oldest].owner;
	return true;
}

static bool have(const struct stream *s, uint32_t off)
{
	return s->have[off / 8] >> (off % 8) & 1;
}

/* Make the island that begins at fill, if there is one, part of the stretch in
 * order, and clear its bits: none is set below fill. */
static void stream_join(struct stream *s)
{
	while (s->fill < s->top && have(s, s->fill)) {
		s->have[s->fill / 8] &= (uint8_t)~(1u << (s->fill % 8));
		s->fill++;
	}
	if (s->top < s->fill)
		s->top = s->fill;
}

/* Store behind fill, one byte at a time: the rare path. */
static void stream_store(struct stream_pool *p, struct stream *s, uint32_t off,
    const uint8_t *bytes, uint32_t len)
{
	bool conflict = false;

	for (uint32_t i = 0; i < len; i++, off++) {
		if (off < s->fill || have(s, off)) {
			conflict |= s->data[off] != bytes[i];
			continue;
		}
		s->data[off] = bytes[i];
		s->have[off / 8] |= (uint8_t)(1u << (off % 8));
	}
	if (len > 0 && off > s->top)
		s->top = off;
	p->stats.conflicts += conflict;
}

bool stream_add(struct stream_pool *p, uint32_t id, uint32_t seq, const uint8_t *bytes,
    uint32_t len)
{
	struct stream *s = &p->s[id];
	int32_t off = (int32_t)(seq - s->zero);
	bool whole = true;

	if (off < (int32_t)s->head) {
		uint32_t old = s->head - (uint32_t)off;

		if (len <= old)
			return true;
		bytes += old;
		len -= old;
		off = (int32_t)s->head;
	}
	if ((uint32_t)off >= STREAM_WINDOW || len > STREAM_WINDOW - (uint32_t)off) {
		p->stats.outside++;
		whole = false;
		if ((uint32_t)off >= STREAM_WINDOW)
			return false;
		len = STREAM_WINDOW - (uint32_t)off;
	}
	if ((uint32_t)off == s->fill && s->top == s->fill) {
		memcpy(s->data + off, bytes, len);
		s->fill = s->top = s->fill + len;
		return whole;
	}
	stream_store(p, s, (uint32_t)off, bytes, len);
	stream_join(s);
	return whole;
}

const uint8_t *stream_ready(struct stream_pool *p, uint32_t id, uint32_t *ret_len)
{
	struct stream *s = &p->s[id];

	*ret_len = s->fill - s->head;
	return s->data + s->head;
}

bool stream_has_island(const struct stream_pool *p, uint32_t id)
{
	return p->s[id].top > p->s[id].fill;
}

uint32_t stream_hole(const struct stream_pool *p, uint32_t id)
{
	const struct stream *s = &p->s[id];
	uint32_t off = s->fill;

	if (s->top <= s->fill)
		return 0;
	while (!have(s, off)) /* the byte before top is there */
		off += off % 8 == 0 && s->have[off / 8] == 0 ? 8 : 1;
	return off - s->fill;
}

/* Everything up to `head` is past, also what was never there. */
static void stream_restart(struct stream *s, uint32_t head)
{
	s->zero += head;
	s->head = s->fill = s->top = 0;
	memset(s->have, 0, sizeof(s->have));
}

void stream_consume(struct stream_pool *p, uint32_t id, uint32_t n)
{
	struct stream *s = &p->s[id];
	uint32_t head = s->head + n, down;

	if (head >= s->top) {
		stream_restart(s, head);
		return;
	}
	for (uint32_t off = s->fill; off < head; off++)
		s->have[off / 8] &= (uint8_t)~(1u << (off % 8));
	if (s->fill < head)
		s->fill = head;
	s->head = head;
	stream_join(s);
	/* Seldom, so that a stream of tiny messages does not move itself about. */
	if (s->head < STREAM_WINDOW / 2)
		return;
	down = s->head & ~7u;
	memmove(s->data, s->data + down, s->top - down);
	memmove(s->have, s->have + down / 8, sizeof(s->have) - down / 8);
	memset(s->have + sizeof(s->have) - down / 8, 0, down / 8);
	s->zero += down;
	s->head -= down;
	s->fill -= down;
	s->top -= down;
}

void stream_set_want(struct stream_pool *p, uint32_t id, uint32_t want)
{
	p->s[id].want = want;
}

uint32_t stream_want(const struct stream_pool *p, uint32_t id)
{
	return p->s[id].want;
}
