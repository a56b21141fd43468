/* Each allocation that an answer needs fails once: the answer fails, and nothing else does. The
 * address sanitizer's build of this test finds what leaks on the way. */
#include "base/memory.h"
#include "model/model.h"
#include "model/snapshot.h"
#include "net/answer.h"
#include "net/gzip.h"
#include "question_fixture.h"

enum { CANDLES = 700, CALLS_MAX = 1000 };

static void an_answer_fails_with_any_of_its_allocations(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_walk(store, CANDLES);
    struct history *history = open_history(store);
    const struct range range = range_of("window=2d");
    for (size_t i = 0; i < QUESTION_COUNT; i++) {
        struct buffer expected = {0}, out = {0};
        struct error error = {0};
        enum status status = STATUS_NO_MEMORY;
        uint64_t call = 0, left = 0;
        assert_ok(questions[i].ask(history, &range, NULL, &expected, fault));
        while (left == 0 && call < CALLS_MAX) {
            memory_fail_call(++call);
            status = questions[i].ask(history, &range, NULL, &out, &error);
            left = memory_fail_call(0);
            if (left > 0)
                break;
            if (status != STATUS_NO_MEMORY)
                fail_msg("%s: allocation %d: status %d", questions[i].name, (int)call, status);
            assert_null(out.data);
            assert_string_not_equal(error.message, "");

            assert_ok(questions[i].ask(history, &range, NULL, &out, fault));
            assert_int_equal(out.size, expected.size);
            assert_memory_equal(out.data, expected.data, out.size);
            buffer_deinit(&out);
        }
        assert_int_equal(status, STATUS_OK); /* once there are no more allocations to fail */
        assert_in_range(call, 4, CALLS_MAX - 1);
        buffer_deinit(&out);
        buffer_deinit(&expected);
    }
    history_destroy(history);
    store_close(store);
}

static void an_answer_behind_another_text_leaves_that_as_it_was(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_walk(store, 300);
    struct history *history = open_history(store);
    const struct range range = range_of("window=1d");
    struct buffer out = {0};
    buffer_append_text(&out, "before ");
    for (uint64_t call = 1; call < 40; call++) {
        memory_fail_call(call);
        enum status status = history_run(history, &range, NULL, &out, NULL);
        memory_fail_call(0);
        if (status == STATUS_OK)
            break;
        assert_string_equal(buffer_text(&out), "before ");
    }
    buffer_deinit(&out);
    history_destroy(history);
    store_close(store);
}

/* Candles that fill every array of a book: many tiers, rises that no price reaches, a fall that
 * leaves dust. */
static void fill_series(struct series *series)
{
    for (int i = 0; i < 500; i++) {
        int64_t price_e8 = (1000 + i % 13) * DECIMAL_ONE;
        const struct candle candle = {.open_time_ms = T0 + i * CANDLE_MS,
                                      .open_e8 = price_e8 - i % 2,
                                      .high_e8 = price_e8 + 1,
                                      .low_e8 = price_e8 - 1,
                                      .close_e8 = price_e8};
        series_push(series, &candle, i % 50 == 49 ? -20000.0 * i : 1000);
        if (!series->has_failed)
            series->contracts[i] = 1000 + i;
    }
}

static void a_book_fails_with_any_of_its_allocations_and_is_as_good_as_new_after(void **state)
{
    (void)state;
    static const int64_t buckets_e8[] = {DECIMAL_ONE, 100}; /* summed in arrays; sorted */
    struct model_settings settings = {.lookback_ms = DAY_MS};
    struct series series = {0};
    fill_series(&series);
    assert_int_equal(value_parse_weights("1:1,2:1,3:1,5:1", &settings.weights, NULL), STATUS_OK);
    for (size_t b = 0; b < 4; b++) {
        const struct model *model = model_of(b < 2 ? MODEL_REFERENCE : MODEL_SURVIVAL);
        struct snapshot expected = {0};
        uint64_t call = 0, left = 0;
        struct book *book = book_create(model, &settings);
        assert_ok(snapshot_compute(&expected, book, "X", &series, buckets_e8[b % 2], fault));
        book_destroy(book);
        while (left == 0) {
            struct snapshot snapshot = {0};
            memory_fail_call(++call);
            book = book_create(model, &settings);
            enum status status = book == NULL ? STATUS_NO_MEMORY
                                              : snapshot_compute(&snapshot, book, "X", &series,
                                                                 buckets_e8[b % 2], NULL);
            left = memory_fail_call(0);
            assert_int_equal(status, left == 0 ? STATUS_NO_MEMORY : STATUS_OK);
            if (book != NULL) {
                assert_ok(
                    snapshot_compute(&snapshot, book, "X", &series, buckets_e8[b % 2], fault));
                assert_int_equal(snapshot.levels.count, expected.levels.count);
                assert_memory_equal(snapshot.levels.levels, expected.levels.levels,
                                    expected.levels.count * sizeof *expected.levels.levels);
            }
            book_destroy(book);
            snapshot_deinit(&snapshot);
        }
        assert_in_range(call, 8, CALLS_MAX);
        snapshot_deinit(&expected);
    }
    series_deinit(&series);
}

static struct answer *make_answer(size_t size)
{
    struct answer *answer = answer_create();
    buffer_reserve(&answer->body, size + 5000);
    for (size_t i = 0; i < size; i++)
        buffer_append_char(&answer->body, (char)('a' + i * i % 23));
    return answer;
}

static void an_answer_that_cannot_be_compressed_is_as_good_as_it_was(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    struct answer *expected = make_answer(SIZE), *plain = make_answer(SIZE);
    answer_complete(expected);
    memory_fail_call(1); /* what it does not need is not given back */
    answer_complete(plain);
    assert_int_equal(memory_fail_call(0), 0);
    assert_int_equal(plain->tag, expected->tag);
    for (uint64_t call = 1; call <= 2; call++) { /* the compressor, and room for what it makes */
        memory_fail_call(call);
        assert_null(answer_gzip(plain));
        assert_int_equal(memory_fail_call(0), 0);
        assert_int_equal(plain->body.size, SIZE);
        assert_memory_equal(plain->body.data, expected->body.data, SIZE);
    }
    memory_fail_call(3);
    struct answer *gzipped = answer_gzip(plain);
    assert_int_equal(memory_fail_call(0), 0);
    assert_true(gzipped->is_gzipped && gzipped->body.size < SIZE);
    answer_release(gzipped);
    answer_release(plain);
    answer_release(expected);
}

static void a_text_behind_which_there_is_no_room_for_gzip_stays_as_it_is(void **state)
{
    (void)state;
    static char text[5000], deflated[100];
    struct buffer out = {0};
    for (uint64_t call = 1; call <= 2; call++) {
        memory_fail_call(call);
        assert_false(gzip_append(&out, text, sizeof text));
        assert_int_equal(memory_fail_call(0), 0);
    }
    memory_fail_call(1);
    assert_false(gzip_wrap(&out, (struct iovec){deflated, sizeof deflated}, text, sizeof text));
    assert_int_equal(memory_fail_call(0), 0);
    assert_int_equal(out.size, 0);
    buffer_append_text(&out, "before ");
    memory_fail_call(2);
    assert_false(gzip_append(&out, text, sizeof text));
    assert_int_equal(memory_fail_call(0), 0);
    assert_string_equal(buffer_text(&out), "before ");
    assert_true(gzip_append(&out, text, sizeof text));
    assert_true(out.size > sizeof "before ");
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(an_answer_fails_with_any_of_its_allocations),
        in_folder(an_answer_behind_another_text_leaves_that_as_it_was),
        cmocka_unit_test(an_answer_that_cannot_be_compressed_is_as_good_as_it_was),
        cmocka_unit_test(a_text_behind_which_there_is_no_room_for_gzip_stays_as_it_is),
        cmocka_unit_test(a_book_fails_with_any_of_its_allocations_and_is_as_good_as_new_after),
    };
    return cmocka_run_group_tests_name("out_of_memory", tests, NULL, NULL);
}
