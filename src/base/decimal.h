/* Decimal numbers as integers scaled by 10^8, the precision of the tables (docs/model.md).
 *
 * Prices touch exactly, and binary fractions miss such touches; 980.08 is 98008000000 here.
 * Names of values in this form end in `_e8`. Range: about ±92 billion. Any thread. */
#ifndef HEATCAST_BASE_DECIMAL_H
#define HEATCAST_BASE_DECIMAL_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECIMAL_ONE INT64_C(100000000)

/* Reads "98450", "-0.5", ".5", "1e-7", "9.845E4". Digits beyond the eighth decimal are rounded
 * half away from zero. False if it is not a number or out of range. */
bool decimal_parse(const char *text, size_t size, int64_t *value_e8);

/* Writes the shortest exact form, no exponent: 98450, 0.5, 0.00000001. */
void decimal_append(struct buffer *buffer, int64_t value_e8);

/* Writes a finite number with at most 10 significant digits, no exponent, no trailing zeros. */
void decimal_append_double(struct buffer *buffer, double value);

/* The same without a buffer: they return the end of the text, which is not terminated. `to` has
 * room for as much as a text may take, whatever the number; bytes behind its end are overwritten.
 */
enum { DECIMAL_SIZE_MAX = 32, DECIMAL_DOUBLE_SIZE_MAX = 352 };
char *decimal_write(char *to, int64_t value_e8);
char *decimal_write_double(char *to, double value);

static inline double decimal_to_double(int64_t value_e8)
{
    return (double)value_e8 / 1e8;
}

#endif
