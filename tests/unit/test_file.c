/* Unit tests of reading, replacing and naming files in src/base. Tests that write run in
 * a fresh folder, which has to be empty again at the end: nothing temporary may be left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/append.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"

static char folder[256];

static int make_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");

    snprintf(folder, sizeof(folder), "%s/ranklab-test-XXXXXX",
             base && *base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left something behind */
}

static const char *in_folder(char buf[400], const char *name)
{
    snprintf(buf, 400, "%s/%s", folder, name);
    return buf;
}

static void expect_content(const char *path, const char *wanted)
{
    struct lr_err e = {0};
    char *data;
    size_t len;

    assert_int_equal(lr_file_read(&data, &len, path, 1000000, &e), LR_OK);
    assert_int_equal(len, strlen(wanted));
    assert_string_equal(data, wanted);
    lr_free(data);
}

static void file_read__refuses_what_is_no_file_or_too_large(void **state)
{
    (void)state;
    struct lr_err e = {0};
    char path[400], fifo[400], *data;
    size_t len;

    in_folder(path, "a\x1b"
                    "b");
    assert_int_equal(lr_file_read(&data, &len, path, 10, &e), LR_EIO);
    assert_null(data);
    assert_non_null(strstr(e.msg, "a\\x1bb: cannot open: No such file"));
    assert_int_equal(lr_file_write(path, "0123456789", 10, &e), LR_OK);
    assert_int_equal(lr_file_read(&data, &len, path, 10, &e), LR_OK);
    assert_int_equal(len, 10);
    assert_string_equal(data, "0123456789");
    lr_free(data);
    assert_int_equal(lr_file_read(&data, &len, path, 9, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "larger than 9 bytes"));
    assert_int_equal(lr_file_read(&data, &len, folder, 9, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "directory"));
    assert_int_equal(mkfifo(in_folder(fifo, "fifo"), 0600), 0);
    assert_int_equal(lr_file_read(&data, &len, fifo, 9, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "not a regular file"));
    /* A file that announces no length is read to its end, and no further than allowed. */
    if (access("/proc/self/maps", R_OK) == 0) {
        assert_int_equal(lr_file_read(&data, &len, "/proc/self/maps", 1 << 24, &e),
                         LR_OK);
        assert_true(len > 100);
        assert_int_equal(strlen(data), len);
        lr_free(data);
        assert_int_equal(lr_file_read(&data, &len, "/proc/self/maps", 100, &e), LR_EIO);
        assert_null(data);
    }
    unlink(fifo);
    unlink(path);
}

static void file_commit__replaces_the_target_only_when_committed(void **state)
{
    (void)state;
    struct lr_err e = {0};
    struct lr_file f;
    struct stat st;
    char path[400], link_path[400];

    in_folder(path, "target");
    in_folder(link_path, "link");
    mode_t mask = umask(027);
    assert_int_equal(lr_file_write(path, "old", 3, &e), LR_OK);
    umask(mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(chmod(path, 0606), 0);

    assert_int_equal(lr_file_begin(&f, path, &e), LR_OK);
    fputs("new", f.fp);
    fflush(f.fp);
    assert_int_equal(stat(f.temp, &st), 0);
    assert_int_equal(strncmp(f.temp, folder, strlen(folder)), 0);
    expect_content(path, "old");
    lr_file_abort(&f);
    expect_content(path, "old");
    lr_file_abort(&f); /* twice is harmless */

    assert_int_equal(symlink("target", link_path), 0);
    mask = umask(077); /* keeping the mode must not be up to this */
    assert_int_equal(lr_file_begin(&f, link_path, &e), LR_OK);
    umask(mask);
    fputs("new", f.fp);
    assert_int_equal(lr_file_commit(&f, &e), LR_OK);
    assert_null(f.fp);
    expect_content(path, "new");
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0606);
    assert_int_equal(lr_file_commit(&f, &e), LR_EINVAL);
    unlink(link_path);
    unlink(path);
}

static void file_commit__reports_and_cleans_up_when_writing_fails(void **state)
{
    (void)state;
    struct lr_err e = {0};
    struct lr_file f;
    char path[400], deep[512];
    int fd;

    in_folder(path, "target");
    assert_int_equal(lr_file_write(path, "old", 3, &e), LR_OK);
    assert_int_equal(lr_file_begin(&f, path, &e), LR_OK);
    /* The stream's own descriptor is replaced by one that cannot take anything. */
    fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    assert_true(dup2(fd, fileno(f.fp)) >= 0);
    close(fd);
    fputs("new", f.fp);
    assert_int_equal(lr_file_commit(&f, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "target: cannot write: No space left"));
    expect_content(path, "old");

    /* A failure in the middle, forgotten by whoever wrote, is noticed at the end. */
    assert_int_equal(lr_file_begin(&f, path, &e), LR_OK);
    fd = open("/dev/full", O_WRONLY);
    int good = dup(fileno(f.fp));
    assert_true(dup2(fd, fileno(f.fp)) >= 0);
    fputs("lost", f.fp);
    assert_int_equal(fflush(f.fp), EOF);
    __fpurge(f.fp);
    assert_true(dup2(good, fileno(f.fp)) >= 0);
    close(good);
    close(fd);
    fputs("kept", f.fp);
    assert_int_equal(lr_file_commit(&f, &e), LR_EIO);
    expect_content(path, "old");

    snprintf(deep, sizeof(deep), "%s/missing/x", folder);
    assert_int_equal(lr_file_begin(&f, deep, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "missing/x: cannot write: No such file"));
    assert_null(f.fp);
    assert_int_equal(lr_file_begin(&f, folder, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "directory"));
    assert_int_equal(lr_file_begin(&f, "", &e), LR_EIO);
    unlink(path); /* remove_folder shows that no temporary file is left */
}

static void file_write__goes_straight_to_devices_and_fifos(void **state)
{
    (void)state;
    struct lr_err e = {0};
    struct lr_file f;
    struct stat st;
    char fifo[400], path[400], dev[32], got[8] = "";

    assert_int_equal(lr_file_write("/dev/null", "x", 1, &e), LR_OK);
    assert_int_equal(lr_file_write("/dev/full", "x", 1, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "/dev/full: cannot write"));
    assert_int_equal(stat("/dev/full", &st), 0);
    assert_true(S_ISCHR(st.st_mode));

    assert_int_equal(mkfifo(in_folder(fifo, "fifo"), 0600), 0);
    assert_int_equal(lr_file_begin(&f, fifo, &e), LR_EIO); /* nobody reads: no waiting */
    int fd = open(fifo, O_RDWR);                           /* both ends */
    assert_true(fd >= 0);
    assert_int_equal(lr_file_begin(&f, fifo, &e), LR_OK);
    assert_null(f.temp);
    fputs("abort", f.fp);
    lr_file_abort(&f);
    assert_int_equal(lr_file_write(fifo, "hello", 5, &e), LR_OK);
    assert_int_equal(read(fd, got, 7), 5);
    assert_string_equal(got, "hello");
    close(fd);
    unlink(fifo);

    /* A descriptor that is a regular file is continued, not replaced. */
    in_folder(path, "redirected");
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "one ", 4), 4);
    snprintf(dev, sizeof(dev), "/dev/fd/%d", fd);
    assert_int_equal(lr_file_write(dev, "two ", 4, &e), LR_OK);
    assert_int_equal(write(fd, "three", 5), 5);
    close(fd);
    expect_content(path, "one two three");
    assert_int_equal(lr_file_write(dev, "x", 1, &e), LR_EIO); /* closed by now */
    assert_int_equal(lr_file_write("/dev/fd/1x", "x", 1, &e), LR_EIO);
    unlink(path);
}

static void file_write__respects_a_read_only_target(void **state)
{
    (void)state;
    struct lr_err e = {0};
    char path[400];

    in_folder(path, "kept");
    assert_int_equal(lr_file_write(path, "old", 3, &e), LR_OK);
    assert_int_equal(chmod(path, 0444), 0);
    if (access(path, W_OK) != 0) { /* root may write everything */
        assert_int_equal(lr_file_write(path, "new", 3, &e), LR_EIO);
        expect_content(path, "old");
    }
    unlink(path);
}

static void file_write__removes_what_a_killed_process_left(void **state)
{
    (void)state;
    static const char *const others[] = {".ranklab-0123456789abcde.tmp",
                                         ".ranklab-0123456789abcdef.tmpx",
                                         "ranklab-0123456789abcdef.tmp"};
    struct lr_err e = {0};
    struct lr_file f;
    char path[400], left[400], inside[800], open_target[400];

    in_folder(path, "new");
    in_folder(left, ".ranklab-00112233445566ff.tmp");
    assert_int_equal(mkdir(left, 0700), 0); /* of a report */
    snprintf(inside, sizeof(inside), "%s/page", left);
    assert_int_equal(lr_file_write(inside, "x", 1, &e), LR_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(lr_file_write(in_folder(inside, others[i]), "x", 1, &e), LR_OK);
    /* One that is being written stays, whoever writes it. */
    assert_int_equal(lr_file_begin(&f, in_folder(open_target, "open"), &e), LR_OK);
    assert_int_equal(lr_file_write(path, "new", 3, &e), LR_OK);
    assert_int_equal(access(left, F_OK), -1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(access(in_folder(inside, others[i]), F_OK), 0);
        unlink(inside);
    }
    assert_int_equal(access(f.temp, F_OK), 0);
    assert_int_equal(lr_file_commit(&f, &e), LR_OK);
    expect_content(open_target, "");
    unlink(open_target);
    in_folder(left, ".ranklab-00112233445566ff.tmp");
    FILE *fp = fopen(left, "w");
    assert_non_null(fp);
    fclose(fp);
    assert_int_equal(lr_file_write(path, "new", 3, &e), LR_OK);
    assert_int_equal(access(left, F_OK), -1);
    unlink(path);
}

static void append__ends_a_torn_line_and_adds_whole_ones(void **state)
{
    (void)state;
    char path[400];
    int fd = open(in_folder(path, "lines"), O_RDWR | O_CREAT | O_APPEND, 0600);

    assert_true(fd >= 0);
    assert_int_equal(lr_append(fd, "a\n", 2), 0);
    assert_int_equal(write(fd, "to", 2), 2);
    assert_int_equal(lr_append(fd, "b\nc\n", 4), 0);
    expect_content(path, "a\nto\nb\nc\n");
    close(fd);
    fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(lr_append(fd, "d\n", 2), EBADF); /* cannot look at its end */
    expect_content(path, "a\nto\nb\nc\n");
    close(fd);
    unlink(path);
    fd = open("/dev/full", O_RDWR);
    assert_int_equal(lr_append(fd, "d\n", 2), ENOSPC);
    close(fd);
}

static void file_error__keeps_the_reason_when_the_path_is_long(void **state)
{
    (void)state;
    struct lr_err e = {0};
    struct lr_file f;
    char path[2000];

    memset(path, 'x', sizeof(path));
    for (size_t i = 0; i < sizeof(path); i += 100)
        path[i] = '/';
    memcpy(path + 1990, "end", 4);
    assert_int_equal(lr_file_begin(&f, path, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "end: cannot write: No such file"));
    assert_int_equal(strncmp(e.msg, "...", 3), 0);
}

static void sha256__matches_the_published_vectors(void **state)
{
    (void)state;
    char hex[65];

    lr_sha256(hex, "abc", 3);
    assert_string_equal(
        hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    lr_sha256(hex, NULL, 0);
    assert_string_equal(
        hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void xdg_dir__follows_variable_then_home(void **state)
{
    (void)state;
    char base[400], wanted[512], *dir;
    struct stat st;

    in_folder(base, "state");
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_null(lr_xdg_dir("state", false));
    setenv("HOME", folder, 1);
    dir = lr_xdg_dir("state", false);
    snprintf(wanted, sizeof(wanted), "%s/.local/state/ranklab", folder);
    assert_string_equal(dir, wanted);
    assert_int_equal(access(dir, F_OK), -1);
    lr_free(dir);
    setenv("XDG_STATE_HOME", "relative", 1);
    dir = lr_xdg_dir("state", false);
    assert_string_equal(dir, wanted);
    lr_free(dir);
    setenv("XDG_STATE_HOME", base, 1);
    dir = lr_xdg_dir("state", true);
    snprintf(wanted, sizeof(wanted), "%s/ranklab", base);
    assert_string_equal(dir, wanted);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    lr_free(dir);
    dir = lr_xdg_dir("state", true); /* again: it exists */
    assert_non_null(dir);
    rmdir(dir);
    lr_free(dir);
    rmdir(base);
    assert_int_equal(close(open(base, O_CREAT | O_WRONLY, 0600)), 0);
    assert_null(lr_xdg_dir("state", true)); /* a file stands in the way */
    unlink(base);
    assert_null(lr_xdg_dir("nonsense", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_write__removes_what_a_killed_process_left,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(append__ends_a_torn_line_and_adds_whole_ones,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(file_read__refuses_what_is_no_file_or_too_large,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            file_commit__replaces_the_target_only_when_committed, make_folder,
            remove_folder),
        cmocka_unit_test_setup_teardown(
            file_commit__reports_and_cleans_up_when_writing_fails, make_folder,
            remove_folder),
        cmocka_unit_test_setup_teardown(file_write__goes_straight_to_devices_and_fifos,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(file_write__respects_a_read_only_target,
                                        make_folder, remove_folder),
        cmocka_unit_test(file_error__keeps_the_reason_when_the_path_is_long),
        cmocka_unit_test(sha256__matches_the_published_vectors),
        cmocka_unit_test_setup_teardown(xdg_dir__follows_variable_then_home, make_folder,
                                        remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
