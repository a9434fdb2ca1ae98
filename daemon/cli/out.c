/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what reaches the terminal: colour, escaped foreign text, progress */
#include "cli/out.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const out_formats[] = {"text", "json", "markdown", "sarif", "nft", NULL};

static const char *const tones[TONE_COUNT] = {
    [TONE_PLAIN] = "\033[0m",
    [TONE_GOOD] = "\033[32m",
    [TONE_BAD] = "\033[31m",
    [TONE_WARN] = "\033[33m",
    [TONE_DIM] = "\033[2m",
    [TONE_BOLD] = "\033[1m",
};

bool out_wants_colour(FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no && *no)
		return false;
	return term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(f));
}

const char *out_tone(enum out_tone tone, bool colour)
{
	return colour ? tones[tone] : "";
}

/* Characters that draw nothing, or move what is around them. */
static const struct {
	uint32_t lo, hi;
} unseen[] = {
    {0x00ad, 0x00ad},
    {0x034f, 0x034f},
    {0x061c, 0x061c},
    {0x180e, 0x180e},
    {0x200b, 0x200f},
    {0x2028, 0x202e},
    {0x2060, 0x206f},
    {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff},
    {0xfff0, 0xfffb},
    {0xe0000, 0xe0fff},
};

static bool is_unseen(uint32_t c)
{
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (c >= unseen[i].lo && c <= unseen[i].hi)
			return true;
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* The character at s[0..len) and its length, or 0: not UTF-8 (overlong, surrogate,
 * cut and too large ones included). */
static size_t utf8_char(const uint8_t *s, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80             ? 1
		   : (s[0] & 0xe0) == 0xc0 ? 2
		   : (s[0] & 0xf0) == 0xe0 ? 3
		   : (s[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	uint32_t c;

	if (n == 0 || n > len)
		return 0;
	c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return n;
}

void out_escape_mem(FILE *f, const void *bytes, size_t len)
{
	const uint8_t *s = bytes;
	uint32_t c = 0;

	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = utf8_char(s + i, len - i, &c);
		if (n == 0 || (n == 1 && is_unseen(c)))
			fprintf(f, "\\x%02x", s[i]);
		else if (is_unseen(c))
			fprintf(f, "\\u{%x}", c);
		else if (c == '\\')
			fputs("\\\\", f);
		else
			fwrite(s + i, 1, n, f);
	}
}

void out_escape(FILE *f, const char *s)
{
	out_escape_mem(f, s, strlen(s));
}

char *out_escaped(const void *s, size_t len)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	out_escape_mem(f, s, len);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

void out_progress(const char *fmt, ...)
{
	static bool shown;
	va_list ap;

	if (!isatty(STDERR_FILENO) || (!fmt && !shown))
		return;
	fputs("\r\033[K", stderr);
	shown = fmt != NULL;
	if (fmt) {
		va_start(ap, fmt);
		vfprintf(stderr, fmt, ap);
		va_end(ap);
	}
	fflush(stderr);
}
