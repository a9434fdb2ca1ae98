/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the SSH session this command runs in */
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANCESTORS_MAX = 64 };
static const char name[] = "SSH_CONNECTION=";

/* In the environment that process was started with. */
static const char *session_of(pid_t pid, char *buf, size_t size)
{
	char path[48], *var = NULL;
	size_t room = 0;
	const char *found = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	f = fopen(path, "re");
	while (f && !found && getdelim(&var, &room, '\0', f) > 0)
		if (strncmp(var, name, sizeof(name) - 1) == 0 &&
		    snprintf(buf, size, "%s", var + sizeof(name) - 1) < (int)size)
			found = buf;
	free(var);
	if (f)
		fclose(f);
	return found;
}

/* 0: none, or it can't be read. */
static pid_t session_parent(pid_t pid)
{
	char path[48], line[512];
	const char *behind = NULL;
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f && fgets(line, sizeof(line), f))
		behind = strrchr(line, ')'); /* a command may be called anything */
	if (!behind || sscanf(behind + 1, " %*c %d", &parent) != 1)
		parent = 0;
	if (f)
		fclose(f);
	return parent;
}

const char *session_ssh(char *buf, size_t size)
{
	const char *own = getenv("SSH_CONNECTION"), *found = NULL;
	pid_t pid = getppid();

	if (own && *own)
		return own;
	for (int i = 0; i < ANCESTORS_MAX && pid > 0 && !found; i++) {
		found = session_of(pid, buf, size);
		pid = session_parent(pid);
	}
	return found;
}
