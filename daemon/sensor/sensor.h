/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the sensor role */
#ifndef CORDON_SENSOR_SENSOR_H
#define CORDON_SENSOR_SENSOR_H

/* Run the role on the descriptors it was started with (ROLE_FD_*) until the enforcer
 * goes away; returns the exit status of the process. */
int sensor_main(void);

#endif
