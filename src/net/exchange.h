/* One HTTP request and its answer. Private to net/.
 *
 * An exchange is made when the first byte of a request comes, and serves those that follow without
 * a pause. It does not know its connection: it is given bytes (`in`), and tells its host when it
 * has an answer, which the host then writes (exchange_pieces()). Requests are taken one at a time:
 * while one is being answered, what a client pipelines behind it stays in `in` or in the socket.
 *
 * The layers above it, none of which knows the connection either: respond.h completes answers,
 * upgrade.h those that open a WebSocket, and routes.h takes requests to what answers them. All on
 * the loop of the connection. */
#ifndef HEATCAST_NET_EXCHANGE_H
#define HEATCAST_NET_EXCHANGE_H

#include "base/buffer.h"
#include "net/answer.h"
#include "net/client_address.h"
#include "net/questions.h"
#include "net/shared.h"
#include "stream/frame.h"
#include "stream/hub.h"
#include "wire/http_head.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define HTTP_IDLE_TIMEOUT_MS 60000 /* between requests, and for a client that takes nothing */
/* What a client is told that it may count on: less than it gets, so that a request which is on its
 * way when the time is over still arrives. */
#define HTTP_KEEP_ALIVE_HINT_S 50

struct exchange;
struct session_protocol;

/* Where exchanges live: what they may use, and what their connections do for them. One for all
 * exchanges of a loop; must outlive them. */
struct exchange_host {
    struct net_shared *shared;
    struct hub *hub;
    struct question_inbox *inbox;
    /* The answer is complete, some time after routes_serve_next() has returned EXCHANGE_WAITS. May
     * destroy the exchange. */
    void (*on_answered)(struct exchange *exchange);
    /* The address of the other end of the socket; of no family, should it be gone already. */
    void (*find_peer)(struct exchange *exchange, struct sockaddr_storage *peer);
    /* Takes one of the places for WebSockets, which the connection gives back when it ends. */
    enum place_result (*take_place)(struct exchange *exchange);
    /* The connection counts for this address while the request is served, or as a WebSocket. */
    enum place_result (*count_for)(struct exchange *exchange, uint64_t address_key);
};

struct exchange {
    const struct exchange_host *host;
    void *owner;         /* for the host's functions */
    const char *refusal; /* what all requests are told, 503; NULL: they are served */
    struct buffer in;    /* received, not parsed yet */
    size_t parsed_size;  /* of it, when a head was not complete */
    struct buffer head;  /* the answer's head */
    struct buffer body;  /* owned; or one of the three below */
    const void *static_body;
    struct frame *frame_body; /* holds a reference, as does the next */
    struct answer *answer_body;
    size_t body_size; /* of whichever it is */
    size_t sent;      /* bytes of head and body that are out */
    uint64_t due_ns;  /* by when all have to be; 0 until they do not go at once */
    bool is_serving;  /* routes_serve_next() is on the stack */
    bool is_answered;
    bool is_keep_alive, is_head_request, accepts_gzip;
    bool fails_if_match; /* If-Match names tags: ours are weak, and match none (RFC 9110 §13.1.1) */
    char *if_none_match;                      /* all lines of it as one list; NULL: there is none */
    const struct session_protocol *websocket; /* what the connection becomes; NULL: it stays HTTP */
    bool deflates;                            /* that WebSocket negotiated permessage-deflate */
    char *websocket_symbols;                  /* that it asks for in its address; NULL: none */
    char *noted;              /* for the log: "GET /path 192.0.2.1"; NULL: it is not wanted */
    uint64_t noted_ns;        /* when it was */
    struct hub_waiter waiter; /* for a snapshot */
    struct asker asker;       /* for an answer of the backend, to a question of this kind */
    enum question_kind question_kind;
};

struct exchange *exchange_create(const struct exchange_host *host, void *owner);

/* Stops waiting for whatever it waits for. NULL is harmless. */
void exchange_destroy(struct exchange *exchange);

/* What came of exchange->in; see routes.h. */
enum exchange_progress {
    EXCHANGE_READS,    /* there is no whole request yet */
    EXCHANGE_WAITS,    /* host->on_answered() will come */
    EXCHANGE_ANSWERED, /* the answer can be written */
};

/* What is to be written of the answer: what is left of the head, and of the body at most `body_max`
 * bytes. Returns how many pieces; 0 if all is out. exchange->sent counts what went. */
int exchange_pieces(const struct exchange *exchange, size_t body_max, struct iovec pieces[2]);

/* -- for the layers above ---------------------------------------------------------------------- */

/* Forgets the last answer and parses the next request. `head` points into exchange->in, until
 * exchange_end_request() removes it from there. */
enum http_head_result exchange_begin_request(struct exchange *exchange, struct http_head *head);
void exchange_end_request(struct exchange *exchange, const struct http_head *head);

/* For the log of requests, at debug: what was asked is written with its answer. A query may hold a
 * secret, and is left out. */
void exchange_note_request(struct exchange *exchange, const struct http_head *head);

/* Forgets the last answer, and treats what has come of a head as one that cannot be parsed. */
void exchange_give_up_request(struct exchange *exchange);

/* Whether anything of a request has come, besides the empty lines that may stand before it. */
bool exchange_has_begun(const struct exchange *exchange);

/* Head and body of the answer are complete. May destroy the exchange, so this comes last. */
void exchange_complete(struct exchange *exchange);

/* Whether a trusted proxy has sent the request (TRUSTED_PROXIES). */
bool exchange_is_from_proxy(struct exchange *exchange);

/* The client's address: that of the peer, or the one that a trusted proxy names. */
void exchange_find_client(struct exchange *exchange, const struct http_head *head,
                          struct sockaddr_storage *address);

/* The same for the log. Returns `text`. */
const char *exchange_client_text(struct exchange *exchange, const struct http_head *head,
                                 char text[CLIENT_ADDRESS_TEXT_SIZE]);

#endif
