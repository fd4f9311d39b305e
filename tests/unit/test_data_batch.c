/* Drawn subsets and normalised batches of data sets. */
#include "idx_fixture.h"

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

/* Networks with the channels last: elements come as y, x, c whatever the file's order,
 * each normalised by its own channel. */
static void batch__puts_channels_last_when_asked(void **state)
{
    enum { N = 3, H = 2, W = 4, C = 3, SIZE = H * W * C };
    struct path p = in(state, "last.npy");
    struct lr_data_opts o = {.is_channels_last = true,
                             .n_mean = 3,
                             .mean = {1, 2, 3},
                             .n_std = 3,
                             .std = {1, 2, 4}};
    float first[N * SIZE], last[N * SIZE], got[N * SIZE];
    unsigned char bytes[N * SIZE];

    for (int n = 0; n < N; n++)
        for (int i = 0; i < H * W; i++)
            for (int c = 0; c < C; c++) {
                int at = (n * H * W + i) * C + c;
                bytes[at] = (unsigned char)((7 * at) % 251);
                last[at] = bytes[at];
                first[(n * C + c) * H * W + i] = bytes[at];
            }
    for (int k = 0; k < 3; k++) {
        static const char *const dicts[] = {
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2, 4, 3)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 3, 2, 4)}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 4, 3)}"};
        const void *data = k == 0 ? (void *)last : k == 1 ? (void *)first : (void *)bytes;
        struct lr_strbuf b =
            npy(1, dicts[k], data, k == 2 ? sizeof(bytes) : sizeof(last));
        save(state, "last.npy", b.s, b.len);
        o.has_scale = true;
        o.scale = 1;
        struct lr_dataset *d = open_ok(p.s, C, H, W, &o);
        assert_int_equal(lr_dataset_batch(d, 1, N - 1, got, NULL), LR_OK);
        for (int i = 0; i < (N - 1) * SIZE; i++)
            assert_true(got[i] == (last[SIZE + i] - o.mean[i % C]) / o.std[i % C]);
        lr_dataset_free(d);
        o.is_channels_last = false;
        if (k == 0)
            open_fails(p.s, C, H, W, &o, LR_ESHAPE, "3x2x4x3");
        o.is_channels_last = true;
        lr_strbuf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(draw__is_random_unsorted_and_reproducible),
        T(batch__normalises_channels_when_given_mean_std_and_bgr),
        T(batch__repeats_grey_and_refuses_other_shapes),
        T(batch__puts_channels_last_when_asked),
        T(open__names_the_image_when_a_value_is_not_finite),
        T(hash__changes_with_pixels_labels_and_preprocessing),
    };

    return cmocka_run_group_tests_name("data_batch", tests, NULL, NULL);
}
