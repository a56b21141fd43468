/* libwebsockets as a broadcast server, in the way of its examples: a publication asks for a call
 * when each connection is writable, and there the newest message is written.
 *
 *     lws_server PAYLOAD_FILE [--deflate] */
#include "base/check.h"
#include "fail.h"

#include <libwebsockets.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define SEQ_PLACE "\"seq\":"
enum { SEQ_DIGITS = 6 };

static unsigned char *payload; /* LWS_PRE bytes of room lie before it */
static size_t payload_size;
static unsigned char *seq_digits;
static unsigned published;

static void publish(struct lws *wsi)
{
    char digits[SEQ_DIGITS + 1];
    snprintf(digits, sizeof digits, "%06u", ++published % 1000000);
    memcpy(seq_digits, digits, SEQ_DIGITS);
    struct lws_vhost *vhost = lws_get_vhost(wsi);
    lws_callback_on_writable_all_protocol_vhost(vhost,
                                                lws_vhost_name_to_protocol(vhost, "heatmap"));
}

static int on_client(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                     size_t size)
{
    unsigned *sent = user; /* the last publication it got */
    (void)in, (void)size;
    if (reason == LWS_CALLBACK_ESTABLISHED) {
        *sent = published;
    } else if (reason == LWS_CALLBACK_SERVER_WRITEABLE && *sent != published) {
        *sent = published;
        if (lws_write(wsi, payload, payload_size, LWS_WRITE_TEXT) < (int)payload_size)
            return -1;
    }
    return 0;
}

static int on_trigger(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                      size_t size)
{
    (void)user, (void)in, (void)size;
    char bytes[64];
    if (reason != LWS_CALLBACK_RAW_RX_FILE)
        return 0;
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    for (ssize_t i = 0; i < count; i++)
        publish(wsi);
    if (count <= 0)
        exit(0);
    return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = "heatmap", .callback = on_client, .per_session_data_size = sizeof(unsigned)},
    {.name = "trigger", .callback = on_trigger},
    {0},
};

static const struct lws_extension extensions[] = {
    {"permessage-deflate", lws_extension_callback_pm_deflate,
     "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
    {NULL, NULL, NULL},
};

static void load_payload(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail("no payload", path);
    enum { SIZE_MAX_BYTES = 1 << 20 };
    payload = (unsigned char *)memory_allocate(LWS_PRE + SIZE_MAX_BYTES) + LWS_PRE;
    payload_size = fread(payload, 1, SIZE_MAX_BYTES, file);
    fclose(file);
    seq_digits = memmem(payload, payload_size, SEQ_PLACE, strlen(SEQ_PLACE));
    if (seq_digits == NULL)
        fail("the payload has no seq", path);
    seq_digits += strlen(SEQ_PLACE);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        fail("usage", "lws_server PAYLOAD_FILE [--deflate]");
    load_payload(argv[1]);
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
    };
    struct lws_context *context = lws_create_context(&info);
    check(context != NULL);
    info.port = 0;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.extensions = argc > 2 ? extensions : NULL;
    struct lws_vhost *vhost = lws_create_vhost(context, &info);
    check(vhost != NULL);
    lws_sock_file_fd_type input = {.filefd = STDIN_FILENO};
    check(lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, input, "trigger", NULL) !=
          NULL);
    printf("listening %d\n", lws_get_vhost_listen_port(vhost));
    fflush(stdout);
    while (lws_service(context, 0) >= 0)
        continue;
    lws_context_destroy(context);
    return 0;
}
