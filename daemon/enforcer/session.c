/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: would a policy cut off the session it is applied from */
#include "enforcer/session.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <cordon/flowspace.h>
#include <cordon/netaddr.h>

#include "priv/blob.h"

static bool session_in(const struct fs *fs, struct fs_span list, const struct netaddr *a)
{
	return netranges_have(fs_range(fs, list.first), list.count, a);
}

static bool session_inside(const struct fs *fs, const char *iface)
{
	struct fs_span s = fs->settings.interfaces;

	for (uint32_t i = 0; i < s.count; i++)
		if (strcmp(fs_str(fs, *FS_AT(fs, FS_WORDS, uint32_t, s.first + i)),
			iface) == 0)
			return true;
	return false;
}

/* DESIGN section 4, step 0.  A source that is not known is not judged. */
static bool session_misplaced(const struct fs *fs, const struct netaddr *client,
    const char *iface, char *ret_why, size_t size)
{
	bool ours = fs_place_of(fs, client) != FS_NONE;
	char text[NETADDR_STRLEN];

	if (!iface[0] || session_inside(fs, iface) == ours)
		return false;
	netaddr_format(client, text);
	if (ours)
		snprintf(ret_why, size, "%s is a protected address, but comes by %s, which "
		    "is not in gateway.interfaces", text, iface);
	else
		snprintf(ret_why, size, "%s comes by %s of gateway.interfaces, where only "
		    "protected addresses may", text, iface);
	return true;
}

/* Which side lacks a rule for it. */
static void session_missing(const struct fs *fs, const struct msg_session *s,
    const struct fs_verdict *v, char *ret_why, size_t size)
{
	char from[NETADDR_STRLEN], to[NETADDR_STRLEN];

	netaddr_format(&s->client, from);
	netaddr_format(&s->server, to);
	for (unsigned i = 0; i < v->nsides; i++) {
		const struct fs_side *side = &v->side[i];
		const struct fs_host *h = fs_host(fs, side->host);

		if (side->match || side->observed)
			continue;
		snprintf(ret_why, size, "%s %s has no rule that allows it %s %s tcp/%u%s%s",
		    h->declared ? "host" : "undeclared address in", fs_str(fs, h->name),
		    side->dir == FS_OUT ? "to" : "from", side->dir == FS_OUT ? to : from,
		    s->port, side->asleep != FS_NONE ? " at this time; then there is " : "",
		    side->asleep != FS_NONE ? fs_str(fs, fs_rule(fs, side->asleep)->id) : "");
		return;
	}
	snprintf(ret_why, size, "no rule allows %s to %s tcp/%u", from, to, s->port);
}

bool session_cut(const struct fs *fs, const struct msg_session *s, const char *iface,
    int64_t at, char *ret_why, size_t size)
{
	struct fs_flow flow;
	struct fs_verdict v;

	memset(&flow, 0, sizeof(flow));
	flow.src = s->client;
	flow.dst = s->server;
	flow.proto = IPPROTO_TCP;
	flow.dport = s->port;
	flow.at = at;
	/* the input hook takes management first; what comes from this machine itself
	 * comes by no protected interface */
	if (session_in(fs, fs->settings.management, &s->client) ||
	    session_in(fs, fs->settings.addresses, &s->client))
		return false;
	if (session_misplaced(fs, &s->client, iface, ret_why, size))
		return true;
	fs_judge(fs, &flow, &v);
	if (v.result != FS_DENY)
		return false;
	session_missing(fs, s, &v, ret_why, size);
	return true;
}

/* Names and addresses only: no character of it needs an escape but these. */
static void session_json_text(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; *from && n + 1 < size; from++)
		if (*from != '"' && *from != '\\' && (unsigned char)*from >= ' ')
			to[n++] = *from;
	to[n] = '\0';
}

int session_diagnostic(const char *why)
{
	char safe[400], line[800];
	int n;

	session_json_text(safe, sizeof(safe), why);
	n = snprintf(line, sizeof(line), "{\"file\":\"session\",\"severity\":\"error\","
	    "\"code\":\"\",\"name\":\"lockout\",\"message\":\"it would cut off the session it "
	    "is applied from: %s\",\"hint\":\"add the rule, or the address to "
	    "gateway.management; --force applies it all the same\"}\n", safe);
	return blob_seal("diagnostics", line, (size_t)n);
}
