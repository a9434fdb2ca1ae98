/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: inline services: tcp/445, udp/1000-2000, icmp/echo-request, ip/50 */
#include "rules/inline.h"

#include <netinet/in.h>
#include <string.h>

#include <cordon/rules.h>


static const struct {
	const char *name;
	uint8_t proto;
	uint16_t min, max;
	const char *why; /* what is wrong with a number outside */
} protos[] = {
	{ "tcp", IPPROTO_TCP, 1, 65535, "ports are 1-65535" },
	{ "udp", IPPROTO_UDP, 1, 65535, "ports are 1-65535" },
	{ "sctp", IPPROTO_SCTP, 1, 65535, "ports are 1-65535" },
	{ "icmp", IPPROTO_ICMP, 0, 255, "types are 0-255" },
	{ "icmpv6", IPPROTO_ICMPV6, 0, 255, "types are 0-255" },
	{ "ip", 0, 1, 254, "protocol numbers are 1-254" },
};

static const struct {
	const char *name;
	int16_t v4, v6; /* -1: the family has none */
} icmp_names[] = {
	{ "echo-request", 8, 128 },
	{ "echo-reply", 0, 129 },
	{ "destination-unreachable", 3, 1 },
	{ "packet-too-big", -1, 2 },
	{ "time-exceeded", 11, 3 },
	{ "parameter-problem", 12, 4 },
	{ "timestamp-request", 13, -1 },
	{ "timestamp-reply", 14, -1 },
};

static int number(const char **s, unsigned max)
{
	unsigned v = 0;
	const char *start = *s;

	for (; **s >= '0' && **s <= '9'; (*s)++) {
		v = v * 10 + (unsigned)(**s - '0');
		if (v > max)
			return -1;
	}
	if (*s == start || (*start == '0' && *s - start > 1))
		return -1;
	return (int)v;
}

/* What `ip/N` may not be, because another word or nothing stands for it. */
static const char *ip_refused(unsigned n)
{
	switch (n) {
	case IPPROTO_TCP:
		return "write tcp/PORT";
	case IPPROTO_UDP:
		return "write udp/PORT";
	case IPPROTO_SCTP:
		return "write sctp/PORT";
	case IPPROTO_ICMP:
		return "write icmp/TYPE";
	case IPPROTO_ICMPV6:
		return "write icmpv6/TYPE";
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_NONE:
	case IPPROTO_DSTOPTS:
		return "an IPv6 extension header is no protocol of its own";
	}
	return NULL;
}

static int parse_icmp_name(const char *s, uint8_t proto, struct pport ret[static 2],
    const char **why)
{
	int n = 0;

	for (size_t i = 0; i < sizeof(icmp_names) / sizeof(icmp_names[0]); i++) {
		int v4 = icmp_names[i].v4, v6 = icmp_names[i].v6;

		if (strcmp(icmp_names[i].name, s) != 0)
			continue;
		if (proto == IPPROTO_ICMP && v4 >= 0)
			ret[n++] = (struct pport){.lo = (uint16_t)v4,
			    .hi = (uint16_t)v4,
			    .proto = IPPROTO_ICMP,
			    .family = 4};
		if (v6 >= 0)
			ret[n++] = (struct pport){.lo = (uint16_t)v6,
			    .hi = (uint16_t)v6,
			    .proto = IPPROTO_ICMPV6,
			    .family = 6};
	}
	if (n == 0)
		*why = "types are numbers or names such as echo-request";
	return n > 0 ? n : -1;
}

int inline_parse(const char *s, struct pport ret[static 2], const char **ret_why)
{
	const char *slash = strchr(s, '/');
	size_t p = 0, len = slash != NULL ? (size_t)(slash - s) : 0;
	int lo, hi;

	while (p < sizeof(protos) / sizeof(protos[0]) &&
	    (strlen(protos[p].name) != len || memcmp(protos[p].name, s, len) != 0))
		p++;
	*ret_why = "protocols are tcp, udp, sctp, icmp, icmpv6 and ip";
	if (slash == NULL || p == sizeof(protos) / sizeof(protos[0]))
		return -1;
	s = slash + 1;
	if (protos[p].max == 255 && (*s < '0' || *s > '9'))
		return parse_icmp_name(s, protos[p].proto, ret, ret_why);
	*ret_why = protos[p].why;
	lo = hi = number(&s, protos[p].max);
	if (lo < protos[p].min)
		return -1;
	if (*s == '-' && protos[p].proto != 0) {
		s++;
		hi = number(&s, protos[p].max);
	}
	if (hi < 0 || *s != '\0')
		return -1;
	if (hi < lo) {
		*ret_why = "the range ends before it starts";
		return -1;
	}
	ret[0] = (struct pport){ .lo = (uint16_t)lo, .hi = (uint16_t)hi,
		.proto = protos[p].proto };
	if (protos[p].max == 255)
		ret[0].family = protos[p].proto == IPPROTO_ICMP ? 4 : 6;
	if (protos[p].proto != 0)
		return 1;
	if (ip_refused((unsigned)lo) != NULL) {
		*ret_why = ip_refused((unsigned)lo);
		return -1;
	}
	ret[0].proto = (uint8_t)lo;
	ret[0].lo = 0;
	ret[0].hi = 65535;
	return 1;
}

int rules_parse_service(const char *s, uint8_t family, uint8_t *ret_proto,
    uint16_t *ret_port, const char **ret_why)
{
	struct pport port[2];
	const char *why = NULL;
	int n = inline_parse(s, port, &why), pick = 0;

	/* In a flow `icmp/8` follows the addresses' family. */
	if (n == 1 && port[0].family == 4 && family == 6) {
		port[0].proto = IPPROTO_ICMPV6;
		port[0].family = 6;
	}
	if (n == 2 && family == 6)
		pick = 1;
	if (n > 0 && port[pick].family != 0 && port[pick].family != family) {
		why = "icmp of the other address family";
		n = -1;
	}
	if (n > 0 && strncmp(s, "ip/", 3) != 0 && port[pick].lo != port[pick].hi) {
		why = "a flow has one port";
		n = -1;
	}
	if (n < 0) {
		if (ret_why != NULL)
			*ret_why = why;
		return -1;
	}
	*ret_proto = port[pick].proto;
	*ret_port = port[pick].lo;
	return 0;
}
