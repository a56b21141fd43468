/* A market that looks like one, without claiming to be one.
 *
 * Price moves in steps of any length: a random walk whose volatility wanders (an Ornstein-Uhlenbeck
 * process of its logarithm), with fat tails, a weak pull towards an anchor so that days stay in
 * one picture, and now and then a cascade: some minutes of a hard run in one direction while open
 * interest falls, as when positions are force-closed. Open interest counts contracts, is pulled to
 * its mean and grows a little with moves; its value in quote currency moves with the price too.
 *
 * The same step makes the days of history (ten steps a candle) and the live market (one of a second
 * or so on the forming candle), so the map has no seam between them. Randomness is seeded by symbol
 * and time, so that a demo can be repeated in a test. */
#include "sources/simulate/market.h"

#include "base/hash.h"

#include <math.h>
#include <string.h>

#define CANDLE_SECONDS 300.0

/* Per square root of a 5-minute candle. */
#define VOLATILITY 0.0011
#define VOLATILITY_LOG_LIMIT 1.1
#define INTEREST_VOLATILITY 0.0009
/* Contracts close into strength and open into weakness, which offsets most of what the price alone
 * does to their value; without it, nearly every rise in value would come with a rising candle. */
#define INTEREST_PRICE_OFFSET 0.8
/* Per candle. */
#define ANCHOR_PULL 0.002
#define INTEREST_PULL 0.001
#define CASCADE_CHANCE 0.003
#define CASCADE_DRIFT 0.0028
#define CASCADE_INTEREST_FALL 0.003
#define CASCADE_CANDLES_MAX 5

/* A standard normal deviate (Box-Muller). */
static double normal(struct random *random)
{
    double radius = sqrt(-2 * log(random_unit(random)));
    return radius * cos(2 * M_PI * random_unit(random));
}

/* A tick of about a millionth of the price, a power of ten. */
static double tick_for(double price)
{
    double tick = pow(10, floor(log10(price)) - 5);
    return tick < 1e-8 ? 1e-8 : tick;
}

void market_init(struct market *market, const char *symbol)
{
    memset(market, 0, sizeof *market);
    strcpy(market->symbol, symbol);
    market->random.state = hash_bytes(HASH_START, symbol, strlen(symbol));
    double interest_value = 4e8 * (1 + random_unit(&market->random));
    market->anchor = pow(10, -1 + 3 * random_unit(&market->random));
    if (strncmp(symbol, "BTC", 3) == 0) {
        market->anchor = 98000;
        interest_value = 8e9;
    } else if (strncmp(symbol, "ETH", 3) == 0) {
        market->anchor = 3400;
        interest_value = 5e9;
    }
    market->tick = tick_for(market->anchor);
    market->mean_interest = interest_value / market->anchor;
    market->price = market->anchor;
    market->interest = market->mean_interest;
}

/* Draws how the next `candles` (usually a fraction of one) go: the relative moves of price and of
 * open interest. */
static void step_cascade(struct market *market, double candles, double *move, double *flow)
{
    if (market->cascade_seconds <= 0) {
        if (random_unit(&market->random) >= CASCADE_CHANCE * candles)
            return;
        market->cascade_seconds =
            CANDLE_SECONDS * (1 + (CASCADE_CANDLES_MAX - 1) * random_unit(&market->random));
        market->cascade_direction = random_unit(&market->random) < 0.55 ? -1 : 1;
    }
    market->cascade_seconds -= candles * CANDLE_SECONDS;
    *move += market->cascade_direction * CASCADE_DRIFT * candles;
    *flow -= CASCADE_INTEREST_FALL * candles;
}

void market_step(struct market *market, double seconds)
{
    double candles = seconds / CANDLE_SECONDS, root = sqrt(candles);
    market->volatility_log +=
        -0.01 * candles * market->volatility_log + 0.09 * root * normal(&market->random);
    market->volatility_log =
        fmax(-VOLATILITY_LOG_LIMIT, fmin(VOLATILITY_LOG_LIMIT, market->volatility_log));
    double tail = random_unit(&market->random) < 0.02 ? 3 : 1;
    double move = VOLATILITY * exp(market->volatility_log) * tail * root * normal(&market->random);
    double flow = INTEREST_VOLATILITY * root * normal(&market->random) + 0.12 * fabs(move) * root;
    move -= ANCHOR_PULL * candles * log(market->price / market->anchor);
    flow -= INTEREST_PRICE_OFFSET * move;
    flow -= INTEREST_PULL * candles * log(market->interest / market->mean_interest);
    step_cascade(market, candles, &move, &flow);
    market->price = fmax(market->tick, market->price * exp(move));
    market->interest *= exp(flow);

    struct candle *candle = &market->candle.candle;
    candle->close_e8 = llround(round(market->price / market->tick) * market->tick * 1e8);
    if (candle->close_e8 > candle->high_e8)
        candle->high_e8 = candle->close_e8;
    if (candle->close_e8 < candle->low_e8)
        candle->low_e8 = candle->close_e8;
    double activity = 0.3 + fabs(move) / (VOLATILITY * root) + (tail > 1);
    candle->volume += market->mean_interest * 0.004 * candles * activity;
    market->candle.volume_e8 = llround(candle->volume * 1e8);
}

void market_begin_candle(struct market *market, int64_t open_time_ms)
{
    int64_t open_e8 = llround(round(market->price / market->tick) * market->tick * 1e8);
    market->candle = (struct kline_row){
        .candle = {.open_time_ms = open_time_ms,
                   .open_e8 = open_e8,
                   .high_e8 = open_e8,
                   .low_e8 = open_e8,
                   .close_e8 = open_e8},
        .close_time_ms = open_time_ms + CANDLE_MS - 1,
    };
    strcpy(market->candle.symbol, market->symbol);
}

struct interest_row market_interest(const struct market *market)
{
    struct interest_row row = {
        .timestamp_ms = market->candle.candle.open_time_ms + CANDLE_MS,
        .value_e8 = llround(market->interest * market->price * 1e8),
        .has_contracts = true,
        .contracts_e8 = llround(market->interest * 1e8),
    };
    strcpy(row.symbol, market->symbol);
    return row;
}

void market_resume(struct market *market, const struct candle *newest, int64_t interest_e8)
{
    market->price = (double)newest->close_e8 / 1e8;
    market->interest = (double)interest_e8 / 1e8 / market->price;
    market->random.state ^= (uint64_t)newest->open_time_ms;
    market_begin_candle(market, newest->open_time_ms);
    market->candle.candle = *newest;
    market->candle.volume_e8 = llround(newest->volume * 1e8);
}
