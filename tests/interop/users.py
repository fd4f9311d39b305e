#!/usr/bin/python3
"""Networks as users have them, with what is not an image of a fixed size at the front or not
a list of numbers at the end:
  users.py RANKLAB NODE WORK [NAME ...]
For each: what open says, and the outputs against ONNX Runtime's; where ranklab cannot run the
network to its end, what stands for them. Where convolutions can be approximated their filters
have a low rank by construction: solved at that rank and exported, the file must compute in ONNX
Runtime what the original computes there. Ends with "N passed, N failed"."""
import os
import subprocess
import sys

import numpy as np
from onnx import TensorProto, helper

import heads
import opsets_net
from opsets import command
from opsets_net import ints

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 1e-4
RANK, N_IMAGES = 6, 60


class Net(opsets_net.Net):
    def conv(self, x, c, d, kernel=(3, 3), **attributes):
        """Filters of rank RANK, so that a network of splits is the same network."""
        n = c * int(np.prod(kernel))
        w = self.rng.standard_normal((d, RANK)) @ self.rng.standard_normal((RANK, n))
        w = (w / np.sqrt(RANK * n)).astype(np.float32)
        pads = [k // 2 for k in kernel] * 2
        return self.add("Conv", x, w.reshape((d, c) + tuple(kernel)), self.floats(d), pads=pads,
                        **attributes)

    def relu(self, x):
        return self.add("Relu", x)

    def fc(self, x, c, d):
        return self.add("Gemm", x, self.floats(c, d), self.floats(d))

    def write(self, path, inputs, outputs, kinds):
        ins = [helper.make_tensor_value_info(n, t, s) for n, t, s in inputs]
        outs = [helper.make_tensor_value_info(n, t, None) for n, t in zip(outputs, kinds)]
        graph = helper.make_graph(self.nodes, "net", ins, outs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8
        with open(path, "wb") as f:
            f.write(model.SerializeToString())


CASES = []


def case(shape, *inputs, says=(), few=2, runs=True, splits=True, kinds=(TensorProto.FLOAT,)):
    """shape: of what is fed, few times; inputs: name, type and shape as the file has them."""
    def keep(f):
        CASES.append((f.__name__, f, shape, inputs, says, few, runs, splits, kinds))
        return f
    return keep


def image(*shape, name="x"):
    return name, TensorProto.FLOAT, ["N"] + list(shape)


@case((3, 224, 224), image(3, "H", "W"), says=("1x3x?x?", "taken as 1x3x224x224"))
def free_sizes(n):
    x = n.relu(n.conv("x", 3, 16, strides=[4, 4]))
    x = n.relu(n.conv(x, 16, 32, strides=[2, 2]))
    return n.add("ReduceMean", x, axes=[2, 3], keepdims=0)


@case((2, 224, 224), image("C", "H", "W"), says=("taken as 1x2x224x224",))
def free_channels(n):
    """The first convolution tells them."""
    return n.conv(n.relu(n.conv("x", 2, 16, strides=[8, 8])), 16, 24)


@case((4, 40), image(4, 40), says=("input 4x40", "1-D convolution"), splits=False)
def signal(n):
    x = n.relu(n.conv("x", 4, 16, (3,)))
    y = n.add("Pad", x, ints(0, 0, 4, 0, 0, 0))
    y = n.add("Conv", y, n.floats(16, 16, 3), dilations=[2])
    x = n.add("Add", x, n.relu(y))
    return n.fc(n.add("ReduceMean", x, axes=[2], keepdims=0), 16, 5)


@case((2, 4, 6, 5), image(2, 4, 6, 5), says=("input 2x4x6x5", "3-D convolution"), splits=False)
def volume(n):
    x = n.relu(n.conv("x", 2, 12, (3, 3, 3), strides=[1, 2, 2]))
    x = n.add("MaxPool", x, kernel_shape=[2, 1, 1], strides=[2, 1, 1])
    return n.add("GlobalAveragePool", x)


@case((20,), image(20), says=("input 20",), splits=False)
def features(n):
    return n.fc(n.relu(n.fc("x", 20, 32)), 32, 3)


@case((1, 12, 12), image(1, 12, 12), image(1, 12, 12, name="other"),
      says=("input other has the shape of x",))
def two_images(n):
    filters = len(n.weights)
    a = n.relu(n.conv("x", 1, 20))
    weights = [w.name for w in n.weights[filters:]]
    b = n.relu(n.add("Conv", "other", *weights, pads=[1, 1, 1, 1]))
    return n.conv(n.add("Concat", a, b, axis=1), 40, 24)


@case((3, 10, 10), image(3, 10, 10), ("scale", TensorProto.FLOAT, [1]),
      says=("input scale (float32 1) beside x is taken as a constant of ones",))
def knob(n):
    return n.conv(n.add("Mul", n.relu(n.conv("x", 3, 24)), "scale"), 24, 16)


@case((3, 8, 8), image(3, 8, 8), says=("1 transposed convolution (", "stays whole: n2"))
def growing(n):
    x = n.relu(n.conv("x", 3, 24))
    x = n.add("ConvTranspose", x, n.floats(24, 16, 2, 2), n.floats(16), strides=[2, 2])
    return n.conv(n.relu(x), 16, 24)


@case((3, 8, 8), image(3, 8, 8), few=1, runs=False, splits=False,
      says=("2 ConvInteger nodes stay whole, the first n2: not known",))
def integers(n):
    bytes_of = n.add("DynamicQuantizeLinear", "x", n_out=3)
    filters = n.rng.randint(-9, 9, (6, 3, 3, 3)).astype(np.int8)
    x = n.add("Cast", bytes_of[0], to=TensorProto.UINT8)
    pair = [n.add("ConvInteger", x, filters, bytes_of[2]) for _ in range(2)]
    return n.add("Cast", n.add("Add", *pair), to=TensorProto.FLOAT)


@case((1, 8, 24), image(1, 8, 24), few=1, says=("runs one image at a time",))
def text_line(n):
    x = n.relu(n.conv("x", 1, 20, strides=[2, 1]))
    x = n.relu(n.conv(x, 20, 32, strides=[4, 1]))
    x = n.add("Transpose", n.add("Squeeze", x, ints(2)), perm=[2, 0, 1])
    x = n.add("LSTM", x, n.floats(1, 32, 32), n.floats(1, 32, 8), hidden_size=8)
    return n.add("Squeeze", x, ints(1))


@case((3, 64, 64), image(3, 64, 64), few=1, says=("runs one image at a time",))
def state(n):
    """One to begin with, of the size of a map."""
    x = n.relu(n.conv("x", 3, 24))
    size = n.add("Concat", n.add("Slice", n.add("Shape", x), ints(0), ints(1)), ints(24, 64, 64), axis=0)
    h = n.add("ConstantOfShape", size, value=helper.make_tensor("one", TensorProto.FLOAT, [1], [0.5]))
    return n.conv(n.add("Concat", x, h, axis=1), 48, 24)


@case((3, 12, 12), image(3, 12, 12), few=1, runs=False, kinds=(TensorProto.INT64,),
      says=("operator NonZero (opset 13) is not known",
            "what is computed before stands for its outputs"))
def detector(n):
    x = n.relu(n.conv(n.relu(n.conv("x", 3, 24)), 24, 24))
    x = n.add("Sub", n.conv(x, 24, 8), np.float32(0.2))
    return n.add("NonZero", n.add("Greater", x, np.float32(0)))


def opened(program, *lines):
    argv = [program, "-b", "--no-init", "--threads", "2"]
    for line in lines:
        argv += ["-e", line]
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, universal_newlines=True)
    if r.returncode:
        raise RuntimeError(r.stdout.strip().replace("\n", " | ")[-300:])
    return r.stdout


def ort(node, stem, data):
    command([node, os.path.join(HERE, "ort.js"), "--threads", "1", stem + ".onnx", data,
             stem + ".ort.npy"])
    return np.load(stem + ".ort.npy")


def difference(got, want):
    if got.shape != want.shape:
        raise RuntimeError("shape %s instead of %s" % (got.shape, want.shape))
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))


def check(program, node, work, row):
    name, make, shape, inputs, says, few, runs, splits, kinds = row
    stem = os.path.join(work, name)
    net = Net(13)
    net.write(stem + ".onnx", inputs, [make(net)], kinds)
    data = stem + ".in.npy"
    images = net.rng.standard_normal((N_IMAGES if splits else few,) + shape).astype(np.float32)
    np.save(data, images[:few])
    text = opened(program, "open '%s.onnx'" % stem)
    for words in says:
        if words not in text:
            return False, "'%s' is not said: %s" % (words, text[:300])
    want, errors = ort(node, stem, data), []
    if runs or "stands for its outputs" in text:
        opened(program, "open '%s.onnx'" % stem, "run '%s' '%s.npy' --original" % (data, stem))
        computed = want
        if not runs:
            heads.give_out(heads.first_of(text), stem + ".onnx", stem + ".heads.onnx")
            computed = ort(node, stem + ".heads", data)
        errors.append(difference(np.load(stem + ".npy"), computed))
    if splits:
        np.save(stem + ".calib.npy", images)
        text = opened(program, "open '%s.onnx'" % stem, "set iterations 2,2",
                      "data calib '%s.calib.npy'" % stem, "method all pca",
                      "rank all %d" % RANK, "solve", "export onnx '%s.2x.onnx'" % stem)
        if "and compared" not in text or "solved" not in text:
            return False, text[-300:]
        errors.append(difference(ort(node, stem + ".2x", data), want))
    return all(e <= TOLERANCE for e in errors), "largest difference " + ", ".join("%.1e" % e for e in errors)


def main(program, node, work, *names):
    os.makedirs(work, exist_ok=True)
    passed = failed = 0
    for row in CASES:
        if names and row[0] not in names:
            continue
        try:
            ok, text = check(program, node, work, row)
        except Exception as e:
            ok, text = False, str(e)[:300]
        passed, failed = passed + ok, failed + (not ok)
        print("%-6s %-20s %s" % ("ok" if ok else "FAILED", row[0], text), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
