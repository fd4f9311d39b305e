/* ONNX's own tests of single operators (Debian package libonnx-testdata):
 *   conformance FOLDER [NAME]
 * FOLDER holds one folder per test with model.onnx and test_data_set_*; NAME: only those
 * whose name begins so. Every test whose operators are known here is run; what is known
 * to fail stands in a table below with its reason. Prints the failures, a table by
 * operator, what is not claimed, and "N passed, N failed" at the end. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "model/model.h"
#include "model/onnx_int.h"
#include "ranklab/engine.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"
#include "ranklab/onnx.h"

enum { MAX_IO = 32, MAX_TESTS = 2000, MAX_OPS = 400 };

/* Tests of operators that are known, but that cannot pass: those whose names begin so, or
 * are so up to a $. */
static const struct {
    const char *name, *reason;
} not_claimed[] = {
    {"test_identity_opt", "optional values"},
    {"test_identity_sequence", "sequences"},
    {"test_if_opt", "optional values"},
    {"test_if_seq", "sequences"},
    {"test_cast_FLOAT_to_STRING", "strings"},
    {"test_cast_STRING_to_FLOAT", "strings"},
    {"test_castlike_FLOAT_to_STRING", "strings"},
    {"test_castlike_STRING_to_FLOAT", "strings"},
    {"test_equal_string", "strings"},
    {"test_training_dropout$", "random numbers"},
    {"test_training_dropout_default", "random numbers"},
    {"test_training_dropout_mask", "random numbers"},
    {"test_batchnorm_", "training mode"},
    {"test_resize_downsample_scales_cubic_align_corners",
     "ONNX Runtime gives what we give"},
    {"test_resize_downsample_scales_linear_align_corners",
     "ONNX Runtime gives what we give"},
    {"test_constantofshape_int_shape_zero", "an output without elements"},
    {"test_tril_zero", "an output without elements"},
    {"test_triu_zero", "an output without elements"},
    {"test_slice_start_out_of_bounds", "an output without elements"},
    {"test_cast_BFLOAT16_to_FLOAT", "the files say uint16 for bfloat16"},
    {"test_cast_FLOAT_to_BFLOAT16", "the files say uint16 for bfloat16"},
    {"test_castlike_BFLOAT16_to_FLOAT", "the files say uint16 for bfloat16"},
    {"test_castlike_FLOAT_to_BFLOAT16", "the files say uint16 for bfloat16"},
    {"test_reshape_allowzero", "a tensor without elements that is no constant"},
    {"test_split_zero_size", "a tensor without elements that is no constant"},
};

/* What exports of common networks are made of. How many tests of opset 17 and below that
 * use nothing else pass is counted apart. */
static const char core[] =
    " Abs Add ArgMax AveragePool BatchNormalization Cast Clip Concat Constant "
    "ConstantOfShape Conv ConvTranspose DepthToSpace DequantizeLinear Div Dropout Einsum "
    "Elu Equal Erf Exp Expand Flatten Gather Gelu Gemm GlobalAveragePool GlobalMaxPool "
    "Greater GroupNormalization HardSigmoid HardSwish Identity If InstanceNormalization "
    "LRN LayerNormalization LeakyRelu Less Log LpNormalization LpPool MatMul Max MaxPool "
    "Min Mish Mul Neg Not PRelu Pad Pow QuantizeLinear Range ReduceL2 ReduceMax "
    "ReduceMean ReduceMin ReduceSum Relu Reshape Resize Selu Shape Sigmoid Slice Softmax "
    "Softplus SpaceToDepth Split Sqrt Squeeze Sub Tanh Tile Transpose Unsqueeze Upsample "
    "Where ";
enum { CORE_OPSET = 17 };

struct tally {
    char op[64];
    int passed, total;
};

struct totals {
    struct tally ops[MAX_OPS];
    int n_ops, passed, failed, unclaimed, unknown, core_passed, core_total;
    char unknown_ops[MAX_OPS][64];
    int n_unknown_ops;
};

static struct lr_tensor *read_tensor(const char *path, struct lr_err *e)
{
    char *data = NULL;
    size_t len = 0;
    struct lr_tensor *t = NULL;
    if (lr_file_read(&data, &len, path, 1 << 30, e) != LR_OK)
        return NULL;
    Onnx__TensorProto *p = onnx__tensor_proto__unpack(NULL, len, (const uint8_t *)data);
    if (!p || p->data_type == 8)
        lr_err_set(e, LR_EUNSUP, "not a tensor of numbers");
    else
        lr_onnx_tensor_any(&t, p, NULL, e);
    if (p)
        onnx__tensor_proto__free_unpacked(p, NULL);
    lr_free(data);
    return t;
}

static int64_t count_of(const struct lr_shape *s)
{
    int64_t n = 0;
    return lr_shape_count(&n, s, NULL) == LR_OK ? n : 0;
}

/* Whether a shape depends on what value v holds. */
static bool must_bind(const struct lr_graph *g, int v)
{
    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *n = &g->nodes[k];
        for (int i = 0; i < n->n_in; i++) {
            if (n->in[i] != v)
                continue;
            if (lr_op_needs_constant(n->op, i))
                return true;
            for (int o = 0; n->op != LR_OP_SHAPE && n->op != LR_OP_SIZE && o < n->n_out;
                 o++)
                if (n->out[o] >= 0 && must_bind(g, n->out[o]))
                    return true;
        }
    }
    return false;
}

static double at(const struct lr_tensor *t, int64_t i)
{
    if (t->dtype == LR_DT_F64)
        return ((const double *)t->data)[i];
    if (!lr_kernel_is_float(t->dtype))
        return (double)lr_tensor_int_at(t, i);
    struct lr_tensor *f = NULL;
    double x = NAN;
    if (t->dtype == LR_DT_F32)
        return (double)((const float *)t->data)[i];
    if (lr_tensor_to_f32(&f, t, NULL) == LR_OK)
        x = (double)((const float *)f->data)[i];
    lr_tensor_free(f);
    return x;
}

/* ONNX's tolerance: 1e-3 relative, 1e-7 absolute. */
static enum lr_status compare(const struct lr_tensor *want, const struct lr_value *v,
                              const void *got, struct lr_err *e)
{
    char a[200], b[200];
    struct lr_tensor *t = NULL;
    const int64_t n = count_of(&want->shape);
    if (v->dtype != want->dtype)
        return lr_err_set(e, LR_ESHAPE, "type %s instead of %s", lr_dtype_name(v->dtype),
                          lr_dtype_name(want->dtype));
    if (!lr_shape_equal(&v->shape, &want->shape))
        return lr_err_set(e, LR_ESHAPE, "shape %s instead of %s",
                          lr_shape_text(a, sizeof a, &v->shape),
                          lr_shape_text(b, sizeof b, &want->shape));
    enum lr_status st = lr_tensor_new(&t, want->dtype, &want->shape, e);
    if (st)
        return st;
    lr_kernel_store(t, got, n);
    for (int64_t i = 0; i < n && !st; i++) {
        double x = at(t, i), y = at(want, i);
        if (!(x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= 1e-7 + 1e-3 * fabs(y)))
            st = lr_err_set(e, LR_ENUMERIC, "element %lld is %g instead of %g",
                            (long long)i, x, y);
    }
    lr_tensor_free(t);
    return st;
}

static enum lr_status run_set(struct lr_graph *g, const char *folder, struct lr_err *e)
{
    char path[1200];
    int inputs[MAX_IO], n_in = g->n_inputs, outputs[MAX_IO], n_out = g->n_outputs;
    struct lr_tensor *in[MAX_IO] = {NULL}, *want[MAX_IO] = {NULL};
    void *data[MAX_IO] = {NULL};
    struct lr_net *net = NULL;
    enum lr_status st = LR_OK;
    int fed = 0;
    for (int i = 0; i < n_in; i++)
        inputs[i] = g->inputs[i];
    for (int i = 0; i < n_out; i++)
        outputs[i] = g->outputs[i];
    for (int i = 0; i < n_in && !st; i++) {
        snprintf(path, sizeof path, "%s/input_%d.pb", folder, i);
        in[i] = read_tensor(path, e);
        if (!in[i])
            st = e->code;
    }
    for (int i = 0; i < n_out && !st; i++) {
        snprintf(path, sizeof path, "%s/output_%d.pb", folder, i);
        want[i] = read_tensor(path, e);
        if (!want[i])
            st = e->code;
    }
    g->is_batch_fixed = true;
    for (int i = 0; i < n_in && !st; i++) {
        struct lr_value *x = &g->values[inputs[i]];
        if (must_bind(g, inputs[i])) {
            st = lr_graph_bind_input(g, inputs[i], in[i], e);
            in[i] = NULL;
            continue;
        }
        x->declared = x->shape = in[i]->shape;
        x->has_declared = x->has_shape = true;
        data[fed] = lr_calloc((size_t)count_of(&x->shape) + 1, sizeof(int64_t));
        lr_kernel_load(data[fed++], in[i], count_of(&x->shape));
    }
    for (int i = 0; i < 2 && !st; i++) /* as a network is opened */
        st = lr_graph_infer(g, NULL, e);
    char why[256];
    if (!st && lr_graph_blocker(g, why, sizeof why))
        st = lr_err_set(e, LR_EUNSUP, "%s", why);
    struct lr_net_opts opts = {.batch = 1, .is_typed = true};
    if (!st)
        st = lr_net_compile(&net, g, &opts, e);
    if (!st)
        st = lr_net_run_typed(net, 1, (const void *const *)data, e);
    for (int i = 0; i < n_out && !st; i++) {
        st = compare(want[i], &g->values[outputs[i]], lr_net_output_typed(net, i, NULL),
                     e);
        if (st)
            lr_err_prefix(e, "output %d", i);
    }
    lr_net_free(net);
    for (int i = 0; i < MAX_IO; i++) {
        lr_tensor_free(in[i]);
        lr_tensor_free(want[i]);
        lr_free(data[i]);
    }
    return st;
}

static enum lr_status run_test(const char *folder, struct lr_err *e)
{
    enum lr_status st = LR_OK;
    for (int set = 0; !st; set++) {
        char path[1100], model[1100];
        struct lr_graph *g = NULL;
        snprintf(path, sizeof path, "%s/test_data_set_%d", folder, set);
        DIR *d = opendir(path);
        if (!d)
            return set ? LR_OK : lr_err_set(e, LR_EIO, "no data");
        closedir(d);
        snprintf(model, sizeof model, "%s/model.onnx", folder);
        st = lr_onnx_read(&g, NULL, model, NULL, e);
        if (!st && (g->n_inputs > MAX_IO || g->n_outputs > MAX_IO))
            st = lr_err_set(e, LR_EUNSUP, "too many inputs or outputs");
        if (!st)
            st = run_set(g, path, e);
        lr_graph_free(g);
    }
    return st;
}

static bool is_core_op(const char *type)
{
    char word[80];

    snprintf(word, sizeof word, " %.70s ", type);
    return strstr(core, word) != NULL;
}

/* Whether the model is of an opset up to CORE_OPSET and of core operators alone. */
static bool is_core(const Onnx__ModelProto *m)
{
    bool is_all = m && m->graph;
    for (size_t i = 0; m && i < m->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = m->opset_import[i];
        if (!o->domain || !*o->domain)
            is_all = is_all && o->version <= CORE_OPSET;
    }
    for (size_t i = 0; is_all && i < m->graph->n_node; i++) {
        const Onnx__NodeProto *p = m->graph->node[i];
        is_all = (!p->domain || !*p->domain) && is_core_op(p->op_type);
    }
    return is_all;
}

/* The operators of a model, read from the file alone; -1: it uses one that is not known.
 */
static int operators(const char *folder, char ops[][64], int max, struct totals *t,
                     bool *has_core)
{
    char path[1100], *data = NULL;
    size_t len = 0;
    int n = 0;
    bool is_known = true;
    *has_core = false;
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    if (lr_file_read(&data, &len, path, 1 << 30, NULL) != LR_OK)
        return -1;
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, len, (const uint8_t *)data);
    *has_core = is_core(m);
    t->core_total += *has_core;
    for (size_t i = 0; m && m->graph && i < m->graph->n_node; i++) {
        const Onnx__NodeProto *p = m->graph->node[i];
        bool is_default = !p->domain || !*p->domain;
        bool is_new = true;
        if (is_default && lr_op_find(p->op_type, "") == LR_OP_UNKNOWN)
            is_default = false;
        is_known = is_known && is_default;
        for (int j = 0; !is_default && j < t->n_unknown_ops; j++)
            is_new = is_new && strcmp(t->unknown_ops[j], p->op_type) != 0;
        if (!is_default && is_new && t->n_unknown_ops < MAX_OPS)
            snprintf(t->unknown_ops[t->n_unknown_ops++], 64, "%s", p->op_type);
        is_new = true;
        for (int j = 0; j < n; j++)
            is_new = is_new && strcmp(ops[j], p->op_type) != 0;
        if (is_new && n < max)
            snprintf(ops[n++], 64, "%.63s", p->op_type);
    }
    if (m)
        onnx__model_proto__free_unpacked(m, NULL);
    lr_free(data);
    return is_known && m ? n : -1;
}

static void count(struct totals *t, char ops[][64], int n, bool is_passed)
{
    for (int i = 0; i < n; i++) {
        int k = 0;
        while (k < t->n_ops && strcmp(t->ops[k].op, ops[i]) != 0)
            k++;
        if (k == MAX_OPS)
            continue;
        if (k == t->n_ops)
            snprintf(t->ops[t->n_ops++].op, 64, "%.63s", ops[i]);
        t->ops[k].total++;
        t->ops[k].passed += is_passed;
    }
}

static const char *reason_of(const char *name)
{
    for (size_t i = 0; i < sizeof not_claimed / sizeof not_claimed[0]; i++) {
        size_t n = strcspn(not_claimed[i].name, "$");
        bool is_whole = not_claimed[i].name[n] == '$';
        if (strncmp(name, not_claimed[i].name, n) == 0 && (!is_whole || !name[n]))
            return not_claimed[i].reason;
    }
    return NULL;
}

static int by_op(const void *a, const void *b)
{
    return strcmp(((const struct tally *)a)->op, ((const struct tally *)b)->op);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void report(struct totals *t)
{
    qsort(t->ops, (size_t)t->n_ops, sizeof t->ops[0], by_op);
    qsort(t->unknown_ops, (size_t)t->n_unknown_ops, sizeof t->unknown_ops[0], by_name);
    printf("passed of all, by operator:\n");
    for (int i = 0; i < t->n_ops; i++)
        printf("%s%-22s %3d of %3d",
               i % 3 ? "  "
               : i   ? "\n"
                     : "",
               t->ops[i].op, t->ops[i].passed, t->ops[i].total);
    printf("\noperators not known, in %d tests:", t->unknown);
    for (int i = 0; i < t->n_unknown_ops; i++)
        printf(" %s", t->unknown_ops[i]);
    printf("\nnot claimed: %d tests\n", t->unclaimed);
    printf("of opset %d and below, by the operators of common networks: %d of %d\n",
           CORE_OPSET, t->core_passed, t->core_total);
}

int main(int argc, char **argv)
{
    static char names[MAX_TESTS][256];
    static struct totals t;
    int n = 0;
    DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
    if (!d) {
        fprintf(stderr, "usage: conformance FOLDER [NAME]\n");
        return 2;
    }
    for (const struct dirent *x = readdir(d); x && n < MAX_TESTS; x = readdir(d))
        if (strncmp(x->d_name, "test_", 5) == 0 &&
            (argc < 3 || strncmp(x->d_name, argv[2], strlen(argv[2])) == 0))
            snprintf(names[n++], sizeof names[0], "%s", x->d_name);
    closedir(d);
    qsort(names, (size_t)n, sizeof names[0], by_name);
    for (int i = 0; i < n; i++) {
        char folder[1024], ops[64][64];
        struct lr_err e = {0};
        snprintf(folder, sizeof folder, "%.700s/%.250s", argv[1], names[i]);
        bool has_core;
        int n_ops = operators(folder, ops, 64, &t, &has_core);
        if (n_ops < 0) {
            t.unknown++;
            continue;
        }
        bool is_passed = run_test(folder, &e) == LR_OK;
        const char *reason = reason_of(names[i]);
        count(&t, ops, n_ops, is_passed);
        t.passed += is_passed;
        t.core_passed += is_passed && has_core;
        if (is_passed)
            continue;
        printf("%-6s %-44s %s\n", reason ? "-" : "FAILED", names[i],
               reason ? reason : e.msg);
        t.unclaimed += reason != NULL;
        t.failed += reason == NULL;
    }
    report(&t);
    printf("%d passed, %d failed\n", t.passed, t.failed);
    return t.failed > 0;
}
