/*
 * Merging answers into a patient's medical background, which other sources write too.
 *
 * The link of a post is not verified, so a post fills what is empty and changes what its own
 * booking wrote before; where it contradicts what another source wrote, nothing is changed and
 * staff decide. Pure: no database, no clock.
 */
#ifndef INTAKE_DOMAIN_BACKGROUND_H
#define INTAKE_DOMAIN_BACKGROUND_H

#include <jansson.h>

#include "intake/core/err.h"

/*
 * A background while answers are merged into it. `data` is linkId -> value; `sources` is
 * booking_uid -> what that booking wrote, {linkId -> value}, so that a value which somebody else
 * changed since is known as theirs. `set`, `set_sources` and `removed` collect the changes.
 */
struct background {
    json_t *data;
    json_t *sources;
    json_t *set;
    json_t *set_sources;
    json_t *removed; /* an object whose keys are the linkIds that go */
};

/* Takes both objects over; NULL stands for an empty one. STATUS_NO_MEMORY leaves nothing behind. */
enum status background_init(struct background *background, json_t *data, json_t *sources,
                            struct err *err);
void background_finish(struct background *background);

/*
 * Merges `answers` (an object, linkId -> answered value) of a booking. For every contradiction,
 * {"field":linkId,"stored":…,"posted":…} is appended to the array `contradictions`.
 */
enum status background_merge(struct background *background, const char *booking_uid,
                             const json_t *answers, json_t *contradictions, struct err *err);

#endif
