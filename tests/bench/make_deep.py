#!/usr/bin/python3
"""Writes a chain of 120 convolutions (3 x 3, each with a ReLU) at 1024 x 1024 as ONNX with
random weights, and smooth random images for it.

usage: make_deep.py MODEL.onnx CHANNELS IMAGES.npy COUNT"""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from make_vgg16 import bilinear

SIZE, LAYERS = 1024, 120


def make_model(path, d):
    rng = np.random.default_rng(1)
    nodes, weights = [], []
    x, c = "image", 3
    for i in range(1, LAYERS + 1):
        name = "conv%d" % i
        w = rng.standard_normal((d, c, 3, 3), dtype=np.float32)
        w *= np.float32(np.sqrt(2.0 / (9 * c)))
        weights.append(numpy_helper.from_array(w, name + "_w"))
        weights.append(numpy_helper.from_array(np.zeros(d, np.float32), name + "_b"))
        nodes.append(helper.make_node("Conv", [x, name + "_w", name + "_b"], [name],
                                      name=name, kernel_shape=[3, 3], pads=[1] * 4))
        x, c = name + "_r", d
        nodes.append(helper.make_node("Relu", [name], [x], name="relu%d" % i))
    shape = ["n", 3, SIZE, SIZE]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    out = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", d, SIZE, SIZE])
    graph = helper.make_graph(nodes, "deep", [image], [out], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.save(model, path)


def make_images(path, count):
    rng = np.random.default_rng(2)
    grids = [3, 12, 48, 192]
    stretch = [bilinear(SIZE, g) for g in grids]
    x = np.zeros((count, 3, SIZE, SIZE), np.uint8)
    for i in range(count):
        image = np.zeros((3, SIZE, SIZE), np.float32)
        for g, m in zip(grids, stretch):
            image += m @ rng.standard_normal((3, g, g), dtype=np.float32) @ m.T
        x[i] = np.clip(127 + 30 * image, 0, 255)
    np.save(path, x)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    make_model(sys.argv[1], int(sys.argv[2]))
    make_images(sys.argv[3], int(sys.argv[4]))
