/* What fails for reasons outside the program needs two things: a code that callers branch on, and a
 * sentence that a person can act on. The sentence is made where the cause is known, and every level
 * above may put its own name before it: "--symbols: 'btc' is not a symbol (...)". It lives in the
 * caller's struct, of fixed size, so that failing allocates nothing and frees nothing. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message quotes what it refuses, and that may hold anything: a line break would make two lines
 * of it, an escape sequence would speak to the terminal. */
static void make_one_line(char *message)
{
    for (; *message != '\0'; message++)
        if ((unsigned char)*message < ' ' || *message == 0x7f)
            *message = '?';
}

enum status error_set(struct error *error, enum status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    error->status = status;
    error->fit = (struct error_fit){.parameter = ""};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    make_one_line(error->message);
    return status;
}

void error_set_fit(struct error *error, const char *parameter, const char *value)
{
    if (error == NULL)
        return;
    snprintf(error->fit.parameter, sizeof error->fit.parameter, "%s", parameter);
    snprintf(error->fit.value, sizeof error->fit.value, "%s", value);
}

void error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return;
    char joined[ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(joined, sizeof joined, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof joined)
        return;
    size_t used = (size_t)length, room = sizeof joined - 1 - used;
    size_t colon_size = room < 2 ? room : 2;
    memcpy(joined + used, ": ", colon_size);
    used += colon_size;
    room -= colon_size;
    size_t size = strnlen(error->message, room);
    memcpy(joined + used, error->message, size);
    joined[used + size] = '\0';
    memcpy(error->message, joined, used + size + 1);
    make_one_line(error->message);
}
