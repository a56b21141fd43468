/* The files of the page, compiled into the program by web/build.mjs. Constant; any thread. */
#ifndef HEATCAST_NET_PAGE_H
#define HEATCAST_NET_PAGE_H

#include <stddef.h>

struct page_asset {
    const char *path; /* "/" or "/assets/app-<hash>.js" */
    const char *content_type;
    const char *etag; /* quoted */
    int is_immutable; /* the path changes with the content: a cache may keep it for good */
    const unsigned char *plain;
    size_t plain_size;
    const unsigned char *gzip;
    size_t gzip_size;
};

extern const struct page_asset page_assets[];
extern const size_t page_asset_count;

#endif
