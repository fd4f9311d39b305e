/* idx files, gzipped or not, for the tests of data. */
#ifndef IDX_FIXTURE_H
#define IDX_FIXTURE_H

#include "data_fixture.h"

#include <math.h>
#include <stdbool.h>
#include <zlib.h>

#include "ranklab/dataset.h"

/* Label i is i mod 10. */
static inline struct lr_strbuf idx_labels(uint32_t n)
{
    struct lr_strbuf b = idx_header(8, 1, &n);

    for (uint32_t i = 0; i < n; i++)
        lr_strbuf_putc(&b, (char)(i % 10));
    return b;
}

static inline struct lr_dataset *open_ok(const char *path, int c, int h, int w,
                                         const struct lr_data_opts *o)
{
    struct lr_dataset *d = NULL;
    struct lr_err e = {0};

    if (lr_dataset_open(&d, path, c, h, w, o, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    return d;
}

static inline void open_fails(const char *path, int c, int h, int w,
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

#define T(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

#endif
