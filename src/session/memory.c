/* Stating how much memory a command will hold, before it works. Bounds are upper ones
 * (see calibrate_memory.c); refused is only what cannot be done in any way: the least is
 * what one image at a time takes, with nothing counted twice. */
#include "session/memory.h"

#include "ranklab/engine.h"
#include "ranklab/mem.h"
#include "session/calibrate.h"
#include "session/internal.h"

/* Below this nobody needs to be told. */
static const int64_t MUCH = 2000000000;

bool session_is_much(int64_t bound)
{
    return bound >= MUCH || lr_mem_limit() != 0;
}

enum lr_status session_refuse(const char *what, int64_t least, const char *hint,
                              struct lr_err *e)
{
    const int64_t most = (int64_t)lr_mem_limit(), held = (int64_t)lr_mem_held(),
                  machine = (int64_t)lr_mem_machine();

    if (machine > 0 && least > machine - held)
        return lr_err_set(e, LR_ENOMEM,
                          "%s holds at least %.2f GB, this machine has %.2f GB%s%s", what,
                          (double)(held + least) / 1e9, (double)machine / 1e9,
                          hint ? ": " : "", hint ? hint : "");
    if (most == 0 || least <= most - held)
        return LR_OK;
    return lr_err_set(e, LR_ENOMEM,
                      "%s holds at least %.2f GB, max-memory is %.2f GB%s%s", what,
                      (double)(held + least) / 1e9, (double)most / 1e9, hint ? ": " : "",
                      hint ? hint : "");
}

enum lr_status session_state_memory(const struct lr_session *s, const char *what,
                                    int64_t bytes, int64_t least, const char *hint,
                                    struct lr_err *e)
{
    const int64_t most = (int64_t)lr_mem_limit(), held = (int64_t)lr_mem_held();
    int64_t bound = held + bytes;
    enum lr_status rc = session_refuse(what, least, hint, e);

    if (rc != LR_OK)
        return rc;
    if (most > 0 && bound > most)
        bound = most > held ? most : held;
    bound += SESSION_LIBRARY_BYTES;
    if (session_is_much(bound))
        lr_note(&s->notes, LR_NOTE_INFO, "%s: the program will hold at most %.2f GB",
                what, (double)bound / 1e9);
    return LR_OK;
}

static double plain_bytes(const struct lr_graph *g, int v)
{
    const struct lr_value *x = &g->values[v];
    double n = sizeof(float);

    if (x->tensor || !x->has_shape)
        return 0;
    for (int i = 0; i < x->shape.n_dims; i++)
        n *= x->shape.dims[i] == -1 ? 1 : (double)x->shape.dims[i];
    return n;
}

int64_t session_run_least(const struct lr_graph *g)
{
    double weights = 0, most = 0;

    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *n = &g->nodes[k];
        double alive = 0;
        for (int i = 0; i < n->n_out; i++)
            alive += n->out[i] >= 0 ? plain_bytes(g, n->out[i]) : 0;
        most = alive > most ? alive : most;
        for (int i = 0; n->op == LR_OP_CONV && i < n->n_in; i++) {
            const struct lr_tensor *t = n->in[i] >= 0 ? g->values[n->in[i]].tensor : NULL;
            int64_t count = 0;
            if (t && lr_shape_count(&count, &t->shape, NULL) == LR_OK)
                weights += sizeof(float) * (double)count;
        }
    }
    return (int64_t)(weights + most);
}

int64_t session_forward_bytes(const struct lr_graph *g, int64_t n_images)
{
    int64_t batch = lr_engine_good_batch(g), input = 0;

    if (g->n_outputs < 1 || g->n_inputs < 1)
        return 0;
    if (n_images > 0 && batch > n_images)
        batch = n_images;
    input = (int64_t)plain_bytes(g, g->inputs[0]) * batch;
    return input + session_run_bytes(g, -1, g->outputs, g->n_outputs, (int)batch);
}

int64_t session_pictures_bytes(const struct lr_dataset *d)
{
    return d ? (int64_t)lr_dataset_room(d) : 0;
}

/* ---- what samples ---- */

static int64_t rows_bytes(const struct lr_session *s, int layer, int64_t n_images)
{
    const struct lr_layer *l = &s->layers[layer];
    const int64_t area = (int64_t)l->out_h * l->out_w,
                  most = session_sampling(s).n_positions;

    return n_images * (area < most ? area : most) * l->d * (int64_t)sizeof(float);
}

/* Responses of the layers of which they are wanted, and their spectra. */
enum lr_status session_state_spectra(const struct lr_session *s, const int *values, int n,
                                     struct lr_err *e)
{
    const int64_t n_images = lr_dataset_count(s->calib);
    int64_t rows = 0, solver = 0, run = session_run_bytes(s->graph, -1, values, n, 0);

    for (int i = 0; i < s->n_layers; i++) {
        int targets[2], n_targets = session_targets(targets, &s->layers[i]);
        bool is_wanted = false;
        for (int k = 0; k < n; k++)
            is_wanted = is_wanted || values[k] == targets[0];
        if (!is_wanted)
            continue;
        int64_t one = rows_bytes(s, i, n_images), d = s->layers[i].d;
        int64_t sums = session_solver_bytes((int)d, one / (d * (int64_t)sizeof(float)));
        rows += n_targets * one;
        solver = sums > solver ? sums : solver;
    }
    return session_state_memory(
        s, "sampling",
        rows + (run > solver ? run : solver) + session_pictures_bytes(s->calib),
        rows + session_run_least(s->graph), "use fewer calibration images", e);
}

/* Short solves of single layers on n_images, the rows of a group of them at a time. */
enum lr_status session_state_points(const struct lr_session *s, const int *layers, int n,
                                    int64_t n_images, double group_bytes,
                                    struct lr_err *e)
{
    int64_t rows = 0, largest = 0, solver = 0, run = 0, least = 0;

    for (int i = 0; i < n; i++) {
        const struct lr_layer *l = &s->layers[layers[i]];
        int64_t one = rows_bytes(s, layers[i], n_images);
        int64_t sums = session_solver_bytes(l->d, one / (l->d * (int64_t)sizeof(float)));
        int64_t part = session_run_bytes(s->graph, -1, &l->value, 1, 0);
        rows += 2 * one;
        largest = one > largest ? one : largest;
        solver = sums > solver ? sums : solver;
        run = part > run ? part : run;
    }
    least = largest;
    if ((double)rows > group_bytes + 2 * (double)largest)
        rows = (int64_t)group_bytes + 2 * largest;
    /* a branch of spatial parts beside the layer */
    return session_state_memory(s, "measuring layers",
                                rows + (2 * run > solver ? 2 * run : solver) +
                                    session_pictures_bytes(s->calib),
                                least, NULL, e);
}

/* ---- what evaluates ---- */

enum lr_status session_state_eval(const struct lr_session *s, const struct lr_graph *g,
                                  const struct lr_dataset *d, int64_t count,
                                  bool is_side_by_side, struct lr_err *e)
{
    int64_t a = session_forward_bytes(s->graph, count),
            b = session_forward_bytes(g, count);
    int64_t least = session_run_least(s->graph), outcomes = 0, run = a > b ? a : b;

    if (is_side_by_side)
        run = a + b;
    else
        outcomes = (int64_t)(2 * lr_outcome_bytes(s->graph, count)) + 64 * count;
    return session_state_memory(s, "evaluating",
                                run + outcomes + session_pictures_bytes(d),
                                least + outcomes / 2, NULL, e);
}

enum lr_status lr_session_state_run(const struct lr_session *s, const struct lr_graph *g,
                                    int64_t n, struct lr_err *e)
{
    enum lr_status rc = session_need_run(s, e);
    if (rc)
        return rc;
    int64_t out = n * (int64_t)plain_bytes(g, g->outputs[0]);

    return session_state_memory(s, "running", out + session_forward_bytes(g, n),
                                out + session_run_least(g), "use fewer images", e);
}
