/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the roles' log on stderr: topic first, escaped, limited per topic */
#ifndef CORDON_BASE_LOG_H
#define CORDON_BASE_LOG_H

#include <stdbool.h>

#define LOG_FMT(n) __attribute__((format(printf, n, (n) + 1)))

/* who: role name, static text, in every line.  debug: log_debug() writes too. */
void log_init(const char *who, bool debug);
bool log_debugging(void);

/* One line each: "cordond WHO: TOPIC: text".  What is not printable ASCII or UTF-8
 * is escaped, errno is kept.  At most LOG_BURST lines a topic in LOG_PERIOD_S
 * seconds; the number left out is said once the period is over.  topic: static
 * text.  Not for incidents: those are events. */
enum { LOG_BURST = 40, LOG_PERIOD_S = 10 };
void log_warn(const char *topic, const char *fmt, ...) LOG_FMT(2); /* ": strerror" */
void log_warnx(const char *topic, const char *fmt, ...) LOG_FMT(2);
void log_info(const char *topic, const char *fmt, ...) LOG_FMT(2);
void log_debug(const char *topic, const char *fmt, ...) LOG_FMT(2);

/* For start-up and broken invariants between roles only: says it, exits with 6. */
void fatal(const char *topic, const char *fmt, ...) LOG_FMT(2)
    __attribute__((noreturn)); /* ": strerror" */
void fatalx(const char *topic, const char *fmt, ...) LOG_FMT(2)
    __attribute__((noreturn));

/* Write what would be printed of text[0..strlen) to buf (NUL-terminated, cut to
 * size): controls, DEL, invalid UTF-8 and backslash as \xNN.  Returns buf. */
char *log_escape(const char *text, char *buf, unsigned size);

#endif
