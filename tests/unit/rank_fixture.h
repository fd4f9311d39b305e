/* Random layers of all splits for the tests of src/rank. */
#ifndef RANKLAB_TESTS_RANK_FIXTURE_H
#define RANKLAB_TESTS_RANK_FIXTURE_H

#include "ranklab/rank.h"
#include "ranklab/rng.h"

enum { RF_MAX = 8, RF_D = 24, RF_FULL = 96, RF_POINTS = 4 };

struct rf_net {
    int n;
    struct lr_rank_layer l[RF_MAX];
    double eig[RF_MAX][RF_D], spatial[RF_MAX][RF_FULL];
    struct lr_rank_point points[RF_MAX][RF_POINTS];
};

/* A k x k layer with as many positions at its input as at its output. */
static inline struct lr_rank_layer rf_square(const char *name, int k, int c, int d,
                                             int size)
{
    return (struct lr_rank_layer){.name = name,
                                  .split = LR_SPLIT_CHANNEL,
                                  .c = c,
                                  .d = d,
                                  .kh = k,
                                  .kw = k,
                                  .group = 1,
                                  .positions = (int64_t)size * size,
                                  .mid_positions = (int64_t)size * size,
                                  .has_bias = true};
}

static inline struct lr_ranks rf_channel(int channel)
{
    return (struct lr_ranks){channel, 0};
}

static inline int rf_below(struct lr_rng *r, int n)
{
    return (int)lr_rng_below(r, (uint64_t)n);
}

static inline void rf_decay(double *x, int n, struct lr_rng *r)
{
    double value = 1 + lr_rng_uniform(r), decay = 0.5 + 0.45 * lr_rng_uniform(r);

    for (int k = 0; k < n; k++, value *= decay + (1 - decay) * lr_rng_uniform(r))
        x[k] = value;
}

/* One layer of at most max_d filters; errors and drops fall with the ranks, roughly. */
static inline void rf_layer(struct rf_net *net, int i, enum lr_split split, int max_d,
                            struct lr_rng *r)
{
    int g = rf_below(r, 4) == 0 ? 2 : 1, k = 1 + 2 * rf_below(r, 2);
    struct lr_rank_layer *l = &net->l[i];

    *l = (struct lr_rank_layer){.name = "layer",
                                .split = split,
                                .c = g * (2 + rf_below(r, 22)),
                                .d = g * (2 + rf_below(r, max_d / g - 1)),
                                .kh = k,
                                .kw = split == LR_SPLIT_CHANNEL ? k : 3,
                                .group = g,
                                .positions = 1 + rf_below(r, 60),
                                .has_bias = rf_below(r, 2) == 0,
                                .eig = net->eig[i],
                                .spatial = net->spatial[i],
                                .points = net->points[i],
                                .n_points = RF_POINTS};
    l->mid_positions = l->positions * (1 + rf_below(r, 2));
    rf_decay(net->eig[i], RF_D, r);
    rf_decay(net->spatial[i], RF_FULL, r);
    for (int p = 0; p < RF_POINTS; p++) {
        double share = (p + 1.0) / (RF_POINTS + 1);
        int full = lr_rank_spatial_full(l);
        net->points[i][p] = (struct lr_rank_point){
            {1 + (int)(share * (l->d - 1)), 1 + (int)(share * (full - 1))},
            (1 - share) * (1 - share) * (0.5 + lr_rng_uniform(r)),
            (1 - share) * (0.2 * lr_rng_uniform(r) - 0.02)};
    }
}

static inline double rf_total(const struct rf_net *net, const struct lr_budget *b,
                              const struct lr_ranks *ranks)
{
    double sum = b->fixed;

    for (int i = 0; i < net->n; i++)
        sum += (double)(b->kind == LR_BUDGET_MACS ? lr_macs_at(&net->l[i], ranks[i])
                                                  : lr_params_at(&net->l[i], ranks[i]));
    return sum;
}

static inline double rf_whole(const struct rf_net *net, const struct lr_budget *b)
{
    struct lr_ranks ranks[RF_MAX];

    for (int i = 0; i < net->n; i++)
        ranks[i] = lr_ranks_whole(&net->l[i]);
    return rf_total(net, b, ranks);
}

/* All ranks of a layer under the rounding, whole last: their number. */
static inline int rf_all(struct lr_ranks *out, const struct lr_rank_layer *l, int round)
{
    int step = lr_rank_step(l, round), full = lr_rank_spatial_full(l), n = 0;
    bool has_channel = l->split != LR_SPLIT_SPATIAL;
    bool has_spatial = l->split != LR_SPLIT_CHANNEL;

    for (int a = 1; a <= l->d && !l->is_kept; a++)
        for (int s = has_spatial ? 1 : 0; s <= (has_spatial ? full : 0); s++) {
            struct lr_ranks r = {a, s};
            if ((has_channel ? a % step != 0 && a != l->d : a != l->d) ||
                (has_spatial && s % step != 0 && s != full) || lr_ranks_is_whole(l, r))
                continue;
            out[n++] = r;
        }
    out[n++] = lr_ranks_whole(l);
    return n;
}

#endif
