/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the loader role: one policy tree in, one image and ruleset out */
#ifndef CORDON_LOADER_LOADER_H
#define CORDON_LOADER_LOADER_H

/* Serve one MSG_LOAD on ROLE_FD_PARENT, then end.  Exit status. */
int loader_main(void);

#endif
