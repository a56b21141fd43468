/* The table of models. That the functions of a model are called through pointers costs one indirect
 * call a candle, beside some hundred nanoseconds that a candle takes. */
#include "model/model.h"

#include "base/buffer.h"
#include "model/reference.h"
#include "model/survival.h"

#include <stddef.h>
#include <string.h>

static const struct model *const models[] = {
    [MODEL_SURVIVAL] = &survival_model,
    [MODEL_REFERENCE] = &reference_model,
};

enum { MODEL_COUNT = sizeof models / sizeof models[0] };

const struct model *model_of(enum model_name name)
{
    return models[name];
}

enum status model_find(const char *name, const struct model **model, struct error *error)
{
    struct buffer names = {0};
    for (size_t i = 0; i < MODEL_COUNT; i++)
        if (strcmp(models[i]->name, name) == 0) {
            *model = models[i];
            return STATUS_OK;
        }
    for (size_t i = 0; i < MODEL_COUNT; i++)
        buffer_append_format(&names, "%s%s", i > 0 ? " or " : "", models[i]->name);
    error_set(error, STATUS_INVALID, "'%.60s' is not a model (%s)", name, buffer_text(&names));
    buffer_deinit(&names);
    return STATUS_INVALID;
}

uint32_t model_tiers_of(const struct leverage_weights *weights, unsigned tier_groups)
{
    uint32_t tiers = 0;
    for (size_t tier = 0; tier < weights->count; tier++)
        if (tier_groups == 0 ||
            (tier_groups & (unsigned)tier_group_of(weights->tiers[tier].leverage)) != 0)
            tiers |= (uint32_t)1 << tier;
    return tiers;
}
