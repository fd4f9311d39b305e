/* Unit tests of errors, progress, memory and text in src/base. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/err.h"
#include "ranklab/mem.h"
#include "ranklab/progress.h"
#include "ranklab/text.h"

static void expect_near(double x, double wanted, double tolerance)
{
    if (!(fabs(x - wanted) <= tolerance))
        fail_msg("%.17g is not %.17g", x, wanted);
}

/* ---- errors and progress ---- */

static void err__keeps_code_and_cuts_at_a_character_when_too_long(void **state)
{
    (void)state;
    struct lr_err e = {0};
    char text[1200];

    assert_int_equal(lr_err_set(&e, LR_ESHAPE, "conv%d: bad", 3), LR_ESHAPE);
    assert_string_equal(e.msg, "conv3: bad");
    lr_err_prefix(&e, "net");
    assert_string_equal(e.msg, "net: conv3: bad");
    assert_int_equal(e.code, LR_ESHAPE);
    lr_err_set(&e, LR_EIO, "again: %s", e.msg);
    assert_string_equal(e.msg, "again: net: conv3: bad");
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'a', lead);
        for (size_t i = lead; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4);
        lr_err_set(&e, LR_EINVAL, "%s", text);
        size_t len = strlen(e.msg);
        assert_in_range(len, 508, 511);
        assert_int_equal((len - lead) % 3, 0);
    }
    lr_err_set(&e, LR_EINVAL, "a\x1b[31m\n\xe2\x80\xae\xffz");
    assert_string_equal(e.msg, "a\\x1b[31m\\x0a\\u{202e}\\xffz");
    assert_int_equal(lr_err_set(NULL, LR_EIO, "x"), LR_EIO);
    lr_err_prefix(NULL, "x");
    lr_err_clear(&e);
    assert_int_equal(e.code, LR_OK);
    assert_string_equal(lr_status_name(LR_ESHAPE), "shape");
}

struct ticks {
    double last;
    int stop;
    char what[32];
};

static int on_tick(void *ctx, double fraction, const char *what)
{
    struct ticks *t = ctx;

    t->last = fraction;
    snprintf(t->what, sizeof(t->what), "%s", what);
    return t->stop;
}

static void progress__maps_nested_stages_and_stops_when_asked(void **state)
{
    (void)state;
    struct ticks t = {0};
    struct lr_err e = {0};
    struct lr_progress p = {.tick = on_tick, .ctx = &t};
    struct lr_progress half = lr_progress_sub(&p, 0.5, 1);
    struct lr_progress quarter = lr_progress_sub(&half, 0, 0.5);
    struct lr_progress nothing = lr_progress_sub(&p, 0, 0);

    assert_int_equal(lr_progress_tick(&p, 0.25, "x", &e), LR_OK);
    expect_near(t.last, 0.25, 0);
    lr_progress_tick(&quarter, 1, "solving", &e);
    expect_near(t.last, 0.75, 0);
    assert_string_equal(t.what, "solving");
    lr_progress_tick(&quarter, NAN, NULL, &e);
    expect_near(t.last, 0.5, 0);
    lr_progress_tick(&half, 7, "x", &e);
    expect_near(t.last, 1, 0);
    lr_progress_tick(&nothing, 1, "x", &e);
    expect_near(t.last, 0, 1e-300);
    t.stop = 1;
    assert_int_equal(lr_progress_tick(&quarter, 0, "x", &e), LR_EINTR);
    assert_string_equal(e.msg, "interrupted");
    assert_int_equal(lr_progress_tick(NULL, 0, "x", &e), LR_OK);
    assert_null(lr_progress_sub(NULL, 0, 1).tick);
}

static void on_note(void *ctx, enum lr_note_level level, const char *text)
{
    snprintf(ctx, 64, "%d %s", (int)level, text);
}

static void note__formats_and_is_dropped_when_nobody_listens(void **state)
{
    (void)state;
    char seen[64] = "";
    struct lr_notes n = {on_note, seen}, deaf = {0};

    lr_note(&n, LR_NOTE_WARNING, "%s %d", "kept", 7);
    assert_string_equal(seen, "1 kept 7");
    lr_note(&deaf, LR_NOTE_INFO, "x");
    lr_note(NULL, LR_NOTE_INFO, "x");
}

/* ---- memory ---- */

static void mem__is_aligned_and_refuses_products_that_overflow(void **state)
{
    (void)state;
    struct lr_err e = {0};

    for (size_t n = 0; n < 200; n++) {
        char *p = lr_calloc(n, 3);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < 3 * n; i++)
            assert_int_equal(p[i], 0);
        lr_free(p);
    }
    assert_null(lr_alloc(SIZE_MAX / 2, 3));
    assert_null(lr_alloc(SIZE_MAX, 1));
    assert_null(lr_calloc(SIZE_MAX - 10, 1));
    assert_null(lr_calloc((size_t)1 << 60, 1));
    char *p = lr_strdup("abcdef");
    assert_null(lr_realloc(p, 7, SIZE_MAX / 2, 4));
    p = lr_realloc(p, 7, 1000, 1);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_string_equal(p, "abcdef");
    p = lr_realloc(p, 1000, 3, 1);
    assert_memory_equal(p, "abc", 3);
    lr_free(p);
    p = lr_strndup("abcdef", 2);
    assert_string_equal(p, "ab");
    lr_free(p);
    lr_free(NULL);
    assert_int_equal(lr_enomem(&e, 12, "x"), LR_ENOMEM);
    assert_string_equal(e.msg, "out of memory (12 bytes for x)");
    assert_int_equal(lr_enomem(&e, 0, "x"), LR_ENOMEM);
    assert_string_equal(e.msg, "out of memory for x");
}

static void strbuf__grows_and_stays_failed_when_memory_is_refused(void **state)
{
    (void)state;
    struct lr_strbuf b = {0};
    char piece[300];

    for (int i = 0; i < 5000; i++)
        lr_strbuf_putc(&b, (char)('a' + i % 26));
    assert_int_equal(b.len, 5000);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(b.s[i], 'a' + (int)(i % 26));
    assert_true(b.cap < 20000);
    lr_strbuf_reset(&b);
    assert_string_equal(b.s, "");
    memset(piece, 'x', sizeof(piece) - 1);
    piece[sizeof(piece) - 1] = '\0';
    for (size_t len = 250; len < 260; len++) { /* around the inner buffer's size */
        lr_strbuf_reset(&b);
        lr_strbuf_puts(&b, "<");
        lr_strbuf_printf(&b, "%.*s", (int)len, piece);
        lr_strbuf_puts(&b, ">");
        assert_int_equal(strlen(b.s), len + 2);
        assert_int_equal(b.len, len + 2);
        assert_int_equal(b.s[len + 1], '>');
    }
    lr_strbuf_add(&b, piece, SIZE_MAX - 5);
    assert_true(b.is_failed);
    lr_strbuf_puts(&b, "more");
    assert_null(lr_strbuf_take(&b));
    assert_null(b.s);
    char *s = lr_strbuf_take(&b);
    assert_string_equal(s, "");
    lr_free(s);
    lr_strbuf_free(&b);
}

/* ---- text ---- */

static void expect_escape(const char *in, const char *wanted)
{
    struct lr_strbuf b = {0};

    lr_text_escape(&b, in);
    assert_false(b.is_failed);
    assert_string_equal(b.s, wanted);
    lr_strbuf_free(&b);
}

static void text_escape__leaves_nothing_to_obey_when_hostile(void **state)
{
    (void)state;
    expect_escape("", "");
    expect_escape("conv1 \xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80",
                  "conv1 \xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80");
    expect_escape("a\x1b]0;x\x07"
                  "b\n\t\x7f",
                  "a\\x1b]0;x\\x07"
                  "b\\x0a\\x09\\x7f");
    expect_escape("\xc2\x9b"
                  "31m",
                  "\\u{009b}31m"); /* C1: CSI */
    expect_escape("\xc2\x85\xe2\x80\xa8\xe2\x80\xa9", "\\u{0085}\\u{2028}\\u{2029}");
    expect_escape("a\xe2\x80\xae"
                  "b\xe2\x81\xa6",
                  "a\\u{202e}b\\u{2066}"); /* bidi */
    expect_escape("\xd8\x9c\xe2\x80\x8f\xef\xbb\xbf", "\\u{061c}\\u{200f}\\u{feff}");
    expect_escape("\xf3\xa0\x80\xa1", "\\u{e0021}"); /* tag character */
    expect_escape("\xe2\x80\x8d\xe3\x85\xa4\xef\xb8\x8f",
                  "\\u{200d}\\u{3164}\\u{fe0f}"); /* joiner, filler, variation selector */
    expect_escape("\x9b"
                  "31m\xff",
                  "\\x9b31m\\xff");          /* raw bytes */
    expect_escape("\xc0\xaf", "\\xc0\\xaf"); /* overlong */
    expect_escape("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
    expect_escape("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
    expect_escape("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* beyond U+10FFFF */
    expect_escape("\xe6\xbc", "\\xe6\\xbc");                   /* cut short */
}

static void utf8_decode__accepts_exactly_what_encodes_a_scalar_value(void **state)
{
    (void)state;
    unsigned cp;

    for (unsigned c = 0; c <= 0x10FFFF; c++) {
        char s[4];
        int len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
        unsigned rest = c;
        for (int i = len - 1; i > 0; i--, rest >>= 6)
            s[i] = (char)(0x80 | (rest & 0x3F));
        s[0] = (char)(leads[len] | rest);
        bool is_surrogate = c >= 0xD800 && c <= 0xDFFF;
        if (lr_utf8_decode(s, (size_t)len, &cp) != (is_surrogate ? 0 : len) ||
            (!is_surrogate && cp != c) || lr_utf8_decode(s, (size_t)len - 1, &cp) != 0)
            fail_msg("code point %x", c);
    }
}

static void text_columns__counts_cells_in_utf8_and_bytes_otherwise(void **state)
{
    (void)state;
    const char *mixed = "\xc3\xa9\xe6\xbc\xa2"
                        "e\xcc\x81"; /* e-acute, wide, combining */

    setlocale(LC_CTYPE, "C");
    assert_int_equal(lr_text_columns("abc"), 3);
    assert_int_equal(lr_text_columns(mixed), (int)strlen(mixed));
    if (setlocale(LC_CTYPE, "C.UTF-8")) {
        assert_int_equal(lr_text_columns(""), 0);
        assert_int_equal(lr_text_columns(mixed), 4);
        assert_int_equal(lr_text_columns("\xff\xe6"), 2);
    }
    setlocale(LC_CTYPE, "C");
}

static void text_nearest__offers_only_close_names(void **state)
{
    (void)state;
    const char *names[] = {"solve", "select", "rank", "report", "conv10", NULL};
    char longest[400];

    assert_string_equal(lr_text_nearest("slove", names, 6),
                        "solve"); /* a swap counts once */
    assert_string_equal(lr_text_nearest("selct", names, 6), "select");
    assert_string_equal(lr_text_nearest("rnak", names, 6), "rank");
    assert_string_equal(lr_text_nearest("solve", names, 6), "solve");
    assert_string_equal(lr_text_nearest("conv1", names, 6), "conv10");
    assert_null(lr_text_nearest("frank12", names, 6));
    assert_null(lr_text_nearest("sol", names, 6)); /* two edits on three letters */
    assert_null(lr_text_nearest("xy", names, 6));
    assert_null(lr_text_nearest("", names, 6));
    assert_null(lr_text_nearest("solve", names, 0));
    memset(longest, 'a', sizeof(longest));
    for (size_t len = 250; len < 260; len++) {
        char name[400];
        memcpy(name, longest, sizeof(name));
        name[len + 2] = '\0';
        longest[len] = '\0';
        const char *one[] = {name};
        const char *found = lr_text_nearest(longest, one, 1);
        if (len <= 255)
            assert_ptr_equal(found, name);
        else
            assert_null(found);
        longest[len] = 'a';
    }
}

static void mem__refuses_what_is_beyond_the_limit(void **state)
{
    struct lr_err e = {0};
    (void)state;
    const size_t before = lr_mem_held();
    void *a = lr_alloc(1000, 1000);
    assert_non_null(a);
    assert_true(lr_mem_held() >= before + 1000000);
    lr_mem_set_limit(lr_mem_held() + 500000);
    assert_null(lr_alloc(1000, 1000));
    assert_int_equal(lr_enomem(&e, 1000000, "a test"), LR_ENOMEM);
    assert_non_null(strstr(e.msg, "1000000 bytes for a test would exceed max-memory"));
    void *b = lr_alloc(100, 1000);
    assert_non_null(b);
    lr_free(a);
    a = lr_alloc(1000, 1000);
    assert_non_null(a);
    lr_free(a);
    lr_free(b);
    lr_mem_set_limit(0);
    assert_int_equal(lr_mem_held(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mem__refuses_what_is_beyond_the_limit),
        cmocka_unit_test(err__keeps_code_and_cuts_at_a_character_when_too_long),
        cmocka_unit_test(progress__maps_nested_stages_and_stops_when_asked),
        cmocka_unit_test(note__formats_and_is_dropped_when_nobody_listens),
        cmocka_unit_test(mem__is_aligned_and_refuses_products_that_overflow),
        cmocka_unit_test(strbuf__grows_and_stays_failed_when_memory_is_refused),
        cmocka_unit_test(text_escape__leaves_nothing_to_obey_when_hostile),
        cmocka_unit_test(utf8_decode__accepts_exactly_what_encodes_a_scalar_value),
        cmocka_unit_test(text_columns__counts_cells_in_utf8_and_bytes_otherwise),
        cmocka_unit_test(text_nearest__offers_only_close_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
