/* The newest candle of every symbol takes a pass over the whole table, which is milliseconds in a
 * small file and a second in a large one. So after the first time only the last day is looked at,
 * where nearly all that is new appears; and the whole again when that has become cheap beside the
 * time that went by (WHOLE_SHARE). In between, what is told of a symbol without new candles is what
 * was known of it last, and that there is none of it may be wrong: then `is_complete` is false. */
#include "engine/survey.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

enum { WHOLE_SHARE = 20 }; /* a pass over the whole table takes at most one part in so many */

#define BEGINNING_MS INT64_C(-62135596800000) /* of the year 1 */

void survey_init(struct survey *survey, const struct symbol_list *symbols,
                 void (*on_newest)(size_t symbol_index, int64_t open_time_ms, void *context),
                 void *context)
{
    *survey = (struct survey){
        .symbols = symbols,
        .found = memory_allocate_zeroed(symbols->count, sizeof *survey->found),
        .newest_ms = INT64_MIN,
        .on_newest = on_newest,
        .context = context,
    };
}

void survey_deinit(struct survey *survey)
{
    free(survey->found);
}

bool survey_is_due(const struct survey *survey, uint64_t version)
{
    return !survey->has_run || survey->version != version ||
           (!survey->is_complete && clock_monotonic_ns() >= survey->whole_due_ns);
}

static void on_newest(const struct store_newest *newest, void *context)
{
    struct survey *survey = context;
    int index = symbol_list_find(survey->symbols, newest->symbol.data, newest->symbol.size);
    if (newest->open_time_ms > survey->newest_ms)
        survey->newest_ms = newest->open_time_ms;
    if (index < 0)
        return;
    survey->found[index] = (struct survey_symbol){true, newest->open_time_ms};
    survey->on_newest((size_t)index, newest->open_time_ms, survey->context);
}

enum status survey_run(struct survey *survey, struct store_session *session, uint64_t version,
                       struct error *error)
{
    const uint64_t start_ns = clock_monotonic_ns();
    const bool is_whole = survey->newest_ms == INT64_MIN || start_ns >= survey->whole_due_ns;
    int64_t since_ms = is_whole ? BEGINNING_MS : survey->newest_ms - DAY_MS;
    if (is_whole) {
        for (size_t i = 0; i < survey->symbols->count; i++)
            survey->found[i].has_newest = false;
        survey->newest_ms = INT64_MIN;
    }
    survey->has_run = false;
    enum status status = store_newest_all(session, since_ms, false, on_newest, survey, error);
    if (status != STATUS_OK)
        return status;
    if (is_whole)
        survey->whole_due_ns =
            clock_monotonic_ns() + WHOLE_SHARE * (clock_monotonic_ns() - start_ns);
    survey->has_run = true;
    survey->is_complete = is_whole;
    survey->version = version;
    return STATUS_OK;
}
