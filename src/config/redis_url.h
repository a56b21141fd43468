/* Where Redis is: redis://[[user]:password@]host[:port][/database]. Any thread. */
#ifndef HEATCAST_CONFIG_REDIS_URL_H
#define HEATCAST_CONFIG_REDIS_URL_H

#include "base/error.h"

#define REDIS_URL_DEFAULT "redis://127.0.0.1:6379"
#define REDIS_CREDENTIAL_SIZE 256
#define REDIS_URL_TEXT_SIZE 640

struct redis_url {
    char host[254]; /* a name or an address; IPv6 without its brackets */
    int port;
    int database;
    char user[REDIS_CREDENTIAL_SIZE];     /* "": the default user */
    char password[REDIS_CREDENTIAL_SIZE]; /* "": none; the percent-encoding is undone */
};

/* STATUS_INVALID with what is allowed. No error quotes the text, which may hold a password. */
enum status redis_url_parse(const char *text, struct redis_url *url, struct error *error);

/* The URL for logs and tables: three stars stand for the password. Returns `text`. */
char *redis_url_format(const struct redis_url *url, char text[REDIS_URL_TEXT_SIZE]);

#endif
