/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: classes of ports: what all port ranges of the policy are unions of */
#include "rules/compile_classes.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* The ends of all ranges cut the ports into classes: in each, all ports are alike to
 * each range.  So a port's class is looked up once, and a host's ranges are exact keys. */
enum { PROTOS = 3, PORTS = 65536 };

static const struct {
	uint8_t proto;
	const char *map;
} rows[PROTOS] = { { IPPROTO_TCP, "tcpclass" }, { IPPROTO_UDP, "udpclass" },
	{ IPPROTO_SCTP, "sctpclass" } };

struct classes {
	struct {
		struct port_class *at;
		size_t n;
		uint32_t map;
	} of[PROTOS];
};

/* While cutting: how many ranges more begin than end here, and whether one does. */
struct cut {
	int32_t more;
	bool here;
};

static int index_of(uint8_t proto)
{
	for (int i = 0; i < PROTOS; i++)
		if (rows[i].proto == proto)
			return i;
	return -1;
}

uint32_t class_number(uint8_t proto, uint16_t lo)
{
	return LIST_FLAG | (uint32_t)proto << 16 | lo;
}

static bool cut_rules(const struct compile *c, int proto, struct cut *cut)
{
	bool any = false;

	for (uint32_t i = 0; i < c->fs->table[FS_RULES].count; i++) {
		const struct fs_rule *r = fs_rule(c->fs, i);

		if (!fs_rule_active(c->fs, r, c->o->at, NULL))
			continue;
		for (uint32_t k = 0; k < r->services.count; k++) {
			const struct fs_service *s =
			    fs_service(c->fs, r->services.first + k);

			if (s->proto != rows[proto].proto || s->lo == s->hi)
				continue;
			any = true;
			cut[s->lo].more++;
			cut[s->lo].here = true;
			cut[s->hi + 1].more--;
			cut[s->hi + 1].here = true;
		}
	}
	return any;
}

static int cut_ports(struct compile *c, int proto, struct cut *cut)
{
	struct classes *k = c->classes;
	int32_t ranges = 0;
	size_t n = 0;

	for (uint32_t port = 0; port < PORTS; port++)
		n += cut[port].here;
	k->of[proto].at = calloc(n + 1, sizeof(*k->of[proto].at));
	if (k->of[proto].at == NULL)
		return -1;
	for (uint32_t port = 0, from = 0; port <= PORTS; port++) {
		if (!cut[port].here)
			continue;
		if (ranges > 0)
			k->of[proto].at[k->of[proto].n++] = (struct port_class){
				(uint16_t)from, (uint16_t)(port - 1) };
		ranges += cut[port].more;
		from = port;
	}
	return 0;
}

static void put_map(struct compile *c, int proto)
{
	struct classes *k = c->classes;

	k->of[proto].map = rsb_set(c->b, rows[proto].map, &(struct rs_set){ .nkeys = 1,
		.key = { RS_T_PORT }, .interval = true, .map = RS_MAP_VALUE });
	for (size_t i = 0; i < k->of[proto].n; i++) {
		const struct port_class *p = &k->of[proto].at[i];
		const uint8_t lo[4] = { (uint8_t)(p->lo >> 8), (uint8_t)p->lo };
		const uint8_t hi[4] = { (uint8_t)(p->hi >> 8), (uint8_t)p->hi };

		rsb_elem(c->b, k->of[proto].map, lo, hi, RS_CONTINUE,
		    class_number(rows[proto].proto, p->lo), "");
	}
}

int classes_new(struct compile *c)
{
	struct cut *cut = calloc(PORTS + 1, sizeof(*cut));
	int r = 0;

	c->classes = calloc(1, sizeof(*c->classes));
	if (cut == NULL || c->classes == NULL)
		r = -1;
	for (int i = 0; i < PROTOS && r == 0; i++) {
		c->classes->of[i].map = RS_NONE;
		memset(cut, 0, (PORTS + 1) * sizeof(*cut));
		if (!cut_rules(c, i, cut))
			continue;
		r = cut_ports(c, i, cut);
		if (r == 0)
			put_map(c, i);
	}
	free(cut);
	return r;
}

void classes_free(struct classes *k)
{
	for (int i = 0; k != NULL && i < PROTOS; i++)
		free(k->of[i].at);
	free(k);
}

uint32_t classes_map(const struct compile *c, uint8_t proto)
{
	return c->classes->of[index_of(proto)].map;
}

size_t classes_of(const struct compile *c, uint8_t proto, uint16_t lo, uint16_t hi,
    const struct port_class **ret_first)
{
	const struct classes *k = c->classes;
	int i = index_of(proto);
	size_t first = 0, end = k->of[i].n, n = 0;

	while (first < end) { /* the first that does not end before lo */
		size_t middle = first + (end - first) / 2;

		if (k->of[i].at[middle].hi < lo)
			first = middle + 1;
		else
			end = middle;
	}
	while (first + n < k->of[i].n && k->of[i].at[first + n].hi <= hi)
		n++;
	*ret_first = &k->of[i].at[first];
	return n;
}
