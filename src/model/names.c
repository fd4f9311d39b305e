/* A set of names on the C library's balanced tree: model files choose the names, and a
 * balanced tree has no bad case as a hash table would. */
#include <search.h>
#include <string.h>

#include "model.h"

struct named {
    const char *name;
    int value;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

int *lr_names_put(struct lr_names *s, const char *name, int value, bool *is_new)
{
    struct named *x = lr_alloc(1, sizeof(*x));

    *is_new = false;
    if (!x)
        return NULL;
    x->name = name;
    x->value = value;
    struct named **slot = tsearch(x, &s->root, compare);
    if (!slot || *slot != x)
        lr_free(x);
    else
        *is_new = true;
    return slot ? &(*slot)->value : NULL;
}

int *lr_names_get(const struct lr_names *s, const char *name)
{
    struct named key = {name, 0};
    struct named **slot = tfind(&key, &s->root, compare);

    return slot ? &(*slot)->value : NULL;
}

void lr_names_clear(struct lr_names *s)
{
    tdestroy(s->root, lr_free);
    s->root = NULL;
}
