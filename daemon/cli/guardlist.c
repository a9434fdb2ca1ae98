/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the guards of a policy, what each does where, and how sure it is */
#include "cli/guardlist.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cordon/flowspace.h>
#include <cordon/guard.h>

#include "cli/cli.h"
#include "cli/out.h"

static const char *const where_name[] = { [GUARD_KERNEL] = "kernel",
	[GUARD_SENSOR] = "sensor", [GUARD_BUILTIN] = "builtin" };
static const char *const dir_name[] = { [GUARD_TO_SERVER] = "to-server",
	[GUARD_TO_CLIENT] = "to-client", [GUARD_BOTH] = "both" };
static const char *const affects_name[] = { [GUARD_AFFECTS_YES] = "yes",
	[GUARD_AFFECTS_NO] = "no", [GUARD_AFFECTS_UNKNOWN] = "unknown" };

struct line {
	const struct guard *g;
	unsigned bits;   /* of its shortest alternative; 0: no pattern */
	double rate;     /* hits a packet (or message) of random bytes */
	unsigned drop, would_drop, alert, off; /* hosts and protected prefixes */
	unsigned excepted; /* of these, with exceptions */
};

static void weigh(const struct fs *fs, uint32_t i, struct line *l)
{
	struct guard_alternative alt[GUARD_ALTERNATIVE_MAX];
	size_t n = guard_alternatives(fs, i, alt);

	for (size_t k = 0; k < n; k++) {
		unsigned bits = guard_bits(alt[k].terms, alt[k].n);

		l->bits = k == 0 || bits < l->bits ? bits : l->bits;
		l->rate += ldexp(1, -(int)bits);
	}
}

static const struct fs_guard_use *use_of(const struct fs *fs, const struct fs_host *h,
    uint32_t guard)
{
	for (uint32_t i = 0; i < h->guards.count; i++) {
		const struct fs_guard_use *u =
		    FS_AT(fs, FS_GUARD_USES, struct fs_guard_use, h->guards.first + i);

		if (u->guard == guard)
			return u;
	}
	return NULL;
}

static void count_uses(const struct fs *fs, uint32_t guard, int64_t at, struct line *l)
{
	for (uint32_t i = 0; i < fs->table[FS_HOSTS].count; i++) {
		const struct fs_host *h = fs_host(fs, i);
		const struct fs_guard_use *u = use_of(fs, h, guard);
		enum fs_guard_action a = u ? fs_use_action(fs, u, NULL, at) : FS_GUARD_OFF;

		switch (a) {
		case FS_GUARD_OFF:
			l->off++;
			break;
		case FS_GUARD_ALERT:
			l->alert++;
			break;
		case FS_GUARD_DROP:
			*(h->mode == FS_OBSERVE ? &l->would_drop : &l->drop) += 1;
			break;
		}
		l->excepted += a != FS_GUARD_OFF && at < u->expires && u->except.count > 0;
	}
}

static void fill(const struct fs *fs, uint32_t i, int64_t at, struct line *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->g = FS_AT(fs, FS_GUARDS, struct guard, i);
	weigh(fs, i, ret);
	count_uses(fs, i, at, ret);
}

/* The author's words say so, or there are none. */
static bool is_validated(const char *said)
{
	return *said != '\0' && !strstr(said, "not validated on real traffic") &&
	       strncmp(said, "Unit tests", 10) != 0;
}

/* ---- JSON ---- */

static json_t *cves(const struct fs *fs, const struct guard *g)
{
	json_t *list = json_array();

	for (uint32_t i = 0; list && i < g->cve_count; i++)
		json_array_append_new(list, json_string(fs_str(
		    fs, *FS_AT(fs, FS_WORDS, uint32_t, g->cve_first + i))));
	return list;
}

static int print_json(const struct fs *fs, const struct line *l)
{
	const struct guard *g = l->g;
	const char *said = fs_str(fs, g->validated);
	json_t *row = json_pack(
	    "{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:s, s:o, s:{s:i, s:i, s:i, s:i, s:i}}",
	    "guard", fs_str(fs, g->id), "title", fs_str(fs, g->title), "where",
	    where_name[g->where], "direction", dir_name[g->dir], "affects",
	    affects_name[g->affects], "bits",
	    l->bits ? json_integer((json_int_t)l->bits) : json_null(), "false_hits",
	    l->bits ? json_real(l->rate) : json_null(), "validated", is_validated(said),
	    "validation", *said ? said : "not validated on real traffic", "cve",
	    cves(fs, g), "hosts", "drop", l->drop, "would_drop", l->would_drop, "alert",
	    l->alert, "off", l->off, "with_exceptions", l->excepted);
	int rc = -1;

	if (row)
		rc = json_dumpf(row, stdout,
		    JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(3));
	json_decref(row);
	putchar('\n');
	return rc;
}

/* ---- text ---- */

static void acts(const struct line *l, char *buf, size_t size)
{
	const struct {
		unsigned n;
		const char *what;
	} part[] = { { l->drop, "drop" }, { l->would_drop, "would drop" },
		{ l->alert, "alert" }, { l->off, "off" },
		{ l->excepted, "with exceptions" } };
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]) && len < size; i++)
		if (part[i].n > 0)
			len += (size_t)snprintf(buf + len, size - len, "%s%u %s",
			    len ? ", " : "", part[i].n, part[i].what);
}

static void add_row(struct out_table *t, const struct fs *fs, const struct line *l)
{
	const struct guard *g = l->g;
	char does[128], bits[16] = "-", rate[32] = "-", cve[160] = "";
	size_t len = 0;

	acts(l, does, sizeof(does));
	if (l->bits) {
		snprintf(bits, sizeof(bits), "%u", l->bits);
		snprintf(rate, sizeof(rate), "%.1e", l->rate);
	}
	for (uint32_t i = 0; i < g->cve_count && len < sizeof(cve); i++)
		len += (size_t)snprintf(cve + len, sizeof(cve) - len, "%s%s", i ? " " : "",
		    fs_str(fs, *FS_AT(fs, FS_WORDS, uint32_t, g->cve_first + i)));
	out_table_row(t, fs_str(fs, g->id), where_name[g->where], does, bits, rate,
	    is_validated(fs_str(fs, g->validated)) ? "yes" : "not on real traffic",
	    affects_name[g->affects], cve);
}

int guardlist_print(const struct fs *fs, int64_t at)
{
	struct out_table *t = NULL;
	struct line l;
	int rc = 0;

	if (cli.format == FORMAT_TEXT) {
		t = out_table_new("guard|where|does|>bits|>false hits a packet|validated|"
				  "affects 2008|CVE");
		if (!t)
			return CLI_SYSTEM;
	}
	for (uint32_t i = 0; i < fs->table[FS_GUARDS].count && rc == 0; i++) {
		fill(fs, i, at, &l);
		if (t)
			add_row(t, fs, &l);
		else
			rc = print_json(fs, &l);
	}
	if (t && out_table_print(t, stdout, cli.colour) != 0)
		rc = -1;
	out_table_free(t);
	return rc == 0 ? CLI_OK : CLI_SYSTEM;
}
