/* A set of images inside. */
#ifndef RANKLAB_DATA_DATASET_INTERNAL_H
#define RANKLAB_DATA_DATASET_INTERNAL_H

#include "array.h"
#include "pictures.h"
#include "ranklab/dataset.h"

struct lr_dataset {
    char *path;
    struct data_array images;       /* of a file, or */
    struct data_pictures *pictures; /* of a folder; NULL: a file */
    int64_t n_stored, n; /* n: of a folder, as long as not all is known, at most */
    int64_t *order;      /* [n_stored] of a file, in the order drawn; NULL: as stored */
    int32_t *stored_labels; /* [n_stored] of a folder */
    int32_t *labels;        /* [n], in the order of the set */
    int n_classes;
    int c, h, w, stored_c;
    bool is_channels_last;
    struct lr_data_opts opts; /* labels: not kept */
    float *table;             /* [c][N_BYTES] for byte images */
    char hash[65];            /* of all n images; "" as long as not all is known */
};

/* dataset.c: a random permutation of the n_stored images of which the first n take part;
 * NULL when all do, as they are. Sets n. */
enum lr_status data_draw(int64_t **order, struct lr_dataset *d, struct lr_err *e);
/* The largest label + 1. */
int data_classes(const int32_t *labels, int64_t n);

/* dataset_folder.c */
enum lr_status data_folder_open(struct lr_dataset *d, const struct lr_data_opts *o,
                                const struct lr_notes *notes, struct lr_err *e);

/* dataset_hash.c: fills d->hash where all images are known. */
enum lr_status data_make_hash(struct lr_dataset *d, struct lr_err *e);

/* dataset_batch.c */
enum lr_status data_make_table(struct lr_dataset *d, struct lr_err *e);
/* LR_ENUMERIC when an image of a file has a value that is not finite. */
enum lr_status data_check_values(const struct lr_dataset *d, struct lr_err *e);

#endif
