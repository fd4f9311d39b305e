/* The pictures of a folder, and their classes. */
#ifndef RANKLAB_DATA_FOLDER_H
#define RANKLAB_DATA_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/progress.h"

/* names: "FILE" or "CLASS/FILE", each class and its files sorted by bytes. */
struct data_folder {
    char *path;
    char **names;
    int32_t
        *classes; /* of each, the place of its folder in that order; NULL: no folders */
    int64_t n, cap;
    int n_classes;
};
/* Whether path is a folder. */
bool data_is_folder(const char *path);
/* Files whose ending is that of a picture; hidden ones are passed over, others with a
 * note. LR_EINVAL: none, or pictures both in the folder and in sub-folders. */
enum lr_status data_folder_list(struct data_folder *f, const char *path,
                                const struct lr_notes *notes, struct lr_err *e);
void data_folder_free(struct data_folder *f);
/* The path of picture i; lr_free it; NULL when memory is short. */
char *data_folder_file(const struct data_folder *f, int64_t i);
/* Classes from a text file: one number a line in the order of names, or lines "NAME
 * NUMBER" where NAME is one of names or the part behind its "/". *out: n, lr_free it. */
enum lr_status data_folder_labels(int32_t **out, const struct data_folder *f,
                                  const char *path, struct lr_err *e);

#endif
