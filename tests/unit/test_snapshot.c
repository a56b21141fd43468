/* Snapshots: what they hold, and that they depend on the series alone. */
#include "base/decimal.h"
#include "model/snapshot.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE
#define TIME_MS INT64_C(1766932200000) /* 2025-12-28T14:30:00Z */

static struct model_settings default_settings(void)
{
    struct model_settings settings = {.lookback_ms = DAY_MS};
    assert_int_equal(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &settings.weights, NULL),
                     STATUS_OK);
    return settings;
}

static void push(struct series *series, int64_t close_e8, double delta)
{
    struct candle candle = {
        TIME_MS + (int64_t)series->count * CANDLE_MS, close_e8, close_e8, close_e8, close_e8, 1};
    series_push(series, &candle, delta);
}

static void a_snapshot_is_the_state_after_the_last_candle(void **state)
{
    (void)state;
    const struct model_settings settings = default_settings();
    struct book *book = book_create(model_of(MODEL_REFERENCE), &settings);
    struct series series = {0};
    struct snapshot snapshot = {0};
    push(&series, 1000 * E8, 0);
    push(&series, 1000 * E8, 1000);
    push(&series, 990 * E8, 2000); /* liquidates the long of 100x at 990.04 */
    assert_int_equal(snapshot_compute(&snapshot, book, "ETHUSDT", &series, 0, NULL), STATUS_OK);
    assert_string_equal(snapshot.symbol, "ETHUSDT");
    assert_int_equal(snapshot.timestamp_ms, TIME_MS + 2 * CANDLE_MS);
    assert_int_equal(snapshot.current_price_e8, 990 * E8);
    assert_int_equal(snapshot.bucket_e8, E8);
    assert_int_equal(snapshot.change.created, 5);
    assert_int_equal(snapshot.change.consumed, 1);
    assert_int_equal(snapshot.levels.count, 8); /* 980.08 and 980.1396 share one */

    /* Again into the same value, with a bucket of one's own. */
    assert_int_equal(snapshot_compute(&snapshot, book, "ETHUSDT", &series, 1000 * E8, NULL),
                     STATUS_OK);
    assert_int_equal(snapshot.bucket_e8, 1000 * E8);
    assert_int_equal(snapshot.levels.count, 1);
    snapshot_deinit(&snapshot);
    series_deinit(&series);
    book_destroy(book);
}

static void what_book_and_snapshot_were_before_changes_nothing(void **state)
{
    (void)state;
    const struct model_settings settings = default_settings();
    struct book *new = book_create(model_of(MODEL_REFERENCE), &settings);
    struct book *book = book_create(model_of(MODEL_REFERENCE), &settings);
    struct series series = {0}, before = {0};
    for (int i = 0; i < 300; i++) {
        push(&series, (1000 + i * 37 % 11) * E8, i % 3 == 2 ? -400 : 1000.5 * (i % 7));
        push(&before, (2000 - i * 41 % 17) * E8, i % 5 == 4 ? -1e9 : 333.25 * (i % 9));
    }
    struct snapshot fresh = {0}, used = {0};
    assert_int_equal(snapshot_compute(&fresh, new, "ETHUSDT", &series, E8 / 2, NULL), STATUS_OK);
    assert_int_equal(snapshot_compute(&used, book, "BTCUSDT", &before, 3 * E8, NULL), STATUS_OK);
    assert_int_equal(snapshot_compute(&used, book, "ETHUSDT", &series, E8 / 2, NULL), STATUS_OK);
    assert_int_equal(used.change.created, fresh.change.created);
    assert_int_equal(used.change.consumed, fresh.change.consumed);
    assert_int_equal(used.levels.count, fresh.levels.count);
    assert_true(fresh.levels.count > 20);
    assert_memory_equal(used.levels.levels, fresh.levels.levels,
                        fresh.levels.count * sizeof *fresh.levels.levels);
    snapshot_deinit(&used);
    snapshot_deinit(&fresh);
    series_deinit(&before);
    series_deinit(&series);
    book_destroy(new);
    book_destroy(book);
}

static void a_model_is_found_by_its_name(void **state)
{
    (void)state;
    const struct model *model;
    struct error error;
    for (unsigned i = 0; value_model_names[i] != NULL; i++) {
        assert_int_equal(model_find(value_model_names[i], &model, &error), STATUS_OK);
        assert_ptr_equal(model, model_of((enum model_name)i));
        assert_string_equal(model->name, value_model_names[i]);
    }
    assert_int_equal(model_find("Reference", &model, &error), STATUS_INVALID);
    assert_string_equal(error.message, "'Reference' is not a model (survival or reference)");
    assert_int_equal(model_find("", &model, &error), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_found_by_its_name),
        cmocka_unit_test(a_snapshot_is_the_state_after_the_last_candle),
        cmocka_unit_test(what_book_and_snapshot_were_before_changes_nothing),
    };
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
