/* A transfer is an easy handle with what its answer is collected in. It is in the client's list
 * until it ends, so that the client can cancel what is under way.
 *
 * Limits are kept where bytes come: take_head() counts those of heads, take_body() those of the
 * body after decompression, so that a small answer that inflates to gigabytes ends early. */
#include "link/http_client.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/slice.h"
#include "link/client_internal.h"
#include "link/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MS_PER_S = 1000 };

struct http_transfer {
    struct multi_entry entry;
    struct list link; /* in the client's transfers */
    struct http_client *client;
    char *url;
    struct curl_slist *header_lines;
    struct buffer body;
    size_t body_size, head_size; /* what came; the body's after decompression */
    size_t answer_bytes_max;
    bool has_whole_head; /* libcurl takes an answer that ends within its head for a whole one */
    bool is_too_large, is_stopped;
    bool (*on_bytes)(int status, const char *bytes, size_t size, void *context);
    void (*on_done)(const struct http_result *result, void *context);
    void *context;
    char error_text[CURL_ERROR_SIZE];
};

/* -- the client -------------------------------------------------------------------------------- */

struct http_client *http_client_create(uv_loop_t *loop, const struct http_client_options *options,
                                       struct error *error)
{
    const char *ca_file = options->ca_file != NULL ? options->ca_file : "";
    if (ca_file[0] != '\0' && access(ca_file, R_OK) != 0) {
        error_set(error, STATUS_INVALID, "the certificates to trust, '%s', cannot be read: %s",
                  ca_file, strerror(errno));
        return NULL;
    }
    struct multi *multi = multi_create(loop, error);
    if (multi == NULL)
        return NULL;
    struct http_client *client = memory_allocate_zeroed(1, sizeof *client);
    client->multi = multi;
    client->ca_file = memory_copy_string(ca_file);
    client->user_agent = memory_copy_string(options->user_agent);
    list_init(&client->transfers);
    return client;
}

void http_client_destroy(struct http_client *client)
{
    if (client == NULL)
        return;
    list_for_each_safe(link, following, &client->transfers)
        http_transfer_cancel(list_entry(link, struct http_transfer, link));
    check(client->websocket_count == 0);
    multi_destroy(client->multi);
    free(client->ca_file);
    free(client->user_agent);
    free(client);
}

/* -- what comes -------------------------------------------------------------------------------- */

static int status_of(const struct http_transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->entry.easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* One line of a head, or of the trailer behind a chunked body, with its end. */
static size_t take_head(char *bytes, size_t one, size_t size, void *context)
{
    struct http_transfer *transfer = context;
    (void)one;
    if (bytes[0] == '\r' || bytes[0] == '\n')
        transfer->has_whole_head = true;
    else if (slice_starts_with((struct slice){bytes, size}, "HTTP/"))
        transfer->has_whole_head = false;
    transfer->head_size += size;
    transfer->is_too_large = transfer->head_size > HTTP_ANSWER_HEAD_BYTES_MAX;
    return transfer->is_too_large ? 0 : size;
}

static size_t take_body(char *bytes, size_t one, size_t size, void *context)
{
    struct http_transfer *transfer = context;
    (void)one;
    if (size > transfer->answer_bytes_max - transfer->body_size) {
        transfer->is_too_large = true;
        return 0;
    }
    transfer->body_size += size;
    int status = status_of(transfer);
    if (transfer->on_bytes == NULL || status < 200 || status > 299) {
        buffer_append(&transfer->body, bytes, size);
        return size;
    }
    transfer->is_stopped = !transfer->on_bytes(status, bytes, size, transfer->context);
    return transfer->is_stopped ? 0 : size;
}

/* -- its end ----------------------------------------------------------------------------------- */

/* From here on it is no part of the client, which may be destroyed before the transfer is. */
static void detach(struct http_transfer *transfer)
{
    list_remove(&transfer->link);
    multi_remove(transfer->client->multi, &transfer->entry);
}

static void destroy(struct http_transfer *transfer)
{
    curl_easy_cleanup(transfer->entry.easy);
    curl_slist_free_all(transfer->header_lines);
    buffer_deinit(&transfer->body);
    free(transfer->url);
    free(transfer);
}

static enum http_outcome outcome_of(const struct http_transfer *transfer, CURLcode code)
{
    if (transfer->is_too_large)
        return HTTP_TOO_LARGE;
    if (transfer->is_stopped)
        return HTTP_STOPPED;
    if (code == CURLE_OK && !transfer->has_whole_head)
        return HTTP_CUT_OFF;
    return transport_outcome(transfer->entry.easy, code);
}

/* Which limit it was, or what libcurl says. */
static const char *words_for(const struct http_transfer *transfer, CURLcode code)
{
    if (transfer->is_too_large)
        return "over the limit that was set for it";
    if (code == CURLE_OK)
        return "within its head";
    return transfer->error_text[0] != '\0' ? transfer->error_text : curl_easy_strerror(code);
}

static void finish(struct multi_entry *entry, CURLcode code)
{
    struct http_transfer *transfer = list_entry(entry, struct http_transfer, entry);
    struct buffer message = {0};
    struct http_result result = {
        .outcome = outcome_of(transfer, code),
        .status = status_of(transfer),
        .body_size = transfer->body.size,
        .transfer = transfer,
    };
    const char *retry_after = http_result_header(&result, "Retry-After");
    result.retry_after_ms = retry_after != NULL ? transport_retry_after_ms(retry_after) : -1;
    result.body = buffer_text(&transfer->body);
    if (result.outcome != HTTP_ANSWERED)
        transport_append_message(&message, transfer->url, result.outcome,
                                 words_for(transfer, code));
    result.message = buffer_text(&message);
    detach(transfer);
    transfer->on_done(&result, transfer->context);
    buffer_deinit(&message);
    destroy(transfer);
}

void http_transfer_cancel(struct http_transfer *transfer)
{
    detach(transfer);
    destroy(transfer);
}

/* -- its start --------------------------------------------------------------------------------- */

static void add_header_line(struct http_transfer *transfer, const char *line)
{
    transfer->header_lines = curl_slist_append(transfer->header_lines, line);
    check(transfer->header_lines != NULL);
}

static void set_headers(struct http_transfer *transfer, const struct http_request *request)
{
    for (size_t i = 0; request->header_lines != NULL && request->header_lines[i] != NULL; i++)
        add_header_line(transfer, request->header_lines[i]);
    if (request->content_type != NULL) {
        struct buffer line = {0};
        buffer_append_format(&line, "Content-Type: %s", request->content_type);
        add_header_line(transfer, buffer_text(&line));
        buffer_deinit(&line);
    }
    curl_easy_setopt(transfer->entry.easy, CURLOPT_HTTPHEADER, transfer->header_lines);
}

static void set_method(CURL *easy, const struct http_request *request)
{
    if (request->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body);
    }
    if (strcmp(request->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (strcmp(request->method, request->body != NULL ? "POST" : "GET") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_limits(CURL *easy, const struct http_request *request)
{
    uint64_t silence_ms = request->silence_timeout_ms;
    if (silence_ms == 0)
        silence_ms = HTTP_SILENCE_TIMEOUT_MS;
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)((silence_ms + MS_PER_S - 1) / MS_PER_S));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->answer_bytes_max);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)HTTP_REDIRECTS_MAX);
    if (request->wants_gzip)
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

struct http_transfer *http_client_start(struct http_client *client,
                                        const struct http_request *request)
{
    struct http_transfer *transfer = memory_allocate_zeroed(1, sizeof *transfer);
    check(request->answer_bytes_max > 0);
    CURL *easy = transport_create(request->url, client->ca_file, request->connect_timeout_ms,
                                  transfer->error_text);
    transfer->entry = (struct multi_entry){.easy = easy, .on_done = finish};
    transfer->client = client;
    transfer->url = memory_copy_string(request->url);
    transfer->answer_bytes_max = request->answer_bytes_max;
    transfer->on_bytes = request->on_bytes;
    transfer->on_done = request->on_done;
    transfer->context = request->context;
    set_method(easy, request);
    set_headers(transfer, request);
    set_limits(easy, request);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    list_push_back(&client->transfers, &transfer->link);
    multi_add(client->multi, &transfer->entry);
    return transfer;
}

/* -- what an answer says ----------------------------------------------------------------------- */

const char *http_result_header(const struct http_result *result, const char *name)
{
    struct curl_header *header;
    enum { LAST_ANSWER = -1 };
    CURLHcode code =
        curl_easy_header(result->transfer->entry.easy, name, 0, CURLH_HEADER, LAST_ANSWER, &header);
    return code == CURLHE_OK ? header->value : NULL;
}

bool http_result_is_transient(const struct http_result *result)
{
    switch (result->outcome) {
    case HTTP_ANSWERED:
        return result->status == 408 || result->status == 425 || result->status == 429 ||
               result->status >= 500;
    case HTTP_NAME_UNKNOWN:
    case HTTP_NOT_CONNECTED:
    case HTTP_TLS_FAILED:
    case HTTP_PROXY_FAILED:
    case HTTP_TIMED_OUT:
    case HTTP_CUT_OFF:
    case HTTP_BROKEN:
        return true;
    case HTTP_NOT_TRUSTED:
    case HTTP_TOO_LARGE:
    case HTTP_REDIRECT_REFUSED:
    case HTTP_STOPPED:
    case HTTP_FAILED:
        return false;
    }
    check(false && "an outcome that nobody knows");
    return false;
}
