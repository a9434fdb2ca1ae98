/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: reading our own event logs for what servers said of themselves */
#include "cli/observed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/gzfile.h"

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
	       strcmp(a->dialect, b->dialect) == 0 &&
	       strcmp(a->address, b->address) == 0 && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->domain, b->domain) == 0;
}

/* Logs come in any order; ours write all times alike, so that text compares as they do.
 */
static void stretch(struct observed_sight *to, const struct observed_sight *s)
{
	if (s->first[0] == '\0')
		return;
	if (to->first[0] == '\0' || strcmp(s->first, to->first) < 0)
		memcpy(to->first, s->first, sizeof(to->first));
	if (strcmp(s->last, to->last) > 0)
		memcpy(to->last, s->last, sizeof(to->last));
}

static int add(struct observed_host *h, const struct observed_sight *s)
{
	for (size_t i = 0; i < h->n; i++) {
		if (!same(&h->sight[i], s))
			continue;
		h->sight[i].count++;
		stretch(&h->sight[i], s);
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
static uint32_t server_of(const struct fs *fs, json_t *event, char *ret_address)
{
	const char *ip = json_string_value(json_object_get(event, "dest_ip"));
	struct netaddr a;
	uint32_t host;

	if (ip == NULL || netaddr_parse(ip, &a) != 0)
		return FS_NONE;
	host = fs_place_of(fs, &a);
	if (host == FS_NONE || !fs_host(fs, host)->declared)
		return FS_NONE;
	netaddr_format(&a, ret_address);
	return host;
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
	json_t *smb = json_object_get(event, "smb"), *ntlm;
	struct observed_sight s = { .count = 1 };
	uint32_t host = json_is_object(smb) ? server_of(fs, event, s.address) : FS_NONE;

	if (host == FS_NONE)
		return 0;
	ntlm = json_object_get(smb, "ntlmssp");
	COPY(s.ntlm, json_object_get(ntlm, "version"));
	COPY(s.name, json_object_get(ntlm, "nb_computer"));
	COPY(s.domain, json_object_get(ntlm, "nb_domain"));
	COPY(s.native_os, json_object_get(smb, "native_os"));
	COPY(s.native_lm, json_object_get(smb, "native_lm"));
	COPY(s.dialect, json_object_get(smb, "dialect"));
	COPY(s.first, json_object_get(event, "timestamp"));
	memcpy(s.last, s.first, sizeof(s.last));
	judge(fs, fs_host(fs, host), &s);
	if (s.verdict == POSTURE_SEEN_NOTHING && s.name[0] == '\0')
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

/* Of one file, which this closes; a gzip file begins with a byte that no event does.
 * One that breaks off is used as far as it goes. */
static int read_stream(struct observed *o, const struct fs *fs, FILE *f, char *line)
{
	struct gzfile_error gz = { 0 };
	int c = getc(f), rc;
	FILE *plain = f;

	if (c != EOF)
		ungetc(c, f);
	if (c == 0x1f)
		plain = gzfile_open(f, &gz);
	if (plain == NULL) {
		fclose(f);
		errno = ENOMEM;
		return -1;
	}
	o->files++;
	rc = read_lines(o, fs, plain, line);
	if (rc == -1 && gz.why != NULL) {
		o->broken++;
		rc = 0;
	}
	fclose(plain);
	return rc;
}

/* In a folder only regular files are logs: nothing else is waited for. */
static int read_path(
    struct observed *o, const struct fs *fs, int folder, const char *path, char *line)
{
	bool picked = folder != AT_FDCWD;
	int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | (picked ? O_NONBLOCK : 0));
	FILE *f = NULL;
	struct stat st;
	int err;

	if (fd >= 0 && picked && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		return close(fd);
	if (fd >= 0)
		f = fdopen(fd, "r");
	if (f != NULL)
		return read_stream(o, fs, f, line);
	err = errno;
	if (fd >= 0)
		close(fd);
	errno = err;
	return -1;
}

static int is_log(const struct dirent *d)
{
	return strstr(d->d_name, ".jsonl") != NULL;
}

static int read_folder(
    struct observed *o, const struct fs *fs, const char *path, char *line)
{
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0, err;
	struct dirent **names = NULL;
	int n = folder >= 0 ? scandirat(folder, ".", &names, is_log, alphasort) : -1;

	if (n == 0)
		errno = ENODATA;
	if (n <= 0)
		rc = -1;
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = read_path(o, fs, folder, names[i]->d_name, line);
		err = errno;
		free(names[i]);
		errno = err;
	}
	err = errno;
	free(names);
	if (folder >= 0)
		close(folder);
	errno = err;
	return rc;
}

static int read_all(
    struct observed *o, const struct fs *fs, const char *path, char *line)
{
	struct stat st;
	FILE *in;

	if (strcmp(path, "-") == 0) {
		in = fdopen(dup(STDIN_FILENO), "r");
		return in != NULL ? read_stream(o, fs, in, line) : -1;
	}
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return read_folder(o, fs, path, line);
	return read_path(o, fs, AT_FDCWD, path, line);
}

int observed_read(const char *path, const struct fs *fs, struct observed **ret)
{
	struct observed *o = calloc(1, sizeof(*o));
	char *line = malloc(OBSERVED_LINE_MAX);
	int rc = -1, err;

	if (o != NULL && line != NULL) {
		o->nhosts = fs->table[FS_HOSTS].count;
		o->host = calloc(o->nhosts + 1, sizeof(*o->host));
		rc = o->host != NULL ? read_all(o, fs, path, line) : -1;
	}
	if (rc == 0)
		rc = observed_judge(o, fs);
	err = errno;
	free(line);
	if (rc == 0)
		*ret = o;
	else
		observed_free(o);
	errno = err;
	return rc;
}

static void free_host(struct observed_host *h)
{
	free(h->sight);
	for (size_t i = 0; i < h->nnotes; i++)
		free(h->notes[i]);
	free(h->notes);
}

void observed_free(struct observed *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; o->host != NULL && i < o->nhosts; i++)
		free_host(&o->host[i]);
	free(o->host);
	free(o);
}
