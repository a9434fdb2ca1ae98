/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: scalars of the policy: one row a type, one function a row */
#include <ctype.h>
#include <string.h>

#include "rules/inline.h"
#include "rules/load.h"
#include "rules/text.h"
#include "rules/when.h"
#include "rules/yaml.h"

struct value {
	struct policy *p;
	const struct schema_key *k;
	const struct ynode *n;
	struct diag_loc loc;
};

#define FAIL(v, code, ...) policy_error((v)->p, code, (v)->loc, __VA_ARGS__)

static int hint(const struct value *v, const char *text)
{
	if (text != NULL)
		diag_hint(v->p->diag, "%s", text);
	return -1;
}

/* ---- text ---- */

static int store(const struct value *v, const char *s, size_t len, void *field)
{
	struct pstr *out = field;
	const char *copy = arena_strndup(&v->p->arena, s, len);

	if (copy == NULL)
		return policy_no_memory(v->p);
	out->s = copy;
	out->loc = v->loc;
	return 0;
}

static int put_text(const struct value *v, void *field)
{
	const char *s = v->n->text;
	size_t len = v->n->n, n;
	uint32_t c;

	while (len > 0 && s[len - 1] == '\n') /* of a folded block */
		len--;
	if (len > (size_t)v->k->max)
		return FAIL(v, "CRD023", "\"%s\" has %zu bytes (at most %d)",
		    v->k->name, len, (int)v->k->max);
	for (size_t i = 0; i < len; i += n) {
		n = 1;
		if (s[i] >= ' ' && s[i] < 0x7f)
			continue;
		n = text_decode(s + i, len - i, &c);
		if (n == 0 || !text_visible(c))
			return FAIL(v, "CRD003",
			    "\"%s\" holds a character that readers cannot see (byte "
			    "0x%02x)",
			    v->k->name, (unsigned char)s[i]);
	}
	return store(v, s, len, field);
}

static bool name_chars(const char *s, const char *more)
{
	if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s))
		return false;
	for (; *s != '\0'; s++) {
		if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) &&
		    *s != '-' && strchr(more, *s) == NULL)
			return false;
	}
	return true;
}

static int put_named(const struct value *v, const char *more, void *field)
{
	size_t max = v->k->max != 0 ? (size_t)v->k->max : 40;

	if (v->n->n > max)
		return FAIL(v, "CRD026", "\"%s\" has %u bytes (a name has at most %zu)",
		    v->n->text, v->n->n, max);
	if (!name_chars(v->n->text, more)) {
		policy_error(
		    v->p, "CRD026", v->loc, "\"%s\" cannot be a name", v->n->text);
		diag_hint(v->p->diag, "%s, starting with a letter or digit",
		    schema_type_text(v->k->type == S_ID ? S_ID : S_NAME));
		return -1;
	}
	return store(v, v->n->text, v->n->n, field);
}

static int put_name(const struct value *v, void *field)
{
	return put_named(v, "", field);
}

static int put_id(const struct value *v, void *field)
{
	return put_named(v, "+._", field);
}

static int put_iface(const struct value *v, void *field)
{
	const char *s = v->n->text;
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                     "0123456789._-@:");

	if (s[n] != '\0' || v->n->n > 15 || strcmp(s, ".") == 0 ||
	    strcmp(s, "..") == 0) {
		FAIL(v, "CRD026", "\"%s\" cannot be a network interface", s);
		return hint(v, "1 to 15 letters, digits and ._-@:");
	}
	return store(v, s, n, field);
}

/* ---- addresses and services: checked here, resolved later ---- */

static int put_address(const struct value *v, void *field)
{
	struct netaddr a;

	if (netaddr_parse(v->n->text, &a) == -1) {
		FAIL(v, "CRD027", "\"%s\" is not an IPv4 or IPv6 address", v->n->text);
		return hint(v, strpbrk(v->n->text, "/-") != NULL ?
		    "one address, no prefix or range" : NULL);
	}
	return store(v, v->n->text, v->n->n, field);
}

static int put_prefix(const struct value *v, void *field)
{
	struct netrange r;
	const char *why = NULL;

	if (netrange_parse(v->n->text, &r, &why) == -1) {
		FAIL(v, "CRD027", "\"%s\": %s", v->n->text, why);
		return hint(
		    v, v->k->type == S_PEER && strpbrk(v->n->text, ":/") == NULL &&
			       strpbrk(v->n->text, "ghijklmnopqrstuvwxyz") != NULL
			   ? "names are never looked up in DNS"
			   : NULL);
	}
	return store(v, v->n->text, v->n->n, field);
}

static int put_peer(const struct value *v, void *field)
{
	if (strpbrk(v->n->text, ".:/") != NULL)
		return put_prefix(v, field);
	return put_name(v, field);
}

static int put_ports(const struct value *v, void *field)
{
	struct pport port[2];
	const char *why;

	if (inline_parse(v->n->text, port, &why) == -1) {
		return FAIL(v, "CRD030", "\"%s\" is not an inline service: %s",
		    v->n->text, why);
	}
	return store(v, v->n->text, v->n->n, field);
}

static int put_service(const struct value *v, void *field)
{
	return strchr(v->n->text, '/') != NULL ? put_ports(v, field)
					       : put_name(v, field);
}

/* ---- small formats ---- */

static int put_kb(const struct value *v, void *field)
{
	const char *s = v->n->text;

	if (strncmp(s, "KB", 2) != 0 || v->n->n < 8 || v->n->n > 9 ||
	    strspn(s + 2, "0123456789") != v->n->n - 2) {
		FAIL(v, "CRD022", "\"%s\" is not an update", s);
		return hint(v, "KB and 6 or 7 digits, as KB4474419");
	}
	return store(v, s, v->n->n, field);
}

static int put_code(const struct value *v, void *field)
{
	const char *s = v->n->text;

	if (strncmp(s, "CRD", 3) != 0 || v->n->n != 6 ||
	    strspn(s + 3, "0123456789") != 3)
		return FAIL(v, "CRD022", "\"%s\" is not %s", s, schema_type_text(S_CODE));
	return store(v, s, v->n->n, field);
}

static int put_cve(const struct value *v, void *field)
{
	const char *s = v->n->text;
	size_t digits = strlen(s) > 9 ? strspn(s + 9, "0123456789") : 0;

	if (strncmp(s, "CVE-", 4) != 0 || strspn(s + 4, "0123456789") != 4 ||
	    s[8] != '-' || digits < 4 || digits > 7 || s[9 + digits] != '\0')
		return FAIL(
		    v, "CRD022", "\"%s\" is not %s", s, schema_type_text(S_CVE));
	return store(v, s, v->n->n, field);
}

static int put_hex(const struct value *v, void *field)
{
	unsigned digits = 0;

	for (const char *s = v->n->text; *s != '\0'; s++) {
		if (*s == ' ' && digits % 2 == 0)
			continue;
		if (!isxdigit((unsigned char)*s))
			return FAIL(v, "CRD031", "\"%s\" is not %s", v->n->text,
			    schema_type_text(S_HEX));
		digits++;
	}
	if (digits == 0 || digits % 2 != 0 || digits > 16)
		return FAIL(v, "CRD031", "\"%s\" is not %s", v->n->text,
		    schema_type_text(S_HEX));
	return store(v, v->n->text, v->n->n, field);
}

static int put_schedule(const struct value *v, void *field)
{
	struct fs_window w[SCHEDULE_WINDOWS_MAX];
	const char *why = NULL;

	if (schedule_parse(v->n->text, w, &why) == -1) {
		FAIL(v, "CRD029", "\"%s\" is not a schedule: %s", v->n->text, why);
		return hint(v, "as Mon-Fri 07:00-19:00");
	}
	return store(v, v->n->text, v->n->n, field);
}

/* ---- numbers ---- */

static int put(const struct value *v, int64_t n, void *field)
{
	*(struct pnum *)field = (struct pnum){ n, true, v->loc };
	return 0;
}

static int put_int(const struct value *v, void *field)
{
	const char *s = v->n->text;
	bool minus = *s == '-' && v->n->plain;
	size_t len = strspn(s + minus, "0123456789");
	int64_t n = 0;

	if (!v->n->plain || len == 0 || s[minus + len] != '\0' ||
	    (s[minus] == '0' && len > 1))
		return FAIL(v, "CRD022", "\"%s\" takes a whole number, not \"%s\"",
		    v->k->name, s);
	for (size_t i = 0; i < len && n <= INT32_MAX; i++)
		n = n * 10 + (s[minus + i] - '0');
	n = minus ? -n : n;
	if (n < v->k->min || n > v->k->max) {
		if (v->k->min == v->k->max)
			return FAIL(v, "CRD023", "\"%s\" is %s, but has to be %lld",
			    v->k->name, s, (long long)v->k->min);
		return FAIL(v, "CRD023", "\"%s\" is %s, out of range (%lld-%lld)",
		    v->k->name, s, (long long)v->k->min, (long long)v->k->max);
	}
	return put(v, n, field);
}

static int put_bool(const struct value *v, void *field)
{
	bool yes = strcmp(v->n->text, "true") == 0;

	if (!v->n->plain || (!yes && strcmp(v->n->text, "false") != 0))
		return FAIL(v, "CRD022", "\"%s\" takes true or false, not \"%s\"",
		    v->k->name, v->n->text);
	return put(v, yes, field);
}

/* A duration in the largest unit that fits, for messages. */
static const char *duration_text(struct policy *p, int64_t s)
{
	if (s % 86400 == 0)
		return arena_printf(&p->arena, "%lldd", (long long)s / 86400);
	if (s % 3600 == 0)
		return arena_printf(&p->arena, "%lldh", (long long)s / 3600);
	if (s % 60 == 0)
		return arena_printf(&p->arena, "%lldm", (long long)s / 60);
	return arena_printf(&p->arena, "%llds", (long long)s);
}

static int put_duration(const struct value *v, void *field)
{
	int64_t s;

	if (when_parse_duration(v->n->text, &s) == -1) {
		FAIL(v, "CRD028", "\"%s\" is not a duration", v->n->text);
		return hint(v, "as 90s, 60m, 1h, 1h30m or 7d");
	}
	if (s < v->k->min || s > v->k->max)
		return FAIL(v, "CRD023", "\"%s\" is %s, out of range (%s-%s)",
		    v->k->name, v->n->text, duration_text(v->p, v->k->min),
		    duration_text(v->p, v->k->max));
	return put(v, s, field);
}

static int put_time(const struct value *v, void *field)
{
	int64_t t;
	bool date;

	if (when_parse_time(v->n->text, &t, &date) == -1) {
		FAIL(v, "CRD028", "\"%s\" is not a date or instant", v->n->text);
		return hint(v, "as 2027-03-31 or 2027-03-31T18:00:00Z");
	}
	return put(v, date && v->k->type == S_TIME ? t + 86400 : t, field);
}

static int put_word(const struct value *v, void *field)
{
	struct text_nearest near = { .want = v->n->text };
	char list[160] = "";

	for (const struct schema_word *w = v->k->words; w->text != NULL; w++) {
		size_t used = strlen(list);

		if (strcmp(w->text, v->n->text) == 0)
			return put(v, w->value, field);
		text_offer(&near, w->text);
		snprintf(list + used, sizeof(list) - used, "%s%s",
		    used != 0 ? ", " : "", w->text);
	}
	FAIL(v, "CRD024", "\"%s\" takes one of: %s; not \"%s\"", v->k->name, list,
	    v->n->text);
	if (near.best != NULL)
		diag_hint(v->p->diag, "did you mean \"%s\"?", near.best);
	return -1;
}

static int (*const put_type[S_NTYPES])(const struct value *, void *) = {
	[S_TEXT] = put_text,
	[S_NAME] = put_name,
	[S_ID] = put_id,
	[S_IFACE] = put_iface,
	[S_ADDRESS] = put_address,
	[S_PREFIX] = put_prefix,
	[S_PEER] = put_peer,
	[S_SERVICE] = put_service,
	[S_PORTS] = put_ports,
	[S_KB] = put_kb,
	[S_CVE] = put_cve,
	[S_CODE] = put_code,
	[S_HEX] = put_hex,
	[S_SCHEDULE] = put_schedule,
	[S_INT] = put_int,
	[S_BOOL] = put_bool,
	[S_DURATION] = put_duration,
	[S_TIME] = put_time,
	[S_INSTANT] = put_time,
	[S_WORD] = put_word,
};

int load_scalar(struct policy *p, const struct schema_key *k, const struct ynode *n,
    uint32_t file, void *field)
{
	struct value v = { p, k, n, load_loc(n, file) };

	if (n->kind == YNODE_SCALAR)
		return put_type[k->type](&v, field);
	return FAIL(&v, "CRD022", "\"%s\" takes %s, not a %s", k->name,
	    schema_type_text(k->type), n->kind == YNODE_SEQ ? "list" : "mapping");
}
