/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a small policy built by hand, for tests of what reads one */
#ifndef TESTS_SMALLFS_H
#define TESTS_SMALLFS_H

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/flowspace.h>
#include <cordon/guard.h>

/* erp    10.20.8.11 and fd00:20:8::11, enforced: mssql from 10.30.0.0/24, rdp from
 *        10.1.0.9, out smb to 10.40.0.5; guard "eternal" drops, "noisy" alerts
 * xray   10.20.8.12, observed, no rules; guard "eternal" drops
 * 10.20.8.0/24 and fd00:20:8::/64 protected.  Gateway 10.20.8.1 and 10.9.0.1,
 * management 10.1.0.0/30, never 10.30.0.250 and fd00:9::7. */
static inline struct netaddr ip(const char *text)
{
	struct netaddr a = { 0 };

	if (netaddr_parse(text, &a) < 0)
		abort();
	return a;
}

static inline struct netrange range(const char *text)
{
	struct netrange r = { 0 };

	if (netrange_parse(text, &r, NULL) < 0)
		abort();
	return r;
}

static inline struct fs_span ranges(struct fs_builder *b, const char *one, const char *two)
{
	struct netrange r[2] = { range(one), range(two ? two : one) };

	return fsb_ranges(b, r, two ? 2 : 1);
}

static inline void smallfs_rule(struct fs_builder *b, uint32_t host, enum fs_dir dir,
    const char *id, uint16_t port, uint8_t grants, const char *peer)
{
	struct fs_service s = { .name = fsb_str(b, id), .lo = port, .hi = port,
		.proto = IPPROTO_TCP, .grants = grants };
	struct fs_rule r = { .id = fsb_str(b, id), .host = host, .dir = (uint8_t)dir,
		.schedule = FS_NONE, .expires = FS_FOREVER, .line = 1 };

	r.services = (struct fs_span){ fsb_add(b, FS_SERVICES, &s), 1 };
	r.peers = ranges(b, peer, NULL);
	fsb_add(b, FS_RULES, &r);
}

static inline uint32_t smallfs_guard(struct fs_builder *b, const char *id, uint8_t action)
{
	struct guard g = { .id = fsb_str(b, id), .title = fsb_str(b, "Title of the guard"),
		.attack = fsb_str(b, "T1210"), .protocol = FS_SMB, .action = action,
		.alternative_len = { 1 } };
	struct guard_term t = { .offset = 4, .len = 1, .mask = { 255 }, .value = { 255 } };
	uint32_t cve = fsb_str(b, "CVE-2017-0144");

	g.cve_first = fsb_add(b, FS_WORDS, &cve);
	g.cve_count = 1;
	g.term_first = fsb_add(b, FS_GUARD_TERMS, &t);
	g.term_count = 1;
	return fsb_add(b, FS_GUARDS, &g);
}

static inline struct fs_span smallfs_uses(struct fs_builder *b, uint32_t first, uint32_t n,
    const uint8_t *actions)
{
	struct fs_span span = { 0, n };

	for (uint32_t i = 0; i < n; i++) {
		struct fs_guard_use u = { .guard = first + i, .expires = FS_FOREVER,
			.action = actions[i], .default_action = actions[i] };
		uint32_t at = fsb_add(b, FS_GUARD_USES, &u);

		if (i == 0)
			span.first = at;
	}
	return span;
}

static inline uint32_t smallfs_host(struct fs_builder *b, const char *name,
    const char *addr, const char *addr6, enum fs_mode mode, bool declared)
{
	struct fs_host h = { .name = fsb_str(b, name), .mode = (uint8_t)mode,
		.declared = declared, .addresses = ranges(b, addr, addr6) };

	return fsb_add(b, FS_HOSTS, &h);
}

/* block_on: bits of enum fs_block_on.  without: a port whose rules are left out, 0: none.
 * The caller free()s the result. */
static inline struct fs *smallfs_without(uint8_t block_on, uint16_t without)
{
	static const uint8_t erp_uses[] = { FS_GUARD_DROP, FS_GUARD_ALERT };
	struct fs_builder *b = fsb_new();
	struct fs_settings *s = fsb_settings(b);
	uint32_t erp, xray, guard;
	struct fs *fs;

	s->addresses = ranges(b, "10.20.8.1", "10.9.0.1");
	s->management = ranges(b, "10.1.0.0/30", NULL);
	s->never = ranges(b, "10.30.0.250", "fd00:9::7");
	s->block_ttl_s = 3600;
	s->scan_targets = 20;
	s->scan_within_s = 60;
	s->logon_failures = 10;
	s->logon_attempts = 40;
	s->logon_within_s = 300;
	s->block_on = block_on;
	guard = smallfs_guard(b, "eternal", FS_GUARD_DROP);
	smallfs_guard(b, "noisy", FS_GUARD_ALERT);
	erp = smallfs_host(b, "erp", "10.20.8.11", "fd00:20:8::11", FS_ENFORCE, true);
	xray = smallfs_host(b, "xray", "10.20.8.12", NULL, FS_OBSERVE, true);
	smallfs_host(b, "10.20.8.0/24", "10.20.8.0/24", NULL, FS_ENFORCE, false);
	smallfs_host(b, "fd00:20:8::/64", "fd00:20:8::/64", NULL, FS_ENFORCE, false);
	fsb_host(b, erp)->guards = smallfs_uses(b, guard, 2, erp_uses);
	fsb_host(b, xray)->guards = smallfs_uses(b, guard, 1, erp_uses);
	if (without != 1433) {
		smallfs_rule(b, erp, FS_IN, "erp/in/mssql", 1433, 0, "10.30.0.0/24");
		smallfs_rule(b, erp, FS_IN, "erp/in/mssql6", 1433, 0, "fd00:30::/64");
		smallfs_rule(b, erp, FS_IN, "erp/in/near6", 1433, 0, "fd00:9::/64");
	}
	smallfs_rule(b, erp, FS_IN, "erp/in/rdp", 3389, FS_RDP, "10.1.0.9");
	smallfs_rule(b, erp, FS_OUT, "erp/out/smb", 445, FS_SMB, "10.40.0.5");
	fs = fsb_finish(b);
	fsb_free(b);
	return fs;
}

static inline struct fs *smallfs(uint8_t block_on)
{
	return smallfs_without(block_on, 0);
}

#endif
