/* Whether a history fits before it is written: what it costs to write one that does not is the
 * memory of the largest answer, and seconds. Private to engine/. One thread a question. */
#ifndef HEATCAST_ENGINE_HISTORY_SIZE_H
#define HEATCAST_ENGINE_HISTORY_SIZE_H

#include "engine/question.h"

/* Estimates the size of the history of the question's series in this bucket. STATUS_TOO_LARGE: it
 * is over the question's limit; the message names a bucket that fits, if one does. STATUS_NO_MEMORY
 * and those of stop_token_check() as well. The book is used, and to be reset. */
enum status history_size_check(const struct question *question, struct book *book,
                               int64_t bucket_e8, size_t *size, struct error *error);

#endif
