/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: assertions, each proven for its whole set of flows, or refuted by one */
#include <cordon/assertion.h>

#include <stdlib.h>
#include <string.h>

#include "rules/check.h"
#include "rules/flowset.h"
#include "rules/pipeline.h"

struct trial {
	const struct fs *fs;
	struct space *space; /* of second `at` */
	int64_t at;
	bool failed; /* no memory */
};

/* ---- parts of the set, as boxes ---- */

static void whole_set(const struct flowset *s, int k, struct region *ret)
{
	for (size_t i = 0; i < s->src[k].n; i++) {
		for (size_t j = 0; j < s->dst[k].n; j++) {
			for (size_t m = 0; m < s->keys[k].n; m++) {
				struct region_box b = s->keys[k].v[m];

				b.src = s->src[k].v[i];
				b.dst = s->dst[k].v[j];
				region_add(ret, &b);
			}
		}
	}
}

static void allowed_part(struct trial *t, const struct flowset *s, int k,
    struct region *ret)
{
	for (size_t m = 0; m < s->keys[k].n; m++) {
		struct space_query q = { .facet = SPACE_ALLOW, .v = k == 0 ? 4 : 6,
			.key_lo = s->keys[k].v[m].key_lo, .key_hi = s->keys[k].v[m].key_hi,
			.src = &s->src[k], .dst = &s->dst[k] };

		space_collect(t->space, &q, ret);
	}
}

static void axes_as_boxes(const struct space_axes *src, const struct space_axes *dst,
    struct region *ret)
{
	for (size_t i = 0; i < src->n; i++) {
		for (size_t j = 0; j < dst->n; j++) {
			struct region_box b = { .src = src->v[i], .dst = dst->v[j],
				.key_hi = REGION_KEY_MAX };

			region_add(ret, &b);
		}
	}
}

/* What neither end protects. */
static void passed_part(struct trial *t, const struct flowset *s, int k,
    struct region *ret)
{
	const struct space_axes *places = space_places(t->space, k == 0 ? 4 : 6);
	struct space_axes src = { 0 }, dst = { 0 };

	axes_subtract(&s->src[k], places, &src);
	axes_subtract(&s->dst[k], places, &dst);
	for (size_t m = 0; m < s->keys[k].n; m++) {
		size_t first = ret->n;

		axes_as_boxes(&src, &dst, ret);
		for (size_t i = first; i < ret->n; i++) {
			ret->v[i].key_lo = s->keys[k].v[m].key_lo;
			ret->v[i].key_hi = s->keys[k].v[m].key_hi;
		}
	}
	ret->failed |= src.failed || dst.failed;
	axes_free(&src);
	axes_free(&dst);
}

/* What of the family is judged otherwise than expected. */
static void refuted_part(struct trial *t, const struct flowset *s, int k,
    enum fs_result expect, struct region *ret)
{
	struct region all = { 0 }, part = { 0 };

	switch (expect) {
	case FS_ALLOW:
		whole_set(s, k, &all);
		allowed_part(t, s, k, &part);
		region_subtract(all.v, all.n, part.v, part.n, ret);
		break;
	case FS_DENY:
		allowed_part(t, s, k, ret);
		passed_part(t, s, k, ret);
		break;
	case FS_PASS:
		whole_set(s, k, &all);
		passed_part(t, s, k, &part);
		region_subtract(all.v, all.n, part.v, part.n, ret);
		break;
	}
	t->failed |= all.failed || part.failed || ret->failed;
	region_free(&all);
	region_free(&part);
}

/* ---- the rule that decides ---- */

/* The form check lets only small sets have one: their flows are judged one by one. */
static bool is_decided_by(const struct fs *fs, const struct fs_flow *f, const char *rule)
{
	struct fs_verdict v;

	fs_judge(fs, f, &v);
	for (unsigned i = 0; i < v.nsides; i++) {
		if (v.side[i].rule != FS_NONE &&
		    strcmp(fs_str(fs, fs_rule(fs, v.side[i].rule)->id), rule) == 0)
			return true;
	}
	return false;
}

static struct fs_flow flow_of(region_addr src, region_addr dst, uint32_t key, uint8_t v,
    int64_t at)
{
	return (struct fs_flow){ .src = region_to_addr(src, v),
		.dst = region_to_addr(dst, v), .proto = (uint8_t)(key >> 16),
		.dport = (uint16_t)key, .at = at };
}

static bool box_decided(struct trial *t, const struct region_box *b, uint8_t v,
    const char *rule, struct fs_flow *ret)
{
	for (region_addr src = b->src.lo;; src++) {
		for (region_addr dst = b->dst.lo;; dst++) {
			for (uint32_t key = b->key_lo; key <= b->key_hi; key++) {
				struct fs_flow f = flow_of(src, dst, key, v, t->at);

				if (!is_decided_by(t->fs, &f, rule)) {
					*ret = f;
					return false;
				}
			}
			if (dst == b->dst.hi)
				break;
		}
		if (src == b->src.hi)
			break;
	}
	return true;
}

static bool set_decided(struct trial *t, const struct flowset *s, int k,
    const char *rule, struct fs_flow *ret)
{
	struct region all = { 0 };
	bool decided = true;

	whole_set(s, k, &all);
	t->failed |= all.failed;
	for (size_t i = 0; i < all.n && decided; i++)
		decided = box_decided(t, &all.v[i], k == 0 ? 4 : 6, rule, ret);
	region_free(&all);
	return decided;
}

/* ---- one assertion after the other ---- */

static void try_set(struct trial *t, const struct flowset *s, struct assertion *a)
{
	a->held = true;
	for (int k = 0; k < 2 && a->held; k++) {
		struct region wrong = { 0 };

		refuted_part(t, s, k, a->expect, &wrong);
		if (wrong.n > 0) {
			a->held = false;
			a->witness = flow_of(wrong.v[0].src.lo, wrong.v[0].dst.lo,
			    wrong.v[0].key_lo, k == 0 ? 4 : 6, t->at);
		} else if (a->rule != NULL) {
			a->held = set_decided(t, s, k, a->rule, &a->witness);
		}
		region_free(&wrong);
	}
}

/* A space of the second; the one before is kept as long as that is the same. */
static bool set_time(struct trial *t, int64_t at)
{
	if (t->space != NULL && t->at == at)
		return true;
	space_free(t->space);
	t->space = space_new(t->fs, at);
	t->at = at;
	return t->space != NULL;
}

static int by_place(const void *x, const void *y)
{
	const struct ptest *a = *(struct ptest *const *)x, *b = *(struct ptest *const *)y;

	if (a->loc.file != b->loc.file)
		return a->loc.file < b->loc.file ? -1 : 1;
	return (a->loc.line > b->loc.line) - (a->loc.line < b->loc.line);
}

struct caller {
	int64_t at;
	assertion_fn *fn;
	void *ctx;
};

static int try_all(struct policy *p, const struct fs *fs, void *arg)
{
	const struct caller *c = arg;
	struct trial t = { .fs = fs };
	int rc = 0;

	if (p->tests.n > 1)
		qsort(p->tests.v, p->tests.n, sizeof(*p->tests.v), by_place);
	for (size_t i = 0; i < p->tests.n && rc == 0; i++) {
		const struct ptest *x = p->tests.v[i];
		struct assertion a = { .file = p->files[x->loc.file].path,
			.line = x->loc.line, .name = x->name.s, .flow = x->flow.s,
			.only = x->only.s, .rule = x->rule.s, .fs = fs };
		struct flowset set;

		a.expect = a.only != NULL ? FS_DENY : (enum fs_result)x->expect.v;
		if (test_flows(p, x, &set) != 0 ||
		    !set_time(&t, x->at.given ? x->at.v : c->at)) {
			rc = policy_no_memory(p);
			break;
		}
		try_set(&t, &set, &a);
		flowset_free(&set);
		if (t.failed)
			rc = policy_no_memory(p);
		else
			c->fn(c->ctx, &a);
	}
	space_free(t.space);
	return rc;
}

int rules_test(const struct rules_source *src, int64_t at, struct diaglist *d,
    assertion_fn *fn, void *ctx)
{
	struct caller c = { at, fn, ctx };
	struct fs *fs = NULL;
	int rc = pipeline_load(src, d, try_all, &c, &fs);

	free(fs);
	return rc;
}
