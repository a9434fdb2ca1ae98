/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: at which few prefix lengths addresses are looked up */
#include "rules/compile_levels.h"

#include <string.h>

/* Elements may grow to so many times the prefixes, and some. */
enum { FEW = 4, GROWTH = 2, SOME = 1024 };
#define TOO_MANY (UINT64_MAX / 4)

struct plan {
	uint8_t len[PREFIX_LENS]; /* those that occur, rising */
	int n;
	uint64_t best[PREFIX_LENS];               /* of len[0..j] with k levels, len[j] one */
	uint8_t before[PREFIX_LENS][PREFIX_LENS]; /* [k][j]: where the level begins */
};

/* Elements of len[i..j] at level len[j]. */
static uint64_t cost(const struct levels *l, const struct plan *p, int i, int j)
{
	uint64_t sum = 0;

	for (; i <= j; i++) {
		int longer = p->len[j] - p->len[i];

		if (longer > 40 || l->weight[p->len[i]] > TOO_MANY >> longer >> 8)
			return TOO_MANY;
		sum += l->weight[p->len[i]] << longer;
	}
	return sum < TOO_MANY ? sum : TOO_MANY;
}

/* From the best with k - 1 levels (k 0: none) to the best with k. */
static void one_more(const struct levels *l, struct plan *p, int k)
{
	uint64_t was[PREFIX_LENS];

	memcpy(was, p->best, sizeof(was));
	for (int j = 0; j < p->n; j++) {
		p->best[j] = k == 0 ? cost(l, p, 0, j) : was[j];
		p->before[k][j] = 0;
		if (k > 0)
			p->before[k][j] = UINT8_MAX; /* as with one level less */
		for (int i = 1; k > 0 && i <= j; i++) {
			uint64_t here = cost(l, p, i, j);

			if (here >= TOO_MANY || was[i - 1] + here >= p->best[j])
				continue;
			p->best[j] = was[i - 1] + here;
			p->before[k][j] = (uint8_t)i;
		}
	}
}

static void mark(struct levels *l, const struct plan *p, int k)
{
	for (int j = p->n - 1; j >= 0; k--) {
		int from = p->before[k][j];

		if (from == UINT8_MAX)
			continue;
		l->used[p->len[j]] = true;
		for (int i = from; i <= j; i++)
			l->level[p->len[i]] = p->len[j];
		j = from - 1;
	}
}

void levels_choose(struct levels *l)
{
	struct plan p;
	uint64_t all = 0;
	int k;

	memset(&p, 0, sizeof(p));
	for (int i = 0; i < PREFIX_LENS; i++) {
		if (l->weight[i] == 0)
			continue;
		all += l->weight[i];
		p.len[p.n++] = (uint8_t)i;
	}
	for (k = 0; k < p.n; k++) {
		one_more(l, &p, k);
		if (k + 1 == p.n || (p.n > FEW && k + 1 >= FEW &&
			    p.best[p.n - 1] <= GROWTH * all + SOME))
			break;
	}
	if (p.n > 0)
		mark(l, &p, k);
}
