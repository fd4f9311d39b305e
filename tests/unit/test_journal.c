/* The journal: exact round trips, several processes, full disks, merges. */
#include "journal_fixture.h"

static void journal__find__gives_back_exactly_what_was_added(void **state)
{
    struct place *p = *state;
    struct stat st;

    fill(p->path, 0, 300);
    struct lr_journal *j = open_journal(p->path);
    for (int i = 0; i < 300; i++)
        assert_true(has(j, i));
    assert_false(has(j, 300));
    assert_int_equal(lr_journal_count(j), 300);
    lr_journal_close(j);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void journal__add__ends_a_torn_line_first(void **state)
{
    struct place *p = *state;

    fill(p->path, 0, 2);
    save(p->path, "a", "{\"format\":1,\"key\":\"01", 21);
    struct lr_journal *j = open_journal(p->path);
    assert_true(has(j, 0) && has(j, 1));
    add(j, 2);
    assert_true(has(j, 2));
    lr_journal_close(j);
    struct lr_journal_counts c = verify(p->path);
    assert_int_equal(c.n_kept, 3);
    assert_int_equal(c.n_damaged, 1);
    assert_int_equal(c.first_damaged, 3);
}

static void journal__find__sees_what_others_append_and_replace(void **state)
{
    struct place *p = *state;
    struct lr_journal *a = open_journal(p->path), *b = open_journal(p->path);
    const struct lr_journal_prune old = {.before = 1700000001};
    struct lr_err e = {0};
    int64_t n_removed, n_left;

    add(a, 0);
    assert_true(has(b, 0));
    add(b, 1);
    assert_true(has(a, 1));
    assert_int_equal(lr_journal_prune(&n_removed, &n_left, p->path, &old, &e), LR_OK);
    assert_int_equal(n_removed, 1);
    assert_int_equal(n_left, 1);
    assert_false(has(a, 0));
    assert_true(has(a, 1));
    add(a, 2);
    assert_true(has(b, 2) && has(b, 1) && !has(b, 0));
    unlink(p->path);
    assert_false(has(a, 2));
    add(b, 3);
    assert_true(has(a, 3));
    lr_journal_close(a);
    lr_journal_close(b);
}

static void journal__add__keeps_in_memory_what_cannot_be_written(void **state)
{
    struct place *p = *state;
    struct lr_record r = record(0);
    struct lr_err e = {0};

    fill(p->path, 10, 3);
    struct lr_journal *j = open_journal(p->path);
    struct stat st;
    assert_int_equal(stat(p->path, &st), 0);
    /* A full disk: no file may grow by more than half a line. */
    struct rlimit old, low;
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = (rlim_t)st.st_size + 100;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    enum lr_status rc = lr_journal_add(j, &r, &e);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, before);
    assert_int_equal(rc, LR_EIO);
    assert_true(has(j, 0));
    struct lr_journal_counts c = verify(p->path);
    assert_int_equal(c.n_bytes, st.st_size);
    assert_int_equal(c.n_damaged, 0);
    add(j, 1); /* and now the other one is written too */
    lr_journal_close(j);
    j = open_journal(p->path);
    assert_true(has(j, 0) && has(j, 1) && has(j, 12));
    lr_journal_close(j);
    lr_record_free(&r);
    assert_int_equal(lr_journal_open(&j, p->dir, NULL, &e), LR_EIO); /* a folder */
}

static void count_conflict(void *ctx, const struct lr_record *a,
                           const struct lr_record *b)
{
    assert_string_equal(a->key, b->key);
    ++*(int *)ctx;
}

static void journal__merge__keeps_most_images_and_names_conflicts(void **state)
{
    struct place *p = *state;
    const char *files[] = {p->other};
    int n_conflicts = 0;
    const struct lr_journal_conflicts conflicts = {count_conflict, &n_conflicts};
    struct lr_journal_merged m;
    struct lr_err e = {0};

    fill(p->path, 0, 4);
    struct lr_journal *other = open_journal(p->other);
    struct lr_record fewer = record(0), more = record(4), wrong = record(2);
    fewer.measure.images = 100;
    more.n_images = more.measure.images = 20000;
    lr_journal_key(more.key, "question 1");
    wrong.measure.top1 += 0.01;
    assert_int_equal(lr_journal_add(other, &fewer, &e), LR_OK);
    assert_int_equal(lr_journal_add(other, &more, &e), LR_OK);
    add(other, 3);
    add(other, 7);
    struct lr_journal *j = open_journal(p->path);
    assert_int_equal(
        lr_journal_merge(&m, p->path, files, 1, LR_JOURNAL_REFUSE, &conflicts, &e),
        LR_OK);
    assert_int_equal(m.n_added, 2);
    assert_int_equal(m.n_left, 5);
    assert_int_equal(n_conflicts, 0);
    assert_true(has(j, 0) && has(j, 3) && has(j, 7));
    assert_int_equal(lr_journal_find(j, more.key)->measure.images, 20000);
    /* A different answer: nothing is written unless somebody decides. */
    assert_int_equal(lr_journal_add(other, &wrong, &e), LR_OK);
    int64_t size = verify(p->path).n_bytes;
    assert_int_equal(
        lr_journal_merge(&m, p->path, files, 1, LR_JOURNAL_REFUSE, &conflicts, &e),
        LR_EINVAL);
    assert_int_equal(n_conflicts, 1);
    assert_int_equal(verify(p->path).n_bytes, size);
    assert_int_equal(
        lr_journal_merge(&m, p->path, files, 1, LR_JOURNAL_FIRST, &conflicts, &e), LR_OK);
    assert_true(has(j, 2));
    assert_int_equal(
        lr_journal_merge(&m, p->path, files, 1, LR_JOURNAL_LAST, &conflicts, &e), LR_OK);
    assert_true(fabs(lr_journal_find(j, wrong.key)->measure.top1 - wrong.measure.top1) <
                1e-15);
    lr_record_free(&fewer);
    lr_record_free(&more);
    lr_record_free(&wrong);
    lr_journal_close(j);
    lr_journal_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(journal__find__gives_back_exactly_what_was_added),
        TEST(journal__add__ends_a_torn_line_first),
        TEST(journal__find__sees_what_others_append_and_replace),
        TEST(journal__add__keeps_in_memory_what_cannot_be_written),
        TEST(journal__merge__keeps_most_images_and_names_conflicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
