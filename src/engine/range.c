/* Parameters of a history by name: the same for the command line and for HTTP. */
#include "engine/history.h"

#include "base/iso_time.h"

#include <string.h>

static enum status parse_time(const char *value, bool *has_time, int64_t *time_ms,
                              struct error *error)
{
    if (!iso_time_parse(value, strlen(value), time_ms))
        return error_set(error, STATUS_INVALID,
                         "'%.60s' is not a time (ISO 8601, UTC: 2025-12-28T14:30:00Z)", value);
    *has_time = true;
    return STATUS_OK;
}

static enum status set_start(struct history_request *request, const char *value,
                             struct error *error)
{
    return parse_time(value, &request->has_start, &request->start_ms, error);
}

static enum status set_end(struct history_request *request, const char *value, struct error *error)
{
    return parse_time(value, &request->has_end, &request->end_ms, error);
}

static enum status set_window(struct history_request *request, const char *value,
                              struct error *error)
{
    return value_parse_duration(value, &request->window_ms, error);
}

static enum status set_interval(struct history_request *request, const char *value,
                                struct error *error)
{
    return value_parse_interval(value, &request->interval_ms, error);
}

static enum status set_bucket(struct history_request *request, const char *value,
                              struct error *error)
{
    return value_parse_bucket(value, &request->bucket_e8, error);
}

static enum status set_weights(struct history_request *request, const char *value,
                               struct error *error)
{
    enum status status = value_parse_weights(value, &request->weights, error);
    request->has_weights = status == STATUS_OK;
    return status;
}

static enum status set_shown_start(struct history_request *request, const char *value,
                                   struct error *error)
{
    return parse_time(value, &request->has_shown_start, &request->shown_start_ms, error);
}

static enum status set_shown_end(struct history_request *request, const char *value,
                                 struct error *error)
{
    return parse_time(value, &request->has_shown_end, &request->shown_end_ms, error);
}

static const struct {
    const char *name;
    enum status (*set)(struct history_request *request, const char *value, struct error *error);
} parameters[] = {
    {"start", set_start},
    {"end", set_end},
    {"window", set_window},
    {"interval", set_interval},
    {"bucket", set_bucket},
    {"weights", set_weights},
    {"shown_start", set_shown_start},
    {"shown_end", set_shown_end},
};

enum status history_request_set(struct history_request *request, const char *name,
                                const char *value, struct error *error)
{
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        if (strcmp(name, parameters[i].name) != 0)
            continue;
        enum status status = parameters[i].set(request, value, error);
        if (status != STATUS_OK)
            error_prefix(error, "%s", name);
        return status;
    }
    return error_set(error, STATUS_NOT_FOUND, "no parameter '%.60s' (" HISTORY_PARAMETERS ")",
                     name);
}
