"""Cases of opsets.py: integers, what is no number or nothing at all, and what is refused."""
import numpy as np
from onnx import TensorProto

from opsets_net import CASES, case, ints, refused


def integers(n, scale, kind=TensorProto.INT32):
    return n.add("Cast", n.add("Mul", "x", np.float32(scale)), to=kind)


def reals(n, x):
    return n.add("Cast", x, to=TensorProto.FLOAT)


@case(13)
def matmul_integers(n):
    y = n.add("MatMul", integers(n, 3), np.arange(20, dtype=np.int32).reshape(10, 2))
    z = n.add("MatMul", np.arange(1, 4).reshape(1, 3), np.arange(6).reshape(3, 2))
    return n.add("Mul", reals(n, y), reals(n, z))


@case(13)
def einsum_integers(n):
    w = np.arange(20, dtype=np.int32).reshape(10, 2)
    return reals(n, n.add("Einsum", integers(n, 3), w, equation="nchw,wk->nchk"))


@case(13)
def int32_constants(n):
    total = n.add("Add", np.array([2147483647], np.int32), np.array([5], np.int32))
    chosen = n.add("Gather", np.array([7, 8, 9], np.int32), ints(2))
    return reals(n, n.add("Add", n.add("Sub", integers(n, 3), total), chosen))


@case(13)
def clip_integers(n):
    x = n.add("Add", integers(n, 3, TensorProto.INT64), np.int64(16777217))
    y = n.add("Clip", x, np.int64(16777217), np.int64(16777219))
    return reals(n, n.add("Sub", y, np.int64(16777217)))


@case(13)
def power_negative(n):
    return reals(n, n.add("Pow", n.add("Cast", n.add("Sign", "x"), to=6), np.int32(-1)))


@case(13)
def masked_softmax(n):
    mask = np.where(np.arange(10) < 5, 0, -np.inf).astype(np.float32).reshape(1, 1, 1, 10)
    return n.add("Softmax", n.add("Add", "x", mask), axis=-1)


@case(13)
def empty_piece(n):
    return n.add("Concat", "x", n.add("Slice", "x", ints(0), ints(0), ints(3)), axis=3)


@case(13)
def extremes_of_nan(n):
    y = n.add("Sqrt", "x")
    return n.add("Where", n.add("Equal", n.add("Max", y, np.float32(0)), y), "x", np.float32(9))


for p in (1, 2):
    CASES.append(("zero_vectors_%d" % p, 13, lambda n, p=p: n.add(
        "LpNormalization", n.add("Relu", n.add("Sub", "x", np.float32(1.5))), axis=3, p=p)))
for reduce in ("L1", "L2", "SumSquare", "LogSum", "LogSumExp"):
    CASES.append(("Reduce%s_noop_18" % reduce, 18, lambda n, r=reduce: n.add(
        "Reduce" + r, n.add("Abs" if r == "LogSum" else "Neg", "x"), noop_with_empty_axes=1)))


@refused(19, "Cast to type 17")
def cast_float8(n):
    return n.add("Cast", n.add("Cast", "x", to=17), to=TensorProto.FLOAT)


@refused(19, "operator DeformConv")
def deform_conv(n):
    return n.add("DeformConv", "x", n.floats(6, 4, 3, 3), n.floats(1, 18, 4, 8))


def quantized(n, weights, scale, zero):
    return n.add("Conv", "x", n.add("DequantizeLinear", weights, scale, zero, axis=0))


@refused(13, "zero points of shape 1 for scales of shape 600")
def zero_point_too_short(n):
    return quantized(n, np.ones((600, 4, 3, 3), np.int8), np.ones(600, np.float32),
                     np.zeros(1, np.int8))


@refused(13, "a zero point that is no integer")
def zero_point_real(n):
    return quantized(n, np.ones((6, 4, 3, 3), np.int8), np.ones(6, np.float32),
                     np.zeros(6, np.float32))


@refused(13, "of type float32")
def quantized_reals(n):
    return quantized(n, n.floats(6, 4, 3, 3), np.ones(6, np.float32), np.zeros(6, np.int8))


@refused(21, "scales of shape 6x3x3x3 for 6x4x3x3")
def wrong_blocks(n):
    w = np.ones((6, 4, 3, 3), np.int8)
    return n.add("Conv", "x", n.add("DequantizeLinear", w, np.ones((6, 3, 3, 3), np.float32),
                                    axis=1, block_size=2))


@refused(21, "element type 22")
def int4_weights(n):
    w = n.raw(bytes(108), 22, [6, 4, 3, 3])
    return n.add("Conv", "x", n.add("DequantizeLinear", w, np.float32(0.1)))


@refused(13, "its result has no elements (shape Nx4x6x0)")
def empty_split(n):
    return n.add("Concat", *n.add("Split", "x", ints(10, 0), n_out=2, axis=3), axis=3)


@refused(13, "activations other than the usual ones")
def odd_recurrent(n):
    x = n.add("Transpose", n.add("Reshape", "x", ints(0, 24, 10)), perm=[1, 0, 2])
    return n.add("LSTM", x, n.floats(1, 20, 10), n.floats(1, 20, 5), hidden_size=5,
                 activations=["Sigmoid", "Softsign", "Tanh"])


@refused(14, "target size 0")
def reshape_to_nothing(n):
    return n.add("Reshape", "x", ints(0, 4, 60), allowzero=1)
