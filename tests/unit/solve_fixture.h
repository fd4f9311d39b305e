/* Solving for the tests of sessions, and how far apart two results are. */
#ifndef SOLVE_FIXTURE_H
#define SOLVE_FIXTURE_H

#include "setting_fixture.h"

#include "ranklab/la.h"
#include "session/internal.h"

static inline void solve(struct setting *t, int layer, enum lr_mode mode)
{
    struct lr_solve_request q = {.layers = &layer, .n = layer < 0 ? -1 : 1, .mode = mode};
    int n = 0;

    assert_ok(lr_session_solve(&t->s, &q, &n, NULL, fx_e));
    assert_true(n > 0);
}

static inline size_t n_weights(const struct lr_factors *f)
{
    size_t n = 0;

    for (int i = 0; i < f->n_parts; i++)
        n += (size_t)f->parts[i].cout * (size_t)f->parts[i].cin * (size_t)f->parts[i].kh *
             (size_t)f->parts[i].kw;
    return n;
}

static inline void assert_close(double x, double expected, double tolerance)
{
    if (!(fabs(x - expected) <= tolerance * fabs(expected) + 1e-12))
        fail_msg("%.9g is not %.9g", x, expected);
}

/* Every layer but the first at low ranks of method m, or of what the session makes of it
 * where that cannot be. */
static inline void set_low(struct setting *t, enum lr_method m)
{
    for (int i = 1; i < t->s.n_layers; i++) {
        set_method(
            t, i,
            m == LR_METHOD_3D && t->s.layers[i].kind == LR_LAYER_FC ? LR_METHOD_RELU : m);
        struct lr_rank_layer l = lr_session_rank_layer(&t->s, i);
        if (l.is_kept)
            continue;
        if (l.split == LR_SPLIT_CHANNEL)
            set_rank(t, i, 4);
        else
            set_pair(t, i, l.split == LR_SPLIT_SPATIAL ? l.d : 4, 6);
        assert_int_equal(lr_session_state(&t->s, i), LR_STATE_CHOSEN);
    }
}

#endif
