/* When the generator computes, what it skips, what it is fed, and that the failure of one symbol
 * leaves the others alone. */
#include "market_fixture.h"

#include "engine/generator.h"
#include "other_process.h"

#include <duckdb.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

enum { BTC, ETH, SYMBOL_COUNT };

/* What the callbacks have seen; the generator's thread writes, the test reads. */
struct witness {
    pthread_mutex_t mutex;
    bool wanted[SYMBOL_COUNT];
    unsigned snapshots[SYMBOL_COUNT], checks[SYMBOL_COUNT], computed[SYMBOL_COUNT];
    enum status status[SYMBOL_COUNT];
    char message[SYMBOL_COUNT][ERROR_MESSAGE_MAX];
    uint64_t epoch, seq[SYMBOL_COUNT];
    int64_t timestamp_ms[SYMBOL_COUNT];
    char data[SYMBOL_COUNT][64], end[SYMBOL_COUNT][128]; /* the last snapshot begins, ends so */
    int batches;                                         /* calls of on_published */
    size_t batch_size;                                   /* of the last one */
    const char *touched; /* a file to change when the newest candle of BTCUSDT is first told */
    int64_t newest_ms[SYMBOL_COUNT];
    const char *database; /* which nobody may have while something is computed; NULL: never mind */
    unsigned computed_free; /* how often it was so */
};

static bool on_is_wanted(size_t index, void *context)
{
    struct witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    bool is_wanted = witness->wanted[index];
    pthread_mutex_unlock(&witness->mutex);
    return is_wanted;
}

static void see(struct witness *witness, const struct publication *published)
{
    size_t index = published->symbol_index;
    witness->snapshots[index]++;
    witness->epoch = published->epoch;
    witness->seq[index] = published->seq;
    witness->timestamp_ms[index] = published->timestamp_ms;
    assert_int_equal(published->text[published->text_size - 1], '}');
    static const char key[] = "\"data\":";
    const char *end = published->text + published->text_size;
    const char *data = memmem(published->text, published->text_size, key, strlen(key));
    assert_non_null(data);
    data += strlen(key);
    snprintf(witness->data[index], sizeof witness->data[index], "%.*s", (int)(end - data), data);
    const char *tail = end - data < 120 ? data : end - 120;
    snprintf(witness->end[index], sizeof witness->end[index], "%.*s", (int)(end - tail), tail);
}

static void on_published(const struct publication *published, size_t count, void *context)
{
    struct witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    witness->batches++;
    witness->batch_size = count;
    for (size_t i = 0; i < count; i++)
        see(witness, &published[i]);
    pthread_mutex_unlock(&witness->mutex);
}

static void on_checked(size_t index, enum status status, const char *message, void *context)
{
    struct witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    witness->checks[index]++;
    witness->status[index] = status;
    snprintf(witness->message[index], ERROR_MESSAGE_MAX, "%s", message != NULL ? message : "");
    pthread_mutex_unlock(&witness->mutex);
}

static void on_computed(size_t index, uint64_t query_ns, uint64_t compute_ns, void *context)
{
    struct witness *witness = context;
    bool is_free = witness->database == NULL || is_free_for(witness->database, F_WRLCK);
    pthread_mutex_lock(&witness->mutex);
    witness->computed[index] += query_ns > 0 && compute_ns > 0;
    witness->computed_free += is_free;
    pthread_mutex_unlock(&witness->mutex);
}

static void on_newest(size_t index, int64_t open_time_ms, void *context)
{
    struct witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    if (index == BTC && witness->newest_ms[BTC] == 0 && witness->touched != NULL)
        assert_int_equal(chmod(witness->touched, 0600), 0);
    witness->newest_ms[index] = open_time_ms;
    pthread_mutex_unlock(&witness->mutex);
}

static void want(struct witness *witness, size_t index, bool is_wanted)
{
    pthread_mutex_lock(&witness->mutex);
    witness->wanted[index] = is_wanted;
    pthread_mutex_unlock(&witness->mutex);
}

/* A consistent copy. */
static struct witness read_witness(struct witness *witness)
{
    pthread_mutex_lock(&witness->mutex);
    struct witness copy = *witness;
    pthread_mutex_unlock(&witness->mutex);
    return copy;
}

static const struct symbol_list symbols = {.count = SYMBOL_COUNT,
                                           .names = {[BTC] = "BTCUSDT", [ETH] = "ETHUSDT"}};
static const struct bucket_map buckets = {.count = 1, .entries = {{"BTCUSDT", 5 * DECIMAL_ONE}}};
static struct model_settings settings = {.lookback_ms = DAY_MS};
static double live_interval_seconds; /* of generators that are started */

#define EPOCH UINT64_C(1766932200123)

static struct generator *start_under(uint64_t epoch, struct store *store, struct witness *witness,
                                     double interval)
{
    assert_ok(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &settings.weights, fault));
    pthread_mutex_init(&witness->mutex, NULL);
    return generator_start(&(struct generator_options){
        .store = store,
        .symbols = &symbols,
        .model = model_of(MODEL_REFERENCE),
        .buckets = &buckets,
        .settings = &settings,
        .interval_seconds = interval,
        .live_interval_seconds = live_interval_seconds,
        .epoch = epoch,
        .is_wanted = on_is_wanted,
        .on_published = on_published,
        .on_checked = on_checked,
        .on_newest = on_newest,
        .on_computed = on_computed,
        .context = witness,
    });
}

static struct generator *start(struct store *store, struct witness *witness, double interval)
{
    return start_under(EPOCH, store, witness, interval);
}

static struct generator_stats stats_of(struct generator *generator)
{
    struct generator_stats stats;
    generator_read_stats(generator, &stats);
    return stats;
}

static void make_database(void **state, int btc_count, int eth_count)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    if (btc_count > 0)
        write_market(store, "BTCUSDT", 0, btc_count, 1000);
    if (eth_count > 0)
        write_market(store, "ETHUSDT", 0, eth_count, 1000);
    store_close(store);
}

static void run_foreign(const char *path, const char *sql)
{
    duckdb_database foreign;
    duckdb_connection connection;
    duckdb_result result;
    assert_int_equal(duckdb_open(path, &foreign), DuckDBSuccess);
    assert_int_equal(duckdb_connect(foreign, &connection), DuckDBSuccess);
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess)
        fail_msg("%s", duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    duckdb_disconnect(&connection);
    duckdb_close(&foreign);
}

static void only_wanted_symbols_are_computed(void **state)
{
    struct witness witness = {.wanted = {[BTC] = true}};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).checks[BTC] >= 3);
    struct witness seen = read_witness(&witness);
    assert_int_equal(seen.status[BTC], STATUS_OK);
    assert_int_equal(seen.checks[ETH], 0);
    assert_int_equal(seen.snapshots[BTC], 1);
    assert_int_equal(seen.seq[BTC], 1);
    assert_int_equal(seen.computed[BTC], 1);
    assert_int_equal(seen.epoch, EPOCH);
    assert_int_equal(seen.timestamp_ms[BTC], T0 + 19 * CANDLE_MS);
    assert_memory_equal(seen.data[BTC], "{\"levels\":[{\"price\":", 20);
    generator_stop(generator);
    store_close(store);
}

static void nobody_who_wants_to_write_waits_for_what_is_computed(void **state)
{
    struct witness witness = {.wanted = {[BTC] = true, [ETH] = true}, .database = database(state)};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).snapshots[ETH] == 1);
    assert_int_equal(read_witness(&witness).computed_free, 2);
    generator_stop(generator);
    store_close(store);
}

/* A process that locks the file as a writer does, from one command to the next. */
struct locker {
    pid_t pid;
    int orders[2], answers[2];
};

static struct locker make_locker(const char *path)
{
    struct locker locker;
    char byte;
    assert_int_equal(pipe(locker.orders), 0);
    assert_int_equal(pipe(locker.answers), 0);
    locker.pid = fork();
    if (locker.pid == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        close(locker.orders[1]);
        if (read(locker.orders[0], &byte, 1) != 1 ||
            fcntl(open(path, O_RDWR), F_SETLKW, &lock) != 0 ||
            write(locker.answers[1], "x", 1) != 1 || read(locker.orders[0], &byte, 1) < 0)
            _exit(1);
        _exit(0);
    }
    close(locker.orders[0]);
    close(locker.answers[1]);
    return locker;
}

static void lock_now(struct locker *locker)
{
    char byte;
    assert_int_equal(write(locker->orders[1], "x", 1), 1);
    assert_int_equal(read(locker->answers[0], &byte, 1), 1);
}

static void unlock(struct locker *locker)
{
    int status;
    close(locker->orders[1]);
    close(locker->answers[0]);
    assert_int_equal(waitpid(locker->pid, &status, 0), locker->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void an_unchanged_file_is_not_opened(void **state)
{
    struct witness witness = {.wanted = {true, true}};
    make_database(state, 20, 20);
    struct locker locker = make_locker(database(state));
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).checks[ETH] >= 1);
    /* A writer that holds the file is no obstacle: it is not opened. */
    lock_now(&locker);
    unsigned before = read_witness(&witness).checks[ETH];
    wait_until(read_witness(&witness).checks[ETH] >= before + 20);
    struct witness seen = read_witness(&witness);
    struct generator_stats stats = stats_of(generator);
    assert_int_equal(seen.status[BTC], STATUS_OK);
    assert_int_equal(stats.computed, 2);
    assert_int_equal(stats.snapshots, 2);
    assert_int_equal(stats.skipped[GENERATOR_SKIP_LOCKED], 0);
    assert_true(stats.skipped[GENERATOR_SKIP_UNCHANGED] >= 40);
    generator_stop(generator);
    store_close(store);
    unlock(&locker);
}

static void a_change_makes_the_next_snapshot(void **state)
{
    struct witness witness = {.wanted = {true, true}};
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 20, 1000);
    write_market(store, "ETHUSDT", 0, 20, 1000);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).snapshots[BTC] == 1 &&
               read_witness(&witness).snapshots[ETH] == 1);
    write_market(store, "BTCUSDT", 20, 1, 1000);
    wait_until(read_witness(&witness).snapshots[BTC] == 2);
    assert_int_equal(read_witness(&witness).timestamp_ms[BTC], T0 + 20 * CANDLE_MS);
    assert_int_equal(read_witness(&witness).seq[BTC], 2);
    generator_stop(generator);
    store_close(store);
    /* The other symbol was computed again, came out the same, and was not published. */
    assert_int_equal(witness.snapshots[ETH], 1);
}

static void a_calibration_makes_the_next_snapshot(void **state)
{
    struct witness witness = {.wanted = {true, true}};
    const struct calibration calibration = {0.5, 0.25, 0.75, T0};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).snapshots[BTC] == 1 &&
               read_witness(&witness).snapshots[ETH] == 1);
    assert_null(strstr(read_witness(&witness).end[BTC], "factor"));
    generator_calibrate(generator, BTC, &calibration);
    wait_until(read_witness(&witness).snapshots[BTC] == 2);
    assert_non_null(
        strstr(read_witness(&witness).end[BTC], "\"factor\":0.5,\"low\":0.25,\"high\":0.75"));
    /* The same one is no news. */
    generator_calibrate(generator, BTC, &calibration);
    const unsigned checks = read_witness(&witness).checks[BTC];
    wait_until(read_witness(&witness).checks[BTC] >= checks + 3);
    assert_int_equal(stats_of(generator).computed, 3);
    generator_calibrate(generator, BTC, &(struct calibration){0});
    wait_until(read_witness(&witness).snapshots[BTC] == 3);
    assert_null(strstr(read_witness(&witness).end[BTC], "factor"));
    generator_stop(generator);
    store_close(store);
    assert_int_equal(witness.snapshots[ETH], 1);
}

static void the_symbols_of_a_tick_are_published_together(void **state)
{
    struct witness witness = {.wanted = {true, true}};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).checks[ETH] >= 3);
    generator_stop(generator);
    /* A machine that needs GENERATOR_BATCH_MS for the first may publish each by itself. */
    assert_int_equal(witness.snapshots[BTC] + witness.snapshots[ETH], 2);
    assert_true((witness.batches == 1 && witness.batch_size == 2) ||
                (witness.batches == 2 && witness.batch_size == 1));
    store_close(store);
}

static void a_write_that_changes_nothing_visible_is_not_published(void **state)
{
    struct witness witness = {.wanted = {[BTC] = true}};
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 20, 1000);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).snapshots[BTC] == 1);
    write_market(store, "BTCUSDT", 5, 1, 1000); /* the same rows again */
    wait_until(read_witness(&witness).computed[BTC] == 2);
    generator_stop(generator);
    store_close(store);
    assert_int_equal(witness.snapshots[BTC], 1);
}

static void a_wake_is_answered_at_once(void **state)
{
    struct witness witness = {0};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 3600);
    generator_wake(generator, ETH);
    wait_until(read_witness(&witness).snapshots[ETH] == 1);
    assert_int_equal(read_witness(&witness).checks[BTC], 0);
    /* Waking again finds nothing new, but answers. */
    generator_wake(generator, ETH);
    wait_until(read_witness(&witness).checks[ETH] == 2);
    assert_int_equal(read_witness(&witness).status[ETH], STATUS_OK);
    generator_stop(generator);
    store_close(store);
    assert_int_equal(witness.snapshots[ETH], 1);
}

static void a_symbol_without_candles_has_no_data_until_some_come(void **state)
{
    struct witness witness = {.wanted = {true, true}};
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 20, 1000);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).checks[ETH] >= 3);
    assert_int_equal(read_witness(&witness).status[ETH], STATUS_NO_DATA);
    assert_non_null(strstr(read_witness(&witness).message[ETH], "ETHUSDT"));
    assert_int_equal(stats_of(generator).failures, 0);
    write_market(store, "ETHUSDT", 0, 20, 1000);
    wait_until(read_witness(&witness).snapshots[ETH] == 1 &&
               read_witness(&witness).status[ETH] == STATUS_OK);
    generator_stop(generator);
    store_close(store);
}

static void a_failing_symbol_leaves_the_others_alone(void **state)
{
    struct witness witness = {.wanted = {true, true}};
    make_database(state, 20, 20);
    run_foreign(database(state),
                "ALTER TABLE klines_5m_history RENAME TO klines;"
                "CREATE VIEW klines_5m_history AS SELECT * EXCLUDE (close), CASE WHEN symbol = "
                "'BTCUSDT' THEN error('broken')::DOUBLE ELSE close END AS close FROM klines");
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).snapshots[ETH] == 1 &&
               read_witness(&witness).checks[BTC] >= 3);
    assert_int_equal(read_witness(&witness).status[ETH], STATUS_OK);
    assert_int_equal(read_witness(&witness).status[BTC], STATUS_IO);
    assert_non_null(strstr(read_witness(&witness).message[BTC], "broken"));
    assert_true(stats_of(generator).failures >= 2);
    struct error error = {0};
    assert_int_equal(generator_check(generator, &error), STATUS_IO);
    assert_non_null(strstr(error.message, "BTCUSDT: "));
    assert_non_null(strstr(error.message, "broken"));
    assert_true(stats_of(generator).faults[GENERATOR_FAULT_UNREADABLE] >= 2);

    /* Its recovery is found though the symbol is not wanted any more. */
    want(&witness, BTC, false);
    struct store *other = open_store(path_in(state, "other.duckdb"), STORE_OWNER);
    write_market(other, "BTCUSDT", 0, 20, 1000);
    store_close(other);
    assert_int_equal(rename(path_in(state, "other.duckdb"), database(state)), 0);
    wait_until(generator_check(generator, NULL) == STATUS_OK);
    assert_int_equal(read_witness(&witness).snapshots[BTC], 1);
    generator_stop(generator);
    store_close(store);
}

static void a_held_lock_is_a_skipped_tick(void **state)
{
    struct witness witness = {.wanted = {[BTC] = true}};
    make_database(state, 20, 0);
    struct locker locker = make_locker(database(state));
    lock_now(&locker);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).checks[BTC] >= 3);
    assert_int_equal(read_witness(&witness).status[BTC], STATUS_BUSY);
    assert_int_equal(read_witness(&witness).snapshots[BTC], 0);
    assert_true(stats_of(generator).skipped[GENERATOR_SKIP_LOCKED] >= 3);
    assert_int_equal(stats_of(generator).failures, 0);
    assert_true(stats_of(generator).faults[GENERATOR_FAULT_LOCKED] >= 3);
    assert_int_equal(generator_check(generator, NULL), STATUS_BUSY);
    /* No symbol is wanted: the database is still tried. */
    want(&witness, BTC, false);
    unlock(&locker);
    wait_until(generator_check(generator, NULL) == STATUS_OK);
    want(&witness, BTC, true);
    wait_until(read_witness(&witness).snapshots[BTC] == 1);
    assert_int_equal(read_witness(&witness).status[BTC], STATUS_OK);
    generator_stop(generator);
    store_close(store);
}

static void what_was_read_of_a_file_that_changes_is_thrown_away(void **state)
{
    struct witness witness = {.wanted = {true, true}, .touched = database(state)};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).snapshots[ETH] == 1);
    assert_int_equal(stats_of(generator).skipped[GENERATOR_SKIP_REPLACED], 2);
    generator_stop(generator);
    store_close(store);
    /* The first tick computed nothing, the next one both. */
    assert_true(witness.checks[ETH] >= 2);
    assert_int_equal(witness.computed[ETH], 1);
    assert_int_equal(witness.computed[BTC], 1);
    assert_int_equal(witness.snapshots[BTC], 1);
}

static void a_database_that_comes_later_is_found(void **state)
{
    struct witness witness = {.wanted = {[BTC] = true}};
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).checks[BTC] >= 2);
    assert_int_equal(read_witness(&witness).status[BTC], STATUS_NOT_FOUND);
    assert_non_null(strstr(read_witness(&witness).message[BTC], "heatcast import"));
    struct error error = {0};
    assert_int_equal(generator_check(generator, &error), STATUS_NOT_FOUND);
    assert_string_equal(error.message, read_witness(&witness).message[BTC]);
    assert_true(stats_of(generator).faults[GENERATOR_FAULT_MISSING] >= 1);

    struct store *other = open_store(path_in(state, "other.duckdb"), STORE_OWNER);
    write_market(other, "BTCUSDT", 0, 20, 1000);
    store_close(other);
    assert_int_equal(rename(path_in(state, "other.duckdb"), database(state)), 0);
    wait_until(read_witness(&witness).snapshots[BTC] == 1);

    /* It goes away: that is said, and the snapshot stays the last one. */
    assert_int_equal(unlink(database(state)), 0);
    wait_until(read_witness(&witness).status[BTC] == STATUS_NOT_FOUND);
    generator_stop(generator);
    store_close(store);
    assert_int_equal(witness.snapshots[BTC], 1);
}

static void it_rests_until_it_leads(void **state)
{
    struct witness witness = {.wanted = {true, true}};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start_under(0, store, &witness, 0.02);
    generator_wake(generator, BTC);
    sleep_ms(200);
    assert_int_equal(read_witness(&witness).checks[BTC], 0);
    generator_lead(generator, 7);
    wait_until(read_witness(&witness).snapshots[BTC] == 1 &&
               read_witness(&witness).snapshots[ETH] == 1);
    assert_int_equal(read_witness(&witness).epoch, 7);
    generator_lead(generator, 0);
    sleep_ms(100); /* a tick may be under way */
    unsigned checks = read_witness(&witness).checks[BTC];
    sleep_ms(200);
    assert_int_equal(read_witness(&witness).checks[BTC], checks);
    generator_stop(generator);
    store_close(store);
}

static void a_new_epoch_begins_with_every_wanted_symbol_changed_or_not(void **state)
{
    struct witness witness = {.wanted = {[BTC] = true}};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 3600);
    wait_until(read_witness(&witness).snapshots[BTC] == 1);
    generator_lead(generator, EPOCH); /* the one that it has */
    generator_wake(generator, BTC);
    wait_until(read_witness(&witness).checks[BTC] == 2);
    assert_int_equal(read_witness(&witness).snapshots[BTC], 1);
    generator_lead(generator, EPOCH + 5);
    wait_until(read_witness(&witness).snapshots[BTC] == 2);
    assert_int_equal(read_witness(&witness).epoch, EPOCH + 5);
    assert_int_equal(read_witness(&witness).seq[BTC], 1);
    assert_int_equal(read_witness(&witness).checks[ETH], 0);
    generator_stop(generator);
    store_close(store);
}

static void numbers_that_others_have_used_are_skipped(void **state)
{
    struct witness witness = {.wanted = {true, true}};
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 20, 1000);
    write_market(store, "ETHUSDT", 0, 20, 1000);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).snapshots[BTC] == 1 &&
               read_witness(&witness).snapshots[ETH] == 1);
    generator_skip(generator, BTC, EPOCH, 41);
    generator_skip(generator, ETH, EPOCH - 1, 41); /* of another epoch: nothing to it */
    write_market(store, "BTCUSDT", 20, 1, 1000);
    write_market(store, "ETHUSDT", 20, 1, 1000);
    wait_until(read_witness(&witness).snapshots[BTC] == 2 &&
               read_witness(&witness).snapshots[ETH] == 2);
    assert_int_equal(read_witness(&witness).seq[BTC], 42);
    assert_int_equal(read_witness(&witness).seq[ETH], 2);
    generator_skip(generator, BTC, EPOCH, 7); /* it is past that */
    write_market(store, "BTCUSDT", 21, 1, 1000);
    wait_until(read_witness(&witness).snapshots[BTC] == 3);
    assert_int_equal(read_witness(&witness).seq[BTC], 43);
    generator_stop(generator);
    store_close(store);
}

/* -- the live feed ----------------------------------------------------------------------------- */

static void feed(struct generator *generator, size_t index, int slot, int close, bool is_closed)
{
    const struct candle candle = kline("", slot, 1000, 2000, 500, close).candle;
    generator_feed_candle(generator, index, &candle, is_closed);
}

/* Whether the last snapshot of a symbol has this price. */
static bool shows(struct witness *witness, size_t index, int price)
{
    char text[40];
    snprintf(text, sizeof text, "\"current_price\":%d,", price);
    struct witness seen = read_witness(witness);
    return strstr(seen.end[index], text) != NULL;
}

/* A generator that ticks once, and is fed from then on. */
static struct generator *start_live(struct store *store, struct witness *witness, double seconds)
{
    live_interval_seconds = seconds;
    struct generator *generator = start(store, witness, 3600);
    live_interval_seconds = 0;
    wait_until(read_witness(witness).checks[BTC] == 1);
    return generator;
}

static void what_is_fed_is_published_at_once(void **state)
{
    struct witness witness = {.wanted = {[BTC] = true}};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start_live(store, &witness, 0);
    for (int i = 0; i < 10; i++) {
        feed(generator, BTC, 20, 1100 + i, false);
        wait_until(shows(&witness, BTC, 1100 + i));
    }
    assert_int_equal(read_witness(&witness).timestamp_ms[BTC], T0 + 20 * CANDLE_MS);
    assert_int_equal(read_witness(&witness).seq[BTC], 11);
    /* Open interest, too: the rise of the candle becomes positions. */
    generator_feed_interest(generator, BTC,
                            &(struct interest){.time_ms = T0 + 20 * CANDLE_MS + 7000,
                                               .value_e8 = 9000000 * DECIMAL_ONE});
    wait_until(strstr(read_witness(&witness).end[BTC], "\"positions_created\":5,") != NULL);
    /* No query was needed after the first tick. */
    assert_int_equal(read_witness(&witness).checks[BTC], 1);
    assert_int_equal(read_witness(&witness).computed[BTC], 1);
    generator_stop(generator);
    store_close(store);
}

static void an_open_candle_waits_for_its_interval_and_a_closed_one_does_not(void **state)
{
    struct witness witness = {.wanted = {[BTC] = true}};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start_live(store, &witness, 3600);
    for (int i = 0; i < 200; i++)
        feed(generator, BTC, 20, 1100 + i, false);
    feed(generator, BTC, 20, 1500, true);
    wait_until(shows(&witness, BTC, 1500));
    /* None of the open ones was published, but for the first if it came late enough. */
    assert_true(read_witness(&witness).snapshots[BTC] <= 3);
    feed(generator, BTC, 21, 1600, false);
    sleep_ms(200);
    assert_true(shows(&witness, BTC, 1500));
    generator_stop(generator);

    generator = start_live(store, &witness, 0.05);
    for (int i = 0; i < 50; i++)
        feed(generator, BTC, 20, 1100 + i, false);
    wait_until(shows(&witness, BTC, 1149)); /* the newest comes, when its time has come */
    generator_stop(generator);
    store_close(store);
}

static void a_symbol_that_nobody_wants_is_fed_all_the_same(void **state)
{
    struct witness witness = {.wanted = {[BTC] = true}};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start_live(store, &witness, 0);
    feed(generator, ETH, 20, 1100, true);
    feed(generator, ETH, 21, 1200, false);
    wait_until(read_witness(&witness).newest_ms[ETH] == T0 + 21 * CANDLE_MS);
    assert_int_equal(read_witness(&witness).snapshots[ETH], 0);
    generator_wake(generator, ETH);
    wait_until(read_witness(&witness).snapshots[ETH] == 1);
    assert_true(shows(&witness, ETH, 1200));
    generator_stop(generator);
    store_close(store);
}

static void a_locked_database_does_not_hold_up_what_is_fed(void **state)
{
    struct witness witness = {.wanted = {[BTC] = true}};
    make_database(state, 20, 20);
    struct locker locker = make_locker(database(state));
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).snapshots[BTC] == 1);
    lock_now(&locker);
    assert_int_equal(chmod(database(state), 0640), 0); /* there may be something new in it */
    wait_until(read_witness(&witness).status[BTC] == STATUS_BUSY);
    feed(generator, BTC, 20, 1700, false);
    wait_until(shows(&witness, BTC, 1700));
    generator_stop(generator);
    store_close(store);
    unlock(&locker);
}

static void the_age_of_symbols_is_known_though_nobody_wants_them(void **state)
{
    struct witness witness = {0};
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 20, 1000);
    struct generator *generator = start(store, &witness, 0.02);
    wait_until(read_witness(&witness).newest_ms[BTC] == T0 + 19 * CANDLE_MS);
    assert_int_equal(read_witness(&witness).newest_ms[ETH], 0);
    write_market(store, "BTCUSDT", 20, 3, 1000);
    write_market(store, "ETHUSDT", 0, 7, 1000);
    wait_until(read_witness(&witness).newest_ms[BTC] == T0 + 22 * CANDLE_MS &&
               read_witness(&witness).newest_ms[ETH] == T0 + 6 * CANDLE_MS);
    assert_int_equal(read_witness(&witness).checks[BTC], 0);
    generator_stop(generator);
    store_close(store);
}

static void *feed_from_a_thread(void *context)
{
    struct generator *generator = context;
    for (int i = 0; i < 2000; i++) {
        feed(generator, i % 2 == 0 ? BTC : ETH, 20 + i / 100, 1000 + i % 100, i % 100 == 99);
        generator_feed_interest(generator, BTC,
                                &(struct interest){.time_ms = T0 + (20 + i / 100) * CANDLE_MS,
                                                   .value_e8 = (1 + i) * DECIMAL_ONE});
    }
    return NULL;
}

static void any_thread_may_feed(void **state)
{
    pthread_t threads[3];
    struct witness witness = {.wanted = {true, true}};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct generator *generator = start(store, &witness, 0.005);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, feed_from_a_thread, generator), 0);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    feed(generator, BTC, 50, 1999, true);
    wait_until(shows(&witness, BTC, 1999));
    generator_stop(generator);
    store_close(store);
}

static void starting_and_stopping_at_once_is_harmless(void **state)
{
    struct witness witness = {.wanted = {true, true}};
    make_database(state, 20, 20);
    struct store *store = open_store(database(state), STORE_SHARED);
    for (long i = 0; i < 20; i++) {
        struct generator *generator = start(store, &witness, 0.001);
        generator_wake(generator, BTC);
        sleep_ms(i);
        generator_stop(generator);
    }
    generator_stop(NULL);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(only_wanted_symbols_are_computed),
        in_folder(nobody_who_wants_to_write_waits_for_what_is_computed),
        in_folder(an_unchanged_file_is_not_opened),
        in_folder(a_change_makes_the_next_snapshot),
        in_folder(a_calibration_makes_the_next_snapshot),
        in_folder(the_symbols_of_a_tick_are_published_together),
        in_folder(a_write_that_changes_nothing_visible_is_not_published),
        in_folder(a_wake_is_answered_at_once),
        in_folder(a_symbol_without_candles_has_no_data_until_some_come),
        in_folder(a_failing_symbol_leaves_the_others_alone),
        in_folder(a_held_lock_is_a_skipped_tick),
        in_folder(what_was_read_of_a_file_that_changes_is_thrown_away),
        in_folder(a_database_that_comes_later_is_found),
        in_folder(it_rests_until_it_leads),
        in_folder(a_new_epoch_begins_with_every_wanted_symbol_changed_or_not),
        in_folder(numbers_that_others_have_used_are_skipped),
        in_folder(what_is_fed_is_published_at_once),
        in_folder(an_open_candle_waits_for_its_interval_and_a_closed_one_does_not),
        in_folder(a_symbol_that_nobody_wants_is_fed_all_the_same),
        in_folder(a_locked_database_does_not_hold_up_what_is_fed),
        in_folder(the_age_of_symbols_is_known_though_nobody_wants_them),
        in_folder(any_thread_may_feed),
        in_folder(starting_and_stopping_at_once_is_harmless),
    };
    return cmocka_run_group_tests_name("generator", tests, NULL, NULL);
}
