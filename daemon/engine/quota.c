/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: how many event lines a minute one source, one host may cause */
#include "engine/quota.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES = 8 };
#define MINUTE_US 60000000ull

struct slot {
	uint64_t key;
	uint32_t minute, used; /* used 0: free */
};

struct quota {
	uint8_t secret[crypto_shorthash_KEYBYTES];
	struct slot source[QUOTA_SOURCES], host[QUOTA_HOSTS];
};

struct quota *quota_new(void)
{
	struct quota *q = calloc(1, sizeof(*q));

	if (q)
		crypto_shorthash_keygen(q->secret);
	return q;
}

void quota_free(struct quota *q)
{
	free(q);
}

static uint64_t hash(const struct quota *q, const void *data, size_t len)
{
	uint64_t h;

	crypto_shorthash((uint8_t *)&h, data, len, q->secret);
	return h;
}

/* Its slot of this minute, or one that is free or of an earlier minute; NULL: none. */
static struct slot *slot_of(struct slot *table, size_t n, uint64_t key, uint32_t minute)
{
	struct slot *spare = NULL;

	for (size_t i = 0; i < PROBES; i++) {
		struct slot *s = &table[(key + i) % n];

		if (s->used && s->minute == minute && s->key == key)
			return s;
		if (!spare && (!s->used || s->minute != minute))
			spare = s;
	}
	return spare;
}

static bool has_room(const struct slot *s, uint64_t key, uint32_t minute, uint32_t max)
{
	return max == 0 || !s || s->minute != minute || s->key != key || s->used < max;
}

static void take(struct slot *s, uint64_t key, uint32_t minute)
{
	if (!s)
		return;
	if (s->minute != minute || s->key != key)
		*s = (struct slot){ .key = key, .minute = minute };
	s->used++;
}

bool quota_take(struct quota *q, const struct netaddr *source, uint32_t source_max,
    const char *host, uint32_t host_max, uint64_t mono_us)
{
	uint32_t minute = (uint32_t)(mono_us / MINUTE_US);
	uint64_t skey = 0, hkey = 0;
	struct slot *s = NULL, *h = NULL;

	if (source->v && source_max) {
		skey = hash(q, source->b, source->v == 4 ? 4 : 8) ^ source->v;
		s = slot_of(q->source, QUOTA_SOURCES, skey, minute);
	}
	if (*host && host_max) {
		hkey = hash(q, host, strlen(host));
		h = slot_of(q->host, QUOTA_HOSTS, hkey, minute);
	}
	if (!has_room(s, skey, minute, source_max) || !has_room(h, hkey, minute, host_max))
		return false;
	take(s, skey, minute);
	take(h, hkey, minute);
	return true;
}
