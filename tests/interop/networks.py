"""Small networks with seeded random weights for the comparison with ONNX Runtime: each
supported operator somewhere, opsets 7 to 17, in the forms exporters write them."""
import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, shape_inference


class Net:
    """A chain (or tree) of nodes; every call returns the name of its output."""

    def __init__(self, name, opset, seed, shape, batch="N"):
        self.name, self.opset, self.shape, self.batch = name, opset, list(shape), batch
        self.rng = np.random.RandomState(seed)
        self.nodes, self.weights, self.count = [], [], 0

    def fresh(self, stem):
        self.count += 1
        return "%s_%d" % (stem, self.count)

    def weight(self, *dims, scale=0.3, values=None):
        name = self.fresh("w")
        if values is None:
            values = (self.rng.standard_normal(dims) * scale).astype(np.float32)
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def integers(self, *values):
        return self.weight(values=np.array(values, np.int64))

    def number(self, value):
        return self.weight(values=np.array(value, np.float32))

    def node(self, kind, *inputs, **attributes):
        out = self.fresh(kind.lower())
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name="n_" + out,
                                           **attributes))
        return out

    def conv(self, x, c, d, k=3, bias=True, group=1, **attributes):
        kh, kw = (k, k) if isinstance(k, int) else k
        if "pads" not in attributes and "auto_pad" not in attributes:
            attributes["pads"] = [kh // 2, kw // 2, (kh - 1) // 2, (kw - 1) // 2]
        inputs = [x, self.weight(d, c // group, kh, kw, scale=1.5 / np.sqrt(c // group * kh * kw))]
        if bias:
            inputs.append(self.weight(d))
        return self.node("Conv", *inputs, kernel_shape=[kh, kw], group=group, **attributes)

    def relu(self, x):
        return self.node("Relu", x)

    def bn(self, x, c):
        variance = self.weight(values=self.rng.uniform(0.3, 2, c).astype(np.float32))
        return self.node("BatchNormalization", x, self.weight(c, scale=1), self.weight(c),
                         self.weight(c), variance, epsilon=1e-4)

    def fc(self, x, k, m):
        return self.node("Gemm", x, self.weight(m, k, scale=1 / np.sqrt(k)), self.weight(m),
                         transB=1)

    def constant(self, values):
        array = numpy_helper.from_array(np.asarray(values, np.int64), self.fresh("c"))
        return self.node("Constant", value=array)

    def save(self, path, out):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [self.batch] + self.shape)
        y = helper.make_tensor_value_info(out, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, self.name, [x], [y], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8 if self.opset >= 15 else 6
        # the checker wants a shape for the output; where none can be inferred it is a matrix
        model = shape_inference.infer_shapes(model)
        known = model.graph.output[0].type.tensor_type
        if not known.HasField("shape"):
            known.shape.dim.add().dim_param = self.batch
            known.shape.dim.add().dim_param = "M"
        del model.graph.value_info[:]
        checker.check_model(model)
        with open(path, "wb") as f:
            f.write(model.SerializeToString())


def build(n):
    """Fills n by its name; returns the output's name."""
    return globals()["net_" + n.name](n)


def net_chain(n):
    x = n.relu(n.conv("x", 3, 17, k=(3, 5), pads=[0, 2, 1, 2]))
    x = n.node("LeakyRelu", n.conv(x, 17, 20, strides=[2, 1], bias=False), alpha=0.1)
    x = n.node("MaxPool", x, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 0, 1])
    x = n.node("Flatten", x)
    x = n.relu(n.fc(x, 20 * 4 * 8, 24))
    return n.node("Softmax", n.fc(x, 24, 10))


def net_groups(n):
    x = n.relu(n.conv("x", 6, 24, group=3, dilations=[2, 2], pads=[2, 2, 2, 2]))
    x = n.node("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
               count_include_pad=1)
    x = n.node("LRN", x, size=5, alpha=0.3, beta=0.75, bias=1.2)
    x = n.relu(n.bn(x, 24))
    return n.node("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 0])


def net_concat(n):
    x = n.relu(n.bn(n.conv("x", 3, 16), 16))
    a, b = n.relu(n.conv(x, 16, 8, 1)), n.relu(n.conv(n.relu(n.conv(x, 16, 9, 1)), 9, 16))
    p = n.conv(n.node("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 16, 5, 1)
    x = n.node("Concat", a, b, p, axis=1)
    x = n.node("Dropout", n.conv(x, 29, 12), ratio=0.4)
    return n.node("Reshape", x, n.integers(0, -1))


def net_shape_subgraph(n):
    x = n.relu(n.conv("x", 3, 16, strides=[2, 2]))
    first = n.node("Gather", n.node("Shape", x), n.weight(values=np.array(0, np.int64)), axis=0)
    rest = n.constant([-1])
    shape = n.node("Concat", n.node("Unsqueeze", first, axes=[0]), rest, axis=0)
    x = n.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=0)
    return n.fc(n.node("Reshape", x, shape), 16 * 16, 7)


def net_clip_inputs(n):
    x = n.node("Pad", "x", n.integers(0, 0, 1, 2, 0, 0, 2, 1), n.number(0.5), mode="constant")
    x = n.node("Clip", n.conv(x, 3, 32, pads=[0, 0, 0, 0], strides=[2, 2]), n.number(0),
               n.number(6))
    x = n.node("Clip", n.conv(x, 32, 32, group=32), n.number(0), n.number(6))
    x = n.conv(x, 32, 24, 1)
    x = n.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    return n.node("Pad", x, n.integers(0, 1, 0, 1, 0, 0, 2, 1))


def net_residual(n):
    x = n.relu(n.conv("x", 3, 16))
    y = n.relu(n.node("Add", n.conv(n.relu(n.conv(x, 16, 16)), 16, 16), x))
    short = n.conv(y, 16, 32, 1, strides=[2, 2], pads=[0, 0, 0, 0])
    z = n.conv(n.relu(n.conv(y, 16, 32, strides=[2, 2], pads=[1, 1, 1, 1])), 32, 32)
    z = n.relu(n.node("Add", short, z))
    z = n.node("Squeeze", n.node("GlobalAveragePool", z), axes=[2, 3])
    return n.fc(n.node("Dropout", z), 32, 10)


def net_softmax_axis(n):
    x = n.node("Unsqueeze", n.fc(n.node("Flatten", "x", axis=1), 3 * 64, 12), n.constant([1]))
    x = n.node("Softmax", x, axis=2)
    return n.node("Squeeze", x, n.constant([1]))


def net_gates(n):
    x = n.relu(n.conv("x", 3, 16))
    g = n.node("GlobalAveragePool", x)
    g = n.node("Sigmoid", n.conv(n.relu(n.conv(g, 16, 4, 1)), 4, 16, 1))
    x = n.node("Mul", x, g)
    x = n.node("Add", x, n.weight(16, 1, 1))
    return n.node("Mul", x, n.number(-0.7))


def net_lrn_tanh(n):
    x = n.node("Tanh", n.bn(n.conv("x", 3, 20, bias=False), 20))
    x = n.node("LRN", x, size=3, alpha=0.1, beta=0.5)
    x = n.bn(n.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 20)
    return n.node("Sigmoid", n.conv(x, 20, 6, 3))


def net_tokens(n):
    x = n.conv("x", 3, 16, 4, strides=[4, 4], pads=[0, 0, 0, 0])
    x = n.node("Transpose", n.node("Reshape", x, n.integers(0, 16, 16)), perm=[0, 2, 1])
    a = n.node("Softmax", n.node("MatMul", x, n.weight(16, 16)), axis=1)
    x = n.node("Add", n.node("Mul", a, n.node("Sigmoid", x)), x)
    x = n.node("Add", n.node("MatMul", x, n.weight(16, 12)), n.weight(12))
    return n.node("Identity", x)


def net_separable(n):
    x = "x"
    c = 3
    for d in (16, 24):
        x = n.relu(n.conv(x, c, c, group=c, strides=[2, 2], pads=[1, 1, 1, 1]))
        x = n.relu(n.conv(x, c, d, 1))
        c = d
    return n.node("Cast", n.node("GlobalAveragePool", x), to=TensorProto.FLOAT)


def net_auto_pad(n):
    x = n.relu(n.conv("x", 3, 16, (3, 4), strides=[2, 2], auto_pad="SAME_UPPER"))
    x = n.relu(n.conv(x, 16, 8, 2, auto_pad="SAME_LOWER"))
    x = n.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER")
    return n.conv(x, 8, 5, 3, auto_pad="VALID")


def net_gemm_forms(n):
    x = n.node("Gemm", n.node("Flatten", "x"), n.weight(192, 20, scale=0.1), n.weight(1, 20),
               alpha=0.5, beta=2.0)
    x = n.node("Gemm", n.node("Tanh", x), n.weight(9, 20), n.number([0.25]), transB=1, alpha=-1.5)
    return n.node("Clip", x, min=-1.0, max=2.0)


def net_spatial(n):
    x = n.conv("x", 3, 11, (3, 1), strides=[2, 1], pads=[1, 0, 1, 0])
    x = n.conv(x, 11, 20, (1, 3), strides=[1, 2], pads=[0, 1, 0, 1])
    x = n.relu(n.conv(x, 20, 40, 1))
    x = n.node("Pad", x, mode="constant", value=-0.25, pads=[0, 0, 1, 0, 0, 0, 0, 2])
    return n.node("LRN", x, size=5)


def net_ceil(n):
    x = n.relu(n.conv("x", 3, 16))
    x = n.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    x = n.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    return n.conv(x, 16, 8)


def net_pad_modes(n):
    x = n.node("Pad", "x", n.integers(0, 0, 2, 3, 0, 0, 3, 1), mode="reflect")
    x = n.relu(n.conv(x, 3, 16))
    x = n.node("Pad", x, n.integers(0, 0, 1, 0, 0, 0, 2, 4), mode="edge")
    x = n.node("Pad", n.conv(x, 16, 12), n.integers(0, -2, -1, 2, 0, 1, -1, -3), n.number(0.5))
    return n.conv(x, 11, 6)


def net_attention(n):
    x = n.conv("x", 3, 16, 4, strides=[4, 4], pads=[0, 0, 0, 0])
    x = n.node("Reshape", x, n.integers(0, 2, 8, 16))
    scores = n.node("MatMul", n.node("Transpose", x, perm=[0, 1, 3, 2]), x)
    x = n.node("MatMul", x, n.node("Softmax", scores, axis=3))
    x = n.node("MatMul", x, n.weight(2, 16, 5, scale=0.3))
    x = n.node("MatMul", n.weight(3, 8), x)
    return n.node("MatMul", x, n.weight(5))


def net_gemm_sums(n):
    x = n.node("Flatten", "x")
    a = n.fc(x, 192, 10)
    return n.node("Gemm", x, n.node("Tanh", n.weight(192, 10)), a, beta=-0.5)


def net_channels_last(n):
    """As tf2onnx writes Keras networks: channels last, Transposes in pairs, Pad before the
    convolution, Mul and Add for a normalisation, a bias added behind."""
    x = n.node("Pad", n.node("Transpose", "x", perm=[0, 3, 1, 2]),
               n.integers(0, 0, 0, 0, 0, 0, 1, 1))
    x = n.conv(x, 3, 20, strides=[2, 2], pads=[0, 0, 0, 0], bias=False)
    x = n.node("Add", n.node("Mul", x, n.weight(20, 1, 1, scale=1)), n.weight(20, 1, 1))
    x = n.node("Clip", x, n.number(0), n.number(6))
    x = n.node("Transpose", n.node("Transpose", x, perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2])
    x = n.node("Add", n.conv(x, 20, 24, bias=False, strides=[2, 2], auto_pad="SAME_UPPER"),
               n.weight(1, 24, 1, 1))
    x = n.relu(n.node("Transpose", x, perm=[0, 2, 3, 1]))
    x = n.node("Reshape", x, n.integers(-1, 24 * 16))
    return n.node("Add", n.node("MatMul", x, n.weight(24 * 16, 10, scale=0.1)), n.weight(10))


# Layers of every kind that is approximated, wide enough that a split of each pays.


def net_grouped_layers(n):
    x = n.relu(n.conv("x", 8, 32, group=2))
    x = n.node("Clip", n.conv(x, 32, 32, group=4, strides=[2, 2], pads=[1, 1, 1, 1]), n.number(0),
               n.number(6))
    x = n.node("LeakyRelu", n.conv(x, 32, 48, 1, group=4), alpha=0.2)
    return n.conv(x, 48, 24, group=8)


def net_fc_layers(n):
    x = n.relu(n.fc(n.node("Flatten", "x"), 192, 40))
    x = n.node("Gemm", x, n.weight(40, 32, scale=0.2), n.weight(1, 32), alpha=0.5, beta=-2.0)
    x = n.node("LeakyRelu", n.node("Gemm", x, n.weight(32, 24, scale=0.2)), alpha=0.1)
    x = n.node("MatMul", n.relu(x), n.weight(24, 20))
    return n.fc(n.relu(n.node("Add", x, n.weight(20))), 20, 10)


def net_broadcast_sum(n):
    x = n.relu(n.conv("x", 3, 16))
    gate = n.conv(n.node("GlobalAveragePool", x), 16, 16, 1)
    x = n.relu(n.node("Add", n.conv(x, 16, 16), gate))
    x = n.relu(n.node("Add", n.conv(x, 16, 16), n.weight(16, 1, 1)))
    y = n.conv(x, 16, 16)
    return n.relu(n.node("Add", n.node("Add", y, y), x))


def net_windows(n):
    x = n.relu(n.conv("x", 3, 24, 7, strides=[2, 2], pads=[3, 3, 3, 3]))
    x = n.relu(n.conv(x, 24, 24, 5, strides=[2, 1], pads=[2, 1, 0, 3]))
    x = n.relu(n.conv(x, 24, 24, 3, dilations=[2, 2], pads=[2, 2, 2, 2]))
    x = n.relu(n.conv(x, 24, 24, (1, 7)))
    x = n.relu(n.conv(x, 24, 24, (7, 1)))
    return n.conv(x, 24, 16, 3, pads=[0, 1, 2, 0])


# name, opset, input shape without the batch, batch dimension
ALL = [
    ("chain", 7, (3, 16, 16), "N"), ("groups", 8, (6, 15, 13), "N"),
    ("concat", 9, (3, 10, 9), "N"), ("shape_subgraph", 10, (3, 16, 16), "N"),
    ("clip_inputs", 11, (3, 15, 17), "N"), ("residual", 12, (3, 16, 16), 6),
    ("softmax_axis", 13, (3, 8, 8), "N"), ("gates", 14, (3, 9, 9), "N"),
    ("lrn_tanh", 15, (3, 12, 12), "N"), ("tokens", 16, (3, 16, 16), "N"),
    ("separable", 17, (3, 14, 14), "N"), ("auto_pad", 9, (3, 13, 14), "N"),
    ("gemm_forms", 10, (3, 8, 8), "N"), ("spatial", 8, (3, 13, 13), "N"),
    ("ceil", 12, (3, 14, 14), "N"), ("pad_modes", 13, (3, 12, 11), "N"),
    ("attention", 13, (3, 16, 16), "N"), ("gemm_sums", 13, (3, 8, 8), "N"),
    ("grouped_layers", 13, (8, 12, 12), "N"), ("fc_layers", 11, (3, 8, 8), "N"),
    ("broadcast_sum", 13, (3, 10, 10), "N"), ("windows", 9, (3, 32, 30), "N"),
    ("channels_last", 13, (16, 16, 3), "N"),
]
# Those that a plan over all layers, whatever the method, is solved and exported for.
PLANNED = ("grouped_layers", "fc_layers", "broadcast_sum", "windows", "residual", "chain",
           "channels_last")

# Those without a kernel that could be split in two.
NO_KERNELS = ("fc_layers",)


def write_all(folder):
    """Writes every network and an input of 6 images for it; yields (name, opset, model,
    input)."""
    for i, (name, opset, shape, batch) in enumerate(ALL):
        net = Net(name, opset, 100 + i, shape, batch)
        model = "%s/net-%s-%d.onnx" % (folder, name, opset)
        net.save(model, build(net))
        data = "%s/net-%s.in.npy" % (folder, name)
        np.save(data, net.rng.standard_normal((6,) + tuple(shape)).astype(np.float32))
        yield name, opset, model, data
