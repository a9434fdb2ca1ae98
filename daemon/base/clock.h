/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the time, replaceable in tests */
#ifndef CORDON_BASE_CLOCK_H
#define CORDON_BASE_CLOCK_H

#include <stdint.h>

/* Wall clock: microseconds and seconds since 1970 UTC. */
int64_t clock_now_us(void);
int64_t clock_now(void);

/* Monotonic (with suspend: CLOCK_BOOTTIME) microseconds: intervals, budgets. */
uint64_t clock_mono_us(void);

/* Tests: from now on both clocks stand still at these values; clock_real() undoes. */
void clock_fake(int64_t now_us, uint64_t mono_us);
void clock_real(void);

#endif
