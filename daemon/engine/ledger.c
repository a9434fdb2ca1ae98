/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the kernel counted against what events told: nothing stays silent */
#include "engine/ledger.h"

#include <stdlib.h>
#include <string.h>

/* Of a row: sum[TALLY_TOLD] is told in all, sent[TALLY_TOLD] what the enforcer knows of
 * what this engine told, base what earlier ones did. */
struct ledger {
	struct tallytab tab;
	uint64_t due_us;
};

struct ledger *ledger_new(void)
{
	return calloc(1, sizeof(struct ledger));
}

void ledger_free(struct ledger *l)
{
	if (!l)
		return;
	tallytab_free(&l->tab);
	free(l);
}

void ledger_sum(struct ledger *l, const struct msg_sum *s)
{
	struct tally_row *r = tallytab_row(&l->tab, &s->addr, s->kind);

	if (!r)
		return;
	if (s->what != TALLY_TOLD) {
		r->sum[s->what] = s->packets;
		return;
	}
	r->sum[TALLY_TOLD] += s->packets - r->base;
	r->base = s->packets;
}

uint64_t ledger_claim(const struct ledger *l, const struct netaddr *addr, uint8_t kind,
    uint64_t count)
{
	const struct tally_row *r = tallytab_find(&l->tab, addr, kind);
	uint64_t left;

	if (!r || r->sum[TALLY_HITS] <= r->sum[TALLY_TOLD])
		return 0;
	left = r->sum[TALLY_HITS] - r->sum[TALLY_TOLD];
	return count < left ? count : left;
}

void ledger_told(struct ledger *l, const struct netaddr *addr, uint8_t kind,
    uint64_t count, bool sent)
{
	struct tally_row *r = tallytab_row(&l->tab, addr, kind);

	if (!r)
		return;
	r->sum[TALLY_TOLD] += count;
	if (sent)
		r->sent[TALLY_TOLD] += count;
	else
		r->dirty = true;
}

void ledger_unsent(struct ledger *l, ledger_unsent_fn *f, void *arg)
{
	for (size_t i = 0; i < l->tab.cap; i++) {
		struct tally_row *r = &l->tab.row[i];
		struct msg_sum s;

		if (!r->used || !r->dirty)
			continue;
		memset(&s, 0, sizeof(s));
		s.packets = r->sum[TALLY_TOLD] - r->base - r->sent[TALLY_TOLD];
		s.addr = r->addr;
		s.kind = r->kind;
		s.what = TALLY_TOLD;
		if (!f(arg, &s))
			return;
		r->sent[TALLY_TOLD] += s.packets;
		r->dirty = false;
	}
}

/* Packets counted two periods ago have been told by now, if ever. */
void ledger_tick(struct ledger *l, uint64_t mono_us, ledger_rest_fn *f, void *arg)
{
	if (mono_us < l->due_us)
		return;
	l->due_us = mono_us + LEDGER_PERIOD_US;
	for (size_t i = 0; i < l->tab.cap; i++) {
		struct tally_row *r = &l->tab.row[i];
		uint64_t old = r->before[1];

		r->before[1] = r->before[0];
		r->before[0] = r->sum[TALLY_HITS];
		if (r->used && old > r->sum[TALLY_TOLD])
			f(arg, r, old - r->sum[TALLY_TOLD]);
	}
}

void ledger_each(const struct ledger *l,
    void (*f)(void *arg, const struct tally_row *row), void *arg)
{
	for (size_t i = 0; i < l->tab.cap; i++)
		if (l->tab.row[i].used)
			f(arg, &l->tab.row[i]);
}
