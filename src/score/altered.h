/* What each map of a score is told. Private to score/.
 *
 * A map that knows less is not another program: it is a model that is told something else. */
#ifndef HEATCAST_SCORE_ALTERED_H
#define HEATCAST_SCORE_ALTERED_H

#include "score/score.h"

/* The model of a map, and its settings. */
const struct model *altered_model(enum score_map map, const struct model *scored);
struct model_settings altered_settings(enum score_map map, const struct model_settings *scored);

/* Fills `to`, whose memory is used again, with what the map is told; `to->has_failed` if there is
 * no memory. */
void altered_fill(enum score_map map, const struct series *from, struct series *to);

#endif
