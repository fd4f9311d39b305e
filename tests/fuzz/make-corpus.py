#!/usr/bin/env python3
"""Writes the seed corpus of the fuzz targets but for the pictures. The files are kept in the
repository; this script says how they were made. Needs nothing but Python."""
import gzip
import os
import struct
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "script"))


def save(target, name, data):
    folder = os.path.join(here, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def npy(descr, shape, data, version=1, fortran=False):
    text = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n" % (descr, fortran, shape)
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode() + data


def idx(kind, dims, data):
    return bytes([0, 0, kind, len(dims)]) + b"".join(struct.pack(">I", d) for d in dims) + data


floats = struct.pack("<12f", *[0.5, -1, 2, 0, 4, 1e30, 0, 0, 1, 2, 3, 4])
save("npy", "f4", npy("<f4", (2, 1, 2, 3), floats))
save("npy", "f4-fortran", npy("<f4", (2, 2, 3), floats, fortran=True))
save("npy", "f8-v2", npy("<f8", (1, 2, 3), struct.pack("<6d", *range(6)), version=2))
save("npy", "f2-v3", npy("<f2", (1, 2, 3), struct.pack("<6e", *range(6)), version=3))
save("npy", "u1-last", npy("|u1", (1, 2, 3, 3), bytes(range(18))))
save("npy", "u1.gz", gzip.compress(npy("|u1", (1, 2, 3), bytes(range(6))), mtime=0))
save("npy", "nan", npy("<f4", (1, 2, 3), struct.pack("<6f", *[float("nan")] * 6)))
save("npy", "empty", npy("<f4", (0, 2, 3), b""))
save("npy", "huge", npy("<f4", (4611686018427387904, 2, 3), b""))
save("idx", "images", idx(8, [2, 2, 3], bytes(range(12))))
save("idx", "images.gz", gzip.compress(idx(8, [2, 2, 3], bytes(range(12))), mtime=0))
save("idx", "members.gz", gzip.compress(idx(8, [1, 2, 3], b"abc"), mtime=0)
     + gzip.compress(b"def", mtime=0) + bytes(3))
save("idx", "labels", idx(8, [2], bytes([0, 9])))
save("idx", "labels-i4", idx(12, [2], struct.pack(">2i", 3, 70000)))
save("idx", "labels-text", "1\n0\n")
save("idx", "promise.gz", gzip.compress(idx(8, [1 << 20, 2, 3], b"abc"), mtime=0))

save("script", "plan", """open @fashion --input 1x1x28x28
rank conv2..conv4 64; rank 3 e=99% --round 8 # a comment
rank conv* x=2; rank all full; rank conv5 40,28
method @stale 3d; select --speedup 4x --rule paper --keep conv1
select --macs 12.5M --of network; solve --mode asym
assert total.speedup >= 3.95
try rank conv9 \\
   50%
""")
save("script", "output", """layers > 'my file.csv'; error conv1 > "a \\"b\\" \\\\ c.json"
plot energy conv* --to energy.svg --script e.gp
export onnx f.onnx; export config f.json; export table layers f.md
echo 'literal # ; > "' "two\\nlines"; set threads 2; show
data calib x.npy --mean 0.485,0.456,0.406 --std .2,.2,.2 --bgr --count 10 --seed 3
bind F5 "solve; eval"; screen-dump x; source 'a b.rl'; record off; help eval; quit
""")
save("script", "errors", "rank\nrank conv1 --round\n'open\n\"\\q\"\nplot --to > >\nfrobnicate 1\n;;#\n>")
save("script", "prompt", "ra conv2 3")
save("script", "utf8", "echo 'caf\u00e9 \u202e' \u00e9; open \u4e2d.onnx\n")

layer = ('{"layer": "conv%d", "method": "relu", "state": "solved", "mode": "asym", "seed": 1,'
         ' "rank": 6, "rank_spatial": null, "full_rank": 48, "macs": 270000,'
         ' "macs_original": 340000, "energy": 0.9961, "error_linear": 0.0068,'
         ' "error_calib": 0.0062, "error_heldout": 0.0063}')
config = """{"format": "ranklab configuration", "schema": 1,
"program": {"version": "0.1.0", "blas": null, "engine": null},
"model": {"path": "a.onnx", "sha256": "%s"}, "calibration": {"path": null, "sha256": null},
"evaluation": {"path": "t", "sha256": null, "images": 100, "top1": 0.5, "top1_original": 0.6,
"top1_difference": -0.1, "difference_low": -0.2, "difference_high": 0.0},
"mode": "asym", "seed": "9007199254740993", "threads": 2, "macs": 1, "macs_original": 2,
"layers": [%s]}
"""
save("config", "whole", config % ("0" * 64, layer % 1 + ",\n" + layer % 2))
save("config", "twice", config % ("a" * 64, layer % 1 + ",\n" + layer % 1))
save("config", "no-layers", config % ("0" * 64, ""))
save("config", "other", '{"format": "x", "schema": 2}')
save("config", "deep", "[" * 3000)
save("config", "escapes", config.replace("a.onnx", "\\u0000\\ud83d\\ude00\\n\u00e9") % ("0" * 64, ""))


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n & (1 << 64) - 1)


def chunk(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, dims, values=None, kind=1):
    code = {1: "f", 7: "q"}[kind]
    count = 1
    for d in dims:
        count *= d
    values = values if values is not None else [(i % 7 - 3) / 4 for i in range(count)]
    return (b"".join(number(1, d) for d in dims) + number(2, kind) + chunk(8, name)
            + chunk(9, struct.pack("<%d%s" % (count, code), *values)))


def ints(name, values):
    return chunk(5, chunk(1, name) + b"".join(number(8, v) for v in values) + number(20, 7))


def integer(name, value):
    return chunk(5, chunk(1, name) + number(3, value) + number(20, 2))


def real(name, value):
    return chunk(5, chunk(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1))


def node(op, ins, outs, *attributes):
    return chunk(1, b"".join(chunk(1, i) for i in ins) + b"".join(chunk(2, o) for o in outs)
                 + chunk(4, op) + b"".join(attributes))


def info(field, name, dims):
    shape = b"".join(chunk(1, number(1, d) if d else chunk(2, "N")) for d in dims)
    return chunk(field, chunk(1, name) + chunk(2, chunk(1, number(1, 1) + chunk(2, shape))))


def model(nodes, tensors, dims=(0, 2, 4, 4), opset=13, more=b""):
    graph = (b"".join(nodes) + chunk(2, "g") + b"".join(chunk(5, t) for t in tensors)
             + info(11, "x", dims) + info(12, "y", [0, 0]) + more)
    return number(1, 8) + chunk(7, graph) + chunk(8, chunk(1, "") + number(2, opset))


w = tensor("w", [3, 2, 3, 3])
b = tensor("b", [3])
save("onnx", "conv-relu", model([node("Conv", ["x", "w", "b"], ["c"], ints("pads", [1] * 4)),
                                 node("Relu", ["c"], ["y"])], [w, b]))
save("onnx", "block", model(
    [node("Conv", ["x", "w"], ["c"], ints("pads", [1] * 4), ints("strides", [2, 2])),
     node("BatchNormalization", ["c", "b", "b", "b", "v"], ["n"], real("epsilon", 1e-5)),
     node("Conv", ["x", "w"], ["s"], ints("pads", [1] * 4), ints("strides", [2, 2])),
     node("Add", ["n", "s"], ["a"]), node("Clip", ["a", "", ""], ["r"]),
     node("MaxPool", ["r"], ["p"], ints("kernel_shape", [2, 2])),
     node("Flatten", ["p"], ["f"], integer("axis", 1)),
     node("Gemm", ["f", "m"], ["g"], integer("transB", 1)), node("Softmax", ["g"], ["y"])],
    [w, b, tensor("v", [3], [1.0, 2.0, 3.0]), tensor("m", [5, 3])]))
save("onnx", "shapes", model(
    [node("Shape", ["x"], ["d"]), node("Gather", ["d", "i"], ["n"], integer("axis", 0)),
     node("Unsqueeze", ["n", "z"], ["u"]), node("Concat", ["u", "m"], ["t"], integer("axis", 0)),
     node("Reshape", ["x", "t"], ["y"])],
    [tensor("i", [], [0], 7), tensor("z", [1], [0], 7), tensor("m", [1], [-1], 7)]))
save("onnx", "group", model(
    [node("Conv", ["x", "w"], ["c"], integer("group", 2), ints("dilations", [2, 2]),
          ints("pads", [2] * 4)), node("LeakyRelu", ["c"], ["l"], real("alpha", 0.1)),
     node("GlobalAveragePool", ["l"], ["y"])], [tensor("w", [4, 1, 3, 3])]))
save("onnx", "unknown", model([node("Frobnicate", ["x"], ["y"])], []))
save("onnx", "boxes", model(
    [node("Conv", ["x", "w", "b"], ["c"], ints("pads", [1] * 4)),
     node("Softmax", ["c"], ["s"], integer("axis", 1)),
     node("Transpose", ["s"], ["t"], ints("perm", [0, 2, 3, 1])), node("Flatten", ["t"], ["f"]),
     node("Greater", ["f", "h"], ["m"]), node("NonZero", ["m"], ["i"]),
     node("TopK", ["f", "k"], ["v", "p"]), node("Gather", ["p", "i"], ["n"]),
     node("GatherElements", ["v", "n"], ["y"])],
    [w, b, tensor("h", [], [0.5]), tensor("k", [1], [2], 7)]))
save("onnx", "cycle", model([node("Add", ["x", "q"], ["y"]), node("Relu", ["y"], ["q"])], []))
save("onnx", "lying", model([node("Conv", ["x", "w"], ["y"])],
                            [number(1, 1 << 40) + number(1, 1 << 40) + number(2, 1) + chunk(8, "w")]))
deep = b""
for _ in range(80):
    deep = chunk(1, chunk(5, chunk(1, "a") + chunk(6, deep)))
save("onnx", "deep", number(1, 8) + chunk(7, deep))
external = (number(1, 2) + number(2, 1) + chunk(8, "w") + number(14, 1)
            + chunk(13, chunk(1, "location") + chunk(2, "../../etc/passwd")))
save("onnx", "external", model([node("Relu", ["x"], ["y"])], [external]))


def part(field, op, ins, outs, *attributes, domain="", name=""):
    """A node as this field of what it is in: 1 of a graph, 7 of a function."""
    return chunk(field, b"".join(chunk(1, i) for i in ins) + b"".join(chunk(2, o) for o in outs)
                 + chunk(3, name) + chunk(4, op) + chunk(7, domain) + b"".join(attributes))


def refer(name, to, kind):
    return chunk(5, chunk(1, name) + chunk(21, to) + number(20, kind))


def function(name, ins, outs, nodes, attributes=(), opset=13, more=b""):
    return chunk(25, chunk(1, name) + b"".join(chunk(4, i) for i in ins)
                 + b"".join(chunk(5, o) for o in outs) + b"".join(chunk(6, a) for a in attributes)
                 + b"".join(nodes) + chunk(9, chunk(1, "") + number(2, opset))
                 + chunk(9, chunk(1, "f") + number(2, 1)) + chunk(10, "f") + more)


def branch(name, nodes, out):
    return chunk(5, chunk(1, name) + number(20, 5) + chunk(6, b"".join(nodes) + chunk(2, "b")
                                                           + chunk(12, chunk(1, out))))


block = function("Block", ["x", "w", "b"], ["y"], [
    part(7, "Conv", ["x", "w", "b"], ["c"], refer("pads", "pads", 7), refer("group", "g", 2)),
    part(7, "Relu", ["c"], ["y"])], ["pads", "g"])
# a default, which is a field that older versions of onnx.proto do not have
leaky = function("Leaky", ["x"], ["y", "x"], [
    part(7, "LeakyRelu", ["x"], ["y"], refer("alpha", "alpha", 1))],
    more=chunk(11, real("alpha", 0.25)[2:]) + chunk(13, "half"))
twice = function("Twice", ["x", "w", "yes"], ["y"], [
    part(7, "Block", ["x", "w"], ["a"], ints("pads", [1] * 4), domain="f", name="one"),
    part(7, "If", ["yes"], ["d"], branch("then_branch", [
        part(1, "Leaky", ["a"], ["t"], chunk(8, "half"), domain="f"),
        part(1, "Neg", ["t"], ["u"])], "u"),
        branch("else_branch", [part(1, "Identity", ["a"], ["e"])], "e")),
    part(7, "Block", ["d", "w"], ["y"], ints("pads", [1] * 4), domain="f")])
yes = number(1, 1) + number(2, 9) + chunk(8, "yes") + chunk(9, b"\1")
imports = chunk(8, chunk(1, "f") + number(2, 1))
save("onnx", "functions", model(
    [part(1, "Block", ["x", "w", "b"], ["p"], ints("pads", [1] * 4), domain="f", name="p"),
     part(1, "Twice", ["p", "v", "yes"], ["q"], domain="f", name="q"),
     part(1, "Leaky", ["q"], ["", "y"], chunk(8, "half"), domain="f")],
    [w, b, tensor("v", [3, 3, 3, 3]), yes]) + imports + block + twice + leaky)
save("onnx", "functions-recursive", model(
    [part(1, "A", ["x"], ["y"], domain="f")], []) + imports
    + function("A", ["x"], ["y"], [part(7, "B", ["x"], ["y"], domain="f")])
    + function("B", ["x"], ["y"], [part(7, "A", ["x"], ["y"], domain="f")]))
save("onnx", "functions-many", model(
    [part(1, "A0", ["x"], ["y"], domain="f")], []) + imports + b"".join(
    function("A%d" % i, ["x"], ["y"], [
        part(7, "A%d" % (i + 1), ["x"], ["a"], domain="f"),
        part(7, "A%d" % (i + 1), ["a"], ["y"], domain="f")]) for i in range(40))
    + function("A40", ["x"], ["y"], [part(7, "Relu", ["x"], ["y"])]))
save("onnx", "functions-opset", model(
    [part(1, "A", ["x"], ["y"], domain="f")], [], opset=13) + imports
    + function("A", ["x"], ["y"], [part(7, "Squeeze", ["x"], ["y"])], opset=11))
