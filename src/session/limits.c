/* What low rank cannot do for a network, told before any work: depthwise convolutions
 * have left most of the work to 1 x 1 convolutions, where it gains little, and layers
 * that stay whole bound what the others can save. */
#include "session/internal.h"

enum { SMALL_SPEEDUP = 2 };

static int64_t share(int64_t part, int64_t all)
{
    return all > 0 ? (200 * part + all) / (2 * all) : 0; /* percent, rounded */
}

void lr_session_note_limits(const struct lr_session *s)
{
    int64_t macs = 0, macs_points = 0, macs_open = 0;
    int64_t all = lr_graph_cost(s->graph).macs;
    int n_depthwise = 0, n_convs = 0;

    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_layer *l = &s->layers[i];
        macs_open += l->is_approximable ? l->macs : 0;
        if (l->kind != LR_LAYER_CONV)
            continue;
        n_convs++;
        n_depthwise += l->group > 1 && l->group == l->c;
        macs += l->macs;
        macs_points += l->kh == 1 && l->kw == 1 && l->group == 1 ? l->macs : 0;
    }
    if (n_depthwise * 6 >= n_convs && n_convs > 0 && macs_points >= macs / 2)
        lr_note(
            &s->notes, LR_NOTE_WARNING,
            "%s: %d of %d convolutions are depthwise and %lld %% of the multiply-adds "
            "are in 1 x 1 convolutions: low rank will hardly pay here",
            s->model_name, n_depthwise, n_convs, (long long)share(macs_points, macs));
    int64_t whole = all - macs_open;
    if (macs_open > 0 && whole > 0 && (double)all / (double)whole < SMALL_SPEEDUP)
        lr_note(
            &s->notes, LR_NOTE_WARNING,
            "%s: %lld %% of the multiply-adds are in layers that stay whole: low rank "
            "cannot make the network more than %.2f times cheaper",
            s->model_name, (long long)share(whole, all), (double)all / (double)whole);
}
