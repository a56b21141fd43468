/* What tests of questions about the past share: a market of a random walk in a database of its own,
 * and the three questions. */
#ifndef HEATCAST_TESTS_QUESTION_FIXTURE_H
#define HEATCAST_TESTS_QUESTION_FIXTURE_H

#include "engine/history.h"
#include "market_fixture.h"

typedef enum status question_function(struct history *, const struct range *,
                                      const struct question_limits *, struct buffer *,
                                      struct error *);

static const struct {
    const char *name;
    question_function *ask;
} questions[] = {{"history", history_run}, {"candles", history_candles}, {"grid", history_grid}};

enum { QUESTION_COUNT = sizeof questions / sizeof questions[0] };

/* Walks of BTCUSDT that begin at T0, with a price around 98,000 and open interest that rises and
 * falls. */
static inline void write_walk(struct store *store, int count)
{
    struct kline_row *klines = calloc((size_t)count, sizeof *klines);
    struct interest_row *interests = calloc((size_t)count, sizeof *interests);
    uint64_t seed = 88172645463325252u;
    int price = 98000;
    int64_t value = 8000000000;
    for (int i = 0; i < count; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        int open = price, move = (int)(seed % 301) - 150, amount = (int)(seed >> 32 & 0xfffff);
        price += price + move > 90000 && price + move < 106000 ? move : -move;
        int high = open > price ? open : price, low = open < price ? open : price;
        klines[i] = kline("BTCUSDT", i, open, high + 20, low - 20, price);
        value += amount - 500000;
        interests[i] = interest("BTCUSDT", i, value);
    }
    write_rows(store, true, klines, (size_t)count, interests, (size_t)count, NULL, NULL);
    free(klines);
    free(interests);
}

/* The lookback is a day. */
static inline struct history *open_history(struct store *store)
{
    static const struct bucket_map buckets;
    struct model_settings settings = {.lookback_ms = DAY_MS};
    assert_int_equal(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &settings.weights, NULL),
                     STATUS_OK);
    return history_create(
        &(struct history_options){store, model_of(MODEL_REFERENCE), &buckets, &settings});
}

/* Of BTCUSDT; parameters as "name=value", up to NULL. */
static inline struct range range_with(const char *const *parameters)
{
    struct range range = {.symbol = "BTCUSDT"};
    for (; *parameters != NULL; parameters++) {
        char name[32];
        const char *equals = strchr(*parameters, '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - *parameters), *parameters);
        assert_ok(range_set(&range, name, equals + 1, fault));
    }
    return range;
}

#define range_of(...) range_with((const char *const[]){__VA_ARGS__, NULL})

#endif
