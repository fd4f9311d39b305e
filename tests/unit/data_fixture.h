/* For the tests of data: a folder of one's own, and idx and .npy files made in memory. */
#ifndef DATA_FIXTURE_H
#define DATA_FIXTURE_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ranklab/mem.h"

/* ---- a folder of one's own ---- */

static inline int make_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(4096);

    snprintf(path, 4096, "%s/ranklab-data-XXXXXX", base && *base ? base : "/tmp");
    *state = path;
    return mkdtemp(path) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    char name[8192];
    DIR *dir = opendir(*state);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        snprintf(name, sizeof(name), "%s/%s", (char *)*state, entry->d_name);
        if (entry->d_name[0] != '.')
            remove(name);
    }
    if (dir)
        closedir(dir);
    rmdir(*state);
    free(*state);
    return 0;
}

struct path {
    char s[8192];
};
static inline struct path in(void **state, const char *name)
{
    struct path p;

    snprintf(p.s, sizeof(p.s), "%s/%s", (char *)*state, name);
    return p;
}

/* Neither lr_file_write nor truncation: flushing to the disk would take most of the time.
 */
static inline void save(void **state, const char *name, const void *data, size_t n)
{
    unlink(in(state, name).s);
    FILE *fp = fopen(in(state, name).s, "wb");

    assert_non_null(fp);
    assert_int_equal(fwrite(data, 1, n, fp), n);
    assert_int_equal(fclose(fp), 0);
}

/* ---- file contents ---- */

static inline struct lr_strbuf idx_header(int type, int n_dims, const uint32_t *dims)
{
    struct lr_strbuf b = {0};

    lr_strbuf_putc(&b, 0);
    lr_strbuf_putc(&b, 0);
    lr_strbuf_putc(&b, (char)type);
    lr_strbuf_putc(&b, (char)n_dims);
    for (int i = 0; i < n_dims; i++)
        for (int shift = 24; shift >= 0; shift -= 8)
            lr_strbuf_putc(&b, (char)(dims[i] >> shift & 0xFF));
    return b;
}

/* n images of h x w; pixel j of image i is (7 i + j) mod 256. */
static inline struct lr_strbuf idx_images(uint32_t n, uint32_t h, uint32_t w)
{
    struct lr_strbuf b = idx_header(8, 3, (uint32_t[]){n, h, w});

    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < h * w; j++)
            lr_strbuf_putc(&b, (char)((7 * i + j) & 0xFF));
    return b;
}

static inline struct lr_strbuf npy(int version, const char *dict, const void *data,
                                   size_t n)
{
    struct lr_strbuf b = {0};
    size_t len = strlen(dict);

    lr_strbuf_add(&b, "\x93NUMPY", 6);
    lr_strbuf_putc(&b, (char)version);
    lr_strbuf_putc(&b, 0);
    for (int i = 0; i < (version == 1 ? 2 : 4); i++)
        lr_strbuf_putc(&b, (char)(len >> (8 * i) & 0xFF));
    lr_strbuf_puts(&b, dict);
    lr_strbuf_add(&b, data, n);
    return b;
}

static const float six[6] = {0.5f, -1, 2, 1e-30f, 4, 1e30f};

#endif
