/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: recognisers: the table of protocols */
#include "wire/proto.h"

const struct proto proto_table[] = {
	{ "nbss", APP_NONE, nbss_open, nbss_message,
	    "NetBIOS session service: request, answer, keep-alive (RFC 1002)" },
	{ "smb1", APP_SMB, smb1_open, smb_message, "SMB1 (MS-CIFS, MS-SMB), any port" },
	{ "smb2", APP_SMB, smb2_open, smb_message,
	    "SMB2 and SMB3 with encrypted and compressed transforms (MS-SMB2), any port" },
	{ "rdp", APP_RDP, rdp_open, rdp_message,
	    "RDP: X.224 connection with RDP's own variable part (MS-RDPBCGR), any port" },
};

const size_t proto_count = sizeof(proto_table) / sizeof(proto_table[0]);

enum match proto_open(struct cursor c, struct flow_view *v, const struct proto **ret_row)
{
	enum match all = MATCH_NO, m;
	uint32_t want = UINT32_MAX;

	for (size_t i = 0; i < proto_count; i++) {
		m = proto_table[i].open(c, v);
		if (m == MATCH_YES) {
			*ret_row = &proto_table[i];
			return m;
		}
		if (m == MATCH_MORE) {
			all = m;
			want = v->want < want ? v->want : want;
		}
	}
	v->want = want;
	return all;
}

const struct proto *proto_of(enum app app)
{
	for (size_t i = 0; i < proto_count; i++)
		if (proto_table[i].app == app)
			return &proto_table[i];
	return NULL;
}

const char *app_name(enum app app)
{
	switch (app) {
	case APP_NONE:
	case APP_COUNT:
		break;
	case APP_SMB:
		return "smb";
	case APP_RDP:
		return "rdp";
	}
	return "unknown";
}
