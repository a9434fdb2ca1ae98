/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one valid input of fuzz_msg for each message: seed_msg DIR writes them */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "priv/msg.h"
#include "priv/proc.h"

static struct netaddr address(const char *text)
{
	struct netaddr a;

	if (netaddr_parse(text, &a) != 0)
		memset(&a, 0, sizeof(a));
	return a;
}

/* Zeroes are valid but for what follows. */
static void fill(enum msg_type type, union msg_body *b)
{
	memset(b, 0, sizeof(*b));
	if (type == MSG_SIGHTING) {
		b->sighting.src = address("10.1.0.5");
		b->sighting.dst = address("10.20.8.11");
		b->sighting.proto = IPPROTO_TCP;
		b->sighting.count = 1;
		b->sighting.kind = SIGHT_SPOKEN;
		b->sighting.facts.app = APP_SMB;
	}
	if (type == MSG_SENSOR_CONFIG) {
		b->sensor_config.nifaces = 1;
		memcpy(b->sensor_config.iface[0], "lan8", 5);
	}
	if (type == MSG_BLOCK || type == MSG_UNBLOCK || type == MSG_BLOCK_ENTRY) {
		b->block.addr = address(type == MSG_UNBLOCK ? "2001:db9::1" : "172.16.0.1");
		b->block.prefixlen = type == MSG_UNBLOCK ? 64 : 32;
		b->block.ttl_s = 600;
	}
	if (type == MSG_FINDING)
		memcpy(b->finding.word, "notrack", 8);
	if (type == MSG_RELOAD)
		memcpy(b->reload.commit, "0123abcd", 9);
}

static int lowest(unsigned bits)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (bits & 1U << i)
			return i;
	return 0;
}

int main(int argc, char **argv)
{
	for (int t = 0; argc == 2 && t < MSG_TYPES; t++) {
		const struct msg_row *row = &msg_table[t];
		struct msg_hdr hdr = { .type = (uint16_t)t, .len = row->len, .id = 7 };
		union msg_body body;
		char path[512];
		FILE *f;

		fill((enum msg_type)t, &body);
		if (!msg_valid((enum msg_type)t, &body))
			fprintf(stderr, "%s: not valid\n", row->name);
		snprintf(path, sizeof(path), "%s/%s", argv[1], row->name);
		f = fopen(path, "wb");
		if (!f) {
			perror(path);
			return 1;
		}
		fputc(lowest(row->from) | lowest(row->to) << 2, f);
		fwrite(&hdr, 1, sizeof(hdr), f);
		fwrite(&body, 1, row->len, f);
		fclose(f);
	}
	return argc == 2 ? 0 : 2;
}
