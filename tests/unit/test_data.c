/* Image data: the idx reader on files made here (whole, cut short at every byte, lying
 * about their size), gzip bounds, labels, draws and preprocessing. */
#include "data_fixture.h"

#include <math.h>
#include <stdbool.h>
#include <zlib.h>

#include "ranklab/dataset.h"

/* One gzip member appended to b. */
static void add_gzip(struct lr_strbuf *b, const void *data, size_t n)
{
    size_t cap = n + n / 100 + 100;
    unsigned char *out = malloc(cap);
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    lr_strbuf_add(b, (char *)out, cap - z.avail_out);
    deflateEnd(&z);
    free(out);
}

static void save_gzip(void **state, const char *name, const void *data, size_t n)
{
    struct lr_strbuf b = {0};

    add_gzip(&b, data, n);
    save(state, name, b.s, b.len);
    lr_strbuf_free(&b);
}

/* Label i is i mod 10. */
static struct lr_strbuf idx_labels(uint32_t n)
{
    struct lr_strbuf b = idx_header(8, 1, &n);

    for (uint32_t i = 0; i < n; i++)
        lr_strbuf_putc(&b, (char)(i % 10));
    return b;
}

static struct lr_dataset *open_ok(const char *path, int c, int h, int w,
                                  const struct lr_data_opts *o)
{
    struct lr_dataset *d = NULL;
    struct lr_err e = {0};

    if (lr_dataset_open(&d, path, c, h, w, o, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    return d;
}

static void open_fails(const char *path, int c, int h, int w,
                       const struct lr_data_opts *o, enum lr_status wanted,
                       const char *text)
{
    struct lr_dataset *d = NULL;
    struct lr_err e = {0};

    enum lr_status st = lr_dataset_open(&d, path, c, h, w, o, NULL, &e);
    lr_dataset_free(d);
    if (st != wanted || !strstr(e.msg, text))
        fail_msg("status %d, \"%s\"; wanted %d, \"%s\"", st, e.msg, wanted, text);
    assert_null(d);
}

/* ---- idx ---- */

static void idx__reads_images_and_labels_when_plain_or_compressed(void **state)
{
    struct lr_strbuf images = idx_images(12, 4, 5), labels = idx_labels(12);
    char hash[65] = "";

    save(state, "a-images-idx3-ubyte", images.s, images.len);
    save_gzip(state, "a-labels-idx1-ubyte.gz", labels.s, labels.len);
    save_gzip(state, "b-images.idx.gz", images.s, images.len);
    save(state, "b-labels.idx", labels.s, labels.len);
    for (int k = 0; k < 2; k++) {
        float x[12 * 20];
        struct lr_err e = {0};
        const char *name = k ? "b-images.idx.gz" : "a-images-idx3-ubyte";
        struct lr_dataset *d = open_ok(in(state, name).s, 1, 4, 5, NULL);
        assert_int_equal(lr_dataset_count(d), 12);
        assert_int_equal(lr_dataset_classes(d), 10);
        assert_string_equal(lr_dataset_path(d), in(state, name).s);
        assert_non_null(lr_dataset_labels(d));
        assert_int_equal(lr_dataset_batch(d, 0, 12, x, &e), LR_OK);
        for (int i = 0; i < 12; i++) {
            assert_int_equal(lr_dataset_labels(d)[i], i % 10);
            for (int j = 0; j < 20; j++)
                assert_true(x[20 * i + j] == (float)(((7 * i + j) & 0xFF) / 255.0));
        }
        assert_int_equal(strlen(lr_dataset_hash(d)), 64);
        if (k)
            assert_string_equal(lr_dataset_hash(d), hash);
        snprintf(hash, sizeof(hash), "%s", lr_dataset_hash(d));
        lr_dataset_free(d);
    }
    lr_strbuf_free(&images);
    lr_strbuf_free(&labels);
}

static void idx__fails_at_every_byte_when_cut_short(void **state)
{
    struct lr_strbuf b = idx_images(2, 3, 2), gz = {0};

    for (size_t n = 0; n < b.len; n++) {
        save(state, "cut.idx", b.s, n);
        open_fails(in(state, "cut.idx").s, 1, 3, 2, NULL, LR_EPARSE, "cut.idx: ");
    }
    add_gzip(&gz, b.s, b.len);
    for (size_t n = 0; n < gz.len; n++) {
        save(state, "cut.idx", gz.s, n);
        open_fails(in(state, "cut.idx").s, 1, 3, 2, NULL, LR_EPARSE, "cut.idx: ");
    }
    save(state, "cut.idx", gz.s, gz.len);
    lr_dataset_free(open_ok(in(state, "cut.idx").s, 1, 3, 2, NULL));
    lr_strbuf_free(&b);
    lr_strbuf_free(&gz);
}

static void idx__survives_when_any_byte_is_changed(void **state)
{
    struct lr_strbuf b = idx_images(2, 3, 2), gz = {0};

    add_gzip(&gz, b.s, b.len);
    for (int k = 0; k < 2; k++) {
        struct lr_strbuf *f = k ? &gz : &b;
        for (size_t n = 0; n < f->len; n++)
            for (int bit = 0; bit < 8; bit++) {
                struct lr_dataset *d = NULL;
                struct lr_err e = {0};
                f->s[n] = (char)(f->s[n] ^ 1 << bit);
                save(state, "bits.idx", f->s, f->len);
                enum lr_status st =
                    lr_dataset_open(&d, in(state, "bits.idx").s, 1, 3, 2, NULL, NULL, &e);
                assert_true((st == LR_OK) == (d != NULL));
                assert_true(st == LR_OK || e.msg[0]);
                lr_dataset_free(d);
                f->s[n] = (char)(f->s[n] ^ 1 << bit);
            }
    }
    lr_strbuf_free(&b);
    lr_strbuf_free(&gz);
}

static void idx__refuses_when_the_header_lies(void **state)
{
    struct path p = in(state, "x.idx");
    struct lr_strbuf b = idx_images(2, 3, 2);

    lr_strbuf_putc(&b, 1);
    save(state, "x.idx", b.s, b.len);
    open_fails(p.s, 1, 3, 2, NULL, LR_EPARSE, "1 bytes more");
    save_gzip(state, "x.idx", b.s, b.len);
    open_fails(p.s, 1, 3, 2, NULL, LR_EPARSE, "more than the 12 bytes");
    lr_strbuf_free(&b);

    b = idx_header(8, 4, (uint32_t[]){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX});
    save(state, "x.idx", b.s, b.len);
    open_fails(p.s, 1, 3, 2, NULL, LR_ESHAPE, "x.idx: ");
    lr_strbuf_free(&b);
    /* 64 GB promised by a few compressed bytes must fail without asking for the memory.
     */
    b = idx_header(8, 3, (uint32_t[]){1 << 20, 1 << 8, 1 << 8});
    save_gzip(state, "x.idx", b.s, b.len);
    open_fails(p.s, 1, 256, 256, NULL, LR_EPARSE, "cannot hold");
    lr_strbuf_free(&b);

    b = idx_header(0x0D, 3, (uint32_t[]){0, 1, 1});
    save(state, "x.idx", b.s, b.len);
    open_fails(p.s, 1, 1, 1, NULL, LR_EUNSUP, "0x0d");
    b.s[2] = 0x33;
    save(state, "x.idx", b.s, b.len);
    open_fails(p.s, 1, 1, 1, NULL, LR_EPARSE, "0x33");
    b.s[2] = 8;
    save(state, "x.idx", b.s, b.len);
    open_fails(p.s, 1, 1, 1, NULL, LR_EINVAL, "no images");
    b.s[3] = 0;
    save(state, "x.idx", b.s, b.len);
    open_fails(p.s, 1, 1, 1, NULL, LR_EPARSE, "0 dimensions");
    b.s[3] = 9;
    save(state, "x.idx", b.s, b.len);
    open_fails(p.s, 1, 1, 1, NULL, LR_EPARSE, "9 dimensions");
    save(state, "x.idx", "hello", 5);
    open_fails(p.s, 1, 1, 1, NULL, LR_EPARSE, "neither idx nor .npy");
    open_fails(*state, 1, 1, 1, NULL, LR_EINVAL, "holds no pictures");
    open_fails(in(state, "missing").s, 1, 1, 1, NULL, LR_EIO, "missing");
    lr_strbuf_free(&b);
}

static void gzip__is_bounded_when_it_holds_far_more_than_promised(void **state)
{
    struct lr_strbuf b = idx_images(1, 2, 2), gz = {0};
    size_t n = 64u << 20;
    char *zeros = calloc(n, 1);

    /* A member with the header, then members that swell to 256 MB. */
    add_gzip(&gz, b.s, b.len);
    for (int i = 0; i < 4; i++)
        add_gzip(&gz, zeros, n);
    save(state, "bomb.idx.gz", gz.s, gz.len);
    open_fails(in(state, "bomb.idx.gz").s, 1, 2, 2, NULL, LR_EPARSE,
               "more than the 4 bytes");
    free(zeros);
    lr_strbuf_free(&b);
    lr_strbuf_free(&gz);
}

static void gzip__joins_members_and_checks_what_follows(void **state)
{
    struct lr_strbuf b = idx_images(3, 2, 2), gz = {0};
    struct path p = in(state, "m.idx.gz");

    for (size_t cut = 0; cut <= b.len; cut++) {
        lr_strbuf_reset(&gz);
        add_gzip(&gz, b.s, cut);
        add_gzip(&gz, b.s + cut, b.len - cut);
        save(state, "m.idx.gz", gz.s, gz.len);
        struct lr_dataset *d = open_ok(p.s, 1, 2, 2, NULL);
        float x[12];
        assert_int_equal(lr_dataset_batch(d, 0, 3, x, NULL), LR_OK);
        assert_true(x[11] == (float)(17 / 255.0));
        lr_dataset_free(d);
    }
    lr_strbuf_add(&gz, "\0\0\0", 3);
    save(state, "m.idx.gz", gz.s, gz.len);
    lr_dataset_free(open_ok(p.s, 1, 2, 2, NULL));
    lr_strbuf_putc(&gz, 'x');
    save(state, "m.idx.gz", gz.s, gz.len);
    open_fails(p.s, 1, 2, 2, NULL, LR_EPARSE, "not gzip data");
    lr_strbuf_free(&b);
    lr_strbuf_free(&gz);
}

/* ---- labels ---- */

static void labels__are_refused_when_they_do_not_fit(void **state)
{
    struct lr_strbuf images = idx_images(3, 2, 2), b = idx_labels(4);
    struct path p = in(state, "t-images.idx"), q = in(state, "t-labels.idx");
    struct lr_data_opts o = {.labels = q.s};
    int32_t negative[3] = {0, -5, 1};
    int64_t large[3] = {0, 1, (int64_t)1 << 40};

    save(state, "t-images.idx", images.s, images.len);
    struct lr_dataset *d = open_ok(p.s, 1, 2, 2, NULL);
    assert_null(lr_dataset_labels(d));
    assert_int_equal(lr_dataset_classes(d), 0);
    lr_dataset_free(d);
    open_fails(p.s, 1, 2, 2, &o, LR_EIO, "t-labels.idx");

    save(state, "t-labels.idx", b.s, b.len);
    open_fails(p.s, 1, 2, 2, NULL, LR_ESHAPE, "t-labels.idx: 4 labels for 3 images");
    d = open_ok(p.s, 1, 2, 2, &(struct lr_data_opts){.labels = ""});
    assert_null(lr_dataset_labels(d));
    lr_dataset_free(d);
    lr_strbuf_free(&b);

    b = npy(1, "{'descr': '<i4', 'fortran_order': False, 'shape': (3,)}", negative, 12);
    save(state, "t-labels.idx", b.s, b.len);
    open_fails(p.s, 1, 2, 2, &o, LR_EINVAL, "label -5 of image 1");
    lr_strbuf_free(&b);
    b = npy(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}", large, 24);
    save(state, "t-labels.idx", b.s, b.len);
    open_fails(p.s, 1, 2, 2, &o, LR_EINVAL, "of image 2");
    lr_strbuf_free(&b);
    b = npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", six, 24);
    save(state, "t-labels.idx", b.s, b.len);
    open_fails(p.s, 1, 2, 2, &o, LR_EINVAL, "integers");
    save(state, "t-labels.idx", images.s, images.len);
    open_fails(p.s, 1, 2, 2, &o, LR_ESHAPE, "one number per image");
    lr_strbuf_free(&b);

    b = idx_header(0x0C, 1, (uint32_t[]){3});
    lr_strbuf_add(&b, "\0\0\1\2\0\0\0\7\0\0\0\0", 12);
    save(state, "t-labels.idx", b.s, b.len);
    d = open_ok(p.s, 1, 2, 2, NULL);
    assert_int_equal(lr_dataset_labels(d)[0], 258);
    assert_int_equal(lr_dataset_classes(d), 259);
    lr_dataset_free(d);
    lr_strbuf_free(&b);
    lr_strbuf_free(&images);
}

/* ---- draws ---- */

static void draw__is_random_unsorted_and_reproducible(void **state)
{
    enum { N = 200, DRAWN = 60 };
    struct lr_strbuf images = idx_header(8, 3, (uint32_t[]){N, 1, 1}),
                     labels = idx_header(8, 1, (uint32_t[]){N});
    struct path p = in(state, "d-images.idx");
    struct lr_data_opts o = {.count = DRAWN, .seed = 7, .has_scale = true, .scale = 1};
    float x[3][DRAWN];
    char hashes[3][65];
    int n_steps_up = 0, n_first = 0, n_same = 0;
    bool seen[N] = {false};

    for (int i = 0; i < N; i++) {
        lr_strbuf_putc(&images, (char)i);
        lr_strbuf_putc(&labels, (char)i);
    }
    save(state, "d-images.idx", images.s, images.len);
    save(state, "d-labels.idx", labels.s, labels.len);
    for (int k = 0; k < 3; k++) {
        o.seed = k == 2 ? 8 : 7;
        struct lr_dataset *d = open_ok(p.s, 1, 1, 1, &o);
        assert_int_equal(lr_dataset_count(d), DRAWN);
        assert_int_equal(lr_dataset_batch(d, 0, DRAWN, x[k], NULL), LR_OK);
        for (int i = 0; i < DRAWN; i++)
            assert_true(x[k][i] == (float)lr_dataset_labels(d)[i]);
        snprintf(hashes[k], 65, "%s", lr_dataset_hash(d));
        lr_dataset_free(d);
    }
    assert_memory_equal(x[0], x[1], sizeof(x[0]));
    assert_string_equal(hashes[0], hashes[1]);
    assert_string_not_equal(hashes[0], hashes[2]);
    for (int i = 0; i < DRAWN; i++) {
        assert_false(seen[(int)x[0][i]]);
        seen[(int)x[0][i]] = true;
        n_steps_up += i > 0 && x[0][i] > x[0][i - 1];
        n_first += x[0][i] < DRAWN;
        n_same += x[0][i] == x[2][i];
    }
    /* Sorted: 59 steps up; the first images of the file: 60 of them. */
    assert_in_range(n_steps_up, 15, 45);
    assert_in_range(n_first, 5, 35);
    assert_in_range(n_same, 0, 10);

    o.count = N + 1;
    open_fails(p.s, 1, 1, 1, &o, LR_EINVAL, "count 201 exceeds its 200 images");
    o.count = -1;
    open_fails(p.s, 1, 1, 1, &o, LR_EINVAL, "count -1");
    lr_strbuf_free(&images);
    lr_strbuf_free(&labels);
}

/* ---- preprocessing ---- */

static void batch__normalises_channels_when_given_mean_std_and_bgr(void **state)
{
    enum { N = 2, C = 3, H = 2, W = 4, PLANE = H * W };
    float stored[N * C * PLANE], x[N * C * PLANE];
    unsigned char bytes[N * C * PLANE];
    struct lr_data_opts o = {.n_mean = 3,
                             .mean = {0.485f, 0.456f, 0.406f},
                             .n_std = 3,
                             .std = {0.229f, 0.224f, 0.225f}};

    for (int i = 0; i < N * C * PLANE; i++) {
        stored[i] = (float)i * 0.37f - 3;
        bytes[i] = (unsigned char)(i * 5);
    }
    /* kind 0: reals n,c,h,w; 1: bytes n,c,h,w; 2: bytes n,h,w,c; 3: idx n,h,w,c */
    for (int kind = 0; kind < 4; kind++)
        for (int flags = 0; flags < 4; flags++) {
            struct lr_strbuf b = {0};
            const char *dict = kind == 0   ? "{'descr': '<f4', 'fortran_order': False, "
                                             "'shape': (2, 3, 2, 4)}"
                               : kind == 1 ? "{'descr': '|u1', 'fortran_order': False, "
                                             "'shape': (2, 3, 2, 4)}"
                                           : "{'descr': '|u1', 'fortran_order': False, "
                                             "'shape': (2, 2, 4, 3)}";
            if (kind == 0) {
                b = npy(1, dict, stored, sizeof(stored));
            } else if (kind < 3) {
                b = npy(1, dict, bytes, sizeof(bytes));
            } else {
                b = idx_header(8, 4, (uint32_t[]){N, H, W, C});
                lr_strbuf_add(&b, (char *)bytes, sizeof(bytes));
            }
            save(state, "x.bin", b.s, b.len);
            o.is_bgr = flags & 1;
            o.has_scale = flags & 2;
            o.scale = 0.5f;
            struct lr_dataset *d = open_ok(in(state, "x.bin").s, C, H, W, &o);
            assert_int_equal(lr_dataset_batch(d, 0, N, x, NULL), LR_OK);
            for (int i = 0; i < N; i++)
                for (int k = 0; k < C; k++)
                    for (int j = 0; j < PLANE; j++) {
                        int from = o.is_bgr ? 2 - k : k;
                        int at = kind < 2 ? (i * C + from) * PLANE + j
                                          : (i * PLANE + j) * C + from;
                        double v = kind == 0 ? (double)stored[at] : (double)bytes[at];
                        v *= o.has_scale ? 0.5 : kind == 0 ? 1 : 1 / 255.0;
                        v = (v - (double)o.mean[k]) / (double)o.std[k];
                        double got = (double)x[(i * C + k) * PLANE + j];
                        if (fabs(got - v) > 1e-6 * (1 + fabs(v)))
                            fail_msg("kind %d flags %d: %g is not %g", kind, flags, got,
                                     v);
                    }
            lr_dataset_free(d);
            lr_strbuf_free(&b);
        }
}

static void batch__repeats_grey_and_refuses_other_shapes(void **state)
{
    struct lr_strbuf b = idx_images(2, 3, 4);
    struct path p = in(state, "g.idx");
    float x[2 * 3 * 12];

    save(state, "g.idx", b.s, b.len);
    struct lr_dataset *d = open_ok(p.s, 3, 3, 4, &(struct lr_data_opts){.is_bgr = true});
    assert_int_equal(lr_dataset_batch(d, 1, 1, x, NULL), LR_OK);
    assert_memory_equal(x, x + 12, 12 * sizeof(*x));
    assert_memory_equal(x, x + 24, 12 * sizeof(*x));
    assert_true(x[0] == (float)(7 / 255.0));
    struct lr_err e = {0};
    assert_int_equal(lr_dataset_batch(d, 1, 2, x, &e), LR_EINVAL);
    assert_int_equal(lr_dataset_batch(d, -1, 1, x, &e), LR_EINVAL);
    assert_int_equal(lr_dataset_batch(d, INT64_MAX, INT64_MAX, x, &e), LR_EINVAL);
    assert_int_equal(lr_dataset_batch(d, 2, 0, x, &e), LR_OK);
    lr_dataset_free(d);
    open_fails(p.s, 1, 4, 3, NULL, LR_ESHAPE,
               "2x3x4 do not fit a network input of 1x4x3");
    open_fails(p.s, 2, 3, 4, NULL, LR_ESHAPE, "2x3x4");
    open_fails(p.s, 0, 3, 4, NULL, LR_EUNSUP, "0x3x4");
    open_fails(p.s, 1, 3, 4, &(struct lr_data_opts){.is_bgr = true}, LR_EINVAL, "bgr");
    open_fails(p.s, 1, 3, 4, &(struct lr_data_opts){.n_mean = 3}, LR_EINVAL, "mean");
    open_fails(p.s, 1, 3, 4, &(struct lr_data_opts){.n_std = 1}, LR_EINVAL, "std 0");
    open_fails(p.s, 1, 3, 4, &(struct lr_data_opts){.n_mean = 1, .mean = {NAN}},
               LR_EINVAL, "mean nan");
    open_fails(p.s, 1, 3, 4, &(struct lr_data_opts){.has_scale = true}, LR_EINVAL,
               "scale");
    lr_strbuf_free(&b);
}

static void open__names_the_image_when_a_value_is_not_finite(void **state)
{
    float stored[4 * 6] = {0};
    struct path p = in(state, "nan.npy");
    struct lr_err e = {0};

    stored[2 * 6 + 5] = NAN;
    assert_int_equal(lr_npy_write(p.s, stored, (int64_t[]){4, 2, 3}, 3, &e), LR_OK);
    open_fails(p.s, 1, 2, 3, NULL, LR_ENUMERIC, "image 2 ");
    open_fails(p.s, 1, 2, 3, NULL, LR_ENUMERIC, "nan.npy");
    stored[2 * 6 + 5] = INFINITY;
    assert_int_equal(lr_npy_write(p.s, stored, (int64_t[]){4, 2, 3}, 3, &e), LR_OK);
    open_fails(p.s, 1, 2, 3, NULL, LR_ENUMERIC, "image 2 ");
}

static void hash__changes_with_pixels_labels_and_preprocessing(void **state)
{
    struct lr_strbuf b = idx_images(3, 2, 2), labels = idx_labels(3);
    struct path p = in(state, "h-images.idx");
    struct lr_data_opts variants[] = {
        {0},
        {.n_mean = 1, .mean = {0.5f}},
        {.n_std = 1, .std = {0.5f}},
        {.has_scale = true, .scale = 1},
        {.count = 3, .seed = 1},
        {.count = 2, .seed = 1},
        {.labels = ""},
    };
    enum { N = sizeof(variants) / sizeof(variants[0]) };
    char hashes[N + 1][65];

    save(state, "h-images.idx", b.s, b.len);
    save(state, "h-labels.idx", labels.s, labels.len);
    for (int i = 0; i <= N; i++) {
        if (i == N) {
            b.s[b.len - 1]++;
            save(state, "h-images.idx", b.s, b.len);
        }
        struct lr_dataset *d = open_ok(p.s, 1, 2, 2, &variants[i % N]);
        snprintf(hashes[i], 65, "%s", lr_dataset_hash(d));
        lr_dataset_free(d);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(hashes[i], hashes[j]);
    }
    lr_strbuf_free(&b);
    lr_strbuf_free(&labels);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(idx__reads_images_and_labels_when_plain_or_compressed),
        T(idx__fails_at_every_byte_when_cut_short),
        T(idx__survives_when_any_byte_is_changed),
        T(idx__refuses_when_the_header_lies),
        T(gzip__is_bounded_when_it_holds_far_more_than_promised),
        T(gzip__joins_members_and_checks_what_follows),
        T(labels__are_refused_when_they_do_not_fit),
        T(draw__is_random_unsorted_and_reproducible),
        T(batch__normalises_channels_when_given_mean_std_and_bgr),
        T(batch__repeats_grey_and_refuses_other_shapes),
        T(open__names_the_image_when_a_value_is_not_finite),
        T(hash__changes_with_pixels_labels_and_preprocessing),
    };

    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
