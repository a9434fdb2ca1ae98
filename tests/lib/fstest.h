/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: flow spaces in a few lines, for unit tests */
#ifndef TESTS_FSTEST_H
#define TESTS_FSTEST_H

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/flowspace.h>

/* A list of up to 16 ranges from text: "10.0.0.1 10.1.0.0/16". */
static inline struct fs_span ft_ranges(struct fs_builder *b, const char *text)
{
	struct netrange r[16];
	size_t n = 0;
	char *copy = strdup(text), *save = NULL;

	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		if (n < 16 && netrange_parse(w, &r[n], NULL) == 0)
			n++;
	free(copy);
	return fsb_ranges(b, r, n);
}

static inline uint32_t ft_host(struct fs_builder *b, const char *name,
    const char *addresses, bool declared, enum fs_mode mode)
{
	struct fs_host h;

	memset(&h, 0, sizeof(h));
	h.name = fsb_str(b, name);
	h.declared = declared;
	h.mode = (uint8_t)mode;
	h.addresses = ft_ranges(b, addresses);
	return fsb_add(b, FS_HOSTS, &h);
}

struct ft_rule {
	const char *id, *peers;
	enum fs_dir dir;
	uint8_t proto, grants, require;
	uint16_t lo, hi;
	int64_t expires;   /* 0: never */
	uint32_t schedule; /* index + 1, 0: none */
};

static inline void ft_rule(struct fs_builder *b, uint32_t host, struct ft_rule t)
{
	struct fs_service s;
	struct fs_rule r;

	memset(&s, 0, sizeof(s));
	memset(&r, 0, sizeof(r));
	s.proto = t.proto;
	s.lo = t.lo;
	s.hi = t.hi != 0 ? t.hi : t.lo;
	s.grants = t.grants;
	r.id = fsb_str(b, t.id);
	r.host = host;
	r.dir = (uint8_t)t.dir;
	r.require = t.require;
	r.expires = t.expires != 0 ? t.expires : FS_FOREVER;
	r.schedule = t.schedule != 0 ? t.schedule - 1 : FS_NONE;
	r.services.first = fsb_add(b, FS_SERVICES, &s);
	r.services.count = 1;
	r.peers = ft_ranges(b, t.peers);
	fsb_add(b, FS_RULES, &r);
}

static inline struct fs_verdict ft_judge(const struct fs *fs, const char *src,
    const char *dst, uint8_t proto, uint16_t port, int64_t at)
{
	struct fs_flow f;
	struct fs_verdict v;

	memset(&f, 0, sizeof(f));
	netaddr_parse(src, &f.src);
	netaddr_parse(dst, &f.dst);
	f.proto = proto;
	f.dport = port;
	f.at = at;
	fs_judge(fs, &f, &v);
	return v;
}

#endif
