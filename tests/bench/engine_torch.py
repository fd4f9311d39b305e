#!/usr/bin/python3
"""PyTorch's side of the comparison of engines:
  engine_torch.py MODEL IMAGES OUT SHAPE THREADS
Builds the network of the ONNX file from PyTorch's own functions, traced and frozen. IMAGES
holds a batch of the SHAPE (8,3,224,224) as raw float32; the outputs go to OUT the same way.
For every number N on the standard input: N runs, one line of milliseconds."""
import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


class Net(torch.nn.Module):
    def __init__(self, path):
        super().__init__()
        graph = onnx.load(path).graph
        self.weights = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy())
                        for t in graph.initializer}
        self.nodes = [(n.op_type, list(n.input), list(n.output),
                       {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute})
                      for n in graph.node]
        self.start, self.end = graph.input[0].name, graph.output[0].name

    def compute(self, op, x, a):
        if op == "Conv":
            top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
            if (top, left) != (bottom, right):
                raise RuntimeError("uneven pads are not known")
            return F.conv2d(x[0], x[1], x[2] if len(x) > 2 else None, a.get("strides", 1),
                            (top, left), a.get("dilations", 1), a.get("group", 1))
        if op == "Relu":
            return F.relu(x[0])
        if op == "Add":
            return x[0] + x[1]
        if op == "MaxPool":
            pads = a.get("pads", [0, 0, 0, 0])
            return F.max_pool2d(x[0], a["kernel_shape"], a["strides"], pads[:2])
        if op == "AveragePool":
            return F.avg_pool2d(x[0], a["kernel_shape"], a.get("strides", 1))
        if op == "GlobalAveragePool":
            return x[0].mean((2, 3), keepdim=True)
        if op == "Flatten":
            return torch.flatten(x[0], 1)
        if op == "Gemm" and a.get("transB"):
            return F.linear(x[0], x[1], x[2])
        if op == "Identity":
            return x[0]
        raise RuntimeError("operator %s is not known" % op)

    def forward(self, image):
        values = dict(self.weights)
        values[self.start] = image
        for op, inputs, outputs, attributes in self.nodes:
            values[outputs[0]] = self.compute(op, [values[i] for i in inputs], attributes)
        return values[self.end]


def main(model, images, out, shape, threads):
    torch.set_num_threads(int(threads))
    dims = [int(d) for d in shape.split(",")]
    x = torch.from_numpy(np.fromfile(images, np.float32)[:np.prod(dims)].reshape(dims))
    with torch.inference_mode():
        net = torch.jit.freeze(torch.jit.trace(Net(model).eval(), x))
        net(x).numpy().tofile(out)
        print("ready", flush=True)
        for line in sys.stdin:
            ms = []
            for _ in range(int(line)):
                begin = time.perf_counter()
                net(x)
                ms.append("%.4f" % (1e3 * (time.perf_counter() - begin)))
            print(" ".join(ms), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
