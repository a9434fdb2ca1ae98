/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: verbs of the control socket that change the policy: reload, confirm, rollback */
#ifndef ENGINE_CONTROL_POLICY_H
#define ENGINE_CONTROL_POLICY_H

struct client;
struct json_t;
struct msg_result;

/* Rows of engine_verbs[]; arg is the engine. */
void ask_reload(void *arg, struct client *c, const struct json_t *args);
void ask_confirm(void *arg, struct client *c, const struct json_t *args);
void ask_rollback(void *arg, struct client *c, const struct json_t *args);

/* The enforcer's answer to any of them.  fd: diagnostics or -1, the caller's. */
void answer_reload(struct client *c, const struct msg_result *r, int fd);

#endif
