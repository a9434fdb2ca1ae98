/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: fuzz the stream buffers against a model that keeps every byte
 *
 * Input: [base, BE 32], then operations of three bytes [op][a][b]: see step(). */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/cursor.h"
#include "wire/reassembly.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAMS = 3, OWNERS = 4, ROOM = 1 << 15, STEPS = 1 << 10 };
enum { NOT_THERE, KNOWN, UNSURE }; /* UNSURE: perhaps it was past the window */

static struct model {
	bool open;
	uint32_t id, base, head; /* the first position, the next to be read */
	uint8_t state[ROOM], byte[ROOM];
} model[OWNERS];

static struct stream_pool *pool;

static void begin(uint32_t owner, uint32_t base)
{
	uint32_t evicted;
	struct model *m = &model[owner];

	m->id = stream_take(pool, owner, base, &evicted);
	if (evicted != STREAM_NONE) {
		if (evicted >= OWNERS || !model[evicted].open || evicted == owner)
			abort();
		model[evicted].open = false;
	}
	m->open = true;
	m->base = base;
	m->head = 0;
	memset(m->state, NOT_THERE, sizeof(m->state));
}

static void add(struct model *m, uint32_t at, uint32_t len, uint8_t fill)
{
	uint8_t bytes[1024] = { 0 };
	bool whole;

	len = len > sizeof(bytes) ? (uint32_t)sizeof(bytes) : len;
	len = at + len > ROOM ? ROOM - at : len;
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(fill + i * 7);
	whole = stream_add(pool, m->id, m->base + at, bytes, len);
	for (uint32_t i = 0; i < len; i++) {
		if (at + i < m->head || m->state[at + i] == KNOWN)
			continue; /* what was first stays */
		if (m->state[at + i] == UNSURE && m->byte[at + i] != bytes[i])
			m->byte[at + i] = 0; /* no longer of use */
		else
			m->byte[at + i] = bytes[i];
		if (m->state[at + i] == NOT_THERE)
			m->state[at + i] = whole ? KNOWN : UNSURE;
	}
}

/* All that is known to be there in order is ready, and nothing else. */
static void check(struct model *m)
{
	uint32_t len, sure = 0, hole = stream_hole(pool, m->id);
	const uint8_t *at = stream_ready(pool, m->id, &len);

	if (len > STREAM_WINDOW || m->head + len > ROOM)
		abort();
	while (m->head + sure < ROOM && m->state[m->head + sure] == KNOWN)
		sure++;
	if (len < sure)
		abort();
	for (uint32_t i = 0; i < len; i++) {
		uint32_t pos = m->head + i;

		if (m->state[pos] == NOT_THERE ||
		    (m->state[pos] == KNOWN && m->byte[pos] != at[i]))
			abort();
	}
	for (uint32_t i = 0; i < hole; i++)
		if (m->head + len + i >= ROOM || m->state[m->head + len + i] == KNOWN)
			abort();
	if (hole && m->state[m->head + len + hole] == NOT_THERE)
		abort();
}

static void consume(struct model *m, uint32_t n)
{
	if (m->head + n >= ROOM)
		return;
	stream_consume(pool, m->id, n);
	m->head += n;
}

static void step(uint8_t op, uint8_t a, uint8_t b)
{
	uint32_t owner = op & 3, len;
	struct model *m = &model[owner];

	if (!m->open) {
		begin(owner, 0xffffff00u + a * 2u);
		return;
	}
	switch (op >> 2 & 7) {
	case 0:
	case 1:
		add(m, m->head + (uint32_t)a * 4, b, (uint8_t)(op >> 5));
		break;
	case 2:
		add(m, m->head + (uint32_t)a * 64, (uint32_t)b * 8, 1);
		break;
	case 3:
		add(m, m->head > a ? m->head - a : 0, (uint32_t)b * 4, 2);
		break;
	case 4: /* as far as there is, as recognisers do */
		stream_ready(pool, m->id, &len);
		consume(m, len < b ? len : b);
		break;
	case 5: /* past it: the rest of a long message */
		consume(m, (uint32_t)a << (b & 3));
		break;
	case 6:
		stream_ready(pool, m->id, &len);
		consume(m, len);
		break;
	case 7:
		stream_release(pool, m->id);
		m->open = false;
		return;
	}
	if (m->head > ROOM - 20000) { /* begin again before the model is full */
		stream_release(pool, m->id);
		m->open = false;
		return;
	}
	check(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	const uint8_t *op;
	uint32_t base = cursor_be32(&c);

	pool = stream_pool_new(STREAMS);
	if (!pool)
		return 0;
	for (int i = 0; i < OWNERS; i++)
		model[i].open = false;
	begin(0, base);
	for (int i = 0; i < STEPS && (op = cursor_take(&c, 3)) != NULL; i++)
		step(op[0], op[1], op[2]);
	stream_pool_free(pool);
	return 0;
}

#include "fuzz_replay.h"
