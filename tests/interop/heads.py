"""What ranklab takes for the outputs of a network that it cannot run to its end."""
import re

import onnx


def first_of(text):
    """Its name, from what ranklab says of the network."""
    found = re.search(r"stands for its outputs: (.*?)(?:, | and \d+ more|$)", text, re.M)
    if not found:
        raise RuntimeError("nothing stands for the outputs: %s" % text.strip()[-300:])
    return found.group(1)


def give_out(name, model, path):
    """Writes the model to path with this value as its only output."""
    m = onnx.load(model)
    del m.graph.output[:]
    m.graph.output.add().CopyFrom(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    onnx.save(m, path)
