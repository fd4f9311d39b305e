#!/usr/bin/python3
"""torchvision's architectures against ONNX Runtime:
  torchvision_check.py RANKLAB NODE FOLDER [--plan] [NAME ...]
FOLDER: files of torchvision_export.py. For each: the outputs of one image, and how many
convolutions can be approximated, with the reasons of the others. --plan: also a network of
half the cost, solved, exported, and run in ONNX Runtime where that is said to pay. Ends with
"N passed, N failed"."""
import collections
import glob
import json
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 1e-3


def command(argv):
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, universal_newlines=True)
    if r.returncode:
        raise RuntimeError((r.stderr or r.stdout).strip()[-300:])
    return r.stdout


def ranklab(program, *lines):
    argv = [program, "-b", "-q", "--no-init", "--threads", "2", "--format", "json"]
    for line in lines:
        argv += ["-e", line]
    return command(argv)


def tables(text):
    return [json.loads(x) for x in text.splitlines() if x.startswith("[")]


def difference(got, want):
    if got.shape != want.shape:
        raise RuntimeError("shape %s instead of %s" % (got.shape, want.shape))
    if not np.isfinite(got).all():
        raise RuntimeError("not all outputs are finite")
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))


def ort(node, model, data, out):
    command([node, os.path.join(HERE, "ort.js"), "--threads", "2", model, data, out])
    return np.load(out)


def outputs(program, node, model, work):
    size = 299 if "inception" in model else 224
    image, out = work + ".in.npy", work + ".out.npy"
    np.save(image, np.random.RandomState(3).standard_normal((2, 3, size, size)).astype(np.float32))
    ranklab(program, "open '%s'" % model, "run '%s' '%s' --original" % (image, out))
    return difference(np.load(out), ort(node, model, image, out + ".ort.npy"))


def coverage(program, model):
    rows = [r for r in tables(ranklab(program, "open '%s'" % model, "layers"))[-1]
            if r.get("layer") not in ("total", "network")]
    return rows


def plan(program, node, model, work):
    image, out, export = work + ".in.npy", work + ".2x.npy", work + ".2x.onnx"
    calib = work + ".calib.npy"
    size = 299 if "inception" in model else 224
    np.save(calib, np.random.RandomState(4).standard_normal((40, 3, size, size)).astype(np.float32))
    ranklab(program, "open '%s'" % model, "data calib '%s'" % calib, "select --speedup 2",
            "solve all", "export onnx '%s'" % export, "run '%s' '%s'" % (image, out))
    return difference(np.load(out), ort(node, export, image, out + ".ort.npy"))


def main(argv):
    program, node, folder = argv[:3]
    is_planned = "--plan" in argv
    names = [a for a in argv[3:] if a != "--plan"]
    passed = failed = 0
    for model in sorted(glob.glob(os.path.join(folder, "*.onnx"))):
        name = os.path.basename(model)[:-5]
        if name.endswith(".2x") or (names and name not in names):
            continue
        work = os.path.join(folder, name)
        try:
            rows = coverage(program, model)
            reasons = collections.Counter(r["reason"] for r in rows if r.get("reason"))
            print("%-30s %d layers, %s" % (name, len(rows), dict(reasons)), flush=True)
            checks = [("outputs", outputs)] + ([("2x", plan)] if is_planned else [])
        except Exception as e:
            checks = [("open", lambda *a, e=e: (_ for _ in ()).throw(e))]
        for what, check in checks:
            try:
                d = check(program, node, model, work)
                ok, text = d <= TOLERANCE, "largest difference %.1e" % d
            except Exception as e:
                ok, text = False, str(e).replace("\n", " | ")[:300]
            passed, failed = passed + ok, failed + (not ok)
            print("%-6s %s: %s, %s" % ("ok" if ok else "FAILED", name, what, text), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
