/* Arguments that are numbers: whole, real, with units, ranks and shapes. */
#include "cmd/types.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool cmd_parse_real(double *r, const char *text)
{
    char *end;

    /* strtod also takes hexadecimal, "inf" and "nan", which no user means here. */
    if (text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    *r = strtod(text, &end);
    return *end == '\0' && isfinite(*r);
}

bool cmd_parse_int(int64_t *i, const char *text)
{
    char *end;

    if (text[0] == '\0' || strspn(text, "0123456789+-") != strlen(text))
        return false;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (*end != '\0' || errno)
        return false;
    *i = v;
    return true;
}

static enum lr_status bad(struct cmd_error *e, const struct cmd_value *v,
                          const char *what)
{
    return cmd_fail_at(e, v->begin, LR_EINVAL, "%s is not %s",
                       v->text[0] ? v->text : "an empty word", what);
}

static enum lr_status check_limits(struct cmd_error *e, const struct cmd_value *v,
                                   const struct cmd_param *p, double x)
{
    if (p->min >= p->max || (x >= p->min && x <= p->max))
        return LR_OK;
    if (p->max >= 1e9 && x < p->min)
        return cmd_fail_at(e, v->begin, LR_EINVAL, "%s %s is below %.15g", p->name,
                           v->text, p->min);
    return cmd_fail_at(e, v->begin, LR_EINVAL, "%s %s is not in %.15g..%.15g", p->name,
                       v->text, p->min, p->max);
}

enum lr_status cmd_type_int(struct cmd_value *v, const struct cmd_param *p,
                            struct cmd_error *e)
{
    if (!cmd_parse_int(&v->i, v->text))
        return bad(e, v, "a whole number");
    v->r = (double)v->i;
    return check_limits(e, v, p, v->r);
}

enum lr_status cmd_type_real(struct cmd_value *v, const struct cmd_param *p,
                             struct cmd_error *e)
{
    if (!cmd_parse_real(&v->r, v->text))
        return bad(e, v, "a number");
    return check_limits(e, v, p, v->r);
}

enum lr_status cmd_type_reals(struct cmd_value *v, const struct cmd_param *p,
                              struct cmd_error *e)
{
    const char *s = v->text;
    char part[64];

    for (v->n_reals = 0;; v->n_reals++) {
        size_t n = strcspn(s, ",");
        if (v->n_reals == CMD_MAX_REALS)
            return cmd_fail_at(e, v->begin, LR_EINVAL, "%s has more than %d numbers",
                               v->text, CMD_MAX_REALS);
        if (n >= sizeof(part))
            return bad(e, v, "a list of numbers");
        memcpy(part, s, n);
        part[n] = '\0';
        if (!cmd_parse_real(&v->reals[v->n_reals], part))
            return bad(e, v, "a list of numbers such as 0.485,0.456,0.406");
        enum lr_status st = check_limits(e, v, p, v->reals[v->n_reals]);
        if (st)
            return st;
        if (s[n] == '\0') {
            v->n_reals++;
            return LR_OK;
        }
        s += n + 1;
    }
}

/* A number with a suffix taken off, into r; false when the rest is no number. */
static bool real_before(double *r, const char *text, size_t n_suffix)
{
    char part[64];
    size_t n = strlen(text) - n_suffix;

    if (n >= sizeof(part))
        return false;
    memcpy(part, text, n);
    part[n] = '\0';
    return cmd_parse_real(r, part);
}

static char last_char(const char *s)
{
    size_t n = strlen(s);

    return n ? s[n - 1] : '\0';
}

/* 50% or 0.5 as a fraction. */
static bool share_of(double *r, const char *text)
{
    if (last_char(text) != '%')
        return cmd_parse_real(r, text);
    if (!real_before(r, text, 1))
        return false;
    *r /= 100;
    return true;
}

enum lr_status cmd_type_range(struct cmd_value *v, const struct cmd_param *p,
                              struct cmd_error *e)
{
    const char *s = v->text;
    char part[64];

    (void)p;
    for (v->n_reals = 0; v->n_reals < 3; v->n_reals++) {
        size_t n = strcspn(s, ":");
        if (n >= sizeof(part))
            return bad(e, v, "A:B:STEP");
        memcpy(part, s, n);
        part[n] = '\0';
        if (!cmd_parse_real(&v->reals[v->n_reals], part))
            return bad(e, v, "A:B:STEP");
        s += n;
        if (*s == '\0')
            break;
        s++;
    }
    if (v->n_reals == 3)
        return bad(e, v, "A:B:STEP");
    if (v->n_reals < 1)
        v->reals[1] = v->reals[0];
    if (v->n_reals < 2)
        v->reals[2] = 1;
    v->n_reals = 3;
    if (v->reals[1] < v->reals[0])
        return cmd_fail_at(e, v->begin, LR_EINVAL, "%s ends before it begins", v->text);
    if (!(v->reals[2] > 0))
        return cmd_fail_at(e, v->begin, LR_EINVAL, "%s: the step must be above 0",
                           v->text);
    return LR_OK;
}

enum lr_status cmd_type_share(struct cmd_value *v, const struct cmd_param *p,
                              struct cmd_error *e)
{
    (void)p;
    if (!share_of(&v->r, v->text))
        return bad(e, v, "a share such as 99% or 0.99");
    if (!(v->r > 0 && v->r <= 1))
        return cmd_fail_at(e, v->begin, LR_EINVAL,
                           "%s %s is not above 0 and at most 100%%", p->name, v->text);
    return LR_OK;
}

enum lr_status cmd_type_factor(struct cmd_value *v, const struct cmd_param *p,
                               struct cmd_error *e)
{
    bool has_x = last_char(v->text) == 'x';

    if (!(has_x ? real_before(&v->r, v->text, 1) : cmd_parse_real(&v->r, v->text)))
        return bad(e, v, "a factor such as 4 or 2.5x");
    return check_limits(e, v, p, v->r);
}

enum lr_status cmd_type_amount(struct cmd_value *v, const struct cmd_param *p,
                               struct cmd_error *e)
{
    static const struct {
        char suffix;
        double unit;
    } units[] = {{'k', 1e3}, {'M', 1e6}, {'G', 1e9}};
    double unit = 1;

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (last_char(v->text) == units[i].suffix)
            unit = units[i].unit;
    if (!real_before(&v->r, v->text, unit > 1))
        return bad(e, v, "an amount such as 3500, 250k, 12M or 1.5G");
    v->r *= unit;
    if (v->r > 9e18)
        return bad(e, v, "an amount below 9e18");
    v->i = (int64_t)llround(v->r);
    return check_limits(e, v, p, v->r);
}

enum lr_status cmd_type_rank(struct cmd_value *v, const struct cmd_param *p,
                             struct cmd_error *e)
{
    const char *s = v->text, *comma = strchr(s, ',');
    static const char forms[] = "give a number, 50%, e=99%, x=2 or full";

    (void)p;
    if (strcmp(s, "full") == 0) {
        v->rank_kind = CMD_RANK_FULL;
        return LR_OK;
    }
    if (strncmp(s, "e=", 2) == 0) {
        v->rank_kind = CMD_RANK_ENERGY;
        if (share_of(&v->r, s + 2) && v->r > 0 && v->r <= 1)
            return LR_OK;
        cmd_hint(e, "e=99%% keeps 99 %% of the energy");
        return cmd_fail_at(e, v->begin, LR_EINVAL,
                           "%s: the energy must be above 0 and at most 100%%", s);
    }
    if (strncmp(s, "x=", 2) == 0) {
        v->rank_kind = CMD_RANK_SPEEDUP;
        size_t n_x = last_char(s) == 'x';
        if (real_before(&v->r, s + 2, n_x) && v->r >= 1)
            return LR_OK;
        cmd_hint(e, "x=2 makes the layer twice as fast");
        return cmd_fail_at(e, v->begin, LR_EINVAL, "%s: the speedup must be at least 1",
                           s);
    }
    if (last_char(s) == '%') {
        v->rank_kind = CMD_RANK_SHARE;
        if (share_of(&v->r, s) && v->r > 0 && v->r <= 1)
            return LR_OK;
        return cmd_fail_at(
            e, v->begin, LR_EINVAL,
            "%s: the share of the filters must be above 0 and at most 100%%", s);
    }
    if (comma) {
        double first;
        v->rank_kind = CMD_RANK_PAIR;
        if (cmd_parse_int(&v->j, comma + 1) && real_before(&first, s, strlen(comma)) &&
            fabs(first) < 1e9 && first == floor(first)) {
            v->i = (int64_t)first;
            return LR_OK;
        }
        return bad(e, v, "a pair of ranks such as 40,28");
    }
    v->rank_kind = CMD_RANK_NUMBER;
    if (cmd_parse_int(&v->i, s))
        return LR_OK;
    cmd_hint(e, "%s", forms);
    return bad(e, v, "a rank");
}

enum lr_status cmd_type_shape(struct cmd_value *v, const struct cmd_param *p,
                              struct cmd_error *e)
{
    const char *s = v->text;

    (void)p;
    v->shape.n_dims = 0;
    for (;;) {
        char *end;
        if (v->shape.n_dims == LR_MAX_DIMS || s[0] < '0' || s[0] > '9')
            return bad(e, v, "a shape such as 1x3x224x224");
        errno = 0;
        long long n = strtoll(s, &end, 10);
        if (errno || n < 1 || n > INT_MAX)
            return bad(e, v, "a shape such as 1x3x224x224");
        v->shape.dims[v->shape.n_dims++] = n;
        if (*end == '\0')
            return LR_OK;
        if (*end != 'x')
            return bad(e, v, "a shape such as 1x3x224x224");
        s = end + 1;
    }
}
