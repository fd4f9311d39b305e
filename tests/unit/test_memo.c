/* Unit tests of the files of remembered measurements in src/cache_base. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache_folder.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"
#include "ranklab/memo.h"

static void path_of(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/ranklab/%s", cache_base, name);
}

static void assert_holds(const char *key, const char *want)
{
    struct lr_err e = {0};
    char *value = NULL;

    assert_int_equal(lr_memo_find(&value, "m", key, &e), LR_OK);
    if (want)
        assert_string_equal(value, want);
    else
        assert_null(value);
    lr_free(value);
}

static void put(const char *key, const char *value, bool replaces, const char *want)
{
    struct lr_err e = {0};
    char *kept = NULL;

    assert_int_equal(lr_memo_put(&kept, "m", key, value, replaces, &e), LR_OK);
    assert_string_equal(kept, want);
    lr_free(kept);
}

static void memo__finds__what_was_put(void **state)
{
    (void)state;
    assert_holds("a", NULL);
    put("a", "1", false, "1");
    put("ab", "2", false, "2");
    put("b", "3 4", false, "3 4");
    assert_holds("a", "1");
    assert_holds("ab", "2");
    assert_holds("b", "3 4");
    assert_holds("3", NULL);
}

static void memo__keeps_the_first__unless_told_to_replace(void **state)
{
    (void)state;
    put("a", "1", false, "1");
    put("b", "2", false, "2");
    put("a", "3", false, "1");
    assert_holds("a", "1");
    put("a", "4", true, "4");
    assert_holds("a", "4");
    assert_holds("b", "2");
}

static void memo__passes_over__lines_that_make_no_sense(void **state)
{
    char path[128];
    struct lr_err e = {0};
    const char damaged[] = "\n\t\nno value\na\t1\n\nb\t2";

    (void)state;
    put("x", "0", false, "0");
    path_of(path, sizeof(path), "m");
    assert_int_equal(lr_file_write(path, damaged, sizeof(damaged) - 1, &e), LR_OK);
    assert_holds("a", "1");
    /* its line was cut off */
    assert_holds("b", NULL);
    put("b", "3", false, "3");
    assert_holds("a", "1");
    assert_holds("b", "3");
}

static void memo__refuses__what_would_break_lines(void **state)
{
    struct lr_err e = {0};

    (void)state;
    assert_int_equal(lr_memo_put(NULL, "m", "a\tb", "1", false, &e), LR_EINVAL);
    assert_int_equal(lr_memo_put(NULL, "m", "a", "1\n2", false, &e), LR_EINVAL);
}

static void memo__says__that_the_file_cannot_be_read(void **state)
{
    char path[128];
    char *value = NULL;
    struct lr_err e = {0};

    (void)state;
    put("a", "1", false, "1");
    path_of(path, sizeof(path), "m");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(lr_memo_find(&value, "m", "a", &e), LR_EIO);
    assert_null(value);
    assert_non_null(strstr(e.msg, path));
    setenv("XDG_CACHE_HOME", "/dev/null", 1);
    assert_int_equal(lr_memo_find(&value, "m", "a", &e), LR_EIO);
    setenv("XDG_CACHE_HOME", cache_base, 1);
}

/* None of what several processes put at once is lost. */
static void memo__loses__nothing_of_several_writers(void **state)
{
    enum { PROCESSES = 4, EACH = 20 };
    char key[32];

    (void)state;
    for (int p = 0; p < PROCESSES; p++)
        if (fork() == 0) {
            struct lr_err e = {0};
            int bad = 0;
            for (int i = 0; i < EACH; i++) {
                snprintf(key, sizeof(key), "%d %d", p, i);
                bad |= lr_memo_put(NULL, "m", key, key, false, &e) != LR_OK;
            }
            _exit(bad);
        }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    for (int p = 0; p < PROCESSES; p++)
        for (int i = 0; i < EACH; i++) {
            snprintf(key, sizeof(key), "%d %d", p, i);
            assert_holds(key, key);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memo__finds__what_was_put, make_cache,
                                        remove_cache),
        cmocka_unit_test_setup_teardown(memo__keeps_the_first__unless_told_to_replace,
                                        make_cache, remove_cache),
        cmocka_unit_test_setup_teardown(memo__passes_over__lines_that_make_no_sense,
                                        make_cache, remove_cache),
        cmocka_unit_test_setup_teardown(memo__refuses__what_would_break_lines, make_cache,
                                        remove_cache),
        cmocka_unit_test_setup_teardown(memo__says__that_the_file_cannot_be_read,
                                        make_cache, remove_cache),
        cmocka_unit_test_setup_teardown(memo__loses__nothing_of_several_writers,
                                        make_cache, remove_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
