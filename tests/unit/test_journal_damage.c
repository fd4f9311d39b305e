/* The journal under damage, hostile lines and kills. */
#include "journal_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(journal__open__survives_random_damage),
        TEST(journal__open__refuses_hostile_values_line_by_line),
        TEST(journal__add__loses_nothing_when_processes_are_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
