/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what many sightings together mean: scans, guessed passwords, identities */
#ifndef ENGINE_BEHAVIOUR_H
#define ENGINE_BEHAVIOUR_H

struct decision;
struct engine;
struct generation;
struct msg_sighting;

/* Account a sighting that was decided (d->tell may be false) and tell what it completes.
 * Block by the policy of now. */
void engine_behaviour(struct engine *g, const struct generation *under,
    const struct msg_sighting *s, const struct decision *d);

#endif
