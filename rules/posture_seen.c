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

	if (seen == POSTURE_SEEN_DIFFERS && !c->ours)
		seen = POSTURE_SEEN_UNKNOWN;
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

	if (build == 6001)
		say(c, POSTURE_SEEN_DIFFERS, "%s: build 6001, without Service Pack 2",
		    by);
	else if (build != 6002 && build != 6003)
		say(c, POSTURE_SEEN_UNKNOWN, "%s: build %u of NT 6.0 is not known", by,
		    build);
	else if (declared == 0 || !c->ours)
		say(c, POSTURE_SEEN_UNKNOWN, "%s: build %u", by, build);
	else if (build == declared)
		say(c, POSTURE_SEEN_AGREES, "%s: build %u, as declared", by, build);
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
	else if (major < 5 || major > 10 || (major > 6 && major < 10))
		say(c, POSTURE_SEEN_UNKNOWN, "NTLM: no Windows has version %u.%u",
		    major, minor);
	else
		say(c, POSTURE_SEEN_DIFFERS,
		    "NTLM: version %u.%u.%u, not Windows Server 2008's "
		    "6.0",
		    major, minor, build);
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

/* "Windows Server (R) 2008 Standard 6002 Service Pack 2"; R2 is written without "(R)".
 */
static void compare_native(struct compare *c, const char *s)
{
	static const char ours[] = "Windows Server (R) 2008 ";

	if (starts(s, ours) && build_in(s + sizeof(ours) - 1) != 0)
		compare_build(c, "native OS", build_in(s + sizeof(ours) - 1));
	else if (starts(s, ours))
		say(c, POSTURE_SEEN_UNKNOWN,
		    "native OS: Windows Server 2008 without a build");
	else if (starts(s, "Windows Server 2008 R2 "))
		say(c, POSTURE_SEEN_DIFFERS, "native OS: Windows Server 2008 R2");
	else if (starts(s, "Windows Vista"))
		say(c, POSTURE_SEEN_DIFFERS,
		    "native OS: Windows Vista, of the same builds");
	else if (starts(s, "Windows"))
		say(c, POSTURE_SEEN_DIFFERS, "native OS: another Windows");
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
	if (starts(s, "2.1") || starts(s, "2.?") || starts(s, "3."))
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
	if (c.seen == POSTURE_SEEN_AGREES &&
	    (s->native_os == NULL || *s->native_os == '\0'))
		say(&c, POSTURE_SEEN_AGREES, "Windows Vista has the same builds");
	if (c.seen != POSTURE_SEEN_NOTHING && !c.ours)
		say(&c, POSTURE_SEEN_UNKNOWN, "no Windows Server 2008 SP2 is declared");
	else if (c.seen != POSTURE_SEEN_NOTHING && h->build == 0)
		say(&c, POSTURE_SEEN_UNKNOWN, "no build is declared");
	return c.seen;
}
