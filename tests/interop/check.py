#!/usr/bin/python3
"""Compares ranklab with ONNX Runtime and with python-onnx:
  check.py RANKLAB NODE DATA WORK
RANKLAB: the program; NODE: node, which finds onnxruntime-node through NODE_PATH; DATA: the
folder of the embedded networks; WORK: where files are left for inspection. One line per
check, then "N passed, N failed"; exit status 1 when one failed."""
import gzip
import json
import os
import subprocess
import sys

import numpy as np
import onnx
from onnx import checker, shape_inference

import networks

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 1e-4
IMAGES = 256
METHODS = "relu", "svd"
# of the generated networks: methods that need no images beyond the input written for them
NETWORK_METHODS = ("svd", "pca", "relu", "spatial", "spatial-refit", "3d")
SPATIAL_METHODS = "spatial", "spatial-refit", "3d"
MEAN, STD = 0.2860, 0.3530


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def row(self, ok, what, detail=""):
        self.passed += bool(ok)
        self.failed += not ok
        print("%-6s %-44s %s" % ("ok" if ok else "FAILED", what, detail), flush=True)

    def guard(self, what, work, *args):
        """One check; work returns (ok, detail). Anything that goes wrong fails it."""
        try:
            ok, detail = work(*args)
        except Exception as e:  # a missing file, a program that failed, a strange answer
            ok, detail = False, str(e).strip().replace("\n", " | ")[:300]
        self.row(ok, what, detail)


def command(argv):
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, universal_newlines=True)
    if r.returncode:
        raise RuntimeError("%s: %s" % (os.path.basename(argv[0]), (r.stderr or r.stdout)[-300:]))
    return r.stdout


def quoted(path):
    return "'" + path + "'"


class Interop:
    def __init__(self, ranklab, node, data, work):
        self.ranklab_path, self.node, self.data, self.work = ranklab, node, data, work
        self.images = os.path.join(work, "images.npy")
        self.macs = {}

    def ranklab(self, *lines):
        argv = [self.ranklab_path, "-b", "-q", "--no-init", "--threads", "2", "--format", "json"]
        for line in lines:
            argv += ["-e", line]
        return command(argv)

    def ort(self, model, data, out):
        command([self.node, os.path.join(HERE, "ort.js"), "--threads", "2", model, data, out])
        return np.load(out)

    def compare(self, got_path, model, data):
        got, want = np.load(got_path), self.ort(model, data, got_path + ".ort.npy")
        if got.shape != want.shape:
            return False, "shape %s instead of %s" % (got.shape, want.shape)
        if not (np.isfinite(got).all() and np.isfinite(want).all()):
            return False, "not all outputs are finite"
        error = float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))
        return error <= TOLERANCE, "largest difference %.1e of %d outputs" % (error, got.size)

    def network(self, model, data):
        """The unchanged network of a file against ONNX Runtime."""
        out = os.path.join(self.work, os.path.basename(model) + ".out.npy")
        self.ranklab("open " + quoted(model),
                     "run %s %s --original" % (quoted(data), quoted(out)))
        return self.compare(out, model, data)

    def write_images(self):
        raw = gzip.open(os.path.join(self.data, "fashion-test-images.idx.gz")).read()
        x = np.frombuffer(raw, np.uint8, IMAGES * 784, 16).reshape(IMAGES, 1, 28, 28)
        np.save(self.images, ((x / 255.0 - MEAN) / STD).astype(np.float32))

    def solve(self, name, method):
        """Approximates an embedded network; leaves the export, its answers and its cost."""
        stem = self.stem(name, method)
        text = self.ranklab("open @%s" % name, "data calib @fashion --count 500",
                            "method all " + method, "select --speedup 4", "solve all",
                            "export onnx " + quoted(stem + ".onnx"),
                            "run %s %s" % (quoted(self.images), quoted(stem + ".npy")), "cost")
        self.macs[stem] = network_row(text)
        return True, "%.2f of %.2f M multiply-adds" % (self.macs[stem]["macs"] / 1e6,
                                                       self.macs[stem]["macs_original"] / 1e6)

    def plan(self, stem, model, images, method):
        """All layers of a network of a file by one method, 1.5 times cheaper; leaves
        what solve leaves."""
        text = self.ranklab("open " + quoted(model), "data calib " + quoted(images),
                            "method all " + method, "select --speedup 1.5 --of network", "solve all",
                            "export onnx " + quoted(stem + ".onnx"),
                            "run %s %s" % (quoted(images), quoted(stem + ".npy")), "cost")
        self.macs[stem] = network_row(text)
        return True, "%d of %d multiply-adds" % (self.macs[stem]["macs"],
                                                 self.macs[stem]["macs_original"])

    def stem(self, name, method):
        return os.path.join(self.work, "%s-%s-4x" % (name, method))

    def export_is_valid(self, stem):
        model = onnx.load(stem + ".onnx")
        checker.check_model(model, full_check=True)
        return True, "%d nodes" % len(model.graph.node)

    def export_agrees(self, stem):
        return self.compare(stem + ".npy", stem + ".onnx", self.images)

    def macs_agree(self, stem, original):
        row = self.macs[stem]
        counted = count_macs(stem + ".onnx"), count_macs(original)
        reported = row["macs"], row["macs_original"]
        return counted == reported, "counted %d of %d, reported %d of %d" % (counted + reported)

    def reopened_agrees(self, stem):
        row = network_row(self.ranklab("open " + quoted(stem + ".onnx"), "cost"))
        counted = count_macs(stem + ".onnx")
        return row["macs"] == counted, "counted %d, reported %d" % (counted, row["macs"])

    def macs_of_network(self, model):
        row = network_row(self.ranklab("open " + quoted(model), "cost"))
        counted = count_macs(model)
        return row["macs"] == counted, "counted %d, reported %d" % (counted, row["macs"])


def network_row(text):
    """The row of the whole network in the last table printed."""
    for line in reversed(text.splitlines()):
        if line.startswith("["):
            for row in json.loads(line):
                if row.get("layer") == "network":
                    return row
    raise RuntimeError("no row 'network' in the output of cost: " + text[-200:])


def count_macs(path):
    """Multiply-adds of one image, from the file alone."""
    model = onnx.load(path)
    free_the_batch(model)
    inferred = shape_inference.infer_shapes(model, strict_mode=True)
    graph = inferred.graph
    shapes = {t.name: list(t.dims) for t in graph.initializer}
    for v in list(graph.value_info) + list(graph.input) + list(graph.output):
        if v.type.tensor_type.HasField("shape"):
            shapes[v.name] = [d.dim_value for d in v.type.tensor_type.shape.dim]
    total = 0
    for n in graph.node:
        if n.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        out = shapes[n.output[0]]
        each = int(np.prod(out))
        if n.op_type == "Conv":
            total += each * int(np.prod(shapes[n.input[1]][1:]))
        elif n.op_type == "MatMul":
            total += each * shapes[n.input[0]][-1]
        else:
            transposed = any(a.name == "transA" and a.i for a in n.attribute)
            total += each * shapes[n.input[0]][0 if transposed else 1]
    return total


def free_the_batch(model):
    """The batch becomes 1, whatever the file says, so that sizes are those of one image."""
    weights = {t.name for t in model.graph.initializer}
    for v in model.graph.input:
        if v.name not in weights:
            v.type.tensor_type.shape.dim[0].Clear()
            v.type.tensor_type.shape.dim[0].dim_value = 1
    for v in model.graph.output:
        v.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


def main(ranklab, node, data, work):
    c, it = Checks(), Interop(ranklab, node, data, work)
    os.makedirs(work, exist_ok=True)
    it.write_images()
    for name in ("fashion", "fashion-resnet"):
        model = os.path.join(data, name + ".onnx")
        c.guard("%s: outputs on %d images" % (name, IMAGES), it.network, model, it.images)
        c.guard("%s: multiply-adds" % name, it.macs_of_network, model)
        for method in METHODS:
            stem = it.stem(name, method)
            what = "%s %s 4x: " % (name, method)
            c.guard(what + "select, solve, export", it.solve, name, method)
            c.guard(what + "export passes the checker", it.export_is_valid, stem)
            c.guard(what + "outputs of the export", it.export_agrees, stem)
            c.guard(what + "multiply-adds", it.macs_agree, stem, model)
            c.guard(what + "multiply-adds, opened again", it.reopened_agrees, stem)
    for name, opset, model, images in networks.write_all(work):
        c.guard("network %s (opset %d)" % (name, opset), it.network, model, images)
        for method in NETWORK_METHODS if name in networks.PLANNED else ():
            if name in networks.NO_KERNELS and method in SPATIAL_METHODS:
                continue
            stem = it.stem("net-" + name, method)
            what = "network %s %s: " % (name, method)
            c.guard(what + "plan and export", it.plan, stem, model, images, method)
            c.guard(what + "export passes the checker", it.export_is_valid, stem)
            c.guard(what + "outputs of the export", it.compare, stem + ".npy",
                    stem + ".onnx", images)
            c.guard(what + "multiply-adds", it.macs_agree, stem, model)
    print("%d passed, %d failed" % (c.passed, c.failed))
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
