/* A file without a name, reached through /proc: a regular file to all who open it. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

void fuzz_file_open(struct fuzz_file *f, const uint8_t *data, size_t size)
{
    f->fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(f->fd >= 0);
    for (size_t at = 0; at < size;) {
        ssize_t n = write(f->fd, data + at, size - at);
        FUZZ_CHECK(n > 0);
        at += (size_t)n;
    }
    snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd);
}

void fuzz_file_close(struct fuzz_file *f)
{
    close(f->fd);
}
