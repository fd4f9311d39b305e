/* Runs files through a fuzz target without libFuzzer: PROGRAM FILE... */
#include "fuzz.h"

#include "ranklab/file.h"
#include "ranklab/mem.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct lr_err e = {0};
        char *data = NULL;
        size_t size = 0;
        if (lr_file_read(&data, &size, argv[i], (size_t)1 << 30, &e) != LR_OK) {
            fprintf(stderr, "%s\n", e.msg);
            return 1;
        }
        /* A copy of the very size, so that a sanitizer sees a read beyond the end. */
        uint8_t *copy = malloc(size ? size : 1);
        FUZZ_CHECK(copy);
        for (size_t k = 0; k < size; k++)
            copy[k] = (uint8_t)data[k];
        lr_free(data);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
    }
    return 0;
}
