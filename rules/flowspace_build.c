/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: building the flat block of a resolved policy */
#include <cordon/flowspace.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "rules/flat.h"
#include "rules/fs_tables.h"

struct fs_builder {
	struct flat flat;
	struct fs_settings settings;
	uint32_t *range_hash; /* spans of FS_RANGES stored before: first + 1 */
	uint32_t *range_count;
	size_t range_cap, range_used;
};

struct fs_builder *fsb_new(void)
{
	struct fs_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->range_cap = 4096;
	b->range_hash = calloc(b->range_cap, sizeof(*b->range_hash));
	b->range_count = calloc(b->range_cap, sizeof(*b->range_count));
	if (b->range_hash == NULL || b->range_count == NULL ||
	    flat_init(&b->flat, fs_elem_size, FS_NTABLES) == -1) {
		fsb_free(b);
		return NULL;
	}
	return b;
}

void fsb_free(struct fs_builder *b)
{
	if (b == NULL)
		return;
	flat_free(&b->flat);
	free(b->range_hash);
	free(b->range_count);
	free(b);
}

uint32_t fsb_str(struct fs_builder *b, const char *s)
{
	return flat_str(&b->flat, s);
}

uint32_t fsb_add(struct fs_builder *b, enum fs_table t, const void *elem)
{
	return flat_add(&b->flat, t, elem, 1);
}

struct fs_settings *fsb_settings(struct fs_builder *b)
{
	return &b->settings;
}

struct fs_host *fsb_host(struct fs_builder *b, uint32_t i)
{
	return flat_at(&b->flat, FS_HOSTS, i);
}

static uint32_t hash_ranges(const struct netrange *r, size_t n)
{
	const uint8_t *at = (const uint8_t *)r;
	size_t len = n * sizeof(*r);
	uint64_t h = len, word = 0;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	word = 0;
	memcpy(&word, at, len);
	h = (h ^ word) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32);
}

enum { FEW = 8 }; /* ranges of most lists */

static void range_hash_grow(struct fs_builder *b)
{
	size_t cap = b->range_cap * 2;
	uint32_t *h = calloc(cap, sizeof(*h)), *c = calloc(cap, sizeof(*c));

	if (h == NULL || c == NULL) {
		free(h);
		free(c);
		b->flat.failed = true;
		return;
	}
	for (size_t i = 0; i < b->range_cap; i++) {
		size_t at;

		if (b->range_hash[i] == 0)
			continue;
		at = hash_ranges(flat_at(&b->flat, FS_RANGES, b->range_hash[i] - 1),
			 b->range_count[i]) & (cap - 1);
		while (h[at] != 0)
			at = (at + 1) & (cap - 1);
		h[at] = b->range_hash[i];
		c[at] = b->range_count[i];
	}
	free(b->range_hash);
	free(b->range_count);
	b->range_hash = h;
	b->range_count = c;
	b->range_cap = cap;
}

struct fs_span fsb_ranges(struct fs_builder *b, const struct netrange *r, size_t n)
{
	struct fs_span s = { 0, 0 };
	struct netrange few[FEW], *own = few;
	size_t at;

	if (n == 0 || b->flat.failed)
		return s;
	if (n > FEW)
		own = calloc(n, sizeof(*own));
	if (own == NULL) {
		b->flat.failed = true;
		return s;
	}
	memcpy(own, r, n * sizeof(*own));
	n = netranges_merge(own, n);
	if (b->range_used * 2 >= b->range_cap)
		range_hash_grow(b);
	at = hash_ranges(own, n) & (b->range_cap - 1);
	for (; !b->flat.failed && b->range_hash[at] != 0;
	     at = (at + 1) & (b->range_cap - 1)) {
		s.first = b->range_hash[at] - 1;
		s.count = b->range_count[at];
		if (s.count == n &&
		    memcmp(flat_at(&b->flat, FS_RANGES, s.first), own,
			n * sizeof(*own)) == 0)
			goto out;
	}
	s.first = flat_add(&b->flat, FS_RANGES, own, n);
	s.count = (uint32_t)n;
	if (!b->flat.failed) {
		b->range_hash[at] = s.first + 1;
		b->range_count[at] = s.count;
		b->range_used++;
	}
out:
	if (own != few)
		free(own);
	return s;
}

/* ---- finishing ---- */

static int by_rule(const void *x, const void *y, void *arg)
{
	const struct fs_rule *a = x, *b = y;
	const char *strings = arg;

	if (a->host != b->host)
		return a->host < b->host ? -1 : 1;
	if (a->dir != b->dir)
		return a->dir < b->dir ? -1 : 1;
	return strcmp(strings + a->id, strings + b->id);
}

static bool same_list(const struct fs_rule *a, const struct fs_rule *b)
{
	return a->host == b->host && a->dir == b->dir;
}

/* They come host by host, so that only the few of each list are out of order. */
static void sort_runs(struct fs_rule *r, size_t n, char *strings)
{
	size_t end;

	for (size_t i = 1; i < n; i++) {
		if (!same_list(&r[i - 1], &r[i]) &&
		    (r[i - 1].host > r[i].host ||
			(r[i - 1].host == r[i].host && r[i - 1].dir > r[i].dir))) {
			qsort_r(r, n, sizeof(*r), by_rule, strings);
			return;
		}
	}
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && same_list(&r[i], &r[end]); end++)
			;
		if (end - i > 1)
			qsort_r(r + i, end - i, sizeof(*r), by_rule, strings);
	}
}

static void sort_rules(struct fs_builder *b)
{
	struct flat_table *t = &b->flat.t[FS_RULES];
	struct fs_rule *r = (struct fs_rule *)(void *)t->at;
	size_t nhosts = b->flat.t[FS_HOSTS].count;

	for (uint32_t h = 0; h < nhosts; h++)
		memset(fsb_host(b, h)->rules, 0, sizeof(fsb_host(b, h)->rules));
	if (t->count == 0)
		return;
	sort_runs(r, t->count, b->flat.t[FS_STRINGS].at);
	for (uint32_t i = 0; i < t->count; i++) {
		struct fs_span *s = &fsb_host(b, r[i].host)->rules[r[i].dir];

		if (s->count++ == 0)
			s->first = i;
	}
}

static int by_place(const void *x, const void *y)
{
	const struct fs_place *a = x, *b = y;

	return netaddr_cmp(&a->range.lo, &b->range.lo);
}

static void add_place(struct fs_builder *b, struct netrange range, uint32_t host)
{
	struct fs_place p;

	memset(&p, 0, sizeof(p)); /* padding is part of the digest */
	p.range = range;
	p.host = host;
	flat_add(&b->flat, FS_PLACES, &p, 1);
}

static void add_places(struct fs_builder *b, struct fs_span addresses, uint32_t host)
{
	for (uint32_t i = 0; i < addresses.count; i++) {
		const struct netrange *r =
		    flat_at(&b->flat, FS_RANGES, addresses.first + i);

		add_place(b, *r, host);
	}
}

/* What of r is not taken by the sorted places[0..n) is added with host h. */
static void add_gaps(struct fs_builder *b, struct netrange r, uint32_t h, size_t n)
{
	size_t lo = 0, hi = n;

	while (lo < hi) { /* the first place that does not end before r */
		size_t mid = lo + (hi - lo) / 2;
		const struct fs_place *p = flat_at(&b->flat, FS_PLACES, mid);

		if (netaddr_cmp(&p->range.hi, &r.lo) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = lo; i < n; i++) {
		struct fs_place taken = *(struct fs_place *)flat_at(&b->flat, FS_PLACES, i);
		struct netrange gap = r;

		if (netaddr_cmp(&taken.range.lo, &r.hi) > 0)
			break;
		if (netaddr_cmp(&taken.range.lo, &r.lo) > 0) {
			gap.hi = taken.range.lo;
			netaddr_prev(&gap.hi);
			add_place(b, gap, h);
		}
		if (netaddr_cmp(&taken.range.hi, &r.hi) >= 0)
			return;
		r.lo = taken.range.hi;
		netaddr_next(&r.lo);
	}
	add_place(b, r, h);
}

static void sort_places(struct fs_builder *b)
{
	struct flat_table *t = &b->flat.t[FS_PLACES];

	if (t->count > 0)
		qsort(t->at, t->count, t->elem, by_place);
}

static int prefix_len_of(struct fs_builder *b, uint32_t h)
{
	const struct fs_span s = fsb_host(b, h)->addresses;

	return s.count == 0 ? 0 :
	    netrange_prefixlen(flat_at(&b->flat, FS_RANGES, s.first));
}

/* The gateway's own addresses are in no place: they stand in while the gaps are
 * filled, and are dropped afterwards. */
static void drop_gateway_places(struct fs_builder *b)
{
	struct flat_table *t = &b->flat.t[FS_PLACES];
	struct fs_place *p = (struct fs_place *)(void *)t->at;
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++)
		if (p[i].host != FS_NONE)
			p[kept++] = p[i];
	t->count = kept;
}

/* Declared hosts first, then the prefixes around them, the longest first so that a
 * prefix within a prefix keeps its own mode. */
static void build_places(struct fs_builder *b)
{
	size_t nhosts = b->flat.t[FS_HOSTS].count;

	b->flat.t[FS_PLACES].count = 0;
	add_places(b, b->settings.addresses, FS_NONE);
	for (uint32_t h = 0; h < nhosts; h++)
		if (fsb_host(b, h)->declared)
			add_places(b, fsb_host(b, h)->addresses, h);
	sort_places(b);
	for (int len = 128; len >= 0; len--) {
		for (uint32_t h = 0; h < nhosts; h++) {
			struct fs_span s = fsb_host(b, h)->addresses;

			if (fsb_host(b, h)->declared || s.count == 0 ||
			    prefix_len_of(b, h) != len)
				continue;
			add_gaps(b, *(struct netrange *)flat_at(&b->flat, FS_RANGES, s.first),
			    h, b->flat.t[FS_PLACES].count);
			sort_places(b);
		}
	}
	drop_gateway_places(b);
}

struct fs *fsb_finish(struct fs_builder *b)
{
	struct fs head, *fs;
	size_t size;

	memset(&head, 0, sizeof(head)); /* padding is part of the digest */
	memcpy(head.magic, "cordonfs", sizeof(head.magic));
	head.version = FS_VERSION;
	memcpy(&head.settings, &b->settings, sizeof(head.settings));
	sort_rules(b);
	build_places(b);
	fs = flat_finish(&b->flat, &head, sizeof(head), offsetof(struct fs, table), &size);
	if (fs == NULL)
		return NULL;
	fs->size = (uint32_t)size;
	crypto_generichash(fs->digest, sizeof(fs->digest), (const uint8_t *)fs, size, NULL,
	    0);
	return fs;
}
