"""Small generated networks for opsets.py, and the lists of cases that files beside it fill."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

SHAPE = [4, 6, 10]


class Net:
    def __init__(self, opset):
        self.opset, self.nodes, self.weights = opset, [], []
        self.rng = np.random.RandomState(opset)

    def add(self, kind, *inputs, n_out=1, **attributes):
        names = []
        for x in inputs:
            if not isinstance(x, str):
                self.weights.append(numpy_helper.from_array(np.asarray(x), "w%d" % len(self.weights)))
                x = self.weights[-1].name
            names.append(x)
        out = ["v%d_%d" % (len(self.nodes), i) for i in range(n_out)]
        self.nodes.append(helper.make_node(kind, names, out, name="n%d" % len(self.nodes),
                                           **attributes))
        return out[0] if n_out == 1 else out

    def raw(self, array, kind, dims):
        """A weight of a type NumPy has not."""
        name = "w%d" % len(self.weights)
        self.weights.append(TensorProto(name=name, data_type=kind, dims=dims, raw_data=array))
        return name

    def floats(self, *dims):
        return (0.4 * self.rng.standard_normal(dims)).astype(np.float32)

    def save(self, path, out):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"] + SHAPE)
        y = helper.make_tensor_value_info(out, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "net", [x], [y], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 9
        with open(path, "wb") as f:
            f.write(model.SerializeToString())


def ints(*values):
    return np.array(values, np.int64)


CASES = []
# Made for a batch of one.
ONE_IMAGE = []


def one_image(f):
    ONE_IMAGE.append(f)
    return f


def case(*opsets):
    def keep(f):
        for opset in opsets:
            CASES.append(("%s_%d" % (f.__name__, opset), opset, f))
        return f
    return keep


# What is refused, and by which words.
REFUSED = []


def refused(opset, words):
    def keep(f):
        REFUSED.append(("%s_%d" % (f.__name__, opset), opset, f, words))
        return f
    return keep
