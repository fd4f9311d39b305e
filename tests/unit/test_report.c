/* Reports: hostile names stay text in both renderers, and a folder appears whole or not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "out/report.h"

static const char hostile[] = "<script>alert(1)</script>\" '`|x`\n# [a](b) & \x1b[31m";

static void report__keeps_hostile_names_as_text_when_rendered(void **state)
{
    static const struct out_column columns[] = {{"name", "name", OUT_TEXT, 0, 0}};
    struct out_report r = {.title = lr_strdup(hostile)};
    struct out_table t;
    struct lr_strbuf html = {0}, md = {0};
    struct lr_err e = {0};

    (void)state;
    out_table_init(&t, columns, 1);
    out_text(&t, hostile);
    out_report_text(&r, OUT_HEADING, "%s", hostile);
    out_report_text(&r, OUT_LEAD, "%s", hostile);
    out_report_text(&r, OUT_CODE, "%s", hostile);
    out_report_table(&r, &t);
    assert_int_equal(out_report_html(&html, &r, &e), LR_OK);
    assert_int_equal(out_report_markdown(&md, &r, &e), LR_OK);
    assert_null(strstr(html.s, "<script"));
    assert_non_null(
        strstr(html.s, "&lt;script&gt;alert(1)&lt;/script&gt;&quot; &#39;`|x`"));
    assert_null(strchr(html.s, '\x1b'));
    /* In Markdown the code block is indented, everything else is escaped. */
    for (const char *at = md.s; (at = strstr(at, "<script")) != NULL; at++)
        assert_true(at - md.s >= 4 && strncmp(at - 4, "    ", 4) == 0);
    assert_non_null(strstr(md.s, "\\`\\|x\\`"));
    assert_null(strstr(md.s, "\n# [a]"));
    assert_null(strchr(md.s, '\x1b'));
    lr_strbuf_free(&html);
    lr_strbuf_free(&md);
    out_report_free(&r);
}

static void report__gives_every_drawing_ids_of_its_own(void **state)
{
    struct out_report r = {.title = lr_strdup("t")};
    struct lr_strbuf b = {0};
    struct lr_err e = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct out_block *k = out_report_add(&r, OUT_FIGURE);
        k->text = lr_strdup("c");
        k->svg = lr_strdup("<?xml?><svg><g id=\"a\"/><use xlink:href='#a'/></svg>");
    }
    assert_int_equal(out_report_html(&b, &r, &e), LR_OK);
    assert_null(strstr(b.s, "<?xml"));
    assert_non_null(strstr(b.s, "<g id=\"f0-a\"/><use xlink:href='#f0-a'/>"));
    assert_non_null(strstr(b.s, "<g id=\"f1-a\"/><use xlink:href='#f1-a'/>"));
    lr_strbuf_free(&b);
    out_report_free(&r);
}

static void folder__is_refused_when_it_is_not_ours(void **state)
{
    char dir[] = "/tmp/ranklab-report-XXXXXX", file[64];
    struct out_folder f;
    struct lr_err e = {0};
    struct stat info;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(out_folder_begin(&f, dir, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "is no report of ranklab"));
    snprintf(file, sizeof(file), "%s/r", dir);
    for (int i = 0; i < 2; i++) { /* the second replaces the first */
        struct lr_strbuf b = {0};
        lr_strbuf_puts(&b, "<meta name=\"generator\" content=\"ranklab\">");
        assert_int_equal(out_folder_begin(&f, file, &e), LR_OK);
        assert_int_equal(out_folder_write(&f, "report.html", &b, &e), LR_OK);
        lr_strbuf_free(&b);
        assert_int_equal(out_folder_commit(&f, &e), LR_OK);
    }
    /* An abort leaves no trace, and the old one as it was. */
    assert_int_equal(out_folder_begin(&f, file, &e), LR_OK);
    char *temp = lr_strdup(f.temp);
    out_folder_abort(&f);
    assert_int_equal(stat(temp, &info), -1);
    lr_free(temp);
    char own[80];
    snprintf(own, sizeof(own), "%s/notes.txt", file);
    FILE *fp = fopen(own, "w");
    assert_non_null(fp);
    fclose(fp);
    assert_int_equal(out_folder_begin(&f, file, &e), LR_EIO);
    assert_non_null(strstr(e.msg, "notes.txt"));
    static const char *const names[] = {"notes.txt", "report.html", "SHA256SUMS"};
    for (int i = 0; i < 3; i++) {
        snprintf(own, sizeof(own), "%s/%s", file, names[i]);
        assert_int_equal(unlink(own), 0);
    }
    assert_int_equal(rmdir(file), 0);
    assert_int_equal(rmdir(dir), 0); /* nothing temporary is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report__keeps_hostile_names_as_text_when_rendered),
        cmocka_unit_test(report__gives_every_drawing_ids_of_its_own),
        cmocka_unit_test(folder__is_refused_when_it_is_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
