/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the loader role: one policy tree in, one image and ruleset out */
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cordon/diag.h>
#include <cordon/flowspace.h>
#include <cordon/rules.h>
#include <cordon/ruleset.h>

#include "base/log.h"
#include "loader/git.h"
#include "loader/key.h"
#include "loader/loader.h"
#include "priv/blob.h"
#include "priv/drop.h"
#include "priv/msg.h"

/* All of one load. */
struct loader {
	struct msg_load req;
	uint32_t id;
	struct diaglist diags;
	struct fs *fs;             /* parsed here, or NULL */
	struct blob image;         /* given by the enforcer, or none */
	const struct fs *compiled; /* whichever of the two it is */
	struct ruleset *rs;
	struct msg_loaded answer;
};

static int loader_request(struct loader *l)
{
	struct pollfd p = { .fd = ROLE_FD_PARENT, .events = POLLIN };
	struct msg_hdr hdr;
	union msg_body body;
	int fds[3], r;

	do {
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return -errno;
		r = msg_recv(ROLE_FD_PARENT, ROLE_ENFORCER, ROLE_LOADER, &hdr, &body, fds);
	} while (r == -EAGAIN);
	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	l->req = body.load;
	l->id = hdr.id;
	return 0;
}

static const struct rules_source loader_source = { .policy_fd = ROLE_FD_PEER,
	.zoneinfo_fd = ROLE_FD_EXTRA, .name = "", .trusted_only = true };

/* Whether the tree is what the policy in force was made from: nothing is parsed. */
static bool loader_is_same(struct loader *l)
{
	uint8_t tree[RULES_DIGEST_LEN], key[MSG_KEY_LEN];

	if (!key_is_set(l->req.key) ||
	    rules_digest(&loader_source, l->req.zone, tree) < 0)
		return false;
	key_make(tree, l->answer.commit, key);
	return memcmp(key, l->req.key, sizeof(key)) == 0;
}

static int loader_parse(struct loader *l)
{
	struct rules_source src = loader_source;
	uint8_t tree[RULES_DIGEST_LEN] = { 0 };

	src.now = l->req.at;
	src.ret_digest = tree;
	if (rules_load(&src, &l->diags, &l->fs) < 0)
		return -1;
	key_make(tree, l->answer.commit, l->answer.key);
	l->compiled = l->fs;
	return 0;
}

static int loader_take_image(struct loader *l)
{
	int r = blob_take(ROLE_FD_PEER, BLOB_MAX, &l->image);

	if (r < 0 || !fs_valid(l->image.data, l->image.len)) {
		log_warnx("loader", "the image given is not a valid one");
		return -1;
	}
	l->compiled = l->image.data;
	return 0;
}

static uint32_t loader_count_hosts(const struct fs *fs)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < fs->table[FS_HOSTS].count; i++)
		n += fs_host(fs, i)->declared;
	return n;
}

static int loader_compile(struct loader *l)
{
	struct compile_opts o = { .at = l->req.at, .floor = l->req.floor,
		.generation = l->req.generation, .log_group = LOG_GROUP };

	if (rules_compile(l->compiled, &o, &l->diags, &l->rs) < 0)
		return -1;
	l->answer.hosts = loader_count_hosts(l->compiled);
	l->answer.rules = l->compiled->table[FS_RULES].count;
	l->answer.image_bytes = l->compiled->size;
	l->answer.ruleset_bytes = l->rs->size;
	l->answer.next_change = fs_next_change(l->compiled, l->req.at);
	return 0;
}

static int loader_diag_fd(struct loader *l)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int fd;

	if (!f)
		return -errno;
	diag_sort(&l->diags);
	if (l->diags.n)
		diag_print(&l->diags, stderr, false); /* the administrator's copy */
	diag_print_json(&l->diags, f);
	if (fclose(f) != 0) {
		free(text);
		return -ENOMEM;
	}
	fd = blob_seal("diagnostics", text, len);
	free(text);
	return fd;
}

/* The process ends after it: descriptors are left to the kernel. */
static int loader_answer(struct loader *l, bool good)
{
	int fds[3];
	int diag = loader_diag_fd(l);

	if (diag < 0)
		return diag;
	l->answer.errors = (uint32_t)l->diags.errors;
	l->answer.warnings = (uint32_t)l->diags.warnings;
	if (!good)
		return msg_send(
		    ROLE_FD_PARENT, MSG_LOAD_FAILED, l->id, &l->answer, &diag);
	fds[0] = blob_seal("image", l->compiled, l->compiled->size);
	fds[1] = blob_seal("ruleset", l->rs, l->rs->size);
	fds[2] = diag;
	if (fds[0] < 0 || fds[1] < 0)
		return fds[0] < 0 ? fds[0] : fds[1];
	return msg_send(ROLE_FD_PARENT, MSG_LOADED, l->id, &l->answer, fds);
}

static int loader_say_same(struct loader *l)
{
	int r = msg_send(ROLE_FD_PARENT, MSG_LOAD_SAME, l->id, NULL, NULL);

	if (r < 0) {
		errno = -r;
		fatal("loader", "can't hand over the result");
	}
	diag_free(&l->diags);
	return 0;
}

int loader_main(void)
{
	struct loader l = { .image = BLOB_NONE };
	bool good;
	int r;

	if (sodium_init() < 0)
		fatalx("loader", "libsodium does not start");
	priv_drop(ROLE_LOADER);
	r = loader_request(&l);
	if (r < 0) {
		errno = -r;
		fatal("loader", "no request");
	}
	diag_init(&l.diags);
	if (l.req.from_image) {
		memcpy(l.answer.commit, l.req.commit, sizeof(l.answer.commit));
		good = loader_take_image(&l) == 0;
	} else {
		if (l.req.commit[0])
			memcpy(l.answer.commit, l.req.commit, sizeof(l.answer.commit));
		else
			git_commit(ROLE_FD_PEER, l.answer.commit);
		if (loader_is_same(&l))
			return loader_say_same(&l);
		good = loader_parse(&l) == 0;
	}
	good = good && loader_compile(&l) == 0;
	r = loader_answer(&l, good);
	free(l.rs);
	free(l.fs);
	blob_drop(&l.image);
	diag_free(&l.diags);
	if (r < 0) {
		errno = -r;
		fatal("loader", "can't hand over the result");
	}
	return 0;
}
