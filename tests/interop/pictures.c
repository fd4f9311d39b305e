/* A folder of pictures as a network would be given them:
 *   pictures FOLDER C H W RESIZE_H RESIZE_W OUT.npy
 * writes the images, unscaled (0..255), and prints every note and the number skipped. */
#include <stdio.h>
#include <stdlib.h>

#include "ranklab/dataset.h"
#include "ranklab/mem.h"

static void print_note(void *ctx, enum lr_note_level level, const char *text)
{
    (void)ctx, (void)level;
    printf("note %s\n", text);
}

static int number(const char *s)
{
    return (int)strtol(s, NULL, 10);
}

int main(int argc, char **argv)
{
    const struct lr_notes notes = {.note = print_note};
    struct lr_data_opts o = {.has_scale = true, .scale = 1};
    struct lr_dataset *d = NULL;
    struct lr_err e = {0};
    float *x = NULL;

    if (argc != 8) {
        fprintf(stderr, "usage: pictures FOLDER C H W RESIZE_H RESIZE_W OUT.npy\n");
        return 2;
    }
    int c = number(argv[2]), h = number(argv[3]), w = number(argv[4]);
    o.resize_h = number(argv[5]);
    o.resize_w = number(argv[6]);
    enum lr_status st = lr_dataset_open(&d, argv[1], c, h, w, &o, &notes, &e);
    if (st == LR_OK) {
        int64_t n = lr_dataset_count(d), dims[4] = {n, c, h, w};
        x = lr_alloc((size_t)n, (size_t)c * (size_t)h * (size_t)w * sizeof(*x));
        st = x ? lr_dataset_batch(d, 0, n, x, &e) : lr_enomem(&e, 1, "images");
        if (st == LR_OK)
            st = lr_npy_write(argv[7], x, dims, 4, &e);
        printf("skipped %lld\n", (long long)lr_dataset_skipped(d));
    }
    if (st != LR_OK)
        fprintf(stderr, "%s\n", e.msg);
    lr_free(x);
    lr_dataset_free(d);
    return st != LR_OK;
}
