/* Connections cost memory and descriptors, so there is a limit of them; and whoever holds them must
 * not be able to lock others out, neither by holding many nor by coming again and again.
 *
 *     newcomer ── a place is free, and its address has not its share ──> a connection
 *              ├─ all places are taken: the oldest connection gives way, one that waits for
 *              │  a request, or else one that does not take its answer ──> a connection
 *              ├─ its address has its share: one of its own gives way, that waits for a
 *              │  request or has said nothing for a while ──> a connection
 *              └─ nobody can give way ──> refused, and told so
 *
 * Since no address can have all places, others find some, whatever one does; and as it is its own
 * connections that give way to its next ones, a company behind one address does not notice.
 *
 * A refusal that is written at once and followed by a close would be lost: a request that is on its
 * way meets a closed socket, whose reset makes the client drop what it has not read. So a refused
 * connection is one that is answered 503 when its request comes, over TLS too, or after a while
 * without one, and that lingers as all do. It has no place, and there are few at a time: beyond,
 * the oldest of them is closed. */
#include "net/admission.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/address_count.h"
#include "net/connection.h"

#include <unistd.h>

#define MS_NS UINT64_C(1000000)

enum {
    OLDEST_LOOKED_AT_MAX = 4096, /* when one is to give way: a walk has to be short */
    CROWD_MIN = 32,              /* connections of one address that make it a crowd */
    LOOKED_AT_MAX = 64, /* when it has to be of a certain address, which is asked more often */
    SILENCE_MS = 1000,  /* after which a connection that has said nothing may give way */
    REFUSALS_MAX = 64,  /* refused connections of a loop at a time */
};

/* -- giving way -------------------------------------------------------------------------------- */

/* Whether it has had its chance, and waits for nothing. */
static bool is_silent(const struct connection *connection, uint64_t now_ns)
{
    return connection->state == CONNECTION_IDLE || connection->state == CONNECTION_LINGERING ||
           (connection->state == CONNECTION_READING &&
            connection->deadline_ns <= now_ns + (HTTP_HEAD_TIMEOUT_MS - SILENCE_MS) * MS_NS);
}

/* The oldest connection that waits for nothing, or else the oldest that has no request under way,
 * or else the oldest whose client does not take its answer at once; NULL if all wait for answers.
 * Of this loop alone, as all that follows. */
static struct connection *find_oldest(struct worker *worker)
{
    struct connection *unread = NULL, *slow = NULL;
    uint64_t now_ns = clock_monotonic_ns();
    int looked_at = 0;
    for (struct list *link = worker->http.next;
         link != &worker->http && looked_at < OLDEST_LOOKED_AT_MAX; link = link->next) {
        struct connection *connection = list_entry(link, struct connection, in_http);
        bool is_writing = connection->state == CONNECTION_WRITING;
        looked_at++;
        if (is_silent(connection, now_ns))
            return connection;
        if (is_writing && slow == NULL)
            slow = connection;
        if (!is_writing && connection->state != CONNECTION_WAITING && unread == NULL)
            unread = connection;
    }
    return unread != NULL ? unread : slow;
}

static struct connection *find_silent_of(struct worker *worker, uint64_t address_key)
{
    uint64_t now_ns = clock_monotonic_ns();
    int looked_at = 0;
    for (struct list *link = worker->http.next; link != &worker->http && looked_at < LOOKED_AT_MAX;
         link = link->next, looked_at++) {
        struct connection *connection = list_entry(link, struct connection, in_http);
        if (connection->place.address_key == address_key && is_silent(connection, now_ns))
            return connection;
    }
    return NULL;
}

static enum refusal refusal_of(enum place_result result)
{
    return result == PLACE_ALL_TAKEN ? REFUSED_HTTP_LIMIT : REFUSED_CONNECTIONS_PER_ADDRESS;
}

/* Makes room for a newcomer. One that lingers has its answer already, and does not count as
 * refused. False if there is none that can give way. */
static bool make_room(struct worker *worker, enum place_result result, uint64_t address_key)
{
    struct connection *connection =
        result == PLACE_ALL_TAKEN ? find_oldest(worker) : find_silent_of(worker, address_key);
    if (connection == NULL)
        return false;
    log_debug("connection gives way to a newer one",
              log_int("connections", places_http(&worker->shared->places)));
    if (connection->state != CONNECTION_LINGERING)
        net_count_refusal(worker->shared, refusal_of(result));
    connection_close(connection);
    return true;
}

/* -- refusing ---------------------------------------------------------------------------------- */

static void refuse(struct worker *worker, int fd, enum place_result result)
{
    const struct connection_start start = {
        .poll_class = POLL_CROWD,
        .refusal = result == PLACE_ALL_TAKEN
                       ? "There are too many connections; try again later"
                       : "This address has as many connections as it may; close one",
    };
    net_count_refusal(worker->shared, refusal_of(result));
    notices_tell_peer(&worker->shared->notices,
                      result == PLACE_ALL_TAKEN ? NOTICE_FULL : NOTICE_CONNECTIONS, fd);
    if (worker->refused_count == REFUSALS_MAX)
        connection_close(list_entry(worker->refused.next, struct connection, in_http));
    connection_start(worker, fd, &start);
}

/* -- the newcomer ------------------------------------------------------------------------------ */

void admission_open(struct worker *worker, int fd, const struct sockaddr *peer)
{
    struct places *places = &worker->shared->places;
    bool is_proxied = network_list_has(&worker->shared->config->trusted_proxies, peer);
    uint64_t address_key = is_proxied ? 0 : address_count_key(peer);
    struct connection_start start = {.poll_class = POLL_ORDINARY, .is_proxied = is_proxied};
    enum place_result result = places_enter(places, address_key, &start.place);
    if (result != PLACE_TAKEN && make_room(worker, result, address_key))
        result = places_enter(places, address_key, &start.place);
    if (result != PLACE_TAKEN) {
        refuse(worker, fd, result);
        return;
    }
    if (!is_proxied && places_of_address(places, address_key) > CROWD_MIN)
        start.poll_class = POLL_CROWD;
    connection_start(worker, fd, &start);
}
