/* Files that are written: weights beside them, checks that fail, sizes that do not fit.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

#include "replace_fixture.h"

static void open__refuses_a_file_that_has_changed(void **state)
{
    struct original o;
    struct lr_onnx_file *f;
    struct lr_err e = {0};
    (void)state;
    take(&o, residual());
    struct lr_graph *g = mb_clone(o.plain);
    ((float *)g->values[lr_graph_find_value(g, "c1.weight")].tensor->data)[0] += 1;
    ok(lr_onnx_write(g, o.path, &e), &e);
    lr_graph_free(g);
    assert_int_equal(lr_onnx_open(&f, o.path, o.sha256, o.g, &e), LR_EINVAL);
    assert_non_null(strstr(e.msg, "has changed since it was opened"));
    unlink(o.path);
    assert_int_equal(lr_onnx_open(&f, o.path, o.sha256, o.g, &e), LR_EIO);
    release(&o);
}

static char *bytes_of(const char *path, size_t *len)
{
    char *data;
    struct lr_err e = {0};

    ok(lr_file_read(&data, len, path, 1 << 24, &e), &e);
    return data;
}

static struct lr_onnx_file *split_one(const struct original *o, const char *name)
{
    struct lr_onnx_file *f = open_file(o);
    struct lr_onnx_swap w = swap(o, name);
    struct lr_err e = {0};

    ok(lr_onnx_replace(f, NULL, &w, &e), &e);
    return f;
}

enum { LIMIT = 6000 };

/* Weights in a file beside the model are part of what it is known by. */
static void open__refuses_weights_beside_that_have_changed(void **state)
{
    struct original o;
    struct lr_onnx_file *f;
    struct lr_graph *g, *other;
    struct lr_err e = {0};
    char path[400], before[65], after[65], *data, *bytes;
    size_t n;
    (void)state;
    take(&o, residual());
    lr_graph_free(save(split_one(&o, "c2"), &data, LIMIT));
    ok(lr_onnx_read(&g, before, mb_path(path, "b.onnx"), NULL, &e), &e);
    mb_infer(g);
    bytes = bytes_of(data, &n);
    bytes[0] ^= 1;
    ok(lr_file_write(data, bytes, n, &e), &e);

    ok(lr_onnx_read(&other, after, path, NULL, &e), &e);
    assert_string_not_equal(before, after);
    assert_int_equal(lr_onnx_open(&f, path, before, g, &e), LR_EINVAL);
    assert_non_null(strstr(e.msg, "has changed since it was opened"));
    bytes[0] ^= 1;
    ok(lr_file_write(data, bytes, n, &e), &e);
    ok(lr_onnx_open(&f, path, before, g, &e), &e);
    lr_onnx_close(f);
    lr_graph_free(g);
    lr_graph_free(other);
    lr_free(bytes);
    unlink(data);
    lr_free(data);
    release(&o);
}

/* A model by itself is known by its file's bytes. */
static void read__gives_the_hash_of_the_file__when_nothing_lies_beside(void **state)
{
    struct original o;
    char sha256[65], *bytes;
    size_t n;
    (void)state;
    take(&o, residual());
    bytes = bytes_of(o.path, &n);
    lr_sha256(sha256, bytes, n);
    assert_string_equal(o.sha256, sha256);
    lr_free(bytes);
    release(&o);
}

/* ---- saving ---- */

/* A file that is too large is cut in two; one that was in two and fits becomes one. */
static void save__puts_weights_beside__when_they_do_not_fit(void **state)
{
    struct original o;
    char path[400], sha256[65], *data, *again;
    size_t n, m;
    struct lr_onnx_file *f;
    struct lr_err e = {0};
    (void)state;
    take(&o, residual());
    struct lr_graph *whole = save(split_one(&o, "c2"), NULL, 0), *back;
    char *bytes = bytes_of(mb_path(path, "b.onnx"), &n);
    assert_true(n > LIMIT);

    back = save(split_one(&o, "c2"), &data, LIMIT);
    assert_non_null(data);
    assert_non_null(strstr(data, "/b-"));
    ok(lr_graph_same(whole, back, &e), &e);
    lr_free(bytes_of(path, &m));
    assert_true(m <= LIMIT);
    lr_graph_free(back);

    /* The same again gives the same file; other weights another, and the first stays. */
    lr_graph_free(save(split_one(&o, "c1"), &again, LIMIT));
    assert_string_not_equal(data, again);
    unlink(again);
    lr_free(again);
    lr_graph_free(save(split_one(&o, "c2"), &again, LIMIT));
    assert_string_equal(data, again);
    lr_free(again);

    /* The two files are a network's own file like another. */
    ok(lr_onnx_read(&back, sha256, path, NULL, &e), &e);
    mb_infer(back);
    ok(lr_onnx_open(&f, path, sha256, back, &e), &e);
    lr_graph_free(back);
    lr_graph_free(save(f, NULL, 0));
    again = bytes_of(path, &m);
    assert_int_equal(m, n);
    assert_memory_equal(bytes, again, n);
    lr_free(again);
    lr_free(bytes);
    unlink(data);
    lr_free(data);
    lr_graph_free(whole);
    release(&o);
}

static enum lr_status refuse(void *arg, struct lr_graph *back, struct lr_err *e)
{
    ++*(int *)arg;
    assert_true(back->n_nodes > 0);
    return lr_err_set(e, LR_ENUMERIC, "it is refused");
}

static void save__leaves_the_old_files__when_the_check_fails(void **state)
{
    struct original o;
    int n_asked = 0;
    struct lr_onnx_save how = {.max_bytes = LIMIT, .check = refuse, .arg = &n_asked};
    struct lr_err e = {0};
    char path[400], *data, *none;
    size_t n, m;
    struct stat info;
    (void)state;
    take(&o, residual());
    lr_graph_free(save(split_one(&o, "c2"), &data, LIMIT));
    char *before = bytes_of(mb_path(path, "b.onnx"), &n);

    /* New weights go again, those of the old file stay. */
    for (int i = 0; i < 2; i++) {
        struct lr_onnx_file *f = split_one(&o, i ? "c2" : "c1");
        assert_int_equal(lr_onnx_save(f, &none, path, &how, &e), LR_ENUMERIC);
        assert_non_null(strstr(e.msg, "b.onnx: not written"));
        assert_non_null(strstr(e.msg, "it is refused"));
        assert_null(none);
        lr_onnx_close(f);
        assert_int_equal(n_asked, i + 1);
        assert_int_equal(stat(data, &info), 0);
    }
    char *after = bytes_of(path, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    lr_free(before);
    lr_free(after);
    unlink(data);
    lr_free(data);
    release(&o);
    /* mb_remove_dir fails when anything else is left in the folder. */
}

/* ---- exports that are killed, or meet ---- */

static enum lr_status die(void *arg, struct lr_graph *back, struct lr_err *e)
{
    (void)arg, (void)back, (void)e;
    raise(SIGKILL);
    return LR_OK;
}

static int count_files(const char *ending)
{
    char folder[400];
    DIR *d = opendir(mb_path(folder, "."));
    const struct dirent *x;
    int n = 0;

    while ((x = readdir(d)) != NULL) {
        size_t len = strlen(x->d_name), m = strlen(ending);
        n += len > m && strcmp(x->d_name + len - m, ending) == 0;
    }
    closedir(d);
    return n;
}

/* A process of its own that saves b.onnx. */
static pid_t save_apart(const struct original *o, const char *layer,
                        const struct lr_onnx_save *how)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct lr_err e = {0};
        char path[400], *data;
        struct lr_onnx_file *f = split_one(o, layer);
        enum lr_status st = lr_onnx_save(f, &data, mb_path(path, "b.onnx"), how, &e);
        _exit((int)st);
    }
    return pid;
}

static void save__removes_weights__when_their_export_was_killed(void **state)
{
    struct original o;
    struct lr_onnx_save how = {.max_bytes = LIMIT, .check = die};
    char *data;
    int status;
    (void)state;
    take(&o, residual());
    lr_graph_free(save(split_one(&o, "c2"), &data, LIMIT));
    waitpid(save_apart(&o, "c1", &how), &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(count_files(".data"), 2);

    /* Also when what is written next needs no weights beside it. The weights of the model
     * that was there are not those that were left. */
    lr_graph_free(save(split_one(&o, "c1"), NULL, 0));
    assert_int_equal(count_files(".data"), 1);
    assert_int_equal(count_files(".tmp"), 0);
    assert_int_equal(access(data, F_OK), 0);
    unlink(data);
    lr_free(data);
    release(&o);
}

/* Killed between the model's name and the end: all is there but one name too many. */
static void save__keeps_weights__when_a_model_names_them(void **state)
{
    struct original o;
    char path[400], moved[400], temp[400], *data;
    (void)state;
    take(&o, residual());
    lr_graph_free(save(split_one(&o, "c2"), &data, LIMIT));
    /* By the name it has been given since. */
    assert_int_equal(rename(mb_path(path, "b.onnx"), mb_path(moved, "moved.onnx")), 0);
    mb_path(temp, ".ranklab-0123456789abcdef.tmp");
    assert_int_equal(link(data, temp), 0);
    struct lr_onnx_file *f = split_one(&o, "c1");
    struct lr_err e = {0};
    char *none;
    ok(lr_onnx_save(f, &none, mb_path(path, "c.onnx"), &(struct lr_onnx_save){0}, &e),
       &e);
    lr_onnx_close(f);
    assert_int_equal(access(data, F_OK), 0);
    assert_int_equal(access(temp, F_OK), -1);

    /* A name that is somebody's is left alone. */
    assert_int_equal(link(data, temp), 0);
    unlink(moved);
    int fd = open(temp, O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    f = split_one(&o, "c1");
    ok(lr_onnx_save(f, &none, mb_path(path, "c.onnx"), &(struct lr_onnx_save){0}, &e),
       &e);
    lr_onnx_close(f);
    assert_int_equal(access(data, F_OK), 0);
    assert_int_equal(access(temp, F_OK), 0);
    close(fd);

    /* Nor is one looked at while another export, perhaps of the same weights, goes on. */
    fd = open(mb_path(path, "."), O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    for (int i = 0; i < 2; i++) {
        f = split_one(&o, "c1");
        ok(lr_onnx_save(f, &none, mb_path(path, "c.onnx"), &(struct lr_onnx_save){0}, &e),
           &e);
        lr_onnx_close(f);
        if (i == 0)
            close(fd);
        assert_int_equal(access(data, F_OK), i ? -1 : 0);
        assert_int_equal(access(temp, F_OK), i ? -1 : 0);
    }
    unlink(mb_path(path, "c.onnx"));
    lr_free(data);
    release(&o);
}

static enum lr_status refuse_later(void *arg, struct lr_graph *back, struct lr_err *e)
{
    const struct timespec nap = {.tv_nsec = 300000000};
    const int *fd = arg;
    (void)back;

    if (write(*fd, "x", 1) == 1)
        nanosleep(&nap, NULL);
    return lr_err_set(e, LR_ENUMERIC, "it is refused");
}

static int ask_to_stop(void *ctx, double fraction, const char *what)
{
    (void)fraction, (void)what;
    ++*(int *)ctx;
    return 1;
}

static void save__keeps_its_weights__when_another_one_to_the_name_fails(void **state)
{
    struct original o;
    int ends[2], status, n_asked = 0;
    char path[400], *data, *none, x;
    struct lr_err e = {0};
    (void)state;
    take(&o, residual());
    assert_int_equal(pipe(ends), 0);
    struct lr_onnx_save how = {
        .max_bytes = LIMIT, .check = refuse_later, .arg = &ends[1]};
    pid_t pid = save_apart(&o, "c2", &how);
    assert_int_equal(read(ends[0], &x, 1), 1);

    /* Who waits can be stopped. */
    struct lr_progress stops = {.tick = ask_to_stop, .ctx = &n_asked};
    struct lr_onnx_save waits = {.max_bytes = LIMIT, .progress = &stops};
    struct lr_onnx_file *f = split_one(&o, "c2");
    assert_int_equal(lr_onnx_save(f, &none, mb_path(path, "b.onnx"), &waits, &e),
                     LR_EINTR);
    lr_onnx_close(f);
    assert_int_equal(n_asked, 1);

    lr_graph_free(save(split_one(&o, "c2"), &data, LIMIT));
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == LR_ENUMERIC);
    assert_int_equal(access(data, F_OK), 0);
    assert_int_equal(count_files(".data"), 1);
    close(ends[0]);
    close(ends[1]);
    unlink(data);
    lr_free(data);
    release(&o);
}

static void save__says_what_is_too_large(void **state)
{
    struct original o;
    struct lr_onnx_save how = {.max_bytes = 500};
    struct lr_err e = {0};
    char path[400], *none;
    (void)state;
    take(&o, residual());
    struct lr_onnx_file *f = split_one(&o, "c2");
    assert_int_equal(lr_onnx_save(f, &none, mb_path(path, "b.onnx"), &how, &e),
                     LR_EUNSUP);
    assert_non_null(strstr(e.msg, "without its weights"));
    lr_onnx_close(f);
    f = split_one(&o, "c2");
    assert_int_equal(lr_onnx_save(f, &none, "/dev/null", &how, &e), LR_EUNSUP);
    assert_non_null(strstr(e.msg, "needs a file beside it"));
    lr_onnx_close(f);
    release(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open__refuses_a_file_that_has_changed),
        cmocka_unit_test(open__refuses_weights_beside_that_have_changed),
        cmocka_unit_test(read__gives_the_hash_of_the_file__when_nothing_lies_beside),
        cmocka_unit_test(save__puts_weights_beside__when_they_do_not_fit),
        cmocka_unit_test(save__leaves_the_old_files__when_the_check_fails),
        cmocka_unit_test(save__removes_weights__when_their_export_was_killed),
        cmocka_unit_test(save__keeps_weights__when_a_model_names_them),
        cmocka_unit_test(save__keeps_its_weights__when_another_one_to_the_name_fails),
        cmocka_unit_test(save__says_what_is_too_large),
    };
    if (mb_fill_image(NULL) != 0)
        return 1;
    return cmocka_run_group_tests_name("model_save", tests, mb_make_dir, mb_remove_dir);
}
