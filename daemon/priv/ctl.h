/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the control socket's protocol, shared by the engine and the CLI */
#ifndef CORDON_PRIV_CTL_H
#define CORDON_PRIV_CTL_H

/* A Unix stream socket RUNTIME_DIR/ctl.sock (0660, root:cordon).  The client sends
 * one line of JSON: {"verb": NAME, "args": {...}}, at most CTL_LINE_MAX bytes.  The
 * engine answers with lines of JSON, each one row of the result, and a last line
 * {"end": true, "exit": 0-6, "error": TEXT or absent}.  `watch` streams events until
 * the client hangs up.
 *
 * verb       args                                         rows
 * status     -                                            one object
 * incidents  {"limit": N, "host": NAME}                   incident objects, newest first
 * watch      {"kind": [KIND…], "host": NAME}              events (events.schema.json)
 * block      {"addr": A, "ttl_s": N, "scope": S, "reason": T} the block
 * blocks     -                                            blocks: addr, ttl_s, origin, …
 * unblock    {"addr": A}                                  -
 * reload     {"commit": C, "confirm_s": N, "session": S,   one object, its deed may be
 *             "force": B}                                 unchanged; diagnostics rows
 * confirm    -                                            one object
 * rollback   -                                            one object
 *
 * session is the client's SSH_CONNECTION: a policy that would cut it off is refused.
 *
 * Everybody who can connect may read; what changes anything needs uid 0 or the uid
 * the daemon was started by (SO_PEERCRED), else exit 5. */
#define CTL_SOCKET   "ctl.sock"
#define CTL_LINE_MAX 4096

#endif
