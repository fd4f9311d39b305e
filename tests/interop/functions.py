#!/usr/bin/python3
"""Networks made of local functions against ONNX Runtime:
  functions.py RANKLAB NODE WORK
The network as it is; approximated and exported, where functions that hold no split layer must
still be there; exported with nothing split, which must leave nodes and functions as they are;
and files that must be refused. What onnx.proto gained later (defaults of attributes, overloads)
is put in as bytes, which python-onnx carries along. Ends with "N passed, N failed"."""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, checker, helper, numpy_helper

import check
from check import quoted

SHAPE = [6, 12, 12]
OPSET = 15


def node(kind, inputs, outputs, domain="f", name="", overload="", **attributes):
    """Attributes given as a name after @ refer to one of the function's."""
    n = helper.make_node(kind, inputs, outputs, name=name, domain=domain)
    for key, value in attributes.items():
        if isinstance(value, str) and value.startswith("@"):
            kind, ref = value[1:].split(":")
            n.attribute.append(onnx.AttributeProto(name=key, ref_attr_name=ref, type=getattr(
                onnx.AttributeProto, kind)))
        else:
            n.attribute.append(helper.make_attribute(key, value))
    if overload:
        n.MergeFromString(field(8, overload.encode()))
    return n


def op(kind, inputs, outputs, **attributes):
    return node(kind, inputs, outputs, domain="", **attributes)


def field(number, data):
    """A field of bytes, shorter than 128."""
    key, out = number << 3 | 2, b""
    while key > 127:
        out, key = out + bytes([key & 127 | 128]), key >> 7
    return out + bytes([key, len(data)]) + data


def function(name, inputs, outputs, nodes, attributes=(), domain="f", opset=OPSET, overload="",
             **defaults):
    f = helper.make_function(domain, name, inputs, outputs, nodes,
                             [helper.make_opsetid("", opset), helper.make_opsetid("f", 1)],
                             list(attributes))
    for key, value in defaults.items():
        f.MergeFromString(field(11, helper.make_attribute(key, value).SerializeToString()))
    if overload:
        f.MergeFromString(field(13, overload.encode()))
    return f


def value(name, shape=4 * [None]):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class Net:
    def __init__(self, nodes, functions, opset=OPSET, **weights):
        self.rng = np.random.RandomState(7)
        graph = helper.make_graph(nodes, "net", [value("x", ["N"] + SHAPE)], [value("y")],
                                  [numpy_helper.from_array(self.weight(w), k)
                                   for k, w in weights.items()])
        self.model = helper.make_model(graph, opset_imports=[
            helper.make_opsetid("", opset), helper.make_opsetid("f", 1)])
        self.model.ir_version = 10
        self.model.functions.extend(functions)

    def weight(self, w):
        """Sizes of random numbers, or an array."""
        if not isinstance(w, tuple):
            return np.asarray(w)
        scale = 1.5 / np.sqrt(np.prod(w[1:])) if len(w) == 4 else 0.3
        x = (scale * self.rng.standard_normal(w)).astype(np.float32)
        return np.abs(x) + np.float32(0.5) if w == (1, 8) else x


CONV = function("Conv2d", ["x", "w", "b"], ["y"],
                [op("Conv", ["x", "w", "b"], ["y"], name="conv", pads="@INTS:pads",
                    strides="@INTS:strides", group="@INT:groups")],
                ["pads", "groups"], strides=[1, 1])
LEAKY = function("Act", ["x"], ["y"], [op("LeakyRelu", ["x"], ["y"], alpha="@FLOAT:slope")],
                 slope=0.25)
HARD = function("Act", ["x"], ["y"], [op("Relu", ["x"], ["y"])], overload="hard")
BLOCK = function("Block", ["x", "w", "b", "scale", "shift", "mean", "var"], ["y"], [
    node("Conv2d", ["x", "w", "b"], ["c"], name="conv", pads="@INTS:pads"),
    op("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"], name="bn"),
    node("Act", ["n"], ["y"], slope="@FLOAT:slope")], ["pads", "slope"])
CLIPPED = function("Clipped", ["x", "low", "high"], ["y"], [
    op("Clip", ["x", "low", "high"], ["y"])])
BOTH = function("Both", ["x"], ["z", "y"], [op("Neg", ["x"], ["y"]), op("Identity", ["x"], ["z"])])


def branch(name, nodes, out):
    return helper.make_graph(nodes, name, [], [value(out)])


# "one/c" is also what a value of the first call would be called.
MIXED = Net([
    node("Block", ["x", "w1", "b1", "s", "t", "m", "v"], ["one/c"], name="one", pads=[1, 1, 1, 1]),
    node("Block", ["one/c", "w2", "", "s", "t", "m", "v"], ["two"], name="two",
         pads=[1, 1, 1, 1], slope=0.5),
    node("Clipped", ["two", "", "high"], ["clipped"]),
    node("Choose", ["clipped", "w2", "yes"], ["chosen"], name="choose"),
    node("Both", ["chosen"], ["same", "negated"]),
    op("Add", ["same", "negated"], ["zero"]),
    op("Add", ["zero", "chosen"], ["sum"]),
    node("Conv2d", ["sum", "w2"], ["wide"], pads=[1, 1, 1, 1], strides=[2, 2]),
    node("Conv2d", ["wide", "w3"], ["y3"], pads=[0, 0, 0, 0], groups=2),
    node("Act", ["y3"], ["a3"], overload="hard"),
    op("If", ["no"], ["taken"], name="if", then_branch=branch("then", [
        op("Neg", ["a3"], ["not"])], "not"), else_branch=branch("else", [
            node("Act", ["a3"], ["done"], name="inside")], "done")),
    op("HardSwish", ["taken"], ["y"])], [
        BLOCK, CONV, LEAKY, HARD, CLIPPED, BOTH,
        function("Choose", ["x", "w", "yes"], ["y"], [
            node("Conv2d", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
            op("If", ["yes"], ["y"], name="if", then_branch=branch("then", [
                op("Add", ["c", "x"], ["s"], name="add"), node("Act", ["s"], ["t"])], "t"),
                else_branch=branch("else", [op("Identity", ["x"], ["e"])], "e"))]),
        # the standard says what HardSwish is
        function("HardSwish", ["x"], ["y"], [op("Neg", ["x"], ["y"])], domain=""),
        function("Unused", ["x"], ["y"], [op("Abs", ["x"], ["y"])])],
    w1=(8, 6, 3, 3), b1=(8,), w2=(8, 8, 3, 3), w3=(8, 4, 3, 3), s=np.full(8, 1.25, np.float32),
    t=(8,), m=(8,), v=np.linspace(0.5, 2, 8, dtype=np.float32), high=np.array(0.75, np.float32),
    yes=np.array(True), no=np.array(False))

# All of it is one call, and only the function says which opset; of another version, which
# means the same.
ALONE = Net([node("All", ["x", "w1", "w2"], ["y"])], [
    CONV, function("All", ["x", "w1", "w2"], ["y"], [
        node("Conv2d", ["x", "w1"], ["c"], name="first", pads=[1, 1, 1, 1]),
        op("Relu", ["c"], ["r"]),
        node("Conv2d", ["r", "w2"], ["y"], name="second", pads=[1, 1, 1, 1])])],
    w1=(16, 6, 3, 3), w2=(16, 16, 3, 3))
del ALONE.model.opset_import[0]
OLD = Net([node("Old", ["x", "w1"], ["h"], name="old"),
           op("Conv", ["h", "w2"], ["y"], name="new", pads=[1, 1, 1, 1])], [
    function("Old", ["x", "w"], ["y"], [
        op("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        op("Relu", ["c"], ["y"])], opset=11)], w1=(16, 6, 3, 3), w2=(16, 16, 3, 3))


def calls(*nodes):
    return [function("F", ["x"], ["y"], list(nodes))]


def call_f(functions, opset=OPSET, **attributes):
    return Net([node("F", ["x"], ["y"], **attributes)], functions, opset)


REFUSED = [
    ("a function that calls itself", call_f(calls(node("F", ["x"], ["y"]))),
     "function F calls itself"),
    ("functions that call each other",
     call_f(calls(node("G", ["x"], ["y"]))
            + [function("G", ["x"], ["y"], [node("F", ["x"], ["y"])])]),
     "function F calls itself by way of G"),
    ("recursion inside of a branch", call_f(calls(op("If", ["x"], ["y"], then_branch=branch(
        "then", [node("F", ["x"], ["t"])], "t")))), "function F calls itself"),
    ("2^40 nodes", call_f(calls(node("F0", ["x"], ["y"])) + [
        function("F%d" % i, ["x"], ["y"], [node("F%d" % (i + 1), ["x"], ["a"]),
                                           node("F%d" % (i + 1), ["a"], ["y"])])
        for i in range(40)] + [function("F40", ["x"], ["y"], [op("Relu", ["x"], ["y"])])]),
     "more than 50000 nodes and calls"),
    ("100 levels", call_f(calls(node("F0", ["x"], ["y"])) + [
        function("F%d" % i, ["x"], ["y"], [node("F%d" % (i + 1), ["x"], ["y"])])
        for i in range(100)] + [function("F100", ["x"], ["y"], [op("Relu", ["x"], ["y"])])]),
     "functions are nested more than 64 levels deep"),
    ("an opset that means something else", call_f(
        [function("F", ["x"], ["y"], [op("Softmax", ["x"], ["y"])], opset=11)]),
     "function F is written for opset 11, the model for opset 15, and Softmax changed in opset 13"),
    ("an opset the model does not reach", call_f(
        [function("F", ["x"], ["y"], [op("Mish", ["x"], ["y"])], opset=18)]),
     "function F is written for opset 18, the model for opset 15, and Mish changed in opset 18"),
    ("a function that is there twice", call_f(2 * calls(op("Relu", ["x"], ["y"]))),
     "function F of domain f is there twice"),
    ("a value that is not there", call_f(calls(op("Add", ["x", "q"], ["y"]))),
     "function F: q is not defined"),
    ("a value that is there twice", call_f(calls(op("Relu", ["x"], ["a"]),
                                                 op("Neg", ["x"], ["a"]))),
     "function F: a is defined twice"),
    ("an output that is not computed", call_f(calls(op("Relu", ["x"], ["a"]))),
     "function F: y is an output, but not computed"),
    ("too many inputs", Net([node("F", ["x", "x"], ["y"], name="n")],
                            calls(op("Relu", ["x"], ["y"]))),
     "n: function F has 1 inputs and 1 outputs, not 2 and 1"),
    ("an overload that is not there",
     call_f([function("F", ["x"], ["y"], [op("Relu", ["x"], ["y"])], overload="a")],
            overload="b"), 'function F has no overload "b"'),
    ("a graph handed on by reference", Net(
        [node("F", ["x"], ["y"], g=branch("g", [op("Relu", ["x"], ["t"])], "t"))],
        calls(op("If", ["x"], ["y"], then_branch="@GRAPH:g"))),
     "attribute g is a graph, which functions cannot hand on here"),
]


class Functions(check.Interop):
    def file(self, name):
        return os.path.join(self.work, name)

    def write(self, name, net):
        path = self.file(name + ".onnx")
        with open(path, "wb") as f:
            f.write(net.model.SerializeToString())
        return path

    def plan(self, name, layers, left):
        """Some layers split: right in ONNX Runtime, and these functions are left."""
        model, out = self.file(name + ".onnx"), self.file(name + "-split.onnx")
        self.ranklab("open " + quoted(model), "data calib " + quoted(self.images),
                     *["method %s pca; rank %s 50%%" % (quoted(x), quoted(x)) for x in layers],
                     "solve all", "export onnx " + quoted(out),
                     "run %s %s" % (quoted(self.images), quoted(out + ".npy")))
        a, b = onnx.load(model), onnx.load(out)
        ok, detail = self.compare(out + ".npy", out, self.images)
        kept = all(f in list(a.functions) for f in b.functions)
        found = sorted(f.name for f in b.functions)
        parts = sum("_r1" in n.name for n in b.graph.node)
        return (ok and kept and found == sorted(left) and parts == len(layers),
                "%s; %d layers split, functions: %s" % (detail, parts, " ".join(found)))

    def select(self, name):
        """The three commands of a user, all that can be split at 2x."""
        model, out = self.file(name + ".onnx"), self.file(name + "-2x.onnx")
        self.ranklab("open " + quoted(model), "data calib " + quoted(self.images),
                     "select --speedup 2", "solve", "export onnx " + quoted(out),
                     "run %s %s" % (quoted(self.images), quoted(out + ".npy")))
        return self.compare(out + ".npy", out, self.images)

    def nothing(self, name):
        """Nothing split: nodes and functions stay as they are."""
        model, out = self.file(name + ".onnx"), self.file(name + "-whole.onnx")
        self.ranklab("open " + quoted(model), "export onnx " + quoted(out))
        a, b = onnx.load(model), onnx.load(out)
        return (a.graph.SerializeToString() == b.graph.SerializeToString()
                and list(a.functions) == list(b.functions)), "%d functions" % len(b.functions)

    def refuses(self, name, words):
        try:
            self.ranklab("open " + quoted(self.file(name + ".onnx")))
        except RuntimeError as e:
            return words in str(e), str(e).split("refused.onnx: ")[-1].split("\n")[0][:150]
        return False, "it was opened"

    def valid(self, name):
        model = onnx.load(self.file(name + ".onnx"))
        model.ir_version = 8  # the checker may know no later one
        checker.check_model(model)
        return True, "%d nodes" % len(model.graph.node)


def main(ranklab, node_path, work):
    c, it = check.Checks(), Functions(ranklab, node_path, None, work)
    os.makedirs(work, exist_ok=True)
    np.save(it.images, np.random.RandomState(5).standard_normal([200] + SHAPE).astype(np.float32))
    for name, net in ("mixed", MIXED), ("alone", ALONE), ("old", OLD):
        model = it.write(name, net)
        c.guard("%s: the network" % name, it.network, model, it.images)
        c.guard("%s: nothing split" % name, it.nothing, name)
        c.guard("%s: select, solve, export" % name, it.select, name)
        c.guard("%s: valid" % name, it.valid, name + "-2x")
    kept = ["Act", "Act", "Block", "Both", "Choose", "Clipped", "Conv2d", "HardSwish", "Unused"]
    c.guard("mixed: a layer of one call", it.plan, "mixed", ["one/conv"], kept)
    c.guard("mixed: a layer of each call", it.plan, "mixed", ["one/conv", "two/conv"],
            [k for k in kept if k != "Block"])
    c.guard("mixed: a layer beside an If", it.plan, "mixed", ["choose/conv"],
            [k for k in kept if k != "Choose"])
    c.guard("alone: one of two layers", it.plan, "alone", ["first"], ["Conv2d"])
    c.guard("old: a layer outside", it.plan, "old", ["new"], ["Old"])
    for what, net, words in REFUSED:
        it.write("refused", net)
        c.guard("refused: " + what, it.refuses, "refused", words)
    print("%d passed, %d failed" % (c.passed, c.failed))
    return c.failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
