/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the keys of cves.yaml */
#include <string.h>

#include <cordon/flowspace.h>

#include "rules/inline.h"
#include "rules/servicing.h"

typedef void vuln_put(
    struct reader *r, struct servicing_vuln *v, const struct ynode *n);

static void put_id(struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	v->id = servicing_text(r, n);
}
static void put_title(struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	v->title = servicing_text(r, n);
}
static void put_cve(struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	v->ncve = servicing_list(r, n, v->cve);
}
static void put_affects(
    struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	static const char *const words[] = { "no", "yes" };

	v->affects = servicing_word(r, n, words, 2) == 1;
}
static void put_fixed_by(
    struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	const char *kb[SERVICING_LIST_MAX];
	unsigned count = servicing_list(r, n, kb);

	for (unsigned i = 0; i < count; i++) {
		v->fixed_by[i] = servicing_find(&r->table->t, kb[i]);
		if (v->fixed_by[i] == NULL)
			servicing_fail(r, "%s is not in the table of updates", kb[i]);
	}
	v->nfixed_by = count;
}
static void put_rollups(
    struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	static const char *const words[] = { "unknown", "contain" };

	v->in_rollups = servicing_word(r, n, words, 2) == 1;
}
static void put_fixed(struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	servicing_version(r, servicing_text(r, n), &v->build, &v->revision);
}
static void put_speaks(
    struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	static const char *const words[] = { "smb", "rdp" };

	v->speaks = servicing_word(r, n, words, 2) == 1 ? FS_RDP : FS_SMB;
}
static void put_ports(struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	const char *s[SERVICING_LIST_MAX], *why;
	struct pport port[2];
	unsigned count = servicing_list(r, n, s);

	for (unsigned i = 0; i < count; i++) {
		if (inline_parse(s[i], port, &why) != 1 || port[0].lo != port[0].hi) {
			servicing_fail(r, "\"%s\" is not one port", s[i]);
			return;
		}
		v->ports[i].proto = port[0].proto;
		v->ports[i].port = port[0].lo;
	}
	v->nports = count;
}
static void put_guards(
    struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	v->nguards = servicing_list(r, n, v->guards);
}
static void put_require(
    struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	static const char *const words[] = { "nla", "smb2", "signing" };

	v->require = (uint8_t)(1u << servicing_word(r, n, words, 3));
}
static void put_role(struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	v->role = servicing_text(r, n);
}
static void put_vuln_note(
    struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	v->note = servicing_text(r, n);
}
static void put_vuln_source(
    struct reader *r, struct servicing_vuln *v, const struct ynode *n)
{
	v->source = servicing_text(r, n);
}

static const struct {
	const char *key;
	vuln_put *put;
} vuln_keys[] = { { "id", put_id }, { "title", put_title }, { "cve", put_cve },
	{ "affects", put_affects }, { "fixed_by", put_fixed_by },
	{ "rollups", put_rollups }, { "revision", put_fixed }, { "speaks", put_speaks },
	{ "ports", put_ports }, { "guards", put_guards }, { "require", put_require },
	{ "role", put_role }, { "note", put_vuln_note },
	{ "source", put_vuln_source } };

void servicing_read_vuln(
    struct reader *r, const struct ynode *row, struct servicing_vuln *v)
{
	*v = (struct servicing_vuln){
		.id = "", .title = "", .note = "", .source = "", .role = ""
	};
	for (const struct yitem *i = row->items; i != NULL; i = i->next) {
		size_t k = 0, n = sizeof(vuln_keys) / sizeof(vuln_keys[0]);

		while (k < n && strcmp(vuln_keys[k].key, i->key->text) != 0)
			k++;
		if (k == n)
			servicing_fail(r, "unknown key \"%s\"", i->key->text);
		else
			vuln_keys[k].put(r, v, i->value);
	}
	if (*v->id == '\0' || v->ncve == 0 || *v->source == '\0')
		servicing_fail(r, "a vulnerability without id, cve or source");
	if (v->speaks == 0 && v->nports == 0)
		servicing_fail(r, "%s: neither speaks nor ports", v->id);
}
