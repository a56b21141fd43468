/* permessage-deflate with foreign bytes. What stands behind the input's first byte is, as that byte
 * says, a header that offers extensions, a payload to inflate, or a text that must come back. */
#include "fuzz.h"

#include "wire/deflate.h"

enum { SIZE_MAX_ = 4096 };

static void negotiate(const char *list, size_t size)
{
    struct http_head head = {.header_count = 1,
                             .headers = {{{"Sec-WebSocket-Extensions", 24}, {list, size}}}};
    char answer[WS_DEFLATE_ANSWER_SIZE], again[WS_DEFLATE_ANSWER_SIZE];
    if (ws_deflate_negotiate(&head, answer) != WS_DEFLATE_ACCEPTED)
        return;
    check(strnlen(answer, sizeof answer) < sizeof answer);
    check(strncmp(answer, "permessage-deflate; ", 20) == 0);
    /* What is answered is a legal offer itself, and would be answered by the same. */
    head.headers[0].value = (struct slice){answer, strlen(answer)};
    check(ws_deflate_negotiate(&head, again) == WS_DEFLATE_ACCEPTED);
    check(strcmp(answer, again) == 0);
}

static void inflate_foreign(struct ws_inflater *inflater, const char *payload, size_t size)
{
    struct buffer once = {0}, twice = {0};
    enum ws_inflate_result result = ws_inflate(inflater, payload, size, SIZE_MAX_, &once);
    check(once.size <= SIZE_MAX_);
    check(ws_inflate(inflater, payload, size, SIZE_MAX_, &twice) == result); /* no memory of it */
    check(result != WS_INFLATE_DONE || once.size == twice.size);
    check(once.size == 0 || twice.size < once.size ||
          memcmp(once.data, twice.data, once.size) == 0);
    buffer_deinit(&once);
    buffer_deinit(&twice);
}

static void bring_back(struct ws_inflater *inflater, const char *text, size_t size)
{
    struct ws_deflater *deflater = ws_deflater_create();
    struct buffer payload = {0}, out = {0};
    ws_deflate(deflater, text, size, &payload);
    check(ws_inflate(inflater, payload.data, payload.size, size, &out) == WS_INFLATE_DONE);
    check(out.size == size && (size == 0 || memcmp(out.data, text, size) == 0));
    buffer_clear(&out);
    check(size == 0 ||
          ws_inflate(inflater, payload.data, payload.size, size - 1, &out) == WS_INFLATE_TOO_BIG);
    buffer_deinit(&payload);
    buffer_deinit(&out);
    ws_deflater_destroy(deflater);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *bytes = fuzz_copy(data + 1, size - 1);
    struct ws_inflater *inflater = ws_inflater_create();
    if (data[0] == 'n')
        negotiate(bytes, size - 1);
    else if (data[0] == 'b')
        bring_back(inflater, bytes, size - 1);
    else
        inflate_foreign(inflater, bytes, size - 1);
    ws_inflater_destroy(inflater);
    free(bytes);
    return 0;
}
