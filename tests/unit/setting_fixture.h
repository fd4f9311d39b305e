/* A session with a small network and its images open, for the tests of sessions. */
#ifndef SETTING_FIXTURE_H
#define SETTING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ranklab/session.h"
#include "session_fixture.h"

enum { N_CALIB = 80, N_EVAL = 41 };

struct setting {
    struct fx_folder folder;
    struct lr_session s;
    char note[1024]; /* the last note */
};

static inline void keep_note(void *ctx, enum lr_note_level level, const char *text)
{
    struct setting *t = ctx;

    (void)level;
    snprintf(t->note, sizeof(t->note), "%s", text);
}

static inline void open_model(struct setting *t, const char *file)
{
    char path[600];

    assert_ok(lr_session_open(&t->s, fx_path(path, &t->folder, file), NULL, NULL, fx_e));
    assert_ok(
        lr_session_data(&t->s, 0, fx_path(path, &t->folder, "calib.npy"), NULL, fx_e));
    assert_ok(
        lr_session_data(&t->s, 1, fx_path(path, &t->folder, "eval.npy"), NULL, fx_e));
}

static inline int set_up(void **state)
{
    struct setting *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    t->folder = fx_folder_make();
    fx_write_graph(&t->folder, "chain.onnx", fx_chain(5));
    fx_write_graph(&t->folder, "residual.onnx", fx_residual(6));
    fx_write_graph(&t->folder, "mixed.onnx", fx_mixed(7));
    fx_write_images(&t->folder, "calib.npy", N_CALIB, 3);
    fx_write_images(&t->folder, "eval.npy", N_EVAL, 4);
    lr_session_init(&t->s);
    t->s.notes = (struct lr_notes){keep_note, t};
    open_model(t, "chain.onnx");
    *state = t;
    return 0;
}

static inline int tear_down(void **state)
{
    struct setting *t = *state;

    lr_session_free(&t->s);
    fx_folder_remove(&t->folder);
    free(t);
    return 0;
}

/* How many layers are convolutions; the fully connected ones come after them. */
static inline int n_convs(const struct setting *t)
{
    int n = 0;

    while (n < t->s.n_layers && t->s.layers[n].kind == LR_LAYER_CONV)
        n++;
    return n;
}

/* The rank of a channel split; the spatial one, if the layer has any, stays. */
static inline void set_rank(struct setting *t, int layer, int rank)
{
    struct lr_ranks r = {rank, t->s.plan[layer].ranks.spatial};

    assert_ok(lr_session_set_ranks(&t->s, &layer, &r, 1, fx_e));
}

/* Both ranks of a split with a spatial part. */
static inline void set_pair(struct setting *t, int layer, int channel, int spatial)
{
    struct lr_ranks r = {channel, spatial};

    assert_ok(lr_session_set_ranks(&t->s, &layer, &r, 1, fx_e));
}

static inline void set_method(struct setting *t, int layer, enum lr_method m)
{
    assert_ok(lr_session_set_method(&t->s, &layer, 1, m, fx_e));
}

/* n < 0: all that are to be solved. */
static inline enum lr_status try_solve(struct setting *t, const int *layers, int n,
                                       enum lr_mode mode,
                                       const struct lr_progress *progress,
                                       struct lr_err *e)
{
    struct lr_solve_request q = {.layers = layers, .n = n, .mode = mode};

    return lr_session_solve(&t->s, &q, NULL, progress, e);
}

static inline void solve_all(struct setting *t, enum lr_mode mode)
{
    assert_ok(try_solve(t, NULL, -1, mode, NULL, fx_e));
}

static inline void solve_layer(struct setting *t, int layer, enum lr_mode mode)
{
    assert_ok(try_solve(t, &layer, 1, mode, NULL, fx_e));
}

/* Whether two splits of a layer are the same, bit for bit. */
static inline bool is_same_factors(const struct lr_factors *a, const struct lr_factors *b)
{
    if (!a || !b || a->method != b->method || a->rank != b->rank ||
        a->rank_spatial != b->rank_spatial || a->n_parts != b->n_parts)
        return false;
    for (int i = 0; i < a->n_parts; i++) {
        const struct lr_conv_part *p = &a->parts[i], *q = &b->parts[i];
        size_t n =
            (size_t)p->cout * (size_t)(p->cin / p->group) * (size_t)p->kh * (size_t)p->kw;
        if (p->cout != q->cout || p->cin != q->cin || p->group != q->group ||
            p->kh != q->kh || p->kw != q->kw || !p->b != !q->b ||
            memcmp(p->w, q->w, n * sizeof(float)) != 0 ||
            (p->b && memcmp(p->b, q->b, (size_t)p->cout * sizeof(float)) != 0))
            return false;
    }
    return true;
}

/* The factors of all layers, to be compared with later ones; forget_factors them. */
enum { MAX_LAYERS = 16 };
static inline void hold_factors(struct lr_factors *held[MAX_LAYERS],
                                const struct setting *t)
{
    assert_true(t->s.n_layers <= MAX_LAYERS);
    for (int i = 0; i < MAX_LAYERS; i++)
        held[i] = i < t->s.n_layers ? lr_factors_ref(t->s.plan[i].factors) : NULL;
}

static inline void forget_factors(struct lr_factors *held[MAX_LAYERS])
{
    for (int i = 0; i < MAX_LAYERS; i++)
        lr_factors_unref(held[i]);
}

static inline void assert_states(const struct lr_session *s, const char *expected)
{
    char got[32] = "";

    for (int i = 0; i < s->n_layers; i++)
        got[i] = lr_state_name(lr_session_state(s, i))[0];
    /* whole, chosen, solved and stale: w, c, s; stale is told from solved by a capital */
    for (int i = 0; i < s->n_layers; i++)
        if (lr_session_state(s, i) == LR_STATE_STALE)
            got[i] = 'S';
    assert_string_equal(got, expected);
}

#endif
