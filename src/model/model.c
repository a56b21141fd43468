/* The table of models. That the functions of a model are called through pointers costs one indirect
 * call a candle, beside some hundred nanoseconds that a candle takes. */
#include "model/model.h"

#include "model/reference.h"

#include <stddef.h>
#include <string.h>

static const struct model *const models[] = {&reference_model};

const struct model *model_find(const char *name)
{
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(models[i]->name, name) == 0)
            return models[i];
    return NULL;
}

const struct model *model_default(void)
{
    return models[0];
}
