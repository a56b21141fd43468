/* Text messages of a WebSocket must be valid UTF-8, and an invalid one has to be refused as early
 * as its bytes show it (RFC 6455 §8.1), however it is cut into frames. So this is a state machine
 * of three bytes that is fed pieces of any size and keeps nothing else. */
#include "base/utf8.h"

/* The table of well-formed byte sequences, RFC 3629 §4: the lead byte decides how many bytes
 * follow and how far the first of them is narrowed (no overlong forms, no surrogates, nothing
 * above U+10FFFF). */
static bool begin_character(struct utf8 *state, uint8_t lead)
{
    *state = (struct utf8){0};
    if (lead < 0x80)
        return true;
    if (lead >= 0xC2 && lead <= 0xDF) {
        state->missing = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        state->missing = 2;
        state->low = lead == 0xE0 ? 0xA0 : 0x80;
        state->high = lead == 0xED ? 0x9F : 0xBF;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        state->missing = 3;
        state->low = lead == 0xF0 ? 0x90 : 0x80;
        state->high = lead == 0xF4 ? 0x8F : 0xBF;
    } else {
        return false;
    }
    return true;
}

bool utf8_feed(struct utf8 *state, const void *bytes, size_t size)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < size; i++) {
        if (state->missing == 0) {
            if (!begin_character(state, byte[i]))
                return false;
            continue;
        }
        uint8_t low = state->high != 0 ? state->low : 0x80;
        uint8_t high = state->high != 0 ? state->high : 0xBF;
        if (byte[i] < low || byte[i] > high)
            return false;
        state->missing--;
        state->low = state->high = 0;
    }
    return true;
}

size_t utf8_sequence_size(const char *text, size_t size)
{
    struct utf8 state = {0};
    for (size_t length = 1; length <= 4 && length <= size; length++) {
        if (!utf8_feed(&state, text + length - 1, 1))
            return 0;
        if (utf8_is_complete(&state))
            return length;
    }
    return 0;
}
