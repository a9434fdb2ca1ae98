/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: scalars of a formatted file: plain where that is safe, else quoted */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/fmt.h"
#include "rules/text.h"

size_t fmt_width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* ---- what YAML 1.1 or 1.2 takes for a number, a truth or nothing ---- */

static bool is_number(const char *s)
{
	static const char digits[] = "0123456789_";
	size_t whole, part = 0;

	s += *s == '-' || *s == '+';
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o' || s[1] == 'b'))
		return s[2] != '\0' && s[2 + strspn(s + 2, "0123456789abcdefABCDEF_")] == '\0';
	whole = strspn(s, digits);
	s += whole;
	while (whole > 0 && *s == ':') /* sexagesimal */
		s += 1 + strspn(s + 1, digits);
	if (*s == '.') {
		part = strspn(s + 1, digits);
		s += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		s += strspn(s, digits);
	}
	return *s == '\0';
}

bool fmt_is_typed(const char *s)
{
	static const char *const words[] = { "~", "null", "true", "false", "yes", "no", "on",
		"off", "y", "n", ".inf", "-.inf", "+.inf", ".nan", "=" };

	/* Bytes in hex are left as their writer has them: some of a list look like numbers. */
	if (*s == '\0' ||
	    (s[strspn(s, "0123456789abcdefABCDEF ")] == '\0' && strchr(s, ' ') != NULL))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(words[i], s) == 0)
			return true;
	}
	return is_number(s);
}

/* ---- quotes ---- */

static bool starts_badly(const char *s, bool in_flow)
{
	if (strncmp(s, "---", 3) == 0 || strncmp(s, "...", 3) == 0 || strcmp(s, "<<") == 0)
		return true;
	if (strchr("-?:", *s) != NULL)
		return s[1] == '\0' || s[1] == ' ' || in_flow || *s == ':';
	return strchr(",[]{}#&*!|>'\"%@` ", *s) != NULL;
}

static bool is_unsafe(const struct fnode *n, bool in_flow)
{
	const char *s = n->text;
	size_t used;
	uint32_t c;

	if (n->len == 0 || starts_badly(s, in_flow) || s[n->len - 1] == ' ' ||
	    s[n->len - 1] == ':' || strstr(s, ": ") != NULL || strstr(s, " #") != NULL ||
	    (in_flow && strpbrk(s, ",[]{}:") != NULL))
		return true;
	for (size_t i = 0; i < n->len; i += used) {
		used = text_decode(s + i, n->len - i, &c);
		if (used == 0 || !text_visible(c))
			return true;
	}
	return false;
}

static void escape(FILE *f, const char *s, size_t len)
{
	size_t used;
	uint32_t c;

	for (size_t i = 0; i < len; i += used) {
		used = text_decode(s + i, len - i, &c);
		if (used == 0) {
			fprintf(f, "\\x%02x", (unsigned char)s[i]);
			used = 1;
		} else if (c == '\n') {
			fputs("\\n", f);
		} else if (c == '\t') {
			fputs("\\t", f);
		} else if (c == '"' || c == '\\') {
			fprintf(f, "\\%c", (int)c);
		} else if (text_visible(c)) {
			fwrite(s + i, 1, used, f);
		} else {
			fprintf(f, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
		}
	}
}

/* Single quotes save backslashes; they can hold no escapes. */
static bool wants_single(const struct fnode *n)
{
	size_t used;
	uint32_t c;

	if (strpbrk(n->text, "\"\\") == NULL || strchr(n->text, '\'') != NULL)
		return false;
	for (size_t i = 0; i < n->len; i += used) {
		used = text_decode(n->text + i, n->len - i, &c);
		if (used == 0 || !text_visible(c))
			return false;
	}
	return true;
}

static const char *quoted(struct arena *a, const struct fnode *n)
{
	char *text = NULL;
	const char *copy;
	size_t size = 0;
	FILE *f;

	if (wants_single(n))
		return arena_printf(a, "'%s'", n->text);
	f = open_memstream(&text, &size);
	if (f == NULL)
		return NULL;
	fputc('"', f);
	escape(f, n->text, n->len);
	fputc('"', f);
	copy = fclose(f) == 0 ? arena_strndup(a, text, size) : NULL;
	free(text);
	return copy;
}

const char *fmt_scalar(struct arena *a, const struct fnode *n, bool in_flow)
{
	const char *mark = n->alias ? "*" : "&", *text = "";

	if (!n->alias && (n->len > 0 || n->style != YSTYLE_PLAIN)) {
		bool keep = n->style != YSTYLE_PLAIN && fmt_is_typed(n->text);

		text = keep || is_unsafe(n, in_flow) ? quoted(a, n) : n->text;
	}
	if (text == NULL || n->anchor == NULL)
		return text;
	return arena_printf(a, "%s%s%s%s", mark, n->anchor, *text != '\0' ? " " : "", text);
}
