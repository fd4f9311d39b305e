#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A low-rank check of data/fashion.onnx that shares no code with ranklab.

Losses of accuracy of weight SVD, symmetric PCA, and the linear and nonlinear asymmetric
solutions at the ranks of the greedy energy rule, by solvers of its own. Needs what
train_fashion.py needs.
"""
import argparse
import os
import sys

import numpy as np
import torch

from train_fashion import DATA, OnnxNet, accuracy, load_set, norm


def sample(o, x, pos, override=None, only=None):
    """Original-filter responses of every convolution (or of `only`) at the positions in pos,
    with the inputs of the network whose convolutions are replaced by `override`."""
    got = {}

    class Done(Exception):
        pass

    def hook(n, t):
        if only is None or n.name == only:
            y = o.conv(n, t)
            h, w = y.shape[2:]
            p = pos[i:i + len(t)]
            r, c = (p[..., 0] * h).astype(int), (p[..., 1] * w).astype(int)
            y = y[np.arange(len(t))[:, None], :, r, c]
            got.setdefault(n.name, []).append(y.reshape(-1, y.shape[-1]))
            if only is not None:
                raise Done

    with torch.no_grad():
        for i in range(0, len(x), 250):
            try:
                o.run(norm(x[i:i + 250]), hook, override)
            except Done:
                pass
    return {k: torch.cat(v).double().numpy().T for k, v in got.items()}


def choose_ranks(o, eig, speedup):
    """The greedy energy rule, written as one global sort; honest cost, 1 x 1 included."""
    info, drops, full = {}, [], 0
    for n in (n for n in o.nodes if n.op_type == "Conv"):
        w = o.w[n.input[1]]
        d, kkc = w.shape[0], w[0].numel()
        hw = [r[3] for r in o.macs() if r[0] == n.name][0]
        info[n.name] = (d, kkc, hw)
        full += d * kkc * hw
        e = np.maximum(eig[n.name], 0)
        cum = np.cumsum(e)
        for r in range(d, 1, -1):
            drops.append((e[r - 1] / cum[r - 1] / (hw * (kkc + d)), -r, n.name))
    rank = {k: v[0] for k, v in info.items()}

    def cost():
        return sum(min(rank[k] * (kkc + d), d * kkc) * hw for k, (d, kkc, hw) in info.items())

    for _, _, name in sorted(drops):
        if cost() * speedup <= full:
            break
        rank[name] -= 1
    got = full / cost()
    for k, (d, kkc, _) in info.items():
        if rank[k] * (kkc + d) >= d * kkc:
            rank[k] = None
    return rank, got


def regress(Z, Y, rank, G=None):
    """Reduced-rank regression of Z on Y: M, b."""
    zm, ym = Z.mean(1, keepdims=True), Y.mean(1, keepdims=True)
    Yc = Y - ym
    C = (Z - zm) @ Yc.T
    if G is None:
        G = np.linalg.pinv(Yc @ Yc.T, 1e-12, hermitian=True)
    A = C @ G
    _, U = np.linalg.eigh(A @ C.T)
    U = U[:, ::-1][:, :rank]
    M = U @ (U.T @ A)
    return M, zm - M @ ym, G


def nonlinear(Y0, Y, rank):
    """Alternating solver; the iterate best on a held-out fifth."""
    cut = Y.shape[1] // 5
    Yv, rv = Y[:, :cut], np.maximum(Y0[:, :cut], 0)
    Y, Y0 = Y[:, cut:], Y0[:, cut:]
    r = np.maximum(Y0, 0)
    M, b, G = regress(Y0, Y, rank)

    def err(M, b):
        return ((rv - np.maximum(M @ Yv + b, 0)) ** 2).sum()

    best = (err(M, b), M, b)
    for lam in [0.01] * 25 + [1.0] * 25:
        p = M @ Y + b
        z0 = np.minimum(0, p)
        z1 = np.maximum(0, (lam * p + r) / (lam + 1))
        Z = np.where(r ** 2 + lam * (z0 - p) ** 2 < (r - z1) ** 2 + lam * (z1 - p) ** 2, z0, z1)
        M, b, _ = regress(Z, Y, rank, G)
        e = err(M, b)
        if e < best[0]:
            best = (e, M, b)
    return best[1], best[2]


def check(args):
    lines = []

    def say(s):
        lines.append(s)
        print(s, flush=True)

    o = OnnxNet(args.out)
    convs = [n for n in o.nodes if n.op_type == "Conv"]
    if any(n.op_type in ("BatchNormalization", "Add") for n in o.nodes):
        sys.exit("the check knows plain chains without batch normalisation only")
    x, y = load_set(args, "train")
    cx = x[np.random.RandomState(args.seed).permutation(len(x))[:args.calib]]
    tx, ty = load_set(args, "t10k")
    pos = np.random.RandomState(args.seed + 1).rand(len(cx), 10, 2)
    Y = sample(o, cx, pos)
    eig, vec = {}, {}
    for k, v in Y.items():
        e, u = np.linalg.eigh(np.cov(v))
        eig[k], vec[k] = e[::-1], u[:, ::-1]
    rank, got = choose_ranks(o, eig, args.speedup)
    say("check: %d calibration images, 10 positions each; speedup %.3f of the convolutions"
        % (len(cx), got))
    for n in convs:
        say("  %-14s d %3d  kept %-5s energy %.4f" % (
            n.name, len(eig[n.name]), rank[n.name] or "whole",
            eig[n.name][:rank[n.name]].sum() / eig[n.name].sum()))

    def weights(n):
        w = o.w[n.input[1]].double().numpy()
        b = o.w[n.input[2]].double().numpy()[:, None]
        return w, w.reshape(len(w), -1), b

    def put(ov, n, w, M, b):
        ov[n.name] = (torch.tensor((M @ w.reshape(len(w), -1)).reshape(w.shape)).float(),
                      torch.tensor(b[:, 0]).float())

    base = accuracy(o.run, tx, ty)
    say("  original             %.2f %%" % base)

    def report(name, ov):
        a = accuracy(lambda t: o.run(t, override=ov), tx, ty)
        say("  %-20s %.2f %%  loses %.2f points" % (name, a, base - a))

    svd, pca = {}, {}
    for n in convs:
        r = rank[n.name]
        if r is None:
            continue
        w, W, b = weights(n)
        U = np.linalg.svd(W, full_matrices=False)[0][:, :r]
        put(svd, n, w, U @ U.T, b)
        U, m = vec[n.name][:, :r], Y[n.name].mean(1, keepdims=True)
        M = U @ U.T
        put(pca, n, w, M, M @ b + m - M @ m)
    report("weight SVD", svd)
    report("PCA, symmetric", pca)
    for name in ("linear, asymmetric", "nonlinear, asymmetric"):
        ov = {}
        for n in convs:
            r = rank[n.name]
            if r is None:
                continue
            w, W, b = weights(n)
            Yh = sample(o, cx, pos, ov, n.name)[n.name]
            if name[0] == "l":
                M, c, _ = regress(Y[n.name], Yh, r)
            else:
                M, c = nonlinear(Y[n.name], Yh, r)
            put(ov, n, w, M, M @ b + c)
        report(name, ov)
    if args.log:
        with open(args.log, "a") as f:
            f.write("\n".join(lines) + "\n")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", default=os.path.join(DATA, "fashion.onnx"), help="ONNX file")
    p.add_argument("--log", help="file the log is appended to")
    p.add_argument("--dataset", default="/usr/share/datasets/fashion-mnist")
    p.add_argument("--calib", type=int, default=3000)
    p.add_argument("--speedup", type=float, default=4.0)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    check(args)


if __name__ == "__main__":
    main()
