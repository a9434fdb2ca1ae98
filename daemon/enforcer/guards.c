/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the guards in use, told to the sensor one by one */
#include <string.h>

#include <cordon/flowspace.h>
#include <cordon/guard.h>

#include "base/log.h"
#include "enforcer/guards.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"

/* Whether some host or prefix has it on, now or later. */
static bool in_use(const struct fs *fs, uint32_t guard)
{
	for (uint32_t i = 0; i < fs->table[FS_GUARD_USES].count; i++) {
		const struct fs_guard_use *u =
		    FS_AT(fs, FS_GUARD_USES, struct fs_guard_use, i);

		if (u->guard == guard &&
		    (u->action != FS_GUARD_OFF || u->default_action != FS_GUARD_OFF))
			return true;
	}
	return false;
}

/* The sensor's own first: what the kernel judges packet by packet it only completes. */
static uint32_t choose(const struct fs *fs, uint32_t ret[static MSG_GUARDS_MAX])
{
	uint32_t n = 0, left_out = 0;

	for (int kernel = 0; kernel <= 1; kernel++) {
		for (uint32_t i = 0; i < fs->table[FS_GUARDS].count; i++) {
			const struct guard *g = FS_AT(fs, FS_GUARDS, struct guard, i);

			if (g->where != (kernel ? GUARD_KERNEL : GUARD_SENSOR) ||
			    !in_use(fs, i))
				continue;
			if (n < MSG_GUARDS_MAX)
				ret[n++] = i;
			else
				left_out++;
		}
	}
	if (left_out > 0)
		log_warnx("roles", "the sensor looks for %u guards, not for %u more", n,
		    left_out);
	return n;
}

static void fill(const struct fs *fs, uint32_t i, struct msg_sensor_guard *m)
{
	const struct guard *g = FS_AT(fs, FS_GUARDS, struct guard, i);

	memcpy(m->id, fs_str(fs, g->id),
	    strnlen(fs_str(fs, g->id), sizeof(m->id) - 1));
	m->where = g->where;
	m->dir = g->dir;
	memcpy(m->alternative_len, g->alternative_len, sizeof(m->alternative_len));
	m->nterms = g->term_count;
	memcpy(m->terms, FS_AT(fs, FS_GUARD_TERMS, struct guard_term, g->term_first),
	    g->term_count * sizeof(m->terms[0]));
}

void guards_brief(struct enforcer *e)
{
	const struct fs *fs = e->live.fs;
	uint32_t use[MSG_GUARDS_MAX], n = choose(fs, use);
	struct msg_sensor_guard m;

	for (uint32_t i = 0; i < n || i == 0; i++) {
		memset(&m, 0, sizeof(m));
		m.index = i;
		m.total = n;
		if (n > 0)
			fill(fs, use[i], &m);
		roles_send(e, ROLE_SENSOR, MSG_SENSOR_GUARD, 0, &m, -1);
	}
}
