/* Request heads come from any peer, before anything is known of the peer. The input is a head: the
 * parser must keep to its bytes, and a head that comes in two pieces must end as the whole one
 * does, since TCP cuts where it likes. What the fields of a whole one mean is asked, too, and the
 * same bytes are walked as a query. */
#include "fuzz.h"

#include "wire/http_fields.h"
#include "wire/http_head.h"

enum { SPLITS_MAX = 64 };

static bool slices_agree(struct slice one, struct slice other)
{
    return one.size == other.size && memcmp(one.data, other.data, one.size) == 0;
}

static void check_agreement(const struct http_head *one, const struct http_head *other)
{
    check(slices_agree(one->method, other->method) && slices_agree(one->target, other->target));
    check(slices_agree(one->authority, other->authority));
    check(slices_agree(one->path, other->path) && slices_agree(one->query, other->query));
    check(one->minor_version == other->minor_version && one->size == other->size);
    check(one->content_length == other->content_length);
    check(one->is_keep_alive == other->is_keep_alive);
    check(one->header_count == other->header_count);
    for (size_t i = 0; i < one->header_count; i++)
        check(slices_agree(one->headers[i].name, other->headers[i].name) &&
              slices_agree(one->headers[i].value, other->headers[i].value));
}

static void check_slice(struct slice slice, const char *bytes, size_t size)
{
    check(slice.data >= bytes && slice.data + slice.size <= bytes + size);
    for (size_t i = 0; i < slice.size; i++)
        check(slice.data[i] != '\0' && slice.data[i] != '\r' && slice.data[i] != '\n');
}

static void check_head(const struct http_head *head, const char *bytes, size_t size)
{
    check(head->size <= size && head->size <= HTTP_HEAD_SIZE_MAX);
    check(head->header_count <= HTTP_HEADERS_MAX);
    check(head->minor_version == 0 || head->minor_version == 1);
    check(head->method.size > 0 && head->target.size <= HTTP_TARGET_SIZE_MAX);
    if (slice_equals(head->method, "CONNECT"))
        check(head->path.size == 0 && head->authority.size > 0);
    else
        check(slice_starts_with(head->path, "/") ||
              (slice_equals(head->path, "*") && slice_equals(head->method, "OPTIONS")));
    check_slice(head->method, bytes, head->size);
    check_slice(head->target, bytes, head->size);
    check_slice(head->authority, bytes, head->size);
    check_slice(head->query, bytes, head->size);
    for (size_t i = 0; i < head->header_count; i++) {
        check(head->headers[i].name.size > 0);
        check_slice(head->headers[i].name, bytes, head->size);
        check_slice(head->headers[i].value, bytes, head->size);
    }
    check(head->minor_version == 0 || http_head_find(head, "host") != NULL);
    check((http_head_find(head, "transfer-encoding") != NULL) ==
          (head->content_length == HTTP_CONTENT_CHUNKED));
    if (http_head_has_token(head, "connection", "CLOSE"))
        check(!head->is_keep_alive);
    if (http_head_has_token(head, "upgrade", "websocket"))
        check(http_head_find(head, "upgrade") != NULL);
}

static void read_fields(const struct http_head *head)
{
    static const char *const etags[] = {"\"1\"", "W/\"a,b\""};
    struct slice host, port, chosen;
    const struct slice *value = http_head_find_only(head, "Host");
    if (value != NULL)
        check(http_authority_split(*value, &host, &port) && host.size + port.size <= value->size);
    if (http_accepts_gzip(head))
        check(http_head_find(head, "accept-encoding") != NULL);
    for (size_t i = 0; i < 2; i++) /* what is equal strongly is so weakly */
        check(!http_etag_matches(head, "If-None-Match", etags[i], false) ||
              http_etag_matches(head, "If-None-Match", etags[i], true));
    if (http_choose_subprotocol(head, "heatcast.v1", &chosen))
        check(http_head_find(head, "sec-websocket-protocol") != NULL && chosen.size > 0);
}

/* A path in its normal form is shorter or as long. */
static void normalize(struct slice path)
{
    char *text = memory_allocate(path.size + 1);
    check(http_path_normalize(path, text, path.size + 1) && strlen(text) <= path.size);
    free(text);
}

/* Pairs end, shorten the query, and are decoded within their buffers. */
static void walk_query(struct slice query, size_t name_size, size_t value_size)
{
    char *name = memory_allocate(name_size), *value = memory_allocate(value_size);
    bool is_valid;
    for (size_t left = query.size;
         http_query_next(&query, name, name_size, value, value_size, &is_valid);
         left = query.size) {
        check(query.size < left);
        if (is_valid)
            check(memchr(name, '\0', name_size) != NULL && memchr(value, '\0', value_size) != NULL);
    }
    check(query.size == 0);
    free(name);
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = fuzz_copy(data, size);
    struct http_head whole, part;
    enum http_head_result result = http_head_parse(&whole, bytes, size);
    if (result == HTTP_HEAD_DONE) {
        check_head(&whole, bytes, size);
        read_fields(&whole);
        normalize(whole.path);
        walk_query(whole.query, 32, 64);
    }
    for (size_t cut = 0; cut < size; cut += size / SPLITS_MAX + 1) {
        char *piece = fuzz_copy(data, cut);
        enum http_head_result early = http_head_parse(&part, piece, cut);
        check(early == HTTP_HEAD_NEEDS_MORE || early == result);
        if (early == HTTP_HEAD_DONE)
            check_agreement(&part, &whole);
        free(piece);
    }
    walk_query((struct slice){bytes, size}, 8, 16);
    free(bytes);
    return 0;
}
