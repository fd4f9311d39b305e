#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the sample networks of ranklab on Fashion-MNIST and make the sample data.

Needs the Debian packages python3-torch, python3-onnx, python3-numpy and
dataset-fashion-mnist (or --dataset DIR with the four original idx.gz files).

  train_fashion.py --data                            the idx.gz files in data/
  train_fashion.py --net fashion --decay 1e-3        data/fashion.onnx
  train_fashion.py --net resnet --decay 3e-3         data/fashion-resnet.onnx

Training saves a checkpoint after every epoch under --work and resumes from it.
Input of both networks: (pixel / 255 - MEAN) / STD, shape [N, 1, 28, 28].
"""
import argparse
import gzip
import os
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import onnx
from onnx import TensorProto, helper, numpy_helper

MEAN, STD = 0.2860, 0.3530
CLASSES = ("T-shirt/top,Trouser,Pullover,Dress,Coat,"
           "Sandal,Shirt,Sneaker,Bag,Ankle boot")
HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")


# ---------------------------------------------------------------- idx files

def idx_read(path):
    with gzip.open(path, "rb") as f:
        raw = f.read()
    if raw[:3] != b"\0\0\x08":
        sys.exit("%s: not an idx file of bytes" % path)
    nd = raw[3]
    shape = np.frombuffer(raw, ">i4", nd, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * nd).reshape(shape)


def idx_write(path, a):
    head = b"\0\0\x08" + bytes([a.ndim]) + np.array(a.shape, ">i4").tobytes()
    with open(path, "wb") as f:
        with gzip.GzipFile("", "wb", 9, f, mtime=0) as g:
            g.write(head + np.ascontiguousarray(a, np.uint8).tobytes())


def load_set(args, part):
    p = os.path.join(args.dataset, part)
    return (idx_read(p + "-images-idx3-ubyte.gz"),
            idx_read(p + "-labels-idx1-ubyte.gz"))


def make_data(args):
    """3,000 calibration images drawn at random, in the order drawn, and the test set."""
    os.makedirs(args.out_dir, exist_ok=True)
    x, y = load_set(args, "train")
    pick = np.random.RandomState(args.seed).permutation(len(x))[:args.calib]
    tx, ty = load_set(args, "t10k")
    for name, a in (("calib-images", x[pick]), ("calib-labels", y[pick]),
                    ("test-images", tx), ("test-labels", ty)):
        path = os.path.join(args.out_dir, "fashion-%s.idx.gz" % name)
        idx_write(path, a)
        assert (idx_read(path) == a).all()
        print("%-32s %-16s %8d bytes" % (os.path.basename(path),
              "x".join(map(str, a.shape)), os.path.getsize(path)))


# ----------------------------------------------------------------- networks
# A network is a list of (op, node name, inputs, attributes); the output of a
# node is called <node name>_out.

def net_fashion():
    g, c, src = [], 1, "image"
    i = 1
    for stage, widths in enumerate(FASHION_WIDTHS, 1):
        for w in widths:
            g.append(("conv", "conv%d" % i, [src], dict(cin=c, cout=w, k=3, s=1, p=1)))
            g.append(("bn", "bn%d" % i, ["conv%d_out" % i], dict(c=w)))
            g.append(("relu", "relu%d" % i, ["bn%d_out" % i], {}))
            src, c, i = "relu%d_out" % i, w, i + 1
        g.append(("maxpool", "pool%d" % stage, [src], {}))
        src = "pool%d_out" % stage
    g.append(("flatten", "flatten", [src], {}))
    g.append(("fc", "fc1", ["flatten_out"], dict(cin=c * 9, cout=256)))
    g.append(("relu", "relu_fc1", ["fc1_out"], {}))
    g.append(("dropout", "drop", ["relu_fc1_out"], dict(p=0.3)))
    g.append(("fc", "fc2", ["drop_out"], dict(cin=256, cout=10)))
    return g


FASHION_WIDTHS = ((48, 48), (80, 80), (128, 128, 128))


def net_resnet():
    g = []

    def cbr(name, src, cin, cout, k, s, relu=True):
        g.append(("conv", name, [src], dict(cin=cin, cout=cout, k=k, s=s, p=k // 2)))
        g.append(("bn", name + "_bn", [name + "_out"], dict(c=cout)))
        if not relu:
            return name + "_bn_out"
        g.append(("relu", name + "_relu", [name + "_bn_out"], {}))
        return name + "_relu_out"

    def block(name, src, cin, cout, s):
        a = cbr(name + "_conv1", src, cin, cout, 3, s)
        a = cbr(name + "_conv2", a, cout, cout, 3, 1, relu=False)
        b = src
        if s != 1 or cin != cout:
            b = cbr(name + "_short", src, cin, cout, 1, s, relu=False)
        g.append(("add", name + "_add", [a, b], {}))
        g.append(("relu", name + "_relu", [name + "_add_out"], {}))
        return name + "_relu_out"

    stem, down, c1, c2, c3 = RESNET_WIDTHS
    t = cbr("stem", "image", 1, stem, 3, 1)
    t = cbr("down", t, stem, down, 5, 2)
    t = block("res1", t, down, c1, 1)
    t = block("res2", t, c1, c2, 2)
    t = block("res3", t, c2, c3, 1)
    g.append(("gap", "gap", [t], {}))
    g.append(("flatten", "flatten", ["gap_out"], {}))
    g.append(("fc", "fc", ["flatten_out"], dict(cin=c3, cout=10)))
    return g


RESNET_WIDTHS = (32, 48, 48, 96, 128)


class Net(nn.Module):
    def __init__(self, graph):
        super().__init__()
        self.graph = graph
        self.m = nn.ModuleDict()
        for op, name, _, a in graph:
            if op == "conv":
                self.m[name] = nn.Conv2d(a["cin"], a["cout"], a["k"], a["s"], a["p"], bias=False)
                nn.init.kaiming_normal_(self.m[name].weight, mode="fan_out", nonlinearity="relu")
            elif op == "bn":
                self.m[name] = nn.BatchNorm2d(a["c"])
            elif op == "fc":
                self.m[name] = nn.Linear(a["cin"], a["cout"])
            elif op == "dropout":
                self.m[name] = nn.Dropout(a["p"])

    def forward(self, x):
        v = {"image": x}
        for op, name, src, _ in self.graph:
            t = v[src[0]]
            if op in ("conv", "bn", "fc", "dropout"):
                t = self.m[name](t)
            elif op == "relu":
                t = F.relu(t)
            elif op == "maxpool":
                t = F.max_pool2d(t, 2)
            elif op == "add":
                t = t + v[src[1]]
            elif op == "gap":
                t = t.mean((2, 3), keepdim=True)
            elif op == "flatten":
                t = t.flatten(1)
            v[name + "_out"] = t
        return t


# ------------------------------------------------------------------- export

def export(net, path, fold_bn, doc, meta):
    """Write the graph by hand; fold_bn puts every BN into the convolution before it."""
    nodes, inits = [], []
    mods = net.m
    alias = {}

    def init(name, a):
        a = a.detach().numpy() if isinstance(a, torch.Tensor) else a
        inits.append(numpy_helper.from_array(np.ascontiguousarray(a, np.float32), name))
        return name

    after = {src[0]: name for op, name, src, _ in net.graph if op == "bn"}
    for op, name, src, a in net.graph:
        src = [alias.get(s, s) for s in src]
        out = name + "_out"
        if op == "conv":
            w = mods[name].weight.detach().double()
            ins = [src[0], name + ".weight"]
            if fold_bn:
                bn = mods[after[out]]
                s = bn.weight.detach().double() / torch.sqrt(bn.running_var.double() + bn.eps)
                w = w * s[:, None, None, None]
                b = bn.bias.detach().double() - bn.running_mean.double() * s
                ins.append(init(name + ".bias", b))
            init(name + ".weight", w)
            k, s, p = a["k"], a["s"], a["p"]
            nodes.append(helper.make_node(
                "Conv", ins, [out], name, dilations=[1, 1], group=1, kernel_shape=[k, k],
                pads=[p, p, p, p], strides=[s, s]))
        elif op == "bn":
            if fold_bn:
                alias[out] = src[0]
                continue
            bn = mods[name]
            nodes.append(helper.make_node(
                "BatchNormalization",
                [src[0], init(name + ".scale", bn.weight), init(name + ".bias", bn.bias),
                 init(name + ".mean", bn.running_mean), init(name + ".var", bn.running_var)],
                [out], name, epsilon=bn.eps, momentum=0.9))
        elif op == "dropout":
            alias[out] = src[0]
        elif op == "fc":
            if name == net.graph[-1][1]:
                out = "logits"
            nodes.append(helper.make_node(
                "Gemm", [src[0], init(name + ".weight", mods[name].weight),
                         init(name + ".bias", mods[name].bias)], [out], name,
                alpha=1.0, beta=1.0, transB=1))
        elif op == "maxpool":
            nodes.append(helper.make_node("MaxPool", src, [out], name,
                                          kernel_shape=[2, 2], strides=[2, 2]))
        else:
            t = dict(relu="Relu", add="Add", gap="GlobalAveragePool", flatten="Flatten")[op]
            attr = dict(axis=1) if op == "flatten" else {}
            nodes.append(helper.make_node(t, src, [out], name, **attr))
    g = helper.make_graph(
        nodes, os.path.splitext(os.path.basename(path))[0],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])], inits)
    m = helper.make_model(g, producer_name="ranklab train_fashion.py", doc_string=doc,
                          opset_imports=[helper.make_opsetid("", 13)])
    m.ir_version = 7
    helper.set_model_props(m, meta)
    onnx.checker.check_model(m, full_check=True)
    onnx.save(m, path)


# ------------------------------------------------- a small evaluator for ONNX

class OnnxNet:
    """Evaluates the node types used here; `weights` may be replaced."""

    def __init__(self, path):
        self.model = onnx.load(path)
        onnx.checker.check_model(self.model, full_check=True)
        g = self.model.graph
        self.nodes = list(g.node)
        self.w = {t.name: torch.tensor(numpy_helper.to_array(t)) for t in g.initializer}
        self.attr = {n.name: {a.name: helper.get_attribute_value(a) for a in n.attribute}
                     for n in self.nodes}
        self.meta = {p.key: p.value for p in self.model.metadata_props}

    def conv(self, n, x, w=None, b=None):
        a = self.attr[n.name]
        if w is None:
            w = self.w[n.input[1]]
            b = self.w[n.input[2]] if len(n.input) > 2 else None
        return F.conv2d(x, w, b, a["strides"], a["pads"][:2])

    def run(self, x, hook=None, override=None):
        v = {"image": x.contiguous(memory_format=torch.channels_last)}
        for n in self.nodes:
            t = v[n.input[0]]
            op, a = n.op_type, self.attr[n.name]
            if op == "Conv":
                if hook:
                    hook(n, t)
                t = self.conv(n, t, *((override or {}).get(n.name, ())))
            elif op == "BatchNormalization":
                s, b, mu, var = (self.w[i] for i in n.input[1:])
                t = F.batch_norm(t, mu, var, s, b, False, 0.0, a["epsilon"])
            elif op == "Relu":
                t = F.relu(t)
            elif op == "MaxPool":
                t = F.max_pool2d(t, a["kernel_shape"], a["strides"])
            elif op == "Add":
                t = t + v[n.input[1]]
            elif op == "GlobalAveragePool":
                t = t.mean((2, 3), keepdim=True)
            elif op == "Flatten":
                t = t.flatten(1)
            elif op == "Gemm":
                t = F.linear(t, self.w[n.input[1]], self.w[n.input[2]])
            else:
                raise ValueError(op)
            v[n.output[0]] = t
        return v["logits"]

    def macs(self):
        """[(name, MAC, output height, width)] of Conv and Gemm at one 28 x 28 image."""
        m = onnx.shape_inference.infer_shapes(self.model)
        shp = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim]
               for i in list(m.graph.value_info) + list(m.graph.output)}
        rows = []
        for n in self.nodes:
            if n.op_type in ("Conv", "Gemm"):
                o = shp[n.output[0]]
                hw = o[2] * o[3] if len(o) == 4 else 1
                rows.append((n.name, n.op_type, self.w[n.input[1]].numel() * hw, hw))
        return rows


def norm(x):
    return ((torch.as_tensor(np.array(x)).float() / 255.0 - MEAN) / STD)[:, None]


@torch.no_grad()
def accuracy(f, x, y, batch=500):
    ok = 0
    for i in range(0, len(x), batch):
        xb = norm(x[i:i + batch]).contiguous(memory_format=torch.channels_last)
        ok += int((f(xb).argmax(1).numpy() == y[i:i + batch]).sum())
    return 100.0 * ok / len(x)


# ----------------------------------------------------------------- training

def augment(x, gen, shift=2):
    """Random shift of up to `shift` pixels and horizontal flip of a byte batch."""
    n = len(x)
    x = F.pad(x, (shift,) * 4)
    off = torch.randint(0, 2 * shift + 1, (2, n), generator=gen)
    flip = torch.rand(n, generator=gen) < 0.5
    ar = torch.arange(28)
    cols = torch.where(flip[:, None], ar.flip(0)[None], ar[None]) + off[1][:, None]
    rows = ar[None] + off[0][:, None]
    return x[torch.arange(n)[:, None, None], rows[:, :, None], cols[:, None, :]]


def rate(args, t):
    """One cycle: linear warm-up over the first fifth, then a cosine to zero."""
    up = 0.2
    if t < up:
        return args.lr * (0.05 + 0.95 * t / up)
    return args.lr * 0.5 * (1 + np.cos(np.pi * (t - up) / (1 - up)))


def train(args):
    torch.manual_seed(args.seed)
    graph = net_fashion() if args.net == "fashion" else net_resnet()
    net = Net(graph).to(memory_format=torch.channels_last)
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    opt = torch.optim.SGD([{"params": decay, "weight_decay": args.decay},
                           {"params": rest, "weight_decay": 0.0}],
                          lr=args.lr, momentum=0.9, nesterov=True)
    x, y = load_set(args, "train")
    tx, ty = load_set(args, "t10k")
    x, y = torch.tensor(x), torch.tensor(y.astype(np.int64))
    per = len(x) // args.batch
    first = 0
    lines = []

    def say(s):
        lines.append(s)
        print(s, flush=True)

    os.makedirs(args.work, exist_ok=True)
    ck = os.path.join(args.work, "ranklab-%s-s%d.pt" % (args.net, args.seed))
    if os.path.exists(ck):
        st = torch.load(ck)
        net.load_state_dict(st["net"])
        opt.load_state_dict(st["opt"])
        first, lines = st["epoch"], st["lines"]
        print("\n".join(lines), flush=True)
        print("resumed after epoch %d" % first, flush=True)
        if st["epochs"] != args.epochs:
            say("schedule changed after epoch %d: %d epochs in place of %d"
                % (first, args.epochs, st["epochs"]))
    else:
        say("net %s  seed %d  epochs %d  batch %d  lr %g  weight decay %g  label smoothing %g"
            % (args.net, args.seed, args.epochs, args.batch, args.lr, args.decay, args.smooth))
        if args.init:
            st = torch.load(args.init)
            net.load_state_dict(st["net"])
            say("weights from an earlier run of %d epochs" % st["epoch"])
    for ep in range(first, args.stop or args.epochs):
        # every epoch has its own seed, so that a resumed run draws the same batches
        torch.manual_seed(args.seed * 1000 + ep)
        gen = torch.Generator().manual_seed(args.seed * 1000 + ep)
        order = torch.randperm(len(x), generator=gen)
        net.train()
        t0, loss_sum, ok = time.time(), 0.0, 0
        for i in range(per):
            for grp in opt.param_groups:
                grp["lr"] = rate(args, (ep + i / per) / args.epochs)
            pick = order[i * args.batch:(i + 1) * args.batch]
            xb = norm(augment(x[pick], gen)).contiguous(memory_format=torch.channels_last)
            out = net(xb)
            loss = F.cross_entropy(out, y[pick], label_smoothing=args.smooth)
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            loss_sum += loss.item()
            ok += int((out.argmax(1) == y[pick]).sum())
            if ep == first and i == 20:
                print("first 20 batches: %.0f s per epoch" % ((time.time() - t0) / 21 * per),
                      flush=True)
        net.eval()
        say("epoch %2d/%d  lr %.4f  loss %.4f  train %.2f %%  test %.2f %%  %.0f s"
            % (ep + 1, args.epochs, opt.param_groups[0]["lr"], loss_sum / per,
               100.0 * ok / (per * args.batch), accuracy(net, tx, ty), time.time() - t0))
        torch.save({"net": net.state_dict(), "opt": opt.state_dict(), "epoch": ep + 1,
                    "epochs": args.epochs, "lines": lines}, ck + ".tmp")
        os.replace(ck + ".tmp", ck)

    net.eval()
    kind = {"fashion": "plain chain of seven 3x3 convolutions and two fully connected layers, "
                       "batch normalisation folded",
            "resnet": "residual network with batch normalisation nodes"}[args.net]
    doc = ("Sample network of ranklab for Fashion-MNIST: %s. Input (pixel/255 - %.4f)/%.4f. "
           "GPL-3.0-or-later." % (kind, MEAN, STD))
    acc = accuracy(net, tx, ty)
    export(net, args.out, args.net == "fashion", doc,
           {"mean": "%.4f" % MEAN, "std": "%.4f" % STD, "classes": CLASSES,
            "dataset": "Fashion-MNIST", "license": "GPL-3.0-or-later",
            "seed": str(args.seed), "epochs": str(args.epochs), "test_top1": "%.2f" % acc})
    o = OnnxNet(args.out)
    with torch.no_grad():
        xb = norm(tx[:200])
        a, b = net(xb.contiguous(memory_format=torch.channels_last)), o.run(xb)
    diff = float((a - b).abs().max())
    assert diff < 1e-3, diff
    rows = o.macs()
    say("MAC per image: " + "  ".join("%s %.3fM" % (n, m / 1e6) for n, _, m, _ in rows))
    say("total %.3f MMAC (convolutions %.3f)  parameters %d  file %d bytes"
        % (sum(r[2] for r in rows) / 1e6, sum(r[2] for r in rows if r[1] == "Conv") / 1e6,
           sum(p.numel() for p in o.w.values()), os.path.getsize(args.out)))
    say("ONNX file against torch: largest difference of logits %.2g" % diff)
    say("final test top-1 %.2f %% (ONNX file, %d images)"
        % (accuracy(o.run, tx, ty), len(tx)))
    if args.log:
        with open(args.log, "w") as f:
            f.write("\n".join(lines) + "\n")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--net", choices=("fashion", "resnet"), default="fashion")
    p.add_argument("--data", action="store_true", help="make the idx.gz files and stop")
    p.add_argument("--out", help="ONNX file (default in data/)")
    p.add_argument("--out-dir", default=DATA, help="folder for --data")
    p.add_argument("--log", help="file for the log")
    p.add_argument("--work", default="/tmp", help="folder for checkpoints")
    p.add_argument("--dataset", default="/usr/share/datasets/fashion-mnist")
    p.add_argument("--calib", type=int, default=3000, help="calibration images of --data")
    p.add_argument("--init", help="checkpoint of an earlier run to start a new cycle from")
    p.add_argument("--epochs", type=int, default=16)
    p.add_argument("--stop", type=int, default=0, help="stop and export after this epoch")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--lr", type=float, default=0.1)
    p.add_argument("--decay", type=float, default=5e-4)
    p.add_argument("--smooth", type=float, default=0.05)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    if not args.out:
        args.out = os.path.join(DATA, "fashion.onnx" if args.net == "fashion"
                                else "fashion-resnet.onnx")
    if args.data:
        make_data(args)
    else:
        train(args)


if __name__ == "__main__":
    main()
