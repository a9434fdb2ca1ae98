/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: fuzz the recogniser of RDP, from X.224 to the GCC blocks */
#include "fuzz_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= 2)
		fuzz_row(proto_of(APP_RDP), data, size);
	return 0;
}

#include "fuzz_replay.h"
