/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the time, replaceable in tests */
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"

static bool faked;
static int64_t fake_now_us;
static uint64_t fake_mono_us;

static int64_t clock_read_us(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) < 0)
		return 0;
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	return faked ? fake_now_us : clock_read_us(CLOCK_REALTIME);
}

int64_t clock_now(void)
{
	return clock_now_us() / 1000000;
}

uint64_t clock_mono_us(void)
{
	return faked ? fake_mono_us : (uint64_t)clock_read_us(CLOCK_BOOTTIME);
}

void clock_fake(int64_t now_us, uint64_t mono_us)
{
	faked = true;
	fake_now_us = now_us;
	fake_mono_us = mono_us;
}

void clock_real(void)
{
	faked = false;
}
