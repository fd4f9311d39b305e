/* What reductions and Einstein sums run over. */
#include <string.h>

#include "model.h"
#include "model/space.h"

enum lr_status lr_node_reduce_axes(unsigned *axes, const struct lr_graph *g,
                                   const struct lr_node *n, int n_dims, struct lr_err *e)
{
    int64_t list[LR_MAX_DIMS];
    int count;

    *axes = 0;
    if (n->op == LR_OP_ARG_MAX || n->op == LR_OP_ARG_MIN) {
        list[0] = lr_node_int(n, "axis", 0);
        count = 1;
    } else if (!lr_node_list(list, LR_MAX_DIMS, &count, g, n, 1, "axes")) {
        return lr_err_set(e, LR_EUNSUP, "%.100s: its axes are not constant", n->name);
    }
    if (count <= 0) {
        /* over no axis every number is reduced by itself: to its square, its logarithm */
        if (lr_node_int(n, "noop_with_empty_axes", 0) == 0)
            *axes = (1U << n_dims) - 1;
        return LR_OK;
    }
    for (int i = 0; i < count; i++) {
        if (list[i] < -n_dims || list[i] >= n_dims)
            return lr_err_set(e, LR_ESHAPE,
                              "%.100s: axis %lld is outside the %d dimensions", n->name,
                              (long long)list[i], n_dims);
        *axes |= 1U << (list[i] < 0 ? list[i] + n_dims : list[i]);
    }
    return LR_OK;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One operand's labels, up to a comma, an arrow or the end; n_dots: how many dimensions
 * its dots stand for, aligned at the end of the most any operand has. */
static const char *term(char *out, size_t max, const char *s, int n_dots, bool *is_ok)
{
    size_t n = 0;

    *is_ok = true;
    for (; *s && *s != ',' && *s != '-'; s++) {
        if (*s == ' ')
            continue;
        if (strncmp(s, "...", 3) == 0) {
            /* digits cannot be labels of the file's own */
            for (int i = 0; i < n_dots && n < max; i++)
                out[n++] = (char)('0' + 9 - n_dots + i);
            s += 2;
        } else if (is_letter(*s) && n < max) {
            out[n++] = *s;
        } else {
            *is_ok = false;
            break;
        }
    }
    out[n] = '\0';
    return s;
}

static int letters_in(const char *s)
{
    int n = 0;

    for (; *s && *s != ',' && *s != '-'; s++)
        n += is_letter(*s);
    return n;
}

enum lr_status lr_node_equation(struct lr_equation *q, const struct lr_node *n,
                                const struct lr_shape *const *in, struct lr_err *e)
{
    const char *s = lr_node_string(n, "equation", "");
    int most_dots = 0;
    bool is_ok = n->n_in >= 1 && n->n_in <= LR_EINSUM_MAX;

    memset(q, 0, sizeof(*q));
    for (int i = 0; i < n->n_in && is_ok; i++) {
        int dots = in[i]->n_dims - letters_in(s);
        most_dots = dots > most_dots ? dots : most_dots;
        is_ok = dots >= 0 && dots <= 8;
        if (is_ok)
            s = term(q->in[i], LR_MAX_DIMS, s, dots, &is_ok);
        is_ok = is_ok && strlen(q->in[i]) == (size_t)in[i]->n_dims;
        if (is_ok && i + 1 < n->n_in)
            is_ok = *s++ == ',';
    }
    if (is_ok && strncmp(s, "->", 2) == 0) {
        s = term(q->out, LR_EINSUM_LABELS, s + 2, most_dots, &is_ok);
        is_ok = is_ok && !*s;
    } else if (is_ok) {
        size_t k = 0;
        is_ok = !*s;
        for (int i = 0; i < most_dots; i++)
            q->out[k++] = (char)('0' + 9 - most_dots + i);
        for (char c = 'A'; c <= 'z'; c++) {
            int seen = 0;
            for (int i = 0; i < n->n_in; i++)
                for (const char *p = q->in[i]; *p; p++)
                    seen += *p == c;
            if (seen == 1)
                q->out[k++] = c;
        }
    }
    if (!is_ok || strlen(q->out) > LR_MAX_DIMS)
        return lr_err_set(e, LR_EUNSUP, "%.100s: equation %.60s is not understood",
                          n->name, lr_node_string(n, "equation", ""));
    return LR_OK;
}
