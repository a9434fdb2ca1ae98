/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a policy was made from, as one digest */
#include <elf.h>
#include <link.h>
#include <sodium.h>
#include <string.h>

#include "loader/key.h"

struct build_id {
	const unsigned char *at; /* NULL: none */
	size_t len;
};

/* Notes are name and contents, each filled up to four bytes: elf(5), "Notes". */
static void find_note(const unsigned char *at, size_t len, struct build_id *ret)
{
	ElfW(Nhdr) n;

	while (len >= sizeof(n)) {
		size_t name, desc;

		memcpy(&n, at, sizeof(n));
		name = (n.n_namesz + (size_t)3) & ~(size_t)3;
		desc = (n.n_descsz + (size_t)3) & ~(size_t)3;
		if (name > len - sizeof(n) || desc > len - sizeof(n) - name)
			return;
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == sizeof("GNU") &&
		    memcmp(at + sizeof(n), "GNU", sizeof("GNU")) == 0) {
			*ret = (struct build_id){ at + sizeof(n) + name, n.n_descsz };
			return;
		}
		at += sizeof(n) + name + desc;
		len -= sizeof(n) + name + desc;
	}
}

/* The first object is the program itself. */
static int find_build_id(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct build_id *ret = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum && ret->at == NULL; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_NOTE)
			find_note((const unsigned char *)(info->dlpi_addr + p->p_vaddr),
			    p->p_filesz, ret);
	}
	return 1;
}

bool key_is_set(const uint8_t key[static MSG_KEY_LEN])
{
	return !sodium_is_zero(key, MSG_KEY_LEN);
}

void key_make(const uint8_t tree[static 32], const char *commit,
    uint8_t ret[static MSG_KEY_LEN])
{
	crypto_generichash_state h;
	struct build_id id = { NULL, 0 };

	memset(ret, 0, MSG_KEY_LEN);
	dl_iterate_phdr(find_build_id, &id);
	if (id.at == NULL || id.len == 0 || sodium_is_zero(tree, 32))
		return;
	crypto_generichash_init(&h, NULL, 0, MSG_KEY_LEN);
	crypto_generichash_update(&h, tree, 32);
	crypto_generichash_update(&h, (const unsigned char *)commit, strlen(commit) + 1);
	crypto_generichash_update(&h, id.at, id.len);
	crypto_generichash_final(&h, ret, MSG_KEY_LEN);
}
