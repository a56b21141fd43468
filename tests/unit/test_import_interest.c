/* Open interest of files gets the times at which its states held, whatever it is labelled with, and
 * two values for one moment are told. */
#include "foreign_database.h"
#include "import_fixture.h"

#include "base/iso_time.h"
#include "base/random.h"

#include <inttypes.h>

enum { STEPS = 3 * 288, TEXT_SIZE = 256 * 1024 };

/* What there was: a price that moves, and an open interest at each five minutes from T0 on. */
struct truth {
    double opens[STEPS + 1];
    int64_t contracts[STEPS + 1];
};

static struct truth make_truth(void)
{
    struct truth truth;
    struct random random = {7};
    double price = 90000;
    for (int i = 0; i <= STEPS; i++) {
        price *= 1 + 0.004 * (random_unit(&random) - 0.5);
        truth.opens[i] = price;
        truth.contracts[i] = 50000 + (int64_t)(random_unit(&random) * 1000);
    }
    return truth;
}

static const char *put_candles(void **state, const struct truth *truth, const char *name)
{
    char *text = malloc(TEXT_SIZE);
    size_t size = 0;
    for (int i = 0; i < STEPS; i++)
        size += (size_t)snprintf(
            text + size, TEXT_SIZE - size, "%" PRId64 ",%.2f,%.2f,%.2f,%.2f,1,%" PRId64 ",,,,,0\n",
            T0 + i * CANDLE_MS, truth->opens[i], truth->opens[i] * 1.01, truth->opens[i] * 0.99,
            truth->opens[i], T0 + (i + 1) * CANDLE_MS - 1);
    const char *path = put(state, name, text);
    free(text);
    return path;
}

/* A row of the state at `step`, labelled so much before. */
static size_t append_row(char *text, size_t size, const struct truth *truth, int step,
                         int64_t offset_ms)
{
    char time[ISO_TIME_SIZE];
    iso_time_format(T0 + step * CANDLE_MS - offset_ms, time);
    time[10] = ' ';
    time[19] = '\0';
    return (size_t)snprintf(text + size, TEXT_SIZE - size, "%s,BTCUSDT,%" PRId64 ",%.4f,,,,\n",
                            time, truth->contracts[step],
                            (double)truth->contracts[step] * truth->opens[step] * 1.0002);
}

/* A file of the states from `first` to `last`. From `changed` on they are labelled five minutes
 * before. */
static const char *put_metrics(void **state, const struct truth *truth, const char *name, int first,
                               int last, int changed)
{
    char *text = malloc(TEXT_SIZE);
    size_t size = (size_t)snprintf(text, TEXT_SIZE, "%s", METRICS_HEADER);
    for (int step = first; step <= last; step++)
        size += append_row(text, size, truth, step, step >= changed ? CANDLE_MS : 0);
    const char *path = put(state, name, text);
    free(text);
    return path;
}

static int64_t ask(void **state, const char *sql)
{
    return ask_foreign(database(state), sql);
}

/* How many of the states from `first` to `last` are stored at their own times. */
static int count_right(void **state, const struct truth *truth, int first, int last)
{
    char *sql = malloc(TEXT_SIZE);
    size_t size = (size_t)snprintf(
        sql, TEXT_SIZE, "SELECT count(*) FROM open_interest_history AS stored JOIN (VALUES (0, 0)");
    for (int step = first; step <= last; step++)
        size += (size_t)snprintf(sql + size, TEXT_SIZE - size, ", (%" PRId64 ", %" PRId64 ")",
                                 T0 + step * CANDLE_MS, truth->contracts[step]);
    snprintf(sql + size, TEXT_SIZE - size,
             ") AS truth(time, contracts) ON epoch_ms(timestamp) = time AND "
             "stored.open_interest_contracts = truth.contracts");
    int right = (int)ask(state, sql);
    free(sql);
    return right;
}

/* As the archive did it: one day's file ends with the label with which the next begins, and the two
 * rows are other states. */
static void files_that_are_labelled_in_both_ways_get_the_times_of_their_states(void **state)
{
    struct truth truth = make_truth();
    put_candles(state, &truth, "um/BTCUSDT/klines/BTCUSDT-5m-2025-12.csv");
    put_metrics(state, &truth, "um/BTCUSDT/metrics/BTCUSDT-metrics-2025-12-01.csv", 1, 288, STEPS);
    put_metrics(state, &truth, "um/BTCUSDT/metrics/BTCUSDT-metrics-2025-12-02.csv", 289, 576, 0);
    struct outcome outcome = run_new(state, NULL, true, path_in(state, "um"));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.interest.rows_new, 576);
    assert_int_equal(outcome.interest.rows_bad, 0);
    assert_string_equal(outcome.notes, "");
    assert_int_equal(count_right(state, &truth, 1, 576), 576);
    assert_int_equal(ask(state, "SELECT version FROM heatcast_schema"), STORE_VERSION);
}

static void a_change_within_a_file_is_found_and_rows_beside_it_may_be_refused(void **state)
{
    struct truth truth = make_truth();
    put_candles(state, &truth, "um/BTCUSDT/klines/BTCUSDT-5m-2025-12.csv");
    put_metrics(state, &truth, "um/BTCUSDT/metrics/BTCUSDT-metrics-2025-12.csv", 1, 576, 290);
    struct outcome outcome = run_new(state, NULL, false, path_in(state, "um"));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_true(outcome.interest.rows_bad <= 3);
    assert_int_equal(outcome.problems, outcome.interest.rows_bad);
    assert_true(count_right(state, &truth, 1, 576) >= 576 - 3);
    assert_int_equal(outcome.interest.rows_new + outcome.interest.rows_bad, 576);
}

/* Ten rows are too few to tell what they mean. */
static void rows_that_mean_something_else_and_are_few_are_bad_rows(void **state)
{
    struct truth truth = make_truth();
    put_candles(state, &truth, "um/BTCUSDT/klines/BTCUSDT-5m-2025-12.csv");
    put_metrics(state, &truth, "um/BTCUSDT/metrics/BTCUSDT-metrics-2025-12-01.csv", 1, 288, 279);
    struct outcome outcome = run_new(state, NULL, false, path_in(state, "um"));
    assert_in_range(outcome.interest.rows_bad, 8, 12);
    assert_says(&outcome, "BTCUSDT-metrics-2025-12-01.csv:289: what the times of open interest");
    assert_int_equal(count_right(state, &truth, 1, 275), 275);
    struct outcome strict = run_new(state, NULL, true, path_in(state, "um"));
    assert_int_equal(strict.status, STATUS_INVALID);
    assert_says(&strict, "nothing of it was imported (--strict)");
}

static void without_candles_open_interest_keeps_its_labels_and_that_is_said(void **state)
{
    struct truth truth = make_truth();
    const char *path = put_metrics(state, &truth, "BTCUSDT-metrics-2025-12-01.csv", 1, 288, STEPS);
    struct outcome outcome = run_new(state, NULL, true, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_non_null(strstr(outcome.notes, "BTCUSDT-metrics-2025-12-01.csv: the open interest keeps "
                                          "the times that it is labelled with: there are no "
                                          "candles"));
    assert_int_equal(count_right(state, &truth, 1, 288), 288);
}

/* Its labels are five minutes before the states, as those of the days before. */
static void odd_candles_do_not_keep_a_file_from_being_dated(void **state)
{
    struct truth truth = make_truth(), candles = truth;
    for (int odd = 100; odd <= 200; odd += 50)
        candles.opens[odd] *= 1.01;
    put_candles(state, &candles, "um/BTCUSDT/klines/BTCUSDT-5m-2025-12.csv");
    put_metrics(state, &truth, "um/BTCUSDT/metrics/BTCUSDT-metrics-2025-12-01.csv", 1, 288, 0);
    struct outcome outcome = run_new(state, NULL, true, path_in(state, "um"));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_string_equal(outcome.notes, "");
    assert_int_equal(count_right(state, &truth, 1, 288), 288);
}

/* Values by another price than the candles'. */
static void what_is_assumed_of_labels_that_tell_nothing_is_said(void **state)
{
    struct truth truth = make_truth(), other = truth;
    for (int i = 0; i <= STEPS; i++)
        other.opens[i] = 90000;
    put_candles(state, &truth, "um/BTCUSDT/klines/BTCUSDT-5m-2025-12.csv");
    put_metrics(state, &other, "um/BTCUSDT/metrics/BTCUSDT-metrics-2025-12-01.csv", 1, 288, 0);
    struct outcome outcome = run_new(state, NULL, true, path_in(state, "um"));
    assert_non_null(strstr(outcome.notes, "BTCUSDT-metrics-2025-12-01.csv: the open interest keeps "
                                          "the times that it is labelled with: its prices do not "
                                          "tell"));
    put_metrics(state, &truth, "um/BTCUSDT/metrics/BTCUSDT-metrics-2025-12-02.csv", 289, 576, 0);
    put_metrics(state, &other, "um/BTCUSDT/metrics/BTCUSDT-metrics-2025-12-03.csv", 577, 860, 0);
    outcome = run_new(state, NULL, true, path_in(state, "um"));
    assert_non_null(strstr(outcome.notes, "BTCUSDT-metrics-2025-12-03.csv: the open interest is "
                                          "dated 5 minutes after its labels, like that of other "
                                          "files: its prices do not tell"));
    assert_int_equal(count_right(state, &truth, 577, 860), 284);
}

/* Its rows stay as they are, until they are imported again. */
static void a_database_of_an_earlier_version_is_told_apart(void **state)
{
    struct truth truth = make_truth();
    const char *folder = path_in(state, "um");
    put_candles(state, &truth, "um/BTCUSDT/klines/BTCUSDT-5m-2025-12.csv");
    put_metrics(state, &truth, "um/BTCUSDT/metrics/BTCUSDT-metrics-2025-12-01.csv", 1, 288, 0);
    assert_int_equal(run_new(state, NULL, true, folder).status, STATUS_OK);
    run_foreign(database(state), "DROP TABLE heatcast_schema");
    run_foreign(database(state),
                "UPDATE open_interest_history SET open_interest_value = open_interest_value + 1");
    struct outcome outcome = run_new(state, NULL, true, folder);
    assert_int_equal(outcome.interest.rows_new, 0);
    assert_non_null(strstr(outcome.notes, "288 rows differ from what is stored"));
    assert_non_null(strstr(outcome.notes, "begun by an earlier version"));
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session = begin(store);
    int64_t version = 0;
    assert_ok(store_schema_version(session, &version, fault));
    assert_int_equal(version, 1);
    store_end(session);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(files_that_are_labelled_in_both_ways_get_the_times_of_their_states),
        in_folder(a_change_within_a_file_is_found_and_rows_beside_it_may_be_refused),
        in_folder(rows_that_mean_something_else_and_are_few_are_bad_rows),
        in_folder(without_candles_open_interest_keeps_its_labels_and_that_is_said),
        in_folder(odd_candles_do_not_keep_a_file_from_being_dated),
        in_folder(what_is_assumed_of_labels_that_tell_nothing_is_said),
        in_folder(a_database_of_an_earlier_version_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
