/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: sink: journald, by its native protocol, with CORDON_ fields */
#include "engine/sink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "engine/event.h"

/* Not sd_journal_sendv(): that waits while journald's queue is full, and the engine
 * may not.  The protocol is stable and as simple: KEY=value lines in one datagram. */
static const struct sockaddr_un journal = { .sun_family = AF_UNIX,
	.sun_path = "/run/systemd/journal/socket" };

static int journal_open(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int priority(const struct event *e)
{
	static const int by_severity[] = { LOG_NOTICE, LOG_WARNING, LOG_NOTICE,
		LOG_INFO };

	return by_severity[event_kinds[e->kind].severity & 3];
}

/* Append KEY=value and a newline; value loses its controls, which would end it. */
static size_t field(
    char *buf, size_t size, size_t n, const char *key, const char *value)
{
	int len;

	if (!value || !*value || n >= size)
		return n;
	len = snprintf(buf + n, size - n, "%s=%s\n", key, value);
	if (len < 0 || (size_t)len >= size - n)
		return size; /* did not fit: stays so */
	for (char *p = buf + n; p < buf + n + len - 1; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	return n + (size_t)len;
}

static size_t journal_render(
    const struct event *e, const char *json, size_t len, char *buf, size_t size)
{
	char text[512], source[NETADDR_STRLEN] = "", prio[2] = { 0 };
	size_t n = 0;

	(void)len;
	event_sentence(e, text, sizeof(text));
	prio[0] = (char)('0' + priority(e));
	if (e->src.v)
		netaddr_format(&e->src, source);
	n = field(buf, size, n, "MESSAGE", text);
	n = field(buf, size, n, "PRIORITY", prio);
	n = field(buf, size, n, "SYSLOG_IDENTIFIER", "cordond");
	n = field(buf, size, n, "CORDON_KIND", event_kinds[e->kind].name);
	n = field(buf, size, n, "CORDON_HOST", e->host);
	n = field(buf, size, n, "CORDON_RULE", e->rule);
	n = field(buf, size, n, "CORDON_SRC", source);
	n = field(buf, size, n, "CORDON_INCIDENT", e->incident);
	n = field(buf, size, n, "CORDON_COMMIT", e->policy.commit);
	n = field(buf, size, n, "CORDON_EVENT", json);
	return n < size ? n : 0;
}

static ssize_t journal_write(int fd, const char *buf, size_t len)
{
	ssize_t n = sendto(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL,
	    (const struct sockaddr *)&journal, sizeof(journal));

	return n < 0 ? -errno : n;
}

const struct sink_row sink_journal = { "journal", "journald, with CORDON_ fields",
	1 << 18, journal_open, journal_render, journal_write };
