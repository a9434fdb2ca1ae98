/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: JSON Schema 2020-12 of the policy files, from the one table of keys */
#include <cordon/rules.h>

#include <string.h>

#include "rules/schema.h"
#include "rules/text.h"

/* ---- patterns: what rules/value.c takes, as far as an expression can say it ---- */

#define NAME "[a-z0-9][a-z0-9-]{0,39}"
#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define V4 "(" OCTET "\\.){3}" OCTET
#define H "[0-9a-fA-F]{1,4}"
#define V6 \
	"((" H ":){7}" H "|(" H ":){1,7}:|(" H ":){1,6}:" H "|(" H ":){1,5}(:" H "){1,2}" \
	"|(" H ":){1,4}(:" H "){1,3}|(" H ":){1,3}(:" H "){1,4}|(" H ":){1,2}(:" H "){1,5}" \
	"|" H ":(:" H "){1,6}|:((:" H "){1,7}|:)|(" H ":){6}" V4 "|::(" H ":){0,5}" V4 \
	"|(" H ":){1,5}:" V4 "|(" H ":){1,4}:" H ":" V4 "|(" H ":){1,3}(:" H "){1,2}:" V4 \
	"|(" H ":){1,2}(:" H "){1,3}:" V4 "|" H ":(:" H "){1,4}:" V4 ")"
#define PREFIX \
	V4 "(/(3[0-2]|[12]?[0-9])|-" V4 ")?|" V6 "(/(12[0-8]|1[01][0-9]|[1-9]?[0-9])|-" V6 ")?"
#define PORT \
	"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#define TYPES OCTET "(-" OCTET ")?"
#define TYPES_OF_BOTH \
	"echo-request|echo-reply|destination-unreachable|packet-too-big|time-exceeded" \
	"|parameter-problem"
#define PORTS \
	"(tcp|udp|sctp)/" PORT "(-" PORT ")?|icmp/(" TYPES "|" TYPES_OF_BOTH \
	"|timestamp-request|timestamp-reply)|icmpv6/(" TYPES "|" TYPES_OF_BOTH ")" \
	"|ip/(?!(1|6|17|43|44|58|59|60|132)$)([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-4])"
#define DATE "(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
#define CLOCK "([01][0-9]|2[0-3]):[0-5][0-9]"
#define INSTANT "[Tt ]" CLOCK ":([0-5][0-9]|60)(\\.[0-9]+)?([Zz]|[+-]" CLOCK ")"
#define DAY \
	"([Mm][Oo][Nn]|[Tt][Uu][Ee]|[Ww][Ee][Dd]|[Tt][Hh][Uu]|[Ff][Rr][Ii]|[Ss][Aa][Tt]" \
	"|[Ss][Uu][Nn])"
#define WINDOW "(" DAY "(-" DAY ")?|(" CLOCK ")-(" CLOCK "|24:00))"

/* A bare number or truth is a text to the loader, where it can be one: `ticket: 10231`. */
#define STRING "\"string\""
#define NAMES "[\"string\",\"integer\",\"boolean\"],\"minimum\":0"
#define IDS "[\"string\",\"number\",\"boolean\"],\"minimum\":0"
#define TEXTS "[\"string\",\"number\",\"boolean\"]"

static const struct {
	const char *type, *pattern;
} types[S_NTYPES] = {
	[S_TEXT] = { TEXTS, NULL },
	[S_NAME] = { NAMES, "^[a-z0-9][a-z0-9-]*$" },
	[S_ID] = { IDS, "^[a-z0-9][a-z0-9+._-]*$" },
	[S_IFACE] = { IDS, "^(?!\\.{1,2}$)[A-Za-z0-9._@:-]{1,15}$" },
	[S_ADDRESS] = { STRING, "^(" V4 "|" V6 ")$" },
	[S_PREFIX] = { STRING, "^(" PREFIX ")$" },
	[S_PEER] = { NAMES, "^(" NAME "|" PREFIX ")$" },
	[S_SERVICE] = { NAMES, "^(" NAME "|" PORTS ")$" },
	[S_PORTS] = { STRING, "^(" PORTS ")$" },
	[S_KB] = { STRING, "^KB[0-9]{6,7}$" },
	[S_CODE] = { STRING, "^CRD[0-9]{3}$" },
	[S_CVE] = { STRING, "^CVE-[0-9]{4}-[0-9]{4,7}$" },
	/* `bytes: 00` is hex to the loader, but a number to others: here it wants quotes. */
	[S_HEX] = { STRING, "^ *([0-9a-fA-F]{2} *){1,8}$" },
	[S_SCHEDULE] = { STRING, "^[ ,]*" WINDOW "([ ,]+" WINDOW ")*[ ,]*$" },
	[S_INT] = { "\"integer\"", NULL },
	[S_BOOL] = { "\"boolean\"", NULL },
	[S_DURATION] = { STRING,
	    "^(?=.)([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$" },
	[S_TIME] = { STRING, "^" DATE "(" INSTANT ")?$" },
	[S_INSTANT] = { STRING, "^" DATE "(" INSTANT ")?$" },
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
	fprintf(f, "\"type\":%s", types[k->type].type);
	if (types[k->type].pattern != NULL) {
		fputs(",\"pattern\":", f);
		text_json(types[k->type].pattern, f);
	}
	if (k->type == S_INT)
		fprintf(f, ",\"minimum\":%lld,\"maximum\":%lld", (long long)k->min,
		    (long long)k->max);
	else if (k->type != S_DURATION && k->max != 0)
		fprintf(f, ",\"minLength\":1,\"maxLength\":%lld", (long long)k->max);
	else if (k->type == S_NAME || k->type == S_ID)
		fputs(",\"maxLength\":40", f);
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

/* A list of lists, or where only one is inside, that one: which, its first item tells. */
static void emit_nested(const struct schema_key *k, FILE *f)
{
	const struct schema_key *inner = schema_find(k->sub, k->sub->short_for);

	fputs("\"anyOf\":[{", f);
	emit_array(inner, f);
	fputs("},{\"type\":\"array\",\"minItems\":1,\"prefixItems\":[{", f);
	emit_array(inner, f);
	fputs("}],\"items\":{\"anyOf\":[{", f);
	emit_one(inner, f);
	fputs("},{", f);
	emit_array(inner, f);
	fputs("}]}}]", f);
}

/* A list, or one alone where that is allowed. */
static void emit_list(const struct schema_key *k, FILE *f)
{
	if (k->type == S_SECTION && k->sub->short_only) {
		emit_nested(k, f);
		return;
	}
	if ((k->flags & SF_STRICT) != 0) {
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
	fputs(",\"maxLength\":40},\"additionalProperties\":{", f);
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

	fputs("\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":false,"
	      "\"properties\":{", f);
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
