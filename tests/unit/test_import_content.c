/* What a file holds is told by its header, its rows and its folders, and what is not what it seems
 * is refused: nothing of it reaches the database. */
#include "foreign_database.h"
#include "import_fixture.h"

#include "base/buffer.h"

#define SIX "open_time,open,high,low,close,volume\n"
#define MINUTES_TEXT_SIZE 65536

/* Candles of one price that are `step` minutes apart, with a volume and without a close time. */
static const char *candles_apart(int count, int step)
{
    static char text[MINUTES_TEXT_SIZE];
    size_t size = (size_t)snprintf(text, sizeof text, SIX);
    for (int i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%lld,9,9,9,9,1\n",
                                 (long long)(T0 + i * step * MINUTE_MS));
    return text;
}

static void assert_refused(void **state, const char *path, const char *words)
{
    struct outcome outcome = run_new(state, NULL, false, path);
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_says(&outcome, words);
    assert_int_equal(outcome.klines.rows_new + outcome.interest.rows_new, 0);
}

/* -- headers ----------------------------------------------------------------------------------- */

static void columns_in_another_order_are_taken_by_name(void **state)
{
    const char *path =
        put(state, "BTCUSDT-5m-x.csv",
            "open_time,close,high,low,open,volume\n1764547200000,101,103,97,100,5\n");
    assert_int_equal(run_new(state, NULL, true, path).status, STATUS_OK);
    struct series series = stored(state, "BTCUSDT");
    assert_int_equal(series.count, 1);
    assert_int_equal(series.candles[0].open_e8, 100 * DECIMAL_ONE);
    assert_int_equal(series.candles[0].close_e8, 101 * DECIMAL_ONE);
    series_deinit(&series);
}

/* As spreadsheets and scripts write them; each holds the same candle. */
static void files_that_went_through_scripts_are_read(void **state)
{
    static const char *const files[] = {
        ",timestamp,open,high,low,close,volume\n0,2025-12-01 00:00:00,100,103,97,101,5\n",
        "Unnamed: 0,Date,Open,High,Low,Close,Volume\n0,2025-12-01T00:00:00Z,100,103,97,101,5\n",
        "\"Open time\";\"Open\";\"High\";\"Low\";\"Close\";\"Volume\"\n"
        "\"1764547200000.0\";\"100\";\"103\";\"97\";\"101\";\"5\"\n",
        "t\to\th\tl\tc\tv\n1.7645472e+12\t100\t103\t97\t101\t5\n",
        SIX "1764547200000000000,100,103,97,101,5\n",
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
        "taker_buy_quote_volume\n1764547200000,100,103,97,101,5,,nan,None,NULL,\n",
        "open_time,open,high,low,close,volume,\n1764547200000,100,103,97,101,5,\n",
        "open_time,open,high,low,close,volume,\n1764547200000,100,103,97,101,5\n",
        "\xEF\xBB\xBF"
        "date,open,high,low,close,volume\r\n2025-12-01,100,103,97,101,5\r\n",
        "https://www.example.com\nUnix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT\n"
        "1764547200,2025-12-01 00:00:00,BTCUSDT,100,103,97,101,5,500\n",
        "1764547200000,100,103,97,101,5\n",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct outcome outcome =
            run_new(state, NULL, true, put(state, "BTCUSDT-5m-x.csv", files[i]));
        if (outcome.status != STATUS_OK)
            fail_msg("%s: %s", files[i], outcome.problem);
        assert_int_equal(outcome.klines.rows_new, i == 0);
    }
    struct series series = stored(state, "BTCUSDT");
    assert_int_equal(series.count, 1);
    assert_int_equal(series.candles[0].close_e8, 101 * DECIMAL_ONE);
    series_deinit(&series);
}

static void a_header_that_lacks_a_column_says_which(void **state)
{
    assert_refused(state,
                   put(state, "BTCUSDT-5m-x.csv", "open_time,open,high,low,volume\n" KLINE_0),
                   "has no column close");
    assert_refused(state, put(state, "BTCUSDT-5m-x.csv", "alpha,beta\n" KLINE_0),
                   "'alpha,beta' is not known");
    assert_refused(state, put(state, "BTCUSDT-metrics-x.csv", "create_time,symbol,a,b\n" METRIC_0),
                   "is not known");
}

static void headers_in_the_middle_may_differ(void **state)
{
    const char *path =
        put(state, "BTCUSDT-5m-x.csv",
            SIX "1764547200000,100,103,97,101,5\n"
                "close,low,high,open,volume,date\n102,98,104,101,5,2025-12-01 00:05\n"
                "what,ever\n");
    struct outcome outcome = run_new(state, NULL, false, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_new, 2);
    assert_int_equal(outcome.klines.rows_bad, 1);
    struct series series = stored(state, "BTCUSDT");
    assert_int_equal(series.candles[1].close_e8, 102 * DECIMAL_ONE);
    series_deinit(&series);
    assert_refused(state, put(state, "ETHUSDT-5m-x.csv", SIX KLINE_0 METRICS_HEADER METRIC_0),
                   "rows of several kinds");
}

static void a_header_says_what_a_file_holds_whatever_its_name(void **state)
{
    struct outcome outcome =
        run_new(state, NULL, true, put(state, "BTCUSDT-5m-x.csv", METRICS_HEADER METRIC_0));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.interest.rows_new, 1);
}

static void a_symbol_column_says_whose_candles_they_are(void **state)
{
    const char *path = put(state, "all.csv",
                           "symbol,open_time,open,high,low,close,volume\n"
                           "BTCUSDT,1764547200000,100,103,97,101,5\n"
                           "ETHUSDT,1764547200000,10,13,7,11,5\n");
    struct outcome outcome = run_new(state, NULL, true, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_new, 2);
    assert_stored(state, "ETHUSDT", 1);
    outcome = run_new(state, "BTCUSDT", false, path);
    assert_int_equal(outcome.klines.rows_bad, 1);
    assert_says(&outcome, "symbol ETHUSDT is not BTCUSDT");
}

/* -- candles of other things ------------------------------------------------------------------- */

static void candles_of_another_interval_are_refused(void **state)
{
    static const struct {
        int step;
        const char *words;
    } cases[] = {{1, "the rows are 1m apart"}, {15, "the rows are 15m apart"}, {60, "1h apart"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int count = 3; count < 600; count *= 4)
            assert_refused(state,
                           put(state, "BTCUSDT-5m-x.csv", candles_apart(count, cases[i].step)),
                           cases[i].words);
    assert_refused(state, put(state, "BTCUSDT-5m-x.csv", candles_apart(100, 7)),
                   "most rows do not begin at a multiple of 5 minutes");
    /* Hours with a hole at the start. */
    assert_refused(state,
                   put(state, "BTCUSDT-5m-x.csv",
                       SIX "1764547200000,9,9,9,9,1\n1764554400000,9,9,9,9,1\n"
                           "1764558000000,9,9,9,9,1\n1764561600000,9,9,9,9,1\n"),
                   "the rows are 1h apart");
}

static void candles_with_holes_are_no_other_interval(void **state)
{
    struct outcome outcome = run_new(
        state, NULL, true,
        put(state, "BTCUSDT-5m-x.csv",
            SIX "1764547200000,9,9,9,9,1\n1764550800000,9,9,9,9,1\n1764551100000,9,9,9,9,1\n"));
    assert_int_equal(outcome.klines.rows_new, 3);
    outcome = run_new(state, NULL, true,
                      put(state, "BTCUSDT-5m-x.csv",
                          SIX "1764633600000,9,9,9,9,1\n"
                              "1764720000000,9,9,9,9,1\n"));
    assert_int_equal(outcome.klines.rows_new, 2);
    /* Hourly, and each row says that it is of five minutes. */
    outcome = run_new(state, NULL, true,
                      put(state, "ETHUSDT-5m-x.csv",
                          "1764547200000,9,9,9,9,1,1764547499999,,,,,0\n"
                          "1764550800000,9,9,9,9,1,1764551099999,,,,,0\n"
                          "1764554400000,9,9,9,9,1,1764554699999,,,,,0\n"));
    assert_int_equal(outcome.klines.rows_new, 3);
}

static void candles_of_prices_that_nobody_trades_at_are_refused(void **state)
{
    static const char rows[] = "1764547200000,100,103,97,101,0,1764547499999,0,300,0,0,0\n"
                               "1764547500000,101,104,98,102,0,1764547799999,0,300,0,0,0\n";
    assert_refused(state, put(state, "BTCUSDT-5m-x.csv", rows), "index price or a mark price");
    assert_refused(state,
                   put(state, "BTCUSDT-5m-x.csv",
                       "1764547200000,0.0001,0.0002,-0.0001,0.0001,0,1764547499999,0,300,0,0,0\n"),
                   "premium index");
    /* Nobody trades during a halt, but then the price does not move either. */
    struct outcome outcome =
        run_new(state, NULL, true,
                put(state, "BTCUSDT-5m-x.csv",
                    "1764547200000,100,100,100,100,0,1764547499999,0,0,0,0,0\n"));
    assert_int_equal(outcome.klines.rows_new, 1);
    outcome = run_new(state, NULL, true,
                      put(state, "ETHUSDT-5m-x.csv",
                          "1764547200000,100,103,97,101,0,1764547499999,0,300,0,0,0\n" KLINE_1));
    assert_int_equal(outcome.klines.rows_new, 2);
}

static void a_folder_of_other_prices_is_passed_over(void **state)
{
    put(state, "um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.csv", KLINE_0);
    put(state, "um/daily/indexPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.csv",
        "1764547200000,500,503,497,501,5,1764547499999,,,,,0\n");
    put(state, "cm/daily/metrics/BTCUSD_PERP/BTCUSD_PERP-metrics-2025-12-01.csv",
        METRICS_HEADER METRIC_0);
    struct outcome outcome = run_new(state, NULL, true, path_in(state, "."));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.problems, 0);
    assert_int_equal(outcome.klines.files, 1);
    assert_int_equal(outcome.interest.files, 0);
    assert_non_null(strstr(outcome.notes, "passed over 1 file (indexPriceKlines; "));
    assert_non_null(strstr(outcome.notes, "passed over 1 file (metrics of the coin-margined"));
    struct series series = stored(state, "BTCUSDT");
    assert_int_equal(series.candles[0].open_e8, 100 * DECIMAL_ONE);
    series_deinit(&series);
    assert_refused(state,
                   path_in(state, "um/daily/indexPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.csv"),
                   "these are indexPriceKlines");
}

/* Their open interest counts contracts of 100 USD, and coins where others have USD; whatever the
 * file is called. */
static void rows_of_coin_margined_contracts_are_bad(void **state)
{
    static const char row[] = "2025-12-01 00:05:00,BTCUSD_PERP,8000000,9000,,,,\n";
    char text[512];
    snprintf(text, sizeof text, "%s%s%s", METRICS_HEADER, METRIC_0, row);
    struct outcome outcome = run_new(state, NULL, false, put(state, "metrics.csv", text));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.interest.rows_new, 1);
    assert_int_equal(outcome.interest.rows_bad, 1);
    assert_says(&outcome, "metrics.csv:3: symbol BTCUSD_PERP is of the coin-margined market");
    outcome = run_new(state, "BTCUSD_260626", false, put(state, "BTCUSDT-5m-x.csv", KLINE_0));
    assert_int_equal(outcome.klines.rows_new, 0);
    assert_int_equal(outcome.status, STATUS_INVALID);
}

/* -- what is stored already ---------------------------------------------------------------------
 */

static void what_differs_from_what_is_stored_is_told(void **state)
{
    static const char other[] = "1764547500000,101,104,98,102.5,6,1764547799999,,,,,0\n";
    char text[512];
    struct outcome outcome =
        run_new(state, NULL, true, put(state, "BTCUSDT-5m-a.csv", KLINE_0 KLINE_1));
    assert_int_equal(outcome.klines.rows_new, 2);
    outcome = run_new(state, NULL, true, put(state, "BTCUSDT-5m-b.csv", KLINE_0 KLINE_1 KLINE_2));
    assert_string_equal(outcome.notes, ""); /* the same rows are no other ones */
    snprintf(text, sizeof text, "%s%s", KLINE_0, other);
    outcome = run_new(state, NULL, true, put(state, "BTCUSDT-5m-c.csv", text));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.problems, 0);
    assert_non_null(strstr(outcome.notes,
                           "BTCUSDT-5m-c.csv: 1 row differs from what is stored, which stays (line "
                           "2: close 102.50000000, stored is 102.00000000); --replace"));
    struct series series = stored(state, "BTCUSDT");
    assert_int_equal(series.candles[1].close_e8, 102 * DECIMAL_ONE);
    series_deinit(&series);
}

static void rows_of_one_file_that_differ_are_told(void **state)
{
    struct outcome outcome =
        run_new(state, NULL, true,
                put(state, "BTCUSDT-metrics-x.csv",
                    METRICS_HEADER METRIC_0 METRIC_1 "2025-12-01 00:00:00,BTCUSDT,11,1001,,,,\n"
                                                     "2025-12-01 00:00:00,BTCUSDT,11,1002,,,,\n"));
    assert_int_equal(outcome.interest.rows_new, 2);
    assert_non_null(strstr(outcome.notes,
                           "2 rows differ from what is stored, which stays (line 4: "
                           "open_interest_value 1001.00000000, stored is 1000.00000000)"));
}

/* -- markets ----------------------------------------------------------------------------------- */

static struct outcome run_market(void **state, enum archive_market market, const char *path)
{
    struct outcome outcome = {0};
    struct import_summary summaries[IMPORT_KIND_COUNT];
    struct store *store = open_store(database(state), STORE_OWNER);
    outcome.status = import_run(
        &(struct import_options){
            .store = store, .market = market, .on_problem = on_problem, .context = &outcome},
        &path, 1, summaries, &outcome.error);
    outcome.klines = summaries[IMPORT_KLINES];
    store_close(store);
    return outcome;
}

static void one_series_is_of_one_market(void **state)
{
    const char *spot = put(state, "spot/BTCUSDT-5m-a.csv", KLINE_0);
    const char *future = put(state, "um/BTCUSDT-5m-a.csv", KLINE_1);
    const char *unknown = put(state, "BTCUSDT-5m-a.csv", KLINE_2);
    assert_refused(state, spot, "5m klines of the spot market");
    assert_int_equal(run_market(state, ARCHIVE_MARKET_USD_M, future).klines.rows_new, 1);
    struct outcome outcome = run_market(state, ARCHIVE_MARKET_SPOT, spot);
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_says(&outcome, "the candles of BTCUSDT that are stored are of another market");
    outcome = run_market(state, ARCHIVE_MARKET_SPOT, unknown);
    assert_says(&outcome, "another market than 'spot'");
    assert_int_equal(run_market(state, ARCHIVE_MARKET_UNKNOWN, unknown).klines.rows_new, 1);
    assert_stored(state, "BTCUSDT", 2);
}

static void a_series_of_the_spot_market_stays_one(void **state)
{
    const char *spot = put(state, "spot/BTCUSDT-5m-a.csv", KLINE_0);
    const char *future = put(state, "um/BTCUSDT-5m-a.csv", KLINE_1);
    const char *unknown = put(state, "BTCUSDT-5m-a.csv", KLINE_2);
    assert_int_equal(run_market(state, ARCHIVE_MARKET_SPOT, spot).klines.rows_new, 1);
    assert_refused(state, future, "another market than 'um'");
    assert_refused(state, unknown, "another market than 'um'");
    assert_int_equal(run_market(state, ARCHIVE_MARKET_SPOT, unknown).klines.rows_new, 1);
    assert_stored(state, "BTCUSDT", 2);
}

static void candles_of_an_unknown_market_are_not_joined_by_those_of_spot(void **state)
{
    const char *unknown = put(state, "BTCUSDT-5m-a.csv", KLINE_2);
    const char *spot = put(state, "spot/BTCUSDT-5m-a.csv", KLINE_0);
    assert_int_equal(run_market(state, ARCHIVE_MARKET_UNKNOWN, unknown).klines.rows_new, 1);
    struct outcome outcome = run_market(state, ARCHIVE_MARKET_SPOT, spot);
    assert_says(&outcome, "nothing says that they are of the market 'spot'");
    assert_stored(state, "BTCUSDT", 1);
}

/* -- nothing, and times that cannot be --------------------------------------------------------- */

/* A long file is written while it is read; when its last row is bad, all of it is taken back. */
static void the_market_is_noted_with_the_first_file_that_is_stored(void **state)
{
    enum { LONG = 12000 };
    struct buffer text = {0};
    for (int i = 0; i < LONG; i++)
        buffer_append_format(&text, "%lld,100,103,97,101,5,%lld,,,,,0\n",
                             (long long)(T0 + i * CANDLE_MS),
                             (long long)(T0 + (i + 1) * CANDLE_MS - 1));
    buffer_append_text(&text, "rubbish\n");
    put(state, "um/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.csv", buffer_text(&text));
    put(state, "um/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-02.csv", KLINE_1);
    put(state, "um/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-03.csv", KLINE_2);
    struct outcome outcome = run_new(state, NULL, true, path_in(state, "um"));
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_int_equal(outcome.klines.rows_new, 2);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM symbol_markets WHERE "
                                                  "symbol = 'BTCUSDT' AND market = 'um'"),
                     1);
    buffer_deinit(&text);
}

static void rows_of_many_symbols_may_alternate(void **state)
{
    enum { SYMBOLS = 40, CANDLES = 20 };
    struct buffer text = {0};
    buffer_append_text(&text, "open_time,symbol,open,high,low,close,volume\n");
    for (int i = 0; i < CANDLES; i++)
        for (int k = 0; k < SYMBOLS; k++)
            buffer_append_format(&text, "%lld,S%dUSDT,%d,200,90,100,5\n",
                                 (long long)(T0 + i * CANDLE_MS), k, 100 + k);
    struct outcome outcome = run_new(state, NULL, true, put(state, "all.csv", buffer_text(&text)));
    assert_int_equal(outcome.klines.rows_new, SYMBOLS * CANDLES);
    assert_int_equal(ask_foreign(database(state),
                                 "SELECT count(*) FROM klines_5m_history WHERE open::INT = 100 + "
                                 "symbol[2:-5]::INT"),
                     SYMBOLS * CANDLES);
    buffer_deinit(&text);
}

static void a_file_without_a_row_is_no_success(void **state)
{
    static const char *const empty[] = {"", "\n\n", KLINE_HEADER, "\xEF\xBB\xBF"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++)
        assert_refused(state, put(state, "BTCUSDT-5m-x.csv", empty[i]), "holds no row");
}

static void a_row_of_the_future_is_bad(void **state)
{
    const char *path = put(state, "BTCUSDT-5m-x.csv",
                           KLINE_0 "4070908800000,100,103,97,101,5,4070909099999,,,,,0\n");
    struct outcome outcome = run_new(state, NULL, false, path);
    assert_int_equal(outcome.klines.rows_new, 1);
    assert_says(&outcome, ":2: 2099-01-01T00:00:00Z is in the future");
    path = put(state, "BTCUSDT-metrics-x.csv",
               METRICS_HEADER METRIC_0 "2099-01-01 00:00:00,BTCUSDT,10,1000,,,,\n");
    outcome = run_new(state, NULL, false, path);
    assert_int_equal(outcome.interest.rows_new, 1);
    assert_says(&outcome, ":3: 2099-01-01T00:00:00Z is in the future");
}

static void what_is_passed_over_in_a_folder_is_counted_and_named(void **state)
{
    put(state, "in/BTCUSDT-5m-2025-12-01.csv", KLINE_0);
    put(state, "in/BTCUSDT-5m-2025-12-01.zip.CHECKSUM", "not counted");
    for (int i = 1; i <= 5; i++) {
        char name[64];
        snprintf(name, sizeof name, "in/BTCUSDT-1m-2025-12-0%d.csv", i);
        put(state, name, "not read");
    }
    put(state, "in/README.md", "not read");
    struct outcome outcome = run_new(state, NULL, true, path_in(state, "in"));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.problems, 0);
    assert_non_null(strstr(outcome.notes, "passed over 5 files (1m klines; only 5m klines are "
                                          "imported): "));
    assert_non_null(strstr(outcome.notes, "BTCUSDT-1m-2025-12-03.csv, ..."));
    assert_non_null(strstr(outcome.notes, "passed over 1 file (their names are none of the "));
    assert_non_null(strstr(outcome.notes, "README.md"));
    assert_null(strstr(outcome.notes, "CHECKSUM"));
}

static void text_of_another_kind_is_refused_once(void **state)
{
    assert_refused(state,
                   put(state, "BTCUSDT-5m-1.csv",
                       "\xff\xfe"
                       "1,2,3\n4,5,6\n"),
                   "it is UTF-16");
    assert_refused(
        state,
        put(state, "BTCUSDT-5m-2.csv", "1764547200000,100,103,97,101,5\r1764547500000,1,1,1,1,5\r"),
        "its lines end with CR alone");
}

static void figures_that_no_column_holds_are_told_once(void **state)
{
    const char *path = put(state, "BTCUSDT-5m-2025-12-01.csv",
                           "1764547200000,100,103,97,101,5,,,,,,0\n"
                           "1764547500000,101,104,98,102,20000000000.5,,,,3e10,,0\n"
                           "1764547800000,102,105,99,103,5,,,,1e10,,0\n");
    struct outcome outcome = run_new(state, NULL, false, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_new, 3);
    assert_int_equal(outcome.klines.rows_bad, 0);
    assert_int_equal(outcome.problems, 1);
    assert_says(&outcome, "2 rows have a figure that is too large for the database's column, and "
                          "unknown there (line 2: volume 20000000000.5)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(text_of_another_kind_is_refused_once),
        in_folder(figures_that_no_column_holds_are_told_once),
        in_folder(columns_in_another_order_are_taken_by_name),
        in_folder(files_that_went_through_scripts_are_read),
        in_folder(a_header_that_lacks_a_column_says_which),
        in_folder(headers_in_the_middle_may_differ),
        in_folder(a_header_says_what_a_file_holds_whatever_its_name),
        in_folder(a_symbol_column_says_whose_candles_they_are),
        in_folder(candles_of_another_interval_are_refused),
        in_folder(candles_with_holes_are_no_other_interval),
        in_folder(candles_of_prices_that_nobody_trades_at_are_refused),
        in_folder(a_folder_of_other_prices_is_passed_over),
        in_folder(rows_of_coin_margined_contracts_are_bad),
        in_folder(what_differs_from_what_is_stored_is_told),
        in_folder(rows_of_one_file_that_differ_are_told),
        in_folder(one_series_is_of_one_market),
        in_folder(a_series_of_the_spot_market_stays_one),
        in_folder(candles_of_an_unknown_market_are_not_joined_by_those_of_spot),
        in_folder(the_market_is_noted_with_the_first_file_that_is_stored),
        in_folder(rows_of_many_symbols_may_alternate),
        in_folder(a_file_without_a_row_is_no_success),
        in_folder(a_row_of_the_future_is_bad),
        in_folder(what_is_passed_over_in_a_folder_is_counted_and_named),
    };
    return cmocka_run_group_tests_name("import_content", tests, NULL, NULL);
}
