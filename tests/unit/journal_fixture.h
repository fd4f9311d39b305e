/* A folder with a journal, and records to put into it. */
#ifndef JOURNAL_FIXTURE_H
#define JOURNAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ranklab/file.h"
#include "ranklab/journal.h"
#include "ranklab/mem.h"

struct place {
    char dir[256], path[300], other[300];
};

static inline int make_place(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    const char *base = getenv("TMPDIR");

    snprintf(p->dir, sizeof(p->dir), "%s/ranklab-journal-XXXXXX",
             base && *base ? base : "/tmp");
    if (!mkdtemp(p->dir))
        return -1;
    snprintf(p->path, sizeof(p->path), "%s/journal.jsonl", p->dir);
    snprintf(p->other, sizeof(p->other), "%s/other.jsonl", p->dir);
    *state = p;
    return 0;
}

static inline int remove_place(void **state)
{
    struct place *p = *state;

    unlink(p->path);
    unlink(p->other);
    rmdir(p->dir);
    free(p);
    return 0;
}

/* Record number i: everything in it follows from i. */
static inline struct lr_record record(int i)
{
    struct lr_record r;
    char text[64];

    assert_int_equal(lr_record_init(&r, NULL), LR_OK);
    snprintf(text, sizeof(text), "question %d", i);
    lr_journal_key(r.key, text);
    lr_sha256(r.model, "m", 1);
    r.what = lr_strdup("a/\xe4\xbd\x9c\x1b[m\"\\'`|\n");
    r.method = i % 2 ? lr_strdup("relu") : NULL;
    r.detail = lr_strdup(text);
    r.rank = i;
    r.macs = 123456789012345 + i;
    r.speedup = 1.0 / 3 + i;
    r.error_linear = 5e-324;
    r.error_heldout = INFINITY;
    r.n_images = 10000;
    r.measure.images = 10000;
    r.measure.top1 = 0.1 + 1e-4 * (i % 1000);
    r.measure.top1_difference = -0.30000000000000004;
    r.measure.output_error = 0.12345678901234567;
    r.when = 1700000000 + i;
    return r;
}

static inline void add(struct lr_journal *j, int i)
{
    struct lr_record r = record(i);
    struct lr_err e = {0};

    assert_int_equal(lr_journal_add(j, &r, &e), LR_OK);
    lr_record_free(&r);
}

/* The journal's record number i, as it was made. */
static inline bool has(struct lr_journal *j, int i)
{
    struct lr_record r = record(i);
    const struct lr_record *x = lr_journal_find(j, r.key);
    bool is_found = x != NULL;

    if (x) {
        assert_string_equal(x->detail, r.detail);
        assert_string_equal(x->what, r.what);
        assert_string_equal(x->model, r.model);
        assert_string_equal(x->version, r.version);
        assert_int_equal(x->rank, r.rank);
        assert_int_equal(x->rank_spatial, -1);
        assert_int_equal(x->macs, r.macs);
        assert_int_equal(x->when, r.when);
        assert_memory_equal(&x->speedup, &r.speedup, sizeof(double));
        assert_memory_equal(&x->error_linear, &r.error_linear, sizeof(double));
        assert_true(isinf(x->error_heldout) && isnan(x->energy));
        assert_true(isnan(x->measure.top5) && isnan(x->measure.seconds));
        assert_memory_equal(&x->measure.top1, &r.measure.top1, sizeof(double));
        assert_memory_equal(&x->measure.top1_difference, &r.measure.top1_difference,
                            sizeof(double));
        assert_memory_equal(&x->measure.output_error, &r.measure.output_error,
                            sizeof(double));
    }
    lr_record_free(&r);
    return is_found;
}

static inline struct lr_journal *open_journal(const char *path)
{
    struct lr_journal *j = NULL;
    struct lr_err e = {0};

    assert_int_equal(lr_journal_open(&j, path, NULL, &e), LR_OK);
    return j;
}

static inline void fill(const char *path, int first, int n)
{
    struct lr_journal *j = open_journal(path);

    for (int i = first; i < first + n; i++)
        add(j, i);
    lr_journal_close(j);
}

static inline void save(const char *path, const char *mode, const char *data, size_t n)
{
    FILE *fp = fopen(path, mode);

    assert_non_null(fp);
    assert_int_equal(fwrite(data, 1, n, fp), n);
    assert_int_equal(fclose(fp), 0);
}

static inline struct lr_journal_counts verify(const char *path)
{
    struct lr_journal_counts c;
    struct lr_err e = {0};

    assert_int_equal(lr_journal_verify(&c, path, NULL, &e), LR_OK);
    return c;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

#endif
