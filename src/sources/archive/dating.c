/* A table is usually of one symbol and one day, so opens are read for some weeks at once and kept
 * for the tables that follow.
 *
 * In a table of one meaning odd rows at its ends are dated like the others: a file of the archive
 * is made in one go. Only where the meaning changes within a table are rows refused. A table that
 * tells nothing (its candles are not there, or its price does not move) is dated by what is known
 * of the labels of other tables, and else keeps its labels, as all tables once did. Which tables
 * these are is said, since their times may be five minutes off. */
#include "sources/archive/dating.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/iso_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPENS_BEFORE_MS DAY_MS
#define OPENS_AFTER_MS (30 * DAY_MS)
#define MARGIN_MS (2 * CANDLE_MS)
enum { ODD_ROWS_MAX = 3 }; /* at the ends of a table: more of them are a change */

static int64_t label_of(const struct interest_row *row) /* a stamp may be some seconds late */
{
    return row->timestamp_ms - row->timestamp_ms % CANDLE_MS;
}

/* -- opens ------------------------------------------------------------------------------------- */

static double open_at(int64_t time_ms, void *context)
{
    const struct archive_dating *dating = context;
    int64_t place = (time_ms - dating->opens_first_ms) / CANDLE_MS;
    return time_ms >= dating->opens_first_ms && place < (int64_t)dating->opens_count
               ? dating->opens[place]
               : 0;
}

static void on_candle(const struct store_row *row, void *context)
{
    struct archive_dating *dating = context;
    int64_t time_ms = row->time_us / 1000;
    int64_t place = (time_ms - dating->opens_first_ms) / CANDLE_MS;
    if (row->time_us % (CANDLE_MS * 1000) == 0 && place >= 0 &&
        place < (int64_t)dating->opens_count)
        dating->opens[place] = (double)row->candle.open_e8;
}

/* The opens from `first_ms` to `last_ms`, and some more. */
static enum status read_opens(struct archive_dating *dating, const char *symbol, int64_t first_ms,
                              int64_t last_ms, struct error *error)
{
    int64_t end_ms = dating->opens_first_ms + (int64_t)dating->opens_count * CANDLE_MS;
    if (strcmp(dating->symbol, symbol) == 0 && first_ms >= dating->opens_first_ms &&
        last_ms < end_ms)
        return STATUS_OK;
    snprintf(dating->symbol, sizeof dating->symbol, "%s", symbol);
    dating->opens_first_ms = first_ms - OPENS_BEFORE_MS;
    dating->opens_count = (size_t)((last_ms + OPENS_AFTER_MS - dating->opens_first_ms) / CANDLE_MS);
    free(dating->opens);
    dating->opens = memory_allocate_zeroed(dating->opens_count, sizeof *dating->opens);
    return store_read(dating->session, STORE_CANDLES, symbol, dating->opens_first_ms,
                      last_ms + OPENS_AFTER_MS, on_candle, dating, error);
}

/* -- one symbol -------------------------------------------------------------------------------- */

static double price_of(const struct interest_row *row)
{
    return row->has_contracts && row->contracts_e8 > 0
               ? (double)row->value_e8 / (double)row->contracts_e8
               : 0;
}

/* How many meanings the labels were told to have; `offset_ms` is one of them. Those of `others`
 * rows were not told. */
static size_t count_told(const struct interest_label_row *labels, size_t count, int64_t *offset_ms,
                         size_t *others)
{
    bool is_told[INTEREST_LABEL_OFFSETS] = {false};
    size_t told = 0;
    *others = 0;
    for (size_t i = 0; i < count; i++) {
        if (labels[i].verdict != INTEREST_LABEL_TOLD) {
            ++*others;
            continue;
        }
        told += !is_told[interest_label_index(labels[i].offset_ms)];
        is_told[interest_label_index(labels[i].offset_ms)] = true;
        *offset_ms = labels[i].offset_ms;
    }
    return told;
}

static bool has_candles(struct archive_dating *dating, const struct interest_label_row *labels,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (open_at(labels[i].label_ms, dating) > 0)
            return true;
    return false;
}

/* Once a table, which may be dated in several pieces. */
static void note_untold(struct archive_dating *dating, enum archive_untold_reason reason,
                        size_t assumed)
{
    struct archive_untold *untold = &dating->untold[reason][assumed];
    if (untold->last_table == dating->table_count)
        return;
    untold->last_table = dating->table_count;
    if (untold->count < ARCHIVE_UNTOLD_NAMED)
        untold->names[untold->count] = memory_copy_string(dating->table);
    untold->count++;
}

/* What labels that do not tell it themselves are taken to mean. */
static int64_t assume(struct archive_dating *dating, const struct interest_label_row *labels,
                      size_t count)
{
    int64_t offset_ms = 0;
    bool is_recalled = interest_label_recall(&dating->known, labels[0].label_ms,
                                             labels[count - 1].label_ms, &offset_ms);
    note_untold(dating,
                has_candles(dating, labels, count) ? ARCHIVE_UNTOLD_BY_PRICES
                                                   : ARCHIVE_UNTOLD_NO_CANDLES,
                is_recalled ? interest_label_index(offset_ms) : INTEREST_LABEL_OFFSETS);
    return is_recalled ? offset_ms : 0;
}

/* Gives all rows one meaning, where they have no other. */
static void decide(struct archive_dating *dating, struct interest_label_row *labels, size_t count,
                   size_t parts)
{
    int64_t offset_ms = 0;
    size_t others, told = count_told(labels, count, &offset_ms, &others);
    if (told > 1 || (told == 1 && parts > 1 && others > ODD_ROWS_MAX))
        return;
    if (told == 0)
        offset_ms = assume(dating, labels, count);
    for (size_t i = 0; i < count; i++) {
        labels[i].verdict = INTEREST_LABEL_TOLD;
        labels[i].offset_ms = offset_ms;
    }
}

static void explain(const struct interest_label_row *label, char *why, size_t size)
{
    char time[ISO_TIME_SIZE];
    iso_time_format(label->label_ms, time);
    if (label->verdict == INTEREST_LABEL_DOUBTFUL)
        snprintf(why, size,
                 "what the times of open interest mean changes near %s, and this row could be of "
                 "either side",
                 time);
    else
        snprintf(why, size,
                 "what the times of open interest mean changes here, and too few rows around %s "
                 "tell what it is",
                 time);
}

static enum status give(struct archive_dating *dating, const struct interest_label_row *label,
                        struct interest_row *row, archive_on_dated *on_dated, void *context,
                        struct error *error)
{
    char why[256];
    if (label->verdict == INTEREST_LABEL_TOLD) {
        row->timestamp_ms += label->offset_ms;
        dating->moved_rows += label->offset_ms != 0;
        return on_dated(row, NULL, context, error);
    }
    explain(label, why, sizeof why);
    return on_dated(row, why, context, error);
}

static enum status date_symbol(struct archive_dating *dating, struct interest_row *rows,
                               size_t count, archive_on_dated *on_dated, void *context,
                               struct error *error)
{
    enum status status = read_opens(dating, rows[0].symbol, label_of(&rows[0]) - MARGIN_MS,
                                    label_of(&rows[count - 1]) + MARGIN_MS, error);
    if (status != STATUS_OK)
        return status;
    struct interest_label_row *labels = memory_allocate_zeroed(count, sizeof *labels);
    for (size_t i = 0; i < count; i++)
        labels[i] = (struct interest_label_row){.label_ms = label_of(&rows[i]),
                                                .price = price_of(&rows[i])};
    size_t parts = interest_label_date(labels, count, open_at, dating);
    for (size_t i = 0; i < count; i++)
        if (labels[i].verdict == INTEREST_LABEL_TOLD)
            interest_label_note(&dating->known, &labels[i]);
    decide(dating, labels, count, parts);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = give(dating, &labels[i], &rows[i], on_dated, context, error);
    free(labels);
    return status;
}

/* -- a table ----------------------------------------------------------------------------------- */

void archive_dating_begin_table(struct archive_dating *dating, const char *name)
{
    dating->table = name;
    dating->table_count++;
}

/* Rows of the same moment stay in the order of the file. */
static int compare_rows(const void *a, const void *b)
{
    const struct interest_row *first = a, *second = b;
    int order = strcmp(first->symbol, second->symbol);
    if (order != 0)
        return order;
    if (first->timestamp_ms != second->timestamp_ms)
        return first->timestamp_ms < second->timestamp_ms ? -1 : 1;
    return (first->origin > second->origin) - (first->origin < second->origin);
}

void archive_dating_hold(struct archive_dating *dating, const struct interest_row *rows,
                         size_t count, uint64_t origin)
{
    if (dating->held_count + count > dating->held_capacity) {
        dating->held_capacity = (dating->held_count + count) * 2;
        dating->held = memory_resize(dating->held, dating->held_capacity, sizeof *dating->held);
    }
    for (size_t i = 0; i < count; i++) {
        struct interest_row *row = &dating->held[dating->held_count++];
        *row = rows[i];
        row->origin |= origin;
    }
}

enum status archive_dating_run(struct archive_dating *dating, archive_on_dated *on_dated,
                               void *context, struct error *error)
{
    struct interest_row *rows = dating->held;
    const size_t count = dating->held_count;
    enum status status = STATUS_OK;
    dating->held_count = 0;
    if (count > 0)
        qsort(rows, count, sizeof *rows, compare_rows);
    for (size_t first = 0, end; first < count && status == STATUS_OK; first = end) {
        for (end = first + 1; end < count; end++)
            if (strcmp(rows[end].symbol, rows[first].symbol) != 0)
                break;
        status = date_symbol(dating, rows + first, end - first, on_dated, context, error);
    }
    return status;
}

/* By the offset that others have; the last: nothing is known of others. */
static const char *assumptions[INTEREST_LABEL_OFFSETS + 1] = {
    "is dated 5 minutes before its labels, like that of other files",
    "keeps the times that it is labelled with, like that of other files",
    "is dated 5 minutes after its labels, like that of other files",
    "keeps the times that it is labelled with",
};

static void tell_untold(const struct archive_untold *untold, enum archive_untold_reason reason,
                        size_t assumed, void (*on_assumed)(const char *message, void *context),
                        void *context)
{
    struct buffer text = {0};
    const size_t named =
        untold->count < ARCHIVE_UNTOLD_NAMED ? (size_t)untold->count : ARCHIVE_UNTOLD_NAMED;
    for (size_t i = 0; i < named; i++)
        buffer_append_format(&text, "%s%s", i > 0 ? ", " : "", untold->names[i]);
    if (untold->count > named)
        buffer_append_format(&text, " and %llu more", (unsigned long long)(untold->count - named));
    buffer_append_format(&text, ": the open interest %s", assumptions[assumed]);
    buffer_append_text(&text, reason == ARCHIVE_UNTOLD_NO_CANDLES
                                  ? ": there are no candles that tell what its labels mean, and "
                                    "these may be 5 minutes off; import candles first"
                                  : ": its prices do not tell what its labels mean (they hardly "
                                    "move, or are not those of the stored candles), and these may "
                                    "be 5 minutes off");
    on_assumed(buffer_text(&text), context);
    buffer_deinit(&text);
}

void archive_dating_tell(const struct archive_dating *dating,
                         void (*on_assumed)(const char *message, void *context),
                         void (*on_note)(const char *message, void *context), void *context)
{
    struct error error;
    int64_t version = STORE_VERSION;
    for (int reason = 0; reason < ARCHIVE_UNTOLD_REASONS && on_assumed != NULL; reason++)
        for (size_t assumed = 0; assumed <= INTEREST_LABEL_OFFSETS; assumed++)
            if (dating->untold[reason][assumed].count > 0)
                tell_untold(&dating->untold[reason][assumed], (enum archive_untold_reason)reason,
                            assumed, on_assumed, context);
    if (on_note != NULL && dating->moved_rows > 0 &&
        store_schema_version(dating->session, &version, &error) == STATUS_OK &&
        version < STORE_VERSION)
        on_note("the database was begun by an earlier version, which stored open interest by its "
                "labels; import its files again with --replace, or into a new database, to have "
                "all of it by its own times",
                context);
}

void archive_dating_deinit(struct archive_dating *dating)
{
    for (int reason = 0; reason < ARCHIVE_UNTOLD_REASONS; reason++)
        for (size_t assumed = 0; assumed <= INTEREST_LABEL_OFFSETS; assumed++)
            for (size_t i = 0; i < ARCHIVE_UNTOLD_NAMED; i++)
                free(dating->untold[reason][assumed].names[i]);
    free(dating->opens);
    free(dating->held);
    dating->opens = NULL;
    dating->held = NULL;
}
