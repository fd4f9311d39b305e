/* Whole-file reading with a limit, and writing that is all or nothing. */
#ifndef RANKLAB_FILE_H
#define RANKLAB_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ranklab/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a regular file of at most max bytes; *data gets len + 1 bytes, the last 0;
 * lr_free it. LR_EIO names the path; a directory, a FIFO or a larger file is refused. */
enum lr_status lr_file_read(char **data, size_t *len, const char *path, size_t max,
                            struct lr_err *e);

/* A file being written: a temporary name beside the target until committed. */
struct lr_file {
    FILE *fp;
    char *path, *temp;
};
/* Opens a temporary file in the target's folder. LR_EIO when the folder is missing or not
 * writable. A target that exists and is no regular file (/dev/null, a FIFO that somebody
 * reads) is opened directly. */
enum lr_status lr_file_begin(struct lr_file *f, const char *path, struct lr_err *e);
/* Flushes, fsyncs, renames over the target (mode of an existing target kept, else 0666
 * less umask), fsyncs the folder. On failure the temporary file is removed and the old
 * target is as it was. f is closed either way. */
enum lr_status lr_file_commit(struct lr_file *f, struct lr_err *e);
/* Flushes, fsyncs and gives the file its name beside the temporary one, which goes with
 * lr_file_abort: who is killed in between leaves both. Where the target exists, or cannot
 * be linked, the file is committed. */
enum lr_status lr_file_link(struct lr_file *f, struct lr_err *e);
/* Removes the temporary file. Safe on a zeroed or already closed f. */
void lr_file_abort(struct lr_file *f);
/* Writes len bytes to path by begin, write, commit. */
enum lr_status lr_file_write(const char *path, const void *data, size_t len,
                             struct lr_err *e);

/* Removes files of the folder that nobody used for 14 days, whose names begin with head
 * and have len characters. What fails is left. */
void lr_file_remove_old(const char *folder, const char *head, size_t len);
/* The file was used, now. */
void lr_file_used(const char *path);

/* Hexadecimal SHA-256 (64 characters and a 0) of len bytes. */
void lr_sha256(char hex[65], const void *data, size_t len);

/* XDG folders of the program, created (0700) when make is true: kind is "config", "state"
 * or "cache". NULL with errno when HOME and the variable are unset (ENOENT) or creation
 * failed. lr_free it. */
char *lr_xdg_dir(const char *kind, bool make);

#ifdef __cplusplus
}
#endif

#endif
