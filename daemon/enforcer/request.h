/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what sensor and engine ask of the enforcer */
#ifndef CORDON_ENFORCER_REQUEST_H
#define CORDON_ENFORCER_REQUEST_H

#include <stdint.h>

struct enforcer;
struct load_result;
struct msg_result;

/* A struct child's channel can be read or written. */
void request_on_io(void *child, int fd, uint32_t events);
/* Blocks that wait now, while a struct enforcer is at a reload for long: a block does not
 * wait for it, nor for what was asked before it: that is kept, and done afterwards. */
void request_breathe(void *enforcer);

#endif
