/* assert OBJECT.KEY OPERATOR VALUE: cells are taken from the same tables that layers and
 * eval print, so whatever a table shows can be asserted. */
#include "cmd/context.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/text.h"

/* A value of an expression. */
struct datum {
    enum { NUMBER, WORD, UNKNOWN } kind;
    double r;
    char text[256];
};

static void set_word(struct datum *d, const char *s)
{
    d->kind = s ? WORD : UNKNOWN;
    snprintf(d->text, sizeof(d->text), "%s", s ? s : "");
}

static void set_number(struct datum *d, double r)
{
    d->kind = isnan(r) ? UNKNOWN : NUMBER;
    d->r = r;
}

static void set_cell(struct datum *d, const struct out_column *col,
                     const struct out_cell *cell)
{
    if (cell->is_null)
        d->kind = UNKNOWN;
    else if (col->type == OUT_TEXT)
        set_word(d, cell->text);
    else if (col->type == OUT_REAL)
        set_number(d, cell->r);
    else
        set_number(d, (double)cell->i);
}

/* Column key of row r of t; LR_EINVAL with the keys when there is none. */
static enum lr_status take_cell(struct datum *d, const struct out_table *t, size_t row,
                                const char *key, struct cmd_error *e)
{
    const char *keys[64];

    for (size_t i = 0; i < t->n_columns; i++) {
        if (strcmp(t->columns[i].key, key) == 0) {
            set_cell(d, &t->columns[i], &t->cells[row * t->n_columns + i]);
            return LR_OK;
        }
        if (i < 64)
            keys[i] = t->columns[i].key;
    }
    const char *near = lr_text_nearest(key, keys, t->n_columns < 64 ? t->n_columns : 64);
    if (near)
        cmd_hint(e, "did you mean %s?", near);
    else
        cmd_hint(e, "help expressions says what can be compared");
    return lr_err_set(&e->err, LR_EINVAL, "unknown key %s", key);
}

static enum lr_status take_eval(struct datum *d, struct cmd_ctx *c, const char *key,
                                struct cmd_error *e)
{
    struct out_table t;
    enum lr_status st;

    if (!c->session->has_eval)
        return lr_err_set(&e->err, LR_EINVAL,
                          "this plan has not been evaluated yet; eval does");
    cmd_eval_table(&t, &c->session->last_eval);
    st = t.is_failed ? lr_enomem(&e->err, 1, "a table") : take_cell(d, &t, 0, key, e);
    out_table_free(&t);
    return st;
}

static enum lr_status take_model(struct datum *d, struct cmd_ctx *c, const char *key,
                                 struct cmd_error *e)
{
    const struct lr_session *s = c->session;
    int n = 0;

    for (int i = 0; i < s->n_layers; i++)
        n += s->layers[i].is_approximable;
    if (strcmp(key, "layers") == 0)
        set_number(d, s->n_layers);
    else if (strcmp(key, "approximable") == 0)
        set_number(d, n);
    else if (strcmp(key, "name") == 0)
        set_word(d, s->model_name);
    else if (strcmp(key, "sha256") == 0)
        set_word(d, s->model_sha256);
    else
        return lr_err_set(&e->err, LR_EINVAL,
                          "unknown key %s; model has layers, approximable, name, sha256",
                          key);
    return LR_OK;
}

static enum lr_status take_data(struct datum *d, struct cmd_ctx *c, const char *key,
                                struct cmd_error *e)
{
    const struct lr_dataset *data;

    if (strcmp(key, "calib") == 0)
        data = c->session->calib;
    else if (strcmp(key, "eval") == 0)
        data = c->session->eval;
    else
        return lr_err_set(&e->err, LR_EINVAL, "unknown key %s; data has calib and eval",
                          key);
    set_number(d, data ? (double)lr_dataset_count(data) : 0);
    return LR_OK;
}

/* OBJECT.KEY, split at the last dot: names of layers may hold dots themselves. */
static enum lr_status take_reference(struct datum *d, struct cmd_ctx *c, const char *text,
                                     struct cmd_error *e)
{
    const char *dot = strrchr(text, '.');
    struct out_table t;
    int *layers = NULL, n = 0;
    enum lr_status st;

    if (!dot || dot == text || dot[1] == '\0')
        return lr_err_set(&e->err, LR_EINVAL, "%s is not of the form OBJECT.KEY", text);
    char *object = lr_strndup(text, (size_t)(dot - text));
    if (!object)
        return lr_enomem(&e->err, 1, "a word");
    if (strcmp(object, "data") == 0) {
        st = take_data(d, c, dot + 1, e);
        goto out;
    }
    if (!c->session->graph) {
        st = lr_err_set(&e->err, LR_EINVAL, "no network is open");
        goto out;
    }
    if (strcmp(object, "eval") == 0) {
        st = take_eval(d, c, dot + 1, e);
        goto out;
    }
    if (strcmp(object, "model") == 0) {
        st = take_model(d, c, dot + 1, e);
        goto out;
    }
    size_t row = 0;
    if (strcmp(object, "network") == 0) {
        row = 1;
    } else if (strcmp(object, "total") != 0) {
        st = lr_session_layer_set(&layers, &n, c->session, object, &e->err);
        if (!st && n != 1)
            st = lr_err_set(&e->err, LR_EINVAL, "%s are %d layers; name one", object, n);
        if (st)
            goto out;
    }
    st = cmd_layer_table(&t, c, layers, n, CMD_VIEW_LAYERS, e);
    if (!st) {
        st = take_cell(d, &t, row, dot + 1, e);
        out_table_free(&t);
    }
out:
    lr_free(object);
    lr_free(layers);
    return st;
}

/* A number (50% is 0.5), null, a reference when it resolves, else a word. */
static void take_value(struct datum *d, struct cmd_ctx *c, const char *text)
{
    struct cmd_error ignored = {0};
    size_t n = strlen(text);
    double r;

    if (strcmp(text, "null") == 0) {
        d->kind = UNKNOWN;
        return;
    }
    if (cmd_parse_real(&r, text)) {
        set_number(d, r);
        return;
    }
    if (n > 1 && n < 64 && text[n - 1] == '%') {
        char part[64];
        memcpy(part, text, n - 1);
        part[n - 1] = '\0';
        if (cmd_parse_real(&r, part)) {
            set_number(d, r / 100);
            return;
        }
    }
    if (strchr(text, '.') && take_reference(d, c, text, &ignored) == LR_OK)
        return;
    set_word(d, text);
}

static void show(char *buf, size_t size, const struct datum *d)
{
    if (d->kind == NUMBER)
        snprintf(buf, size, "%.10g", d->r);
    else
        snprintf(buf, size, "%s", d->kind == WORD ? d->text : "null");
}

/* Equality of numbers to 9 digits: what a table prints can be typed back. */
static bool nearly_equal(double a, double b)
{
    return a == b || fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static bool compare(bool *result, const struct datum *a, const char *op,
                    const struct datum *b)
{
    bool is_equality = strcmp(op, "==") == 0 || strcmp(op, "!=") == 0;

    if (is_equality) {
        bool is_equal = a->kind == b->kind;
        if (is_equal && a->kind == NUMBER)
            is_equal = nearly_equal(a->r, b->r);
        else if (is_equal && a->kind == WORD)
            is_equal = strcmp(a->text, b->text) == 0;
        *result = is_equal == (op[0] == '=');
        return a->kind == b->kind || a->kind == UNKNOWN || b->kind == UNKNOWN;
    }
    if (a->kind != NUMBER || b->kind != NUMBER)
        return false;
    bool is_equal = nearly_equal(a->r, b->r), has_equal = op[1] == '=';
    *result = (op[0] == '<' ? a->r < b->r : a->r > b->r) ? has_equal || !is_equal
                                                         : has_equal && is_equal;
    return true;
}

enum lr_status cmd_assert(struct cmd_ctx *c, const struct cmd_call *call,
                          struct cmd_error *e)
{
    const struct cmd_token *t = call->tokens.t + call->rest;
    size_t n = call->tokens.n - call->rest;
    struct datum a = {0}, b = {0};
    char shown[300];
    bool is_true = false;

    if (n != 3 || t[0].kind != CMD_WORD || t[1].kind != CMD_OP || t[2].kind != CMD_WORD) {
        size_t place = n > 3 ? t[3].begin : t[0].begin;
        cmd_hint(e, "such as assert total.speedup >= 3.95; see help expressions");
        return cmd_fail_at(e, place, LR_EPARSE, "expected OBJECT.KEY OPERATOR VALUE");
    }
    enum lr_status st = take_reference(&a, c, t[0].text, e);
    if (st) {
        e->has_place = true;
        e->place = t[0].begin;
        return st;
    }
    take_value(&b, c, t[2].text);
    show(shown, sizeof(shown), &a);
    if (!compare(&is_true, &a, t[1].text, &b)) {
        if (a.kind == UNKNOWN)
            return cmd_fail_at(e, t[0].begin, LR_EINVAL, "%s is not known yet",
                               t[0].text);
        char other[300];
        show(other, sizeof(other), &b);
        return cmd_fail_at(e, t[1].begin, LR_EINVAL,
                           "%s is %s, which %s cannot compare "
                           "with %s",
                           t[0].text, shown, t[1].text, other);
    }
    if (is_true)
        return LR_OK;
    char other[300];
    show(other, sizeof(other), &b);
    return cmd_fail_at(e, t[0].begin, LR_EINVAL, "%s is %s, not %s %s", t[0].text, shown,
                       t[1].text, other);
}
