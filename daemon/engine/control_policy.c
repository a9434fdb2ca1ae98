/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: verbs of the control socket that change the policy: reload, confirm, rollback */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/control_policy.h"
#include "engine/state.h"

enum { RELOAD_WAIT_MS = 120000, DIAG_MAX_BYTES = 1 << 20 };

static void policy_ask(struct engine *g, struct client *c, enum msg_type type,
    const void *body)
{
	uint32_t id = engine_ask(g, type, body);

	if (id)
		control_wait(c, id, RELOAD_WAIT_MS);
	else
		control_end(c, 6, "the enforcer can't be asked");
}

/* ---- questions ---- */

static const char *parse_commit(const json_t *args, struct msg_reload *ret)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz._-";
	const char *commit = json_string_value(json_object_get(args, "commit"));

	if (!commit)
		return NULL;
	if (strlen(commit) >= sizeof(ret->commit) || commit[strspn(commit, allowed)])
		return "a commit is at most 63 of 0-9 A-Z a-z . _ -";
	memcpy(ret->commit, commit, strlen(commit) + 1);
	return NULL;
}

static const char *parse_trial(const json_t *args, struct msg_reload *ret)
{
	const json_t *s = json_object_get(args, "confirm_s");
	json_int_t n = json_integer_value(s);

	if (!s)
		return NULL;
	if (!json_is_integer(s) || n < TRIAL_MIN_S || n > TRIAL_MAX_S)
		return "confirm_s is 5 to 3600";
	ret->trial_s = (uint32_t)n;
	return NULL;
}

/* An address as sshd writes it: a zone is of no interest, IPv4 stays IPv4. */
static int session_addr(char *text, struct netaddr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct netaddr a;

	text[strcspn(text, "%")] = '\0';
	if (netaddr_parse(text, &a) < 0)
		return -1;
	if (a.v == 6 && memcmp(a.b, mapped, sizeof(mapped)) == 0) {
		memset(ret, 0, sizeof(*ret));
		ret->v = 4;
		memcpy(ret->b, a.b + 12, 4);
		return 0;
	}
	*ret = a;
	return 0;
}

/* SSH_CONNECTION: client's address and port, server's address and port. */
static const char *parse_session(const json_t *args, struct msg_reload *ret)
{
	const char *text = json_string_value(json_object_get(args, "session"));
	char from[64], to[64];
	unsigned sport, port;
	struct msg_session s;
	int end = 0;

	if (!text)
		return NULL;
	memset(&s, 0, sizeof(s));
	if (sscanf(text, "%63s %5u %63s %5u%n", from, &sport, to, &port, &end) != 4 ||
	    text[end] || port < 1 || port > 65535 || session_addr(from, &s.client) < 0 ||
	    session_addr(to, &s.server) < 0 || s.client.v != s.server.v)
		return "session is CLIENT PORT SERVER PORT, as SSH_CONNECTION";
	s.port = (uint16_t)port;
	ret->session = s;
	return NULL;
}

void ask_reload(void *arg, struct client *c, const struct json_t *args)
{
	struct msg_reload m;
	const char *wrong;

	memset(&m, 0, sizeof(m));
	wrong = parse_commit(args, &m);
	if (!wrong)
		wrong = parse_trial(args, &m);
	if (!wrong)
		wrong = parse_session(args, &m);
	m.force = json_is_true(json_object_get(args, "force"));
	if (wrong)
		control_end(c, 2, wrong);
	else
		policy_ask(arg, c, MSG_RELOAD, &m);
}

void ask_confirm(void *arg, struct client *c, const struct json_t *args)
{
	(void)args;
	policy_ask(arg, c, MSG_TRIAL_OK, NULL);
}

void ask_rollback(void *arg, struct client *c, const struct json_t *args)
{
	(void)args;
	policy_ask(arg, c, MSG_TRIAL_BACK, NULL);
}

/* ---- answers ---- */

/* Diagnostics are JSON lines the loader wrote: each is parsed again before it goes
 * on, since the loader read foreign text. */
static void relay_diagnostics(struct client *c, int fd)
{
	char *text = fd >= 0 ? malloc(DIAG_MAX_BYTES) : NULL, *nl, *at = text;
	size_t len = 0;
	ssize_t n;

	while (text && len < DIAG_MAX_BYTES &&
	       (n = pread(fd, text + len, DIAG_MAX_BYTES - len, (off_t)len)) > 0)
		len += (size_t)n;
	while (at && (nl = memchr(at, '\n', len - (size_t)(at - text)))) {
		json_t *row = json_loadb(at, (size_t)(nl - at), 0, NULL);

		if (json_is_object(row) && !json_object_get(row, "end"))
			control_row(c, json_incref(row));
		json_decref(row);
		at = nl + 1;
	}
	free(text);
}

static const char *const deed_words[DEEDS] = {
	[DEED_APPLIED] = "applied",
	[DEED_RESTORED] = "restored",
	[DEED_TRIAL] = "trial",
	[DEED_CONFIRMED] = "confirmed",
	[DEED_REVERTED] = "reverted",
	[DEED_ROLLED_BACK] = "rolled-back",
	[DEED_REVERTED_START] = "reverted-start",
	[DEED_UNCHANGED] = "unchanged",
};

/* Exit code and words of what was not done; text NULL: of the kernel's refusal. */
static const struct {
	uint32_t code, deed; /* deed DEEDS: any */
	int exit;
	const char *text;
} refusals[] = {
	{ MSG_E_POLICY, DEEDS, 1, "the policy has errors; the running ruleset was not touched" },
	{ MSG_E_LOCKOUT, DEEDS, 1,
	    "the policy would cut off this session; the running ruleset was not touched" },
	{ MSG_E_TRIAL, DEEDS, 6,
	    "a policy waits for `cordon confirm`: confirm it or roll it back first" },
	{ MSG_E_ABSENT, DEED_CONFIRMED, 6,
	    "nothing waits to be confirmed: it was confirmed, or its time was over" },
	{ MSG_E_ABSENT, DEED_ROLLED_BACK, 6, "there is no earlier policy to go back to" },
};

static void answer_refused(struct client *c, const struct msg_result *r)
{
	char text[160];

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].code == r->code &&
		    (refusals[i].deed == DEEDS || refusals[i].deed == r->deed)) {
			control_end(c, refusals[i].exit, refusals[i].text);
			return;
		}
	snprintf(text, sizeof(text), "%s%s%s; the running ruleset was not touched",
	    r->code == MSG_E_STATE ? "the state directory can't be written" :
				     event_reasons[engine_refusal(r)].what,
	    r->err ? ": " : "", r->err ? strerror(r->err) : "");
	control_end(c, 6, text);
}

void answer_reload(struct client *c, const struct msg_result *r, int fd)
{
	control_row(
	    c, json_pack("{s:b, s:s, s:o, s:i, s:i, s:i, s:i}", "applied", r->code == MSG_OK,
		   "deed", deed_words[r->deed], "confirm_s",
		   r->trial_s ? json_integer(r->trial_s) : json_null(),
		   "generation", (int)r->generation, "errors", (int)r->errors,
		   "warnings", (int)r->warnings, "took_us", (int)r->took_us));
	relay_diagnostics(c, fd);
	if (r->code == MSG_OK)
		control_end(c, 0, NULL);
	else
		answer_refused(c, r);
}
