/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: JSON Schema 2020-12 of the policy files, from the one table of keys */
#include <cordon/rules.h>

#include <string.h>

#include "rules/schema.h"
#include "rules/text.h"

static const struct {
	const char *type, *pattern;
} types[S_NTYPES] = {
	[S_TEXT] = { "string", NULL },
	[S_NAME] = { "string", "^[a-z0-9][a-z0-9-]*$" },
	[S_ID] = { "string", "^[a-z0-9][a-z0-9+._-]*$" },
	[S_IFACE] = { "string", "^[A-Za-z0-9._@:-]+$" },
	[S_ADDRESS] = { "string", "^[0-9a-fA-F.:]+$" },
	[S_PREFIX] = { "string", "^[0-9a-fA-F.:]+([/-][0-9a-fA-F.:]+)?$" },
	[S_PEER] = { "string",
	    "^([a-z0-9][a-z0-9-]*|[0-9a-fA-F.:]+([/-][0-9a-fA-F.:]+)?)$" },
	[S_SERVICE] = { "string",
	    "^([a-z0-9][a-z0-9-]*|(tcp|udp|sctp|icmp|icmpv6|ip)/[a-z0-9-]+)$" },
	[S_PORTS] = { "string", "^(tcp|udp|sctp|icmp|icmpv6|ip)/[a-z0-9-]+$" },
	[S_KB] = { "string", "^KB[0-9]{6,7}$" },
	[S_CVE] = { "string", "^CVE-[0-9]{4}-[0-9]{4,7}$" },
	[S_HEX] = { "string", "^ *([0-9a-fA-F]{2} *){1,8}$" },
	[S_SCHEDULE] = { "string", NULL },
	[S_INT] = { "integer", NULL },
	[S_BOOL] = { "boolean", NULL },
	[S_DURATION] = { "string", "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$" },
	[S_TIME] = { "string", "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$" },
	[S_INSTANT] = { "string", "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$" },
};

static void emit_section(const struct schema_section *s, FILE *f);

static void emit_words(const struct schema_word *words, FILE *f)
{
	fputs("\"enum\":[", f);
	for (const struct schema_word *w = words; w->text != NULL; w++) {
		if (w != words)
			fputc(',', f);
		text_json(w->text, f);
	}
	fputc(']', f);
}

static void emit_scalar(const struct schema_key *k, FILE *f)
{
	if (k->words != NULL) {
		emit_words(k->words, f);
		return;
	}
	fprintf(f, "\"type\":\"%s\"", types[k->type].type);
	if (types[k->type].pattern != NULL) {
		fputs(",\"pattern\":", f);
		text_json(types[k->type].pattern, f);
	}
	if (k->type == S_INT)
		fprintf(f, ",\"minimum\":%lld,\"maximum\":%lld", (long long)k->min,
		    (long long)k->max);
	else if (k->type != S_DURATION && k->max != 0)
		fprintf(f, ",\"minLength\":1,\"maxLength\":%lld", (long long)k->max);
}

static void emit_one(const struct schema_key *k, FILE *f)
{
	if (k->type == S_SECTION)
		emit_section(k->sub, f);
	else
		emit_scalar(k, f);
}

static void emit_array(const struct schema_key *k, FILE *f)
{
	fputs("\"type\":\"array\",\"minItems\":1,\"items\":{", f);
	emit_one(k, f);
	fputc('}', f);
}

/* A list, or one alone where that is allowed. */
static void emit_list(const struct schema_key *k, FILE *f)
{
	bool inner = k->type == S_SECTION && k->sub->short_only;

	if ((k->flags & SF_STRICT) != 0 && !inner) {
		emit_array(k, f);
		return;
	}
	fputs("\"anyOf\":[{", f);
	emit_one(k, f);
	fputs("},{", f);
	emit_array(k, f);
	fputs("}]", f);
}

static void emit_map(const struct schema_section *s, FILE *f)
{
	fputs("\"type\":\"object\",\"minProperties\":1,\"propertyNames\":{\"pattern\":",
	    f);
	text_json(types[s->map_type].pattern, f);
	fputs("},\"additionalProperties\":{", f);
	emit_section(s, f);
	fputc('}', f);
}

static void emit_key(const struct schema_key *k, FILE *f)
{
	text_json(k->name, f);
	fputs(":{\"description\":", f);
	text_json(k->help, f);
	fputc(',', f);
	if ((k->flags & SF_MAP) != 0)
		emit_map(k->sub, f);
	else if ((k->flags & SF_LIST) != 0 || k->type == S_WORDS)
		emit_list(k, f);
	else
		emit_one(k, f);
	fputc('}', f);
}

static void emit_object(const struct schema_section *s, FILE *f)
{
	const char *sep = "";

	fputs("\"type\":\"object\",\"additionalProperties\":false,\"properties\":{", f);
	for (const struct schema_key *k = s->keys; k->name != NULL; k++) {
		if (k != s->keys)
			fputc(',', f);
		emit_key(k, f);
	}
	fputs("},\"required\":[", f);
	for (const struct schema_key *k = s->keys; k->name != NULL; k++) {
		if ((k->flags & SF_REQUIRED) == 0)
			continue;
		fputs(sep, f);
		text_json(k->name, f);
		sep = ",";
	}
	fputc(']', f);
}

static void emit_short(const struct schema_section *s, FILE *f)
{
	const struct schema_key *k = schema_find(s, s->short_for);

	if ((k->flags & SF_LIST) != 0)
		emit_list(k, f);
	else
		emit_one(k, f);
}

static void emit_section(const struct schema_section *s, FILE *f)
{
	if (s->short_for == NULL) {
		emit_object(s, f);
	} else if (s->short_only) {
		emit_short(s, f);
	} else {
		fputs("\"anyOf\":[{", f);
		emit_short(s, f);
		fputs("},{", f);
		emit_object(s, f);
		fputs("}]", f);
	}
}

static void emit_kind(const struct schema_kind *k, FILE *f)
{
	struct schema_key row = {
	    .type = S_SECTION, .flags = SF_STRICT, .sub = k->section};

	text_json(k->name, f);
	fputs(":{\"description\":", f);
	text_json(k->help, f);
	fputc(',', f);
	if ((k->flags & SF_MAP) != 0)
		emit_map(k->section, f);
	else if ((k->flags & SF_LIST) != 0)
		emit_array(&row, f);
	else
		emit_section(k->section, f);
	fputc('}', f);
}

int emit_schema(FILE *f)
{
	fputs("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
	      "\"title\":\"cordon policy file\",\"anyOf\":[",
	    f);
	for (int k = 0; k < FILE_NKINDS; k++)
		fprintf(f, "%s{\"$ref\":\"#/$defs/%s\"}", k != 0 ? "," : "",
		    schema_kinds[k].name);
	fputs("],\"$defs\":{", f);
	for (int k = 0; k < FILE_NKINDS; k++) {
		if (k != 0)
			fputc(',', f);
		emit_kind(&schema_kinds[k], f);
	}
	fputs("}}\n", f);
	return fflush(f) == 0 && !ferror(f) ? 0 : -1;
}
