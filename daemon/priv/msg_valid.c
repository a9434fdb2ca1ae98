/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a message's body must be, whoever sent it */
#include <string.h>

#include <cordon/flowspace.h>

#include "priv/msg.h"

/* A byte that is not 0 or 1 in a bool is undefined behaviour to read: look at the
 * byte itself. */
#define BOOL_OK(field) msg_bool_ok(&(field))
#define TEXT_OK(field) msg_text_ok((field), sizeof(field))

static bool msg_bool_ok(const bool *b)
{
	unsigned char byte;

	memcpy(&byte, b, 1);
	return byte <= 1;
}

static bool msg_text_ok(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

static bool msg_commit_ok(const char s[static MSG_COMMIT_LEN])
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz._-";

	return msg_text_ok(s, MSG_COMMIT_LEN) && s[strspn(s, allowed)] == '\0';
}

static bool msg_addr_ok(const struct netaddr *a)
{
	static const uint8_t zero[12];

	return a->v == 6 || (a->v == 4 && memcmp(a->b + 4, zero, sizeof(zero)) == 0);
}

static bool msg_name_ok(const struct fact_name *n)
{
	return n->len <= sizeof(n->b);
}

static bool msg_fact_text_ok(const struct fact_text *t)
{
	return t->len <= sizeof(t->b);
}

static bool msg_smb_ok(const struct smb_facts *f)
{
	const struct ntlm_facts *n = &f->ntlm;

	return f->smb1_count <= SMB1_OFFERED_MAX && f->smb2_count <= SMB2_OFFERED_MAX &&
	    msg_fact_text_ok(&f->native_os) && msg_fact_text_ok(&f->native_lm) &&
	    msg_fact_text_ok(&f->client_os) && msg_fact_text_ok(&f->client_lm) &&
	    msg_name_ok(&f->called) && msg_name_ok(&f->calling) &&
	    msg_name_ok(&n->nb_computer) && msg_name_ok(&n->nb_domain) &&
	    msg_name_ok(&n->dns_computer) && msg_name_ok(&n->dns_domain) &&
	    msg_name_ok(&n->user) && msg_name_ok(&n->domain) &&
	    msg_name_ok(&n->workstation) && n->response <= NTLM_RESPONSE_V2;
}

static bool msg_facts_ok(const struct flow_facts *f)
{
	if (f->confidence > CONFIDENCE_DIALOG)
		return false;
	switch ((enum app)f->app) {
	case APP_NONE:
		return true;
	case APP_SMB:
		return msg_smb_ok(&f->smb);
	case APP_RDP:
		return f->rdp.channel_count <= RDP_CHANNELS_MAX &&
		    msg_fact_text_ok(&f->rdp.cookie) && msg_name_ok(&f->rdp.client_name);
	case APP_COUNT:
		break;
	}
	return false;
}

static bool msg_config_ok(const struct msg_sensor_config *c)
{
	if (c->nifaces > MSG_IFACES_MAX)
		return false;
	for (uint32_t i = 0; i < c->nifaces; i++)
		if (!TEXT_OK(c->iface[i]) || !c->iface[i][0])
			return false;
	return true;
}

static bool msg_guard_ok(const struct msg_sensor_guard *g)
{
	uint32_t terms = 0;

	if (g->total == 0)
		return g->index == 0 && g->nterms == 0;
	if (g->total > MSG_GUARDS_MAX || g->index >= g->total || !TEXT_OK(g->id) ||
	    !g->id[0] || g->where > GUARD_SENSOR || g->dir > GUARD_BOTH ||
	    g->nterms > GUARD_TERM_MAX)
		return false;
	for (uint32_t i = 0; i < g->nterms; i++)
		if (g->terms[i].len < 1 || g->terms[i].len > sizeof(g->terms[i].mask) ||
		    g->terms[i].within > GUARD_WITHIN_MAX)
			return false;
	for (int i = 0; i < GUARD_ALTERNATIVE_MAX && g->alternative_len[i] > 0; i++) {
		uint8_t n = g->alternative_len[i];

		if (n > g->nterms - terms || guard_searches(&g->terms[terms], n) == 0)
			return false;
		terms += n;
	}
	return terms == g->nterms;
}

static bool msg_sighting_ok(const struct msg_sighting *s)
{
	return s->kind < SIGHT_KINDS && s->count >= 1 && BOOL_OK(s->from_nflog) &&
	    BOOL_OK(s->handshake) && msg_addr_ok(&s->src) && msg_addr_ok(&s->dst) &&
	    s->src.v == s->dst.v && TEXT_OK(s->iface) && TEXT_OK(s->detail) &&
	    msg_facts_ok(&s->facts);
}

static bool msg_block_ok(const struct msg_block *b)
{
	return msg_addr_ok(&b->addr) && b->origin <= BLOCK_OPERATOR &&
	    b->scope <= FS_SCOPE_ALL && BOOL_OK(b->legacy) &&
	    (b->prefixlen == 8 * netaddr_size(&b->addr) ||
		(b->addr.v == 6 && b->prefixlen == 64));
}

static bool msg_health_ok(const struct msg_health *h)
{
	return h->what < HEALTH_KINDS && h->role < ROLE_COUNT && TEXT_OK(h->detail);
}

static bool msg_flows_ok(const struct msg_flows *f)
{
	if (f->n > MSG_FLOWS_MAX)
		return false;
	for (uint32_t i = 0; i < f->n; i++)
		if (!msg_addr_ok(&f->at[i].src) || !msg_addr_ok(&f->at[i].dst) ||
		    f->at[i].src.v != f->at[i].dst.v || f->at[i].kind >= TALLY_KINDS)
			return false;
	return true;
}

static bool msg_sum_ok(const struct msg_sum *s)
{
	static const struct netaddr none;

	return s->kind < TALLY_KINDS && s->what <= TALLY_TOLD &&
	    (s->addr.v == 0 ? memcmp(&s->addr, &none, sizeof(none)) == 0 :
			      msg_addr_ok(&s->addr));
}

static bool msg_sums_ok(const struct msg_sums *s)
{
	if (s->n > MSG_SUMS_MAX)
		return false;
	for (uint32_t i = 0; i < s->n; i++)
		if (!msg_sum_ok(&s->at[i]))
			return false;
	return true;
}

static bool msg_word_ok(const char *s, size_t size)
{
	return msg_text_ok(s, size) && s[0] &&
	    s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static bool msg_finding_ok(const struct msg_finding *f)
{
	return f->severity < FINDING_SEVERITIES && BOOL_OK(f->on) && BOOL_OK(f->known) &&
	    msg_word_ok(f->word, sizeof(f->word)) && TEXT_OK(f->object) &&
	    TEXT_OK(f->what) && TEXT_OK(f->mend);
}

static bool msg_session_ok(const struct msg_session *s)
{
	return s->client.v == 0 || (msg_addr_ok(&s->client) && msg_addr_ok(&s->server) &&
	    s->client.v == s->server.v && s->port > 0);
}

static bool msg_reload_ok(const struct msg_reload *r)
{
	return msg_commit_ok(r->commit) && BOOL_OK(r->force) &&
	    msg_session_ok(&r->session) && (r->trial_s == 0 ||
		(r->trial_s >= TRIAL_MIN_S && r->trial_s <= TRIAL_MAX_S));
}

bool msg_valid(enum msg_type type, const union msg_body *body)
{
	switch (type) {
	case MSG_LOAD:
		return BOOL_OK(body->load.from_image) &&
		    msg_commit_ok(body->load.commit) && TEXT_OK(body->load.zone);
	case MSG_LOADED:
	case MSG_LOAD_FAILED:
		return msg_commit_ok(body->loaded.commit);
	case MSG_SENSOR_CONFIG:
		return msg_config_ok(&body->sensor_config);
	case MSG_SENSOR_GUARD:
		return msg_guard_ok(&body->sensor_guard);
	case MSG_SIGHTING:
		return msg_sighting_ok(&body->sighting);
	case MSG_POLICY:
		return msg_commit_ok(body->policy.commit) && BOOL_OK(body->policy.restored) &&
		    body->policy.deed < DEED_UNCHANGED;
	case MSG_RESULT:
	case MSG_RELOAD_RESULT:
	case MSG_BLOCKS_END:
		return body->result.code <= MSG_E_BUSY && body->result.deed < DEEDS;
	case MSG_BLOCK_ENTRY:
	case MSG_BLOCK:
	case MSG_UNBLOCK:
		return msg_block_ok(&body->block);
	case MSG_STATUS:
		return msg_commit_ok(body->status.commit) &&
		    msg_commit_ok(body->status.back_commit);
	case MSG_HEALTH:
		return msg_health_ok(&body->health);
	case MSG_FINDING:
		return msg_finding_ok(&body->finding);
	case MSG_RELOAD:
		return msg_reload_ok(&body->reload);
	case MSG_FLOWS:
		return msg_flows_ok(&body->flows);
	case MSG_SUMS:
		return msg_sums_ok(&body->sums);
	case MSG_TOLD:
		return msg_sum_ok(&body->sum) && body->sum.what == TALLY_TOLD;
	case MSG_LOAD_SAME:
	case MSG_COUNTED:
	case MSG_PEER:
	case MSG_READY:
	case MSG_SENSOR_STATS:
	case MSG_LOG_FD:
	case MSG_STATE_FD:
	case MSG_LIST_BLOCKS:
	case MSG_GET_STATUS:
	case MSG_LOG_REOPEN:
	case MSG_TRIAL_OK:
	case MSG_TRIAL_BACK:
		return true; /* no body, or any bits are meaningful */
	case MSG_TYPES:
		break;
	}
	return false;
}
