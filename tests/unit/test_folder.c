/* Folders of pictures as sets that become known step by step: what image i is does not
 * depend on the steps, nor on what an earlier session remembers, and changed files are
 * noticed. */
#include "data_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "cache_folder.h"
#include "ranklab/dataset.h"
#include "session/internal.h"

enum { N = 300, W = 3, H = 2, SIZE = 3 * W * H };

/* A picture that no other number has. */
static void save_numbered(void **state, int i, int number)
{
    struct lr_strbuf b = {0};
    char name[32];

    snprintf(name, sizeof(name), "%03d.ppm", i);
    lr_strbuf_printf(&b, "P6\n%d %d\n255\n", W, H);
    for (int k = 0; k < SIZE; k++)
        lr_strbuf_putc(&b, (char)(k == 0 ? number % 251 : k == 1 ? number / 251 : k));
    save(state, name, b.s, b.len);
    lr_strbuf_free(&b);
}

static bool is_damaged(int i)
{
    return i % 11 == 3 || (i >= 20 && i < 40);
}

static void save_all(void **state)
{
    char name[32];

    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "%03d.ppm", i);
        if (is_damaged(i))
            save(state, name, "P6\n3 2\n255\n123", 14);
        else
            save_numbered(state, i, i);
    }
}

static struct lr_dataset *open_some(void **state, int64_t count)
{
    const struct lr_data_opts o = {
        .has_scale = true, .scale = 1, .count = count, .seed = 5};
    struct lr_dataset *d = NULL;
    struct lr_err e = {0};

    if (lr_dataset_open(&d, *state, 3, H, W, &o, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    return d;
}

static void settle(struct lr_dataset *d, int64_t n)
{
    assert_int_equal(lr_dataset_settle(d, n, NULL, NULL, NULL), LR_OK);
}

/* The number that image i was saved with. */
static int number_of(const struct lr_dataset *d, int64_t i)
{
    float x[SIZE];

    assert_int_equal(lr_dataset_batch(d, i, 1, x, NULL), LR_OK);
    return (int)x[0] + 251 * (int)x[W * H];
}

static void set__is_the_readable_pictures_in_order(void **state)
{
    save_all(state);
    struct lr_dataset *d = open_some(state, 0);
    int n = 0;
    float x[SIZE];

    assert_true(lr_dataset_known(d) < 100);
    assert_string_equal(lr_dataset_hash(d), "");
    assert_int_equal(lr_dataset_batch(d, 200, 1, x, NULL), LR_EINVAL);
    settle(d, 0);
    for (int i = 0; i < N; i++)
        if (!is_damaged(i))
            assert_int_equal(number_of(d, n++), i);
    assert_int_equal(lr_dataset_count(d), n);
    assert_int_equal(lr_dataset_known(d), n);
    assert_int_equal(lr_dataset_skipped(d), N - n);
    assert_int_equal(strlen(lr_dataset_hash(d)), 64);
    lr_dataset_free(d);
}

static void set__does_not_depend_on_the_steps(void **state)
{
    static const int64_t counts[] = {0, 120, 290};
    char a[65], b[65];

    save_all(state);
    for (size_t k = 0; k < 3; k++) {
        struct lr_dataset *at_once = open_some(state, counts[k]);
        struct lr_dataset *in_steps = open_some(state, counts[k]);
        settle(at_once, 0);
        for (int64_t n = 70; n < 300; n += 11) {
            settle(in_steps, n);
            int64_t known = lr_dataset_known(in_steps);
            assert_true(known >= n || known == lr_dataset_count(in_steps));
            lr_dataset_hash_first(a, in_steps, known);
            assert_string_equal(a, lr_dataset_hash_first(b, at_once, known));
            assert_int_equal(strlen(a), 64);
            assert_int_equal(number_of(in_steps, known - 1),
                             number_of(at_once, known - 1));
        }
        settle(in_steps, 0);
        assert_int_equal(lr_dataset_count(in_steps), lr_dataset_count(at_once));
        assert_int_equal(lr_dataset_skipped(in_steps), lr_dataset_skipped(at_once));
        assert_string_equal(lr_dataset_hash(in_steps), lr_dataset_hash(at_once));
        /* the next drawn takes the place of one that is skipped */
        if (counts[k] == 120)
            assert_int_equal(lr_dataset_count(at_once), 120);
        lr_dataset_free(at_once);
        lr_dataset_free(in_steps);
    }
}

/* No memory is left once all pictures were read. */
static void leave_nothing(void *ctx, enum lr_note_level level, const char *text)
{
    (void)ctx;
    (void)level;
    if (strstr(text, "pictures skipped"))
        lr_mem_set_limit(lr_mem_held() + 1);
}

static void hash__that_cannot_be_made_is_an_error_and_made_later(void **state)
{
    const struct lr_notes notes = {.note = leave_nothing};
    struct lr_err e = {0};
    char key[65];

    save_all(state);
    struct lr_dataset *d = open_some(state, 0), *other = open_some(state, 0);
    settle(other, 0);
    assert_int_equal(lr_dataset_settle(d, 0, &notes, NULL, &e), LR_ENOMEM);
    assert_string_equal(lr_dataset_hash(d), "");
    assert_int_equal(lr_dataset_known(d), lr_dataset_count(d));
    /* Nothing is named by a digest that could not be made. */
    assert_int_equal(session_images_digest(key, d, 100, NULL), LR_ENOMEM);
    assert_int_equal(session_images_digest(key, d, 0, NULL), LR_ENOMEM);
    lr_mem_set_limit(0);
    settle(d, 0);
    assert_string_equal(lr_dataset_hash(d), lr_dataset_hash(other));
    assert_int_equal(session_images_digest(key, d, 0, NULL), LR_OK);
    assert_string_equal(key, lr_dataset_hash(other));
    lr_dataset_free(d);
    lr_dataset_free(other);
}

static void labels__follow_the_pictures(void **state)
{
    struct path p = in(state, "labels.txt");
    struct lr_data_opts o = {.labels = p.s, .count = 200, .seed = 9, .has_scale = true};
    struct lr_strbuf b = {0};
    struct lr_dataset *d = NULL;

    o.scale = 1;
    save_all(state);
    for (int i = 0; i < N; i++)
        lr_strbuf_printf(&b, "%03d.ppm %d\n", i, i);
    save(state, "labels.txt", b.s, b.len);
    lr_strbuf_free(&b);
    assert_int_equal(lr_dataset_open(&d, *state, 3, H, W, &o, NULL, NULL), LR_OK);
    for (int64_t n = 70; n <= 200; n += 65) {
        settle(d, n);
        for (int64_t i = 0; i < lr_dataset_known(d); i++)
            assert_int_equal(lr_dataset_labels(d)[i], number_of(d, i));
    }
    assert_int_equal(lr_dataset_classes(d), N);
    lr_dataset_free(d);
}

/* Files that changed less than 2 s before they were read are not remembered. */
static void wait_until_old(void)
{
    const struct timespec t = {.tv_sec = 3, .tv_nsec = 200000000};

    nanosleep(&t, NULL);
}

static void memory__tells_the_same_and_notices_changes(void **state)
{
    struct stat info;
    char before[65], name[] = "200.ppm";

    save_all(state);
    wait_until_old();
    struct lr_dataset *d = open_some(state, 0);
    settle(d, 0);
    snprintf(before, sizeof(before), "%s", lr_dataset_hash(d));
    int64_t n = lr_dataset_count(d);
    lr_dataset_free(d);

    /* All is known at once, but for what could not be read. */
    d = open_some(state, 0);
    assert_int_equal(lr_dataset_known(d), n);
    assert_string_equal(lr_dataset_hash(d), before);
    assert_int_equal(number_of(d, n - 1), N - 1);
    lr_dataset_free(d);

    /* Other bytes under the same name, size and time of modification. */
    assert_int_equal(stat(in(state, name).s, &info), 0);
    int fd = open(in(state, name).s, O_WRONLY);
    assert_int_equal(pwrite(fd, "\xfe", 1, info.st_size - 1), 1);
    close(fd);
    const struct timespec times[2] = {info.st_atim, info.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, in(state, name).s, times, 0), 0);
    d = open_some(state, 0);
    settle(d, 0);
    assert_int_equal(lr_dataset_count(d), n);
    assert_string_not_equal(lr_dataset_hash(d), before);

    /* One that changes while the set is open. */
    save_numbered(state, N - 1, 7);
    float x[SIZE];
    struct lr_err e = {0};
    assert_int_equal(lr_dataset_batch(d, n - 1, 1, x, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "has changed"));
    lr_dataset_free(d);
}

static void memory__that_is_damaged_is_passed_over(void **state)
{
    char command[256], before[65];

    save_all(state);
    wait_until_old();
    struct lr_dataset *d = open_some(state, 0);
    settle(d, 0);
    snprintf(before, sizeof(before), "%s", lr_dataset_hash(d));
    lr_dataset_free(d);
    snprintf(
        command, sizeof(command),
        "for f in %s/ranklab/pictures-*; do sed -i '5,$s/ /\\t/3; 9s/.*/x/' $f; done",
        cache_base);
    assert_int_equal(system(command), 0);
    d = open_some(state, 0);
    settle(d, 0);
    assert_string_equal(lr_dataset_hash(d), before);
    lr_dataset_free(d);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(set__is_the_readable_pictures_in_order),
        T(set__does_not_depend_on_the_steps),
        T(hash__that_cannot_be_made_is_an_error_and_made_later),
        T(labels__follow_the_pictures),
        T(memory__tells_the_same_and_notices_changes),
        T(memory__that_is_damaged_is_passed_over),
    };

    return cmocka_run_group_tests_name("folder", tests, make_cache, remove_cache);
}
