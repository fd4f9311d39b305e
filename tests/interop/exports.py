#!/usr/bin/python3
"""Exported networks as others see them:
  exports.py RANKLAB NODE DATA WORK
What is not split is in the file byte for byte; ONNX Runtime predicts what eval counted, for
each of 10,000 images, and computes the same at every level of its optimiser without joining
the parts again; values that are kept by name mean what they meant; 16-bit weights, networks
of 16-bit floats and weights in a file of their own are read by everybody. Ends with
"N passed, N failed"."""
import glob
import os
import re
import sys

import numpy as np
import onnx
from onnx import TensorProto, checker, helper, numpy_helper, shape_inference

import check
import networks
from check import command, quoted

HERE = os.path.dirname(os.path.abspath(__file__))
LEVELS = "disabled", "basic", "extended", "all"
CHUNK = 1000


def difference(a, b):
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))


class Exports(check.Interop):
    def file(self, name):
        return os.path.join(self.work, name)

    # ---- the 4x network and all its images

    def export_4x(self):
        self.write_all_images()
        text = self.ranklab("open @fashion", "select --speedup 4", "solve",
                            "export onnx " + quoted(self.file("4x.onnx")), "eval",
                            *["run %s %s" % (quoted(i), quoted(i + ".lab")) for i in self.chunks])
        self.counted = check.json.loads(text.splitlines()[-1])[0]
        return True, "top-1 %.2f %%" % (100 * self.counted["top1"])

    def write_all_images(self):
        raw = check.gzip.open(os.path.join(self.data, "fashion-test-images.idx.gz")).read()
        x = np.frombuffer(raw, np.uint8, 10000 * 784, 16).reshape(10000, 1, 28, 28)
        x = ((x / 255.0 - check.MEAN) / check.STD).astype(np.float32)
        self.chunks = []
        for i in range(0, 10000, CHUNK):
            self.chunks.append(self.file("images-%d.npy" % i))
            np.save(self.chunks[-1], x[i:i + CHUNK])

    def predictions(self):
        """Which class wins, for each image, there and here; ties within rounding are none."""
        model = self.file("4x.onnx")
        there = np.concatenate([self.ort(model, i, i + ".ort.npy") for i in self.chunks])
        here = np.concatenate([np.load(i + ".lab") for i in self.chunks])
        a, b = there.argmax(1), here.argmax(1)
        margin = np.sort(here, 1)[:, -1] - np.sort(here, 1)[:, -2]
        ties = margin < 1e-4 * np.abs(here).max()
        raw = check.gzip.open(os.path.join(self.data, "fashion-test-labels.idx.gz")).read()
        labels = np.frombuffer(raw, np.uint8, 10000, 8)
        n = int((a == labels).sum())
        want = round(self.counted["top1"] * 10000)
        wrong = int(((a != b) & ~ties).sum())
        ok = wrong == 0 and abs(n - want) <= ties.sum() and (a[~ties] == b[~ties]).all()
        return ok, "%d right there, %d counted here, %d of 10000 differ, %d ties" % (
            n, want, wrong, ties.sum())

    # ---- the file

    def plan_small(self, name, model, images, options):
        """A network of a file, some layers split and some not."""
        out = self.file("%s%s.onnx" % (name, options.replace(" ", "")))
        self.ranklab("open " + quoted(model), "data calib " + quoted(images), "method all svd",
                     "select --speedup 1.5 --of network", "solve all",
                     "export onnx %s %s" % (quoted(out), options),
                     "run %s %s" % (quoted(images), quoted(out + ".npy")))
        checker.check_model(onnx.load(out), full_check=True)
        return self.compare(out + ".npy", out, images)

    def rest_is_untouched(self, model, out):
        """Nodes and constants that are in both files have the same bytes; what is gone was a
        layer or folded into one."""
        a, b = onnx.load(model), onnx.load(out)
        missing, changed = [], []
        for kind in "node", "initializer", "input", "output", "value_info":
            new = {key(x): x.SerializeToString() for x in getattr(b.graph, kind) if not is_part(x)}
            for x in getattr(a.graph, kind):
                if key(x) not in new:
                    missing.append(x.op_type if kind == "node" else kind)
                elif new[key(x)] != x.SerializeToString():
                    changed.append(key(x))
        bad = set(missing) - {"Conv", "Gemm", "MatMul", "BatchNormalization", "Add", "Mul",
                              "Identity", "initializer", "value_info", "Constant", "input"}
        same = (a.ir_version == b.ir_version and list(a.opset_import) == list(b.opset_import)
                and a.producer_name == b.producer_name and a.graph.name == b.graph.name
                and a.doc_string == b.doc_string
                and [p for p in b.metadata_props if not p.key.startswith("ranklab.")]
                == list(a.metadata_props))
        keys = {p.key for p in b.metadata_props}
        said = {"ranklab.version", "ranklab.model_sha256", "ranklab.plan"} <= keys
        docs = [n.doc_string for n in b.graph.node if is_part(n) and n.op_type != "Cast"]
        told = docs and all("rank" in d for d in docs)
        dangling = {n for v in b.graph.value_info for n in [v.name]} - values(b)
        ok = not changed and not bad and same and said and told and not dangling
        return ok, "%d parts; %d gone; changed: %s" % (len(docs), len(missing), changed[:3])

    # ---- optimisers

    def levels(self, name, images):
        model = self.file(name + ".onnx")
        prefix = self.file(name + "-level")
        for old in glob.glob(prefix + "*"):
            os.unlink(old)
        command([self.node, os.path.join(HERE, "levels.js"), model, images, prefix])
        want = np.load(prefix + "-disabled-0.npy")
        worst = max(difference(np.load("%s-%s-0.npy" % (prefix, l)), want) for l in LEVELS)
        own = convolutions(model, shapes_of(model))
        found = []
        for level in LEVELS:
            n, macs = convolutions("%s-%s.onnx" % (prefix, level), shapes_of(model))
            found.append(macs if level != "all" else n)
        ok = worst <= 1e-4 and found[:3] == [own[1]] * 3 and found[3] == own[0]
        return ok, "largest difference %.1e, %d convolutions, %d multiply-adds" % (
            worst, own[0], own[1])

    # ---- values that are tapped

    def export_taps(self):
        for option in "", "--keep-names":
            self.ranklab("open @fashion-resnet", "data calib @fashion --count 500",
                         "method all pca", "method fc keep",
                         "rank all x=1.3", "solve all", "export onnx %s %s" % (
                             quoted(self.file("taps%s.onnx" % option)), option))
        return True, ""

    def taps(self):
        """Every value of the original, in both files."""
        original = onnx.load(os.path.join(self.data, "fashion-resnet.onnx"))
        names = [o for n in original.graph.node for o in n.output if o]
        np.save(self.file("few.npy"), np.load(self.images)[:8])
        results = []
        for model in original, onnx.load(self.file("taps--keep-names.onnx")):
            missing = set(names) - values(model)
            if missing:
                return False, "gone: " + ", ".join(sorted(missing))
            results.append(self.tap(model, names))
        errors = [np.linalg.norm(y - x) / np.linalg.norm(x) for x, y in zip(*results)]
        worst = int(np.argmax(errors))
        ok = max(errors) < 0.35 and max(errors) > 1e-3
        # the plain file agrees wherever it still has the value
        plain = onnx.load(self.file("taps.onnx"))
        kept = [n for n in names if n in values(plain)]
        there = dict(zip(names, results[1]))
        apart = max(difference(y, there[n]) for n, y in zip(kept, self.tap(plain, kept)))
        return ok and apart < 1e-4 and len(kept) < len(names), (
            "%d values, the furthest %s by %.3f; %d in the plain file, apart by %.1e"
            % (len(names), names[worst], errors[worst], len(kept), apart))

    def tap(self, model, names):
        m = onnx.ModelProto()
        m.CopyFrom(model)
        del m.graph.output[:]
        m.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None)
                              for n in names)
        path = self.file("tapped.onnx")
        onnx.save(m, path)
        command([self.node, os.path.join(HERE, "levels.js"), path, self.file("few.npy"),
                 self.file("tapped")])
        return [np.load(self.file("tapped-basic-%d.npy" % i)) for i in range(len(names))]

    # ---- 16-bit floats

    def write_half(self, is_all):
        """@fashion with weights of 16 bits: computed in them, or cast before they are used."""
        model = onnx.load(os.path.join(self.data, "fashion.onnx"))
        g = model.graph
        casts = []
        for t in g.initializer:
            if t.data_type != TensorProto.FLOAT:
                continue
            name = t.name if is_all else t.name + "_stored"
            half = numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float16), name)
            if not is_all:
                casts.append(helper.make_node("Cast", [name], [t.name], to=TensorProto.FLOAT))
            t.CopyFrom(half)
        first, last = g.input[0].name, g.output[0].name
        if is_all:
            for n in g.node:
                n.input[:] = ["x16" if i == first else i for i in n.input]
                n.output[:] = ["y16" if o == last else o for o in n.output]
            casts.append(helper.make_node("Cast", [first], ["x16"], to=TensorProto.FLOAT16))
            g.node.append(helper.make_node("Cast", ["y16"], [last], to=TensorProto.FLOAT))
            del g.value_info[:]
        nodes = casts + list(g.node)
        del g.node[:]
        g.node.extend(nodes)
        checker.check_model(model, full_check=True)
        onnx.save(model, self.file("half%d.onnx" % is_all))

    def half(self, is_all, option):
        """Which types the new weights have, and that the outputs agree."""
        self.write_half(is_all)
        out = self.file("half%d%s-split.onnx" % (is_all, option))
        self.ranklab("open " + quoted(self.file("half%d.onnx" % is_all)),
                     "data calib @fashion --count 200", "method conv* svd",
                     "rank conv2..conv4 50%", "solve all",
                     "export onnx %s %s" % (quoted(out), option),
                     "run %s %s" % (quoted(self.images), quoted(out + ".npy")))
        model = onnx.load(out)
        checker.check_model(model, full_check=True)
        types = {t.data_type for t in model.graph.initializer if "_r1_" in t.name or "_r2_" in t.name}
        old = {t.data_type for t in model.graph.initializer
               if "_r1_" not in t.name and "_r2_" not in t.name and t.data_type != TensorProto.INT64}
        want = TensorProto.FLOAT16 if is_all or option else TensorProto.FLOAT
        y, x = self.ort(out, self.images, out + ".ort.npy"), np.load(out + ".npy")
        d = difference(y, x)
        ok = types == {want} and old == {TensorProto.FLOAT16} and d < (2e-2 if is_all or option else 1e-4)
        return ok, "%d kinds, largest difference %.1e" % (len(types), d)

    # ---- weights outside, and layers out of reach

    def outside(self):
        model = onnx.load(os.path.join(self.data, "fashion.onnx"))
        path = self.file("outside.onnx")
        for old in glob.glob(self.file("outside*")):
            os.unlink(old)
        onnx.save_model(model, path, save_as_external_data=True, location="outside.weights",
                        size_threshold=100)
        out = self.file("inside.onnx")
        self.ranklab("open " + quoted(path), "method all svd", "rank conv2,conv3 50%", "solve all",
                     "export onnx " + quoted(out),
                     "run %s %s" % (quoted(self.images), quoted(out + ".npy")))
        os.rename(path, self.file("away.onnx"))
        checker.check_model(onnx.load(out), full_check=True)
        return self.compare(out + ".npy", out, self.images)

    def branch(self):
        """A convolution inside the branch of an If with a constant condition."""
        rng = np.random.RandomState(3)
        def floats(*dims):
            return (0.3 * rng.standard_normal(dims)).astype(np.float32)
        inner = helper.make_graph(
            [helper.make_node("Conv", ["r", "bw"], ["by"], name="inner", pads=[1, 1, 1, 1])],
            "branch", [], [helper.make_tensor_value_info("by", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(floats(16, 16, 3, 3), "bw")])
        other = helper.make_graph(
            [helper.make_node("Relu", ["r"], ["oy"])], "other", [],
            [helper.make_tensor_value_info("oy", TensorProto.FLOAT, None)])
        nodes = [helper.make_node("Conv", ["x", "w"], ["c"], name="outer", pads=[1, 1, 1, 1]),
                 helper.make_node("Relu", ["c"], ["r"]),
                 helper.make_node("If", ["yes"], ["y"], name="if", then_branch=inner,
                                  else_branch=other)]
        graph = helper.make_graph(
            nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8, 12, 12])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 16, 12, 12])],
            [numpy_helper.from_array(floats(16, 8, 3, 3), "w"),
             numpy_helper.from_array(np.array(True), "yes")])
        model, data = self.file("branch.onnx"), self.file("branch.npy")
        m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        m.ir_version = 8
        onnx.save(m, model)
        np.save(data, floats(3, 8, 12, 12))
        details = []
        for layer in "outer", "inner":
            out = self.file("branch-%s.onnx" % layer)
            self.ranklab("open " + quoted(model), "method %s svd" % layer, "rank %s 4" % layer,
                         "solve all", "export onnx " + quoted(out),
                         "run %s %s" % (quoted(data), quoted(out + ".npy")))
            checker.check_model(onnx.load(out), full_check=True)
            ok, detail = self.compare(out + ".npy", out, data)
            kept = any(n.op_type == "If" for n in onnx.load(out).graph.node)
            if not ok or kept != (layer == "outer"):
                return False, "%s: %s, If %s" % (layer, detail, "kept" if kept else "gone")
            details.append(detail)
        return True, details[-1]


def is_part(x):
    """A node that a layer was split into, or what feeds it."""
    return re.search(r"_r[123](_weight|_bias)?(_cast|_16)?$", x.name) is not None


def key(x):
    """By what a node or constant is known."""
    return x.output[0] + "/" + x.op_type if hasattr(x, "op_type") else x.name


def values(model):
    g = model.graph
    return {o for n in g.node for o in n.output} | {t.name for t in g.initializer} | {
        i.name for i in g.input}


def shapes_of(path):
    """The shapes of a model's values, one image at a time."""
    model = onnx.load(path)
    check.free_the_batch(model)
    g = shape_inference.infer_shapes(model, strict_mode=True).graph
    return {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in list(g.value_info) + list(g.input) + list(g.output)}


def convolutions(path, shapes):
    """How many convolutions, by whatever name an optimiser gives them, and their
    multiply-adds, by the shapes that the values have in the model it began with."""
    g = onnx.load(path).graph
    weights = {t.name: list(t.dims) for t in g.initializer}
    for n in g.node:
        if n.op_type == "Cast" and n.input[0] in weights:
            weights[n.output[0]] = weights[n.input[0]]
    n_convs = macs = 0
    for n in g.node:
        if "Conv" not in n.op_type or n.op_type.startswith("Reorder"):
            continue
        n_convs += 1
        if n.output[0] in shapes:
            macs += int(np.prod(shapes[n.output[0]])) * int(np.prod(weights[n.input[1]][1:]))
    return n_convs, macs


def main(ranklab, node, data, work):
    c, it = check.Checks(), Exports(ranklab, node, data, work)
    os.makedirs(work, exist_ok=True)
    it.write_images()
    c.guard("fashion 4x: select, solve, export", it.export_4x)
    c.guard("fashion 4x: 10,000 predictions", it.predictions)
    c.guard("fashion 4x: the rest of the file", it.rest_is_untouched,
            os.path.join(data, "fashion.onnx"), it.file("4x.onnx"))
    c.guard("fashion 4x: every level of the optimiser", it.levels, "4x", it.images)
    c.guard("resnet: export plainly and with all names", it.export_taps)
    c.guard("resnet: values by name", it.taps)
    for name in "taps", "taps--keep-names":
        c.guard("resnet %s: the rest of the file" % name, it.rest_is_untouched,
                os.path.join(data, "fashion-resnet.onnx"), it.file(name + ".onnx"))
        c.guard("resnet %s: every level of the optimiser" % name, it.levels, name, it.images)
    for is_all in False, True:
        for option in "", "--fp16":
            what = "computed in 16 bits" if is_all else "stored in 16 bits"
            c.guard("%s %s: export" % (what, option), it.half, is_all, option)
    c.guard("stored in 16 bits: every level of the optimiser", it.levels, "half0--fp16-split",
            it.images)
    c.guard("weights in a file of their own", it.outside)
    c.guard("layers in a branch of an If", it.branch)
    for name, opset, model, images in networks.write_all(work):
        if name not in networks.PLANNED:
            continue
        for option in "", "--keep-names":
            what = "network %s (opset %d) %s: " % (name, opset, option)
            c.guard(what + "export", it.plan_small, name, model, images, option)
            c.guard(what + "the rest of the file", it.rest_is_untouched, model,
                    it.file("%s%s.onnx" % (name, option)))
    print("%d passed, %d failed" % (c.passed, c.failed))
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
