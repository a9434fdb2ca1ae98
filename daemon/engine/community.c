/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: Community ID v1, the flow's name shared with Suricata and Zeek */
#include "engine/community.h"

#include <netinet/in.h>
#include <sodium.h>
#include <string.h>

#include "engine/sha1.h"

/* ICMP types that ask and are answered: both are "ports", as Zeek has them. */
static const struct {
	uint8_t proto, type, counter;
} icmp_pairs[] = {
	{ IPPROTO_ICMP, 8, 0 },
	{ IPPROTO_ICMP, 0, 8 },
	{ IPPROTO_ICMP, 13, 14 },
	{ IPPROTO_ICMP, 14, 13 },
	{ IPPROTO_ICMP, 15, 16 },
	{ IPPROTO_ICMP, 16, 15 },
	{ IPPROTO_ICMP, 10, 9 },
	{ IPPROTO_ICMP, 9, 10 },
	{ IPPROTO_ICMP, 17, 18 },
	{ IPPROTO_ICMP, 18, 17 },
	{ IPPROTO_ICMPV6, 128, 129 },
	{ IPPROTO_ICMPV6, 129, 128 },
	{ IPPROTO_ICMPV6, 133, 134 },
	{ IPPROTO_ICMPV6, 134, 133 },
	{ IPPROTO_ICMPV6, 135, 136 },
	{ IPPROTO_ICMPV6, 136, 135 },
	{ IPPROTO_ICMPV6, 130, 131 },
	{ IPPROTO_ICMPV6, 131, 130 },
	{ IPPROTO_ICMPV6, 144, 145 },
	{ IPPROTO_ICMPV6, 145, 144 },
};

static bool icmp_ports(uint8_t proto, uint16_t type, uint16_t *sport, uint16_t *dport)
{
	for (size_t i = 0; i < sizeof(icmp_pairs) / sizeof(icmp_pairs[0]); i++) {
		if (icmp_pairs[i].proto != proto || icmp_pairs[i].type != type)
			continue;
		*sport = icmp_pairs[i].type;
		*dport = icmp_pairs[i].counter;
		return true;
	}
	return false;
}

static size_t put_port(uint8_t *p, uint16_t port)
{
	p[0] = (uint8_t)(port >> 8);
	p[1] = (uint8_t)port;
	return 2;
}

bool community_id(const struct netaddr *src, const struct netaddr *dst, uint8_t proto,
    uint16_t sport, uint16_t dport, char ret[static COMMUNITY_LEN])
{
	bool ports =
	    proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
	uint8_t in[2 + 16 + 16 + 2 + 4] = { 0 }, digest[SHA1_LEN];
	size_t n = 2, size = netaddr_size(src);
	int order;

	if (src->v == 0 || src->v != dst->v)
		return false;
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
		if (!icmp_ports(proto, dport, &sport, &dport))
			return false;
		ports = true;
	}
	order = memcmp(src->b, dst->b, size);
	if (order > 0 || (order == 0 && ports && sport > dport)) {
		const struct netaddr *a = src;
		uint16_t p = sport;

		src = dst;
		dst = a;
		sport = dport;
		dport = p;
	}
	memcpy(in + n, src->b, size);
	memcpy(in + n + size, dst->b, size);
	n += 2 * size;
	in[n++] = proto;
	in[n++] = 0;
	if (ports) {
		n += put_port(in + n, sport);
		n += put_port(in + n, dport);
	}
	sha1(in, n, digest);
	memcpy(ret, "1:", 2);
	sodium_bin2base64(ret + 2, COMMUNITY_LEN - 2, digest, sizeof(digest),
	    sodium_base64_VARIANT_ORIGINAL);
	return true;
}
