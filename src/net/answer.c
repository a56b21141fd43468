/* A history can have 20 MB and a thousand readers at a time, so it is never copied: each connection
 * that sends it holds a reference and its own place in it. The plain and the gzip form are an
 * answer each, because a client takes one of them, and each can be freed without the other. They
 * share a tag, which is the content's, so that a client with either form knows that nothing has
 * changed. */
#include "net/answer.h"

#include "base/check.h"
#include "net/gzip.h"

#include <stdlib.h>

struct answer *answer_create(void)
{
    struct answer *answer = memory_allocate_zeroed(1, sizeof *answer);
    atomic_init(&answer->references, 1);
    return answer;
}

struct answer *answer_acquire(struct answer *answer)
{
    /* Relaxed: the thread that hands the pointer over has ordered the content before it. */
    atomic_fetch_add_explicit(&answer->references, 1, memory_order_relaxed);
    return answer;
}

void answer_release(struct answer *answer)
{
    /* Release and acquire: all reading is over before the last holder frees. */
    if (answer == NULL ||
        atomic_fetch_sub_explicit(&answer->references, 1, memory_order_acq_rel) != 1)
        return;
    buffer_deinit(&answer->body);
    free(answer->message);
    free(answer);
}

static void trim(struct buffer *buffer)
{
    if (buffer->size == 0)
        return;
    buffer->data = memory_resize(buffer->data, buffer->size, 1);
    buffer->capacity = buffer->size;
}

void answer_complete(struct answer *answer)
{
    trim(&answer->body);
    answer->tag = gzip_content_tag(answer->body.data, answer->body.size);
}

bool answer_is_worth_gzip(const struct answer *plain)
{
    return plain->status == STATUS_OK && plain->body.size >= GZIP_SIZE_MIN;
}

struct answer *answer_gzip(const struct answer *plain)
{
    struct answer *gzipped = answer_create();
    gzipped->is_gzipped = true;
    gzipped->tag = plain->tag;
    gzip_append(&gzipped->body, plain->body.data, plain->body.size);
    trim(&gzipped->body);
    return gzipped;
}
