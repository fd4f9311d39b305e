/* The .npy reader and writer on files made here: every version, type and spelling, cut
 * short or damaged, and what is refused. */
#include "data_fixture.h"

#include <math.h>

#include "ranklab/dataset.h"
#include "ranklab/file.h"
#include "ranklab/tensor.h"

static void npy_fails(void **state, const struct lr_strbuf *b, enum lr_status wanted,
                      const char *text)
{
    struct lr_tensor *t = NULL;
    struct lr_err e = {0};

    save(state, "x.npy", b->s, b->len);
    enum lr_status st = lr_npy_read(&t, in(state, "x.npy").s, &e);
    lr_tensor_free(t);
    if (st != wanted || !strstr(e.msg, text) || !strstr(e.msg, "x.npy"))
        fail_msg("status %d, \"%s\"; wanted %d, \"%s\"", st, e.msg, wanted, text);
}

static const char f4_2x3[] =
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

static void npy__reads_back_exactly_what_was_written(void **state)
{
    struct path p = in(state, "w.npy");
    struct lr_err e = {0};
    float x[24];

    for (int i = 0; i < 24; i++)
        x[i] = (float)sin(i) * 1e-3f;
    for (int n_dims = 0; n_dims <= 4; n_dims++) {
        int64_t dims[4] = {2, 3, 4, 1}, n = 1;
        struct lr_tensor *t = NULL;
        char *raw = NULL;
        size_t len;
        for (int i = 0; i < n_dims; i++)
            n *= dims[i];
        assert_int_equal(lr_npy_write(p.s, x, dims, n_dims, &e), LR_OK);
        assert_int_equal(lr_npy_read(&t, p.s, &e), LR_OK);
        assert_int_equal(t->dtype, LR_DT_F32);
        assert_int_equal(t->shape.n_dims, n_dims);
        assert_memory_equal(t->shape.dims, dims, (size_t)n_dims * sizeof(*dims));
        assert_memory_equal(t->data, x, (size_t)n * sizeof(*x));
        assert_int_equal(lr_file_read(&raw, &len, p.s, 4096, &e), LR_OK);
        assert_int_equal((len - (size_t)n * 4) % 64, 0);
        assert_int_equal(raw[len - (size_t)n * 4 - 1], '\n');
        lr_free(raw);
        lr_tensor_free(t);
    }
    assert_int_equal(lr_npy_write(p.s, x, (int64_t[]){-1}, 1, &e), LR_ESHAPE);
    assert_int_equal(lr_npy_write(p.s, x, NULL, 9, &e), LR_EINVAL);
    assert_int_equal(lr_npy_write(in(state, "no/such/x.npy").s, x, NULL, 0, &e), LR_EIO);
}

static void npy__reads_versions_types_and_spellings(void **state)
{
    static const char *const dicts[] = {
        f4_2x3,
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n",
        "{\"shape\":(2L,3L),\"fortran_order\":False,\"descr\":\"<f4\"}",
        " { 'fortran_order' : False , 'descr':'<f4' , 'shape':( 2,3 , ) , } \n",
    };
    static const double f8[2] = {0.1, 1e300};
    static const uint16_t f2[2] = {0x3C00, 0xC000};
    struct path p = in(state, "v.npy");
    struct lr_err e = {0};

    for (size_t i = 0; i < 4; i++)
        for (int version = 1; version <= 3; version++) {
            struct lr_tensor *t = NULL;
            struct lr_strbuf b = npy(version, dicts[i], six, sizeof(six));
            save(state, "v.npy", b.s, b.len);
            if (lr_npy_read(&t, p.s, &e) != LR_OK)
                fail_msg("%s", e.msg);
            assert_int_equal(t->shape.dims[1], 3);
            assert_memory_equal(t->data, six, sizeof(six));
            lr_tensor_free(t);
            lr_strbuf_free(&b);
        }
    for (int k = 0; k < 3; k++) {
        static const char *const types[] = {"<f8", "<f2", "|u1"};
        const void *data = k == 0   ? (const void *)f8
                           : k == 1 ? (const void *)f2
                                    : "\x07\xff";
        char dict[128];
        struct lr_tensor *t = NULL;
        snprintf(dict, sizeof(dict),
                 "{'descr': '%s', 'fortran_order': True, 'shape': (1, 2)}", types[k]);
        struct lr_strbuf b = npy(1, dict, data, (size_t)(k == 0 ? 16 : k == 1 ? 4 : 2));
        save(state, "v.npy", b.s, b.len);
        if (lr_npy_read(&t, p.s, &e) != LR_OK)
            fail_msg("%s", e.msg);
        assert_int_equal(t->dtype, k == 2 ? LR_DT_U8 : LR_DT_F32);
        const float *x = t->data;
        if (k == 0)
            assert_true(x[0] == 0.1f && isinf(x[1]));
        else if (k == 1)
            assert_true(x[0] == 1.0f && x[1] == -2.0f);
        else
            assert_memory_equal(t->data, "\x07\xff", 2);
        lr_tensor_free(t);
        lr_strbuf_free(&b);
    }
}

/* Element (i, j, k) of 2 x 3 x 4 stands at i + 2 (j + 3 k). */
static void npy__reads_fortran_order(void **state)
{
    static const char *const types[] = {"<f4", "<f8", "<f2", "|u1"};
    static const size_t sizes[] = {4, 8, 2, 1};
    struct path p = in(state, "f.npy");
    struct lr_err e = {0};

    for (int type = 0; type < 4; type++) {
        unsigned char data[24 * 8];
        struct lr_tensor *t = NULL;
        char dict[128];
        for (int at = 0; at < 24; at++) {
            float f4 = (float)at;
            double f8 = at;
            /* the half of at: its leading one is cut off and the rest shifted */
            uint16_t f2 = 0;
            int bits = 0;
            while (at >> bits > 1)
                bits++;
            if (at > 0)
                f2 = (uint16_t)((15 + bits) << 10 | (at - (1 << bits)) << (10 - bits));
            uint8_t u1 = (uint8_t)at;
            const void *from = type == 0   ? (void *)&f4
                               : type == 1 ? (void *)&f8
                               : type == 2 ? (void *)&f2
                                           : (void *)&u1;
            memcpy(data + (size_t)at * sizes[type], from, sizes[type]);
        }
        snprintf(dict, sizeof(dict),
                 "{'descr': '%s', 'fortran_order': True, 'shape': (2, 3, 4)}",
                 types[type]);
        struct lr_strbuf b = npy(1 + type % 3, dict, data, 24 * sizes[type]);
        save(state, "f.npy", b.s, b.len);
        if (lr_npy_read(&t, p.s, &e) != LR_OK)
            fail_msg("%s", e.msg);
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 3; j++)
                for (int k = 0; k < 4; k++) {
                    size_t at = (size_t)((i * 3 + j) * 4 + k);
                    double x = type == 3 ? (double)((uint8_t *)t->data)[at]
                                         : (double)((float *)t->data)[at];
                    if (x != i + 2 * (j + 3 * k))
                        fail_msg("%s (%d, %d, %d) is %g", types[type], i, j, k, x);
                }
        lr_tensor_free(t);
        lr_strbuf_free(&b);
    }
    /* Nothing to order, and less than promised. */
    struct lr_strbuf b = npy(
        1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 4)}", six, sizeof(six));
    npy_fails(state, &b, LR_EPARSE, "24 of 32 bytes");
    lr_strbuf_free(&b);
}

static void npy__fails_when_cut_short_or_damaged(void **state)
{
    struct lr_strbuf b = npy(1, f4_2x3, six, sizeof(six));

    for (size_t n = 0; n < b.len; n++) {
        struct lr_strbuf cut = {b.s, n, n, false};
        npy_fails(state, &cut, LR_EPARSE, "x.npy: ");
    }
    for (size_t n = 0; n < b.len - sizeof(six); n++)
        for (int bit = 0; bit < 8; bit++) {
            struct lr_tensor *t = NULL;
            struct lr_err e = {0};
            b.s[n] = (char)(b.s[n] ^ 1 << bit);
            save(state, "x.npy", b.s, b.len);
            enum lr_status st = lr_npy_read(&t, in(state, "x.npy").s, &e);
            assert_true((st == LR_OK) == (t != NULL));
            lr_tensor_free(t);
            b.s[n] = (char)(b.s[n] ^ 1 << bit);
        }
    lr_strbuf_putc(&b, 0);
    npy_fails(state, &b, LR_EPARSE, "1 bytes more");
    lr_strbuf_free(&b);
}

static void npy__says_why_when_it_refuses(void **state)
{
    static const struct {
        const char *dict;
        enum lr_status status;
        const char *text;
    } cases[] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}", LR_EUNSUP, ">f4"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}", LR_EUNSUP, "|O"},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3)}", LR_EUNSUP, "int32"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}", LR_EUNSUP,
         "records"},
        {"{'descr': '<f4', 'fortran_order': False}", LR_EPARSE, "lacks shape"},
        {"{'descr': '<f4', 'shape': (6,)}", LR_EPARSE, "lacks fortran_order"},
        {"{'descr': '<f4', 'descr': '<f4'}", LR_EPARSE, "twice"},
        {"{'descr': '<f4', 'colour': 1}", LR_EPARSE, "colour"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (6,)}", LR_EPARSE, "neither"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-6,)}", LR_EPARSE, "sizes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 6}", LR_EPARSE, "sizes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
         LR_EPARSE, "sizes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
         LR_ESHAPE, "header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}",
         LR_EPARSE, "too many"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6)}",
         LR_EUNSUP, "dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} + 1", LR_EPARSE,
         "goes on"},
        {"import os", LR_EPARSE, "dictionary"},
        {"", LR_EPARSE, "dictionary"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_strbuf b = npy(1, cases[i].dict, six, sizeof(six));
        npy_fails(state, &b, cases[i].status, cases[i].text);
        lr_strbuf_free(&b);
    }
    struct lr_strbuf b = npy(4, f4_2x3, six, sizeof(six));
    npy_fails(state, &b, LR_EUNSUP, "version 4.0");
    lr_strbuf_free(&b);
    b = npy(2, f4_2x3, six, sizeof(six));
    b.s[11] = 0x7F;
    npy_fails(state, &b, LR_EPARSE, "header of");
    lr_strbuf_free(&b);
    b = idx_images(1, 1, 1);
    npy_fails(state, &b, LR_EPARSE, "idx");
    lr_strbuf_free(&b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(npy__reads_back_exactly_what_was_written),
        T(npy__reads_versions_types_and_spellings),
        T(npy__reads_fortran_order),
        T(npy__fails_when_cut_short_or_damaged),
        T(npy__says_why_when_it_refuses),
    };

    return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
