/* A .npy file as a tensor, and as a set of images. */
#include "fuzz.h"

#include "ranklab/dataset.h"
#include "ranklab/tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct lr_data_opts plain = {.labels = ""};
    struct fuzz_file f;
    struct lr_tensor *t = NULL;
    struct lr_dataset *d = NULL;
    struct lr_err e = {0};
    float image[3 * 2 * 3];

    fuzz_file_open(&f, data, size);
    enum lr_status st = lr_npy_read(&t, f.path, &e);
    FUZZ_CHECK((st == LR_OK) == (t != NULL));
    FUZZ_CHECK(st == LR_OK || e.msg[0]);
    lr_tensor_free(t);
    for (int c = 1; c <= 3; c += 2) {
        st = lr_dataset_open(&d, f.path, c, 2, 3, &plain, NULL, &e);
        FUZZ_CHECK((st == LR_OK) == (d != NULL));
        for (int64_t i = 0; d && i < lr_dataset_count(d); i++)
            FUZZ_CHECK(lr_dataset_batch(d, i, 1, image, &e) == LR_OK);
        lr_dataset_free(d);
    }
    fuzz_file_close(&f);
    return 0;
}
