/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: fuzz the recognisers of SMB1, SMB2/3, NTLMSSP and NetBIOS sessions */
#include "fuzz_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t rows = 0;
	const struct proto *row[8];

	for (size_t i = 0; i < proto_count && rows < 8; i++)
		if (proto_table[i].app == APP_SMB || proto_table[i].app == APP_NONE)
			row[rows++] = &proto_table[i];
	if (size >= 2)
		fuzz_row(row[data[1] % rows], data, size);
	return 0;
}

#include "fuzz_replay.h"
