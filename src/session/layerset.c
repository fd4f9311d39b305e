/* Layer sets as typed: names, numbers, ranges, globs and states, separated by commas.
 * Names come from model files and may look like anything: a name wins over a number,
 * range or glob of the same text, but never over "all" and what begins with @; such a
 * layer still has its number. */
#include "session/internal.h"

#include <ctype.h>
#include <string.h>

#include "ranklab/mem.h"
#include "ranklab/text.h"

/* Only * and ?: brackets are common in names. Greedy with one point to go back to. */
static bool glob_match(const char *p, size_t n, const char *text)
{
    const char *end = p + n, *star = NULL, *mark = NULL;

    while (*text) {
        if (p < end && *p == '*') {
            star = ++p;
            mark = text;
        } else if (p < end && (*p == '?' || *p == *text)) {
            p++;
            text++;
        } else if (star) {
            p = star;
            text = ++mark;
        } else {
            return false;
        }
    }
    while (p < end && *p == '*')
        p++;
    return p == end;
}

static int find_name(const struct lr_session *s, const char *text, size_t n)
{
    if (n > 0 && (text[0] == '@' || (n == 3 && memcmp(text, "all", 3) == 0)))
        return -1;
    for (int i = 0; i < s->n_layers; i++)
        if (strlen(s->layers[i].name) == n && memcmp(s->layers[i].name, text, n) == 0)
            return i;
    return -1;
}

static bool is_number(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isdigit((unsigned char)text[i]))
            return false;
    return n > 0;
}

/* A layer by name or 1-based number; -1: none such. */
static int find_one(const struct lr_session *s, const char *text, size_t n)
{
    int i = find_name(s, text, n), number = 0;

    if (i >= 0 || !is_number(text, n))
        return i;
    for (size_t k = 0; k < n; k++) {
        number = number * 10 + (text[k] - '0');
        if (number > s->n_layers)
            return -1;
    }
    return number - 1;
}

static enum lr_status not_found(const struct lr_session *s, const char *text, size_t n,
                                struct lr_err *e)
{
    const char **names = lr_calloc((size_t)s->n_layers + 1, sizeof(*names));
    char *word = lr_strndup(text, n);
    const char *near = NULL;

    if (!names || !word) {
        lr_free(names);
        lr_free(word);
        return lr_enomem(e, n + 1, "a name");
    }
    for (int i = 0; i < s->n_layers; i++)
        names[i] = s->layers[i].name;
    if (s->n_layers == 0)
        lr_err_set(e, LR_EINVAL, "no layer %s: the network has no convolution", word);
    else if (is_number(text, n))
        lr_err_set(e, LR_EINVAL, "no layer %s: the layers are 1..%d", word, s->n_layers);
    else if ((near = lr_text_nearest(word, names, (size_t)s->n_layers)) != NULL)
        lr_err_set(e, LR_EINVAL, "no layer %s: did you mean %s?", word, near);
    else
        lr_err_set(e, LR_EINVAL, "no layer %s: the layers are 1..%d, %s to %s", word,
                   s->n_layers, names[0], names[s->n_layers - 1]);
    lr_free(names);
    lr_free(word);
    return LR_EINVAL;
}

static const char *find_range(const char *text, size_t n)
{
    for (size_t i = 1; i + 2 < n; i++)
        if (text[i] == '.' && text[i + 1] == '.')
            return text + i;
    return NULL;
}

static bool is_word(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(text, word, n) == 0;
}

static bool is_in_state(const struct lr_session *s, int i, bool stale)
{
    enum lr_state state = lr_session_state(s, i);

    return stale ? state == LR_STATE_CHOSEN || state == LR_STATE_STALE
                 : state == LR_STATE_SOLVED;
}

/* Every ".." of a range is tried, since names may hold dots. */
static bool mark_range(bool *mark, const struct lr_session *s, const char *text, size_t n)
{
    const char *at = text, *end = text + n;

    while ((at = find_range(at, (size_t)(end - at))) != NULL) {
        int a = find_one(s, text, (size_t)(at - text));
        int b = find_one(s, at + 2, (size_t)(end - at) - 2);
        if (a >= 0 && b >= 0) {
            for (int i = a < b ? a : b; i <= (a < b ? b : a); i++)
                mark[i] = true;
            return true;
        }
    }
    return false;
}

static enum lr_status mark_item(bool *mark, const struct lr_session *s, const char *text,
                                size_t n, struct lr_err *e)
{
    int one = find_one(s, text, n);
    bool is_found = false;

    if (one >= 0) {
        mark[one] = true;
        return LR_OK;
    }
    if (is_word(text, n, "all")) {
        memset(mark, true, (size_t)s->n_layers * sizeof(*mark));
        return LR_OK;
    }
    if (is_word(text, n, "@stale") || is_word(text, n, "@solved")) {
        for (int i = 0; i < s->n_layers; i++)
            mark[i] = mark[i] || is_in_state(s, i, is_word(text, n, "@stale"));
        return LR_OK;
    }
    if (n > 0 && text[0] == '@')
        return lr_err_set(e, LR_EINVAL, "no layer set %.*s: @stale or @solved", (int)n,
                          text);
    if (mark_range(mark, s, text, n))
        return LR_OK;
    if (memchr(text, '*', n) || memchr(text, '?', n))
        for (int i = 0; i < s->n_layers; i++)
            if (glob_match(text, n, s->layers[i].name))
                mark[i] = is_found = true;
    if (is_found)
        return LR_OK;
    const char *range = find_range(text, n);
    if (!range)
        return not_found(s, text, n, e);
    size_t n_first = (size_t)(range - text);
    if (find_one(s, text, n_first) < 0)
        return not_found(s, text, n_first, e);
    return not_found(s, range + 2, n - n_first - 2, e);
}

enum lr_status lr_session_layer_set(int **out, int *n, const struct lr_session *s,
                                    const char *text, struct lr_err *e)
{
    bool *mark = NULL;
    int *list = NULL;
    enum lr_status rc = session_need_network(s, e);

    *out = NULL;
    *n = 0;
    if (rc != LR_OK)
        return rc;
    mark = lr_calloc((size_t)s->n_layers + 1, sizeof(*mark));
    list = lr_calloc((size_t)s->n_layers + 1, sizeof(*list));
    if (!mark || !list) {
        rc = lr_enomem(e, (size_t)s->n_layers * sizeof(*list), "a layer set");
        goto out;
    }
    int whole = find_name(s, text, strlen(text)); /* a name may hold a comma */
    if (whole >= 0)
        mark[whole] = true;
    for (const char *p = text; whole < 0;) {
        const char *comma = strchr(p, ',');
        size_t len = comma ? (size_t)(comma - p) : strlen(p);
        if (len == 0) {
            rc = lr_err_set(e, LR_EINVAL, "an empty name in the layer set '%s'", text);
            goto out;
        }
        if ((rc = mark_item(mark, s, p, len, e)) != LR_OK)
            goto out;
        if (!comma)
            break;
        p = comma + 1;
    }
    for (int i = 0; i < s->n_layers; i++)
        if (mark[i])
            list[(*n)++] = i;
    *out = list;
    list = NULL;
out:
    lr_free(mark);
    lr_free(list);
    return rc;
}
