/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: of `cordon status`: what the kernel counted, by reason and by host */
#ifndef CORDON_CLI_STATUS_COUNTS_H
#define CORDON_CLI_STATUS_COUNTS_H

struct json_t;

/* Print the member `counts` of a status row; nothing where nothing was counted. */
void status_counts(const struct json_t *counts);

#endif
