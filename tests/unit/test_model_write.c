/* Writing ONNX files: the round trip, the comparison it relies on, and files that stay as
 * they were when something goes wrong. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "model_build.h"
#include "ranklab/file.h"
#include "ranklab/onnx.h"

static struct lr_graph *sample(void)
{
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 3, 9, 9);
    int a = mb_unary(g, "Relu", "r1", mb_conv(g, "c1", x, 3, 8, 3, 2, 1));
    int b = mb_bn(g, "bn", mb_conv(g, "c2", a, 8, 8, 3, 1, 1), 8);
    int s = mb_unary(g, "Relu", "r2", mb_binary(g, "Add", "sum", b, a));
    int f = mb_unary(g, "Flatten", "f", mb_max_pool(g, "p", s, 2, 2, 0));
    int w = mb_weight(g, "fc.w", 2, (int64_t[]){10, 32});
    int y = mb_node(g, "Gemm", "fc", 3,
                    (int[]){f, w, mb_weight(g, "fc.b", 1, (int64_t[]){10})});
    mb_set_int(g, y, "transB", 1);
    lr_node_set_float(mb_of(g, y), "alpha", 0.3f, NULL);
    lr_node_set_string(mb_of(g, y), "remark", "\xff\x01 odd", NULL);
    mb_of(g, y)->doc = lr_strdup("a classifier");
    mb_output(g, y);
    mb_output(g, mb_unary(g, "Softmax", "sm", y));
    g->name = lr_strdup("sample");
    g->doc = lr_strdup("two lines\nof text");
    g->graph_doc = lr_strdup("graph");
    g->producer_name = lr_strdup("test");
    g->producer_version = lr_strdup("1.0");
    g->domain = lr_strdup("org.example");
    g->batch_name = lr_strdup("batch");
    g->props = lr_calloc(1, sizeof(*g->props));
    g->props[g->n_props++] = (struct lr_prop){lr_strdup("classes"), lr_strdup("a,b")};
    g->opsets = lr_calloc(1, sizeof(*g->opsets));
    g->opsets[g->n_opsets++] = (struct lr_prop){lr_strdup("com.example"), lr_strdup("3")};
    g->model_version = 7;
    mb_infer(g);
    return g;
}

static void onnx__round_trip_keeps_everything(void **state)
{
    char path[400], other[400], sha_a[65], sha_b[65];
    struct lr_graph *back, *copy;
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = sample();
    if (lr_onnx_write(g, mb_path(path, "a.onnx"), &e) != LR_OK)
        fail_msg("%s", e.msg);
    if (lr_onnx_read(&back, sha_a, path, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_int_equal(back->opset, 13);
    assert_int_equal(back->model_version, 7);
    assert_string_equal(back->batch_name, "batch");
    assert_string_equal(back->doc, "two lines\nof text");
    assert_string_equal(back->graph_doc, "graph");
    assert_string_equal(back->props[0].value, "a,b");
    assert_string_equal(back->opsets[0].key, "com.example");
    assert_int_equal(back->n_nodes, g->n_nodes);
    mb_infer(back);
    for (int k = 0; k < g->n_nodes; k++) {
        assert_string_equal(back->nodes[k].name, g->nodes[k].name);
        assert_string_equal(back->nodes[k].type, g->nodes[k].type);
        assert_true(lr_shape_equal(&back->values[back->nodes[k].out[0]].shape,
                                   &g->values[g->nodes[k].out[0]].shape));
    }
    const struct lr_node *fc = &back->nodes[lr_graph_find_node(back, "fc")];
    assert_string_equal(lr_node_string(fc, "remark", ""), "\xff\x01 odd");
    assert_true(lr_node_float(fc, "alpha", 1) == 0.3f);
    assert_string_equal(fc->doc, "a classifier");

    /* The copy of a copy has the same bytes. */
    assert_int_equal(lr_graph_clone(&copy, back, &e), LR_OK);
    if (lr_onnx_write(copy, mb_path(other, "b.onnx"), &e) != LR_OK)
        fail_msg("%s", e.msg);
    lr_graph_free(copy);
    assert_int_equal(lr_onnx_read(&copy, sha_b, other, NULL, &e), LR_OK);
    lr_graph_free(copy);
    assert_int_equal(lr_onnx_write(back, path, &e), LR_OK);
    assert_int_equal(lr_onnx_read(&copy, sha_a, path, NULL, &e), LR_OK);
    assert_string_equal(sha_a, sha_b);
    lr_graph_free(copy);
    lr_graph_free(back);
    lr_graph_free(g);
}

/* One change in a copy, picked by number; false when there are no more. */
static bool change(struct lr_graph *g, int which)
{
    struct lr_node *fc = &g->nodes[lr_graph_find_node(g, "fc")];
    struct lr_node *pool = &g->nodes[lr_graph_find_node(g, "p")];
    struct lr_value *w = &g->values[fc->in[1]];
    struct lr_tensor *shared = w->tensor; /* with the original */

    assert_int_equal(lr_tensor_clone(&w->tensor, shared, NULL), LR_OK);
    lr_tensor_free(shared);
    switch (which) {
    case 0:
        g->opset++;
        return true;
    case 1:
        g->props[0].value[0] = 'z';
        return true;
    case 2:
        g->opsets[0].value[0] = '4';
        return true;
    case 3:
        g->values[g->inputs[0]].shape.dims[2]++;
        return true;
    case 4:
        g->n_outputs--;
        return true;
    case 5:
        fc->name[0] = 'F';
        return true;
    case 6:
        fc->doc[0] = 'A';
        return true;
    case 7:
        fc->in[2] = fc->in[1];
        return true;
    case 8:
        ((float *)w->tensor->data)[319] += 1;
        return true;
    case 9:
        w->tensor->shape.dims[0] = 32;
        w->tensor->shape.dims[1] = 10;
        return true;
    case 10:
        return lr_node_set_float(fc, "alpha", 0.31f, NULL) == LR_OK;
    case 11:
        return lr_node_set_string(fc, "remark", "even", NULL) == LR_OK;
    case 12:
        return lr_node_set_int(fc, "transB", 2, NULL) == LR_OK;
    case 13:
        return lr_node_set_ints(pool, "strides", (int64_t[]){2, 1}, 2, NULL) == LR_OK;
    case 14:
        return lr_node_set_int(pool, "more", 2, NULL) == LR_OK;
    case 15:
        pool->type[0] = 'm';
        return true;
    default:
        return false;
    }
}

static void same__finds_every_difference(void **state)
{
    struct lr_err e = {0};
    int which = 0;
    (void)state;
    struct lr_graph *g = sample(), *copy;
    for (bool is_changed = true; is_changed; which++) {
        assert_int_equal(lr_graph_clone(&copy, g, &e), LR_OK);
        assert_int_equal(lr_graph_same(g, copy, &e), LR_OK);
        is_changed = change(copy, which);
        if (is_changed && lr_graph_same(g, copy, &e) != LR_EIO)
            fail_msg("change %d is not seen", which);
        lr_graph_free(copy);
    }
    assert_int_equal(which, 17);
    lr_graph_free(g);
}

static void onnx__lists_constants_as_inputs_when_ir_is_old(void **state)
{
    char path[400];
    struct lr_graph *back;
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = sample();
    g->ir_version = 3;
    if (lr_onnx_write(g, mb_path(path, "a.onnx"), &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_int_equal(lr_onnx_read(&back, NULL, path, NULL, &e), LR_OK);
    assert_int_equal(back->n_inputs, 1);
    mb_infer(back);
    lr_graph_free(back);
    lr_graph_free(g);
}

static void onnx__keeps_old_file_when_writing_fails(void **state)
{
    char path[400], *data;
    size_t len;
    struct lr_err e = {0};
    (void)state;
    assert_int_equal(lr_file_write(mb_path(path, "a.onnx"), "old", 3, &e), LR_OK);
    struct lr_graph *g = sample();
    int w = lr_graph_find_value(g, "fc.w");
    ((float *)g->values[w].tensor->data)[5] = NAN;
    assert_int_equal(lr_onnx_write(g, path, &e), LR_ENUMERIC);
    assert_non_null(strstr(e.msg, "fc.w"));
    assert_int_equal(lr_file_read(&data, &len, path, 100, &e), LR_OK);
    assert_string_equal(data, "old");
    lr_free(data);
    char gone[400];
    assert_int_equal(lr_onnx_write(g, mb_path(gone, "no/such/a.onnx"), &e), LR_EIO);
    lr_graph_free(g);
}

/* A file for one image becomes a file for any number, in the Reshape too. */
static void onnx__frees_the_batch_when_the_file_fixes_it(void **state)
{
    char path[400];
    struct lr_graph *back;
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int t = mb_ints(g, "t", 1, 2, (int64_t[]){1, 48});
    mb_output(g, mb_binary(g, "Reshape", "r", mb_image(g, 1, 3, 4, 4), t));
    mb_infer(g);
    assert_int_equal(g->file_batch, 1);
    assert_int_equal(lr_onnx_write(g, mb_path(path, "a.onnx"), &e), LR_OK);
    assert_int_equal(lr_onnx_read(&back, NULL, path, NULL, &e), LR_OK);
    assert_string_equal(back->batch_name, "N");
    assert_int_equal(back->values[back->inputs[0]].declared.dims[0], -1);
    assert_int_equal(back->values[back->outputs[0]].declared.dims[0], -1);
    mb_infer(back);
    mb_assert_shape(back, back->outputs[0], "Nx48");
    assert_int_equal(back->file_batch, 0);
    assert_int_equal(lr_tensor_int_at(back->values[back->nodes[0].in[1]].tensor, 0), 0);
    lr_graph_free(back);
    lr_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(onnx__round_trip_keeps_everything),
        cmocka_unit_test(same__finds_every_difference),
        cmocka_unit_test(onnx__lists_constants_as_inputs_when_ir_is_old),
        cmocka_unit_test(onnx__keeps_old_file_when_writing_fails),
        cmocka_unit_test(onnx__frees_the_batch_when_the_file_fixes_it),
    };
    return cmocka_run_group_tests_name("model_write", tests, mb_make_dir, mb_remove_dir);
}
