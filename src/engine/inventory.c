/* Whoever starts a server wants to know whether it has what it is to show: a symbol that was never
 * imported, or was last months ago, gives an empty or an old map and no error, and so does one that
 * has candles alone: positions come from open interest. And who imports a
 * symbol wonders why it is not in the list. Both are lines in the log, one a symbol up to
 * INVENTORY_LINES_MAX; of more, a sum and the names of the worst.
 *
 * How many rows there are, and how many are missing between the first and the last, comes from
 * digests (store.h), two queries for all symbols whose data end at about the same time; of symbols
 * that end at many different times only those of the first QUERIES_MAX are counted. The count
 * begins with the block in which the window begins, so it is up to six hours more. */
#include "engine/inventory.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/iso_time.h"
#include "base/log.h"
#include "model/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES_MAX = 16, NAMES_SHOWN_MAX = 10, AGE_SIZE = 24 };

/* Rows of a window. */
struct span {
    uint64_t count;
    int64_t oldest_ms, newest_ms; /* of none: 0 */
};

/* What was found of one symbol. */
struct finding {
    size_t index;
    const char *symbol;
    bool has_newest, is_counted;
    int64_t newest_ms; /* candle, whether candles are counted or not */
    struct span candles, interest;
};

void inventory_init(struct inventory *inventory, const struct symbol_list *symbols,
                    int64_t lookback_ms, bool is_filled)
{
    *inventory =
        (struct inventory){.symbols = symbols, .lookback_ms = lookback_ms, .is_filled = is_filled};
}

void inventory_deinit(struct inventory *inventory)
{
    free(inventory->others);
    buffer_deinit(&inventory->news);
}

/* -- counting ---------------------------------------------------------------------------------- */

/* Findings that are counted by one query, and where all findings are by symbol. */
struct counting {
    const struct symbol_list *symbols;
    struct finding *findings;
    const size_t *places;
    int64_t first_block; /* for each, by its own newest candle, or later */
    int64_t lookback_ms;
};

static int64_t block_of(int64_t time_ms)
{
    return candle_floor_time(time_ms, STORE_BLOCK_MS) / STORE_BLOCK_MS;
}

static void add(const struct counting *counting, const struct store_digest *digest,
                enum store_kind kind)
{
    int index = symbol_list_find(counting->symbols, digest->symbol.data, digest->symbol.size);
    struct finding *finding = &counting->findings[counting->places[index]];
    struct span *span = kind == STORE_CANDLES ? &finding->candles : &finding->interest;
    if (digest->newest_ms == STORE_NONE ||
        digest->block < block_of(finding->newest_ms - counting->lookback_ms))
        return;
    if (span->count == 0 || digest->oldest_ms < span->oldest_ms)
        span->oldest_ms = digest->oldest_ms;
    if (span->count == 0 || digest->newest_ms > span->newest_ms)
        span->newest_ms = digest->newest_ms;
    span->count += digest->count;
}

static void on_candles(const struct store_digest *digest, void *context)
{
    add(context, digest, STORE_CANDLES);
}

static void on_interest(const struct store_digest *digest, void *context)
{
    add(context, digest, STORE_INTEREST);
}

/* Those with the newest candles first, those without any last. */
static int compare_findings(const void *a, const void *b)
{
    const struct finding *first = a, *second = b;
    if (first->has_newest != second->has_newest)
        return first->has_newest ? -1 : 1;
    return (first->newest_ms < second->newest_ms) - (first->newest_ms > second->newest_ms);
}

static void count_rows(const struct inventory *inventory, struct store_session *session,
                       struct finding *findings, const size_t *places)
{
    const size_t count = inventory->symbols->count;
    struct buffer names = {0};
    for (size_t i = 0, queries = 0; i < count && findings[i].has_newest && queries < QUERIES_MAX;
         queries++) {
        const size_t first = i;
        int64_t start_ms = findings[first].newest_ms;
        buffer_clear(&names);
        for (; i < count && findings[i].has_newest; i++) {
            if (findings[i].newest_ms < findings[first].newest_ms - DAY_MS)
                break;
            buffer_append_format(&names, "%s%s", i > first ? "\n" : "", findings[i].symbol);
            start_ms = findings[i].newest_ms;
        }
        struct counting counting = {inventory->symbols, findings, places,
                                    block_of(start_ms - inventory->lookback_ms),
                                    inventory->lookback_ms};
        const int64_t from_ms = counting.first_block * STORE_BLOCK_MS;
        bool is_counted = store_digest(session, STORE_CANDLES, buffer_text(&names), from_ms,
                                       on_candles, &counting, NULL) == STATUS_OK &&
                          store_digest(session, STORE_INTEREST, buffer_text(&names), from_ms,
                                       on_interest, &counting, NULL) == STATUS_OK;
        for (size_t j = first; j < i; j++)
            findings[j].is_counted = is_counted && findings[j].candles.count > 0;
    }
    buffer_deinit(&names);
}

/* How many rows are missing between the first and the last. */
static uint64_t missing_of(const struct span *span)
{
    uint64_t steps = (uint64_t)((span->newest_ms - span->oldest_ms) / CANDLE_MS + 1);
    return span->count > 0 && steps > span->count ? steps - span->count : 0;
}

/* -- telling ----------------------------------------------------------------------------------- */

static bool is_old(const struct finding *finding, int64_t now_ms)
{
    return finding->has_newest && now_ms - finding->newest_ms > INVENTORY_OLD_MS;
}

/* Beside its candles, whose age is told of anyway. */
static bool lacks_interest(const struct finding *finding, int64_t now_ms)
{
    (void)now_ms;
    return finding->is_counted &&
           (finding->interest.count == 0 ||
            finding->newest_ms - finding->interest.newest_ms > INVENTORY_OLD_MS);
}

/* "7m", "5h", "148d" */
static const char *format_age(int64_t age_ms, char text[AGE_SIZE])
{
    int64_t minutes = age_ms > 0 ? age_ms / MINUTE_MS : 0;
    if (minutes < 120)
        snprintf(text, AGE_SIZE, "%dm", (int)minutes);
    else if (minutes < 48 * 60)
        snprintf(text, AGE_SIZE, "%dh", (int)(minutes / 60));
    else
        snprintf(text, AGE_SIZE, "%lldd", (long long)(minutes / (24 * 60)));
    return text;
}

static const char *format_interest_age(const struct finding *finding, int64_t now_ms,
                                       char text[AGE_SIZE])
{
    return finding->interest.count > 0 ? format_age(now_ms - finding->interest.newest_ms, text)
                                       : "";
}

/* What is wrong with the data is no surprise where they are being brought. */
static enum log_level level_of(const struct inventory *inventory)
{
    return inventory->is_filled ? LOG_INFO : LOG_WARN;
}

static struct log_field hint_of(const struct inventory *inventory)
{
    return log_text("hint", inventory->is_filled
                                ? "they are on their way"
                                : "heatcast fetch, heatcast import or serve --collect bring some");
}

static void tell_finding(const struct inventory *inventory, const struct finding *finding,
                         int64_t now_ms)
{
    char newest[ISO_TIME_SIZE], oldest[ISO_TIME_SIZE], age[AGE_SIZE], interest_age[AGE_SIZE];
    if (!finding->has_newest) {
        log_at(level_of(inventory), "a symbol has no data", log_text("symbol", finding->symbol),
               hint_of(inventory));
        return;
    }
    const struct log_field fields[] = {
        log_text("message",
                 is_old(finding, now_ms) ? "the data of a symbol are old" : "found data"),
        log_text("symbol", finding->symbol),
        log_text("newest", iso_time_format(finding->newest_ms, newest)),
        log_text("age", format_age(now_ms - finding->newest_ms, age)),
        log_int("candles", (int64_t)finding->candles.count),
        log_text("since",
                 finding->is_counted ? iso_time_format(finding->candles.oldest_ms, oldest) : ""),
        log_int("missing", (int64_t)missing_of(&finding->candles)),
        log_int("open_interest", (int64_t)finding->interest.count),
        log_text("open_interest_age", format_interest_age(finding, now_ms, interest_age)),
        log_int("open_interest_missing", (int64_t)missing_of(&finding->interest)),
        is_old(finding, now_ms) ? hint_of(inventory) : (struct log_field){0},
        {.key = 0},
    };
    enum log_level level = is_old(finding, now_ms) ? level_of(inventory) : LOG_INFO;
    if (level >= log_threshold)
        log_event(level, fields);
    if (lacks_interest(finding, now_ms))
        log_at(level_of(inventory),
               "a symbol has no open interest of the last day of its candles, and no map of it",
               log_text("symbol", finding->symbol), hint_of(inventory));
}

/* Appends the name to "A, B", unless there are enough of them. */
static void append_name(struct buffer *names, size_t count, const char *name, size_t size)
{
    if (count >= NAMES_SHOWN_MAX)
        return;
    buffer_append_text(names, count > 0 ? ", " : "");
    buffer_append(names, name, size < SLICE_SHOWN_MAX ? size : SLICE_SHOWN_MAX);
}

/* One line of the names of some findings. */
static void tell_some(const struct inventory *inventory, const struct finding *findings,
                      int64_t now_ms,
                      bool (*is_some)(const struct finding *finding, int64_t now_ms),
                      const char *message)
{
    const size_t count = inventory->symbols->count;
    struct buffer names = {0};
    size_t some = 0;
    for (size_t i = count; i > 0; i--) /* the oldest first */
        if (is_some(&findings[i - 1], now_ms)) {
            const char *symbol = findings[i - 1].symbol;
            append_name(&names, some++, symbol, strlen(symbol));
        }
    if (some > 0)
        log_at(level_of(inventory), message, log_int("symbols", (int64_t)some),
               log_text("such_as", buffer_text(&names)), hint_of(inventory));
    buffer_deinit(&names);
}

static bool has_none(const struct finding *finding, int64_t now_ms)
{
    (void)now_ms;
    return !finding->has_newest;
}

static void tell_sum(const struct inventory *inventory, const struct finding *findings,
                     int64_t now_ms)
{
    const size_t count = inventory->symbols->count;
    const struct finding *worst = NULL;
    uint64_t candles = 0, missing = 0, interest = 0, interest_missing = 0;
    size_t with_data = 0;
    for (size_t i = 0; i < count; i++) {
        with_data += findings[i].has_newest;
        candles += findings[i].candles.count;
        interest += findings[i].interest.count;
        missing += missing_of(&findings[i].candles);
        interest_missing += missing_of(&findings[i].interest);
        if (missing_of(&findings[i].candles) > (worst != NULL ? missing_of(&worst->candles) : 0))
            worst = &findings[i];
    }
    log_info("found data", log_int("symbols", (int64_t)count),
             log_int("with_data", (int64_t)with_data), log_int("candles", (int64_t)candles),
             log_int("missing", (int64_t)missing),
             log_text("most_missing", worst != NULL ? worst->symbol : "none"),
             log_int("open_interest", (int64_t)interest),
             log_int("open_interest_missing", (int64_t)interest_missing));
    tell_some(inventory, findings, now_ms, has_none, "symbols have no data");
    tell_some(inventory, findings, now_ms, is_old, "the data of symbols are old");
    tell_some(inventory, findings, now_ms, lacks_interest,
              "symbols have no open interest of the last day of their candles, and no map of it");
}

static int compare_indexes(const void *a, const void *b)
{
    const struct finding *first = a, *second = b;
    return (first->index > second->index) - (first->index < second->index);
}

static void tell_all(const struct inventory *inventory, const struct survey *survey,
                     struct store_session *session, int64_t now_ms)
{
    const size_t count = inventory->symbols->count;
    struct finding *findings = memory_allocate_zeroed(count, sizeof *findings);
    size_t *places = memory_allocate_zeroed(count, sizeof *places);
    for (size_t i = 0; i < count; i++)
        findings[i] = (struct finding){
            .index = i,
            .symbol = inventory->symbols->names[i],
            .has_newest = survey->found[i].has_newest,
            .newest_ms = survey->found[i].newest_ms,
        };
    qsort(findings, count, sizeof *findings, compare_findings);
    for (size_t i = 0; i < count; i++)
        places[findings[i].index] = i;
    count_rows(inventory, session, findings, places);
    if (count > INVENTORY_LINES_MAX) {
        tell_sum(inventory, findings, now_ms);
    } else {
        qsort(findings, count, sizeof *findings, compare_indexes);
        for (size_t i = 0; i < count; i++)
            tell_finding(inventory, &findings[i], now_ms);
    }
    free(findings);
    free(places);
}

/* -- symbols that are not served --------------------------------------------------------------- */

/* Where the hash is, or is to be. */
static size_t find_other(const struct inventory *inventory, uint64_t hash)
{
    size_t low = 0, high = inventory->other_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (inventory->others[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void inventory_see_other(struct inventory *inventory, struct slice symbol)
{
    uint64_t hash = hash_bytes(HASH_START, symbol.data, symbol.size);
    size_t at = find_other(inventory, hash);
    bool is_known = at < inventory->other_count && inventory->others[at] == hash;
    if (is_known || inventory->other_count == INVENTORY_OTHERS_MAX)
        return;
    inventory->others =
        memory_resize(inventory->others, inventory->other_count + 1, sizeof *inventory->others);
    memmove(&inventory->others[at + 1], &inventory->others[at],
            (inventory->other_count++ - at) * sizeof *inventory->others);
    inventory->others[at] = hash;
    append_name(&inventory->news, inventory->new_count++, symbol.data, symbol.size);
}

void inventory_tell(struct inventory *inventory, const struct survey *survey,
                    struct store_session *session, int64_t now_ms)
{
    if (!inventory->is_told)
        tell_all(inventory, survey, session, now_ms);
    inventory->is_told = true;
    if (inventory->new_count > 0)
        log_info("the database has symbols that are not in SYMBOLS, and not served",
                 log_int("symbols", (int64_t)inventory->new_count),
                 log_text("such_as", buffer_text(&inventory->news)));
    inventory->new_count = 0;
    buffer_clear(&inventory->news);
}
