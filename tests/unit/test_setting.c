/* Types of settings: their bounds, their sentences, and that a secret stays one. */
#include "config/setting.h"

#include "config/network.h"
#include "config/redis_url.h"
#include "config/value.h"

#include <stdarg.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static const char *const two[] = {"left", "right", NULL};
static const char *const three[] = {"red", "green", "blue", NULL};

static struct fields {
    bool is_on;
    int count, cores;
    double seconds;
    int64_t duration_ms, age_ms;
    size_t bytes;
    unsigned side, colour;
    char path[8], needed_path[8], origins[32], hosts[32], channel[8];
    struct listen_address address;
    struct symbol_list symbols;
    struct bucket_map buckets;
    struct leverage_weights weights;
    struct network_list networks;
    struct redis_url url;
} fields;

#define AT(member) .offset = offsetof(struct fields, member)
#define TEXT_AT(member) .text_size = sizeof fields.member, AT(member)

/* A row of each type, and a value that each refuses. */
static const struct {
    const char *wrong;
    struct setting setting;
} rows[] = {
    {"hidden", {"BOOL", .type = SETTING_BOOL, AT(is_on), "false", NULL, "yes or no"}},
    {"hidden", {"WHOLE", .type = SETTING_WHOLE, .whole = {2, 9}, AT(count), "2", NULL, "2 to 9"}},
    {"hidden", {"CORES", .type = SETTING_CORES, .whole = {1, 4}, AT(cores), "", "all", "cores"}},
    {"hidden",
     {"SECONDS", .type = SETTING_SECONDS, .seconds = {0.5, 2}, AT(seconds), "1", NULL, ""}},
    {"hidden",
     {"DURATION", .type = SETTING_DURATION, .duration = {MINUTE_MS, "one minute (1m)"},
      AT(duration_ms), "1h", NULL, "how long"}},
    {"hidden",
     {"AGE", .type = SETTING_DURATION, .duration = {MINUTE_MS, "one minute (1m)", true}, AT(age_ms),
      "all", NULL, "how long"}},
    {"hidden",
     {"BYTES", .type = SETTING_BYTES, .bytes = {1000, 2000000}, AT(bytes), "1KB", NULL, "a size"}},
    {"hidden",
     {"TWO", .type = SETTING_CHOICE, .choice = {"SIDE", two}, AT(side), "left", NULL, ""}},
    {"hidden",
     {"THREE", .type = SETTING_CHOICE, .choice = {"COLOUR", three}, AT(colour), "red", NULL, ""}},
    {"hidden12", {"PATH", .type = SETTING_PATH, TEXT_AT(path), "", "none", "a file"}},
    {"hidden12", {"NEEDED", .type = SETTING_PATH, TEXT_AT(needed_path), "file", NULL, "a file"}},
    {"hidden", {"ORIGINS", .type = SETTING_ORIGINS, TEXT_AT(origins), "", NULL, "origins"}},
    {"hidden/", {"HOSTS", .type = SETTING_HOSTS, TEXT_AT(hosts), "", NULL, "hosts"}},
    {"hidden*", {"CHANNEL", .type = SETTING_CHANNEL, TEXT_AT(channel), "c", NULL, "a prefix"}},
    {"hidden", {"ADDRESS", .type = SETTING_ADDRESS, AT(address), ":80", NULL, "an address"}},
    {"hidden", {"SYMBOLS", .type = SETTING_SYMBOLS, AT(symbols), "A", NULL, "symbols"}},
    {"hidden", {"BUCKETS", .type = SETTING_BUCKETS, AT(buckets), "", NULL, "buckets"}},
    {"hidden", {"WEIGHTS", .type = SETTING_WEIGHTS, AT(weights), "5:1", NULL, "weights"}},
    {"hidden", {"NETWORKS", .type = SETTING_NETWORKS, AT(networks), "", "none", "networks"}},
    {"redis://:hidden@", {"URL", .type = SETTING_REDIS_URL, AT(url), "redis://h", NULL, "a URL"}},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const struct setting *find(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].setting.name, name) == 0)
            return &rows[i].setting;
    fail_msg("no row %s", name);
    return NULL;
}

static void assert_parses(const char *name, const char *text)
{
    struct error error;
    if (setting_parse(find(name), text, &fields, &error) != STATUS_OK)
        fail_msg("%s=%s: %s", name, text, error.message);
}

static void assert_refused(const char *name, const char *text, const char *message)
{
    struct error error;
    assert_int_equal(setting_parse(find(name), text, &fields, &error), STATUS_INVALID);
    assert_string_equal(error.message, message);
}

static void every_type_takes_its_default_and_refuses_by_quoting(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct setting *setting = &rows[i].setting;
        struct error error;
        assert_parses(setting->name, setting->default_text);
        assert_int_equal(setting_parse(setting, rows[i].wrong, &fields, &error), STATUS_INVALID);
        bool is_quoted = strstr(error.message, "hidden") != NULL;
        if (is_quoted != (setting->type != SETTING_REDIS_URL))
            fail_msg("%s: %s", setting->name, error.message);
        assert_true(setting_placeholder(setting)[0] != '\0');
        assert_int_equal(setting_is_switch(setting), setting->type == SETTING_BOOL);
    }
}

static void bounds_belong_to_what_they_bound(void **state)
{
    (void)state;
    assert_parses("WHOLE", "2");
    assert_parses("WHOLE", "9");
    assert_int_equal(fields.count, 9);
    assert_refused("WHOLE", "1", "'1' is not a whole number from 2 to 9");
    assert_refused("WHOLE", "10", "'10' is not a whole number from 2 to 9");
    assert_refused("WHOLE", "", "'' is not a whole number from 2 to 9");
    assert_int_equal(fields.count, 9);
    assert_parses("CORES", "");
    assert_true(fields.cores >= 1 && fields.cores <= 4);
    assert_refused("CORES", "5", "'5' is not a whole number from 1 to 4");
    assert_parses("SECONDS", "0.5");
    assert_refused("SECONDS", "0.49", "'0.49' is not a number of seconds from 0.5 to 2");
    assert_parses("DURATION", "60s");
    assert_int_equal(fields.duration_ms, MINUTE_MS);
    assert_refused("DURATION", "59s", "'59s' is shorter than one minute (1m)");
    assert_refused(
        "DURATION", "all",
        "'all' is not a duration (a whole number and s, m, h, d, w or y: 15m, 48h, 7d; at "
        "most 3660d)");
    assert_parses("AGE", "1m");
    assert_parses("AGE", "All");
    assert_int_equal(fields.age_ms, 0);
    assert_refused("AGE", "59s", "'59s' is shorter than one minute (1m)");
    assert_refused("AGE", "some",
                   "'some' is neither 'all' nor a duration (a whole number and s, m, h, d, w or y: "
                   "30d, 2y; at most 3660d)");
    assert_parses("BYTES", "2MB");
    assert_int_equal(fields.bytes, 2000000);
    assert_refused("BYTES", "2001KB", "'2001KB' is not from 1KB to 2MB");
    assert_parses("PATH", "1234567");
    assert_parses("PATH", "");
    assert_refused("PATH", "12345678", "'12345678...' is longer than 7 characters");
    assert_refused("NEEDED", "", "'' is not the path of a file");
    assert_refused("CHANNEL", "12345678",
                   "'12345678' is not a channel prefix (1 to 7 letters, digits and :._-{})");
    assert_refused("CHANNEL", "", "'' is not a channel prefix (1 to 7 letters, digits and :._-{})");
}

static void choices_are_numbered_and_listed(void **state)
{
    (void)state;
    assert_parses("TWO", "Right");
    assert_int_equal(fields.side, 1);
    assert_parses("THREE", "blue");
    assert_int_equal(fields.colour, 2);
    assert_refused("TWO", "up", "'up' is neither left nor right");
    assert_refused("THREE", "", "'' is not red, green or blue");
    assert_string_equal(setting_placeholder(find("THREE")), "COLOUR");
}

static void values_are_shown_as_given_or_as_they_came_out(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *shown;
    } expected[] = {
        {"WHOLE", "007", "007"},
        {"NETWORKS", NULL, "none"},
        {"WEIGHTS", NULL, "5:1"},
        {"CORES", "3", "3"},
        {"URL", "redis://me:hidden@h", "redis://me:***@h:6379"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct setting *setting = find(expected[i].name);
        struct buffer out = {0};
        const char *text = expected[i].text;
        assert_parses(setting->name, text != NULL ? text : setting->default_text);
        setting_append_value(&out, setting, &fields, text);
        assert_string_equal(buffer_text(&out), expected[i].shown);
        buffer_deinit(&out);
    }
}

static void a_secret_of_any_type_is_neither_shown_nor_quoted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct setting secret = rows[i].setting;
        struct buffer out = {0};
        struct error error;
        secret.is_secret = true;
        assert_int_equal(setting_parse(&secret, rows[i].wrong, &fields, &error), STATUS_INVALID);
        assert_null(strstr(error.message, "hidden"));
        assert_true(error.message[0] != '\0');
        const char *kept = setting_text_to_keep(&secret, "hidden");
        assert_string_equal(kept, "***");
        assert_int_equal(setting_parse(&secret, secret.default_text, &fields, NULL), STATUS_OK);
        setting_append_value(&out, &secret, &fields, kept);
        assert_null(strstr(buffer_text(&out), "hidden"));
        buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_takes_its_default_and_refuses_by_quoting),
        cmocka_unit_test(bounds_belong_to_what_they_bound),
        cmocka_unit_test(choices_are_numbered_and_listed),
        cmocka_unit_test(values_are_shown_as_given_or_as_they_came_out),
        cmocka_unit_test(a_secret_of_any_type_is_neither_shown_nor_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
