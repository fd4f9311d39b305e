#!/usr/bin/python3
"""A network beyond the 2 GB that an ONNX file can hold:
  large.py RANKLAB NODE WORK
Opened, one layer split, exported with its weights in a file beside it, and both files run in
ONNX Runtime: outputs agree with what ranklab computes. Takes 7 GB of memory and 10 GB of
disk; the memory of each step is told. Ends with "N passed, N failed"."""
import glob
import os
import shutil
import sys
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import check
from check import quoted

HERE = os.path.dirname(os.path.abspath(__file__))
WIDE, CHANNELS, SIZE = 282000, 32, 8
TOLERANCE = 1e-4


def write_model(path, rng):
    """Two convolutions, a fully connected layer of 2.3 GB, and a small one."""
    flat = CHANNELS * SIZE * SIZE
    with open(path + ".weights", "wb") as f:
        for _ in range(flat):
            (rng.random(WIDE, dtype=np.float32) - 0.5).tofile(f)
        size = f.tell()
    large = TensorProto(name="w3", data_type=TensorProto.FLOAT, dims=[flat, WIDE],
                        data_location=TensorProto.EXTERNAL)
    for key, value in ("location", os.path.basename(path) + ".weights"), ("offset", "0"), (
            "length", str(size)):
        large.external_data.add(key=key, value=value)

    def floats(name, *dims):
        return numpy_helper.from_array(
            (rng.standard_normal(dims) / np.sqrt(np.prod(dims[1:]))).astype(np.float32), name)

    nodes = [helper.make_node("Conv", ["x", "w1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["c1"], ["r1"]),
             helper.make_node("Conv", ["r1", "w2"], ["c2"], "conv2", pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["c2"], ["r2"]),
             helper.make_node("Flatten", ["r2"], ["f"]),
             helper.make_node("Gemm", ["f", "w3"], ["g"], "fc3"),
             helper.make_node("Relu", ["g"], ["r3"]),
             helper.make_node("Gemm", ["r3", "w4"], ["y"], "fc4", transB=1)]
    graph = helper.make_graph(
        nodes, "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        [floats("w1", CHANNELS, 3, 3, 3), floats("w2", CHANNELS, CHANNELS, 3, 3), large,
         floats("w4", 10, WIDE)])
    with open(path, "wb") as f:
        f.write(helper.make_model(graph, ir_version=8, opset_imports=[
            helper.make_opsetid("", 13)]).SerializeToString())
    return size


def measured(argv):
    """Runs a command; its most memory and its time as text."""
    begin = time.monotonic()
    pid = os.posix_spawnp(argv[0], argv, dict(os.environ))
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise RuntimeError("%s ended with %d" % (os.path.basename(argv[0]), status))
    return "%.1f GB, %.0f s" % (usage.ru_maxrss * 1024 / 1e9, time.monotonic() - begin)


class Large:
    def __init__(self, ranklab, node, work):
        self.ranklab, self.node, self.work = ranklab, node, work

    def file(self, name):
        return os.path.join(self.work, name)

    def write(self):
        rng = np.random.default_rng(1)
        np.save(self.file("images.npy"), rng.standard_normal((40, 3, SIZE, SIZE), np.float32))
        return True, "%.2f GB of weights" % (write_model(self.file("large.onnx"), rng) / 1e9)

    def export(self):
        images = quoted(self.file("images.npy"))
        told = measured([self.ranklab, "-b", "-q", "--no-init", "--threads", "2", "-e", "; ".join([
            "open " + quoted(self.file("large.onnx")), "data calib " + images, "rank conv2 12",
            "solve", "run %s %s --original" % (images, quoted(self.file("large.npy"))),
            "run %s %s" % (images, quoted(self.file("split.npy"))),
            "export onnx " + quoted(self.file("split.onnx"))])])
        beside = [f for f in os.listdir(self.work) if f.startswith("split-")]
        sizes = [os.path.getsize(self.file(f)) for f in beside]
        ok = len(beside) == 1 and sizes[0] > 2 ** 31 and os.path.getsize(
            self.file("split.onnx")) < 1 << 20
        return ok, "%s, %s beside the file" % (told, "%.2f GB" % (sum(sizes) / 1e9))

    def is_checked(self):
        onnx.checker.check_model(self.file("split.onnx"))
        names = [n.name for n in onnx.load(self.file("split.onnx"), load_external_data=False).graph.node
                 if n.op_type == "Conv"]
        return len(names) == 3, " ".join(names)

    def runs(self, name):
        out = self.file(name + ".ort.npy")
        told = measured([self.node, os.path.join(HERE, "ort.js"), "--threads", "2",
                         self.file(name + ".onnx"), self.file("images.npy"), out])
        want, got = np.load(self.file(name + ".npy")), np.load(out)
        d = float(np.abs(want - got).max() / np.abs(got).max())
        return want.shape == got.shape and d < TOLERANCE, "%s, largest difference %.1e" % (told, d)

    def differ(self):
        a, b = np.load(self.file("large.npy")), np.load(self.file("split.npy"))
        d = float(np.abs(a - b).max() / np.abs(a).max())
        return d > 10 * TOLERANCE, "largest difference %.1e" % d


def main(ranklab, node, work):
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    if shutil.disk_usage(work).free < 10e9:
        sys.exit("large.py: 10 GB of disk are needed in " + work)
    for kind in "CONFIG", "STATE", "CACHE":
        os.environ["XDG_%s_HOME" % kind] = os.path.join(work, kind.lower())
    c, it = check.Checks(), Large(ranklab, node, work)
    try:
        c.guard("large: write", it.write)
        c.guard("large: split and export", it.export)
        c.guard("large: onnx.checker", it.is_checked)
        c.guard("large: the original in ONNX Runtime", it.runs, "large")
        c.guard("large: the split one in ONNX Runtime", it.runs, "split")
        c.guard("large: the two are different networks", it.differ)
    finally:
        for f in glob.glob(it.file("*")):
            if os.path.isfile(f) and os.path.getsize(f) > 1 << 30:
                os.unlink(f)
    print("%d passed, %d failed" % (c.passed, c.failed))
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
