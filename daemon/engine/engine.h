/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the engine role: policy x sighting -> decision -> event */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

/* Run the role with the descriptors of priv/msg.h: the enforcer (3), the sensor (4,
 * may be missing), the listening control socket (5, may be missing).  Drops its
 * rights, says MSG_READY, returns the exit status once the enforcer is gone or a
 * SIGTERM came. */
int engine_main(void);

#endif
