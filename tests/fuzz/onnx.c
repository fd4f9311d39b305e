/* A model file: what opening one does before anything is computed, and, of a model with
 * functions, what exporting one does: a layer is replaced by itself, and what is written
 * must be readable. */
#include "fuzz.h"

#include "ranklab/file.h"
#include "ranklab/graph.h"
#include "ranklab/mem.h"
#include "ranklab/onnx.h"

static bool has_functions(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++)
        if (data[i] == 0xCA && data[i + 1] == 1)
            return true;
    return false;
}

static void export(const uint8_t *data, size_t size, const struct lr_graph *g,
                   const struct lr_layer *layer, const struct lr_tensor *w,
                   const struct lr_tensor *bias)
{
    struct lr_onnx_save how = {0};
    struct lr_onnx_file *f = NULL;
    struct lr_err e = {0};
    struct fuzz_file file;
    char hash[65], *made = NULL;

    fuzz_file_open(&file, data, size);
    lr_sha256(hash, data, size);
    enum lr_status st = lr_onnx_open(&f, file.path, hash, g, &e);
    if (st == LR_OK && layer) {
        struct lr_conv_part part =
            lr_layer_part(layer, w->data, bias ? bias->data : NULL);
        struct lr_onnx_swap swap = {.layer = layer->name,
                                    .value = g->values[layer->value].name,
                                    .n_parts = 1,
                                    .parts = &part};
        if (lr_onnx_has_layer(f, &swap))
            st = lr_onnx_replace(f, NULL, &swap, &e);
    }
    if (st == LR_OK) {
        st = lr_onnx_save(f, &made, "/dev/null", &how, &e);
        FUZZ_CHECK(st == LR_OK || st == LR_ENOMEM);
    }
    FUZZ_CHECK(st == LR_OK || e.msg[0]);
    lr_free(made);
    lr_onnx_close(f);
    fuzz_file_close(&file);
}

/* What stands for outputs can be computed. */
static void check_cut(const struct lr_graph *g)
{
    bool *is_needed = lr_calloc((size_t)g->n_values, sizeof(*is_needed));

    for (int i = 0; is_needed && g->file_outputs && i < g->n_outputs; i++)
        is_needed[g->outputs[i]] = true;
    for (int k = g->n_nodes - 1; is_needed && k >= 0; k--) {
        const struct lr_node *n = &g->nodes[k];
        bool is_any = false;
        for (int i = 0; i < n->n_out; i++)
            is_any = is_any || (n->out[i] >= 0 && is_needed[n->out[i]]);
        FUZZ_CHECK(!is_any || !n->why_unsupported);
        for (int i = 0; is_any && i < n->n_in; i++)
            if (n->in[i] >= 0)
                is_needed[n->in[i]] = true;
    }
    lr_free(is_needed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lr_graph *g = NULL;
    struct lr_layer *layers = NULL;
    struct lr_err e = {0};
    int n = 0;
    char buf[256];

    enum lr_status st = lr_onnx_parse(&g, data, size, NULL, NULL, &e);
    FUZZ_CHECK((st == LR_OK) == (g != NULL));
    if (st == LR_OK)
        st = lr_graph_infer(g, NULL, &e);
    if (st == LR_OK)
        st = lr_graph_fold_bn(g, NULL, &e);
    if (st == LR_OK)
        st = lr_graph_infer(g, NULL, &e);
    if (st == LR_OK)
        st = lr_layers_find(&layers, &n, g, &e);
    if (st == LR_OK)
        lr_graph_blocker(g, buf, sizeof(buf));
    if (st == LR_OK && (st = lr_graph_cut(g, &e)) == LR_OK)
        check_cut(g);
    /* A few hundred bytes can ask for all the nodes that may be: once is enough. */
    const bool is_exported = st == LR_OK && has_functions(data, size) && g->n_nodes < 500;
    if (is_exported)
        export(data, size, g, NULL, NULL, NULL);
    for (int i = 0; st == LR_OK && i < n; i++) {
        struct lr_tensor *w = NULL, *bias = NULL;
        if (layers[i].is_approximable &&
            lr_layer_weights(&w, &bias, g, &layers[i], &e) == LR_OK && is_exported)
            export(data, size, g, &layers[i], w, bias);
        lr_tensor_free(w);
        lr_tensor_free(bias);
    }
    FUZZ_CHECK(st == LR_OK || e.msg[0]);
    lr_layers_free(layers, n);
    lr_graph_free(g);
    return 0;
}
