/* Label files of folders: text, a line per picture. */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "folder.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"

enum { MAX_LABELS_FILE = 1 << 28 };

struct entry {
    const char *name; /* "": none */
    int32_t label;
    size_t line;
};

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int by_name = strcmp(x->name, y->name);

    return by_name ? by_name : (x->line > y->line) - (x->line < y->line);
}

/* Splits a line, ended in place, into name and number. */
static bool read_line(struct entry *t, char *s)
{
    size_t n = strlen(s);
    int64_t v = 0;

    while (n && strchr(" \t\r", s[n - 1]))
        s[--n] = '\0';
    size_t at = n;
    while (at && s[at - 1] >= '0' && s[at - 1] <= '9')
        at--;
    if (at == n || n - at > 9 || (at && !strchr(" \t", s[at - 1])))
        return false;
    for (size_t i = at; i < n; i++)
        v = 10 * v + s[i] - '0';
    while (at && strchr(" \t", s[at - 1]))
        at--;
    s[at] = '\0';
    while (*s == ' ' || *s == '\t')
        s++;
    *t = (struct entry){.name = s, .label = (int32_t)v, .line = t->line};
    return true;
}

static enum lr_status read_entries(struct entry **out, size_t *n, char *text, size_t len,
                                   struct lr_err *e)
{
    size_t cap = 1, line = 0, n_named = 0;

    if (memchr(text, 0, len))
        return lr_err_set(e, LR_EPARSE, "not a text");
    for (size_t i = 0; i < len; i++)
        cap += text[i] == '\n';
    *out = lr_calloc(cap, sizeof(**out));
    if (!*out)
        return lr_enomem(e, cap * sizeof(**out), "labels");
    for (char *s = text, *next; s; s = next) {
        next = strchr(s, '\n');
        if (next)
            *next++ = '\0';
        line++;
        if (s[strspn(s, " \t\r")] == '\0')
            continue;
        (*out)[*n].line = line;
        if (!read_line(&(*out)[*n], s))
            return lr_err_set(e, LR_EPARSE,
                              "line %zu: NUMBER, or NAME and NUMBER is expected", line);
        n_named += (*out)[*n].name[0] != '\0';
        ++*n;
    }
    if (n_named && n_named != *n)
        return lr_err_set(e, LR_EPARSE, "some lines have a name and some have none");
    return LR_OK;
}

static const struct entry *find(const struct entry *t, size_t n, const char *name)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(t[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && strcmp(t[lo].name, name) == 0 ? &t[lo] : NULL;
}

static enum lr_status assign(int32_t *labels, const struct data_folder *f,
                             struct entry *t, size_t n, struct lr_err *e)
{
    if (n && !t[0].name[0]) {
        if ((int64_t)n != f->n)
            return lr_err_set(e, LR_ESHAPE, "%zu labels for %lld pictures", n,
                              (long long)f->n);
        for (size_t i = 0; i < n; i++)
            labels[i] = t[i].label;
        return LR_OK;
    }
    if (n)
        qsort(t, n, sizeof(*t), compare);
    for (size_t i = 1; i < n; i++)
        if (strcmp(t[i].name, t[i - 1].name) == 0 && t[i].label != t[i - 1].label)
            return lr_err_set(e, LR_EINVAL, "lines %zu and %zu: two labels for one name",
                              t[i - 1].line, t[i].line);
    for (int64_t i = 0; i < f->n; i++) {
        const char *slash = strrchr(f->names[i], '/');
        const struct entry *found = find(t, n, f->names[i]);
        if (!found && slash)
            found = find(t, n, slash + 1);
        if (!found) {
            lr_err_set(e, LR_EINVAL, "no label");
            data_prefix_path(e, f->names[i]);
            return LR_EINVAL;
        }
        labels[i] = found->label;
    }
    return LR_OK;
}

enum lr_status data_folder_labels(int32_t **out, const struct data_folder *f,
                                  const char *path, struct lr_err *e)
{
    struct entry *t = NULL;
    char *text = NULL;
    size_t len, n = 0;

    *out = NULL;
    enum lr_status st = lr_file_read(&text, &len, path, MAX_LABELS_FILE, e);
    if (st != LR_OK)
        return st;
    int32_t *labels = lr_calloc((size_t)f->n, sizeof(*labels));
    st = labels ? read_entries(&t, &n, text, len, e) : lr_enomem(e, 1, "labels");
    if (st == LR_OK)
        st = assign(labels, f, t, n, e);
    if (st == LR_OK) {
        *out = labels;
        labels = NULL;
    } else {
        data_prefix_path(e, path);
    }
    lr_free(labels);
    lr_free(t);
    lr_free(text);
    return st;
}
