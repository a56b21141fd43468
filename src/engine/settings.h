/* What the model is made with, by the settings of heatcast. */
#ifndef HEATCAST_ENGINE_SETTINGS_H
#define HEATCAST_ENGINE_SETTINGS_H

#include "config/config.h"
#include "model/model.h"

static inline struct model_settings settings_of_model(const struct config *config)
{
    return (struct model_settings){
        .weights = config->heatmap_weights,
        .lookback_ms = config->heatmap_lookback_ms,
        .turnover = config->heatmap_turnover,
    };
}

#endif
