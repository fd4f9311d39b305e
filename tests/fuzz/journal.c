/* Lines of a journal. Each line of the input is read as it stands, and again with the
 * check that belongs to it, which the fuzzer could not find; a record that is read must
 * be written, and read back, the same. Then the whole input as a journal's file. */
#include "fuzz.h"

#include <string.h>

#include "ranklab/file.h"
#include "ranklab/journal.h"
#include "ranklab/mem.h"
#include "session/journal_internal.h"

static void check_line(const char *line, size_t len)
{
    struct lr_record r, again, copy;
    struct lr_strbuf one = {0}, two = {0};
    struct lr_err e = {0};
    enum lr_status st = journal_record_read(&r, line, len, &e);

    FUZZ_CHECK(st == LR_OK || e.msg[0]);
    if (st != LR_OK)
        return;
    FUZZ_CHECK(journal_record_write(&one, &r, &e) == LR_OK);
    size_t n = one.len;
    while (n && one.s[n - 1] == '\n')
        n--;
    FUZZ_CHECK(memchr(one.s, '\n', n) == NULL);
    FUZZ_CHECK(journal_record_read(&again, one.s, n, &e) == LR_OK);
    FUZZ_CHECK(journal_record_write(&two, &again, &e) == LR_OK);
    FUZZ_CHECK(one.len == two.len && memcmp(one.s, two.s, one.len) == 0);
    FUZZ_CHECK(!journal_record_conflicts(&r, &again));
    FUZZ_CHECK(journal_record_copy(&copy, &r, &e) == LR_OK);
    lr_record_free(&copy);
    lr_record_free(&again);
    lr_record_free(&r);
    lr_strbuf_free(&one);
    lr_strbuf_free(&two);
}

/* The line with its check put in before the last brace. */
static void check_signed(const char *line, size_t len)
{
    struct lr_strbuf b = {0};
    char check[65];

    if (len == 0 || line[len - 1] != '}')
        return;
    lr_sha256(check, line, len - 1);
    lr_strbuf_add(&b, line, len - 1);
    lr_strbuf_printf(&b, ",\"check\":\"%.16s\"}", check);
    FUZZ_CHECK(!b.is_failed);
    check_line(b.s, b.len);
    lr_strbuf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lr_journal_counts counts;
    struct fuzz_file f;
    struct lr_err e = {0};
    const char *at = (const char *)data, *end = at + size;
    int64_t n_empty = 0;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        n_empty += len == 0;
        check_line(at, len);
        check_signed(at, len);
        at += len + 1;
    }
    fuzz_file_open(&f, data, size);
    if (lr_journal_verify(&counts, f.path, NULL, &e) == LR_OK)
        FUZZ_CHECK(counts.n_kept + counts.n_repeated + counts.n_formats +
                       counts.n_damaged + n_empty ==
                   counts.n_lines);
    else
        FUZZ_CHECK(e.msg[0]);
    fuzz_file_close(&f);
    return 0;
}
