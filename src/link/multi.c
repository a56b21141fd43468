/* libcurl says which sockets it waits for, and for how long at most; libuv waits, and calls it when
 * something happens. A socket's poll handle lives until libuv has closed it, longer than the socket
 * itself may: that is allowed once polling has stopped.
 *
 *     libcurl -> on_socket(), on_timeout() -> uv_poll, uv_timer
 *     libuv -> poll_ready(), timer_fired() -> curl_multi_socket_action() -> settle() -> on_done
 *
 * libcurl must not be called from inside its callbacks, which is what `is_inside` checks. */
#include "link/multi.h"

#include "base/check.h"

#include <stdlib.h>

/* Connections that are kept, WebSockets among them, which libcurl would otherwise count against a
 * small cache and close requests' connections for. */
enum { CONNECTIONS_KEPT_MAX = 4096 };

struct multi {
    uv_loop_t *loop;
    CURLM *curl; /* NULL from multi_destroy() on */
    uv_timer_t timer;
    bool is_inside;
};

/* A socket that libcurl waits for. */
struct watch {
    uv_poll_t poll;
    struct multi *multi;
    curl_socket_t socket;
};

/* Calls on_done of all that is done; any of them may destroy the multi. */
static void settle(struct multi *multi)
{
    int left;
    CURLMsg *message;
    while (multi->curl != NULL && (message = curl_multi_info_read(multi->curl, &left)) != NULL) {
        struct multi_entry *entry = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&entry);
        entry->on_done(entry, code);
    }
}

static void act(struct multi *multi, curl_socket_t socket, int events)
{
    int running;
    check(!multi->is_inside);
    multi->is_inside = true;
    curl_multi_socket_action(multi->curl, socket, events, &running);
    multi->is_inside = false;
    settle(multi);
}

static void timer_fired(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void poll_ready(uv_poll_t *poll, int status, int events)
{
    const struct watch *watch = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(watch->multi, watch->socket, flags);
}

static int on_timeout(CURLM *curl, long timeout_ms, void *context)
{
    struct multi *multi = context;
    (void)curl;
    if (timeout_ms < 0) {
        uv_timer_stop(&multi->timer);
        return 0;
    }
    uv_update_time(multi->loop); /* callbacks may have taken a while */
    return uv_timer_start(&multi->timer, timer_fired, (uint64_t)timeout_ms, 0) == 0 ? 0 : -1;
}

static void free_watch(uv_handle_t *handle)
{
    free(handle->data);
}

static struct watch *begin_watch(struct multi *multi, curl_socket_t socket)
{
    struct watch *watch = memory_allocate_zeroed(1, sizeof *watch);
    watch->multi = multi;
    watch->socket = socket;
    if (uv_poll_init_socket(multi->loop, &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    curl_multi_assign(multi->curl, socket, watch);
    return watch;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *of_socket)
{
    struct multi *multi = context;
    struct watch *watch = of_socket;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            curl_multi_assign(multi->curl, socket, NULL);
            uv_poll_stop(&watch->poll);
            uv_close((uv_handle_t *)&watch->poll, free_watch);
        }
        return 0;
    }
    if (watch == NULL)
        watch = begin_watch(multi, socket);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return watch != NULL && uv_poll_start(&watch->poll, events, poll_ready) == 0 ? 0 : -1;
}

struct multi *multi_create(uv_loop_t *loop, struct error *error)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        error_set(error, STATUS_IO, "libcurl cannot be initialised");
        return NULL;
    }
    struct multi *multi = memory_allocate_zeroed(1, sizeof *multi);
    multi->loop = loop;
    multi->curl = curl_multi_init();
    check(multi->curl != NULL);
    check(uv_timer_init(loop, &multi->timer) == 0);
    multi->timer.data = multi;
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT_MAX);
    return multi;
}

static void free_multi(uv_handle_t *handle)
{
    free(handle->data);
    curl_global_cleanup();
}

void multi_destroy(struct multi *multi)
{
    check(!multi->is_inside);
    curl_multi_cleanup(multi->curl);
    multi->curl = NULL;
    uv_close((uv_handle_t *)&multi->timer, free_multi);
}

uv_loop_t *multi_loop(const struct multi *multi)
{
    return multi->loop;
}

void multi_add(struct multi *multi, struct multi_entry *entry)
{
    check(!multi->is_inside && !entry->is_added);
    curl_easy_setopt(entry->easy, CURLOPT_PRIVATE, entry);
    entry->is_added = true;
    check(curl_multi_add_handle(multi->curl, entry->easy) == CURLM_OK);
}

void multi_remove(struct multi *multi, struct multi_entry *entry)
{
    check(!multi->is_inside);
    if (entry->is_added)
        curl_multi_remove_handle(multi->curl, entry->easy);
    entry->is_added = false;
}
