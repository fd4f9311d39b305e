/* A folder of pictures, listed in an order that does not depend on the file system. What
 * is listed are names; what they hold is found out when they are read. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "array.h"
#include "ranklab/mem.h"

struct names {
    char **s;
    size_t n, cap;
};

static void names_free(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        lr_free(l->s[i]);
    lr_free(l->s);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The entries of a folder, sorted, hidden ones left out. */
static enum lr_status read_names(struct names *l, const char *path, struct lr_err *e)
{
    DIR *dir = opendir(path);
    enum lr_status st = LR_OK;
    struct dirent *entry;

    if (!dir) {
        lr_err_set(e, LR_EIO, "cannot open: %s", strerrordesc_np(errno));
        data_prefix_path(e, path);
        return LR_EIO;
    }
    while (st == LR_OK && (errno = 0, entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        if (l->n == l->cap) {
            size_t cap = l->cap ? 2 * l->cap : 64;
            char **s = lr_realloc(l->s, l->n, cap, sizeof(*s));
            if (!s) {
                st = lr_enomem(e, cap * sizeof(*s), "a folder's names");
                break;
            }
            l->s = s;
            l->cap = cap;
        }
        if (!(l->s[l->n] = lr_strdup(entry->d_name)))
            st = lr_enomem(e, 1, "a name");
        else
            l->n++;
    }
    if (st == LR_OK && errno) {
        st = lr_err_set(e, LR_EIO, "cannot read: %s", strerrordesc_np(errno));
        data_prefix_path(e, path);
    }
    closedir(dir);
    if (st == LR_OK && l->n)
        qsort(l->s, l->n, sizeof(*l->s), compare);
    return st;
}

static bool is_picture(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp",
                                          ".bmp", ".ppm",  ".pgm"};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

static char *join(const char *a, const char *b)
{
    struct lr_strbuf s = {0};

    lr_strbuf_printf(&s, "%s/%s", a, b);
    return lr_strbuf_take(&s);
}

bool data_is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* name is taken over. */
static enum lr_status add(struct data_folder *f, char *name, int32_t class,
                          struct lr_err *e)
{
    if (name && f->n == f->cap) {
        int64_t cap = f->cap ? 2 * f->cap : 64;
        char **names = lr_realloc(f->names, (size_t)f->n, (size_t)cap, sizeof(*names));
        if (names)
            f->names = names;
        int32_t *classes =
            lr_realloc(f->classes, (size_t)f->n, (size_t)cap, sizeof(*classes));
        if (classes)
            f->classes = classes;
        if (!names || !classes) {
            lr_free(name);
            name = NULL;
        } else {
            f->cap = cap;
        }
    }
    if (!name)
        return lr_enomem(e, (size_t)f->n * sizeof(*f->names), "a folder's names");
    f->names[f->n] = name;
    f->classes[f->n++] = class;
    return LR_OK;
}

static enum lr_status add_class(struct data_folder *f, const char *folder,
                                int64_t *n_others, struct lr_err *e)
{
    struct names l = {0};
    char *path = join(f->path, folder);
    enum lr_status st = path ? read_names(&l, path, e) : lr_enomem(e, 1, "a path");

    for (size_t i = 0; st == LR_OK && i < l.n; i++) {
        if (is_picture(l.s[i]))
            st = add(f, join(folder, l.s[i]), f->n_classes, e);
        else
            ++*n_others;
    }
    f->n_classes++;
    names_free(&l);
    lr_free(path);
    return st;
}

static enum lr_status list(struct data_folder *f, const struct names *top,
                           int64_t *n_others, struct lr_err *e)
{
    int64_t n_here = 0;
    enum lr_status st = LR_OK;

    for (size_t i = 0; st == LR_OK && i < top->n; i++) {
        char *path = join(f->path, top->s[i]);
        if (!path)
            return lr_enomem(e, 1, "a path");
        bool is_folder = data_is_folder(path);
        lr_free(path);
        if (is_folder)
            st = add_class(f, top->s[i], n_others, e);
        else if (is_picture(top->s[i]))
            n_here++;
        else
            ++*n_others;
    }
    if (st != LR_OK || n_here == 0)
        return st;
    if (f->n > 0) {
        lr_err_set(e, LR_EINVAL,
                   "holds pictures, and sub-folders with pictures; only one of them can "
                   "be meant");
        data_prefix_path(e, f->path);
        return LR_EINVAL;
    }
    f->n_classes = 0;
    for (size_t i = 0; st == LR_OK && i < top->n; i++) {
        char *path = is_picture(top->s[i]) ? join(f->path, top->s[i]) : NULL;
        if (path && !data_is_folder(path))
            st = add(f, lr_strdup(top->s[i]), 0, e);
        lr_free(path);
    }
    return st;
}

enum lr_status data_folder_list(struct data_folder *f, const char *path,
                                const struct lr_notes *notes, struct lr_err *e)
{
    struct names top = {0};
    int64_t n_others = 0;

    *f = (struct data_folder){.path = lr_strdup(path)};
    enum lr_status st = f->path ? read_names(&top, path, e) : lr_enomem(e, 1, "a path");
    if (st == LR_OK)
        st = list(f, &top, &n_others, e);
    if (st == LR_OK && f->n == 0) {
        st = lr_err_set(e, LR_EINVAL,
                        "holds no pictures (.jpg .jpeg .png .webp .bmp .ppm .pgm)");
        data_prefix_path(e, path);
    }
    if (st == LR_OK && n_others)
        lr_note(notes, LR_NOTE_INFO, "%lld other files are passed over",
                (long long)n_others);
    if (st == LR_OK && f->n_classes == 0) {
        lr_free(f->classes);
        f->classes = NULL;
    }
    names_free(&top);
    if (st != LR_OK)
        data_folder_free(f);
    return st;
}

void data_folder_free(struct data_folder *f)
{
    for (int64_t i = 0; i < f->n; i++)
        lr_free(f->names[i]);
    lr_free(f->names);
    lr_free(f->classes);
    lr_free(f->path);
    *f = (struct data_folder){0};
}

char *data_folder_file(const struct data_folder *f, int64_t i)
{
    return join(f->path, f->names[i]);
}
