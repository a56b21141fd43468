/* Files that are packed: what is in them is imported, whole or not at all, and nothing that was
 * made to harm costs more than a message. */
#include "import_fixture.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <pthread.h>
#include <zlib.h>

/* -- packing ----------------------------------------------------------------------------------- */

struct member {
    const char *name, *content;
};

static const char *put_zip(void **state, const char *name, const char *passphrase,
                           const struct member *members, size_t count)
{
    const char *path = path_in(state, name);
    struct archive *zip = archive_write_new();
    assert_int_equal(archive_write_set_format_zip(zip), ARCHIVE_OK);
    if (passphrase != NULL) {
        assert_int_equal(archive_write_set_options(zip, "zip:encryption=traditional"), ARCHIVE_OK);
        assert_int_equal(archive_write_set_passphrase(zip, passphrase), ARCHIVE_OK);
    }
    assert_int_equal(archive_write_open_filename(zip, path), ARCHIVE_OK);
    for (size_t i = 0; i < count; i++) {
        struct archive_entry *entry = archive_entry_new();
        size_t size = strlen(members[i].content);
        archive_entry_set_pathname(entry, members[i].name);
        archive_entry_set_filetype(entry, size > 0 ? AE_IFREG : AE_IFDIR);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, (la_int64_t)size);
        assert_int_equal(archive_write_header(zip, entry), ARCHIVE_OK);
        assert_int_equal(archive_write_data(zip, members[i].content, size), size);
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_free(zip), ARCHIVE_OK);
    return path;
}

static const char *put_gzip(void **state, const char *name, const char *mode, const char *content)
{
    const char *path = path_in(state, name);
    gzFile file = gzopen(path, mode);
    assert_non_null(file);
    assert_int_equal(gzwrite(file, content, (unsigned)strlen(content)), strlen(content));
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

/* Changes the byte at `at`, counted from the end where it is negative. */
static void damage(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    char byte;
    off_t offset = at < 0 ? size_of(path) + at : at;
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte = (char)(byte ^ 0x5A);
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

/* -- importing --------------------------------------------------------------------------------- */

static struct outcome import(void **state, const char *path)
{
    return run_new(state, NULL, false, path);
}

/* Nothing of the file was stored, and the message says why. */
static void assert_refused(void **state, const char *path, const char *words)
{
    struct outcome outcome = import(state, path);
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_says(&outcome, words);
    assert_int_equal(outcome.klines.files, 0);
    assert_stored(state, "BTCUSDT", 0);
}

/* -- what is read ------------------------------------------------------------------------------ */

static void a_zip_of_the_archive_is_imported(void **state)
{
    const struct member member = {"BTCUSDT-5m-2025-12-01.csv", KLINE_0 KLINE_1};
    const char *path = put_zip(state, "BTCUSDT-5m-2025-12-01.zip", NULL, &member, 1);
    struct outcome outcome = import(state, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.problems, 0);
    assert_int_equal(outcome.klines.files, 1);
    assert_int_equal(outcome.klines.rows_new, 2);
    assert_stored(state, "BTCUSDT", 2);
}

static void a_zip_may_hold_a_whole_tree(void **state)
{
    static const struct member members[] = {
        {"data/", ""},
        {"data/README.md", "not read"},
        {"__MACOSX/._BTCUSDT-5m-2025-12-01.csv", "not read"},
        {"data/BTCUSDT/klines/BTCUSDT-5m-2025-12-01.csv", KLINE_0},
        {"data/BTCUSDT/klines/BTCUSDT-1m-2025-12-01.csv", "not read"},
        {"data/BTCUSDT/markPriceKlines/BTCUSDT-5m-2025-12-01.csv", "not read"},
        {"data/../../../BTCUSDT-5m-2025-12-02.csv", KLINE_1},
        {"data/BTCUSDT/metrics/BTCUSDT-metrics-2025-12-01.csv", METRICS_HEADER METRIC_0},
    };
    struct outcome outcome =
        import(state, put_zip(state, "all.zip", NULL, members, sizeof members / sizeof members[0]));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.problems, 0);
    assert_int_equal(outcome.klines.files, 2);
    assert_int_equal(outcome.interest.files, 1);
    assert_int_equal(outcome.interest.rows_new, 1);
    assert_stored(state, "BTCUSDT", 2);
    assert_non_null(strstr(outcome.notes, "all.zip/data/README.md"));
    assert_non_null(strstr(outcome.notes, "passed over 1 file (1m klines; "));
    assert_non_null(strstr(outcome.notes, "passed over 1 file (markPriceKlines; "));
}

static void the_name_of_the_archive_says_what_its_member_does_not(void **state)
{
    const struct member member = {"rows.csv", KLINE_0};
    struct outcome outcome =
        import(state, put_zip(state, "BTCUSDT-5m-2025-12-01.zip", NULL, &member, 1));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_stored(state, "BTCUSDT", 1);
}

static void gzip_is_read_however_many_streams_it_has(void **state)
{
    put_gzip(state, "BTCUSDT-5m-2025-12.csv.gz", "wb", KLINE_0);
    const char *path = put_gzip(state, "BTCUSDT-5m-2025-12.csv.gz", "ab", KLINE_1);
    struct outcome outcome = import(state, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.problems, 0);
    assert_int_equal(outcome.klines.rows_new, 2);
    FILE *file = fopen(path, "a");
    fputs("padding", file);
    fclose(file);
    outcome = import(state, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_read, 2);
}

static void how_a_file_is_packed_is_told_by_its_content(void **state)
{
    struct outcome outcome =
        import(state, put_gzip(state, "BTCUSDT-5m-2025-12.csv", "wb", KLINE_0));
    assert_int_equal(outcome.klines.rows_new, 1);
    const struct member member = {"BTCUSDT-5m-2025-12-01.csv", KLINE_1};
    outcome = import(state, put_zip(state, "BTCUSDT-5m-2025-11.csv", NULL, &member, 1));
    assert_int_equal(outcome.klines.rows_new, 1);
    assert_stored(state, "BTCUSDT", 2);
}

static void packed_files_of_a_folder_are_found(void **state)
{
    const struct member member = {"BTCUSDT-5m-2025-12-01.csv", KLINE_0};
    assert_int_equal(mkdir(path_in(state, "in"), 0777), 0);
    put_zip(state, "in/BTCUSDT-5m-2025-12-01.zip", NULL, &member, 1);
    put_gzip(state, "in/BTCUSDT-5m-2025-12-02.csv.gz", "wb", KLINE_1);
    struct outcome outcome = import(state, path_in(state, "in"));
    assert_int_equal(outcome.klines.files, 2);
    assert_stored(state, "BTCUSDT", 2);
}

static void a_bad_row_in_an_archive_is_named_by_member_and_line(void **state)
{
    const struct member member = {"BTCUSDT-5m-2025-12-01.csv", KLINE_0 "bad\n"};
    const char *path = put_zip(state, "a.zip", NULL, &member, 1);
    struct outcome outcome = import(state, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_bad, 1);
    assert_says(&outcome, "a.zip/BTCUSDT-5m-2025-12-01.csv:2: ");
}

static void strict_takes_an_archive_whole_or_not_at_all(void **state)
{
    static const struct member members[] = {{"BTCUSDT-5m-2025-12-01.csv", KLINE_0},
                                            {"BTCUSDT-5m-2025-12-02.csv", KLINE_1 "bad\n"}};
    struct outcome outcome = run_new(state, NULL, true, put_zip(state, "a.zip", NULL, members, 2));
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_says(&outcome, "a.zip: nothing of it was imported");
    assert_stored(state, "BTCUSDT", 0);
}

static void names_in_an_archive_cannot_write_to_the_terminal(void **state)
{
    const struct member member = {"\x1B[2JBTC\xE5\xB8\x81-1m\n.csv", "bad\n"};
    struct outcome outcome = import(state, put_zip(state, "a.zip", NULL, &member, 1));
    assert_says(&outcome, "a.zip/?[2JBTC\xE5\xB8\x81-1m?.csv: ");
}

struct writer {
    const char *from, *to;
};

/* Byte by byte, as a pipe may give them; until the reader needs no more, which may be before the
 * last ones, as those are an archive's list of what was in it. */
static void *copy_into_pipe(void *context)
{
    const struct writer *writer = context;
    static char content[1 << 16];
    int from = open(writer->from, O_RDONLY), to = open(writer->to, O_WRONLY);
    ssize_t size = read(from, content, sizeof content);
    signal(SIGPIPE, SIG_IGN);
    for (ssize_t i = 0; i < size && write(to, content + i, 1) == 1; i++)
        ;
    close(from);
    close(to);
    return NULL;
}

static void archives_come_through_pipes_too(void **state)
{
    const struct member member = {"BTCUSDT-5m-2025-12-01.csv", KLINE_0};
    const struct writer writers[] = {
        {put_zip(state, "a.zip", NULL, &member, 1), path_in(state, "BTCUSDT-5m-p.zip")},
        {put_gzip(state, "a.gz", "wb", KLINE_1), path_in(state, "BTCUSDT-5m-p.csv.gz")},
    };
    for (size_t i = 0; i < 2; i++) {
        pthread_t thread;
        assert_int_equal(mkfifo(writers[i].to, 0600), 0);
        assert_int_equal(pthread_create(&thread, NULL, copy_into_pipe, (void *)&writers[i]), 0);
        struct outcome outcome = import(state, writers[i].to);
        pthread_join(thread, NULL);
        assert_int_equal(outcome.status, STATUS_OK);
        assert_int_equal(outcome.klines.rows_new, 1);
    }
}

/* -- what is refused --------------------------------------------------------------------------- */

static void a_damaged_archive_gives_nothing(void **state)
{
    const struct member member = {"BTCUSDT-5m-2025-12-01.csv", KLINE_0 KLINE_1};
    const char *zip = put_zip(state, "BTCUSDT-5m-a.zip", NULL, &member, 1);
    damage(zip, 90);
    assert_refused(state, zip, "BTCUSDT-5m-a.zip");
    const char *gzip = put_gzip(state, "BTCUSDT-5m-b.csv.gz", "wb", KLINE_0 KLINE_1);
    damage(gzip, -8); /* the checksum */
    assert_refused(state, gzip, "is damaged");
    damage(gzip, -8);
    damage(gzip, 20);
    assert_refused(state, gzip, "BTCUSDT-5m-b.csv.gz: ");
}

static void an_archive_that_is_cut_off_gives_nothing(void **state)
{
    const struct member members[] = {{"BTCUSDT-5m-2025-12-01.csv", KLINE_0},
                                     {"BTCUSDT-5m-2025-12-02.csv", KLINE_1}};
    char zip[256], gzip[256]; /* paths that stay */
    strcpy(zip, put_zip(state, "a.zip", NULL, members, 2));
    for (off_t size = size_of(zip) / 2; size > 0; size -= 7) {
        assert_int_equal(truncate(zip, size), 0);
        assert_refused(state, zip, "a.zip");
    }
    strcpy(gzip, put_gzip(state, "BTCUSDT-5m-b.csv.gz", "wb", KLINE_0 KLINE_1));
    for (off_t size = size_of(gzip) - 1; size > 1; size -= 7) {
        assert_int_equal(truncate(gzip, size), 0);
        assert_refused(state, gzip, "BTCUSDT-5m-b.csv.gz: is cut off");
    }
}

static void a_long_file_that_is_damaged_at_its_end_gives_nothing(void **state)
{
    enum { ROWS = 20000 }; /* more than are held before they are stored */
    const char *path = path_in(state, "BTCUSDT-5m-a.csv.gz");
    gzFile file = gzopen(path, "wb");
    for (int i = 0; i < ROWS; i++)
        gzprintf(file, "%lld,9,9,9,9,1,,,,,,0\n", (long long)(T0 + i * CANDLE_MS));
    assert_int_equal(gzclose(file), Z_OK);
    damage(path, -8);
    assert_refused(state, path, "is damaged");
    damage(path, -8);
    struct outcome outcome = import(state, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_new, ROWS);
}

static void what_unpacks_to_far_more_than_it_is_gives_nothing(void **state)
{
    const char *path = path_in(state, "BTCUSDT-5m-bomb.csv.gz");
    static char zeros[1 << 20];
    gzFile file = gzopen(path, "wb9");
    gzputs(file, KLINE_0);
    for (int i = 0; i < 64; i++)
        assert_int_equal(gzwrite(file, zeros, sizeof zeros), sizeof zeros);
    assert_int_equal(gzclose(file), Z_OK);
    assert_true(size_of(path) < 100000);
    assert_refused(state, path, "unpacks to more than 200 times its size");
}

static void an_archive_in_an_archive_is_refused(void **state)
{
    const struct member inner = {"BTCUSDT-5m-2025-12-01.csv", KLINE_0};
    char content[4096] = "";
    FILE *file = fopen(put_zip(state, "inner.zip", NULL, &inner, 1), "r");
    assert_true(fread(content, 1, 4, file) == 4); /* what follows has zeros */
    fclose(file);
    const struct member outer[] = {{"inner.zip", content}, inner};
    assert_refused(state, put_zip(state, "outer.zip", NULL, outer, 2),
                   "outer.zip/inner.zip: holds a file that is packed again (zip)");
    assert_refused(state, put_gzip(state, "BTCUSDT-5m-x.csv.gz", "wb", content), "packed again");
}

static void an_archive_that_is_encrypted_is_refused(void **state)
{
    const struct member member = {"BTCUSDT-5m-2025-12-01.csv", KLINE_0};
    assert_refused(state, put_zip(state, "a.zip", "secret", &member, 1), "is encrypted");
}

static void an_archive_without_a_table_says_so(void **state)
{
    const struct member member = {"README.md", "hello"};
    assert_refused(state, put_zip(state, "a.zip", NULL, &member, 1),
                   "nothing in this archive can be imported");
    assert_refused(state, put_zip(state, "b.zip", NULL, NULL, 0),
                   "nothing in this archive can be imported");
}

static void what_cannot_be_unpacked_is_named(void **state)
{
    static const struct member files[] = {
        {"BTCUSDT-5m-a.csv", "\x28\xB5\x2F\xFDzstd"},
        {"BTCUSDT-5m-b.csv", "BZh9"},
        {"c", "PAR1"},
    };
    static const char *const names[] = {"zstd", "bzip2", "Parquet"};
    for (size_t i = 0; i < 3; i++) {
        const char *path = path_in(state, files[i].name);
        FILE *file = fopen(path, "w");
        fputs(files[i].content, file);
        fclose(file);
        char words[64];
        snprintf(words, sizeof words, "is packed as %s", names[i]);
        assert_refused(state, path, words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_zip_of_the_archive_is_imported),
        in_folder(a_zip_may_hold_a_whole_tree),
        in_folder(the_name_of_the_archive_says_what_its_member_does_not),
        in_folder(gzip_is_read_however_many_streams_it_has),
        in_folder(how_a_file_is_packed_is_told_by_its_content),
        in_folder(packed_files_of_a_folder_are_found),
        in_folder(a_bad_row_in_an_archive_is_named_by_member_and_line),
        in_folder(strict_takes_an_archive_whole_or_not_at_all),
        in_folder(names_in_an_archive_cannot_write_to_the_terminal),
        in_folder(archives_come_through_pipes_too),
        in_folder(a_damaged_archive_gives_nothing),
        in_folder(an_archive_that_is_cut_off_gives_nothing),
        in_folder(a_long_file_that_is_damaged_at_its_end_gives_nothing),
        in_folder(what_unpacks_to_far_more_than_it_is_gives_nothing),
        in_folder(an_archive_in_an_archive_is_refused),
        in_folder(an_archive_that_is_encrypted_is_refused),
        in_folder(an_archive_without_a_table_says_so),
        in_folder(what_cannot_be_unpacked_is_named),
    };
    return cmocka_run_group_tests_name("import_packed", tests, NULL, NULL);
}
