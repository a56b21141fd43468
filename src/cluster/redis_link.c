/* hiredis frees a context by itself when its connection ends, after it has called back for each
 * command that waits. So a context belongs to the link only while context->data points to it:
 * let_go() clears that first, and every callback checks it.
 *
 * Names are resolved on libuv's thread pool, because hiredis would block until the answer, and
 * again for each connection, because a failover may have moved the name. All addresses of a name
 * are tried before the next wait.
 *
 * A connection that stands may still be dead: a peer that vanished without a FIN, a proxy with
 * nothing behind it. So every command has a deadline for its reply. After this process itself was
 * stopped for a while (SIGSTOP, a suspended machine), a reply may lie unread in the socket, and
 * the deadlines are counted from the next tick. */
#include "cluster/redis_link.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "cluster/redis_poll.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS_NS UINT64_C(1000000)

/* Tags of the greeting; the owner's begin at 0. */
enum { TAG_AUTH = UINT32_MAX - 2, TAG_SELECT, TAG_PING };

static void connect_next(struct redis_link *link);

/* -- waiting ----------------------------------------------------------------------------------- */

static void log_loss(struct redis_link *link)
{
    if (strcmp(link->reason, link->logged) == 0)
        return;
    strcpy(link->logged, link->reason);
    char url[REDIS_URL_TEXT_SIZE];
    log_warn("no connection to Redis; trying again", log_text("link", link->name),
             log_text("redis", redis_url_format(link->url, url)), log_text("reason", link->reason));
}

static void begin_wait(struct redis_link *link, uint64_t now_ns)
{
    uint64_t wait_ms = backoff_next_ms(&link->backoff);
    link->state = LINK_WAITING;
    link->due_ns = now_ns + wait_ms * MS_NS;
    log_debug("Redis link waits", log_text("link", link->name), log_int("ms", (int64_t)wait_ms),
              log_text("reason", link->reason));
}

/* The context is gone already: tries the host's next address, or waits. */
static void lost(struct redis_link *link, const char *reason)
{
    uint64_t now_ns = clock_monotonic_ns();
    bool was_ready = link->state == LINK_READY;
    snprintf(link->reason, sizeof link->reason, "%s", reason);
    for (char *c = link->reason; *c != '\0'; c++) /* what Redis says may hold anything */
        if ((unsigned char)*c < ' ')
            *c = ' ';
    if (!was_ready && link->address_next < link->address_count) {
        connect_next(link);
        return;
    }
    if (was_ready && now_ns - link->ready_ns > LINK_STEADY_MS * MS_NS)
        backoff_reset(&link->backoff);
    begin_wait(link, now_ns);
    log_loss(link);
    if (was_ready) {
        link->losses++;
        link->events->on_lost(link);
    }
}

static redisAsyncContext *let_go(struct redis_link *link)
{
    redisAsyncContext *context = link->context;
    link->context = NULL;
    context->data = NULL;
    return context;
}

static void drop_context(struct redis_link *link)
{
    if (link->context != NULL)
        redisAsyncFree(let_go(link));
}

/* -- the connection ---------------------------------------------------------------------------- */

static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis_link *link = context->data;
    if (status == REDIS_OK || link == NULL)
        return;
    let_go(link);
    lost(link, context->errstr);
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct redis_link *link = context->data;
    if (link == NULL)
        return;
    let_go(link);
    lost(link, status != REDIS_OK ? context->errstr : "the connection has ended");
}

static void become_ready(struct redis_link *link)
{
    link->state = LINK_READY;
    link->ready_ns = clock_monotonic_ns();
    link->reason[0] = '\0';
    log_debug("Redis link ready", log_text("link", link->name));
    if (link->logged[0] != '\0')
        log_info("connected to Redis again", log_text("link", link->name));
    link->logged[0] = '\0';
    link->events->on_ready(link);
}

static void on_greeting(struct redis_link *link, uint32_t tag, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        redis_link_fail(link, reply->str);
        return;
    }
    if (tag == TAG_PING)
        become_ready(link);
}

/* hiredis carries a pointer for its callers; this one is a number, and never followed. */
static void *pack_tag(uint32_t tag)
{
    return (void *)(uintptr_t)tag; /* NOLINT(performance-no-int-to-ptr) */
}

static uint32_t unpack_tag(const void *data)
{
    return (uint32_t)(uintptr_t)data;
}

static void on_reply(redisAsyncContext *context, void *reply, void *data)
{
    struct redis_link *link = context->data;
    uint32_t tag = unpack_tag(data);
    if (link == NULL || reply == NULL) /* NULL: on_disconnect() follows */
        return;
    link->awaited--;
    link->progress_ns = clock_monotonic_ns();
    if (tag >= TAG_AUTH)
        on_greeting(link, tag, reply);
    else
        link->events->on_reply(link, tag, reply);
}

static void on_publication(redisAsyncContext *context, void *reply, void *data)
{
    struct redis_link *link = context->data;
    if (link != NULL && reply != NULL)
        link->events->on_reply(link, unpack_tag(data), reply);
}

static void send_command(struct redis_link *link, uint32_t tag, int count, const char **arguments,
                         const size_t *sizes)
{
    if (link->awaited++ == 0)
        link->progress_ns = clock_monotonic_ns();
    /* A context that is being closed takes no command; on_disconnect() follows. */
    if (redisAsyncCommandArgv(link->context, on_reply, pack_tag(tag), count, arguments, sizes) !=
        REDIS_OK)
        link->awaited--;
}

static void greet(struct redis_link *link)
{
    const struct redis_url *url = link->url;
    if (url->password[0] != '\0') {
        const char *words[] = {"AUTH", url->user, url->password};
        const char *without_user[] = {"AUTH", url->password};
        bool has_user = url->user[0] != '\0';
        send_command(link, TAG_AUTH, has_user ? 3 : 2, has_user ? words : without_user, NULL);
    }
    if (url->database != 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", url->database);
        send_command(link, TAG_SELECT, 2, (const char *[]){"SELECT", number}, NULL);
    }
    send_command(link, TAG_PING, 1, (const char *[]){"PING"}, NULL);
}

static void connect_next(struct redis_link *link)
{
    const char *address = link->addresses[link->address_next++];
    redisAsyncContext *context = redisAsyncConnect(address, link->url->port);
    check(context != NULL);
    link->state = LINK_CONNECTING;
    link->due_ns = clock_monotonic_ns() + LINK_CONNECT_TIMEOUT_MS * MS_NS;
    link->awaited = 0;
    log_debug("Redis link connects", log_text("link", link->name), log_text("address", address));
    if (context->err != 0 || !redis_poll_attach(context, link->loop)) {
        char reason[sizeof link->reason];
        snprintf(reason, sizeof reason, "%s",
                 context->err != 0 ? context->errstr : "the socket cannot be watched");
        redisAsyncFree(context);
        lost(link, reason);
        return;
    }
    context->data = link;
    link->context = context;
    redisAsyncSetConnectCallback(context, on_connect);
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    greet(link);
}

/* -- addresses --------------------------------------------------------------------------------- */

static void add_address(struct redis_link *link, const struct sockaddr *address)
{
    char *text = link->addresses[link->address_count];
    if (link->address_count < LINK_ADDRESSES_MAX &&
        getnameinfo(address,
                    address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                   : sizeof(struct sockaddr_in),
                    text, sizeof link->addresses[0], NULL, 0, NI_NUMERICHOST) == 0)
        link->address_count++;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct redis_link *link = request->data;
    link->is_resolving = false;
    if (link->state == LINK_RESOLVING) {
        for (struct addrinfo *one = found; status == 0 && one != NULL; one = one->ai_next)
            if (one->ai_family == AF_INET || one->ai_family == AF_INET6)
                add_address(link, one->ai_addr);
        if (link->address_count > 0) {
            connect_next(link);
        } else {
            char reason[sizeof link->reason];
            snprintf(reason, sizeof reason, "its host cannot be found: %s",
                     status != 0 ? uv_strerror(status) : "it has no address");
            lost(link, reason);
        }
    }
    uv_freeaddrinfo(found);
}

static void resolve(struct redis_link *link, uint64_t now_ns)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct in6_addr literal;
    link->address_count = link->address_next = 0;
    if (inet_pton(AF_INET, link->url->host, &literal) == 1 ||
        inet_pton(AF_INET6, link->url->host, &literal) == 1) {
        snprintf(link->addresses[link->address_count++], sizeof link->addresses[0], "%.63s",
                 link->url->host);
        connect_next(link);
        return;
    }
    link->state = LINK_RESOLVING;
    log_debug("Redis link resolves", log_text("link", link->name),
              log_text("host", link->url->host));
    if (link->is_resolving) /* the last request is unanswered, and serves this try */
        return;
    link->resolve.data = link;
    link->is_resolving =
        uv_getaddrinfo(link->loop, &link->resolve, on_resolved, link->url->host, NULL, &hints) == 0;
    if (!link->is_resolving)
        begin_wait(link, now_ns);
}

/* -- life -------------------------------------------------------------------------------------- */

void redis_link_init(struct redis_link *link, uv_loop_t *loop, const struct redis_url *url,
                     const char *name, const struct link_events *events, void *owner)
{
    *link = (struct redis_link){.loop = loop,
                                .url = url,
                                .name = name,
                                .events = events,
                                .owner = owner,
                                .state = LINK_WAITING};
    snprintf(link->reason, sizeof link->reason, "not connected yet");
    backoff_init(&link->backoff, LINK_BACKOFF_MIN_MS, LINK_BACKOFF_MAX_MS,
                 random_seeded_by_system());
}

static bool is_overdue(const struct redis_link *link, uint64_t now_ns)
{
    return link->awaited > 0 && now_ns > link->progress_ns &&
           now_ns - link->progress_ns > LINK_REPLY_TIMEOUT_MS * MS_NS;
}

/* A reply that is overdue only because this process was stopped may lie in the socket. */
static void forgive_stall(struct redis_link *link, uint64_t now_ns)
{
    if (now_ns - link->ticked_ns > LINK_STALL_MS * MS_NS) {
        link->progress_ns = now_ns;
        if (link->state == LINK_CONNECTING)
            link->due_ns = now_ns + LINK_CONNECT_TIMEOUT_MS * MS_NS;
    }
    link->ticked_ns = now_ns;
}

void redis_link_tick(struct redis_link *link, uint64_t now_ns)
{
    forgive_stall(link, now_ns);
    switch (link->state) {
    case LINK_WAITING:
        if (now_ns >= link->due_ns)
            resolve(link, now_ns);
        break;
    case LINK_CONNECTING:
        if (now_ns >= link->due_ns)
            redis_link_fail(link, "no answer to the connection, or to PING, in time");
        break;
    case LINK_READY:
        if (is_overdue(link, now_ns))
            redis_link_fail(link, "no reply to a command in time");
        break;
    case LINK_RESOLVING:
    case LINK_CLOSED:
        break;
    }
}

void redis_link_fail(struct redis_link *link, const char *reason)
{
    char kept[sizeof link->reason]; /* it may be part of a reply that goes with the context */
    snprintf(kept, sizeof kept, "%s", reason);
    drop_context(link);
    lost(link, kept);
}

void redis_link_command(struct redis_link *link, uint32_t tag, int count, const char **arguments,
                        const size_t *sizes)
{
    check(link->state == LINK_READY && tag < TAG_AUTH);
    send_command(link, tag, count, arguments, sizes);
}

void redis_link_subscribe(struct redis_link *link, uint32_t tag, const char *pattern)
{
    check(link->state == LINK_READY && tag < TAG_AUTH);
    redisAsyncCommand(link->context, on_publication, pack_tag(tag), "PSUBSCRIBE %s", pattern);
}

void redis_link_close(struct redis_link *link)
{
    link->state = LINK_CLOSED;
    if (link->is_resolving)
        uv_cancel((uv_req_t *)&link->resolve);
    drop_context(link);
}
