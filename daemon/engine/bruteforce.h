/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one source that guesses passwords, in tables of fixed size */
#ifndef ENGINE_BRUTEFORCE_H
#define ENGINE_BRUTEFORCE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"

/* What counts, of what the sensor read: logons that an SMB server refused (of one source
 * to all servers, so that trying one password on many hosts is seen too), and attempts of
 * one source to one server: RDP connection requests, whose result is inside TLS, and SMB
 * logons by NTLM.  Counts slide in steps of a sixteenth of the window.  A source is told
 * once a window.  When a table is full the one longest silent of some gives way; a flow
 * forgotten so may be counted a second time.  What came without a handshake that was
 * seen is counted apart: it may be forged.  Times are monotonic. */
enum { FORCE_SOURCES = 2048, FORCE_FLOWS = 8192, FORCE_SERVERS = 8 };

struct forces;

struct force_limits {
	uint32_t failures, attempts, within_s; /* 0: never told for that */
};

/* NULL: no memory.  sodium_init() was called. */
struct forces *forces_new(void);
void forces_free(struct forces *t);

/* Account what a sighting of kind SPOKEN brings that is new.  True: tell *ret. */
bool force_note(struct forces *t, const struct msg_sighting *s,
    const struct force_limits *l, uint64_t mono_us, struct event_behaviour *ret);

/* Sources and flows that gave way. */
uint64_t forces_evicted(const struct forces *t);

#endif
