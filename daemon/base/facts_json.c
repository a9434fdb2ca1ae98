/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: facts of a flow as the smb{} and rdp{} objects of events */
#include "base/facts_json.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Length of the well-formed UTF-8 character at p, 0 if there is none. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1
	    : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
	    : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
	    : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
					  : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

json_t *facts_json_text(const uint8_t *bytes, size_t len)
{
	char out[3 * 256];
	size_t n, at = 0;

	for (size_t i = 0; i < len && at + 4 < sizeof(out);) {
		n = utf8_len(bytes + i, len - i);
		memcpy(out + at, n ? (const char *)bytes + i : "\xef\xbf\xbd", n ? n : 3);
		at += n ? n : 3;
		i += n ? n : 1;
	}
	return json_stringn(out, at);
}

static void set_text(json_t *o, const char *key, const uint8_t *bytes, size_t len)
{
	if (len)
		json_object_set_new(o, key, facts_json_text(bytes, len));
}
#define SET_FACT(o, key, fact) set_text((o), (key), (fact).b, (fact).len)

static void set_true(json_t *o, const char *key, bool on)
{
	if (on)
		json_object_set_new(o, key, json_true());
}

static json_t *hex32(uint32_t n)
{
	return json_sprintf("0x%08x", n);
}

/* Suricata's words: the numbers of MS-SMB2 2.2.4 with a dot. */
static const char *smb2_dialect(uint16_t d, char buf[static FACTS_DIALECT_LEN])
{
	if (d == 0x02ff)
		snprintf(buf, FACTS_DIALECT_LEN, "2.??");
	else
		snprintf(buf, FACTS_DIALECT_LEN, "%x.%02x", d >> 8, d & 0xff);
	return buf;
}

static const char *smb1_offered(const struct smb_facts *f, unsigned i)
{
	const char *name = i < f->smb1_count ? smb1_dialect_name(f->smb1_offered[i]) : NULL;

	return name ? name : "unknown";
}

const char *facts_dialect(const struct smb_facts *f, char buf[static FACTS_DIALECT_LEN])
{
	if (f->smb2_chosen)
		return smb2_dialect(f->smb2_chosen, buf);
	buf[0] = 0;
	if (f->smb1_answered && f->smb1_chosen != SMB1_DIALECT_NONE)
		snprintf(buf, FACTS_DIALECT_LEN, "%s", smb1_offered(f, f->smb1_chosen));
	return buf;
}

static json_t *dialects_json(const struct smb_facts *f)
{
	json_t *list = json_array();
	char buf[FACTS_DIALECT_LEN];

	for (unsigned i = 0; i < f->smb1_count; i++)
		json_array_append_new(list, json_string(smb1_offered(f, i)));
	for (unsigned i = 0; i < f->smb2_count; i++)
		json_array_append_new(list, json_string(smb2_dialect(f->smb2_offered[i], buf)));
	return list;
}

static json_t *ntlm_json(const struct ntlm_facts *n)
{
	static const char *const kinds[] = { "", "anonymous", "ntlmv1", "ntlmv1-ess", "ntlmv2" };
	json_t *o = json_object();

	if (n->has_version)
		json_object_set_new(o, "version",
		    json_sprintf("%u.%u.%u", n->major, n->minor, n->build));
	SET_FACT(o, "nb_computer", n->nb_computer);
	SET_FACT(o, "nb_domain", n->nb_domain);
	SET_FACT(o, "dns_computer", n->dns_computer);
	SET_FACT(o, "dns_domain", n->dns_domain);
	SET_FACT(o, "domain", n->domain);
	SET_FACT(o, "user", n->user);
	SET_FACT(o, "host", n->workstation);
	if (n->has_auth && n->response != NTLM_RESPONSE_NONE)
		json_object_set_new(o, "response", json_string(kinds[n->response]));
	return o;
}

static void smb_signing(json_t *o, uint32_t flags)
{
	json_t *s = json_object();

	set_true(s, "server_enabled", flags & SMB_SERVER_SIGNING_ENABLED);
	set_true(s, "server_required", flags & SMB_SERVER_SIGNING_REQUIRED);
	set_true(s, "client_enabled", flags & SMB_CLIENT_SIGNING_ENABLED);
	set_true(s, "client_required", flags & SMB_CLIENT_SIGNING_REQUIRED);
	set_true(s, "used", flags & SMB_SEEN_SIGNED);
	json_object_set_new(o, "signing", s);
}

static void smb_flags(json_t *o, uint32_t flags)
{
	json_t *versions = json_array();

	if (flags & SMB_SEEN_1)
		json_array_append_new(versions, json_integer(1));
	if (flags & SMB_SEEN_2)
		json_array_append_new(versions, json_integer(2));
	if (flags & (SMB_SEEN_ENCRYPTED | SMB_SEEN_COMPRESSED))
		json_array_append_new(versions, json_integer(3));
	json_object_set_new(o, "versions", versions);
	set_true(o, "smb1_in_use", flags & SMB_1_IN_USE);
	set_true(o, "encrypted", flags & SMB_SEEN_ENCRYPTED);
	set_true(o, "compressed", flags & SMB_SEEN_COMPRESSED);
	set_true(o, "netbios", flags & SMB_SEEN_NBSS);
	set_true(o, "guest", flags & SMB_GUEST);
	set_true(o, "null_session", flags & SMB_NULL_SESSION);
	set_true(o, "kerberos", flags & SMB_KERBEROS);
	smb_signing(o, flags);
}

static void smb_interest(json_t *o, uint32_t interest)
{
	json_t *list = json_array();

	for (unsigned i = 0; smb_interest_name(i); i++)
		if (interest >> i & 1)
			json_array_append_new(list, json_string(smb_interest_name(i)));
	json_object_set_new(o, "interest", list);
}

static json_t *smb_json(const struct smb_facts *f)
{
	json_t *o = json_object(), *client = json_object(), *ntlm = ntlm_json(&f->ntlm);
	char buf[FACTS_DIALECT_LEN];

	if (facts_dialect(f, buf)[0])
		json_object_set_new(o, "dialect", json_string(buf));
	if (f->smb1_count || f->smb2_count)
		json_object_set_new(o, "client_dialects", dialects_json(f));
	if (f->smb1_answered) /* of none of them MS-CIFS 2.2.4.52.2 says 0xffff */
		json_object_set_new(o, "dialect_index",
		    json_integer(f->smb1_chosen == SMB1_DIALECT_NONE ? 0xffff
								     : f->smb1_chosen));
	if (f->pid_high)
		json_object_set_new(o, "negotiate_pid_high", json_integer(f->pid_high));
	smb_flags(o, f->flags);
	SET_FACT(o, "native_os", f->native_os);
	SET_FACT(o, "native_lm", f->native_lm);
	SET_FACT(client, "native_os", f->client_os);
	SET_FACT(client, "native_lm", f->client_lm);
	SET_FACT(o, "called_name", f->called);
	SET_FACT(o, "calling_name", f->calling);
	if (json_object_size(client))
		json_object_set(o, "client", client);
	if (json_object_size(ntlm))
		json_object_set(o, "ntlmssp", ntlm);
	json_decref(client);
	json_decref(ntlm);
	if (f->logon_failures) {
		json_object_set_new(o, "logon_failures", json_integer(f->logon_failures));
		json_object_set_new(o, "logon_status", hex32(f->logon_failure));
	}
	if (f->interest)
		smb_interest(o, f->interest);
	if (f->server_start)
		json_object_set_new(o, "server_start", json_integer((json_int_t)f->server_start));
	return o;
}

/* MS-RDPBCGR 2.2.1.1.1 */
static const struct rdp_protocol {
	uint32_t bit;
	const char *name;
} rdp_protocols[] = {
	{ 1, "ssl" }, { 2, "hybrid" }, { 4, "rds_tls" }, { 8, "hybrid_ex" }, { 16, "rds_aad_auth" },
};
enum { RDP_PROTOCOLS = sizeof(rdp_protocols) / sizeof(rdp_protocols[0]) };

const char *facts_rdp_selected(const struct rdp_facts *f)
{
	if (f->flags & RDP_HAS_FAILURE)
		return "failure";
	if (!(f->flags & RDP_HAS_CONFIRM))
		return "";
	if (f->selected == 0)
		return "rdp";
	for (unsigned i = 0; i < RDP_PROTOCOLS; i++)
		if (rdp_protocols[i].bit == f->selected)
			return rdp_protocols[i].name;
	return "unknown";
}

static json_t *rdp_requested(uint32_t bits)
{
	json_t *list = json_array();

	if (bits == 0)
		json_array_append_new(list, json_string("rdp"));
	for (unsigned i = 0; i < RDP_PROTOCOLS; i++)
		if (bits & rdp_protocols[i].bit)
			json_array_append_new(list, json_string(rdp_protocols[i].name));
	return list;
}

static void rdp_clear(json_t *o, const struct rdp_facts *f)
{
	json_t *list;
	size_t len;

	if (f->flags & RDP_HAS_CORE) {
		json_t *client = json_object();

		json_object_set_new(client, "build", json_integer(f->client_build));
		SET_FACT(client, "client_name", f->client_name);
		json_object_set_new(o, "client", client);
	}
	if (f->flags & RDP_HAS_SECURITY) {
		json_object_set_new(o, "encryption_method", json_integer(f->encryption_method));
		json_object_set_new(o, "encryption_level", json_integer(f->encryption_level));
	}
	if (f->channel_count == 0)
		return;
	list = json_array();
	for (unsigned i = 0; i < f->channel_count && i < RDP_CHANNELS_MAX; i++) {
		len = strnlen((const char *)f->channels[i], RDP_CHANNEL_NAME);
		json_array_append_new(list, facts_json_text(f->channels[i], len));
	}
	json_object_set_new(o, "channels", list);
	set_true(o, "ms_t120", f->flags & RDP_MS_T120);
}

static json_t *rdp_json(const struct rdp_facts *f)
{
	json_t *o = json_object();

	SET_FACT(o, f->flags & RDP_ROUTED ? "routing_token" : "cookie", f->cookie);
	if (f->flags & RDP_HAS_NEG_REQ) {
		json_object_set_new(o, "requested", rdp_requested(f->requested));
		json_object_set_new(o, "requested_protocols", hex32(f->requested));
	}
	if (facts_rdp_selected(f)[0])
		json_object_set_new(o, "selected", json_string(facts_rdp_selected(f)));
	if (f->flags & RDP_HAS_NEG_RSP)
		json_object_set_new(o, "selected_protocol", hex32(f->selected));
	if (f->flags & RDP_HAS_FAILURE)
		json_object_set_new(o, "failure_code", json_integer(f->failure));
	set_true(o, "tls", f->flags & RDP_TLS);
	rdp_clear(o, f);
	return o;
}

json_t *facts_json(const struct flow_facts *f)
{
	switch ((enum app)f->app) {
	case APP_SMB:
		return smb_json(&f->smb);
	case APP_RDP:
		return rdp_json(&f->rdp);
	case APP_NONE:
	case APP_COUNT:
		break;
	}
	return NULL;
}

const char *facts_confidence(const struct flow_facts *f)
{
	return f->confidence == CONFIDENCE_DIALOG ? "dialog" : "handshake";
}
