/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a legacy host says it is, against what is declared of it */
#ifndef ENGINE_IDENTITY_H
#define ENGINE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/posture.h>

#include "engine/event.h"

struct fs;

/* What a server tells before anybody logged on: version and computer name in the NTLM
 * challenge (MS-NLMP 2.2.2.10, 2.2.2.1), the native OS and LAN manager of SMB1 (MS-CIFS
 * 2.2.4.53.2), the dialect it chose.  Evidence: a forger can say the same, and a proxy
 * answers for itself.  Each value is told once a host and IDENTITY_AGAIN_US, and no more
 * than IDENTITY_TOLD_MAX times in it of one host, whatever it says; of a host the last
 * IDENTITY_VALUES are remembered, of IDENTITY_HOSTS hosts.  Times are monotonic. */
enum { IDENTITY_HOSTS = 4096, IDENTITY_VALUES = 16, IDENTITY_TOLD_MAX = 32,
	IDENTITY_TEXT = 192 };
#define IDENTITY_AGAIN_US (UINT64_C(86400) * 1000000)

struct identities;

struct identity {
	uint32_t host;             /* FS_HOSTS, declared */
	enum posture_seen verdict; /* never POSTURE_SEEN_NOTHING */
	char text[IDENTITY_TEXT];  /* nothing of it is from the wire */
};

/* sodium_init() was called.  NULL: no memory. */
struct identities *identities_new(void);
void identities_free(struct identities *t);

/* True: the server of s, a declared host, said something that was not told lately. */
bool identity_note(struct identities *t, const struct fs *fs, const struct msg_sighting *s,
    uint64_t mono_us, struct identity *ret);

#endif
