/* Symbols followed in memory: whatever is inserted, replaced and deleted, by whom, and whatever is
 * fed, a snapshot is the one that the rows give when all of them are read and computed anew. */
#include "market_fixture.h"

#include "engine/refresh.h"
#include "engine/survey.h"
#include "model/rows.h"
#include "model/series_builder.h"
#include "model/snapshot_text.h"

#include <duckdb.h>

#define LOOKBACK_MS DAY_MS

enum { SYMBOL_COUNT = 3 };

static const struct symbol_list symbols = {.count = SYMBOL_COUNT,
                                           .names = {"BTCUSDT", "ETHUSDT", "DOGEUSDT"}};
static struct model_settings settings = {.lookback_ms = LOOKBACK_MS};
static const struct model *model;

/* Followers of a database that another program writes to. */
struct watch {
    const char *path;
    struct store *store;
    struct survey survey;
    struct follower followers[SYMBOL_COUNT];
    struct refresh refresh;
    struct run_books books;
    struct book *cold;
    struct snapshot snapshot, expected;
    struct buffer text, expected_text;
    size_t loaded, irregular; /* how often a follower was found to be so */
};

static void ignore_newest(size_t index, int64_t open_time_ms, void *context)
{
    (void)index, (void)open_time_ms, (void)context;
}

static void ignore_other(struct slice symbol, void *context)
{
    (void)symbol, (void)context;
}

/* A database of another process: opened, changed, closed. */
static void run_foreign(const char *path, const char *sql)
{
    duckdb_database foreign;
    duckdb_connection connection;
    duckdb_result result;
    assert_int_equal(duckdb_open(path, &foreign), DuckDBSuccess);
    assert_int_equal(duckdb_connect(foreign, &connection), DuckDBSuccess);
    const char *statements[] = {"BEGIN", sql, "COMMIT"};
    for (size_t i = 0; i < 3; i++) {
        if (duckdb_query(connection, statements[i], &result) != DuckDBSuccess)
            fail_msg("%s: %s", statements[i], duckdb_result_error(&result));
        duckdb_destroy_result(&result);
    }
    duckdb_disconnect(&connection);
    duckdb_close(&foreign);
}

static struct watch *open_watch(void **state)
{
    struct watch *watch = calloc(1, sizeof *watch);
    watch->path = strdup(database(state));
    assert_ok(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &settings.weights, fault));
    store_close(open_store(watch->path, STORE_OWNER)); /* makes the tables */
    watch->store = open_store(watch->path, STORE_SHARED);
    survey_init(&watch->survey, &symbols,
                &(struct survey_listener){.on_newest = ignore_newest,
                                          .on_interest = ignore_newest,
                                          .on_other = ignore_other});
    for (size_t i = 0; i < SYMBOL_COUNT; i++)
        follower_init(&watch->followers[i], symbols.names[i], model, &settings);
    assert_true(run_books_init(&watch->books, model, &settings));
    watch->cold = book_create(model, &settings);
    return watch;
}

static void close_watch(struct watch *watch)
{
    for (size_t i = 0; i < SYMBOL_COUNT; i++)
        follower_deinit(&watch->followers[i]);
    survey_deinit(&watch->survey);
    refresh_deinit(&watch->refresh);
    run_books_deinit(&watch->books);
    book_destroy(watch->cold);
    snapshot_deinit(&watch->snapshot);
    snapshot_deinit(&watch->expected);
    buffer_deinit(&watch->text);
    buffer_deinit(&watch->expected_text);
    store_close(watch->store);
    free((char *)watch->path);
    free(watch);
}

/* The snapshot of all rows, read and computed as a question about the past would be. */
static enum status compute_cold(struct watch *watch, struct store_session *session,
                                const char *symbol)
{
    struct series series = {0};
    int64_t newest_ms;
    if (store_newest(session, symbol, &newest_ms, NULL) != STATUS_OK)
        return STATUS_NO_DATA;
    assert_ok(store_load(session, symbol, model_begin(model, newest_ms, LOOKBACK_MS), newest_ms,
                         CANDLE_MS, &series, fault));
    enum status status = STATUS_NO_DATA;
    if (series.count > 0)
        status = snapshot_compute(&watch->expected, watch->cold, symbol, &series, 0, NULL);
    series_deinit(&series);
    return status;
}

static void write_text(struct buffer *text, const struct snapshot *snapshot)
{
    buffer_clear(text);
    buffer_append_format(text, "%lld ", (long long)snapshot->timestamp_ms);
    snapshot_text_append_data(text, snapshot);
}

/* Follows some of the symbols, those whose bit is set. */
static void refresh_some(struct watch *watch, struct store_session *session, unsigned which,
                         struct refresh_item items[SYMBOL_COUNT], size_t *count)
{
    uint64_t version;
    assert_ok(store_version(watch->store, &version, fault));
    if (survey_is_due(&watch->survey, version))
        assert_ok(survey_run(&watch->survey, session, version, fault));
    *count = 0;
    for (size_t i = 0; i < SYMBOL_COUNT; i++)
        if ((which >> i & 1) != 0)
            items[(*count)++] = (struct refresh_item){
                .index = i,
                .follower = &watch->followers[i],
                .has_newest = watch->survey.found[i].has_newest,
                .newest_ms = watch->survey.found[i].newest_ms,
            };
    assert_ok(refresh_run(&watch->refresh, session, items, *count, fault));
}

static void compare(struct watch *watch, unsigned which)
{
    struct refresh_item items[SYMBOL_COUNT];
    size_t count;
    struct store_session *session = begin(watch->store);
    refresh_some(watch, session, which, items, &count);
    for (size_t i = 0; i < count; i++) {
        struct follower *follower = items[i].follower;
        enum status expected = compute_cold(watch, session, follower->symbol);
        watch->loaded += follower->is_loaded;
        watch->irregular += !follower->is_regular;
        if (items[i].outcome.status == STATUS_OK && !follower->is_regular)
            continue;
        if (items[i].outcome.status != STATUS_OK) {
            assert_int_equal(items[i].outcome.status, STATUS_NO_DATA);
            /* The survey may not know yet that there is old data again. */
            assert_true(expected == STATUS_NO_DATA || !watch->survey.is_complete);
            continue;
        }
        assert_int_equal(follower_snapshot(follower, &watch->books, 0, &watch->snapshot, NULL),
                         expected);
        if (expected != STATUS_OK)
            continue;
        write_text(&watch->text, &watch->snapshot);
        write_text(&watch->expected_text, &watch->expected);
        assert_string_equal(buffer_text(&watch->text), buffer_text(&watch->expected_text));
    }
    store_end(session);
}

/* -- random rows ------------------------------------------------------------------------------- */

static uint64_t seed;

static int64_t random_below(int64_t count)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)((seed >> 11) % (uint64_t)count);
}

static void append_time(struct buffer *sql, int64_t time_ms)
{
    buffer_append_format(sql, "make_timestamp(%lld000)", (long long)time_ms);
}

static void append_kline(struct buffer *sql, const char *symbol, int64_t time_ms)
{
    int64_t open = 1000 + random_below(20), close = 1000 + random_below(20);
    int64_t high = (open > close ? open : close) + random_below(5);
    int64_t low = (open < close ? open : close) - random_below(5);
    buffer_append_text(sql, "INSERT OR REPLACE INTO klines_5m_history (open_time, symbol, open, "
                            "high, low, close, volume) VALUES (");
    append_time(sql, time_ms);
    buffer_append_format(sql, ", '%s', %lld, %lld, %lld, %lld, %lld);", symbol, (long long)open,
                         (long long)high, (long long)low, (long long)close,
                         (long long)random_below(100));
}

static void append_interest(struct buffer *sql, const char *symbol, int64_t time_ms)
{
    buffer_append_format(
        sql, "DELETE FROM open_interest_history WHERE symbol = '%s' AND timestamp = ", symbol);
    append_time(sql, time_ms);
    buffer_append_text(sql, "; INSERT INTO open_interest_history (id, timestamp, symbol, "
                            "open_interest_value, open_interest_contracts) "
                            "SELECT coalesce(max(id), 0) + 1, ");
    append_time(sql, time_ms);
    /* Now and then a row that is missing data. */
    buffer_append_format(sql, ", '%s', %lld.%02lld, ", symbol,
                         (long long)(random_below(20) == 0 ? 0 : 1000000 + random_below(3000000)),
                         (long long)random_below(100));
    if (random_below(3) == 0)
        buffer_append_text(sql, "NULL");
    else
        buffer_append_format(sql, "%lld", (long long)(1000 + random_below(3000)));
    buffer_append_text(sql, " FROM open_interest_history;");
}

static void append_delete(struct buffer *sql, const char *table, const char *column,
                          const char *symbol, int64_t start_ms, int64_t end_ms)
{
    buffer_append_format(sql, "DELETE FROM %s WHERE symbol = '%s' AND %s >= ", table, symbol,
                         column);
    append_time(sql, start_ms);
    buffer_append_format(sql, " AND %s < ", column);
    append_time(sql, end_ms);
    buffer_append_char(sql, ';');
}

/* Something that another program does to the rows of a symbol, whose newest candle opens at `*end`.
 */
static void disturb(struct buffer *sql, const char *symbol, int64_t *end_ms)
{
    int64_t past_ms = *end_ms - random_below(40 * 12) * CANDLE_MS;
    switch (random_below(12)) {
    case 0:
    case 1:
    case 2:
    case 3: /* time goes on */
        for (int64_t i = 1 + random_below(3); i > 0; i--) {
            *end_ms += CANDLE_MS;
            append_kline(sql, symbol, *end_ms);
            append_interest(sql, symbol, *end_ms + random_below(3) * 1000);
        }
        break;
    case 4:
        append_kline(sql, symbol, past_ms);
        break;
    case 5:
        append_interest(sql, symbol, past_ms + random_below(300) * 1000);
        break;
    case 6:
        append_delete(sql, "klines_5m_history", "open_time", symbol, past_ms,
                      past_ms + random_below(30) * CANDLE_MS);
        break;
    case 7:
        append_delete(sql, "open_interest_history", "timestamp", symbol, past_ms,
                      past_ms + random_below(200) * CANDLE_MS);
        break;
    case 8: /* the end is taken away */
        *end_ms -= random_below(100) * CANDLE_MS;
        append_delete(sql, "klines_5m_history", "open_time", symbol, *end_ms + 1,
                      T0 + 900 * DAY_MS);
        break;
    case 9: /* a hole, of up to two days */
        *end_ms += random_below(2 * 288) * CANDLE_MS;
        append_kline(sql, symbol, *end_ms);
        break;
    case 10: /* a row that is no candle, in the middle or as the newest */
        *end_ms += random_below(2) * CANDLE_MS;
        buffer_append_text(sql, "INSERT OR REPLACE INTO klines_5m_history (open_time, symbol, "
                                "open, high, low, close, volume) VALUES (");
        append_time(sql, *end_ms);
        buffer_append_format(sql, ", '%s', 0, 0, 0, 0, 0);", symbol);
        break;
    default:
        if (random_below(8) == 0)
            append_delete(sql, "klines_5m_history", "open_time", symbol, T0 - 900 * DAY_MS,
                          T0 + 900 * DAY_MS);
        break;
    }
}

static void a_follower_is_what_a_cold_start_gives_after_any_change(void **state)
{
    struct watch *watch = open_watch(state);
    /* One of them has no data since long ago. */
    int64_t ends_ms[SYMBOL_COUNT] = {T0 + 300 * CANDLE_MS, T0 + 290 * CANDLE_MS, T0 - 150 * DAY_MS};
    struct buffer sql = {0};
    seed = 88172645463325252;
    for (size_t i = 0; i < SYMBOL_COUNT; i++)
        for (int64_t slot = 0; slot < 350; slot++) {
            append_kline(&sql, symbols.names[i], ends_ms[i] - slot * CANDLE_MS);
            append_interest(&sql, symbols.names[i], ends_ms[i] - slot * CANDLE_MS + 1000);
        }
    run_foreign(watch->path, buffer_text(&sql));
    compare(watch, 7);
    for (int step = 0; step < 70; step++) {
        buffer_clear(&sql);
        for (int64_t changes = 1 + random_below(5); changes > 0; changes--) {
            int64_t index = random_below(SYMBOL_COUNT);
            disturb(&sql, symbols.names[index], &ends_ms[index]);
        }
        run_foreign(watch->path, buffer_text(&sql));
        compare(watch, (unsigned)random_below(8));
    }
    assert_true(watch->loaded > 60);
    assert_int_equal(watch->irregular, 0);
    buffer_deinit(&sql);
    close_watch(watch);
}

/* -- what is not kept in memory ---------------------------------------------------------------- */

static void a_candle_off_its_mark_is_not_kept_in_memory(void **state)
{
    struct watch *watch = open_watch(state);
    struct buffer sql = {0};
    seed = 1;
    for (int64_t slot = 0; slot < 100; slot++)
        append_kline(&sql, "BTCUSDT", T0 + slot * CANDLE_MS);
    run_foreign(watch->path, buffer_text(&sql));
    compare(watch, 1);
    assert_true(watch->followers[0].is_loaded);
    buffer_clear(&sql);
    append_kline(&sql, "BTCUSDT", T0 + 50 * CANDLE_MS + 60000);
    run_foreign(watch->path, buffer_text(&sql));
    compare(watch, 1);
    assert_false(watch->followers[0].is_regular);
    assert_false(watch->followers[0].is_loaded);

    /* It is tried again in a while, when the row is gone. */
    buffer_clear(&sql);
    append_delete(&sql, "klines_5m_history", "open_time", "BTCUSDT", T0 + 50 * CANDLE_MS + 1,
                  T0 + 51 * CANDLE_MS);
    append_kline(&sql, "BTCUSDT", T0 + 100 * CANDLE_MS);
    run_foreign(watch->path, buffer_text(&sql));
    compare(watch, 1);
    assert_false(watch->followers[0].is_regular);
    buffer_clear(&sql);
    append_kline(&sql, "BTCUSDT", T0 + 99 * CANDLE_MS + STORE_BLOCK_MS + CANDLE_MS);
    run_foreign(watch->path, buffer_text(&sql));
    compare(watch, 1);
    assert_true(watch->followers[0].is_loaded);
    buffer_deinit(&sql);
    close_watch(watch);
}

static void a_broken_symbol_leaves_the_others_of_its_group_alone(void **state)
{
    struct watch *watch = open_watch(state);
    struct buffer sql = {0};
    struct refresh_item items[SYMBOL_COUNT];
    size_t count;
    seed = 1;
    for (int64_t slot = 0; slot < 100; slot++)
        for (size_t i = 0; i < 2; i++)
            append_kline(&sql, symbols.names[i], T0 + slot * CANDLE_MS);
    buffer_append_text(&sql,
                       "ALTER TABLE klines_5m_history RENAME TO klines;"
                       "CREATE VIEW klines_5m_history AS SELECT * EXCLUDE (volume), CASE WHEN "
                       "symbol = 'BTCUSDT' AND open > 0 THEN error('broken')::DOUBLE ELSE volume "
                       "END AS volume FROM klines;");
    run_foreign(watch->path, buffer_text(&sql));
    struct store_session *session = begin(watch->store);
    refresh_some(watch, session, 7, items, &count);
    for (size_t i = 0; i < count; i++)
        if (items[i].index == 0) {
            assert_int_equal(items[i].outcome.status, STATUS_IO);
            assert_non_null(strstr(items[i].outcome.message, "broken"));
        } else {
            assert_int_equal(items[i].outcome.status,
                             items[i].index == 1 ? STATUS_OK : STATUS_NO_DATA);
        }
    assert_false(watch->followers[0].is_loaded);
    assert_true(watch->followers[1].is_loaded);
    store_end(session);
    buffer_deinit(&sql);
    close_watch(watch);
}
/* -- fed rows ---------------------------------------------------------------------------------- */

/* What is known of a slot: as the database has it, as it was read, and as it was fed. */
struct known_slot {
    struct candle stored, read, fed; /* one without prices: none */
    bool is_closed;                  /* the fed one */
    int64_t stored_interest, read_interest, fed_interest;
};

enum { SLOTS = 420, FIRST = 260 };

/* The rules of follower.h once more, over all slots, in the simplest way. */
struct oracle {
    struct watch *watch;
    struct follower *follower;
    struct known_slot slots[SLOTS];
    int newest, fed, closed; /* slots: the newest in use, ever fed, and fed as closed */
};

static bool has(const struct candle *candle)
{
    return candle->close_e8 > 0;
}

static void forget_stored(struct oracle *oracle)
{
    for (int i = 0; i < SLOTS; i++) {
        struct known_slot *slot = &oracle->slots[i];
        if (has(&slot->fed) && has(&slot->read) && (slot->is_closed || i != oracle->fed))
            slot->fed = (struct candle){0};
        if (slot->read_interest != 0)
            slot->fed_interest = 0;
    }
}

static const struct candle *merged(const struct oracle *oracle, int at)
{
    const struct known_slot *slot = &oracle->slots[at];
    if (!has(&slot->fed))
        return &slot->read;
    return has(&slot->read) && !candle_is_preferred(&slot->fed, &slot->read) ? &slot->read
                                                                             : &slot->fed;
}

static void compute_merged(struct oracle *oracle)
{
    struct series series = {0};
    struct series_builder builder;
    int end = SLOTS - 1;
    while (!has(merged(oracle, end)))
        end--;
    const int64_t begin_ms = model_begin(model, T0 + end * CANDLE_MS, LOOKBACK_MS);
    int first = begin_ms > T0 ? (int)((begin_ms - T0) / CANDLE_MS) : 0;
    series_builder_init(&builder, &series, CANDLE_MS);
    for (int i = first; i <= end; i++)
        series_builder_add_candle(&builder, (T0 + i * CANDLE_MS) * 1000, merged(oracle, i));
    for (int i = first; i <= end + 1 && i < SLOTS; i++) {
        const struct known_slot *slot = &oracle->slots[i];
        const int64_t value = slot->read_interest != 0 ? slot->read_interest : slot->fed_interest;
        const struct interest_reading reading = {.time_us = (T0 + i * CANDLE_MS) * 1000,
                                                 .value_e8 = value * DECIMAL_ONE};
        series_builder_add_interest(&builder, &reading);
    }
    series_builder_finish(&builder);
    assert_ok(snapshot_compute(&oracle->watch->expected, oracle->watch->cold, "BTCUSDT", &series, 0,
                               fault));
    series_deinit(&series);
}

static void assert_merged(struct oracle *oracle)
{
    struct watch *watch = oracle->watch;
    compute_merged(oracle);
    assert_ok(follower_snapshot(oracle->follower, &watch->books, 0, &watch->snapshot, fault));
    write_text(&watch->text, &watch->snapshot);
    write_text(&watch->expected_text, &watch->expected);
    assert_string_equal(buffer_text(&watch->text), buffer_text(&watch->expected_text));
}

static struct kline_row random_kline(int at, int volume)
{
    int open = 1000 + (int)random_below(20), close = 1000 + (int)random_below(20);
    int high = (open > close ? open : close) + (int)random_below(5);
    int low = (open < close ? open : close) - (int)random_below(5);
    struct kline_row row = kline("BTCUSDT", at, open, high, low, close);
    row.volume_e8 = volume * DECIMAL_ONE;
    row.candle.volume = volume;
    return row;
}

static void store_kline(struct oracle *oracle, int at, const struct kline_row *row)
{
    write_rows(oracle->watch->store, true, row, 1, NULL, 0, NULL, NULL);
    oracle->slots[at].stored = row->candle;
}

static void store_interest(struct oracle *oracle, int at, int value)
{
    const struct interest_row row = interest("BTCUSDT", at, value);
    write_rows(oracle->watch->store, true, NULL, 0, &row, 1, NULL, NULL);
    oracle->slots[at].stored_interest = value;
}

static void feed_candle(struct oracle *oracle, int at, const struct candle *candle, bool is_closed)
{
    bool is_late = at <= oracle->closed || at < oracle->fed;
    assert_int_equal(follower_feed_candle(oracle->follower, candle, is_closed),
                     is_closed || !is_late);
    if (!is_closed && is_late)
        return;
    oracle->slots[at].fed = *candle;
    oracle->slots[at].is_closed = is_closed;
    if (at > oracle->fed)
        oracle->fed = at;
    if (is_closed && at > oracle->closed)
        oracle->closed = at;
    forget_stored(oracle);
}

static void feed_interest(struct oracle *oracle, int at, int64_t late_ms, int value)
{
    const struct interest fed = {.time_ms = T0 + at * CANDLE_MS + late_ms,
                                 .value_e8 = value * DECIMAL_ONE};
    struct known_slot *slot = &oracle->slots[at];
    assert_int_equal(follower_feed_interest(oracle->follower, &fed), slot->read_interest == 0);
    if (slot->read_interest == 0)
        slot->fed_interest = value;
}

static void refresh(struct oracle *oracle)
{
    struct refresh_item items[SYMBOL_COUNT];
    size_t count;
    struct store_session *session = begin(oracle->watch->store);
    refresh_some(oracle->watch, session, 1, items, &count);
    store_end(session);
    assert_int_equal(items[0].outcome.status, STATUS_OK);
    assert_true(oracle->follower->is_loaded);
    for (int i = 0; i < SLOTS; i++) {
        oracle->slots[i].read = oracle->slots[i].stored;
        oracle->slots[i].read_interest = oracle->slots[i].stored_interest;
    }
    forget_stored(oracle);
}

static struct oracle *open_oracle(void **state)
{
    struct oracle *oracle = calloc(1, sizeof *oracle);
    oracle->watch = open_watch(state);
    store_close(oracle->watch->store);
    oracle->watch->store = open_store(oracle->watch->path, STORE_OWNER);
    oracle->follower = &oracle->watch->followers[0];
    oracle->fed = oracle->closed = -1;
    return oracle;
}

static void close_oracle(struct oracle *oracle)
{
    close_watch(oracle->watch);
    free(oracle);
}

/* What a source and its writer do, and what a bad connection makes of it. */
static void happen(struct oracle *oracle)
{
    int now = oracle->newest, past = now - (int)random_below(8);
    struct kline_row row = random_kline(now, 1 + (int)random_below(100));
    struct kline_row older = random_kline(past, 1 + (int)random_below(100));
    switch (random_below(11)) {
    case 0:
    case 1:
    case 2:
        feed_candle(oracle, now, &row.candle, false);
        break;
    case 3: /* the next one begins; this one was closed, or is not heard of again */
        if (random_below(3) > 0)
            feed_candle(oracle, now, &row.candle, true);
        oracle->newest++;
        row = random_kline(oracle->newest, 1);
        feed_candle(oracle, oracle->newest, &row.candle, false);
        break;
    case 4:
        feed_interest(oracle, now, random_below(CANDLE_MS), 1000000 + (int)random_below(3000000));
        break;
    case 5: /* late */
        feed_candle(oracle, past, &older.candle, random_below(2) == 0);
        break;
    case 6:
        feed_interest(oracle, past, 0, 1000000 + (int)random_below(3000000));
        break;
    case 7: /* what was fed is stored */
        if (has(&oracle->slots[past].fed) && oracle->slots[past].is_closed) {
            older.candle = oracle->slots[past].fed;
            older.volume_e8 = (int64_t)older.candle.volume * DECIMAL_ONE;
            store_kline(oracle, past, &older);
        }
        break;
    case 8: /* or something else is */
        store_kline(oracle, past, &older);
        break;
    case 9:
        store_interest(oracle, past, 1000000 + (int)random_below(3000000));
        break;
    default:
        refresh(oracle);
        break;
    }
}

/* The first slots, all at once. */
static void fill(struct oracle *oracle)
{
    struct kline_row klines[FIRST];
    struct interest_row interests[FIRST];
    for (int i = 0; i < FIRST; i++) {
        int value = 1000000 + (int)random_below(3000000);
        klines[i] = random_kline(i, 50);
        interests[i] = interest("BTCUSDT", i, value);
        oracle->slots[i].stored = klines[i].candle;
        oracle->slots[i].stored_interest = value;
    }
    write_rows(oracle->watch->store, true, klines, FIRST, interests, FIRST, NULL, NULL);
}

static void what_is_fed_lies_over_what_is_stored_until_that_is_read(void **state)
{
    struct oracle *oracle = open_oracle(state);
    seed = 362436069;
    fill(oracle);
    oracle->newest = FIRST;
    refresh(oracle);
    while (oracle->newest < SLOTS - 1) {
        happen(oracle);
        if (follower_needs_blocks(oracle->follower))
            refresh(oracle);
        assert_merged(oracle);
    }
    close_oracle(oracle);
}

static void a_symbol_that_is_not_stored_yet_is_what_was_fed(void **state)
{
    struct oracle *oracle = open_oracle(state);
    seed = 1;
    for (int i = 0; i < 20; i++) {
        struct kline_row row = random_kline(i, 50);
        feed_candle(oracle, i, &row.candle, true);
        feed_interest(oracle, i, 0, 1000000 + i * 1000);
    }
    assert_false(oracle->follower->is_loaded);
    refresh(oracle);
    assert_merged(oracle);
    assert_true(oracle->watch->snapshot.levels.count > 0);
    close_oracle(oracle);
}

static void a_feed_that_jumps_ahead_is_loaded_anew(void **state)
{
    struct oracle *oracle = open_oracle(state);
    seed = 1;
    for (int i = 0; i < 10; i++) {
        struct kline_row row = random_kline(i, 50);
        store_kline(oracle, i, &row);
    }
    refresh(oracle);
    assert_merged(oracle);
    struct kline_row row = random_kline(400, 50);
    feed_candle(oracle, 400, &row.candle, false);
    assert_false(oracle->follower->is_loaded);
    refresh(oracle);
    assert_merged(oracle);
    close_oracle(oracle);
}

static void fed_rows_are_bounded(void **state)
{
    struct oracle *oracle = open_oracle(state);
    seed = 1;
    for (int i = 0; i < FOLLOWER_FED_MAX + 12; i++) {
        struct kline_row row = random_kline(i, 50);
        feed_candle(oracle, i, &row.candle, true);
    }
    assert_int_equal(oracle->follower->fed_count, FOLLOWER_FED_MAX);
    for (int i = 0; i < 12; i++)
        oracle->slots[i].fed = (struct candle){0};
    refresh(oracle);
    assert_merged(oracle);
    /* In the window as well. */
    for (int i = FOLLOWER_FED_MAX + 12; i < FOLLOWER_FED_MAX + 30; i++) {
        struct kline_row row = random_kline(i, 50);
        feed_candle(oracle, i, &row.candle, true);
        oracle->slots[i - FOLLOWER_FED_MAX].fed = (struct candle){0};
        assert_merged(oracle);
    }
    close_oracle(oracle);
}

static void rows_that_cannot_be_are_not_taken(void **state)
{
    struct oracle *oracle = open_oracle(state);
    struct kline_row row = kline("BTCUSDT", 1, 10, 12, 9, 11);
    row.candle.open_time_ms += 1000;
    assert_false(follower_feed_candle(oracle->follower, &row.candle, true));
    row = kline("BTCUSDT", 1, 10, 12, 0, 11);
    assert_false(follower_feed_candle(oracle->follower, &row.candle, true));
    row = kline("BTCUSDT", 1, 10, 12, 9, 11);
    row.candle.open_time_ms = -CANDLE_MS;
    assert_false(follower_feed_candle(oracle->follower, &row.candle, true));
    assert_false(follower_feed_interest(oracle->follower, &(struct interest){.time_ms = T0}));
    assert_int_equal(oracle->follower->fed_count, 0);
    close_oracle(oracle);
}

static void a_candle_that_has_not_changed_is_no_news(void **state)
{
    struct oracle *oracle = open_oracle(state);
    fill(oracle);
    refresh(oracle);
    struct kline_row row = kline("BTCUSDT", FIRST + 1, 1000, 1012, 990, 1011);
    row.candle.volume = 5;
    assert_true(follower_feed_candle(oracle->follower, &row.candle, false));
    assert_false(follower_feed_candle(oracle->follower, &row.candle, false));
    row.candle.volume = 6;
    assert_true(follower_feed_candle(oracle->follower, &row.candle, false));
    row.candle.close_e8 += DECIMAL_ONE;
    assert_true(follower_feed_candle(oracle->follower, &row.candle, false));
    assert_true(follower_feed_candle(oracle->follower, &row.candle, true)); /* it has closed */
    assert_false(follower_feed_candle(oracle->follower, &row.candle, true));
    close_oracle(oracle);
}

/* An exchange is asked every few seconds, and often says the same. */
static void open_interest_that_has_not_changed_is_no_news(void **state)
{
    struct oracle *oracle = open_oracle(state);
    fill(oracle);
    refresh(oracle);
    struct interest reading = {.time_ms = T0 + (FIRST + 1) * CANDLE_MS + 1000,
                               .value_e8 = 5000 * DECIMAL_ONE,
                               .contracts_e8 = 5 * DECIMAL_ONE};
    assert_true(follower_feed_interest(oracle->follower, &reading));
    reading.time_ms += 5000;
    assert_false(follower_feed_interest(oracle->follower, &reading));
    reading.contracts_e8 += DECIMAL_ONE; /* the first ones of the five minutes stay */
    assert_false(follower_feed_interest(oracle->follower, &reading));
    reading.value_e8 += DECIMAL_ONE;
    assert_true(follower_feed_interest(oracle->follower, &reading));
    reading.time_ms -= 6000;
    assert_true(follower_feed_interest(oracle->follower, &reading));
    assert_false(follower_feed_interest(oracle->follower, &reading));
    close_oracle(oracle);
}

static void the_first_contracts_that_are_fed_of_five_minutes_count(void **state)
{
    struct oracle *oracle = open_oracle(state);
    const struct slots *slots = &oracle->follower->slots;
    const int64_t slot = slots_number(T0 + FIRST * CANDLE_MS);
    static const struct {
        int64_t late_ms;
        int contracts, expected;
    } fed[] = {{90000, 9, 9}, {120000, 12, 9}, {4000, 4, 4}, {200000, 20, 4}, {0, 1, 1}};
    fill(oracle);
    refresh(oracle);
    for (size_t i = 0; i < sizeof fed / sizeof fed[0]; i++) {
        const struct interest reading = {.time_ms = T0 + FIRST * CANDLE_MS + fed[i].late_ms,
                                         .value_e8 = (1000 + (int)i) * DECIMAL_ONE,
                                         .contracts_e8 = fed[i].contracts * DECIMAL_ONE};
        assert_true(follower_feed_interest(oracle->follower, &reading));
        assert_true(slots_contracts(slots, slot) == fed[i].expected);
        assert_true(slots_interest(slots, slot) == 1000 + (double)i);
    }
    const struct interest_row stored = interest("BTCUSDT", FIRST, 777);
    write_rows(oracle->watch->store, true, NULL, 0, &stored, 1, NULL, NULL);
    refresh(oracle);
    assert_true(slots_contracts(slots, slot) == 0 && slots_interest(slots, slot) == 777);
    close_oracle(oracle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_follower_is_what_a_cold_start_gives_after_any_change),
        in_folder(a_candle_off_its_mark_is_not_kept_in_memory),
        in_folder(a_broken_symbol_leaves_the_others_of_its_group_alone),
        in_folder(what_is_fed_lies_over_what_is_stored_until_that_is_read),
        in_folder(a_symbol_that_is_not_stored_yet_is_what_was_fed),
        in_folder(a_feed_that_jumps_ahead_is_loaded_anew),
        in_folder(fed_rows_are_bounded),
        in_folder(rows_that_cannot_be_are_not_taken),
        in_folder(a_candle_that_has_not_changed_is_no_news),
        in_folder(open_interest_that_has_not_changed_is_no_news),
        in_folder(the_first_contracts_that_are_fed_of_five_minutes_count),
    };
    int failed = 0;
    for (unsigned i = 0; value_model_names[i] != NULL; i++) {
        model = model_of((enum model_name)i);
        failed += cmocka_run_group_tests_name(model->name, tests, NULL, NULL);
    }
    return failed;
}
