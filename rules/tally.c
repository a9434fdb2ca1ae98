/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the names of the sets and counters that count what is reported */
#include <cordon/tally.h>

#include <stddef.h>
#include <string.h>

const char *const tally_kinds[TALLY_KINDS] = {
	[TALLY_DENIED] = "denied", [TALLY_WOULD_DENY] = "would_deny",
	[TALLY_SPOOF] = "spoof", [TALLY_BLOCKED] = "blocked",
	[TALLY_CONDEMNED] = "condemned", [TALLY_EXPOSURE] = "exposure",
	[TALLY_EXPOSURE_SEEN] = "exposure_seen", [TALLY_GUARD] = "guard",
	[TALLY_GUARD_SEEN] = "guard_seen",
};

const char *const tally_whats[TALLY_WHATS] = {
	[TALLY_HITS] = "hits", [TALLY_LOGGED] = "logged",
	[TALLY_SUPPRESSED] = "suppressed", [TALLY_OVERFLOW] = "overflow",
	[TALLY_TOLD] = "told", [TALLY_UNLOGGED] = "unlogged", [TALLY_FLOWS] = "flows",
	[TALLY_FLOWSPROTO] = "flowsproto",
};

/* What stands behind KIND: "" or "_WHAT", up to len; true if it is a word of ours. */
static bool what_of(const char *rest, size_t len, enum tally_what *ret)
{
	if (len == 0) {
		*ret = TALLY_HITS;
		return true;
	}
	for (int w = 0; w < TALLY_WHATS && *rest == '_'; w++)
		if (strlen(tally_whats[w]) == len - 1 &&
		    memcmp(rest + 1, tally_whats[w], len - 1) == 0) {
			*ret = (enum tally_what)w;
			return true;
		}
	return false;
}

static bool parse(const char *name, size_t len, enum tally_kind *ret_kind,
    enum tally_what *ret_what)
{
	for (int k = 0; k < TALLY_KINDS; k++) {
		size_t n = strlen(tally_kinds[k]);

		if (len >= n && memcmp(name, tally_kinds[k], n) == 0 &&
		    what_of(name + n, len - n, ret_what)) {
			*ret_kind = (enum tally_kind)k;
			return true;
		}
	}
	return false;
}

bool tally_of_set(const char *name, enum tally_kind *ret_kind, enum tally_what *ret_what,
    uint8_t *ret_v)
{
	size_t len = strlen(name);

	if (len < 2 || (name[len - 1] != '4' && name[len - 1] != '6') ||
	    !parse(name, len - 1, ret_kind, ret_what))
		return false;
	*ret_v = (uint8_t)(name[len - 1] - '0');
	return true;
}

bool tally_of_counter(const char *name, enum tally_kind *ret_kind,
    enum tally_what *ret_what)
{
	return parse(name, strlen(name), ret_kind, ret_what);
}
