/* A picture, brought to small sizes in grey and in colour, with little memory. */
#include "fuzz.h"

#include "data/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct data_fit fits[] = {{3, 0, 0, 8, 6}, {1, 16, 0, 8, 8}};
    unsigned char out[8 * 8 * 3];

    for (int i = 0; i < 2; i++) {
        struct lr_err e = {0};
        enum lr_status st =
            data_picture_fit(out, NULL, data, size, &fits[i], (size_t)1 << 25, &e);
        FUZZ_CHECK(st == LR_OK || e.msg[0]);
    }
    return 0;
}
