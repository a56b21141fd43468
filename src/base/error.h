/* Status codes, with a message for a person.
 *
 * A function that can fail for reasons outside the program returns `enum status` and takes a
 * `struct error *` last, which it fills on failure only. A NULL error is allowed: only the code is
 * returned then. Impossible states are not errors: they abort (see base/check.h). */
#ifndef HEATCAST_BASE_ERROR_H
#define HEATCAST_BASE_ERROR_H

enum status {
    STATUS_OK = 0,
    STATUS_INVALID,     /* the input is wrong; the message says what is allowed */
    STATUS_NOT_FOUND,   /* the named thing does not exist: a file, a table, a column */
    STATUS_NO_DATA,     /* everything works, but there is nothing to answer with */
    STATUS_BUSY,        /* another process holds it; trying again later makes sense */
    STATUS_IO,          /* the operating system or the database failed */
    STATUS_TOO_LARGE,   /* the answer or the input is over a limit */
    STATUS_UNREACHABLE, /* another server has it, and cannot be asked */
    STATUS_CANCELLED,   /* the result is not wanted any more */
    STATUS_TIMEOUT,     /* it took longer than is allowed */
    STATUS_NO_MEMORY,   /* there is not enough memory now; trying again later makes sense */
};

#define ERROR_MESSAGE_MAX 512

/* A parameter and a value of it with which the same question is not refused: "bucket", "0.05".
 * Without one, the parameter is "". */
struct error_fit {
    char parameter[16], value[32];
};

struct error {
    enum status status;
    char message[ERROR_MESSAGE_MAX]; /* one line, no newline, always terminated */
    struct error_fit fit;            /* for programs, what the message says for a person */
};

/* Fills `error` (may be NULL) and returns `status`, so that `return error_set(...)` reads well.
 * Messages that are too long are cut; control characters in what they quote become '?'. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says what fits instead; after error_set(), which says that nothing is known. NULL is allowed. */
void error_set_fit(struct error *error, const char *parameter, const char *value);

/* Puts "<text>: " before the message that is there. */
void error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
