/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a compiled policy from the loader: checked, kept, restored */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cordon/flowspace.h>
#include <cordon/ruleset.h>

#include "base/log.h"
#include "enforcer/image.h"
#include "enforcer/shape.h"

#define IMAGE_TMP   "image.tmp"
#define IMAGE_LINK  "previous.tmp"
#define IMAGE_MAGIC "CRDNGOOD"

/* Before the flow space in the file.  Same machine, same build: host order. */
struct image_head {
	char magic[8];
	uint32_t generation, size;
	int64_t applied_at;
	struct msg_loaded info;
};

enum { DIGEST_SLICE = 1 << 19 }; /* bytes: less than a millisecond */

/* What breathes while a large image is looked at. */
struct breath {
	image_breathe_fn *f;
	void *arg;
};

static void breathe(void *breath)
{
	struct breath *b = breath;

	if (b)
		b->f(b->arg);
}

static bool image_digest_right(const struct fs *fs, struct breath *b)
{
	static const uint8_t zero[FS_DIGEST_LEN];
	const unsigned char *p = (const unsigned char *)fs;
	const size_t at = offsetof(struct fs, digest), behind = at + FS_DIGEST_LEN;
	crypto_generichash_state h;
	uint8_t digest[FS_DIGEST_LEN];

	crypto_generichash_init(&h, NULL, 0, sizeof(digest));
	crypto_generichash_update(&h, p, at);
	crypto_generichash_update(&h, zero, sizeof(zero));
	for (size_t done = behind, n; done < fs->size; done += n) {
		n = fs->size - done < DIGEST_SLICE ? fs->size - done : DIGEST_SLICE;
		crypto_generichash_update(&h, p + done, n);
		breathe(b);
	}
	crypto_generichash_final(&h, digest, sizeof(digest));
	return memcmp(digest, fs->digest, sizeof(digest)) == 0;
}

/* What is wrong with a flow space from outside, or NULL. */
static const char *image_fs_wrong(const struct blob *b, struct breath *breath)
{
	if (!b->data || !fs_valid_calmly(b->data, b->len, breathe, breath))
		return "the policy image is malformed";
	if (!image_digest_right(b->data, breath))
		return "the policy image's digest is wrong";
	return NULL;
}

static const char *image_wrong(const struct blob b[static 2], uint32_t generation,
    struct breath *breath)
{
	const char *wrong = (blob_touch(&b[0], breathe, breath), image_fs_wrong(&b[0], breath));
	const struct fs *fs = b[0].data;
	const struct ruleset *rs = b[1].data;

	if (wrong)
		return wrong;
	blob_touch(&b[1], breathe, breath);
	if (!rs || !ruleset_valid_calmly(rs, b[1].len, breathe, breath))
		return "the ruleset is malformed";
	if (memcmp(rs->digest, fs->digest, sizeof(rs->digest)) != 0)
		return "the ruleset is not of this policy image";
	if (rs->generation != generation)
		return "the ruleset's generation is wrong";
	breathe(breath);
	return shape_wrong(rs, fs);
}

int image_take(const int fds[static 2], const struct msg_loaded *info,
    uint32_t generation, struct image *ret, image_breathe_fn *f, void *arg)
{
	struct breath breath = { f, arg };
	struct blob b[2] = { BLOB_NONE, BLOB_NONE };
	const char *wrong = NULL;
	int r0 = blob_take(fds[0], BLOB_MAX, &b[0]);
	int r1 = blob_take(fds[1], BLOB_MAX, &b[1]);

	if (r0 < 0 || r1 < 0)
		wrong = strerror(r0 < 0 ? -r0 : -r1);
	else
		wrong = image_wrong(b, generation, &breath);
	if (wrong) {
		log_warnx("load", "the loader's result is refused: %s", wrong);
		blob_drop(&b[0]);
		blob_drop(&b[1]);
		return -1;
	}
	*ret = (struct image){ .blob = { b[0], b[1] }, .fs = b[0].data, .rs = b[1].data,
		.info = *info, .generation = generation };
	return 0;
}

void image_drop_calmly(struct image *i, image_breathe_fn *f, void *arg)
{
	for (int k = 0; k < 2; k++)
		blob_drop_calmly(&i->blob[k], f, arg);
	image_drop(i);
}

void image_drop(struct image *i)
{
	blob_drop(&i->blob[0]);
	blob_drop(&i->blob[1]);
	free(i->made);
	*i = (struct image)IMAGE_NONE;
}

static int image_write(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int image_save_as(int dir_fd, const char *name, const struct image *i)
{
	struct image_head h;
	int fd, r;

	memset(&h, 0, sizeof(h));
	memcpy(h.magic, IMAGE_MAGIC, sizeof(h.magic));
	h.generation = i->generation;
	h.size = i->fs->size;
	h.applied_at = i->applied_at;
	h.info = i->info;
	unlinkat(dir_fd, IMAGE_TMP, 0);
	fd = openat(dir_fd, IMAGE_TMP, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0640);
	if (fd < 0)
		return -errno;
	r = image_write(fd, &h, sizeof(h));
	if (r == 0)
		r = image_write(fd, i->fs, i->fs->size);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (r == 0 && renameat(dir_fd, IMAGE_TMP, dir_fd, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dir_fd, IMAGE_TMP, 0);
		return r;
	}
	return fsync(dir_fd) < 0 ? -errno : 0;
}

/* One that is there stays there until the new one takes its place. */
static void image_keep(int dir_fd)
{
	unlinkat(dir_fd, IMAGE_LINK, 0);
	if (linkat(dir_fd, IMAGE_GOOD, dir_fd, IMAGE_LINK, 0) < 0 ||
	    renameat(dir_fd, IMAGE_LINK, dir_fd, IMAGE_PREVIOUS) < 0)
		log_warn("reload", "the policy before can't be kept for a rollback");
}

int image_save(int dir_fd, const struct image *i)
{
	struct image old = IMAGE_NONE;
	uint8_t digest[FS_DIGEST_LEN];

	if (image_peek(dir_fd, IMAGE_GOOD, &old, digest) == 0 &&
	    memcmp(digest, i->fs->digest, sizeof(digest)) != 0)
		image_keep(dir_fd);
	return image_save_as(dir_fd, IMAGE_GOOD, i);
}

static int image_read(int fd, void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG; /* shorter than it says */
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static bool image_head_ok(const struct image_head *h, const struct stat *st)
{
	union msg_body body = { .loaded = h->info };

	return memcmp(h->magic, IMAGE_MAGIC, sizeof(h->magic)) == 0 &&
	    msg_valid(MSG_LOADED, &body) && h->size <= BLOB_MAX &&
	    st->st_size == (off_t)(sizeof(*h) + h->size);
}

/* Into a sealed memory file, so that nobody changes it after the check. */
static int image_lift(int fd, const struct image_head *h, struct blob *ret)
{
	char *buf = malloc(h->size ? h->size : 1);
	int r = buf ? image_read(fd, buf, h->size) : -ENOMEM;

	if (r == 0)
		r = blob_seal("last-good", buf, h->size);
	free(buf);
	return r < 0 ? r : blob_take(r, BLOB_MAX, ret);
}

int image_peek(int dir_fd, const char *name, struct image *ret,
    uint8_t ret_digest[static FS_DIGEST_LEN])
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct image_head h;
	struct stat st;
	struct fs fs;
	int r;

	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : image_read(fd, &h, sizeof(h));
	if (r == 0)
		r = image_head_ok(&h, &st) ? image_read(fd, &fs, sizeof(fs)) : -EBADMSG;
	close(fd);
	if (r < 0)
		return r;
	*ret = (struct image){ .blob = { BLOB_NONE, BLOB_NONE }, .info = h.info,
		.generation = h.generation, .applied_at = h.applied_at };
	memcpy(ret_digest, fs.digest, sizeof(fs.digest));
	return 0;
}

int image_restore(int dir_fd, struct image *ret)
{
	return image_restore_from(dir_fd, IMAGE_GOOD, ret);
}

int image_restore_from(int dir_fd, const char *name, struct image *ret)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct blob b = BLOB_NONE;
	struct image_head h;
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : image_read(fd, &h, sizeof(h));
	if (r == 0)
		r = image_head_ok(&h, &st) ? image_lift(fd, &h, &b) : -EBADMSG;
	close(fd);
	if (r < 0)
		return r;
	if (image_fs_wrong(&b, NULL)) {
		blob_drop(&b);
		return -EBADMSG;
	}
	*ret = (struct image){ .blob = { b, BLOB_NONE }, .fs = b.data, .info = h.info,
		.generation = h.generation, .applied_at = h.applied_at, .restored = true };
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0)
		memset(ret->info.key, 0, sizeof(ret->info.key)); /* the tree is read */
	return 0;
}
