/* A configuration file; one that is read must be written, and read back, the same. Only
 * files of schema 1 may hold what schema 2 has no way to write (a layer without a rank).
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "out/config.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"

static char *text_of(const struct out_config *c, size_t *n, bool may_refuse)
{
    struct fuzz_file f;
    struct lr_err e = {0};
    char *text = NULL, path[64];

    /* Written through the descriptor, as to /dev/fd/N. */
    fuzz_file_open(&f, NULL, 0);
    snprintf(path, sizeof(path), "/dev/fd/%d", f.fd);
    if (out_config_write(c, path, &e) != LR_OK) {
        FUZZ_CHECK(may_refuse && e.code == LR_EINVAL && e.msg[0]);
        fuzz_file_close(&f);
        return NULL;
    }
    FUZZ_CHECK(lr_file_read(&text, n, f.path, (size_t)1 << 30, &e) == LR_OK);
    fuzz_file_close(&f);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file f;
    struct out_config c = {0}, d = {0};
    struct lr_err e = {0};

    fuzz_file_open(&f, data, size);
    enum lr_status st = out_config_read(&c, f.path, NULL, &e);
    FUZZ_CHECK(st == LR_OK || e.msg[0]);
    fuzz_file_close(&f);
    size_t n, m;
    char *one = st == LR_OK ? text_of(&c, &n, c.schema == 1) : NULL;
    if (one) {
        fuzz_file_open(&f, (const uint8_t *)one, n);
        FUZZ_CHECK(out_config_read(&d, f.path, NULL, &e) == LR_OK);
        fuzz_file_close(&f);
        char *two = text_of(&d, &m, false);
        FUZZ_CHECK(n == m && memcmp(one, two, n) == 0);
        lr_free(one);
        lr_free(two);
        out_config_free(&d);
    }
    out_config_free(&c);
    return 0;
}
