#!/usr/bin/python3
"""Writes what the bench case vgg16 works on: VGG-16 (configuration D of Simonyan and
Zisserman) as ONNX with random weights after He et al., and smooth random images.

usage: make_vgg16.py MODEL.onnx [IMAGES.npy COUNT]

Random weights have no classes to tell apart, but shapes, sizes and running times of the
trained network. The images are sums of bilinear grids of several scales, so that their
energy falls with frequency as that of photographs does."""
import sys

import numpy as np

SIZE = 224
STAGES = [(1, 2, 64), (2, 2, 128), (3, 3, 256), (4, 3, 512), (5, 3, 512)]
FULL = [("fc6", 4096), ("fc7", 4096), ("fc8", 1000)]


def make_model(path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    nodes, weights = [], []

    def add_weights(name, shape, n_in):
        w = rng.standard_normal(shape, dtype=np.float32)
        w *= np.float32(np.sqrt(2.0 / n_in))
        b = np.zeros(shape[0], np.float32)
        weights.append(numpy_helper.from_array(w, name + "_w"))
        weights.append(numpy_helper.from_array(b, name + "_b"))
        return [name + "_w", name + "_b"]

    def relu(x, name):
        nodes.append(helper.make_node("Relu", [x], [name + "_r"], name="relu_" + name))
        return name + "_r"

    x, c, side = "image", 3, SIZE
    for stage, n, d in STAGES:
        for i in range(1, n + 1):
            name = "conv%d_%d" % (stage, i)
            inputs = [x] + add_weights(name, (d, c, 3, 3), 9 * c)
            nodes.append(helper.make_node("Conv", inputs, [name], name=name,
                                          kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
            x, c = relu(name, name), d
        pool = "pool%d" % stage
        nodes.append(helper.make_node("MaxPool", [x], [pool], name=pool,
                                      kernel_shape=[2, 2], strides=[2, 2]))
        x, side = pool, side // 2
    nodes.append(helper.make_node("Flatten", [x], ["flat"], name="flat"))
    x, n_in = "flat", c * side * side
    for name, d in FULL:
        inputs = [x] + add_weights(name, (d, n_in), n_in)
        nodes.append(helper.make_node("Gemm", inputs, [name], name=name, transB=1))
        x, n_in = (name if name == FULL[-1][0] else relu(name, name)), d
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT,
                                          ["n", 3, SIZE, SIZE])
    out = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", FULL[-1][1]])
    graph = helper.make_graph(nodes, "vgg16", [image], [out], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.save(model, path)


def bilinear(n, grid):
    """[n, grid]: weights that stretch a row of grid values to n."""
    at = np.linspace(0, grid - 1, n)
    low = np.minimum(at.astype(int), grid - 2)
    m = np.zeros((n, grid), np.float32)
    m[np.arange(n), low] = 1 - (at - low)
    m[np.arange(n), low + 1] += at - low
    return m


def make_images(path, count):
    rng = np.random.default_rng(2)
    grids = [3, 6, 12, 24, 48, 96]
    stretch = [bilinear(SIZE, g) for g in grids]
    out = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 3, SIZE, SIZE))
    for i in range(count):
        image = np.zeros((3, SIZE, SIZE), np.float32)
        for g, m in zip(grids, stretch):
            both = rng.standard_normal((1, g, g), dtype=np.float32)
            own = rng.standard_normal((3, g, g), dtype=np.float32)
            image += m @ (both + 0.5 * own) @ m.T * np.float32(3.0 / g)
        out[i] = np.clip(127 + 45 * image, 0, 255)
    out.flush()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    if sys.argv[1] != "-":
        make_model(sys.argv[1])
    if len(sys.argv) == 4:
        make_images(sys.argv[2], int(sys.argv[3]))
