/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: verb `suggest` of the control socket: what observed hosts were seen to do */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/flowspace.h>

#include "engine/state.h"

static const char *const whys[WATCH_WHYS] = { [WATCH_PLAIN] = NULL,
	[WATCH_SMB] = "smb",
	[WATCH_RDP] = "rdp",
	[WATCH_GUARD] = "guard",
	[WATCH_SCAN] = "scan" };

struct answer {
	const struct fs *fs;
	struct client *client;
	const char *host; /* NULL: all */
};

static void suggest_row(void *arg, const struct watch_flow *f)
{
	const struct answer *a = arg;
	char host[NETADDR_STRLEN], peer[NETADDR_STRLEN];
	uint32_t i = fs_place_of(a->fs, &f->host);
	const char *name;

	if (i == FS_NONE)
		return; /* no host of ours any more */
	name = fs_str(a->fs, fs_host(a->fs, i)->name);
	netaddr_format(&f->host, host);
	if (a->host && strcmp(a->host, name) != 0 && strcmp(a->host, host) != 0)
		return;
	control_row(a->client,
	    json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:b, s:o, s:o}", "host",
		name, "address", host, "peer", netaddr_format(&f->peer, peer), "direction",
		f->dir == FS_IN ? "in" : "out", "proto", f->proto, "port", f->port, "packets",
		(json_int_t)f->count, "first_us", (json_int_t)f->first_us, "last_us",
		(json_int_t)f->last_us, "middle", f->middle, "apart",
		event_text_or_null(whys[f->why]), "guard", event_text_or_null(f->guard)));
}

void ask_suggest(void *arg, struct client *c, const json_t *args)
{
	struct engine *g = arg;
	struct answer a = { g->policies.now.fs, c,
		json_string_value(json_object_get(args, "host")) };
	struct watch_stats stats;

	if (!a.fs) {
		control_end(c, 6, "there is no policy yet");
		return;
	}
	watched_stats(g->watched, &stats);
	control_row(c,
	    json_pack("{s:i, s:I, s:I}", "flows", (int)stats.flows, "forgotten",
		(json_int_t)stats.forgotten, "forgotten_packets",
		(json_int_t)stats.forgotten_packets));
	watched_each(g->watched, suggest_row, &a);
	control_end(c, 0, NULL);
}
