/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: hostile text made fit for terminals and JSON; nearest names */
#include "rules/text.h"

#include <stdlib.h>
#include <string.h>

size_t text_decode(const char *s, size_t len, uint32_t *ret)
{
	const unsigned char *u = (const unsigned char *)s;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = u[0] < 0x80 ? 1 : u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
	uint32_t c = n == 1 ? u[0] : u[0] & (0x7fu >> n);

	if ((u[0] >= 0x80 && u[0] < 0xc2) || u[0] > 0xf4 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

bool text_visible(uint32_t c)
{
	static const uint32_t hidden[][2] = {{0, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad},
	    {0x61c, 0x61c}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
	    {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff}};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (c >= hidden[i][0] && c <= hidden[i][1])
			return false;
	}
	return true;
}

char *text_escape(const char *s, size_t len)
{
	char *out = malloc(len * 4 + 1), *p = out;
	uint32_t c;

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < len;) {
		size_t n;

		if (s[i] >= ' ' && s[i] < 0x7f) {
			*p++ = s[i++];
			continue;
		}
		n = text_decode(s + i, len - i, &c);
		if (n != 0 && text_visible(c)) {
			memcpy(p, s + i, n);
			p += n;
			i += n;
			continue;
		}
		for (size_t end = i + (n != 0 ? n : 1); i < end; i++)
			p += sprintf(p, "\\x%02x", (unsigned char)s[i]);
	}
	*p = '\0';
	return out;
}

void text_json(const char *s, FILE *f)
{
	fputc('"', f);
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(f, "\\u%04x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

unsigned text_distance(const char *a, const char *b, unsigned max)
{
	enum { LEN = 64 };
	unsigned row[3][LEN + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > LEN || lb > LEN || (la > lb ? la - lb : lb - la) > max)
		return max + 1;
	for (unsigned j = 0; j <= lb; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3],
			 *up2 = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned d = up[j - 1] + (a[i - 1] != b[j - 1]);

			d = up[j] + 1 < d ? up[j] + 1 : d;
			d = now[j - 1] + 1 < d ? now[j - 1] + 1 : d;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && up2[j - 2] + 1 < d)
				d = up2[j - 2] + 1;
			now[j] = d;
		}
	}
	return row[la % 3][lb] < max ? row[la % 3][lb] : row[la % 3][lb] == max ? max :
	    max + 1;
}

void text_offer(struct text_nearest *n, const char *name)
{
	/* A third of the letters wrong is no slip any more. */
	unsigned max = (unsigned)strlen(n->want) / 3, d;

	if (max == 0)
		return;
	if (max > 3)
		max = 3;
	if (n->best != NULL && n->distance <= max)
		max = n->distance;
	d = text_distance(n->want, name, max);
	if (d > max ||
	    (n->best != NULL && d == n->distance && strcmp(name, n->best) >= 0))
		return;
	n->best = name;
	n->distance = d;
}
