/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: from flows that were observed to rules that allow them */
#ifndef CORDON_SUGGEST_H
#define CORDON_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/netaddr.h>

struct diaglist;
struct rules_source;

/* One flow that no rule allowed; host: the observed side. */
struct suggest_flow {
	struct netaddr host, peer;
	uint16_t port;         /* icmp: the type */
	uint8_t dir, proto;    /* enum fs_dir */
	bool middle;           /* seen in the middle of connections only: dir is guessed */
	uint64_t count;        /* packets */
	int64_t first_us, last_us;
	/* Why it is not to be suggested; NULL: it may.  rules_suggest() fills it in for ports
	 * of SMB and RDP, and sets granted where a rule allows it by now. */
	const char *apart;
	bool granted;
};

/* One rule.  Text is valid during the call. */
struct suggestion {
	const char *host;    /* name; of an undeclared address one that could be its */
	const char *address; /* of an undeclared one, else NULL */
	const char *file;    /* where the host is declared, or NULL */
	uint32_t line;
	uint8_t dir;         /* enum fs_dir */
	const char *id;      /* unique within the host: seen-N */
	const char *const *services, *const *peers; /* as a rule names them */
	size_t nservices, npeers;
	const char *note;    /* what was rounded up, or "" */
	uint64_t count;
	int64_t first_us, last_us;
	bool middle;         /* of some flow in it the direction is guessed */
};
typedef void suggest_fn(void *ctx, const struct suggestion *s);

/* Percent of a group's addresses that have to be seen for the group to be named. */
enum { SUGGEST_SHARE = 80 };

/* Load the tree of src and call fn for each rule that, together, allows at second `at`
 * what of flows[0..n) is neither apart nor granted: by host, direction, service.  Sorts
 * flows.  Services of the policy and shipped ones are named where they have the port and
 * are narrow, or seen in all their parts; a group or host where `share` percent of its
 * addresses (at least two) were seen; other addresses as the CIDRs that they fill.
 * 0, or -1: the policy has errors (in *d), or no memory. */
int rules_suggest(const struct rules_source *src, int64_t at, unsigned share,
    struct suggest_flow *flows, size_t n, struct diaglist *d, suggest_fn *fn, void *ctx);

#endif
