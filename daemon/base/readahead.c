/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: packets of a file read ahead, on another processor where there is one */
#include "base/readahead.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wire/decode.h"

/* Few enough bytes that they are still in the cache when they are looked at. */
enum { BATCHES = 3, BATCH_PACKETS = 1024, BATCH_BYTES = 1 << 18 };

struct batch {
	int n, ended; /* packets; what the source returned after them, 1: there are more */
	size_t room;
	uint8_t *bytes;
	struct pkt_in packet[BATCH_PACKETS];
};

struct readahead {
	readahead_source *source;
	void *arg;
	bool threaded, open; /* open: batch `at` is being read from */
	atomic_bool stop;
	int at, taken; /* batch, packets taken of it */
	pthread_t thread;
	sem_t empty, full;
	struct pkt_in left; /* read, but found no room */
	bool has_left;
	struct batch batch[BATCHES];
};

/* Copy one packet; false: it has to go into the next batch. */
static bool put(struct batch *b, const struct pkt_in *in, size_t *used)
{
	uint8_t *bigger;

	if (b->n > 0 && (b->n == BATCH_PACKETS || in->caplen > b->room - *used))
		return false;
	if (in->caplen > b->room) { /* alone in its batch */
		bigger = realloc(b->bytes, in->caplen);
		if (!bigger) {
			b->ended = -1;
			return true;
		}
		b->bytes = bigger;
		b->room = in->caplen;
	}
	memcpy(b->bytes + *used, in->bytes, in->caplen);
	b->packet[b->n] = *in;
	b->packet[b->n++].bytes = b->bytes + *used;
	*used += in->caplen;
	return true;
}

static void fill(struct readahead *r, struct batch *b)
{
	size_t used = 0;

	b->n = 0;
	b->ended = 1;
	if (r->has_left)
		put(b, &r->left, &used);
	r->has_left = false;
	while (b->ended == 1) {
		b->ended = r->source(r->arg, &r->left);
		if (b->ended != 1)
			return;
		if (!put(b, &r->left, &used)) {
			r->has_left = true; /* its bytes stay until the source is asked again */
			return;
		}
	}
}

static void *reader(void *arg)
{
	struct readahead *r = arg;
	bool more = true;

	for (int i = 0; more; i = (i + 1) % BATCHES) {
		while (sem_wait(&r->empty) != 0)
			;
		if (atomic_load(&r->stop))
			break;
		fill(r, &r->batch[i]);
		more = r->batch[i].ended == 1;
		sem_post(&r->full);
	}
	return NULL;
}

static bool worth_a_thread(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1;
}

struct readahead *readahead_new(readahead_source *source, void *arg)
{
	struct readahead *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->source = source;
	r->arg = arg;
	for (int i = 0; i < BATCHES; i++) {
		r->batch[i].room = BATCH_BYTES;
		r->batch[i].bytes = malloc(BATCH_BYTES);
		if (!r->batch[i].bytes) {
			readahead_free(r);
			return NULL;
		}
	}
	sem_init(&r->empty, 0, BATCHES);
	sem_init(&r->full, 0, 0);
	r->threaded =
	    worth_a_thread() && pthread_create(&r->thread, NULL, reader, r) == 0;
	return r;
}

void readahead_free(struct readahead *r)
{
	if (!r)
		return;
	if (r->threaded) {
		atomic_store(&r->stop, true);
		sem_post(&r->empty);
		pthread_join(r->thread, NULL);
	}
	for (int i = 0; i < BATCHES; i++)
		free(r->batch[i].bytes);
	free(r);
}

/* The batch to take from, the next one where the last was used up. */
static struct batch *current(struct readahead *r)
{
	struct batch *b = &r->batch[r->at];

	if (r->open && (r->taken < b->n || b->ended != 1))
		return b;
	if (r->open && r->threaded)
		sem_post(&r->empty);
	if (r->open)
		r->at = (r->at + 1) % BATCHES;
	b = &r->batch[r->at];
	if (!r->threaded)
		fill(r, b);
	else
		while (sem_wait(&r->full) != 0)
			;
	r->open = true;
	r->taken = 0;
	return b;
}

int readahead_some(struct readahead *r, struct pkt_in *ret, int max)
{
	struct batch *b = current(r);
	int n = b->n - r->taken < max ? b->n - r->taken : max;

	if (n == 0)
		return b->ended;
	memcpy(ret, &b->packet[r->taken], (size_t)n * sizeof(*ret));
	r->taken += n;
	return n;
}
