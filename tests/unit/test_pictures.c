/* Folders of pictures: sizes and values against oracles, damage at every length, classes,
 * label files, and names made to harm. */
#include "data_fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include "data/picture.h"
#include "ranklab/dataset.h"

/* A colour picture of w x h whose pixel i has the bytes 3 i, 3 i + 1, 3 i + 2 (mod 251).
 */
static void save_ppm(void **state, const char *name, int w, int h)
{
    struct lr_strbuf b = {0};

    lr_strbuf_printf(&b, "P6\n%d %d\n255\n", w, h);
    for (int i = 0; i < 3 * w * h; i++)
        lr_strbuf_putc(&b, (char)(i % 251));
    save(state, name, b.s, b.len);
    lr_strbuf_free(&b);
}

static struct lr_dataset *open_ok(void **state, int c, int h, int w,
                                  const struct lr_data_opts *o)
{
    struct lr_dataset *d = NULL;
    struct lr_err e = {0};

    if (lr_dataset_open(&d, *state, c, h, w, o, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    return d;
}

static void folder__gives_stored_values_when_sizes_are_equal(void **state)
{
    static const struct lr_data_opts o = {.has_scale = true, .scale = 1};
    float x[2 * 3 * 6];

    save_ppm(state, "b.ppm", 3, 2);
    save_ppm(state, "a.PPM", 3, 2);
    save(state, "notes.txt", "x", 1);
    struct lr_dataset *d = open_ok(state, 3, 2, 3, &o);
    assert_int_equal(lr_dataset_count(d), 2);
    assert_int_equal(lr_dataset_skipped(d), 0);
    assert_null(lr_dataset_labels(d));
    assert_int_equal(lr_dataset_batch(d, 0, 2, x, NULL), LR_OK);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 6; i++)
            assert_true(x[6 * k + i] == (float)(3 * i + k));
    lr_dataset_free(d);
}

static void folder__skips_and_counts_what_is_damaged_at_every_length(void **state)
{
    struct lr_strbuf b = {0};
    char name[32];

    lr_strbuf_puts(&b, "P6 3 2 255\n");
    for (int i = 0; i < 18; i++)
        lr_strbuf_putc(&b, (char)i);
    for (size_t n = 0; n <= b.len; n++) {
        snprintf(name, sizeof(name), "cut-%02zu.ppm", n);
        save(state, name, b.s, n);
    }
    assert_int_equal(mkfifo(in(state, "fifo.jpg").s, 0600), 0);
    assert_int_equal(symlink("loop.png", in(state, "loop.png").s), 0);
    assert_int_equal(symlink("/dev/zero", in(state, "zero.webp").s), 0);
    save(state, "bomb.ppm", "P6 60000 60000 255\n", 19);
    save(state, "new\nline\x1b[31m.bmp", "BM", 2);
    struct lr_dataset *d = open_ok(state, 3, 2, 3, NULL);
    assert_int_equal(lr_dataset_count(d), 1);
    assert_int_equal(lr_dataset_skipped(d), b.len + 5);
    lr_dataset_free(d);
    lr_strbuf_free(&b);
}

static void labels__come_by_name_or_by_line(void **state)
{
    struct path p = in(state, "labels.txt");
    struct lr_data_opts o = {.labels = p.s};
    struct lr_dataset *d;
    struct lr_err e = {0};

    save_ppm(state, "a b.ppm", 3, 2);
    save_ppm(state, "c.ppm", 3, 2);
    save(state, "labels.txt", "c.ppm 7\r\na b.ppm\t3\nother.ppm 9\n", 31);
    d = open_ok(state, 3, 2, 3, &o);
    assert_int_equal(lr_dataset_labels(d)[0], 3);
    assert_int_equal(lr_dataset_labels(d)[1], 7);
    lr_dataset_free(d);
    save(state, "labels.txt", "5\n6", 3);
    d = open_ok(state, 3, 2, 3, &o);
    assert_int_equal(lr_dataset_labels(d)[0], 5);
    assert_int_equal(lr_dataset_labels(d)[1], 6);
    lr_dataset_free(d);
    static const char *const bad[] = {"5\n",          "c.ppm 7\n",
                                      "c.ppm x\n",    "c.ppm -1\n",
                                      "1\nc.ppm 2\n", "c.ppm 1\nc.ppm 2\na b.ppm 1\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        save(state, "labels.txt", bad[i], strlen(bad[i]));
        assert_int_not_equal(lr_dataset_open(&d, *state, 3, 2, 3, &o, NULL, &e), LR_OK);
        assert_non_null(strstr(e.msg, "labels.txt"));
    }
}

static void resize__keeps_a_constant_and_halves_as_a_triangle(void **state)
{
    unsigned char row[8] = {0, 0, 0, 0, 200, 200, 200, 200};
    struct data_picture from = {.w = 8, .h = 1, .c = 1, .pixels = row},
                        to = {.w = 4, .h = 1};

    (void)state;
    assert_int_equal(data_picture_resize(&to, &from, NULL), LR_OK);
    /* Weights 1 3 3 1 of 8 around each pair, normalised at the borders. */
    assert_int_equal(to.pixels[0], 0);
    assert_int_equal(to.pixels[1], 25);
    assert_int_equal(to.pixels[2], 175);
    assert_int_equal(to.pixels[3], 200);
    data_picture_free(&to);
}

static void put_chunk(struct lr_strbuf *b, const char *type, const void *data, size_t n)
{
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)type, 4);

    crc = n ? (uint32_t)crc32(crc, data, (uInt)n) : crc;
    for (int i = 3; i >= 0; i--)
        lr_strbuf_putc(b, (char)(n >> (8 * i)));
    lr_strbuf_add(b, type, 4);
    lr_strbuf_add(b, data, n);
    for (int i = 3; i >= 0; i--)
        lr_strbuf_putc(b, (char)(crc >> (8 * i)));
}

/* A small picture with texts that would be large once inflated. */
static void png__with_texts_that_grow_takes_no_memory(void **state)
{
    enum { N_TEXT = 7900000, N_TEXTS = 30 };
    static const unsigned char head[13] = {0, 0, 0, 3, 0, 0, 0, 2, 8, 2};
    static const unsigned char rows[2 * 10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 11};
    unsigned char *text = lr_calloc(N_TEXT, 1), packed[64];
    uLongf n_text = compressBound(N_TEXT), n_rows = sizeof(packed);
    unsigned char *small = lr_alloc(n_text + 3, 1);
    struct lr_strbuf b = {0};
    struct rusage before, after;

    memset(text, 97, N_TEXT);
    memcpy(small, "k\0", 3);
    assert_int_equal(compress(small + 3, &n_text, text, N_TEXT), Z_OK);
    assert_int_equal(compress(packed, &n_rows, rows, sizeof(rows)), Z_OK);
    lr_strbuf_add(&b, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&b, "IHDR", head, sizeof(head));
    for (int i = 0; i < N_TEXTS; i++)
        put_chunk(&b, "zTXt", small, n_text + 3);
    put_chunk(&b, "IDAT", packed, n_rows);
    put_chunk(&b, "IEND", "", 0);
    save(state, "a.png", b.s, b.len);
    lr_strbuf_free(&b);
    lr_free(text);
    lr_free(small);
    getrusage(RUSAGE_SELF, &before);
    struct lr_dataset *d = open_ok(state, 3, 2, 3, NULL);
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(lr_dataset_count(d), 1);
    assert_true(after.ru_maxrss - before.ru_maxrss < 100 << 10); /* kB */
    lr_dataset_free(d);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(folder__gives_stored_values_when_sizes_are_equal),
        T(folder__skips_and_counts_what_is_damaged_at_every_length),
        T(labels__come_by_name_or_by_line),
        T(png__with_texts_that_grow_takes_no_memory),
        T(resize__keeps_a_constant_and_halves_as_a_triangle),
    };

    return cmocka_run_group_tests_name("pictures", tests, NULL, NULL);
}
