/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: shadowed rules against brute force: what is reported can go, nothing else */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "policytree.h"

/* A small world: 8 sources, 8 ports, 3 ends, 3 schedules; every flow of it is looked at,
 * by another way than the algebra: each rule is a bit map. */
enum { TREES = 400, RULES_MAX = 7, SOURCES = 8, PORTS = 8, PORT = 100, FIRST_LINE = 5 };
#define NOW INT64_C(1780272000) /* 2026-06-01, a Monday */

struct rule {
	unsigned src_lo, src_hi, src2, port_lo, port_hi, ends, when, nla;
};

static const char *const ends[] = { "", ", expires: 2030-01-01", ", expires: 2031-01-01" };
static const char *const whens[] = { "", ", schedule: Mon-Fri 07:00-19:00",
	", schedule: Sat 07:00-19:00" };
/* Seconds at which the two policies are compared: by day, night, weekend, year. */
static const int64_t times[] = { NOW + 36000, NOW + 3600, NOW + 5 * 86400 + 36000,
	NOW + 5 * 365 * 86400 + 36000, NOW + 4 * 365 * 86400 + 36000 };

static unsigned below(unsigned *seed, unsigned n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 16) % n;
}

static void make(unsigned *seed, struct rule *r)
{
	r->src_lo = below(seed, SOURCES);
	r->src_hi = r->src_lo + below(seed, SOURCES - r->src_lo);
	r->src2 = below(seed, SOURCES);
	r->port_lo = below(seed, PORTS);
	r->port_hi = r->port_lo + below(seed, PORTS - r->port_lo);
	r->ends = below(seed, 4) == 0 ? below(seed, 3) : 0;
	r->when = below(seed, 4) == 0 ? below(seed, 3) : 0;
}

static bool takes(const struct rule *r, unsigned src, unsigned port)
{
	return ((r->src_lo <= src && src <= r->src_hi) || r->src2 == src) &&
	    r->port_lo <= port && port <= r->port_hi;
}

/* Rule i stands in line FIRST_LINE + i of hosts/a.yaml. */
static void write_host(char *buf, size_t size, const struct rule *r, unsigned n,
    const bool *without)
{
	int at = snprintf(buf, size, "host: a\naddresses: 10.9.0.11\nallow:\n  inbound:\n");

	for (unsigned i = 0; i < n; i++) {
		if (without != NULL && without[i])
			continue;
		at += snprintf(buf + at, size - (size_t)at,
		    "  - { id: r%u, service: tcp/%u-%u, from: [10.1.0.%u-10.1.0.%u, 10.1.0.%u]%s%s }\n",
		    i, PORT + r[i].port_lo, PORT + r[i].port_hi, r[i].src_lo, r[i].src_hi,
		    r[i].src2, ends[r[i].ends], whens[r[i].when]);
	}
}

static struct fs *load(const char *host, struct diaglist *d, policytree_fn *fn)
{
	struct policytree_file files[] = { { "cordon.yaml", POLICYTREE_CORDON },
		{ "hosts/a.yaml", host }, { NULL, NULL } };
	struct fs *fs = NULL;

	diag_init(d);
	if (policytree_with(files, NOW, d, &fs, fn) != 0) {
		diag_print(d, stderr, false);
		fail_msg("the policy has errors:\n%s", host);
	}
	return fs;
}

static bool allowed(const struct fs *fs, unsigned src, unsigned port, int64_t at)
{
	struct fs_flow f = { .proto = IPPROTO_TCP, .dport = (uint16_t)(PORT + port), .at = at };
	struct fs_verdict v;
	char text[32];

	snprintf(text, sizeof(text), "10.1.0.%u", src);
	assert_int_equal(netaddr_parse(text, &f.src), 0);
	assert_int_equal(netaddr_parse("10.9.0.11", &f.dst), 0);
	fs_judge(fs, &f, &v);
	return v.result == FS_ALLOW;
}

/* Whether rules that are kept, each as long and as often, hold all of rule i. */
static bool needless(const struct rule *r, unsigned n, unsigned i, const bool *gone)
{
	for (unsigned src = 0; src < SOURCES; src++) {
		for (unsigned port = 0; port < PORTS; port++) {
			bool held = !takes(&r[i], src, port);

			for (unsigned k = 0; k < n && !held; k++)
				held = k != i && !gone[k] && takes(&r[k], src, port) &&
				    (r[k].ends == 0 ||
					(r[i].ends != 0 && r[i].ends <= r[k].ends)) &&
				    (r[k].when == 0 || r[k].when == r[i].when);
			if (!held)
				return false;
		}
	}
	return true;
}

static unsigned reported(const struct diaglist *d, bool *gone)
{
	unsigned n = 0;

	for (size_t i = 0; i < d->n; i++) {
		if (strcmp(d->d[i].code->code, "CRD100") != 0 &&
		    strcmp(d->d[i].code->code, "CRD101") != 0)
			continue;
		assert_in_range(d->d[i].loc.line, FIRST_LINE, FIRST_LINE + RULES_MAX - 1);
		gone[d->d[i].loc.line - FIRST_LINE] = true;
		n++;
	}
	return n;
}

static void compare(const struct fs *a, const struct fs *b, const char *host)
{
	for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++) {
		for (unsigned src = 0; src < SOURCES; src++) {
			for (unsigned port = 0; port < PORTS; port++) {
				if (allowed(a, src, port, times[t]) !=
				    allowed(b, src, port, times[t]))
					fail_msg("10.1.0.%u tcp/%u changes:\n%s", src,
					    PORT + port, host);
			}
		}
	}
}

static void test_shadow(void **state)
{
	unsigned seed = getenv("SEED") != NULL ? (unsigned)atoi(getenv("SEED")) : 2008;
	unsigned found = 0, kept = 0;

	(void)state;
	print_message("seed %u\n", seed);
	for (unsigned tree = 0; tree < TREES; tree++) {
		struct rule r[RULES_MAX];
		unsigned n = 2 + below(&seed, RULES_MAX - 1);
		bool gone[RULES_MAX] = { false };
		char host[2048], rest[2048];
		struct diaglist d;
		struct fs *all, *fewer;

		for (unsigned i = 0; i < n; i++)
			make(&seed, &r[i]);
		write_host(host, sizeof(host), r, n, NULL);
		all = load(host, &d, rules_check);
		found += reported(&d, gone);
		diag_free(&d);
		for (unsigned i = 0; i < n; i++) {
			kept += !gone[i];
			if (!gone[i] && needless(r, n, i, gone))
				fail_msg("rule r%u could go:\n%s", i, host);
		}
		write_host(rest, sizeof(rest), r, n, gone);
		fewer = load(rest, &d, rules_load);
		diag_free(&d);
		compare(all, fewer, host);
		free(all);
		free(fewer);
	}
	print_message("%d policies, %u rules needless, %u not\n", TREES, found, kept);
	assert_in_range(found, TREES / 10, TREES * RULES_MAX);
	assert_in_range(kept, TREES, TREES * RULES_MAX);
}

/* Each code has its second half, and each half its code. */
static void test_help(void **state)
{
	(void)state;
	for (const struct diag_code *c = diag_codes; c->code != NULL; c++) {
		const struct diag_help *h = diag_help_find(c->code);

		if (h == NULL)
			fail_msg("%s has no row in diagwhy.c", c->code);
		assert_true(h->why[0] != '\0' && h->example[0] != '\0');
		assert_ptr_equal(diag_code_find(c->code), c);
	}
	for (const struct diag_help *h = diag_help; h->code != NULL; h++) {
		if (diag_code_find(h->code) == NULL)
			fail_msg("%s of diagwhy.c is no code", h->code);
		assert_ptr_equal(diag_help_find(h->code), h);
	}
}

/* Notes never take the place of an error; what is accepted counts as neither. */
static void test_counts(void **state)
{
	struct diaglist d;
	struct diag_loc at = { .line = 1 };

	(void)state;
	diag_init(&d);
	at.file = diag_file(&d, "a.yaml");
	for (at.line = 1; at.line <= DIAG_MAX + 5; at.line++)
		diag_add(&d, "CRD113", at, "note");
	assert_int_equal(d.n, DIAG_NOTES_MAX);
	assert_true(d.notes_cut && !d.cut);
	diag_add(&d, "CRD020", at, "error");
	diag_add(&d, "CRD105", at, "warning");
	diag_accept(&d, "why not");
	assert_int_equal(d.n, DIAG_NOTES_MAX + 2);
	assert_int_equal(d.errors, 1);
	assert_int_equal(d.warnings, 0);
	assert_int_equal(d.accepted, 1);
	assert_string_equal(d.d[d.n - 1].accepted, "why not");
	diag_add(&d, "CRD105", at, "warning"); /* equal to the accepted one */
	diag_accept(&d, "why not");
	diag_sort(&d);
	assert_int_equal(d.accepted, 1);
	assert_int_equal(d.warnings, 0);
	diag_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shadow),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
