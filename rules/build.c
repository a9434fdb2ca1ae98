/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a checked policy into the flat block of the evaluator */
#include "rules/build.h"

#include <stdlib.h>
#include <string.h>

#include "rules/policy.h"
#include "rules/resolve.h"
#include "rules/when.h"

/* Elements are zeroed by memset(): the block goes to other processes and into its
 * digest with the padding that the compiler leaves between fields. */
struct builder {
	struct policy *p;
	struct fs_builder *b;
	uint32_t file, file_text;   /* of the rule before: index and string, 0: none */
	struct fs_span own_uses;    /* guards of the policy, on for every host */
	uint32_t *schedules;        /* of equal text; index by order of first use */
	const char **schedule_text;
	size_t nschedules, cap_schedules;
	/* spans of lists that rules share (a group of thousands, named by thousands of
	 * rules): by the list's place in the model */
	struct {
		const struct netrange *r;
		size_t n;
		struct fs_span span;
	} shared[4096];
};

static uint32_t str(struct builder *x, const struct pstr *s)
{
	return s->s != NULL ? fsb_str(x->b, s->s) : 0;
}

static struct fs_span words(struct builder *x, const struct plist *list)
{
	struct fs_span s = { 0, 0 };

	PLIST_EACH(struct pstr, w, *list)
	{
		uint32_t text = fsb_str(x->b, w->s),
			 at = fsb_add(x->b, FS_WORDS, &text);

		if (s.count++ == 0)
			s.first = at;
	}
	return s;
}

static struct fs_span ranges(struct builder *x, const struct prangeset *r)
{
	size_t at = ((uintptr_t)r->r >> 4) % (sizeof(x->shared) / sizeof(*x->shared));

	if (x->shared[at].r != r->r || x->shared[at].n != r->n || r->n == 0) {
		x->shared[at].r = r->r;
		x->shared[at].n = r->n;
		x->shared[at].span = fsb_ranges(x->b, r->r, r->n);
	}
	return x->shared[at].span;
}

static struct fs_span ports(struct builder *x, const struct pports *list)
{
	struct fs_span s = { 0, 0 };

	for (uint32_t i = 0; i < list->n; i++) {
		const struct pport *q = &list->v[i];
		struct fs_service out;
		uint32_t at;

		memset(&out, 0, sizeof(out));
		out.name = fsb_str(x->b, q->name);
		out.lo = q->lo;
		out.hi = q->hi;
		out.proto = q->proto;
		out.grants = q->grants;
		out.family = q->family;
		out.short_opening = q->short_opening;
		at = fsb_add(x->b, FS_SERVICES, &out);
		if (s.count++ == 0)
			s.first = at;
	}
	return s;
}

/* A rule for one named service shares that service's rows. */
static struct fs_span rule_ports(struct builder *x, struct prule *r)
{
	if (r->single == NULL)
		return ports(x, &r->ports);
	if (r->single->span.count == 0)
		r->single->span = ports(x, &r->ports);
	return r->single->span;
}

/* ---- settings ---- */

static void add_settings(struct builder *x)
{
	const struct pcordon *c = x->p->cordon;
	struct fs_settings *s = fsb_settings(x->b); /* zeroed */

	s->addresses = ranges(x, &c->addresses);
	s->management = ranges(x, &c->management);
	s->never = ranges(x, &c->never);
	s->interfaces = words(x, &c->gateway.interfaces);
	s->sensor_interfaces =
	    c->sensor.interfaces.n > 0 ? words(x, &c->sensor.interfaces) : s->interfaces;
	s->timezone = fsb_str(
	    x->b, c->gateway.timezone.s != NULL ? c->gateway.timezone.s : "UTC");
	s->log_file = str(x, &c->log.file);
	s->block_ttl_s = (uint32_t)c->block.ttl_s.v;
	s->scan_targets = (uint32_t)c->block.scan.targets.v;
	s->scan_within_s = (uint32_t)c->block.scan.within_s.v;
	s->logon_failures = (uint32_t)c->block.bruteforce.failures.v;
	s->logon_attempts = (uint32_t)c->block.bruteforce.attempts.v;
	s->logon_within_s = (uint32_t)c->block.bruteforce.within_s.v;
	s->block_scope = (uint8_t)c->block.scope.v;
	s->block_on = (uint8_t)c->block.on.v;
	s->journald = c->log.journald.v != 0;
	s->log_source_quota = (uint32_t)c->log.quota.source.v;
	s->log_host_quota = (uint32_t)c->log.quota.host.v;
	s->fail_closed = c->sensor.on_loss.v != 0;
	for (size_t i = 0; i < x->p->ntransitions; i++)
		fsb_add(x->b, FS_TRANSITIONS, &x->p->transitions[i]);
}

/* ---- guards ---- */

static int by_guard_id(const void *a, const void *b)
{
	return strcmp(
	    (*(struct pguard *const *)a)->id.s, (*(struct pguard *const *)b)->id.s);
}

static void add_guard(struct builder *x, struct pguard *g)
{
	struct fs_span cve = words(x, &g->cve), ref = words(x, &g->references);
	struct guard out;

	memset(&out, 0, sizeof(out));
	out.id = str(x, &g->id);
	out.title = str(x, &g->title);
	out.attack = str(x, &g->attack);
	out.note = str(x, &g->note);
	out.validated = str(x, &g->validated);
	out.cve_first = cve.first;
	out.cve_count = cve.count;
	out.ref_first = ref.first;
	out.ref_count = ref.count;
	out.term_count = g->nterms;
	out.protocol = (uint8_t)g->protocol.v;
	out.where = (uint8_t)g->where.v;
	out.dir = (uint8_t)g->direction.v;
	out.affects = (uint8_t)g->affects.v;
	out.action = (uint8_t)g->action.v;
	memcpy(out.alternative_len, g->alternative_len, sizeof(out.alternative_len));
	for (uint32_t i = 0; i < g->nterms; i++) {
		uint32_t at = fsb_add(x->b, FS_GUARD_TERMS, &g->terms[i]);

		if (i == 0)
			out.term_first = at;
	}
	g->index = fsb_add(x->b, FS_GUARDS, &out);
}

static void add_guards(struct builder *x)
{
	struct pvec *v = &x->p->guards;

	if (v->n > 1)
		qsort(v->v, v->n, sizeof(*v->v), by_guard_id);
	for (size_t i = 0; i < v->n; i++)
		add_guard(x, v->v[i]);
}

static bool in_profile(const struct pprofile *f, const struct pguard *g)
{
	if (f == NULL)
		return false;
	PLIST_EACH(struct pstr, id, f->guards)
	{
		if (strcmp(id->s, g->id.s) == 0)
			return true;
	}
	return false;
}

/* Guards that the policy itself brings are on for every host. */
static uint8_t default_action(const struct pprofile *f, const struct pguard *g)
{
	return !g->shipped || in_profile(f, g) ? (uint8_t)g->action.v : FS_GUARD_OFF;
}

static const struct pguard_set *set_of(const struct phost *h, const struct pguard *g)
{
	if (h == NULL)
		return NULL;
	PLIST_EACH(struct pguard_set, s, h->guards)
	{
		if (s->guard == g)
			return s;
	}
	return NULL;
}

static struct fs_span add_uses(struct builder *x, const struct phost *h,
    const struct pprofile *f)
{
	struct fs_span span = { 0, 0 };

	for (size_t i = 0; i < x->p->guards.n; i++) {
		const struct pguard *g = x->p->guards.v[i];
		const struct pguard_set *s = set_of(h, g);
		struct fs_guard_use use;
		uint32_t at;

		memset(&use, 0, sizeof(use));
		use.guard = g->index;
		use.expires = FS_FOREVER;
		use.action = default_action(f, g);
		use.default_action = default_action(f, g);
		if (s != NULL) {
			use.action = (uint8_t)s->action.v;
			use.expires = s->expires.v;
			use.reason = str(x, &s->reason);
			use.except = fsb_ranges(x->b, s->ranges.r, s->ranges.n);
		}
		if (s == NULL && use.action == FS_GUARD_OFF)
			continue;
		at = fsb_add(x->b, FS_GUARD_USES, &use);
		if (span.count++ == 0)
			span.first = at;
	}
	return span;
}

/* Hosts without settings of their own share the uses of their profile. */
static struct fs_span guards_of(struct builder *x, const struct phost *h,
    struct pprofile *f)
{
	struct fs_span *shared = f != NULL ? &f->uses : &x->own_uses;

	if (h != NULL && h->guards.n > 0)
		return add_uses(x, h, f);
	if (shared->count == 0)
		*shared = add_uses(x, NULL, f);
	return *shared;
}

/* ---- schedules ---- */

static uint32_t add_schedule(struct builder *x, const char *text)
{
	struct fs_window w[SCHEDULE_WINDOWS_MAX];
	const char *why;
	struct fs_schedule s;
	int n = schedule_parse(text, w, &why);

	memset(&s, 0, sizeof(s));
	s.text = fsb_str(x->b, text);
	for (int i = 0; i < n; i++) {
		uint32_t at = fsb_add(x->b, FS_WINDOWS, &w[i]);

		if (i == 0)
			s.windows.first = at;
	}
	s.windows.count = n > 0 ? (uint32_t)n : 0;
	return fsb_add(x->b, FS_SCHEDULES, &s);
}

/* Few policies have more than a handful of different schedules. */
static int schedule_index(struct builder *x, const char *text, uint32_t *ret)
{
	for (size_t i = x->nschedules; i-- > 0;) {
		if (strcmp(x->schedule_text[i], text) == 0) {
			*ret = x->schedules[i];
			return 0;
		}
	}
	if (x->nschedules == x->cap_schedules) {
		size_t cap = x->cap_schedules != 0 ? x->cap_schedules * 2 : 16;
		uint32_t *v = arena_calloc(&x->p->arena, cap, sizeof(*v));
		const char **t = arena_calloc(&x->p->arena, cap, sizeof(*t));

		if (v == NULL || t == NULL)
			return policy_no_memory(x->p);
		if (x->nschedules > 0) {
			memcpy(v, x->schedules, x->nschedules * sizeof(*v));
			memcpy(t, x->schedule_text, x->nschedules * sizeof(*t));
		}
		x->schedules = v;
		x->schedule_text = t;
		x->cap_schedules = cap;
	}
	*ret = add_schedule(x, text);
	x->schedules[x->nschedules] = *ret;
	x->schedule_text[x->nschedules++] = text;
	return 0;
}

/* ---- hosts ---- */

/* The rules of a host stand in one file. */
static uint32_t file_of(struct builder *x, uint32_t file)
{
	if (x->file_text == 0 || x->file != file) {
		x->file = file;
		x->file_text = fsb_str(x->b, x->p->files[file].path);
	}
	return x->file_text;
}

static int add_rule(struct builder *x, uint32_t host, enum fs_dir dir, struct prule *r)
{
	struct fs_rule out;

	memset(&out, 0, sizeof(out));
	out.id = fsb_str(x->b, r->full_id);
	out.host = host;
	out.reason = str(x, &r->reason);
	out.ticket = str(x, &r->ticket);
	out.file = file_of(x, r->loc.file);
	out.line = r->loc.line;
	out.col = r->loc.col;
	out.schedule = FS_NONE;
	out.expires = r->expires.v;
	out.dir = (uint8_t)dir;
	out.require = (uint8_t)r->require.v;
	out.exposure_accepted = r->exposure.given;
	if (r->schedule.s != NULL &&
	    schedule_index(x, r->schedule.s, &out.schedule) == -1)
		return -1;
	out.services = rule_ports(x, r);
	out.peers = ranges(x, &r->ranges);
	fsb_add(x->b, FS_RULES, &out);
	return 0;
}

static struct fs_span add_jits(struct builder *x, const struct phost *h)
{
	struct fs_span span = { 0, 0 };

	PLIST_EACH(struct pjit, j, h->jit)
	{
		struct fs_jit out;
		uint32_t at;

		memset(&out, 0, sizeof(out));
		out.service = str(x, &j->service);
		out.services = ports(x, &j->ports);
		out.from = ranges(x, &j->ranges);
		out.max_s = (uint32_t)j->max_s.v;
		at = fsb_add(x->b, FS_JITS, &out);
		if (span.count++ == 0)
			span.first = at;
	}
	return span;
}

static int add_host(struct builder *x, struct phost *h)
{
	int64_t mode = h->mode.given ? h->mode.v : x->p->cordon->defaults.mode.v;
	struct fs_host out;
	uint32_t host;

	memset(&out, 0, sizeof(out));
	out.name = str(x, &h->name);
	out.owner = str(x, &h->owner);
	out.file = fsb_str(x->b, x->p->files[h->loc.file].path);
	out.line = h->loc.line;
	out.addresses = ranges(x, &h->ranges);
	out.product = str(x, &h->os.product);
	out.build = (uint32_t)h->os.build.v;
	out.revision = (uint32_t)h->os.revision.v;
	out.updates = words(x, &h->os.updates);
	out.mode = (uint8_t)mode;
	out.declared = true;
	if (h->used_profile != NULL)
		out.profile = fsb_str(x->b, h->used_profile->name.s);
	out.guards = guards_of(x, h, h->used_profile);
	out.jits = add_jits(x, h);
	host = fsb_add(x->b, FS_HOSTS, &out);
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		PLIST_EACH(struct prule, r, h->allow.rules[dir])
		{
			if (add_rule(x, host, (enum fs_dir)dir, r) == -1)
				return -1;
		}
	}
	return 0;
}

static void add_prefix(struct builder *x, const struct pprefix *f)
{
	const struct pcordon *c = x->p->cordon;
	int64_t mode = f->mode.given ? f->mode.v : c->defaults.mode.v;
	struct pprofile *profile = c->defaults.profile.s != NULL ?
	    resolve_find_profile(x->p, c->defaults.profile.s) : NULL;
	char text[NETRANGE_STRLEN];
	struct fs_host out;

	memset(&out, 0, sizeof(out));
	out.name = fsb_str(x->b, netrange_format(&f->range, text));
	out.file = fsb_str(x->b, x->p->files[f->loc.file].path);
	out.line = f->loc.line;
	out.addresses = fsb_ranges(x->b, &f->range, 1);
	out.mode = (uint8_t)mode;
	if (profile != NULL)
		out.profile = fsb_str(x->b, profile->name.s);
	out.guards = guards_of(x, NULL, profile);
	fsb_add(x->b, FS_HOSTS, &out);
}

static int by_host_name(const void *a, const void *b)
{
	return strcmp(
	    (*(struct phost *const *)a)->name.s, (*(struct phost *const *)b)->name.s);
}

static int by_range(const void *a, const void *b)
{
	return netaddr_cmp(&((const struct pprefix *)a)->range.lo,
	    &((const struct pprefix *)b)->range.lo);
}

/* In the order of names and addresses, so that where a file lies changes nothing. */
static int add_hosts(struct builder *x)
{
	struct pvec *hosts = &x->p->hosts;
	struct plist *protect = &x->p->cordon->gateway.protect;

	if (hosts->n > 1)
		qsort(hosts->v, hosts->n, sizeof(*hosts->v), by_host_name);
	for (size_t i = 0; i < hosts->n; i++) {
		if (add_host(x, hosts->v[i]) == -1)
			return -1;
	}
	if (protect->n > 1)
		qsort(protect->v, protect->n, sizeof(struct pprefix), by_range);
	PLIST_EACH(struct pprefix, f, *protect)
	{
		add_prefix(x, f);
	}
	return 0;
}

int build_fs(struct policy *p, struct fs **ret)
{
	struct builder x = { .p = p, .b = fsb_new() };
	struct fs *fs = NULL;
	int rc = -1;

	if (x.b == NULL)
		return policy_no_memory(p);
	add_guards(&x);
	add_settings(&x);
	if (add_hosts(&x) == -1)
		goto out;
	fs = fsb_finish(x.b);
	if (fs == NULL) {
		policy_no_memory(p);
		goto out;
	}
	*ret = fs;
	rc = 0;
out:
	fsb_free(x.b);
	return rc;
}

int build_guards(struct policy *p, struct fs **ret)
{
	struct builder x = { .p = p, .b = fsb_new() };
	struct fs *fs;

	if (x.b == NULL)
		return policy_no_memory(p);
	add_guards(&x);
	fs = fsb_finish(x.b);
	fsb_free(x.b);
	if (fs == NULL)
		return policy_no_memory(p);
	*ret = fs;
	return 0;
}
