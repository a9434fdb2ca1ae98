/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a loader that was taken over hands in; with -DFUZZ_REPLAY a replayer
 *
 * Input: changes of [which block and offset, BE 32][value, BE 32] to a compiled flow
 * space (top bit clear) and its ruleset (set).  What passes as valid is used as enforcer,
 * engine and loader use it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/diag.h>
#include <cordon/flowspace.h>
#include <cordon/rules.h>
#include <cordon/ruleset.h>

#include "enforcer/guard.h"
#include "enforcer/shape.h"
#include "rules/load.h"
#include "rules/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char gateway_text[] =
    "cordon: 1\ngateway:\n  interfaces: [lan8]\n  addresses: [10.20.8.1]\n"
    "  protect: [10.20.8.0/24, {prefix: \"fd00:20:8::/64\", mode: observe}]\n"
    "  management: [10.1.0.0/24]\n  timezone: UTC\nblock: {never: [10.9.9.9]}\n";
static const char host_text[] =
    "host: a\naddresses: [10.20.8.11, \"fd00:20:8::11\"]\nallow:\n  inbound:\n"
    "    - {service: smb, from: 10.30.0.0/24, reason: r, expires: 2031-01-01}\n"
    "    - {service: rdp, from: [10.1.0.5, \"fd00:1::/64\"], schedule: 'Mon-Fri 07:00-19:00'}\n"
    "    - {service: tcp/1000-2000, from: any, reason: r, exposure: accepted, id: wide}\n"
    "  outbound:\n    - {service: ad-member, to: 10.2.0.0/24}\n";

static struct fs *good_fs;
static struct ruleset *good_rs;

static struct ruleset *compiled(const struct fs *fs)
{
	struct compile_opts o = { .at = 1800000000, .floor = 1700000000, .generation = 3,
		.log_group = 2008 };
	struct ruleset *rs = NULL;
	struct diaglist d;

	diag_init(&d);
	if (rules_compile(fs, &o, &d, &rs) != 0)
		rs = NULL;
	diag_free(&d);
	return rs;
}

static void start(void)
{
	struct diaglist d;
	struct policy p;

	diag_init(&d);
	policy_init(&p, &d);
	p.now = 1800000000;
	if (load_shipped(&p) == -1)
		abort();
	load_file(&p, FILE_CORDON, "cordon.yaml", gateway_text, sizeof(gateway_text) - 1, false);
	load_file(&p, FILE_HOSTS, "a.yaml", host_text, sizeof(host_text) - 1, false);
	if (pipeline_finish(&p, &good_fs) != 0) {
		diag_print(&d, stderr, false);
		abort();
	}
	good_rs = compiled(good_fs);
	if (!good_rs)
		abort();
	policy_free(&p);
	diag_free(&d);
}

static void use_fs(const struct fs *fs, FILE *out)
{
	struct fs_flow flow = { .proto = 6, .dport = 445, .at = 1800000000 };
	struct msg_block b = { .prefixlen = 64, .ttl_s = 600 };
	struct guard_state g;
	struct fs_verdict v;
	struct ruleset *rs;

	netaddr_parse("10.30.0.7", &flow.src);
	netaddr_parse("10.20.8.11", &flow.dst);
	fs_judge(fs, &flow, &v);
	fs_next_change(fs, 1800000000);
	netaddr_parse("2001:db8::1", &b.addr);
	guard_init(&g);
	guard_block(&g, fs, 1, &b);
	rs = compiled(fs);
	if (rs && !ruleset_valid(rs, rs->size))
		fputs("invalid\n", out); /* of nonsense, as names that are too long */
	free(rs);
}

static void use_rs(const struct ruleset *rs, FILE *out)
{
	shape_wrong(rs, good_fs);
	emit_nft(rs, out);
	emit_json(rs, out);
}

static uint32_t word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void *copy_of(const void *block, size_t size)
{
	void *copy = malloc(size);

	if (!copy)
		abort();
	return memcpy(copy, block, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *out = fopen("/dev/null", "w");
	uint8_t *block[2];
	size_t len[2];

	if (!good_rs)
		start();
	len[0] = good_fs->size;
	len[1] = good_rs->size;
	block[0] = copy_of(good_fs, len[0]);
	block[1] = copy_of(good_rs, len[1]);
	for (; size >= 8; data += 8, size -= 8) {
		uint32_t at = word(data), value = word(data + 4), which = at >> 31;

		at = (at & 0x7fffffff) % (uint32_t)(len[which] - 4) & ~UINT32_C(3);
		memcpy(block[which] + at, &value, 4);
	}
	if (out && fs_valid(block[0], len[0]))
		use_fs((const void *)block[0], out);
	if (out && ruleset_valid(block[1], len[1]))
		use_rs((const void *)block[1], out);
	free(block[0]);
	free(block[1]);
	if (out)
		fclose(out);
	return 0;
}

#include "fuzz_replay.h"
