/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: blocks of bytes handed from role to role as sealed memory files */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "priv/blob.h"

enum { BLOB_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
enum { BLOB_PAGE = 4096, BLOB_SLICE = 2 << 20 };

static int blob_write(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int blob_seal(const char *name, const void *data, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = blob_write(fd, data, len);
	if (r == 0 && fcntl(fd, F_ADD_SEALS, BLOB_SEALS | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int blob_map(int fd, uint64_t max, struct blob *ret)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *data = NULL;

	if (seals < 0 || (seals & BLOB_SEALS) != BLOB_SEALS)
		return -EPERM;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return -EFBIG;
	if (st.st_size) {
		/* private: a write seal forbids a shared mapping on older kernels */
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED)
			return -errno;
	}
	*ret = (struct blob){ fd, data, (size_t)st.st_size };
	return 0;
}

int blob_take(int fd, uint64_t max, struct blob *ret)
{
	int r = blob_map(fd, max, ret);

	if (r < 0)
		close(fd);
	return r;
}

void blob_drop(struct blob *b)
{
	union {
		const void *in;
		void *out;
	} data = { b->data };

	if (b->data)
		munmap(data.out, b->len);
	if (b->fd >= 0)
		close(b->fd);
	*b = (struct blob)BLOB_NONE;
}

void blob_touch(const struct blob *b, blob_breathe_fn *breathe, void *arg)
{
	const volatile char *at = b->data;

	for (size_t i = 0; at && i < b->len; i += BLOB_PAGE) {
		(void)at[i];
		if (i % BLOB_SLICE == 0)
			breathe(arg);
	}
}

void blob_drop_calmly(struct blob *b, blob_breathe_fn *breathe, void *arg)
{
	while (b->data && b->len > BLOB_SLICE) {
		/* from the end: what is left is a mapping as before */
		size_t keep = (b->len - 1) / BLOB_SLICE * BLOB_SLICE;

		if (munmap((char *)(uintptr_t)b->data + keep, b->len - keep) < 0)
			break;
		b->len = keep;
		breathe(arg);
	}
	blob_drop(b);
	breathe(arg);
}
