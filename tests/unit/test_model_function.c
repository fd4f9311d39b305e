/* Local functions as they are read. The oracle is the same network written without them,
 * computed by plain loops. */
#include "function_fixture.h"
#include "model/onnx_function.h"

static void refuse(struct file *f, enum lr_status code, const char *words)
{
    struct lr_graph *g;
    struct lr_err e = {0};

    assert_int_equal(parse(&g, f, &e), code);
    assert_null(g);
    if (!strstr(e.msg, words))
        fail_msg("%s", e.msg);
}

static void function__calls_are_what_they_stand_for(void **state)
{
    struct file f = two_calls();
    struct lr_graph *g = read_net(&f);
    (void)state;
    assert_int_equal(g->n_nodes, 4);
    assert_true(lr_graph_find_node(g, "one/inner") == 0);
    assert_true(lr_graph_find_node(g, "two/Relu") == 3);
    assert_true(lr_graph_find_value(g, "one/c") >= 0);
    assert_true(lr_graph_find_value(g, "two/c_2") >= 0);
    assert_int_equal(g->nodes[2].n_in, 2);
    assert_same(g, two_written_out());
}

static void function__names_without_a_name_are_made(void **state)
{
    struct file f = {0};
    (void)state;
    put_weights(&f);
    put_block(&f);
    put_call(&f, "x w b", "a", "");
    put_call(&f, "a v", "y", "");
    struct lr_graph *g = read_net(&f);
    assert_true(lr_graph_find_node(g, "Block/inner") == 0);
    assert_true(lr_graph_find_node(g, "Block_2/inner") == 2);
    assert_same(g, two_written_out());
}

/* What a call leaves out is what the function says, a field that later versions of
 * onnx.proto have. */
static void function__defaults_fill_what_a_call_leaves_out(void **state)
{
    struct lr_strbuf nodes = {0}, attrs = {0}, more = {0};
    struct file f = {0}, h = {0};
    (void)state;
    put_weights(&f);
    put_ref(&attrs, "pads", "pads", INTS);
    put_node(&nodes, IN_FUNCTION, "Conv", "x w", "y", "conv", &attrs);
    put_ints(&more, 11, "pads", 4, 1);
    put_function(&f, "C", "x w", "y", &nodes, 13, &more);
    put_node(&f.graph, IN_GRAPH, "F:C", "x w", "a", "", NULL);
    put_ints(&attrs, 5, "pads", 4, 0);
    put_node(&f.graph, IN_GRAPH, "F:C", "a w", "y", "", &attrs);
    put_weights(&h);
    put_ints(&attrs, 5, "pads", 4, 1);
    put_node(&h.graph, IN_GRAPH, "Conv", "x w", "a", "", &attrs);
    put_node(&h.graph, IN_GRAPH, "Conv", "a w", "y", "", NULL);
    assert_same(read_net(&f), read_net(&h));
}

static void function__overloads_are_told_apart(void **state)
{
    struct lr_strbuf nodes = {0}, more = {0}, attrs = {0};
    struct file f = {0}, h = {0};
    (void)state;
    put_node(&nodes, IN_FUNCTION, "Add", "x x", "y", "", NULL);
    put_function(&f, "G", "x", "y", &nodes, 13, NULL);
    pb_text(&more, 13, "r");
    put_node(&nodes, IN_FUNCTION, "Relu", "x", "y", "", NULL);
    put_function(&f, "G", "x", "y", &nodes, 13, &more);
    put_node(&f.graph, IN_GRAPH, "F:G", "x", "a", "", NULL);
    pb_text(&attrs, 8, "r");
    put_node(&f.graph, IN_GRAPH, "F:G", "a", "y", "", &attrs);
    put_node(&h.graph, IN_GRAPH, "Add", "x x", "a", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Relu", "a", "y", "", NULL);
    assert_same(read_net(&f), read_net(&h));
    pb_text(&attrs, 8, "s");
    f = (struct file){0};
    put_node(&nodes, IN_FUNCTION, "Relu", "x", "y", "", NULL);
    put_function(&f, "G", "x", "y", &nodes, 13, NULL);
    put_node(&f.graph, IN_GRAPH, "F:G", "x", "y", "", &attrs);
    refuse(&f, LR_EPARSE, "function G has no overload \"s\"");
}

/* Outputs that are inputs, the same value twice, and one nobody asks for. */
static void function__outputs_are_handed_on(void **state)
{
    struct lr_strbuf nodes = {0};
    struct file f = {0}, h = {0};
    (void)state;
    put_node(&nodes, IN_FUNCTION, "Relu", "x", "a", "", NULL);
    put_function(&f, "G", "x", "x a a", &nodes, 13, NULL);
    put_node(&f.graph, IN_GRAPH, "F:G", "x", "p q r", "g", NULL);
    put_node(&f.graph, IN_GRAPH, "F:G", "p", "- - s", "h", NULL);
    put_node(&f.graph, IN_GRAPH, "Add", "q r", "t", "", NULL);
    put_node(&f.graph, IN_GRAPH, "Add", "s t", "u", "", NULL);
    put_node(&f.graph, IN_GRAPH, "Add", "u p", "y", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Relu", "x", "r", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Add", "r r", "t", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Add", "r t", "u", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Add", "u x", "y", "", NULL);
    assert_same(read_net(&f), read_net(&h));
}

static void put_branch(struct lr_strbuf *attrs, const char *name, struct lr_strbuf *nodes,
                       const char *out)
{
    struct lr_strbuf b = {0}, g = {0}, v = {0};

    lr_strbuf_add(&g, nodes->s, nodes->len);
    lr_strbuf_free(nodes);
    pb_text(&g, 2, "branch");
    pb_text(&v, 1, out);
    pb_message(&g, 12, &v);
    pb_text(&b, 1, name);
    pb_message(&b, 6, &g);
    pb_int(&b, 20, GRAPH);
    pb_message(attrs, 5, &b);
}

/* A branch sees the function's values, hides none of them by its own, and calls. */
static void function__branches_inside_are_part_of_it(void **state)
{
    struct lr_strbuf nodes = {0}, inner = {0}, attrs = {0}, yes = {0};
    struct file f = {0}, h = {0};
    (void)state;
    put_node(&nodes, IN_FUNCTION, "Add", "x x", "y", "", NULL);
    put_function(&f, "Twice", "x", "y", &nodes, 13, NULL);
    put_node(&nodes, IN_FUNCTION, "Relu", "x", "r", "", NULL);
    put_node(&inner, IN_GRAPH, "Add", "r x", "a", "", NULL);
    put_node(&inner, IN_GRAPH, "F:Twice", "a", "b", "", NULL);
    put_branch(&attrs, "then_branch", &inner, "b");
    put_node(&inner, IN_GRAPH, "Identity", "x", "b", "", NULL);
    put_branch(&attrs, "else_branch", &inner, "b");
    put_node(&nodes, IN_FUNCTION, "If", "c", "y", "", &attrs);
    put_function(&f, "G", "x c", "y", &nodes, 13, NULL);
    pb_int(&yes, 2, 9);
    pb_text(&yes, 8, "yes");
    pb_bytes(&yes, 9, "\1", 1);
    pb_message(&f.graph, 5, &yes);
    put_node(&f.graph, IN_GRAPH, "F:G", "x yes", "a", "one", NULL);
    put_node(&f.graph, IN_GRAPH, "F:G", "a yes", "y", "two", NULL);
    struct lr_graph *g = read_net(&f);
    for (int k = 0; k < g->n_nodes; k++)
        assert_true(g->nodes[k].op != LR_OP_IF && g->nodes[k].op != LR_OP_UNKNOWN);
    put_node(&h.graph, IN_GRAPH, "Relu", "x", "r", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Add", "r x", "s", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Add", "s s", "a", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Relu", "a", "q", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Add", "q a", "t", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Add", "t t", "y", "", NULL);
    assert_same(g, read_net(&h));
}

/* The standard's operators are what they are; what is not called may be anything. */
static void function__of_a_known_operator_is_not_taken(void **state)
{
    struct lr_strbuf nodes = {0}, b = {0};
    struct file f = {0}, h = {0};
    (void)state;
    put_node(&nodes, IN_FUNCTION, "F:Loop", "x", "y", "", NULL);
    put_function(&f, "Loop", "x", "y", &nodes, 13, NULL);
    pb_text(&b, 1, "Relu");
    put_words(&b, 4, "x");
    put_words(&b, 5, "y");
    put_node(&b, IN_FUNCTION, "Add", "x x", "y", "", NULL);
    pb_message(&f.functions, 25, &b);
    put_node(&f.graph, IN_GRAPH, "Relu", "x", "y", "", NULL);
    put_node(&h.graph, IN_GRAPH, "Relu", "x", "y", "", NULL);
    assert_same(read_net(&f), read_net(&h));
}

/* ---- what is refused ---- */

static struct file call_of(const char *op, const char *in, const char *out, int opset)
{
    struct file f = {0};
    struct lr_strbuf nodes = {0};

    put_node(&nodes, IN_FUNCTION, op, in, out, "n", NULL);
    put_function(&f, "G", "x", "y", &nodes, opset, NULL);
    put_node(&f.graph, IN_GRAPH, "F:G", "x", "y", "call", NULL);
    return f;
}

static void function__recursion_is_refused(void **state)
{
    struct lr_strbuf nodes = {0};
    struct file f = call_of("F:G", "x", "y", 13);
    (void)state;
    refuse(&f, LR_EPARSE, "function G calls itself");
    f = call_of("F:H", "x", "y", 13);
    put_node(&nodes, IN_FUNCTION, "F:G", "x", "y", "", NULL);
    put_function(&f, "H", "x", "y", &nodes, 13, NULL);
    refuse(&f, LR_EPARSE, "function G calls itself by way of H");
}

static void function__expansion_is_bounded(void **state)
{
    struct lr_strbuf nodes = {0};
    char name[32], next[32];
    (void)state;
    for (int is_wide = 0; is_wide < 2; is_wide++) {
        struct file f = call_of("F:G0", "x", "y", 13);
        for (int i = 0; i < (is_wide ? 60 : 100); i++) {
            snprintf(name, sizeof(name), "G%d", i);
            snprintf(next, sizeof(next), "F:G%d", i + 1);
            put_node(&nodes, IN_FUNCTION, next, "x", is_wide ? "a" : "y", "", NULL);
            if (is_wide)
                put_node(&nodes, IN_FUNCTION, next, "a", "y", "", NULL);
            put_function(&f, name, "x", "y", &nodes, 13, NULL);
        }
        put_node(&nodes, IN_FUNCTION, "Relu", "x", "y", "", NULL);
        put_function(&f, is_wide ? "G60" : "G100", "x", "y", &nodes, 13, NULL);
        refuse(&f, LR_EUNSUP, is_wide ? "more than 50000 nodes and calls" : "64 levels");
    }
}

/* One attribute of a call that the function uses ten thousand times over. */
static void function__copies_of_attributes_are_bounded(void **state)
{
    struct lr_strbuf nodes = {0}, attrs = {0}, big = {0}, more = {0};
    struct file f = {0};
    char name[32];
    (void)state;
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "a%d", i);
        put_ref(&attrs, name, "big", 8);
    }
    put_node(&nodes, IN_FUNCTION, "Relu", "x", "y", "", &attrs);
    put_function(&f, "G", "x", "y", &nodes, 13, NULL);
    pb_text(&big, 1, "big");
    for (int i = 0; i < 1000; i++)
        pb_text(&big, 9, "s");
    pb_int(&big, 20, 8);
    pb_message(&more, 5, &big);
    put_node(&f.graph, IN_GRAPH, "F:G", "x", "y", "", &more);
    refuse(&f, LR_EUNSUP, "more than 2097152 parts");
}

static void function__other_opsets_are_taken_where_they_mean_the_same(void **state)
{
    struct file f = call_of("Softmax", "x", "y", 11);
    (void)state;
    refuse(&f, LR_EUNSUP,
           "function G is written for opset 11, the model for opset 13, and Softmax "
           "changed in opset 13");
    f = call_of("Relu", "x", "y", 11);
    lr_graph_free(read_net(&f));
    f = call_of("Relu", "x", "y", 18);
    lr_graph_free(read_net(&f));
    f = call_of("HardSwish", "x", "y", 18);
    refuse(&f, LR_EUNSUP, "HardSwish changed in opset 14");
    for (int i = 0; i < 2; i++) {
        f = call_of("Relu", "x", "y", i ? 25 : 6);
        refuse(&f, LR_EUNSUP, "before opset 7 or after opset 21 is not known here");
    }
    assert_int_equal(lr_onnx_changed("Shape", 13, 15), 0);
    assert_int_equal(lr_onnx_changed("Shape", 15, 13), 15);
    assert_int_equal(lr_onnx_changed("Squeeze", 13, 21), 0);
    assert_int_equal(lr_onnx_changed("Squeeze", 12, 21), 13);
    assert_int_equal(lr_onnx_changed("Squeeze", 6, 12), 7);
    assert_int_equal(lr_onnx_changed("Relu", 21, 23), 23);
}

static void function__broken_ones_are_named(void **state)
{
    struct lr_strbuf nodes = {0};
    struct file f = call_of("Add", "x q", "y", 13);
    (void)state;
    refuse(&f, LR_EPARSE, "function G: q is not defined");
    f = call_of("Relu", "x", "x", 13);
    refuse(&f, LR_EPARSE, "function G: x is defined twice");
    f = call_of("Relu", "x", "z", 13);
    refuse(&f, LR_EPARSE, "function G: y is an output, but not computed");
    f = call_of("Relu", "x", "y", 13);
    put_node(&nodes, IN_FUNCTION, "Relu", "x", "y", "", NULL);
    put_function(&f, "G", "x", "y", &nodes, 13, NULL);
    refuse(&f, LR_EPARSE, "function G of domain f is there twice");
    put_node(&nodes, IN_FUNCTION, "Relu", "x", "y", "", NULL);
    put_function(&f, "G", "x z", "y z", &nodes, 13, NULL);
    put_node(&f.graph, IN_GRAPH, "F:G", "x", "y t", "call", NULL);
    refuse(&f, LR_EPARSE, "function G: z is an output that the call does not put in");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(function__calls_are_what_they_stand_for),
        cmocka_unit_test(function__names_without_a_name_are_made),
        cmocka_unit_test(function__defaults_fill_what_a_call_leaves_out),
        cmocka_unit_test(function__overloads_are_told_apart),
        cmocka_unit_test(function__outputs_are_handed_on),
        cmocka_unit_test(function__branches_inside_are_part_of_it),
        cmocka_unit_test(function__of_a_known_operator_is_not_taken),
        cmocka_unit_test(function__recursion_is_refused),
        cmocka_unit_test(function__expansion_is_bounded),
        cmocka_unit_test(function__copies_of_attributes_are_bounded),
        cmocka_unit_test(function__other_opsets_are_taken_where_they_mean_the_same),
        cmocka_unit_test(function__broken_ones_are_named),
    };
    return cmocka_run_group_tests_name("model_function", tests, mb_fill_image, NULL);
}
