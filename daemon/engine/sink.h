/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: where events go: a table of sinks, none of which may hold up the engine */
#ifndef ENGINE_SINK_H
#define ENGINE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct event;
struct sinks;

/* A row of the table. */
struct sink_row {
	const char *name, *what;
	size_t queue; /* bytes that may wait */
	/* Open what must be open before the sandbox.  fd or -1 (there later, or not). */
	int (*open)(void);
	/* Write the event as this sink has it to buf.  Bytes, or 0: does not fit. */
	size_t (*render)(const struct event *e, const char *json, size_t len, char *buf,
	    size_t size);
	/* Write without waiting.  Bytes taken, or -errno: later again. */
	ssize_t (*write)(int fd, const char *buf, size_t len);
};
extern const struct sink_row *const sink_rows[];
extern const struct sink_row sink_file, sink_journal;

struct sink_stats {
	const char *name;
	bool enabled;
	uint64_t written, lost; /* records; lost: the queue was full */
	uint32_t queued;        /* bytes that wait */
	int err;                /* errno of the last failure, 0: the last write went well */
};

/* Before the sandbox.  NULL: no memory. */
struct sinks *sinks_new(void);
void sinks_free(struct sinks *s);

/* Which sinks the policy wants. */
void sinks_enable(struct sinks *s, const char *name, bool enable);

/* Write to every enabled sink, or queue, or count as lost; never waits.  False: none of
 * them took it (there is one). */
bool sinks_write(struct sinks *s, const struct event *e, const char *json, size_t len);

/* Try again what waits; call once a second and at the end. */
void sinks_flush(struct sinks *s);

/* Take a newly opened log file (owned from here on).  The one in use is kept if it is
 * the same file, else closed after its last line is whole. */
void sinks_set_file(struct sinks *s, int fd);

/* Whether the log file wants to be opened again: it is not there, it was unlinked,
 * or it was written to since the last call that said yes more than
 * SINK_REOPEN_US ago (it may have been renamed, which only the opener can see). */
#define SINK_REOPEN_US 5000000ull
bool sinks_want_file(struct sinks *s, uint64_t mono_us);

/* Stats of sink i; false: no such. */
bool sinks_stats(const struct sinks *s, size_t i, struct sink_stats *ret);
uint64_t sinks_lost(const struct sinks *s);

#endif
