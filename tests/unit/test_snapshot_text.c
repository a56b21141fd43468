/* The text of a snapshot, character by character, and what its hash depends on. */
#include "base/decimal.h"
#include "model/publication.h"
#include "model/snapshot_text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE
#define TIME_MS INT64_C(1766932200000) /* 2025-12-28T14:30:00Z */

static struct level example_levels[] = {
    {98000 * E8, 1500000, 200000},
    {9810050000000, 0, 1234567.891},
};

static struct snapshot example(void)
{
    return (struct snapshot){
        .symbol = "BTCUSDT",
        .timestamp_ms = TIME_MS,
        .bucket_e8 = 100 * E8,
        .current_price_e8 = 9845012345678,
        .change = {.created = 450, .consumed = 120},
        .levels = {.count = 2, .capacity = 2, .levels = example_levels},
    };
}

static void data_reads_as_the_protocol_says(void **state)
{
    (void)state;
    struct snapshot snapshot = example();
    struct buffer out = {0};
    snapshot_text_append_data(&out, &snapshot);
    assert_string_equal(
        buffer_text(&out),
        "{\"levels\":["
        "{\"price\":98000,\"long_density\":1500000,\"short_density\":200000},"
        "{\"price\":98100.5,\"long_density\":0,\"short_density\":1234567.891}],"
        "\"current_price\":98450.12345678,\"positions_created\":450,\"positions_consumed\":120,"
        "\"bucket\":100}");
    buffer_deinit(&out);
}

static void data_that_lacks_something_says_from_when_on_it_will_not(void **state)
{
    (void)state;
    struct snapshot snapshot = example();
    struct buffer out = {0};
    snapshot.known_from_ms = TIME_MS + DAY_MS;
    snapshot_text_append_data(&out, &snapshot);
    assert_non_null(
        strstr(buffer_text(&out), ",\"bucket\":100,\"known_from\":\"2025-12-29T14:30:00Z\"}"));
    buffer_clear(&out);
    snapshot.known_from_ms = SNAPSHOT_UNKNOWN;
    snapshot_text_append_data(&out, &snapshot);
    assert_non_null(strstr(buffer_text(&out), ",\"bucket\":100,\"known_from\":null}"));
    buffer_deinit(&out);
}

static void data_that_is_calibrated_says_what_is_expected(void **state)
{
    (void)state;
    struct snapshot snapshot = example();
    struct buffer out = {0};
    snapshot.calibration = (struct calibration){0.5, 0.25, 0.75, TIME_MS - DAY_MS};
    snapshot.known_from_ms = SNAPSHOT_UNKNOWN;
    snapshot_text_append_data(&out, &snapshot);
    assert_non_null(strstr(buffer_text(&out),
                           ",\"bucket\":100,\"expected\":{\"long\":750000,\"short\":717283.9455,"
                           "\"factor\":0.5,\"low\":0.25,\"high\":0.75,"
                           "\"until\":\"2025-12-27T14:30:00Z\"},\"known_from\":null}"));
    buffer_deinit(&out);
}

static void a_message_carries_symbol_time_and_order(void **state)
{
    (void)state;
    struct snapshot snapshot = example();
    struct buffer out = {0};
    snapshot_text_append_message(&out, &snapshot,
                                 &(struct snapshot_envelope){.epoch = 1766932200123, .seq = 1042},
                                 "{\"levels\":[]}", 13);
    assert_string_equal(buffer_text(&out),
                        "{\"type\":\"snapshot\",\"symbol\":\"BTCUSDT\","
                        "\"timestamp\":\"2025-12-28T14:30:00Z\",\"epoch\":1766932200123,"
                        "\"seq\":1042,\"data\":{\"levels\":[]}}");
    buffer_clear(&out);
    const struct snapshot_envelope envelope = {1, 2, true, {true, 30, 4}};
    snapshot_text_append_message(&out, &snapshot, &envelope, "{}", 2);
    assert_non_null(strstr(buffer_text(&out),
                           ",\"epoch\":1,\"seq\":2,\"replay\":true,\"totals\":{"
                           "\"positions_created\":30,\"positions_consumed\":4},\"data\":{}}"));
    buffer_deinit(&out);
}

static void an_empty_book_is_an_empty_list(void **state)
{
    (void)state;
    struct snapshot snapshot = {.current_price_e8 = 1, .bucket_e8 = 10000};
    struct buffer out = {0};
    snapshot_text_append_data(&out, &snapshot);
    assert_string_equal(buffer_text(&out),
                        "{\"levels\":[],\"current_price\":0.00000001,\"positions_created\":0,"
                        "\"positions_consumed\":0,\"bucket\":0.0001}");
    buffer_deinit(&out);
}

/* -- one list of levels after another ---------------------------------------------------------- */

/* Writes one list more, and compares it with the text that it has alone. */
static void assert_written(struct level_writer *writer, struct buffer *out,
                           const struct level *levels, size_t count)
{
    const struct level_list list = {.count = count, .levels = (struct level *)levels};
    struct buffer alone = {0};
    size_t start = out->size;
    snapshot_text_append_levels(&alone, &list);
    level_writer_append(writer, out, &list);
    assert_int_equal(out->size - start, alone.size);
    assert_memory_equal(out->data + start, alone.data, alone.size);
    buffer_append_text(out, ",\"between\":1},");
    buffer_deinit(&alone);
}

static void levels_after_levels_read_as_they_do_alone(void **state)
{
    (void)state;
    static const struct level a = {98 * E8, 10.5, 0}, b = {99 * E8, 0, 20}, c = {100 * E8, 1, 2},
                              c_moved = {100 * E8, 1, 2.5}, d = {101 * E8, 0.07, 0};
    const struct {
        size_t count;
        struct level levels[4];
    } lists[] = {
        {3, {a, b, c}},
        {3, {a, b, c}}, /* all the same */
        {3, {a, b, c_moved}},
        {2, {a, b}}, /* the last changes, and goes */
        {1, {b}},
        {3, {a, b, d}}, /* the first goes, and comes */
        {4, {a, b, c, d}},
        {3, {a, c, d}}, /* one comes between, one goes */
        {3, {{a.price_e8, 5.25, 0}, {c.price_e8, 0.5, 1}, {d.price_e8, 0.035, 0}}}, /* a shrink */
        {0, {a}},
        {0, {a}},
        {4, {a, b, c, d}}, /* none, none again, all */
        {2, {a, d}},
        {2, {b, c}}, /* nothing in common */
        {1, {c}},
        {4, {a, b, c, d}},
    };
    struct level_writer writer = {0};
    struct buffer out = {0};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        assert_written(&writer, &out, lists[i].levels, lists[i].count);
    level_writer_deinit(&writer);
    buffer_deinit(&out);
}

static void whatever_levels_come_and_go_they_read_as_they_do_alone(void **state)
{
    (void)state;
    enum { LEVELS_MAX = 200, LISTS = 2000 };
    struct level all[LEVELS_MAX] = {{0}}, shown[LEVELS_MAX];
    struct level_writer writer = {0};
    struct buffer out = {0};
    srand(7);
    for (int i = 0; i < LISTS; i++) {
        size_t count = 0;
        double factor = rand() % 3 == 0 ? 0.999 : 1; /* a shrink, of all */
        bool is_mostly_gone = rand() % 100 == 0;
        for (size_t l = 0; l < LEVELS_MAX; l++) {
            all[l].price_e8 = (int64_t)(90000 + 100 * l) * E8;
            all[l].long_density *= factor;
            if (rand() % 50 == 0)
                all[l].short_density = rand() % 3 == 0 ? 0 : (double)rand() / 1000;
            if (rand() % 50 == 0)
                all[l].long_density = rand() % 2 == 0 ? 0 : (double)rand();
            if (is_mostly_gone && rand() % 20 > 0)
                all[l].long_density = all[l].short_density = 0;
            if (all[l].long_density > 0 || all[l].short_density > 0)
                shown[count++] = all[l];
        }
        assert_written(&writer, &out, shown, count);
    }
    level_writer_deinit(&writer);
    buffer_deinit(&out);
}

static uint64_t hash_of(const struct snapshot *snapshot)
{
    struct buffer data = {0};
    snapshot_text_append_data(&data, snapshot);
    uint64_t hash = publication_hash(snapshot->timestamp_ms, data.data, data.size);
    buffer_deinit(&data);
    return hash;
}

static void the_hash_changes_with_everything_a_client_sees(void **state)
{
    (void)state;
    struct snapshot snapshot = example();
    uint64_t before = hash_of(&snapshot);
    snapshot.timestamp_ms++;
    assert_int_not_equal(hash_of(&snapshot), before);
    snapshot = example();
    snapshot.current_price_e8++;
    assert_int_not_equal(hash_of(&snapshot), before);
    snapshot = example();
    snapshot.change.created++;
    assert_int_not_equal(hash_of(&snapshot), before);
    snapshot = example();
    snapshot.change.consumed++;
    assert_int_not_equal(hash_of(&snapshot), before);
    snapshot = example();
    snapshot.bucket_e8++;
    assert_int_not_equal(hash_of(&snapshot), before);
    snapshot = example();
    snapshot.levels.count--;
    assert_int_not_equal(hash_of(&snapshot), before);

    struct level level = example_levels[0];
    snapshot = example();
    example_levels[0].long_density += 0.001;
    assert_int_not_equal(hash_of(&snapshot), before);
    example_levels[0] = level;
    example_levels[0].price_e8++;
    assert_int_not_equal(hash_of(&snapshot), before);
    example_levels[0] = level;
    assert_int_equal(hash_of(&snapshot), before);
}

static void the_hash_ignores_what_no_client_sees(void **state)
{
    (void)state;
    struct snapshot snapshot = example();
    uint64_t before = hash_of(&snapshot);
    /* Beyond the tenth significant digit. */
    struct level level = example_levels[0];
    example_levels[0].long_density += 1e-8;
    assert_int_equal(hash_of(&snapshot), before);
    example_levels[0] = level;
}

static void the_hash_is_fnv_1a(void **state)
{
    (void)state;
    /* Eight zero bytes and "a": a value computed by hand keeps servers of different builds equal.
     */
    uint64_t expected = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < 9; i++)
        expected = (expected ^ (i == 8 ? 'a' : 0)) * UINT64_C(0x100000001b3);
    assert_true(publication_hash(0, "a", 1) == expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_reads_as_the_protocol_says),
        cmocka_unit_test(data_that_lacks_something_says_from_when_on_it_will_not),
        cmocka_unit_test(data_that_is_calibrated_says_what_is_expected),
        cmocka_unit_test(a_message_carries_symbol_time_and_order),
        cmocka_unit_test(an_empty_book_is_an_empty_list),
        cmocka_unit_test(levels_after_levels_read_as_they_do_alone),
        cmocka_unit_test(whatever_levels_come_and_go_they_read_as_they_do_alone),
        cmocka_unit_test(the_hash_changes_with_everything_a_client_sees),
        cmocka_unit_test(the_hash_ignores_what_no_client_sees),
        cmocka_unit_test(the_hash_is_fnv_1a),
    };
    return cmocka_run_group_tests_name("snapshot_text", tests, NULL, NULL);
}
