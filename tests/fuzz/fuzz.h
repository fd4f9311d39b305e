/* Shared by the fuzz targets. Each target is one file with LLVMFuzzerTestOneInput: with
 * clang libFuzzer drives it (scripts/fuzz), with any compiler replay.c runs the seed
 * corpus through it (make check). A target aborts when a property does not hold. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For readers that take a path: a file in memory that holds data. */
struct fuzz_file {
    int fd;
    char path[32];
};
void fuzz_file_open(struct fuzz_file *f, const uint8_t *data, size_t size);
void fuzz_file_close(struct fuzz_file *f);

/* Unlike assert it stays in a build without assertions. */
#define FUZZ_CHECK(x)                                                                    \
    do {                                                                                 \
        if (!(x)) {                                                                      \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #x);        \
            abort();                                                                     \
        }                                                                                \
    } while (0)

#endif
