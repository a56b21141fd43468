/* A kept answer's key is all of the question and the version of what it is about, so that an answer
 * is as fresh as the data. The gzip form is an answer of its own, made of the plain one. */
#include "net/answers.h"

#include "base/check.h"
#include "net/answer_cache.h"
#include "net/gzip.h"

#include <stdlib.h>

enum { KEPT_MAX = 32, KEPT_BYTES_MAX = 64 << 20 }; /* plain and gzip forms count as one each */

struct answers {
    const struct backend *backend;
    struct answer_cache *cache;
};

/* What there is to compute. */
struct task {
    struct answers *answers;
    const struct backend_request *question;
    uint64_t version;
};

struct answers *answers_create(const struct backend *backend)
{
    struct answers *answers = memory_allocate_zeroed(1, sizeof *answers);
    answers->backend = backend;
    answers->cache = answer_cache_create(KEPT_MAX, KEPT_BYTES_MAX);
    return answers;
}

void answers_destroy(struct answers *answers)
{
    answer_cache_destroy(answers->cache);
    free(answers);
}

static void append_key(struct buffer *key, const struct task *task, bool is_gzipped)
{
    const struct backend_request *question = task->question;
    buffer_append_format(key, "%d %llu %d %s", is_gzipped, (unsigned long long)task->version,
                         question->question, question->symbol);
    for (size_t i = 0; i < question->parameter_count; i++) {
        const struct backend_parameter *parameter = &question->parameters[i];
        buffer_append_char(key, '\0'); /* no byte of a parameter */
        buffer_append_format(key, "%s=%s", parameter->name, parameter->value);
    }
}

static enum status get_kept(const struct task *task, bool is_gzipped,
                            enum status (*compute)(void *, struct answer *, struct error *),
                            struct answer **answer, struct error *error)
{
    struct buffer key = {0};
    append_key(&key, task, is_gzipped);
    enum status status = answer_cache_get(task->answers->cache, key.data, key.size, compute,
                                          (void *)task, answer, error);
    buffer_deinit(&key);
    return status;
}

static enum status compute_plain(void *context, struct answer *answer, struct error *error)
{
    const struct task *task = context;
    const struct backend *backend = task->answers->backend;
    enum status status = backend->answer(backend->context, task->question, &answer->body, error);
    answer->tag = gzip_content_tag(answer->body.data, answer->body.size);
    return status;
}

/* The same content in its gzip form, where that is worth it. */
static void compress(struct answer *answer, const struct answer *plain)
{
    answer->tag = plain->tag;
    answer->is_gzipped = plain->body.size >= GZIP_SIZE_MIN;
    if (answer->is_gzipped)
        gzip_append(&answer->body, plain->body.data, plain->body.size);
    else
        buffer_append(&answer->body, plain->body.data, plain->body.size);
}

static enum status compute_gzipped(void *context, struct answer *answer, struct error *error)
{
    struct answer *plain = NULL;
    enum status status = get_kept(context, false, compute_plain, &plain, error);
    if (status == STATUS_OK)
        compress(answer, plain);
    answer_release(plain);
    return status;
}

static enum status answer_anew(struct task *task, bool gzips, struct answer **answer,
                               struct error *error)
{
    struct answer *plain = answer_create();
    enum status status = compute_plain(task, plain, error);
    if (status != STATUS_OK || !gzips) {
        *answer = plain;
        return status;
    }
    *answer = answer_create();
    compress(*answer, plain);
    answer_release(plain);
    return STATUS_OK;
}

enum status answers_get(struct answers *answers, const struct backend_request *question, bool gzips,
                        struct answer **answer, struct error *error)
{
    struct task task = {.answers = answers, .question = question};
    const struct backend *backend = answers->backend;
    *answer = NULL;
    if (backend->version == NULL || !backend->version(backend->context, question, &task.version))
        return answer_anew(&task, gzips, answer, error);
    return get_kept(&task, gzips, gzips ? compute_gzipped : compute_plain, answer, error);
}
