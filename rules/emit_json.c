/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the ruleset as JSON: sets, elements, chains, rules with their text */
#include <cordon/rules.h>

#include <inttypes.h>
#include <stdlib.h>

#include "rules/emit.h"

/* Names, comments and rendered rules are printable ASCII without backslash
 * (ruleset_valid); only quotes of rules need an escape. */
static void put_text(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

static int put_rendered(FILE *f, const struct ruleset *rs, const struct rs_rule *r)
{
	char *text = NULL;
	size_t len;
	FILE *m = open_memstream(&text, &len);

	if (m == NULL)
		return -1;
	emit_rule_text(m, rs, r);
	if (fclose(m) != 0) {
		free(text);
		return -1;
	}
	put_text(f, text);
	free(text);
	return 0;
}

/* The key's text, without the quotes that nft wants around names of interfaces. */
static void put_rendered_key(FILE *f, const struct ruleset *rs, const struct rs_set *s,
    const struct rs_elem *e)
{
	fputc('"', f);
	if (s->key[0] == RS_T_IFNAME)
		fprintf(f, "%.15s", (const char *)rs_key(rs, e));
	else
		emit_key_text(f, rs, s, e);
	fputc('"', f);
}

static void put_elem(FILE *f, const struct ruleset *rs, const struct rs_set *s,
    const struct rs_elem *e)
{
	fputs("{\"key\":", f);
	put_rendered_key(f, rs, s, e);
	if (s->map) {
		fputs(s->map == RS_MAP_VALUE ? ",\"value\":\"" : ",\"verdict\":\"", f);
		emit_data_text(f, rs, s, e);
		fputc('"', f);
	}
	if (*rs_str(rs, e->comment) != '\0') {
		fputs(",\"rule\":", f);
		put_text(f, rs_str(rs, e->comment));
	}
	fputc('}', f);
}

static void put_set(FILE *f, const struct ruleset *rs, const struct rs_set *s)
{
	fprintf(f, "{\"name\":\"%s\",\"kind\":\"%s\",\"type\":\"", rs_str(rs, s->name),
	    s->map ? "map" : "set");
	for (uint8_t k = 0; k < s->nkeys; k++)
		fprintf(f, "%s%s", k > 0 ? " . " : "", emit_type_name(s->key[k]));
	fprintf(f, "\",\"size\":%u,\"timeout_s\":%u,\"interval\":%s,\"dynamic\":%s,"
	    "\"kept\":%s,\"elements\":[", s->size, s->timeout_s,
	    s->interval ? "true" : "false", s->dynamic ? "true" : "false",
	    s->keep ? "true" : "false");
	for (uint32_t i = 0; i < s->elems.count; i++) {
		fputs(i > 0 ? ",\n    " : "\n    ", f);
		put_elem(f, rs, s, RS_AT(rs, RS_ELEMS, struct rs_elem, s->elems.first + i));
	}
	fputs("]}", f);
}

static int put_chain(FILE *f, const struct ruleset *rs, const struct rs_chain *c)
{
	fprintf(f, "{\"name\":\"%s\"", rs_str(rs, c->name));
	if (c->hook != RS_HOOK_NONE)
		fprintf(f, ",\"hook\":\"%s\",\"priority\":%d,\"policy\":\"%s\"",
		    emit_hook_name(c->hook), c->priority, c->drop ? "drop" : "accept");
	fputs(",\"rules\":[", f);
	for (uint32_t i = 0; i < c->rules.count; i++) {
		fputs(i > 0 ? ",\n    " : "\n    ", f);
		if (put_rendered(f, rs, RS_AT(rs, RS_RULES, struct rs_rule,
			c->rules.first + i)) == -1)
			return -1;
	}
	fputs("]}", f);
	return 0;
}

int emit_json(const struct ruleset *rs, FILE *f)
{
	fputs("{\"table\":\"inet cordon\",\"format\":1,\"policy_digest\":\"", f);
	for (int i = 0; i < 32; i++)
		fprintf(f, "%02x", rs->digest[i]);
	fputs("\",\n\"counters\":[", f);
	for (uint32_t i = 0; i < rs->table[RS_COUNTERS].count; i++)
		fprintf(f, "%s\"%s\"", i > 0 ? "," : "",
		    rs_str(rs, *RS_AT(rs, RS_COUNTERS, uint32_t, i)));
	fputs("],\n\"sets\":[", f);
	for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++) {
		fputs(i > 0 ? ",\n  " : "\n  ", f);
		put_set(f, rs, rs_set(rs, i));
	}
	fputs("],\n\"chains\":[", f);
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++) {
		fputs(i > 0 ? ",\n  " : "\n  ", f);
		if (put_chain(f, rs, rs_chain(rs, i)) == -1)
			return -1;
	}
	fputs("]}\n", f);
	return ferror(f) ? -1 : 0;
}
