/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the roles' log on stderr: topic first, escaped, limited per topic */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { LOG_LINE = 1024, LOG_TOPICS = 16, LOG_EXIT = 6 };
enum log_level { LOG_L_ERR = 3, LOG_L_WARN = 4, LOG_L_INFO = 6, LOG_L_DEBUG = 7 };

struct log_topic {
	const char *name;
	uint64_t since_us;
	unsigned lines, left_out;
};

static const char *log_who = "";
static bool log_debug_on, log_journal;
static struct log_topic log_topics[LOG_TOPICS];

void log_init(const char *who, bool debug)
{
	log_who = who;
	log_debug_on = debug;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

bool log_debugging(void)
{
	return log_debug_on;
}

/* Length of the printable UTF-8 sequence at s (its bytes are a C string), or 0. */
static unsigned log_utf8_len(const unsigned char *s)
{

	unsigned n = *s >= 0xf0 && *s <= 0xf4 ? 4 : *s >= 0xe0 && *s < 0xf0 ? 3 :
	    *s >= 0xc2 && *s < 0xe0 ? 2 : 0;

	if (*s >= 0x20 && *s < 0x7f)
		return 1;
	for (unsigned i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (n == 2 && *s == 0xc2 && s[1] < 0xa0)
		return 0; /* C1 controls */
	if (n == 3 && (((*s & 0x0f) == 0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f)))
		return 0; /* overlong, surrogate */
	/* U+2028-202E, U+2066-2069: line and direction controls */
	if (n == 3 && *s == 0xe2 && ((s[1] == 0x80 && s[2] >= 0xa8 && s[2] <= 0xae) ||
	    (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9)))
		return 0;
	if (n == 4 && ((*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f)))
		return 0;
	return n;
}

char *log_escape(const char *text, char *buf, unsigned size)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned at = 0;

	while (*s) {
		unsigned n = *s == '\\' ? 0 : log_utf8_len(s);

		if (at + (n ? n : 4) >= size)
			break;
		if (n) {
			memcpy(buf + at, s, n);
		} else {
			snprintf(buf + at, size - at, "\\x%02x", *s);
		}
		at += n ? n : 4;
		s += n ? n : 1;
	}
	if (size)
		buf[at] = '\0';
	return buf;
}

static void log_write(enum log_level level, const char *topic, const char *text)
{
	char line[2 * LOG_LINE], prefix[8] = "";
	int n;

	if (log_journal)
		snprintf(prefix, sizeof(prefix), "<%d>", (int)level);
	n = snprintf(line, sizeof(line), "%scordond%s%s: %s: %s\n", prefix,
	    *log_who ? " " : "", log_who, topic, text);
	if (n >= (int)sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody to tell */
}

static struct log_topic *log_topic_of(const char *name)
{
	struct log_topic *t = log_topics;

	for (; t < log_topics + LOG_TOPICS - 1; t++) {
		if (!t->name)
			t->name = name;
		if (strcmp(t->name, name) == 0)
			return t;
	}
	t->name = "other"; /* the last one is shared */
	return t;
}

static bool log_admit(const char *topic)
{
	struct log_topic *t = log_topic_of(topic);
	uint64_t now = clock_mono_us();
	char text[64];

	if (now - t->since_us >= LOG_PERIOD_S * UINT64_C(1000000)) {
		if (t->left_out) {
			snprintf(text, sizeof(text), "%u lines left out", t->left_out);
			log_write(LOG_L_WARN, t->name, text);
		}
		t->since_us = now;
		t->lines = t->left_out = 0;
	}
	if (t->lines++ < LOG_BURST)
		return true;
	t->left_out++;
	return false;
}

static void log_v(enum log_level level, const char *topic, int err, const char *fmt,
    va_list ap)
{
	char raw[LOG_LINE], text[LOG_LINE];
	int n = vsnprintf(raw, sizeof(raw), fmt, ap);

	if (n >= 0 && n < (int)sizeof(raw) && err)
		snprintf(raw + n, sizeof(raw) - (size_t)n, ": %s", strerror(err));
	log_write(level, topic, log_escape(raw, text, sizeof(text)));
}

#define LOG_BODY(level, err)                                                             \
	do {                                                                             \
		int saved = errno;                                                       \
		va_list ap;                                                              \
                                                                                         \
		va_start(ap, fmt);                                                       \
		if (log_admit(topic))                                                    \
			log_v(level, topic, err, fmt, ap);                               \
		va_end(ap);                                                              \
		errno = saved;                                                           \
	} while (0)

void log_warn(const char *topic, const char *fmt, ...)
{
	LOG_BODY(LOG_L_WARN, saved);
}

void log_warnx(const char *topic, const char *fmt, ...)
{
	LOG_BODY(LOG_L_WARN, 0);
}

void log_info(const char *topic, const char *fmt, ...)
{
	LOG_BODY(LOG_L_INFO, 0);
}

void log_debug(const char *topic, const char *fmt, ...)
{
	if (log_debug_on)
		LOG_BODY(LOG_L_DEBUG, 0);
}

void fatal(const char *topic, const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	log_v(LOG_L_ERR, topic, err, fmt, ap);
	va_end(ap);
	exit(LOG_EXIT);
}

void fatalx(const char *topic, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_v(LOG_L_ERR, topic, 0, fmt, ap);
	va_end(ap);
	exit(LOG_EXIT);
}
