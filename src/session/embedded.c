/* Embedded networks and where their files are: $RANKLAB_DATA first, so that a package or
 * a test can put them anywhere, then the installation, then the source tree of the build.
 */
#include "ranklab/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ranklab/mem.h"

const struct lr_embedded lr_embedded[] = {
    {"@fashion", "a chain of convolutions for Fashion-MNIST", "fashion.onnx",
     "fashion-calib-images.idx.gz", "fashion-calib-labels.idx.gz",
     "fashion-test-images.idx.gz", "fashion-test-labels.idx.gz", 0.2860f, 0.3530f},
    {"@fashion-resnet", "a residual network for Fashion-MNIST", "fashion-resnet.onnx",
     "fashion-calib-images.idx.gz", "fashion-calib-labels.idx.gz",
     "fashion-test-images.idx.gz", "fashion-test-labels.idx.gz", 0.2860f, 0.3530f},
};
const int lr_n_embedded = (int)(sizeof(lr_embedded) / sizeof(lr_embedded[0]));

const struct lr_embedded *lr_embedded_find(const char *name)
{
    for (int i = 0; i < lr_n_embedded; i++)
        if (strcmp(lr_embedded[i].name, name) == 0)
            return &lr_embedded[i];
    return NULL;
}

enum lr_status lr_data_find(char **path, const char *file, struct lr_err *e)
{
    const char *places[3] = {getenv("RANKLAB_DATA")};
    struct lr_strbuf tried = {0};
    int n = 1;

#ifdef DATADIR
    places[n++] = DATADIR;
#endif
#ifdef SOURCE_DATADIR
    places[n++] = SOURCE_DATADIR;
#endif
    *path = NULL;
    for (int i = 0; i < n; i++) {
        struct lr_strbuf b = {0};
        if (!places[i] || !places[i][0])
            continue;
        lr_strbuf_printf(&b, "%s/%s", places[i], file);
        char *candidate = lr_strbuf_take(&b);
        if (!candidate) {
            lr_strbuf_free(&tried);
            return lr_enomem(e, strlen(places[i]) + strlen(file) + 2, "a path");
        }
        if (access(candidate, R_OK) == 0) {
            lr_strbuf_free(&tried);
            *path = candidate;
            return LR_OK;
        }
        lr_free(candidate);
        lr_strbuf_printf(&tried, "%s%s", tried.len ? ", " : "", places[i]);
    }
    lr_err_set(e, LR_EIO, "%s: not found in %s (RANKLAB_DATA can name the folder)", file,
               tried.len ? tried.s : "any folder");
    lr_strbuf_free(&tried);
    return LR_EIO;
}
