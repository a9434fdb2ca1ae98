/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a legacy host says it is, against what is declared of it */
#include "engine/identity.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/flowspace.h>

#include "base/facts_json.h"

enum { WAYS = 8 };

/* id 0: free. */
struct value {
	uint64_t id, told_us;
};
struct known {
	uint64_t id, seen_us;
	uint64_t since_us; /* of `told` */
	unsigned told;
	uint64_t name; /* the one told last, 0: none */
	struct value value[IDENTITY_VALUES];
};

struct identities {
	uint8_t secret[crypto_shorthash_KEYBYTES];
	struct known at[IDENTITY_HOSTS];
};

struct identities *identities_new(void)
{
	struct identities *t = calloc(1, sizeof(*t));

	if (t)
		crypto_shorthash_keygen(t->secret);
	return t;
}

void identities_free(struct identities *t)
{
	free(t);
}

static uint64_t hash(const struct identities *t, const char *text)
{
	uint64_t h;

	crypto_shorthash(
	    (uint8_t *)&h, (const uint8_t *)text, strlen(text), t->secret);
	return h ? h : 1;
}

/* The facts as text.  What a name holds behind a NUL is not compared. */
struct said {
	char version[24], native_os[FACT_TEXT], native_lm[FACT_TEXT];
	char dialect[FACTS_DIALECT_LEN], name[FACT_NAME];
};

static void copy(char *to, size_t size, const struct fact_text *from)
{
	snprintf(to, size, "%.*s", from->len, (const char *)from->b);
}

static void read_facts(const struct smb_facts *f, struct said *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (f->ntlm.has_challenge && f->ntlm.has_version)
		snprintf(ret->version, sizeof(ret->version), "%u.%u.%u", f->ntlm.major,
		    f->ntlm.minor, f->ntlm.build);
	copy(ret->native_os, sizeof(ret->native_os), &f->native_os);
	copy(ret->native_lm, sizeof(ret->native_lm), &f->native_lm);
	facts_dialect(f, ret->dialect);
	snprintf(ret->name, sizeof(ret->name), "%.*s", f->ntlm.nb_computer.len,
	    (const char *)f->ntlm.nb_computer.b);
}

static enum posture_seen compare(
    const struct fs *fs, uint32_t host, const struct said *said, char *buf, size_t size)
{
	const struct posture_sighting s = {
		.native_os = said->native_os[0] ? said->native_os : NULL,
		.native_lm = said->native_lm[0] ? said->native_lm : NULL,
		.ntlm_version = said->version[0] ? said->version : NULL,
		.dialect = said->dialect[0] ? said->dialect : NULL,
	};

	return posture_compare(fs, fs_host(fs, host), &s, buf, size);
}

static struct known *known_of(struct identities *t, const char *host, uint64_t mono_us)
{
	uint64_t id = hash(t, host);
	struct known *set = &t->at[id % (IDENTITY_HOSTS / WAYS) * WAYS], *old = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].id == id) {
			set[i].seen_us = mono_us;
			return &set[i];
		}
		if (set[i].seen_us < old->seen_us)
			old = &set[i];
	}
	*old = (struct known){ .id = id, .seen_us = mono_us, .since_us = mono_us };
	return old;
}

/* Whether the host did not say so lately; from now on it did. */
static bool is_new(const struct identities *t, struct known *k, const char *fact,
    const char *text, uint64_t mono_us)
{
	char tagged[FACT_TEXT + 8];
	struct value *old = &k->value[0];
	uint64_t id;
	bool again;

	if (!text[0])
		return false;
	snprintf(tagged, sizeof(tagged), "%s %s", fact, text);
	id = hash(t, tagged);
	for (int i = 0; i < IDENTITY_VALUES; i++) {
		struct value *v = &k->value[i];

		if (v->id == id) {
			again = mono_us - v->told_us >= IDENTITY_AGAIN_US;
			if (again)
				v->told_us = mono_us;
			return again;
		}
		if (v->told_us < old->told_us)
			old = v;
	}
	*old = (struct value){ .id = id, .told_us = mono_us };
	return true;
}

/* A policy that declares something else makes every value a new one. */
static void known_key(const struct fs *fs, uint32_t host, char *buf, size_t size)
{
	const struct fs_host *h = fs_host(fs, host);

	snprintf(buf, size, "%s %s %u", fs_str(fs, h->name), fs_str(fs, h->product),
	    h->build);
}

static void append(struct identity *to, const char *text)
{
	size_t n = strlen(to->text);

	snprintf(to->text + n, sizeof(to->text) - n, "; %s", text);
}

static bool is_renamed(const struct identities *t, struct known *k, const char *name)
{
	uint64_t was = k->name;

	if (!name[0])
		return false;
	k->name = hash(t, name);
	return was != 0 && was != k->name;
}

/* Whether one more may be told of the host; the last one says that it is. */
static bool may_tell(struct known *k, uint64_t mono_us, struct identity *found)
{
	if (mono_us - k->since_us >= IDENTITY_AGAIN_US) {
		k->since_us = mono_us;
		k->told = 0;
	}
	if (k->told >= IDENTITY_TOLD_MAX)
		return false;
	if (++k->told == IDENTITY_TOLD_MAX)
		append(found, "it says too much: no more of it is told for a day");
	return true;
}

bool identity_note(struct identities *t, const struct fs *fs,
    const struct msg_sighting *s, uint64_t mono_us, struct identity *ret)
{
	struct identity found;
	struct said said;
	struct known *k;
	char key[160];
	bool new;

	if (s->kind != SIGHT_SPOKEN || s->facts.app != APP_SMB)
		return false;
	found.host = fs_place_of(fs, &s->dst);
	if (found.host == FS_NONE || !fs_host(fs, found.host)->declared)
		return false;
	read_facts(&s->facts.smb, &said);
	found.verdict = compare(fs, found.host, &said, found.text, sizeof(found.text));
	if (found.verdict == POSTURE_SEEN_NOTHING)
		return false;
	known_key(fs, found.host, key, sizeof(key));
	k = known_of(t, key, mono_us);
	new = is_new(t, k, "ntlm", said.version, mono_us);
	new = is_new(t, k, "os", said.native_os, mono_us) || new;
	new = is_new(t, k, "lm", said.native_lm, mono_us) || new;
	new = is_new(t, k, "smb", said.dialect, mono_us) || new;
	new = is_new(t, k, "name", said.name, mono_us) || new;
	if (is_renamed(t, k, said.name))
		append(&found, "by another name than before");
	if (!new || !may_tell(k, mono_us, &found))
		return false;
	*ret = found;
	return true;
}
