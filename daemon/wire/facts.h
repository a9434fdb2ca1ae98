/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what is known of one flow; fixed size and no pointers, to be sent */
#ifndef WIRE_FACTS_H
#define WIRE_FACTS_H

#include <stdint.h>

#include <cordon/netaddr.h>

enum app { APP_NONE, APP_SMB, APP_RDP, APP_COUNT };

/* Never from a port alone.  HANDSHAKE: one side spoke a valid opening or
 * message.  DIALOG: both sides did. */
enum confidence { CONFIDENCE_NONE, CONFIDENCE_HANDSHAKE, CONFIDENCE_DIALOG };

/* Text from the wire: UTF-16 came out as UTF-8 (lone surrogates as U+FFFD),
 * other bytes stay as they were, control bytes too: escape at output.  Cut at
 * the array's size, between characters where it was UTF-16. */
enum { FACT_NAME = 64, FACT_TEXT = 96 };
struct fact_name { uint8_t len; uint8_t b[FACT_NAME - 1]; };
struct fact_text { uint8_t len; uint8_t b[FACT_TEXT - 1]; };

enum ntlm_response { NTLM_RESPONSE_NONE, NTLM_RESPONSE_ANONYMOUS, NTLM_RESPONSE_V1,
	NTLM_RESPONSE_V1_ESS, NTLM_RESPONSE_V2 };

/* MS-NLMP 2.2.1.  The version is the server's and only there if has_version. */
struct ntlm_facts {
	uint8_t has_challenge, has_version, major, minor;
	uint16_t build;
	uint8_t has_auth, response; /* enum ntlm_response */
	uint32_t challenge_flags;
	struct fact_name nb_computer, nb_domain, dns_computer, dns_domain;
	struct fact_name user, domain, workstation; /* the client's claim */
};

/* Bits of smb_facts.flags. */
enum {
	SMB_SEEN_1 = 1 << 0,		/* an SMB1 message, by either side */
	SMB_SEEN_2 = 1 << 1,
	SMB_SEEN_ENCRYPTED = 1 << 2,	/* FD transform */
	SMB_SEEN_COMPRESSED = 1 << 3,	/* FC transform */
	SMB_SEEN_SIGNED = 1 << 4,	/* a signed message */
	SMB_SEEN_NBSS = 1 << 5,		/* NetBIOS session request */
	SMB_SERVER_SIGNING_ENABLED = 1 << 6,
	SMB_SERVER_SIGNING_REQUIRED = 1 << 7,
	SMB_CLIENT_SIGNING_ENABLED = 1 << 8,
	SMB_CLIENT_SIGNING_REQUIRED = 1 << 9,
	SMB_GUEST = 1 << 10,
	SMB_NULL_SESSION = 1 << 11,
	SMB_1_IN_USE = 1 << 12,		/* server chose SMB1 and a session setup came */
	SMB_KERBEROS = 1 << 13,		/* a Kerberos OID in a session setup */
};

enum { SMB1_OFFERED_MAX = 16, SMB2_OFFERED_MAX = 8, SMB1_DIALECT_UNKNOWN = 0xff,
	SMB1_DIALECT_NONE = 0xfe };

/* smb1_offered and smb1_chosen are indexes into smb1_dialect_name(); the counts
 * may not exceed the arrays.  smb2_chosen 0: none yet.  Statuses are NTSTATUS.
 * interest: bit i is smb_interest_name(i). */
struct smb_facts {
	uint32_t flags;
	uint8_t smb1_count, smb2_count, smb1_answered, smb1_chosen;
	uint8_t smb1_offered[SMB1_OFFERED_MAX];
	uint16_t smb2_offered[SMB2_OFFERED_MAX];
	uint16_t smb2_chosen, pid_high; /* pid_high: of the SMB1 negotiate request */
	uint32_t logon_failure, logon_failures, interest;
	uint64_t server_time, server_start; /* FILETIME, 0: not told */
	struct fact_text native_os, native_lm, client_os, client_lm;
	struct fact_name called, calling;
	struct ntlm_facts ntlm;
};

enum { RDP_CHANNELS_MAX = 31, RDP_CHANNEL_NAME = 8 };
enum {
	RDP_HAS_REQUEST = 1 << 0, /* CR seen */
	RDP_HAS_NEG_REQ = 1 << 1,
	RDP_HAS_CONFIRM = 1 << 2, /* CC seen */
	RDP_HAS_NEG_RSP = 1 << 3,
	RDP_HAS_FAILURE = 1 << 4,
	RDP_HAS_CORE = 1 << 5,	/* client build and name are clear */
	RDP_HAS_SECURITY = 1 << 6,
	RDP_MS_T120 = 1 << 7,	/* the client asked for that channel */
	RDP_TLS = 1 << 8,	/* a TLS record followed the CC */
	RDP_ROUTED = 1 << 9,	/* `cookie` is a routing token */
};

/* MS-RDPBCGR 2.2.1.1-2.2.1.4.  A selected protocol of 0 without RDP_HAS_NEG_RSP
 * is an old server: standard security. */
struct rdp_facts {
	uint32_t flags, requested, selected, failure;
	uint32_t client_build, encryption_method, encryption_level;
	struct fact_text cookie; /* or routing token */
	struct fact_name client_name;
	uint8_t channel_count, neg_flags;
	uint8_t channels[RDP_CHANNELS_MAX][RDP_CHANNEL_NAME]; /* NUL-padded */
};

enum { FACT_GUARD_WORDS = 4 };

struct flow_facts {
	uint8_t app, confidence; /* enum app, enum confidence */
	uint32_t guards[FACT_GUARD_WORDS]; /* bit i: guard i hit */
	union {
		struct smb_facts smb;
		struct rdp_facts rdp;
	};
};

/* What a sighting brings that earlier ones of the flow had not. */
enum {
	NEWS_APP = 1 << 0, NEWS_CONFIDENCE = 1 << 1, NEWS_DIALECT = 1 << 2,
	NEWS_IDENTITY = 1 << 3, NEWS_LOGON_FAILURE = 1 << 4, NEWS_SESSION = 1 << 5,
	NEWS_INTEREST = 1 << 6, NEWS_SECURITY = 1 << 7, NEWS_CHANNELS = 1 << 8,
	NEWS_GUARD = 1 << 9,
};

/* One report about one flow, complete in itself: the newest replaces the older.
 * flow_id rises with the first packet of the flow and is never used again. */
struct sighting {
	uint64_t flow_id;
	int64_t first_us, last_us;
	struct netaddr client, server;
	uint16_t client_port, server_port; /* host order */
	uint8_t tcp_handshake;		   /* SYN, SYN-ACK and the client's ACK were seen */
	uint8_t midstream;		   /* picked up without the flow's SYN */
	uint32_t news;			   /* NEWS_* */
	struct flow_facts facts;
};

/* The name of an SMB1 dialect, a pipe or share of interest; NULL past the end of
 * the table.  Static text. */
const char *smb1_dialect_name(unsigned index);
const char *smb_interest_name(unsigned bit);
const char *app_name(enum app app);

#endif
