/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: ends of a flow as people name them: address, declared host, gateway */
#include "cli/ends.h"

#include <stdlib.h>
#include <string.h>

#include <cordon/rules.h>

struct ends {
	const struct fs *fs;
	uint32_t mask, *slot; /* open hash of FS_HOSTS indexes + 1, 0: free */
};

static uint32_t hash(const char *s, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * 16777619u;
	return h ^ h >> 15;
}

struct ends *ends_new(const struct fs *fs)
{
	uint32_t hosts = fs->table[FS_HOSTS].count, slots = 16;
	struct ends *n = calloc(1, sizeof(*n));

	while (slots < 2 * hosts)
		slots *= 2;
	if (!n || !(n->slot = calloc(slots, sizeof(*n->slot)))) {
		free(n);
		return NULL;
	}
	n->fs = fs;
	n->mask = slots - 1;
	for (uint32_t i = 0; i < hosts; i++) {
		const char *name = fs_str(fs, fs_host(fs, i)->name);
		uint32_t at = hash(name, strlen(name)) & n->mask;

		if (!fs_host(fs, i)->declared)
			continue;
		while (n->slot[at])
			at = (at + 1) & n->mask;
		n->slot[at] = i + 1;
	}
	return n;
}

void ends_free(struct ends *n)
{
	if (n)
		free(n->slot);
	free(n);
}

uint32_t ends_host(const struct ends *n, const char *name, size_t len)
{
	for (uint32_t at = hash(name, len) & n->mask; n->slot[at];
	     at = (at + 1) & n->mask) {
		uint32_t i = n->slot[at] - 1;
		const char *s = fs_str(n->fs, fs_host(n->fs, i)->name);

		if (strncmp(s, name, len) == 0 && s[len] == '\0')
			return i;
	}
	return FS_NONE;
}

/* One end before the family is settled: by [0] = IPv4, [1] = IPv6; v 0: none. */
struct end {
	struct netaddr by[2];
};

static int end_of(const struct ends *n, const char *word, struct end *ret)
{
	const struct fs_span *span;
	struct netaddr a;
	uint32_t host;

	memset(ret, 0, sizeof(*ret));
	if (netaddr_parse(word, &a) == 0) {
		ret->by[a.v == 6] = a;
		return 0;
	}
	host = ends_host(n, word, strlen(word));
	if (host != FS_NONE)
		span = &fs_host(n->fs, host)->addresses;
	else if (strcmp(word, "gateway") == 0)
		span = &n->fs->settings.addresses;
	else
		return -1;
	for (uint32_t i = 0; i < span->count; i++) {
		const struct netaddr *lo = &fs_range(n->fs, span->first + i)->lo;

		if (!ret->by[lo->v == 6].v)
			ret->by[lo->v == 6] = *lo;
	}
	return 0;
}

int ends_flow(const struct ends *n, const char *const word[static 3],
    struct fs_flow *flow, const char **ret_why, unsigned *ret_word)
{
	struct end src, dst;
	unsigned family;
	const char *why;

	*ret_why = "neither an address nor the name of a declared host";
	if (end_of(n, word[0], &src) < 0) {
		*ret_word = 0;
		return -1;
	}
	if (end_of(n, word[1], &dst) < 0) {
		*ret_word = 1;
		return -1;
	}
	family = src.by[0].v && dst.by[0].v ? 0 : 1;
	if (!src.by[family].v || !dst.by[family].v) {
		*ret_why = "the two ends have no address family in common";
		*ret_word = 1;
		return -1;
	}
	flow->src = src.by[family];
	flow->dst = dst.by[family];
	if (rules_parse_service(
		word[2], flow->src.v, &flow->proto, &flow->dport, &why) < 0) {
		*ret_why = why;
		*ret_word = 2;
		return -1;
	}
	return 0;
}
