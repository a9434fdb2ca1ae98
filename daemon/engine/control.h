/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the control socket: clients, bounded buffers, who may ask what */
#ifndef ENGINE_CONTROL_H
#define ENGINE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct json_t;
struct loop;
struct control;
struct client;

/* A row of the table of verbs.  run() answers with control_row() and control_end(),
 * now or, after control_wait(), later. */
struct control_verb {
	const char *name;
	bool privileged; /* uid 0 or the uid the daemon was started by */
	void (*run)(void *arg, struct client *c, const struct json_t *args);
};

enum { CONTROL_CLIENTS = 32, CONTROL_OUT_MAX = 8 << 20, CONTROL_WATCH_MAX = 1 << 18 };

/* Serve fd (listening; stays the caller's).  verbs ends with name NULL.  owner: the
 * uid the daemon was started by.  NULL: no memory, or the loop refused. */
struct control *control_new(struct loop *loop, int fd, const struct control_verb *verbs,
    uid_t owner, void *arg);
void control_free(struct control *c);

/* One row of the answer; takes the reference. */
void control_row(struct client *c, struct json_t *row);
/* A line that is JSON already, without newline. */
void control_line(struct client *c, const char *line, size_t len);
/* The last row.  error may be NULL. */
void control_end(struct client *c, int exit_code, const char *error);

/* The answer comes with the message of this id; ends by itself after timeout_ms. */
void control_wait(struct client *c, uint32_t id, uint32_t timeout_ms);
/* Who waits for id, or NULL (went away, timed out). */
struct client *control_waiting(struct control *ctl, uint32_t id);

/* From now on the client gets events: of these kinds (bits 1 << enum event_kind, 0:
 * all) and this host ("" all). */
void control_watch(struct client *c, uint32_t kinds, const char *host);
/* Whether anybody watches: else the event need not be written out for it. */
bool control_watched(const struct control *ctl);
/* Hand an event to those who asked for it; a slow client loses it and is told how
 * many with {"skipped": N}. */
void control_event(struct control *ctl, uint8_t kind, const char *host, const char *line,
    size_t len);

/* Once a second: time-outs. */
void control_tick(struct control *ctl);

uint32_t control_clients(const struct control *ctl);

#endif
