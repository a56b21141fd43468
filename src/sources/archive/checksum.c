/* The archive publishes <file>.CHECKSUM beside each file, for `sha256sum -c`: the digits, two
 * blanks (or a blank and an asterisk), and the name without its folders. */
#include "sources/archive/checksum.h"

#include "base/check.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

enum { DIGITS = STORE_CHECKSUM_SIZE - 1, PIECE_BYTES = 64 * 1024 };

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

bool archive_checksum_read(struct slice text, const char *name, char checksum[STORE_CHECKSUM_SIZE])
{
    if (text.size < DIGITS)
        return false;
    struct slice digits = slice_take(&text, DIGITS);
    for (size_t i = 0; i < DIGITS; i++) {
        int value = slice_hex_value(digits.data[i]);
        if (value < 0)
            return false;
        checksum[i] = "0123456789abcdef"[value];
    }
    checksum[DIGITS] = '\0';
    if (!slice_try_take(&text, "  ") && !slice_try_take(&text, " *"))
        return false;
    while (text.size > 0 && is_line_end(text.data[text.size - 1]))
        text.size--;
    return slice_equals(text, name);
}

static void write_digits(const unsigned char *digest, char checksum[STORE_CHECKSUM_SIZE])
{
    for (size_t i = 0; i < DIGITS / 2; i++)
        snprintf(checksum + 2 * i, 3, "%02x", digest[i]);
}

enum status archive_checksum_of_file(const char *path, char checksum[STORE_CHECKSUM_SIZE],
                                     struct error *error)
{
    static _Thread_local char piece[PIECE_BYTES];
    unsigned char digest[EVP_MAX_MD_SIZE];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%m");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    check(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    size_t count;
    while ((count = fread(piece, 1, sizeof piece, file)) > 0)
        EVP_DigestUpdate(context, piece, count);
    enum status status = ferror(file) ? error_set(error, STATUS_IO, "%m") : STATUS_OK;
    EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    fclose(file);
    if (status == STATUS_OK)
        write_digits(digest, checksum);
    return status;
}
