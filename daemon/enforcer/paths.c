/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the daemon's directories, its lock and its control socket */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "enforcer/paths.h"
#include "priv/ctl.h"
#include "priv/drop.h"

enum { PATHS_BACKLOG = 16 };

int paths_dir(const char *dir)
{
	bool made = mkdir(dir, 0750) == 0;
	uid_t uid;
	gid_t gid;
	int fd, err;

	if (!made && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (made && priv_user(&uid, &gid) && fchown(fd, uid, gid) < 0) {
		err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

int paths_lock(int runtime_fd)
{
	int fd = openat(runtime_fd, "cordond.lock",
	    O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	int err;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

static int paths_bind(int fd, const char *dir)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	mode_t mask;
	uid_t uid;
	gid_t gid;
	int r, n;

	n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" CTL_SOCKET, dir);
	if (n < 0 || n >= (int)sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	if (unlink(sa.sun_path) < 0 && errno != ENOENT) /* of a killed daemon */
		return -errno;
	mask = umask(0117);
	r = bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && priv_user(&uid, &gid) && lchown(sa.sun_path, (uid_t)-1, gid) < 0)
		r = -errno;
	if (r == 0 && listen(fd, PATHS_BACKLOG) < 0)
		r = -errno;
	return r;
}

int paths_control(const char *dir)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = paths_bind(fd, dir);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
