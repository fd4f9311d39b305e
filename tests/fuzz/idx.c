/* An idx file, plain or gzip, as images, and as the labels of two images. */
#include "fuzz.h"

#include "ranklab/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t two_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0,
                                         0, 0, 1, 0, 0, 0, 1, 7, 8};
    static const struct lr_data_opts plain = {.labels = ""};
    struct lr_data_opts labelled = {0};
    struct fuzz_file f, images;
    struct lr_dataset *d = NULL;
    struct lr_err e = {0};
    float image[6];

    fuzz_file_open(&f, data, size);
    enum lr_status st = lr_dataset_open(&d, f.path, 1, 2, 3, &plain, NULL, &e);
    FUZZ_CHECK((st == LR_OK) == (d != NULL));
    FUZZ_CHECK(st == LR_OK || e.msg[0]);
    for (int64_t i = 0; d && i < lr_dataset_count(d); i++)
        FUZZ_CHECK(lr_dataset_batch(d, i, 1, image, &e) == LR_OK);
    lr_dataset_free(d);
    fuzz_file_open(&images, two_images, sizeof(two_images));
    labelled.labels = f.path;
    st = lr_dataset_open(&d, images.path, 1, 1, 1, &labelled, NULL, &e);
    FUZZ_CHECK((st == LR_OK) == (d != NULL));
    FUZZ_CHECK(!d || lr_dataset_labels(d)[1] < lr_dataset_classes(d));
    lr_dataset_free(d);
    fuzz_file_close(&images);
    fuzz_file_close(&f);
    return 0;
}
