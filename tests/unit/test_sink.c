/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: rotation, back-pressure and counted losses of the event log */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/event.h"
#include "engine/sink.h"

static char dir[] = "/tmp/cordon-sink-XXXXXX";
static char log_path[64], old_path[64];

static int open_log(void)
{
	return open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
}

static void put(struct sinks *s, unsigned n)
{
	struct event e = { .kind = EVENT_DENIED };
	char line[64];

	snprintf(line, sizeof(line), "{\"n\":%u}", n);
	sinks_write(s, &e, line, strlen(line));
}

static char text[4 << 20];
static const char *content(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}

static struct sink_stats stats(const struct sinks *s)
{
	struct sink_stats st = { 0 };

	assert_true(sinks_stats(s, 0, &st));
	assert_string_equal(st.name, "file");
	return st;
}

static void rotation(void **state)
{
	struct sinks *s = sinks_new();

	(void)state;
	sinks_enable(s, "file", true);
	put(s, 1); /* no file yet: it waits */
	assert_true(sinks_want_file(s, 1));
	sinks_set_file(s, open_log());
	assert_string_equal(content(log_path), "{\"n\":1}\n");
	put(s, 2);
	assert_false(sinks_want_file(s, 2));
	/* logrotate renames: only the opener can see it, so it is asked now and then */
	assert_true(sinks_want_file(s, 2 + SINK_REOPEN_US));
	assert_false(
	    sinks_want_file(s, 3 + 2 * SINK_REOPEN_US)); /* nothing new was written */
	sinks_set_file(s, open_log());                   /* the same file: kept */
	put(s, 3);
	assert_int_equal(rename(log_path, old_path), 0);
	put(s, 4);
	sinks_set_file(s, open_log());
	put(s, 5);
	assert_string_equal(
	    content(old_path), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n");
	assert_string_equal(content(log_path), "{\"n\":5}\n");
	unlink(log_path);
	assert_true(sinks_want_file(s, 4 + 2 * SINK_REOPEN_US)); /* at once */
	sinks_set_file(s, open_log());
	put(s, 6);
	assert_string_equal(content(log_path), "{\"n\":6}\n");
	assert_int_equal(stats(s).lost, 0);
	assert_int_equal(stats(s).written, 6);
	sinks_free(s);
}

/* A reader that does not read: nothing waits, the loss is counted, what was queued
 * comes later whole and in order. */
static void back_pressure(void **state)
{
	struct sinks *s = sinks_new();
	unsigned total = 200000, n, last = 0, lines = 0;
	char fifo[64], *at;
	size_t len = 0;
	int rd;

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	rd = open(fifo, O_RDONLY | O_NONBLOCK);
	sinks_enable(s, "file", true);
	sinks_set_file(s, open(fifo, O_WRONLY));
	for (n = 1; n <= total; n++)
		put(s, n);
	assert_true(stats(s).lost > 0);
	assert_true(stats(s).queued > 0);
	assert_int_not_equal(stats(s).err, 0);
	for (ssize_t got; (got = read(rd, text + len, sizeof(text) - 1 - len)) > 0;) {
		len += (size_t)got;
		sinks_flush(s);
	}
	text[len] = '\0';
	for (at = text; sscanf(at, "{\"n\":%u}", &n) == 1; at = strchr(at, '\n') + 1) {
		assert_true(n > last);
		last = n;
		lines++;
	}
	assert_int_equal(*at, '\0');
	assert_int_equal(lines, stats(s).written);
	assert_int_equal(stats(s).written + stats(s).lost, total);
	assert_int_equal(stats(s).queued, 0);
	put(s, total + 1);
	assert_true(read(rd, text, sizeof(text)) > 0);
	close(rd);
	unlink(fifo);
	sinks_free(s);
}

static void full_disk(void **state)
{
	struct sinks *s = sinks_new();
	int fd = open("/dev/full", O_WRONLY);

	(void)state;
	sinks_enable(s, "file", true);
	sinks_set_file(s, fd);
	for (unsigned n = 1; n <= 200000; n++)
		put(s, n);
	assert_int_equal(stats(s).written, 0);
	assert_true(stats(s).lost > 0 && stats(s).lost < 200000);
	sinks_set_file(s, open_log()); /* there is room again */
	assert_int_equal(stats(s).written + stats(s).lost, 200000);
	sinks_free(s);
}

static void disabled(void **state)
{
	struct sinks *s = sinks_new();

	(void)state;
	put(s, 1);
	assert_false(sinks_want_file(s, 1));
	assert_int_equal(sinks_lost(s), 0);
	sinks_free(s);
}

static void journal_fields(void **state)
{
	struct event e = { .kind = EVENT_GUARD,
		.src = { .v = 4, .b = { 10, 66, 0, 6 } } };
	char buf[2048], small[64];
	size_t n;

	(void)state;
	EVENT_SET(e.host, "erp");
	EVENT_SET(e.incident, "a-1");
	n = sink_journal.render(&e, "{}", 2, buf, sizeof(buf));
	assert_true(n > 0);
	buf[n] = '\0';
	assert_non_null(strstr(buf, "\nPRIORITY=4\n"));
	assert_non_null(strstr(buf, "\nCORDON_KIND=guard\nCORDON_HOST=erp\n"));
	assert_non_null(strstr(buf, "\nCORDON_EVENT={}\n"));
	EVENT_SET(e.host, "a\nPRIORITY=0"); /* a value can't start another field */
	n = sink_journal.render(&e, "{}", 2, buf, sizeof(buf));
	buf[n] = '\0';
	assert_null(strstr(buf, "\nPRIORITY=0"));
	assert_int_equal(sink_journal.render(&e, "{}", 2, small, sizeof(small)), 0);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	snprintf(old_path, sizeof(old_path), "%s/log.1", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(log_path);
	unlink(old_path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rotation),
		cmocka_unit_test(back_pressure),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(disabled),
		cmocka_unit_test(journal_fields),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
