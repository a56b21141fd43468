/* The newest candle of every symbol takes a pass over the whole table, which is milliseconds in a
 * small file and a second in a large one. So after the first time only the last day is looked at,
 * where nearly all that is new appears; and the whole again when that has become cheap beside the
 * time that went by (WHOLE_SHARE). In between, what is told of a symbol without new candles is what
 * was known of it last, and that there is none of it may be wrong: then `is_complete` is false.
 * Open interest is looked for as seldom by its cost, and in the last day alone. */
#include "engine/survey.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

enum {
    WHOLE_SHARE = 20, /* a pass over the whole table takes at most one part in so many */
    INTEREST_SHARE = 50,
};

#define BEGINNING_MS INT64_C(-62135596800000) /* of the year 1 */

void survey_init(struct survey *survey, const struct symbol_list *symbols,
                 const struct survey_listener *listener)
{
    *survey = (struct survey){
        .symbols = symbols,
        .found = memory_allocate_zeroed(symbols->count, sizeof *survey->found),
        .newest_ms = INT64_MIN,
        .listener = *listener,
    };
}

void survey_deinit(struct survey *survey)
{
    free(survey->found);
}

bool survey_is_due(const struct survey *survey, uint64_t version)
{
    return !survey->has_run || survey->version != version ||
           (!survey->is_complete && clock_monotonic_ns() >= survey->whole_due_ns) ||
           (!survey->has_interest && clock_monotonic_ns() >= survey->interest_due_ns);
}

static void on_newest(const struct store_newest *newest, void *context)
{
    struct survey *survey = context;
    const struct survey_listener *listener = &survey->listener;
    int index = symbol_list_find(survey->symbols, newest->symbol.data, newest->symbol.size);
    if (newest->open_time_ms > survey->pass_newest_ms)
        survey->pass_newest_ms = newest->open_time_ms;
    if (index < 0) {
        listener->on_other(newest->symbol, listener->context);
        return;
    }
    survey->found[index] = (struct survey_symbol){true, survey->pass, newest->open_time_ms};
    listener->on_newest((size_t)index, newest->open_time_ms, listener->context);
}

/* What a pass over the whole table has not found is not there any more. */
static void forget_gone(struct survey *survey)
{
    for (size_t i = 0; i < survey->symbols->count; i++) {
        struct survey_symbol *symbol = &survey->found[i];
        if (!symbol->has_newest || symbol->pass == survey->pass)
            continue;
        *symbol = (struct survey_symbol){0};
        survey->listener.on_newest(i, 0, survey->listener.context);
    }
}

/* Open interest that cannot be read is no failure of the survey: whoever computes with it tells. */
static void find_interest(struct survey *survey, struct store_session *session)
{
    const uint64_t start_ns = clock_monotonic_ns();
    survey->has_interest = start_ns >= survey->interest_due_ns || survey->newest_ms == INT64_MIN;
    if (!survey->has_interest || survey->newest_ms == INT64_MIN)
        return;
    const size_t count = survey->symbols->count;
    const char **names = memory_allocate_zeroed(count, sizeof *names);
    int64_t *newest_ms = memory_allocate_zeroed(count, sizeof *newest_ms);
    int64_t last_ms = candle_floor_time(survey->newest_ms, CANDLE_MS);
    for (size_t i = 0; i < count; i++)
        names[i] = survey->symbols->names[i];
    /* The state at the close of the newest candle may be there already. */
    const struct store_scope day = {names, count, last_ms - DAY_MS, last_ms + CANDLE_MS};
    enum status status = store_newest_of_each(session, STORE_INTEREST, &day, newest_ms, NULL);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        survey->listener.on_interest(i,
                                     newest_ms[i] != STORE_NONE ? newest_ms[i] : SURVEY_NO_INTEREST,
                                     survey->listener.context);
    free(newest_ms);
    free(names);
    const uint64_t end_ns = clock_monotonic_ns();
    survey->interest_due_ns = end_ns + INTEREST_SHARE * (end_ns - start_ns);
}

enum status survey_run(struct survey *survey, struct store_session *session, uint64_t version,
                       struct error *error)
{
    const uint64_t start_ns = clock_monotonic_ns();
    const bool is_whole = survey->newest_ms == INT64_MIN || start_ns >= survey->whole_due_ns;
    int64_t since_ms = is_whole ? BEGINNING_MS : survey->newest_ms - DAY_MS;
    survey->has_run = false;
    survey->pass++;
    survey->pass_newest_ms = is_whole ? INT64_MIN : survey->newest_ms;
    enum status status = store_newest_all(session, since_ms, false, on_newest, survey, error);
    if (status != STATUS_OK)
        return status;
    if (is_whole) {
        const uint64_t end_ns = clock_monotonic_ns();
        survey->whole_due_ns = end_ns + WHOLE_SHARE * (end_ns - start_ns);
        forget_gone(survey);
    }
    survey->newest_ms = survey->pass_newest_ms;
    find_interest(survey, session);
    survey->has_run = true;
    survey->is_complete = is_whole;
    survey->version = version;
    return STATUS_OK;
}
