/* Any program that reaches Redis can publish on the channels. What passes as a snapshot must lie
 * inside the text, must pass again when it was numbered, by the way in which its numbers are
 * replaced too, and its data must stay what it was; what does not pass must say why. */
#include "fuzz.h"

#include "cluster/message.h"

#define EPOCH_MAX (UINT64_C(1) << 52)

static void check_snapshot(const struct message *message, const char *json, size_t size)
{
    check(message->data.data > json && message->data.data + message->data.size < json + size);
    check(message->data.data[0] == '{' && message->data.data[message->data.size - 1] == '}');
    check(!message->is_numbered || (message->epoch > 0 && message->seq > 0));
    check(message->epoch <= EPOCH_MAX);
}

static void check_numbered(const struct message *first, const char *json, size_t size)
{
    struct buffer numbered = {0};
    struct message again;
    message_append_numbered(&numbered, first, json, size, 7, 9);
    const char *text = buffer_text(&numbered);
    check(message_parse(&again, text, numbered.size, "BTCUSDT", EPOCH_MAX, NULL) == MESSAGE_OK);
    check(again.is_numbered && again.epoch == 7 && again.seq == 9);
    check(again.timestamp_ms == first->timestamp_ms);
    check(again.data.size == first->data.size);
    check(memcmp(again.data.data, first->data.data, first->data.size) == 0);
    buffer_deinit(&numbered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message message;
    struct error error = {0};
    char *json = fuzz_copy(data, size);
    enum message_fault fault = message_parse(&message, json, size, "BTCUSDT", EPOCH_MAX, &error);
    if (fault != MESSAGE_OK) {
        fuzz_check_refusal(STATUS_INVALID, &error);
    } else {
        check_snapshot(&message, json, size);
        check_numbered(&message, json, size);
    }
    free(json);
    return 0;
}
