/* Unit tests of the journal: exact round trips, damage, several processes, full disks. */
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

static int make_place(void **state)
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

static int remove_place(void **state)
{
    struct place *p = *state;

    unlink(p->path);
    unlink(p->other);
    rmdir(p->dir);
    free(p);
    return 0;
}

/* Record number i: everything in it follows from i. */
static struct lr_record record(int i)
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

static void add(struct lr_journal *j, int i)
{
    struct lr_record r = record(i);
    struct lr_err e = {0};

    assert_int_equal(lr_journal_add(j, &r, &e), LR_OK);
    lr_record_free(&r);
}

/* The journal's record number i, as it was made. */
static bool has(struct lr_journal *j, int i)
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

static struct lr_journal *open_journal(const char *path)
{
    struct lr_journal *j = NULL;
    struct lr_err e = {0};

    assert_int_equal(lr_journal_open(&j, path, NULL, &e), LR_OK);
    return j;
}

static void fill(const char *path, int first, int n)
{
    struct lr_journal *j = open_journal(path);

    for (int i = first; i < first + n; i++)
        add(j, i);
    lr_journal_close(j);
}

static void save(const char *path, const char *mode, const char *data, size_t n)
{
    FILE *fp = fopen(path, mode);

    assert_non_null(fp);
    assert_int_equal(fwrite(data, 1, n, fp), n);
    assert_int_equal(fclose(fp), 0);
}

static struct lr_journal_counts verify(const char *path)
{
    struct lr_journal_counts c;
    struct lr_err e = {0};

    assert_int_equal(lr_journal_verify(&c, path, NULL, &e), LR_OK);
    return c;
}

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

/* Whatever bytes are changed, lines that were not touched are found, and no line that was
 * touched is taken for a record. */
static void journal__open__survives_random_damage(void **state)
{
    struct place *p = *state;
    enum { N = 12 };
    char *text;
    size_t len, begin[N + 1];
    unsigned seed = 1;

    fill(p->path, 0, N);
    assert_int_equal(lr_file_read(&text, &len, p->path, 1 << 20, NULL), LR_OK);
    begin[0] = 0;
    for (size_t i = 0, n = 1; i < len && n <= N; i++)
        if (text[i] == '\n')
            begin[n++] = i + 1;
    for (int round = 0; round < 300; round++) {
        char *bad = lr_strndup(text, len);
        bool is_hit[N] = {false};
        int n_hits = 1 + rand_r(&seed) % 6;
        memcpy(bad, text, len);
        for (int k = 0; k < n_hits; k++) {
            size_t at = (size_t)rand_r(&seed) % len;
            char now = (char)(rand_r(&seed) % 256);
            if (bad[at] == now || text[at] == '\n')
                continue;
            bad[at] = now;
            for (int i = 0; i < N; i++)
                is_hit[i] = is_hit[i] || (at >= begin[i] && at < begin[i + 1]);
        }
        save(p->path, "w", bad, len);
        struct lr_journal *j = open_journal(p->path);
        for (int i = 0; i < N; i++) {
            struct lr_record r = record(i);
            /* A hit may be undone by a second one: then the line is good again. */
            bool is_same =
                memcmp(bad + begin[i], text + begin[i], begin[i + 1] - begin[i]) == 0;
            assert_int_equal(lr_journal_find(j, r.key) != NULL, is_same);
            assert_true(is_same || is_hit[i]);
            lr_record_free(&r);
        }
        lr_journal_close(j);
        lr_free(bad);
    }
    lr_free(text);
}

/* With the right check, so that only the values are wrong. */
static void put_line(const char *path, const char *body)
{
    struct lr_strbuf b = {0};
    char check[65];

    lr_sha256(check, body, strlen(body));
    lr_strbuf_printf(&b, "%s,\"check\":\"%.16s\"}\n", body, check);
    save(path, "a", b.s, b.len);
    lr_strbuf_free(&b);
}

static void journal__open__refuses_hostile_values_line_by_line(void **state)
{
    struct place *p = *state;
    struct lr_strbuf deep = {0};
    char head[128], key[65];

    lr_sha256(key, "x", 1);
    snprintf(head, sizeof(head), "{\"format\":1,\"key\":\"%s\",\"when\":1,\"what\":\"w\"",
             key);
    static const char *const rest[] = {
        ",\"n_images\":5,\"images\":-1",
        ",\"n_images\":5,\"images\":6",
        ",\"n_images\":99999999999999999999,\"images\":1",
        ",\"n_images\":5,\"images\":5,\"top1\":NaN",
        ",\"n_images\":5,\"images\":5,\"top1\":1e999",
        ",\"n_images\":5,\"images\":5,\"top1\":-0.5",
        ",\"n_images\":5,\"images\":5,\"top1\":\"0.5\"",
        ",\"n_images\":5,\"images\":5,\"rank\":-1",
        ",\"n_images\":5,\"images\":5,\"rank\":3000000000",
        ",\"n_images\":5,\"images\":5,\"images\":5",
        ",\"n_images\":5,\"images\":5,\"detail\":\"\xff\"",
        ",\"n_images\":5,\"images\":5,\"detail\":\"\\u0000\"",
        ",\"n_images\":5,\"images\":5,\"model\":\"short\"",
        ",\"n_images\":5",
    };
    enum { N = sizeof(rest) / sizeof(rest[0]) };
    for (int i = 0; i < N; i++) {
        char body[512];
        snprintf(body, sizeof(body), "%s%s", head, rest[i]);
        put_line(p->path, body);
    }
    lr_strbuf_printf(&deep, "%s,\"x\":", head);
    for (int i = 0; i < 100000; i++)
        lr_strbuf_putc(&deep, '[');
    put_line(p->path, deep.s);
    lr_strbuf_free(&deep);
    put_line(p->path, "{\"format\":2,\"key\":7"); /* of a later program */
    char good[256];
    snprintf(good, sizeof(good), "%s,\"n_images\":5,\"images\":5,\"later\":{\"a\":[1]}",
             head);
    put_line(p->path, good);
    struct lr_journal_counts c = verify(p->path);
    assert_int_equal(c.n_damaged, N + 1);
    assert_int_equal(c.n_formats, 1);
    assert_int_equal(c.n_kept, 1);
    struct lr_journal *j = open_journal(p->path);
    assert_int_equal(lr_journal_count(j), 1);
    assert_non_null(lr_journal_find(j, key));
    lr_journal_close(j);
}

/* Appends records first, first + 1, ... and writes each number, once it is on the disk,
 * into a pipe. */
static pid_t start_appender(const char *path, int first, int out)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    struct lr_journal *j = NULL;
    if (lr_journal_open(&j, path, NULL, NULL) != LR_OK)
        _exit(1);
    for (int i = first; i < first + 100000; i++) {
        struct lr_record r = record(i);
        if (lr_journal_add(j, &r, NULL) != LR_OK ||
            write(out, &i, sizeof(i)) != (ssize_t)sizeof(i))
            _exit(1);
        lr_record_free(&r);
    }
    _exit(0);
}

static void journal__add__loses_nothing_when_processes_are_killed(void **state)
{
    struct place *p = *state;
    const struct lr_journal_prune o = {.before = 1};
    int pipes[2], i, n = 0, n_seen = 0, *seen = calloc(100000, sizeof(int));
    unsigned seed = 7;

    assert_int_equal(pipe(pipes), 0);
    for (int round = 0; round < 15; round++) {
        pid_t pids[3];
        for (int k = 0; k < 3; k++)
            pids[k] = start_appender(p->path, (3 * round + k) * 1000, pipes[1]);
        for (int k = 0; k < 3; k++) {
            const struct timespec nap = {.tv_nsec = 1000000L * (5 + rand_r(&seed) % 30)};
            int64_t n_removed, n_left;
            nanosleep(&nap, NULL);
            struct lr_err e = {0};
            enum lr_status rc = lr_journal_prune(&n_removed, &n_left, p->path, &o, &e);
            if (rc != LR_OK)
                print_error("%s\n", e.msg);
            assert_int_equal(rc, LR_OK);
            kill(pids[k], SIGKILL);
            waitpid(pids[k], NULL, 0);
        }
        /* What was told of is on the disk. */
        struct lr_journal *j = open_journal(p->path);
        fd_set ready;
        for (;;) {
            struct timeval now = {0};
            FD_ZERO(&ready);
            FD_SET(pipes[0], &ready);
            if (select(pipes[0] + 1, &ready, NULL, NULL, &now) <= 0 ||
                read(pipes[0], &i, sizeof(i)) != (ssize_t)sizeof(i))
                break;
            if (n < 100000)
                seen[n++] = i;
        }
        for (n_seen = 0; n_seen < n; n_seen++)
            assert_true(has(j, seen[n_seen]));
        lr_journal_close(j);
    }
    assert_true(n > 0);
    struct lr_journal_counts c = verify(p->path);
    assert_true(c.n_kept >= n);
    assert_int_equal(c.n_repeated, 0);
    assert_true(c.n_damaged <= 45); /* at most the line that each was writing */
    close(pipes[0]);
    close(pipes[1]);
    free(seen);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(journal__find__gives_back_exactly_what_was_added),
        TEST(journal__add__ends_a_torn_line_first),
        TEST(journal__find__sees_what_others_append_and_replace),
        TEST(journal__add__keeps_in_memory_what_cannot_be_written),
        TEST(journal__open__survives_random_damage),
        TEST(journal__open__refuses_hostile_values_line_by_line),
        TEST(journal__add__loses_nothing_when_processes_are_killed),
        TEST(journal__merge__keeps_most_images_and_names_conflicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
