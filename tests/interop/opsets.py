#!/usr/bin/python3
"""Operators that are in no test of ONNX's own, and what opsets 18 to 21 changed, on small
generated networks, against ONNX Runtime:
  opsets.py RANKLAB NODE WORK [NAME ...]
The files are written without the checker, which may be older than the opset. Ends with
"N passed, N failed"."""
import os
import subprocess
import sys

import numpy as np

import opsets_cases  # noqa: F401, fills the lists
import opsets_types  # noqa: F401
from opsets_net import CASES, ONE_IMAGE, REFUSED, SHAPE, Net

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 1e-4


def refuses(program, work, name, opset, make, words):
    path = os.path.join(work, name + ".onnx")
    net = Net(opset)
    net.save(path, make(net))
    r = subprocess.run([program, "-b", "--no-init", "-e", "open '%s'" % path],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       universal_newlines=True)
    return words in r.stdout and r.returncode in (0, 1), r.stdout.strip().splitlines()[0][:150]


def command(argv):
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, universal_newlines=True)
    if r.returncode:
        raise RuntimeError((r.stderr or r.stdout).strip().replace("\n", " | ")[-300:])


def run(program, node, work, name, opset, make):
    stem = os.path.join(work, name)
    net = Net(opset)
    net.save(stem + ".onnx", make(net))
    image = os.path.join(work, "one.npy" if make in ONE_IMAGE else "opsets.npy")
    command([program, "-b", "-q", "--no-init", "--threads", "2", "-e",
             "open '%s.onnx'" % stem, "-e", "run '%s' '%s.npy' --original" % (image, stem)])
    command([node, os.path.join(HERE, "ort.js"), "--threads", "1", stem + ".onnx", image,
             stem + ".ort.npy"])
    got, want = np.load(stem + ".npy"), np.load(stem + ".ort.npy")
    if got.shape != want.shape:
        raise RuntimeError("shape %s instead of %s" % (got.shape, want.shape))
    error = float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))
    return error <= TOLERANCE, "largest difference %.1e" % error


def main(program, node, work, *names):
    os.makedirs(work, exist_ok=True)
    images = np.random.RandomState(5).standard_normal([3] + SHAPE).astype(np.float32)
    np.save(os.path.join(work, "opsets.npy"), images)
    np.save(os.path.join(work, "one.npy"), images[:1])
    passed = failed = 0
    cases = [(name, run, (program, node, work, name, opset, make)) for name, opset, make in CASES]
    cases += [(name, refuses, (program, work, name, opset, make, words))
              for name, opset, make, words in REFUSED]
    for name, check, arguments in cases:
        if names and name not in names:
            continue
        try:
            ok, text = check(*arguments)
        except Exception as e:
            ok, text = False, str(e)[:300]
        passed, failed = passed + ok, failed + (not ok)
        print("%-6s %-40s %s" % ("ok" if ok else "FAILED", name, text), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
