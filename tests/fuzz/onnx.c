/* A model file: what opening one does before anything is computed. */
#include "fuzz.h"

#include "ranklab/graph.h"
#include "ranklab/onnx.h"

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
    for (int i = 0; st == LR_OK && i < n; i++) {
        struct lr_tensor *w = NULL, *bias = NULL;
        if (layers[i].is_approximable)
            lr_layer_weights(&w, &bias, g, &layers[i], &e);
        lr_tensor_free(w);
        lr_tensor_free(bias);
    }
    FUZZ_CHECK(st == LR_OK || e.msg[0]);
    lr_layers_free(layers, n);
    lr_graph_free(g);
    return 0;
}
