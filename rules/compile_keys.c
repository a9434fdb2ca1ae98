/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: maps from a host's ports to numbers, and the rules that look there */
#include "rules/compile_keys.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "rules/compile_classes.h"
#include "rules/rulewriter.h"

void keys_init(struct keys *k, const char *base)
{
	snprintf(k->base, sizeof(k->base), "%s", base);
	for (int p = 0; p < PLANES; p++)
		for (int i = 0; i < KEY_KINDS; i++)
			k->value[p][i] = k->until[p][i] = RS_NONE;
}

/* ---- elements ---- */

static struct rs_set map_of(const struct fam *f, enum key_kind kind)
{
	struct rs_set s = { .nkeys = 2, .map = RS_MAP_VALUE, .key = { f->addr_type } };

	switch (kind) {
	case KEY_PORT:
		s.nkeys = 3;
		s.key[1] = RS_T_PROTO;
		s.key[2] = RS_T_PORT;
		break;
	case KEY_RANGE:
		s.key[1] = RS_T_PRIORITY;
		break;
	case KEY_ICMP:
	case KEY_ANSWER:
		s.key[1] = (uint8_t)f->icmp_type;
		break;
	case KEY_PROTO:
		s.key[1] = RS_T_PROTO;
		break;
	case KEY_KINDS:
		break;
	}
	return s;
}

static void map_name(char name[static RS_NAME_MAX], const struct fam *f,
    const struct keys *k, enum key_kind kind, unsigned plane, const char *what)
{
	static const char *const word[KEY_KINDS] = { "port", "range", "icmp", "answer",
		"proto" };
	char suffix[24] = "";

	if (plane > 0)
		snprintf(suffix, sizeof(suffix), "_%.8s%u", what, plane);
	snprintf(name, RS_NAME_MAX, "%.16s%s%u%s", k->base, word[kind], f->v, suffix);
}

static uint32_t map_new(struct compile *c, const struct fam *f, const struct keys *k,
    enum key_kind kind, unsigned plane, const char *what)
{
	const struct rs_set s = map_of(f, kind);
	char name[RS_NAME_MAX];

	map_name(name, f, k, kind, plane, what);
	return rsb_set(c->b, name, &s);
}

static void put(struct compile *c, const struct fam *f, uint32_t map, const struct key *key,
    uint32_t value, const char *comment)
{
	const size_t size = netaddr_size(key->host);
	uint8_t k[24] = { 0 };

	(void)f;
	memcpy(k, key->host->b, size);
	switch (key->kind) {
	case KEY_PORT:
		k[size] = key->proto;
		k[size + 4] = (uint8_t)(key->rest >> 8);
		k[size + 5] = (uint8_t)key->rest;
		break;
	case KEY_RANGE:
		memcpy(k + size, &key->rest, sizeof(key->rest));
		break;
	case KEY_ICMP:
	case KEY_ANSWER:
		k[size] = (uint8_t)key->rest;
		break;
	case KEY_PROTO:
		k[size] = key->proto;
		break;
	case KEY_KINDS:
		break;
	}
	rsb_elem(c->b, map, k, NULL, RS_CONTINUE, value, comment);
}

void keys_put(struct compile *c, const struct fam *f, struct keys *k, const struct key *key,
    unsigned plane, uint32_t until, uint32_t value, const char *comment)
{
	uint32_t *map = &k->value[plane][key->kind], *end = &k->until[plane][key->kind];

	if (++c->nkeys > KEYS_MAX)
		c->failed = true;
	if (c->failed)
		return;
	if (*map == RS_NONE)
		*map = map_new(c, f, k, key->kind, plane, "timed");
	put(c, f, *map, key, value, comment);
	if (plane == 0)
		return;
	if (*end == RS_NONE)
		*end = map_new(c, f, k, key->kind, plane, "until");
	put(c, f, *end, key, until, comment);
}

/* ---- rules ---- */

/* One look-up: `proto` of the port classes. */
struct look {
	const struct fam *f;
	enum way w;
	enum key_kind kind;
	uint8_t proto;
};

/* The packet's priority becomes what map says of it; else the rule ends. */
static void look(struct compile *c, const struct look *l, uint32_t map)
{
	const uint8_t host = (uint8_t)(way_by_source(l->w) ? l->f->saddr : l->f->daddr);
	const uint8_t port = way_reverse(l->w) ? RS_TH_SPORT : RS_TH_DPORT;
	uint8_t key[3] = { host, RS_L4PROTO, port };

	switch (l->kind) {
	case KEY_RANGE:
		rw_cmp(c->b, RS_L4PROTO, RS_EQ, l->proto);
		rw_map(c->b, &port, 1, classes_map(c, l->proto));
		key[1] = RS_PRIORITY;
		break;
	case KEY_ICMP:
	case KEY_ANSWER:
		key[1] = (uint8_t)l->f->icmp_field;
		break;
	case KEY_PORT:
	case KEY_PROTO:
	case KEY_KINDS:
		break;
	}
	rw_map(c->b, key, l->kind == KEY_PORT ? 3 : 2, map);
}

/* Of a timed key its end first; chain `timed` leaves TIME_OVER where that is past. */
static void look_rules(struct compile *c, const struct keys *k, const struct look *l,
    unsigned plane, uint32_t at, uint32_t then)
{
	if (plane > 0) {
		rw_rule(c->b, at);
		look(c, l, k->until[plane][l->kind]);
		rw_go(c->b, RS_JUMP, c->timed);
	}
	rw_rule(c->b, at);
	if (plane > 0)
		rw_cmp(c->b, RS_PRIORITY, RS_NE, TIME_OVER);
	look(c, l, k->value[plane][l->kind]);
	rw_go(c->b, RS_JUMP, then);
}

static void ask_rules(struct compile *c, const struct keys *k, struct look *l,
    unsigned plane, uint32_t at, uint32_t then)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

	if (l->kind != KEY_RANGE) {
		look_rules(c, k, l, plane, at, then);
		return;
	}
	for (size_t i = 0; i < sizeof(protos); i++) {
		l->proto = protos[i];
		if (classes_map(c, l->proto) != RS_NONE)
			look_rules(c, k, l, plane, at, then);
	}
}

void keys_rules(struct compile *c, const struct fam *f, const struct keys *k, uint32_t at,
    enum way w, uint32_t then)
{
	struct look l = { f, w, KEY_PORT, 0 };

	for (int kind = 0; kind < KEY_KINDS; kind++) {
		if (kind == (way_reverse(w) ? KEY_ICMP : KEY_ANSWER))
			continue;
		l.kind = (enum key_kind)kind;
		for (unsigned p = 0; p < PLANES; p++)
			if (k->value[p][kind] != RS_NONE)
				ask_rules(c, k, &l, p, at, then);
	}
}
