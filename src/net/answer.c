/* A history can have 20 MB and a thousand readers at a time, so it is never copied: each connection
 * that sends it holds a reference and its own place in it. The plain and the gzip form are an
 * answer each, because a client takes one of them, and each can be freed without the other. They
 * share a tag, which is the content's, so that a client with either form knows that nothing has
 * changed.
 *
 * An answer lives as long as its slowest reader. All that live are counted in bytes, so that many
 * that are asked for and not read cannot take all memory: question_table.c asks before it begins
 * another. */
#include "net/answer.h"

#include "base/check.h"
#include "base/memory.h"
#include "net/address_count.h"
#include "net/gzip.h"

#include <stdlib.h>

/* Relaxed: it orders nothing, and a question that is let in a moment too early is no harm. */
static atomic_size_t bytes_held;

size_t answer_bytes_held(void)
{
    return atomic_load_explicit(&bytes_held, memory_order_relaxed);
}

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

unsigned answer_holders(const struct answer *answer)
{
    return atomic_load_explicit(&answer->references, memory_order_relaxed);
}

void answer_release(struct answer *answer)
{
    /* Release and acquire: all reading is over before the last holder frees. */
    if (answer == NULL ||
        atomic_fetch_sub_explicit(&answer->references, 1, memory_order_acq_rel) != 1)
        return;
    answer_discharge(answer);
    buffer_deinit(&answer->body);
    free(answer->message);
    free(answer);
}

/* Where even that takes memory that there is not, it stays as large as it is. */
static void trim(struct buffer *buffer)
{
    char *data = buffer->size > 0 ? memory_try_resize(buffer->data, buffer->size, 1) : NULL;
    if (data == NULL)
        return;
    buffer->data = data;
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
    if (!gzip_append(&gzipped->body, plain->body.data, plain->body.size)) {
        answer_release(gzipped);
        return NULL;
    }
    trim(&gzipped->body);
    return gzipped;
}

static uint32_t kib(size_t bytes)
{
    return (uint32_t)(bytes / 1024);
}

void answer_charge(struct answer *answer, struct address_count *by_address, uint64_t address_key)
{
    answer->by_address = by_address;
    answer->address_key = address_key;
    answer->charged = answer->body.capacity;
    atomic_fetch_add_explicit(&bytes_held, answer->charged, memory_order_relaxed);
    address_count_add_many(by_address, address_key, kib(answer->charged));
}

void answer_discharge(struct answer *answer)
{
    if (answer->by_address == NULL)
        return;
    atomic_fetch_sub_explicit(&bytes_held, answer->charged, memory_order_relaxed);
    address_count_remove_many(answer->by_address, answer->address_key, kib(answer->charged));
    answer->by_address = NULL;
}
