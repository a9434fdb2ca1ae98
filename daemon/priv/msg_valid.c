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
		    msg_name_ok(&f->rdp.cookie) && msg_name_ok(&f->rdp.client_name);
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

bool msg_valid(enum msg_type type, const union msg_body *body)
{
	switch (type) {
	case MSG_LOAD:
		return BOOL_OK(body->load.from_image) && msg_commit_ok(body->load.commit);
	case MSG_LOADED:
	case MSG_LOAD_FAILED:
		return msg_commit_ok(body->loaded.commit);
	case MSG_SENSOR_CONFIG:
		return msg_config_ok(&body->sensor_config);
	case MSG_SIGHTING:
		return msg_sighting_ok(&body->sighting);
	case MSG_POLICY:
		return msg_commit_ok(body->policy.commit) && BOOL_OK(body->policy.restored);
	case MSG_RESULT:
	case MSG_RELOAD_RESULT:
	case MSG_BLOCKS_END:
		return body->result.code <= MSG_E_BUSY;
	case MSG_BLOCK_ENTRY:
	case MSG_BLOCK:
	case MSG_UNBLOCK:
		return msg_block_ok(&body->block);
	case MSG_STATUS:
		return msg_commit_ok(body->status.commit);
	case MSG_HEALTH:
		return msg_health_ok(&body->health);
	case MSG_RELOAD:
		return msg_commit_ok(body->reload.commit);
	case MSG_PEER:
	case MSG_READY:
	case MSG_SENSOR_STATS:
	case MSG_LOG_FD:
	case MSG_LIST_BLOCKS:
	case MSG_GET_STATUS:
	case MSG_LOG_REOPEN:
		return true; /* no body, or any bits are meaningful */
	case MSG_TYPES:
		break;
	}
	return false;
}
