/* The candles of a range, as the tables have them or joined to longer ones: what a chart shows
 * behind the map. No model is run. */
#include "engine/question.h"

static void write_candle(struct json *json, const struct candle *candle)
{
    json_open_object(json);
    json_member_time(json, "timestamp", candle->open_time_ms);
    json_member_decimal(json, "open", candle->open_e8);
    json_member_decimal(json, "high", candle->high_e8);
    json_member_decimal(json, "low", candle->low_e8);
    json_member_decimal(json, "close", candle->close_e8);
    json_member_number(json, "volume", candle->volume);
    json_close_object(json);
}

static enum status answer(struct question *question, struct buffer *out, struct error *error)
{
    enum status status = question_check_count(question, false, error);
    if (status == STATUS_OK)
        status = question_load_candles(question, error);
    if (status != STATUS_OK)
        return status;
    struct json json = json_start(out);
    json_open_object(&json);
    json_key(&json, "data");
    json_open_array(&json);
    for (size_t i = 0; i < question->series.count; i++)
        write_candle(&json, &question->series.candles[i]);
    json_close_array(&json);
    question_open_meta(question, &json);
    json_close_object(&json);
    json_close_object(&json);
    return STATUS_OK;
}

static const struct question_type type = {.name = "candles", .answer = answer};

enum status history_candles(struct history *history, const struct range *range,
                            const struct question_limits *limits, struct buffer *out,
                            struct error *error)
{
    enum status status = range_check_no_part(range, error);
    if (status != STATUS_OK)
        return status;
    return question_ask(history, &type, range, limits, out, error);
}
