/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: reading our own event log for what servers said of themselves */
#include "cli/observed.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/netaddr.h>

/* Copy what fits, whole characters only. */
static void copy(char *to, size_t size, json_t *text)
{
	const char *s = json_string_value(text);
	size_t n = s != NULL ? strlen(s) : 0;

	if (n >= size)
		for (n = size - 1; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
			n--;
	memcpy(to, s != NULL ? s : "", n);
	to[n] = '\0';
}
#define COPY(field, text) copy((field), sizeof(field), (text))

static bool same(const struct observed_sight *a, const struct observed_sight *b)
{
	return strcmp(a->ntlm, b->ntlm) == 0 &&
	       strcmp(a->native_os, b->native_os) == 0 &&
	       strcmp(a->native_lm, b->native_lm) == 0 &&
	       strcmp(a->dialect, b->dialect) == 0;
}

static int add(struct observed_host *h, const struct observed_sight *s)
{
	for (size_t i = 0; i < h->n; i++) {
		if (!same(&h->sight[i], s))
			continue;
		h->sight[i].count++;
		memcpy(h->sight[i].last, s->last, sizeof(s->last));
		return 0;
	}
	if (h->sight == NULL)
		h->sight = calloc(OBSERVED_SIGHTS_MAX, sizeof(*h->sight));
	if (h->sight == NULL)
		return -1;
	if (h->n == OBSERVED_SIGHTS_MAX)
		h->more++;
	else
		h->sight[h->n++] = *s;
	return 0;
}

/* The host at the server's end: an event's dest_ip. */
static uint32_t server_of(const struct fs *fs, json_t *event)
{
	const char *ip = json_string_value(json_object_get(event, "dest_ip"));
	struct netaddr a;
	uint32_t host;

	if (ip == NULL || netaddr_parse(ip, &a) != 0)
		return FS_NONE;
	host = fs_place_of(fs, &a);
	return host != FS_NONE && fs_host(fs, host)->declared ? host : FS_NONE;
}

static void judge(
    const struct fs *fs, const struct fs_host *h, struct observed_sight *s)
{
	const struct posture_sighting facts = { .native_os = s->native_os,
		.native_lm = s->native_lm,
		.ntlm_version = s->ntlm[0] != '\0' ? s->ntlm : NULL,
		.dialect = s->dialect };

	s->verdict = posture_compare(fs, h, &facts, s->said, sizeof(s->said));
}

static int take(struct observed *o, const struct fs *fs, json_t *event)
{
	json_t *smb = json_object_get(event, "smb");
	uint32_t host = json_is_object(smb) ? server_of(fs, event) : FS_NONE;
	struct observed_sight s = { .count = 1 };

	if (host == FS_NONE)
		return 0;
	COPY(s.ntlm, json_object_get(json_object_get(smb, "ntlmssp"), "version"));
	COPY(s.native_os, json_object_get(smb, "native_os"));
	COPY(s.native_lm, json_object_get(smb, "native_lm"));
	COPY(s.dialect, json_object_get(smb, "dialect"));
	COPY(s.first, json_object_get(event, "timestamp"));
	memcpy(s.last, s.first, sizeof(s.last));
	judge(fs, fs_host(fs, host), &s);
	if (s.verdict == POSTURE_SEEN_NOTHING)
		return 0;
	o->used++;
	return add(&o->host[host], &s);
}

/* To the end of a line that is too long. */
static void skip_line(FILE *f)
{
	int c;

	do
		c = getc_unlocked(f);
	while (c != EOF && c != '\n');
}

static int read_lines(struct observed *o, const struct fs *fs, FILE *f, char *line)
{
	while (fgets(line, OBSERVED_LINE_MAX, f) != NULL) {
		size_t len = strlen(line);
		json_t *event = NULL;
		int rc = 0;

		o->lines++;
		if (len + 1 == OBSERVED_LINE_MAX && line[len - 1] != '\n')
			skip_line(f);
		else
			event = json_loadb(line, len, 0, NULL);
		if (json_is_object(event))
			rc = take(o, fs, event);
		else if (line[strspn(line, " \t\r\n")] != '\0' || len == 0)
			o->malformed++;
		json_decref(event);
		if (rc != 0)
			return -1;
	}
	return ferror(f) ? -1 : 0;
}

int observed_read(const char *path, const struct fs *fs, struct observed **ret)
{
	bool in = strcmp(path, "-") == 0;
	FILE *f = in ? stdin : fopen(path, "re");
	struct observed *o = calloc(1, sizeof(*o));
	char *line = malloc(OBSERVED_LINE_MAX);
	int rc = -1, err;

	if (f != NULL && o != NULL && line != NULL) {
		o->nhosts = fs->table[FS_HOSTS].count;
		o->host = calloc(o->nhosts + 1, sizeof(*o->host));
		rc = o->host != NULL ? read_lines(o, fs, f, line) : -1;
	}
	err = errno;
	free(line);
	if (f != NULL && !in)
		fclose(f);
	if (rc == 0)
		*ret = o;
	else
		observed_free(o);
	errno = err;
	return rc;
}

void observed_free(struct observed *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; o->host != NULL && i < o->nhosts; i++)
		free(o->host[i].sight);
	free(o->host);
	free(o);
}

enum posture_seen observed_verdict(const struct observed_host *h)
{
	static const enum posture_seen order[] = { POSTURE_SEEN_DIFFERS,
		POSTURE_SEEN_UNKNOWN, POSTURE_SEEN_AGREES };

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++)
		for (size_t i = 0; i < h->n; i++)
			if (h->sight[i].verdict == order[k])
				return order[k];
	return POSTURE_SEEN_NOTHING;
}
