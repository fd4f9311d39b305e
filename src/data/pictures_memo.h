/* What is known of the pictures of a folder, across sessions. */
#ifndef RANKLAB_DATA_PICTURES_MEMO_H
#define RANKLAB_DATA_PICTURES_MEMO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "folder.h"

/* DATA_FIRST: pictures that are decoded when a folder is opened, if they are not
 * remembered. */
enum { DATA_DIGEST = 64, DATA_FIRST = 64 };

/* Of a picture that could be decoded: its size and the hexadecimal SHA-256 of its file,
 * and what tells whether the file is still the same. */
struct data_known {
    int w, h; /* w 0: nothing is known; -1: it is to be forgotten */
    char digest[DATA_DIGEST];
    int64_t bytes, mtime_s, ctime_s;
    uint64_t inode, device;
    int32_t mtime_ns, ctime_ns;
};

struct data_memo {
    struct data_known *known; /* by entry of the folder, owned */
    int64_t n_new;            /* since it was written */
};

/* Reads what is remembered of the folder; nothing when there is nothing or it cannot be
 * read. LR_ENOMEM otherwise. */
enum lr_status data_memo_open(struct data_memo *m, const struct data_folder *f,
                              struct lr_err *e);
void data_memo_free(struct data_memo *m);
/* What is known of entry k whose file is as info tells; NULL: nothing. */
const struct data_known *data_memo_find(const struct data_memo *m, int64_t k,
                                        const struct stat *info);
/* Takes note of entry k. info and now were taken before the file was read: one that
 * changed just then may change again without a new time, and is not remembered. */
void data_memo_add(struct data_memo *m, int64_t k, const struct stat *info, int64_t now,
                   int w, int h, const char digest[DATA_DIGEST]);
/* What is remembered of entry k does not hold. */
void data_memo_forget(struct data_memo *m, int64_t k);
/* Writes what was added, where the folder is large enough to be worth it. */
enum lr_status data_memo_save(struct data_memo *m, const struct data_folder *f,
                              struct lr_err *e);

#endif
