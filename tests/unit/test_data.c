/* Image data: the idx reader on files made here (whole, cut short at every byte, lying
 * about their size), gzip bounds, labels. */
#include "idx_fixture.h"

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
    };

    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
