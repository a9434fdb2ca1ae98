/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a server said of itself against what is declared: evidence, not proof
 */
#include "rules/posture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct compare {
	const struct fs_host *h;
	bool ours; /* a Windows Server 2008 is declared */
	char *buf;
	size_t size, at;
	enum posture_seen seen;
};

const char *posture_seen_name(enum posture_seen s)
{
	switch (s) {
	case POSTURE_SEEN_NOTHING:
		break;
	case POSTURE_SEEN_AGREES:
		return "agrees";
	case POSTURE_SEEN_DIFFERS:
		return "differs";
	case POSTURE_SEEN_UNKNOWN:
		return "unknown";
	}
	return "nothing";
}

/* A difference outweighs what can't be judged, and that what agrees. */
static void say(struct compare *c, enum posture_seen seen, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct compare *c, enum posture_seen seen, const char *fmt, ...)
{
	static const unsigned weight[] = { [POSTURE_SEEN_NOTHING] = 0,
		[POSTURE_SEEN_AGREES] = 1,
		[POSTURE_SEEN_UNKNOWN] = 2,
		[POSTURE_SEEN_DIFFERS] = 3 };
	va_list ap;
	int n;

	if (seen == POSTURE_SEEN_DIFFERS && !c->ours && c->h->build == 0)
		seen = POSTURE_SEEN_UNKNOWN; /* nothing is declared that it could differ
						from */
	if (weight[seen] > weight[c->seen])
		c->seen = seen;
	if (c->at > 0 && c->at + 2 < c->size) {
		memcpy(c->buf + c->at, "; ", 3);
		c->at += 2;
	}
	va_start(ap, fmt);
	n = vsnprintf(c->buf + c->at, c->size - c->at, fmt, ap);
	va_end(ap);
	if (n > 0)
		c->at += (size_t)n < c->size - c->at ? (size_t)n : c->size - c->at - 1;
}

/* A build of NT 6.0, by whatever told it. */
static void compare_build(struct compare *c, const char *by, unsigned build)
{
	unsigned declared = c->h->build;
	const char *sp = build == 6001 ? ", without Service Pack 2" : "";

	if (build < 6000 || build > 6003)
		say(c, POSTURE_SEEN_UNKNOWN, "%s: build %u of NT 6.0 is not known", by,
		    build);
	else if (build == declared)
		say(c, POSTURE_SEEN_AGREES, "%s: build %u, as declared%s", by, build,
		    sp);
	else if (build == 6000)
		say(c, POSTURE_SEEN_DIFFERS, "%s: build 6000, which no Server 2008 has",
		    by);
	else if (build == 6001 && c->ours)
		say(c, POSTURE_SEEN_DIFFERS, "%s: build 6001%s", by, sp);
	else if (declared == 0)
		say(c, POSTURE_SEEN_UNKNOWN, "%s: build %u", by, build);
	else
		say(c, POSTURE_SEEN_DIFFERS, "%s: build %u, %u is declared%s", by,
		    build, declared,
		    build == 6002 && declared == 6003
			? ": no update of April 2019 or later is active"
			: "");
}

static void compare_version(struct compare *c, const char *s)
{
	unsigned major, minor, build;
	char end;

	if (sscanf(s, "%3u.%3u.%5u%c", &major, &minor, &build, &end) != 3 ||
	    major > 255)
		say(c, POSTURE_SEEN_UNKNOWN, "NTLM: not a version");
	else if (major == 6 && minor == 1 && build == 0)
		say(c, POSTURE_SEEN_DIFFERS,
		    "NTLM: 6.1 build 0, as Samba answers: not a Windows");
	else if (major == 6 && minor == 0)
		compare_build(c, "NTLM", build);
	else if (build != 0 && build == c->h->build)
		say(c, POSTURE_SEEN_AGREES, "NTLM: version %u.%u.%u, as declared",
		    major, minor, build);
	else if (major < 5 || major > 10 || (major > 6 && major < 10))
		say(c, POSTURE_SEEN_UNKNOWN, "NTLM: no Windows has version %u.%u",
		    major, minor);
	else if (c->ours)
		say(c, POSTURE_SEEN_DIFFERS,
		    "NTLM: version %u.%u.%u, not Windows Server 2008's "
		    "6.0",
		    major, minor, build);
	else if (c->h->build != 0)
		say(c, POSTURE_SEEN_DIFFERS,
		    "NTLM: version %u.%u.%u, build %u is declared", major, minor, build,
		    c->h->build);
	else
		say(c, POSTURE_SEEN_UNKNOWN, "NTLM: version %u.%u.%u", major, minor,
		    build);
}

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* The first number of four digits, 0: none. */
static unsigned build_in(const char *s)
{
	for (; *s != '\0'; s++) {
		size_t n = strspn(s, "0123456789");

		if (n == 4 && s[n] != '.')
			return (unsigned)strtoul(s, NULL, 10);
		if (n > 0)
			s += n - 1;
	}
	return 0;
}

/* "Windows Server (R) 2008 Standard 6002 Service Pack 2", "Windows Web Server (R) 2008
 * 6002 Service Pack 2": what stands behind the year, or NULL.  R2 is written without
 * "(R)" and has its own name. */
static const char *after_2008(const char *s)
{
	static const char year[] = "(R) 2008";
	const char *at = starts(s, "Windows ") ? strstr(s, year) : NULL;

	if (at == NULL)
		return NULL;
	at += sizeof(year) - 1;
	return starts(at, " R2") || (*at != ' ' && *at != '\0') ? NULL : at;
}

/* A build beside the years that names of systems hold. */
static bool has_build(const char *s, unsigned build)
{
	for (; *s != '\0'; s++) {
		size_t n = strspn(s, "0123456789");

		if (n >= 4 && n <= 5 && s[n] != '.' && strtoul(s, NULL, 10) == build)
			return true;
		if (n > 0)
			s += n - 1;
	}
	return false;
}

static void differs_unless(struct compare *c, const char *s, const char *what)
{
	unsigned build = c->h->build;

	if (build != 0 && !c->ours && has_build(s, build))
		say(c, POSTURE_SEEN_AGREES, "native OS: %s, build %u, as declared",
		    what, build);
	else if (c->ours || c->h->build != 0)
		say(c, POSTURE_SEEN_DIFFERS, "native OS: %s", what);
	else
		say(c, POSTURE_SEEN_UNKNOWN, "native OS: %s", what);
}

static void compare_native(struct compare *c, const char *s)
{
	const char *rest = after_2008(s);

	if (rest != NULL && build_in(rest) != 0)
		compare_build(c, "native OS", build_in(rest));
	else if (rest != NULL)
		say(c, POSTURE_SEEN_UNKNOWN,
		    "native OS: Windows Server 2008 without a build");
	else if (starts(s, "Windows Server 2008 R2 "))
		differs_unless(c, s, "Windows Server 2008 R2");
	else if (starts(s, "Windows Vista"))
		differs_unless(c, s,
		    c->ours ? "Windows Vista, of the same builds" : "Windows Vista");
	else if (starts(s, "Windows"))
		differs_unless(c, s, "another Windows");
	else if (strcmp(s, "Unix") == 0)
		say(c, POSTURE_SEEN_DIFFERS,
		    "native OS: Unix, as Samba answers: not a Windows");
	else
		say(c, POSTURE_SEEN_UNKNOWN, "native OS: not one that is known");
}

/* MS-SMB2 appendix A: this Windows chooses 2.02 at most; 2.?? is an answer of servers
 * that have 2.10 (3.3.5.3.1).  A lower choice says nothing. */
static void compare_dialect(struct compare *c, const char *s)
{
	if (c->ours && (starts(s, "2.1") || starts(s, "2.?") || starts(s, "3.")))
		say(c, POSTURE_SEEN_DIFFERS,
		    "SMB 2.10 or higher chosen: Windows Server 2008 has "
		    "2.02 at most");
}

enum posture_seen posture_compare(const struct fs *fs, const struct fs_host *h,
    const struct posture_sighting *s, char *buf, size_t size)
{
	const char *product = fs_str(fs, h->product);
	struct compare c = { .h = h, .buf = buf, .size = size };

	buf[0] = '\0';
	c.ours = posture_is_2008(product) ||
		 (*product == '\0' && (h->build == 6002 || h->build == 6003));
	if (s->ntlm_version != NULL)
		compare_version(&c, s->ntlm_version);
	if (s->native_os != NULL && *s->native_os != '\0')
		compare_native(&c, s->native_os);
	if (s->native_lm != NULL && starts(s->native_lm, "Samba"))
		say(&c, POSTURE_SEEN_DIFFERS, "native LAN manager: Samba");
	if (s->dialect != NULL)
		compare_dialect(&c, s->dialect);
	if (c.seen == POSTURE_SEEN_AGREES && c.ours &&
	    (s->native_os == NULL || *s->native_os == '\0'))
		say(&c, POSTURE_SEEN_AGREES, "Windows Vista has the same builds");
	if (c.seen != POSTURE_SEEN_NOTHING && h->build == 0)
		say(&c, POSTURE_SEEN_UNKNOWN,
		    c.ours ? "no build is declared"
			   : "no Windows Server 2008 SP2 is declared");
	return c.seen;
}
