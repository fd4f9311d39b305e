/* Points, ranges and names of a plot. Thinning groups neighbouring points that fall into
 * the same column of pixels (or, where x does not grow, equal shares of the points) and
 * keeps the extremes, so that the picture stays the same; some of gnuplot's terminals
 * need minutes for long noisy curves otherwise. */
#include "plot_data.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ranklab/text.h"

double plot_x(const struct out_series *s, size_t i)
{
    return s->x ? s->x[i] : (double)i;
}

/* Values beyond this cannot be told apart from an error, and differences of two of them
 * must not overflow. */
static const double LARGEST = 1e300;

static bool is_usable(double v)
{
    return isfinite(v) && fabs(v) <= LARGEST;
}

bool plot_is_visible(const struct out_plot *p, const struct out_series *s, size_t i)
{
    return is_usable(plot_x(s, i)) && is_usable(s->y[i]) && (!p->is_log_y || s->y[i] > 0);
}

bool plot_has_visible(const struct out_plot *p, const struct out_series *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (plot_is_visible(p, s, i))
            return true;
    return false;
}

static void extend(double *min, double *max, double v)
{
    if (v < *min)
        *min = v;
    if (v > *max)
        *max = v;
}

static void measure_series(struct plot_extent *x, const struct out_plot *p,
                           const struct out_series *s)
{
    x->has_bars |= s->style == OUT_BARS;
    for (size_t i = 0; i < s->n; i++) {
        if (!plot_is_visible(p, s, i))
            continue;
        double around[3] = {s->y[i], s->low ? s->low[i] : NAN,
                            s->high ? s->high[i] : NAN};
        extend(&x->x_min, &x->x_max, plot_x(s, i));
        for (int k = 0; k < 3; k++) {
            if (!is_usable(around[k]) || (p->is_log_y && around[k] <= 0))
                continue;
            extend(&x->y_min, &x->y_max, around[k]);
            if (around[k] > 0 && around[k] < x->y_smallest)
                x->y_smallest = around[k];
        }
    }
}

/* A range of one value is widened, so that dividing by its length is safe. */
static void widen(double *min, double *max)
{
    double pad = fabs(*min) > 1 ? fabs(*min) * 0.05 : 0.5;

    if (*max - *min > fabs(*max) * 1e-12 && *max > *min)
        return;
    *min -= pad;
    *max += pad;
}

enum lr_status plot_measure(struct plot_extent *x, const struct out_plot *p,
                            struct lr_err *e)
{
    *x = (struct plot_extent){.x_min = HUGE_VAL,
                              .x_max = -HUGE_VAL,
                              .y_min = HUGE_VAL,
                              .y_max = -HUGE_VAL,
                              .y_smallest = HUGE_VAL};
    for (size_t k = 0; k < p->n_series; k++)
        measure_series(x, p, &p->series[k]);
    if (x->y_min > x->y_max)
        return lr_err_set(e, LR_EINVAL, "nothing to plot: no value is known%s",
                          p->is_log_y ? " and positive" : "");
    for (size_t k = 0; k < p->n_marks; k++) {
        const struct out_mark *m = &p->marks[k];
        if (is_usable(m->x))
            extend(&x->x_min, &x->x_max, m->x);
        if (m->kind == OUT_MARK_CROSS && is_usable(m->y) && (!p->is_log_y || m->y > 0))
            extend(&x->y_min, &x->y_max, m->y);
    }
    if (x->has_bars && !p->is_log_y)
        extend(&x->y_min, &x->y_max, 0);
    if (p->has_y_range) {
        if (!is_usable(p->y_min) || !is_usable(p->y_max) || p->y_min >= p->y_max ||
            (p->is_log_y && p->y_min <= 0))
            return lr_err_set(e, LR_EINVAL, "y range %g to %g is empty or not allowed",
                              p->y_min, p->y_max);
        x->y_min = p->y_min;
        x->y_max = p->y_max;
    }
    if (p->has_y_floor && is_usable(p->y_min) && p->y_min < x->y_max && !p->is_log_y)
        x->y_min = fmax(x->y_min, p->y_min);
    widen(&x->x_min, &x->x_max);
    if (p->is_log_y && x->y_max <= x->y_min * 1.000001) {
        x->y_min /= 2;
        x->y_max *= 2;
    } else if (!p->is_log_y) {
        widen(&x->y_min, &x->y_max);
    }
    return LR_OK;
}

double plot_y_at(const struct out_plot *p, const struct out_series *s, double x)
{
    for (size_t i = 0; i < s->n; i++) {
        if (!plot_is_visible(p, s, i))
            continue;
        double x1 = plot_x(s, i);
        if (x1 == x)
            return s->y[i];
        if (s->style == OUT_POINTS || s->style == OUT_BARS || i + 1 == s->n ||
            !plot_is_visible(p, s, i + 1))
            continue;
        double x2 = plot_x(s, i + 1), t = (x - x1) / (x2 - x1);
        if (!(t > 0 && t < 1))
            continue;
        if (p->is_log_y)
            return s->y[i] * pow(s->y[i + 1] / s->y[i], t);
        return s->y[i] + t * (s->y[i + 1] - s->y[i]);
    }
    return NAN;
}

/* ---- thinning ---- */

struct thinner {
    plot_emit_fn *emit;
    void *ctx;
    bool is_gap;
    bool has_run;
    size_t first, last, lowest, highest; /* of the run being collected */
    double column;
};

static void hand_on(struct thinner *t, size_t i)
{
    t->emit(t->ctx, i, t->is_gap);
    t->is_gap = false;
}

/* The run's first, extreme and last points in their order, each once. */
static void flush(struct thinner *t)
{
    size_t order[4] = {t->first, t->lowest, t->highest, t->last};

    if (!t->has_run)
        return;
    if (order[1] > order[2]) {
        size_t swap = order[1];
        order[1] = order[2];
        order[2] = swap;
    }
    for (int k = 0; k < 4; k++)
        if (k == 0 || order[k] != order[k - 1])
            hand_on(t, order[k]);
    t->has_run = false;
}

static void collect(struct thinner *t, const struct out_series *s, size_t i,
                    double column)
{
    if (t->has_run && column != t->column)
        flush(t);
    if (!t->has_run) {
        t->has_run = true;
        t->column = column;
        t->first = t->lowest = t->highest = i;
    }
    t->last = i;
    if (s->y[i] < s->y[t->lowest])
        t->lowest = i;
    if (s->y[i] > s->y[t->highest])
        t->highest = i;
}

static bool grows(const struct out_plot *p, const struct out_series *s, double *min,
                  double *max)
{
    bool is_first = true;

    for (size_t i = 0; i < s->n; i++) {
        if (!plot_is_visible(p, s, i))
            continue;
        double x = plot_x(s, i);
        if (is_first)
            *min = *max = x;
        if (x < *max)
            return false;
        *max = x;
        is_first = false;
    }
    return !is_first && *max > *min;
}

void plot_thin(const struct out_plot *p, const struct out_series *s, int n_columns,
               plot_emit_fn *emit, void *ctx)
{
    struct thinner t = {.emit = emit, .ctx = ctx};
    double min = 0, max = 0;
    bool is_few = s->n <= 4 * (size_t)n_columns, is_growing = grows(p, s, &min, &max);

    for (size_t i = 0; i < s->n; i++) {
        if (!plot_is_visible(p, s, i)) {
            flush(&t);
            t.is_gap = true;
        } else if (is_few) {
            hand_on(&t, i);
        } else {
            double share = is_growing ? (plot_x(s, i) - min) / (max - min)
                                      : (double)i / (double)s->n;
            collect(&t, s, i, floor(share * n_columns));
        }
    }
    flush(&t);
}

/* ---- text ---- */

/* Nothing a terminal or an XML reader would stumble over. */
static bool is_shown(unsigned cp, const char *s, int len)
{
    struct lr_strbuf safe = {0};
    char one[5] = "";

    if ((cp & 0xFFFE) == 0xFFFE || (cp >= 0xFDD0 && cp <= 0xFDEF))
        return false;
    memcpy(one, s, (size_t)len);
    lr_text_escape(&safe, one);
    bool is_same = !safe.is_failed && strcmp(safe.s, one) == 0;
    lr_strbuf_free(&safe);
    return is_same;
}

/* One character at *s into one (at least 5 bytes), *s moved on; false when it is dropped.
 */
static bool next_clean(char *one, const char **s, size_t *n)
{
    unsigned cp = 0;
    int len = lr_utf8_decode(*s, *n, &cp);
    const char *from = *s;

    *s += len ? len : 1;
    *n -= len ? (size_t)len : 1;
    if (len == 0) {
        memcpy(one, "\xEF\xBF\xBD", 4);
        return true;
    }
    memcpy(one, from, (size_t)len);
    one[len] = '\0';
    return is_shown(cp, from, len);
}

void plot_clean(struct lr_strbuf *b, const char *s, size_t max)
{
    char one[5];
    size_t n = s ? strlen(s) : 0, used = 0;

    lr_strbuf_add(b, "", 0);
    while (n > 0) {
        if (!next_clean(one, &s, &n))
            continue;
        if (used++ == max) {
            lr_strbuf_puts(b, "...");
            break;
        }
        lr_strbuf_puts(b, one);
    }
}

/* Whether gnuplot reads a doubled apostrophe here: the scanner of 5.4 stumbles over two
 * at the beginning and over more than two in a row. */
static bool can_double(const char *start, const char *c)
{
    return c > start && c[-1] != '\'' && c[1] != '\'';
}

void plot_quote(struct lr_strbuf *b, enum plot_quoting q, const char *s, size_t max)
{
    char quote = q == PLOT_IN_COMMAND ? '\'' : '"';
    struct lr_strbuf clean = {0};

    plot_clean(&clean, s, max);
    const char *start = clean.s ? clean.s : "";
    lr_strbuf_putc(b, quote);
    for (const char *c = start; *c; c++) {
        if (q == PLOT_IN_DATA && *c == '"')
            lr_strbuf_putc(b, '\'');
        else if (q == PLOT_IN_DATA && *c == '\\')
            lr_strbuf_puts(b, "\\\\");
        else if (*c == '>' && c - start >= 2 && c[-1] == ']' && c[-2] == ']')
            lr_strbuf_puts(b,
                           " >"); /* gnuplot leaves it as it is in SVG, XML has it not */
        else if (q == PLOT_IN_COMMAND && *c == '\'')
            lr_strbuf_puts(b, can_double(start, c) ? "''" : "\xE2\x80\x99");
        else
            lr_strbuf_putc(b, *c);
    }
    lr_strbuf_putc(b, quote);
    b->is_failed |= clean.is_failed;
    lr_strbuf_free(&clean);
}

/* ---- names of places ---- */

/* Lengths of the shared beginning and end of a and b, at most before and after. */
static void share(const char *a, const char *b, size_t *before, size_t *after)
{
    size_t n = strlen(a), m = strlen(b), k = 0;

    while (k < *before && k < n && k < m && a[k] == b[k])
        k++;
    *before = k;
    for (k = 0; k < *after && k < n && k < m && a[n - 1 - k] == b[m - 1 - k];)
        k++;
    *after = k;
}

/* Names in network files are often paths ("/layer1/layer1.0/conv1/Conv"); what all of
 * them share says nothing in a plot and is left out, and where a name is still too long,
 * its end tells more than its beginning. */
struct plot_names plot_shared_names(const struct out_plot *p)
{
    struct plot_names shared = {0, 0};
    size_t n = p->x_names && p->n_series ? p->series[0].n : 0, shortest = SIZE_MAX;

    for (size_t i = 0; i < n; i++)
        if (!p->x_names[i])
            return shared;
    if (n < 2)
        return shared;
    const char *first = p->x_names[0];
    size_t before = strlen(first), after = before;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(p->x_names[i]);
        shortest = len < shortest ? len : shortest;
        share(first, p->x_names[i], &before, &after);
    }
    /* Whole parts of a path only, and something must be left of every name. */
    while (before > 0 && first[before - 1] != '/')
        before--;
    const char *end = first + strlen(first);
    while (after > 0 && end[-(ptrdiff_t)after] != '/')
        after--;
    shared.before = before < shortest ? before : 0;
    shared.after = shared.before + after < shortest ? after : 0;
    return shared;
}

/* In place. Exporters repeat the name of a list in front of its members
 * ("features/features.3/squeeze"): the shorter one says nothing. */
static void drop_repeated(char *path)
{
    char *to = path;

    for (const char *part = path; *part;) {
        size_t n = strcspn(part, "/");
        const char *next = part[n] ? part + n + 1 : "";
        bool is_repeated = n > 0 && strncmp(next, part, n) == 0 && next[n] == '.';
        if (!is_repeated) {
            memmove(to, part, n);
            to += n;
            if (part[n])
                *to++ = '/';
        }
        part = part[n] ? next : part + n;
    }
    *to = '\0';
}

void plot_name(struct lr_strbuf *b, const struct out_plot *p, struct plot_names shared,
               size_t i, size_t max)
{
    struct lr_strbuf clean = {0};
    const char *name = p->x_names[i] ? p->x_names[i] : "";
    size_t len = strlen(name);

    lr_strbuf_add(b, "", 0);
    char *part = lr_strndup(name + shared.before, len - shared.before - shared.after);
    if (part) {
        drop_repeated(part);
        plot_clean(&clean, part, len);
    }
    if (!part || clean.is_failed) {
        b->is_failed = true;
    } else {
        size_t n = 0, at = 0, skip;
        for (size_t k = 0; k < clean.len; k++)
            n += ((unsigned char)clean.s[k] & 0xC0) != 0x80;
        skip = n > max ? n - (max > 3 ? max - 3 : max) : 0;
        if (skip && max > 3)
            lr_strbuf_puts(b, "...");
        for (; skip > 0; skip--)
            for (at++; ((unsigned char)clean.s[at] & 0xC0) == 0x80;)
                at++;
        lr_strbuf_puts(b, clean.s + at);
    }
    lr_free(part);
    lr_strbuf_free(&clean);
}

void out_plot_short_name(struct lr_strbuf *b, const char *const *names, size_t n,
                         size_t i, size_t max)
{
    const struct out_series places = {.n = n};
    const struct out_plot p = {.series = &places, .n_series = 1, .x_names = names};

    plot_name(b, &p, plot_shared_names(&p), i, max);
}

int plot_longest_name(const struct out_plot *p, size_t max)
{
    size_t n = p->x_names && p->n_series ? p->series[0].n : 0;
    struct plot_names shared = plot_shared_names(p);
    struct lr_strbuf name = {0};
    int longest = 0;

    for (size_t i = 0; i < n; i++) {
        lr_strbuf_reset(&name);
        plot_name(&name, p, shared, i, max);
        int columns = name.s ? lr_text_columns(name.s) : 0;
        longest = columns > longest ? columns : longest;
    }
    lr_strbuf_free(&name);
    return longest;
}
