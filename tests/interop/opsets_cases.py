"""Cases of opsets.py: operators of real inputs."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from opsets_net import CASES, case, ints, one_image


def simple(kind, opsets, **attributes):
    for opset in opsets:
        CASES.append(("%s_%d%s" % (kind, opset, "".join("_" + str(v) for v in attributes.values())),
                      opset, lambda n, k=kind, a=attributes: n.add(k, "x", **a)))


simple("Gelu", [20, 21])
simple("Gelu", [20], approximate="tanh")
simple("Mish", [18])
simple("HardSwish", [14, 21])
simple("LpNormalization", [13], axis=1, p=2)
simple("LpNormalization", [13], axis=-1, p=1)
simple("LpPool", [11], kernel_shape=[2, 3], strides=[2, 2], pads=[1, 1, 0, 1])
simple("LpPool", [18], kernel_shape=[2, 2], dilations=[2, 2], p=3)
simple("AveragePool", [19], kernel_shape=[2, 2], dilations=[2, 3], ceil_mode=1)
simple("AveragePool", [19], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2],
       count_include_pad=1)
simple("GlobalLpPool", [13], p=3)
simple("DepthToSpace", [13], blocksize=2, mode="CRD")
simple("SpaceToDepth", [13], blocksize=2)
simple("Elu", [7], alpha=0.7)
simple("Selu", [7])
simple("Celu", [12], alpha=0.6)
simple("Softplus", [7])
simple("ThresholdedRelu", [10], alpha=0.3)
simple("LogSoftmax", [13], axis=1)
simple("Transpose", [21], perm=[0, 2, 3, 1])
for reduce in ("Mean", "Sum", "Max", "Min", "L2", "L1", "Prod", "LogSumExp", "SumSquare"):
    CASES.append(("Reduce%s_18_input" % reduce, 18,
                  lambda n, r=reduce: n.add("Reduce" + r, "x", ints(-1, 1), keepdims=0)))
    CASES.append(("Reduce%s_11" % reduce, 11,
                  lambda n, r=reduce: n.add("Reduce" + r, "x", axes=[2, 3], keepdims=1)))


@case(18)
def reduce_noop(n):
    return n.add("ReduceSum", "x", noop_with_empty_axes=1)


@case(18, 21)
def split_uneven(n):
    a, b, c, d = n.add("Split", "x", n_out=4, axis=3, num_outputs=4)
    return n.add("Concat", d, n.add("Relu", a), c, b, axis=3)


@case(11, 13)
def split_sizes(n):
    if n.opset < 13:
        a, b = n.add("Split", "x", n_out=2, axis=1, split=[3, 1])
    else:
        a, b = n.add("Split", "x", ints(3, 1), n_out=2, axis=1)
    return n.add("Mul", a, b)


@case(18, 21)
def group_norm(n):
    c = 2 if n.opset < 21 else 4
    return n.add("GroupNormalization", "x", n.floats(c), n.floats(c), num_groups=2, epsilon=1e-3)


@case(17)
def layer_norm(n):
    return n.add("LayerNormalization", "x", n.floats(6, 10), n.floats(6, 10), axis=2)


@case(7, 21)
def instance_norm(n):
    return n.add("InstanceNormalization", "x", n.floats(4), n.floats(4))


@case(18)
def pad_axes(n):
    return n.add("Pad", "x", ints(1, 2, 0, 3), np.float32(0.5), ints(3, -2))


@case(19)
def pad_wrap(n):
    return n.add("Pad", "x", ints(0, 0, 2, 1, 0, 0, 1, 3), mode="wrap")


def resize(name, opset, sizes=None, scales=None, **attributes):
    def f(n):
        if scales:
            rest = ["", np.array(scales, np.float32)]
        elif len(sizes) < 4:
            rest = ["", "", ints(*sizes)]
        else:  # as exporters write it: the batch is that of the image
            batch = n.add("Slice", n.add("Shape", "x"), ints(0), ints(1), ints(0))
            rest = ["", "", n.add("Concat", batch, ints(*sizes[1:]), axis=0)]
        return n.add("Resize", "x", *rest, **attributes)
    CASES.append(("resize_" + name + "_%d" % opset, opset, f))


for coord in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
    for mode in ("nearest", "linear", "cubic"):
        resize(coord + "_" + mode, 13, scales=[1, 1, 1.5, 2.4], mode=mode,
               coordinate_transformation_mode=coord)
        resize(coord + "_" + mode + "_sizes", 13, sizes=[0, 4, 4, 17], mode=mode,
               coordinate_transformation_mode=coord)
for near in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
    resize("nearest_" + near, 13, scales=[1, 1, 1.7, 0.6], mode="nearest", nearest_mode=near)
for mode in ("linear", "cubic"):
    resize("antialias_" + mode, 18, scales=[1, 1, 0.6, 0.45], mode=mode, antialias=1)
    resize("symmetric_" + mode, 19, scales=[1, 1, 0.7, 1.3], mode=mode,
           coordinate_transformation_mode="half_pixel_symmetric")
resize("ties", 13, sizes=[0, 4, 9, 84], mode="nearest",
       coordinate_transformation_mode="asymmetric")
resize("axes", 18, sizes=[9, 15], mode="linear", axes=[2, 3])
resize("not_larger", 18, sizes=[9, 11], mode="linear", axes=[2, 3],
       keep_aspect_ratio_policy="not_larger")
resize("not_smaller", 18, sizes=[9, 11], mode="nearest", axes=[2, 3],
       keep_aspect_ratio_policy="not_smaller")
resize("pytorch_to_one", 13, sizes=[0, 4, 1, 17], mode="cubic",
       coordinate_transformation_mode="pytorch_half_pixel")
resize("excluding", 13, scales=[1, 1, 0.8, 1.5], mode="cubic", exclude_outside=1)


@case(9)
def upsample(n):
    return n.add("Upsample", "x", np.array([1, 1, 2, 3], np.float32), mode="nearest")


@case(10)
def resize_old(n):
    return n.add("Resize", "x", np.array([1, 1, 2, 1.5], np.float32), mode="linear")


@case(11, 21)
def conv_transpose(n):
    return n.add("ConvTranspose", "x", n.floats(4, 3, 3, 2), n.floats(6), group=2,
                 strides=[2, 3], pads=[1, 0, 1, 1], output_padding=[1, 0])


@case(11)
def conv_1d_3d(n):
    a = n.add("Conv", n.add("Reshape", "x", ints(0, 4, 60)), n.floats(5, 4, 3), strides=[2])
    b = n.add("Conv", n.add("Unsqueeze", "x", axes=[4]), n.floats(5, 4, 2, 3, 1))
    return n.add("Mul", n.add("ReduceMean", a, axes=[2], keepdims=0),
                 n.add("ReduceMean", b, axes=[2, 3, 4], keepdims=0))


@case(13, 21)
def quantized_weights(n):
    w = n.rng.randint(-127, 127, (6, 4, 3, 3)).astype(np.int8)
    dq = n.add("DequantizeLinear", w, np.full(6, 0.01, np.float32), np.zeros(6, np.int8), axis=0)
    return n.add("Relu", n.add("Conv", "x", dq, n.floats(6)))


@case(13)
def quantized_activations(n):
    q = n.add("QuantizeLinear", "x", np.float32(0.02), np.uint8(100))
    return n.add("DequantizeLinear", q, np.float32(0.02), np.uint8(100))


@case(13)
def half_weights(n):
    w = n.add("Cast", n.floats(6, 4, 1, 1).astype(np.float16), to=TensorProto.FLOAT)
    return n.add("Conv", "x", w)


@case(13)
def double_weights(n):
    w = n.add("Cast", n.floats(6, 4, 1, 1).astype(np.float64), to=TensorProto.FLOAT)
    return n.add("Conv", "x", w)


@case(13)
def bfloat16_weights(n):
    bits = (n.floats(6, 4, 1, 1).view(np.uint32) >> 16).astype(np.uint16)
    w = n.raw(bits.tobytes(), TensorProto.BFLOAT16, [6, 4, 1, 1])
    return n.add("Conv", "x", n.add("Cast", w, to=TensorProto.FLOAT))


@case(13)
def shuffle(n):
    shape = n.add("Shape", "x")
    batch = n.add("Gather", shape, ints(0), axis=0)
    y = n.add("Reshape", "x", n.add("Concat", batch, ints(2, 2, 6, 10), axis=0))
    y = n.add("Transpose", y, perm=[0, 2, 1, 3, 4])
    return n.add("Reshape", y, n.add("Concat", batch, ints(-1, 6, 10), axis=0))


@case(13)
def masks(n):
    big = n.add("Greater", "x", np.float32(0.3))
    small = n.add("Not", n.add("Less", "x", np.float32(0.8)))
    y = n.add("Where", n.add("And", big, n.add("Not", small)), "x", np.float32(-1))
    return n.add("Add", y, n.add("Cast", big, to=TensorProto.FLOAT))


@case(13)
def position(n):
    i = n.add("ArgMax", "x", axis=1, keepdims=1)
    return n.add("Mul", n.add("GatherElements", "x", i, axis=1), n.add("Cast", i, to=1))


@case(13)
def swish(n):
    y = n.add("Conv", "x", n.floats(6, 4, 3, 3))
    return n.add("Mul", y, n.add("Sigmoid", y))


@case(13)
def einsum_matmul(n):
    return n.add("Einsum", "x", n.floats(10, 5), equation="nchw,wk->nchk")


@case(13)
def tile_expand(n):
    y = n.add("Tile", "x", ints(1, 2, 1, 2))
    return n.add("Mul", y, n.add("Expand", n.floats(8, 1, 1), ints(1, 8, 6, 20)))


@case(13)
def prelu(n):
    return n.add("PRelu", "x", n.floats(4, 1, 1))


@case(13)
def powers(n):
    y = n.add("Pow", n.add("Abs", "x"), np.float32(1.5))
    return n.add("Div", n.add("Sub", y, n.add("Min", "x", y)), n.add("Max", y, np.float32(0.1)))


@case(13)
def branch(n):
    def graph(kind):
        out = helper.make_tensor_value_info("o_" + kind, TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(kind, ["x"], ["o_" + kind])], kind, [], [out])
    return n.add("If", np.array(True), then_branch=graph("Tanh"), else_branch=graph("Neg"))


@case(13)
def across_the_batch(n):
    """Rows of all images in one matrix: runs one image at a time."""
    y = n.add("Transpose", n.add("Conv", "x", n.floats(5, 4, 1, 1)), perm=[0, 2, 3, 1])
    y = n.add("MatMul", n.add("Reshape", y, ints(-1, 5)), n.floats(5, 5))
    return n.add("Reshape", n.add("Relu", y), ints(-1, 6, 10, 5))


@case(7, 19)
def equal(n):
    y = n.add("Equal", n.add("Cast", "x", to=TensorProto.INT32), np.int32(0))
    return n.add("Cast", y, to=TensorProto.FLOAT)


@case(20)
def reduce_max_bool(n):
    y = n.add("ReduceMax", n.add("Greater", "x", np.float32(1.5)), ints(3), keepdims=1)
    return n.add("Cast", y, to=TensorProto.FLOAT)


@case(14, 21)
def reshape_allowzero(n):
    return n.add("Reshape", "x", ints(-1, 4, 60), allowzero=1)


@case(21)
def quantized_in_blocks(n):
    w = n.rng.randint(-127, 127, (6, 4, 3, 3)).astype(np.int8)
    scale = (0.01 + 0.01 * n.rng.rand(6, 2, 3, 3)).astype(np.float32)
    zero = n.rng.randint(-9, 9, (6, 2, 3, 3)).astype(np.int8)
    return n.add("Conv", "x", n.add("DequantizeLinear", w, scale, zero, axis=1, block_size=2))


@case(13, 19, 21)
def constants(n):
    c = n.add("Reshape", n.add("Constant", value_floats=[1.0, -2.0, 0.5, 4.0]), ints(4, 1, 1))
    half = numpy_helper.from_array(np.array([2.5], np.float32))
    return n.add("Mul", n.add("Mul", "x", c), n.add("ConstantOfShape", ints(6, 1), value=half))


@case(10, 11)
def top_k(n):
    values, places = n.add("TopK", "x", ints(3), n_out=2, axis=1)
    return n.add("Mul", values, n.add("Cast", places, to=TensorProto.FLOAT))


@case(11)
def top_k_smallest(n):
    return n.add("Cast", n.add("TopK", "x", ints(4), n_out=2, axis=2, largest=0)[1], to=1)


@case(13)
def scatter(n):
    i = n.add("ArgMax", "x", axis=3, keepdims=1)
    ones = n.add("Exp", n.add("Mul", n.add("Cast", i, to=1), np.float32(0)))
    return n.add("ScatterElements", "x", i, ones, axis=3)


@case(13, 16)
@one_image
def scatter_nd(n):
    rows = np.array([[0, 1], [0, 3]], np.int64)
    extra = {"reduction": "add"} if n.opset > 13 else {}
    return n.add("ScatterND", "x", rows, n.floats(2, 6, 10), **extra)


@case(13)
def gather_nd(n):
    i = n.add("ArgMax", "x", axis=1, keepdims=0)
    i = n.add("Unsqueeze", n.add("ReduceMax", i, axes=[2], keepdims=0), ints(2))
    return n.add("GatherND", "x", i, batch_dims=1)


@case(11)
def one_hot(n):
    i = n.add("ArgMax", "x", axis=1, keepdims=0)
    return n.add("OneHot", i, ints(4), np.array([-0.5, 2], np.float32), axis=1)


@case(14)
def triangles(n):
    return n.add("Sub", n.add("Trilu", "x", np.int64(1)), n.add("Trilu", "x", upper=0))


for _mode in ("bilinear", "nearest", "bicubic"):
    for _pad in ("zeros", "border", "reflection"):
        for _aligned in (0, 1):
            CASES.append(("grid_%s_%s_%d" % (_mode, _pad, _aligned), 16,
                          lambda n, m=_mode, p=_pad, a=_aligned: n.add(
                              "GridSample", "x", n.add("Transpose", n.add(
                                  "Slice", n.add("Mul", "x", np.float32(0.7)), ints(0), ints(2),
                                  ints(1)), perm=[0, 2, 3, 1]),
                              mode=m, padding_mode=p, align_corners=a)))


@case(13)
def arcs(n):
    y = n.add("Tanh", "x")
    y = n.add("Add", n.add("Asin", y), n.add("Add", n.add("Acos", y), n.add("Atanh", y)))
    y = n.add("Add", y, n.add("Add", n.add("Atan", "x"), n.add("Asinh", "x")))
    y = n.add("Add", y, n.add("Acosh", n.add("Cosh", "x")))
    return n.add("Add", y, n.add("Add", n.add("Tan", n.add("Tanh", "x")), n.add("Sinh", "x")))


def recurrent(name, kind, gates, opset, direction="forward", first=False, **attributes):
    """A row of the image is a step."""
    def f(n):
        d = 2 if direction == "bidirectional" else 1
        x = n.add("Reshape", "x", ints(0, 24, 10))
        x = x if first else n.add("Transpose", x, perm=[1, 0, 2])
        weights = [n.floats(d, gates * 5, 10), n.floats(d, gates * 5, 5), n.floats(d, 2 * gates * 5)]
        extra = dict(attributes, hidden_size=5, direction=direction)
        if first:
            extra["layout"] = 1
        y = n.add(kind, x, *weights, n_out=2, **extra)
        if first:
            return n.add("ReduceSum", y[0], ints(1, 2), keepdims=0)
        both = n.add("Transpose", y[0], perm=[2, 0, 1, 3])
        last = n.add("Unsqueeze", n.add("Transpose", y[1], perm=[1, 0, 2]), ints(1))
        return n.add("Concat", both, last, axis=1)
    CASES.append(("recurrent_" + name, opset, f))


for _d in ("forward", "reverse", "bidirectional"):
    recurrent("lstm_" + _d, "LSTM", 4, 13, _d)
    recurrent("gru_" + _d, "GRU", 3, 13, _d)
    recurrent("gru_after_" + _d, "GRU", 3, 13, _d, linear_before_reset=1)
    recurrent("rnn_" + _d, "RNN", 1, 13, _d)
recurrent("lstm_named", "LSTM", 4, 13, "bidirectional",
          activations=["Sigmoid", "Tanh", "Tanh"] * 2)
recurrent("rnn_relu", "RNN", 1, 13, activations=["Relu"])


@case(13)
@one_image
def lstm_last(n):
    """Only the last state is wanted, with first states and peepholes."""
    x = n.add("Transpose", n.add("Reshape", "x", ints(0, 24, 10)), perm=[1, 0, 2])
    n.nodes.append(helper.make_node(
        "LSTM", [x] + [n.add("Identity", w) for w in (
            n.floats(1, 20, 10), n.floats(1, 20, 5), n.floats(1, 40))] + [""] +
        [n.add("Identity", w) for w in (n.floats(1, 1, 5), n.floats(1, 1, 5), n.floats(1, 15))],
        ["", "last", "cell"], name="lstm", hidden_size=5))
    return n.add("Add", n.add("Squeeze", "last", ints(0)), n.add("Squeeze", "cell", ints(0)))


@case(19, 21)
def average_pool_ceil(n):
    """What a window that ceil_mode lets run past the pads is divided by."""
    return n.add("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1,
                 count_include_pad=1, pads=[1, 1, 1, 1])
