#!/usr/bin/env python3
"""Writes the small untrained networks of the golden scripts, for images of 1x28x28. The files
are kept in the repository, so that the scripts' outputs do not depend on any trained network;
this script only says how they were made. Needs nothing but Python.
net.onnx: seven convolutions, one of them grouped, the last without a ReLU.
odd.onnx: half of stem's filters are zero; flat's response never varies and is added to its
input; gate's is added to every position of a map; depth has a group per channel; thin has one
filter; nothing follows last.
maps.onnx: three outputs with height and width: scores of five classes, their shares, and a
grey picture.
picture.onnx: one output, a grey picture of half the size.
last.onnx: colour images of any size as bytes, channels last.
boxes.onnx: a picture, and where among the shares of maps.onnx something is, which is not known
how to find; heads.onnx: the same up to there."""
import struct
import sys


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n)


def chunk(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


state = 1


def weight():
    # Few distinct values, so that the file compresses well.
    global state
    state = (state * 1103515245 + 12345) % 2**31
    return ((state >> 16) % 15 - 7) / 64


def tensor(name, dims, n_used=None):
    n = 1
    for d in dims:
        n *= d
    if n_used is None:
        n_used = n
    raw = struct.pack("<%df" % n, *(weight() if i < n_used else 0 for i in range(n)))
    return chunk(5, b"".join(number(1, d) for d in dims) + number(2, 1) + chunk(8, name)
                 + chunk(9, raw))


def ints(name, values):
    return chunk(5, chunk(1, name) + b"".join(number(8, v) for v in values) + number(20, 7))


def one_int(name, value):
    return chunk(5, chunk(1, name) + number(3, value) + number(20, 2))


def node(op, name, inputs, output, attributes=b""):
    return chunk(1, b"".join(chunk(1, i) for i in inputs) + chunk(2, output)
                 + chunk(3, name) + chunk(4, op) + attributes)


def info(field, name, dims, dtype=1):
    shape = b"".join(chunk(1, chunk(2, d) if isinstance(d, str) else number(1, d))
                     for d in dims)
    return chunk(field, chunk(1, name) + chunk(2, chunk(1, number(1, dtype) + chunk(2, shape))))


def net():
    nodes, weights, last, c = b"", b"", "image", 1
    for i, (d, group, pool, relu) in enumerate(
            [(8, 1, 0, 1), (16, 1, 1, 1), (64, 1, 0, 1), (64, 1, 1, 1), (32, 1, 0, 1),
             (16, 2, 0, 1), (16, 1, 0, 0)], 1):
        name = "conv%d" % i
        weights += tensor(name + ".w", [d, c // group, 3, 3]) + tensor(name + ".b", [d])
        nodes += node("Conv", name, [last, name + ".w", name + ".b"], name,
                      ints("kernel_shape", [3, 3]) + ints("pads", [1, 1, 1, 1])
                      + one_int("group", group))
        last, c = name, d
        if relu:
            nodes += node("Relu", "relu%d" % i, [last], "r%d" % i)
            last = "r%d" % i
        if pool:
            nodes += node("MaxPool", "pool%d" % i, [last], "p%d" % i,
                          ints("kernel_shape", [2, 2]) + ints("strides", [2, 2]))
            last = "p%d" % i
    nodes += node("GlobalAveragePool", "gap", [last], "g") + node("Flatten", "flat", ["g"], "f")
    weights += tensor("fc.w", [10, 16]) + tensor("fc.b", [10])
    nodes += node("Gemm", "fc", ["f", "fc.w", "fc.b"], "scores", one_int("transB", 1))
    return [(nodes, weights)]


def conv(name, source, d, c, k=3, group=1, stride=1, zero_from=None):
    """A convolution; the filters from number zero_from on are zero."""
    w, b = tensor(name + ".w", [d, c // group, k, k]), tensor(name + ".b", [d])
    if zero_from is not None:
        n = zero_from * (c // group) * k * k
        w = tensor(name + ".w", [d, c // group, k, k], n)
    return (node("Conv", name, [source, name + ".w", name + ".b"], name,
                 ints("kernel_shape", [k, k]) + ints("pads", [k // 2] * 4)
                 + ints("strides", [stride, stride]) + one_int("group", group)), w + b)


def unary(op, name, source):
    return node(op, name, [source], name), b""


def classifier(source, c):
    return [unary("GlobalAveragePool", "gap", source), unary("Flatten", "flat_map", "gap"),
            (node("Gemm", "fc", ["flat_map", "fc.w", "fc.b"], "scores", one_int("transB", 1)),
             tensor("fc.w", [10, c]) + tensor("fc.b", [10]))]


def odd():
    return [conv("stem", "image", 16, 1, stride=2, zero_from=8), unary("Relu", "r1", "stem"),
            conv("flat", "r1", 16, 16, zero_from=0),
            (node("Add", "sum1", ["flat", "r1"], "sum1"), b""), unary("Relu", "r2", "sum1"),
            conv("wide", "r2", 24, 16), unary("Relu", "r3", "wide"),
            unary("GlobalAveragePool", "pool", "r3"), conv("gate", "pool", 24, 24, 1),
            (node("Add", "sum2", ["r3", "gate"], "sum2"), b""), unary("Relu", "r4", "sum2"),
            conv("depth", "r4", 24, 24, group=24), unary("Relu", "r5", "depth"),
            conv("thin", "r5", 1, 24), unary("Relu", "r6", "thin"),
            conv("last", "r6", 24, 1)] + classifier("last", 24)


def maps():
    return [conv("one", "image", 16, 1, stride=2), unary("Relu", "r1", "one"),
            conv("two", "r1", 16, 16), unary("Relu", "r2", "two"),
            conv("scores", "r2", 5, 16),
            (node("Softmax", "shares", ["scores"], "shares", one_int("axis", 1)), b""),
            conv("picture", "r2", 1, 16)]


def picture():
    return [conv("one", "image", 16, 1, stride=2), unary("Relu", "r1", "one"),
            conv("two", "r1", 16, 16), unary("Relu", "r2", "two"),
            conv("picture", "r2", 1, 16)]


def boxes():
    return maps() + [unary("Flatten", "flat", "shares"), unary("NonZero", "found", "flat"),
                     (node("Gather", "chosen", ["picture", "found"], "chosen"), b"")]


def scalar(name, x):
    return chunk(5, number(2, 1) + chunk(8, name) + chunk(9, struct.pack("<f", x)))


def last():
    return [(node("Cast", "cast", ["image"], "reals", one_int("to", 1)), b""),
            (node("Mul", "scale", ["reals", "by"], "scaled"), scalar("by", 1 / 64)),
            (node("Transpose", "turn", ["scaled"], "turned", ints("perm", [0, 3, 1, 2])), b""),
            conv("one", "turned", 16, 3, stride=2), unary("Relu", "r1", "one"),
            conv("two", "r1", 16, 16), unary("Relu", "r2", "two")] + classifier("r2", 16)


kind = sys.argv[1] if len(sys.argv) > 1 else "net"
parts = {"odd": odd, "maps": maps, "heads": maps, "picture": picture, "last": last,
         "boxes": boxes}.get(kind, net)()
image = info(11, "image", ["N", 1, 28, 28])
outputs = info(12, "scores", ["N", 10])
if kind == "maps":
    outputs = b"".join(info(12, name, ["N", c, 14, 14])
                       for name, c in (("scores", 5), ("shares", 5), ("picture", 1)))
if kind == "heads":
    outputs = info(12, "picture", ["N", 1, 14, 14]) + info(12, "shares", ["N", 5, 14, 14])
if kind == "boxes":
    outputs = info(12, "chosen", ["boxes", 1, 14, 14]) + info(12, "picture", ["N", 1, 14, 14])
if kind == "picture":
    outputs = info(12, "picture", ["N", 1, 14, 14])
if kind == "last":
    image = info(11, "image", ["N", "side", "side", 3], 2)
nodes, weights = (b"".join(p[i] for p in parts) for i in (0, 1))
graph = nodes + chunk(2, "net") + weights + image + outputs
model = number(1, 8) + chunk(2, "make-net.py") + chunk(7, graph) \
    + chunk(8, chunk(1, "") + number(2, 13))
with open(sys.argv[2] if len(sys.argv) > 2 else "net.onnx", "wb") as f:
    f.write(model)
