/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the peer of all that reads policies: libyaml's events, thrown away */
#ifndef CORDON_TESTS_EVENTS_H
#define CORDON_TESTS_EVENTS_H

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include <yaml.h>

#include "bench.h"

/* All of the file; the caller free()s. */
static inline unsigned char *events_slurp(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *data;
	struct stat st;

	must(fd != -1 && fstat(fd, &st) == 0, path);
	data = malloc((size_t)st.st_size + 1);
	must(data != NULL && read(fd, data, (size_t)st.st_size) == st.st_size, path);
	close(fd);
	*ret_len = (size_t)st.st_size;
	return data;
}

/* What any program has to pay that reads these files with libyaml. */
static inline size_t events_of(const char *path)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	yaml_parser_t p;
	size_t len, n = 0;
	unsigned char *data = events_slurp(path, &len);

	must(yaml_parser_initialize(&p), "libyaml");
	yaml_parser_set_input_string(&p, data, len);
	for (; type != YAML_STREAM_END_EVENT; n++) {
		yaml_event_t e;

		must(yaml_parser_parse(&p, &e), path);
		type = e.type;
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&p);
	free(data);
	return n;
}

static inline bool events_is_yaml(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && strcmp(name + n - 5, ".yaml") == 0;
}

/* Events of all files of a policy tree. */
static inline size_t events_walk(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	size_t n = 0;

	must(d != NULL, dir);
	while ((e = readdir(d)) != NULL) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			n += events_walk(path);
		else if (events_is_yaml(e->d_name))
			n += events_of(path);
	}
	closedir(d);
	return n;
}

#endif
