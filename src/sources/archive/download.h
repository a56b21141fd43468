/* One file of the archive, from its address to a verified file on disk: its published checksum is
 * asked for first, then the file unless it is known, in pieces where the connection breaks, and at
 * last its SHA-256 is compared. One thread: that of the HTTP client's loop. */
#ifndef HEATCAST_SOURCES_ARCHIVE_DOWNLOAD_H
#define HEATCAST_SOURCES_ARCHIVE_DOWNLOAD_H

#include "link/http_client.h"
#include "sources/archive/checksum.h"

#define DOWNLOAD_BYTES_MAX (64 * 1024 * 1024) /* the largest files of this kind have half a MB */
#define DOWNLOAD_WAIT_MIN_MS 1000             /* before another try */
#define DOWNLOAD_WAIT_MAX_MS 30000
#define DOWNLOAD_RETRY_AFTER_MAX_MS (10 * 60 * 1000) /* who asks for a longer wait has failed */

enum download_outcome {
    DOWNLOAD_READY,      /* it is there, and is what was published */
    DOWNLOAD_UNCHANGED,  /* what is published is what the caller knows */
    DOWNLOAD_MISSING,    /* the archive has no such file */
    DOWNLOAD_MISMATCH,   /* it is not what was published, twice, or has no checksum to tell;
                            nothing is kept */
    DOWNLOAD_FAILED,     /* no try succeeded; what came is kept for the next time */
    DOWNLOAD_IMPOSSIBLE, /* it cannot be had, and other files neither: see the message */
};

/* Valid during on_settled. */
struct download_result {
    enum download_outcome outcome;
    const char *checksum; /* that is published; of a file that is READY without one, its own; ""
                             if that is not known */
    const char *message;  /* for a person, with the file's name; "" where nothing is wrong. A file
                             that is READY has one if its checksum was accepted though wrong, or
                             though there is none. */
};

struct download_options {
    uv_loop_t *loop;
    struct http_client *client;
    const char *url;             /* of the file; ".CHECKSUM" behind it is that of its checksum */
    const char *path;            /* where it is to be; its folders are made */
    const char *known_checksum;  /* of what needs not come again; or "" */
    bool accepts_mismatch;       /* READY instead of MISMATCH */
    int tries_max;               /* of requests that fail */
    uint64_t silence_timeout_ms; /* as in struct http_request */

    void (*on_bytes)(size_t size, void *context); /* so many have come */
    /* Exactly once, unless it is cancelled before; the download is gone when it returns. */
    void (*on_settled)(const struct download_result *result, void *context);
    void *context;
};

struct download;

/* All that the options point to is copied, but for loop, client and context. Never fails: what is
 * wrong comes by on_settled, after this call. */
struct download *download_start(const struct download_options *options);

/* Ends it; no callback follows, and what came stays for the next time. */
void download_cancel(struct download *download);

#endif
