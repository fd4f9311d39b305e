#!/usr/bin/python3
"""Whether a choice by milliseconds keeps its word:
  ms.py RANKLAB NODE FOLDER NETWORK:BATCH...
Ranks are chosen for half of the time measured in ONNX Runtime, the exported file is timed
there against the original, in turn, and the ratio compared with the promised one (wanted:
within 15 %). On @fashion also: its top-1 against that of the choices by multiply-adds that
take as long or longer, timed the same way."""
import json
import os
import re
import subprocess
import sys

import numpy as np

import turns

HERE = os.path.dirname(os.path.abspath(__file__))
SPEEDUPS = (2, 2.5, 3, 3.5, 4, 5)


def ranklab(program, *lines):
    argv = [program, "-b", "--no-init", "--threads", "2", "--format", "json"]
    for line in lines:
        argv += ["-e", line]
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       universal_newlines=True)
    if r.returncode:
        sys.exit(r.stderr)
    return [json.loads(x) for x in r.stdout.splitlines() if x.startswith("[")], r.stderr


def ratio_in_ort(node, folder, original, exported, shape):
    images = os.path.join(folder, "ms.f32")
    np.random.RandomState(1).standard_normal(shape).astype(np.float32).tofile(images)
    dims = ",".join(str(d) for d in shape)
    sides = [turns.Side(os.path.basename(m), [node, os.path.join(HERE, "engine_ort.js"), m,
                                             images, images + ".out", dims, "2"])
             for m in (original, exported)]
    ms = turns.take_turns(sides, 7, 300)
    for s in sides:
        s.close()
    return turns.median([a / b for a, b in zip(*ms)]), turns.ratio(*ms)


def is_labelled(network):
    return network.startswith("@")


def export(program, network, batch, folder, choice, name):
    """Exports the choice; returns the file, what eval found, and what was said."""
    out = os.path.join(folder, name + ".onnx")
    lines = ["set deploy-engine onnxruntime", "set deploy-batch %d" % batch,
             "set deploy-threads 2", "open '%s'" % network, choice]
    # without images, filters alone are factored; times do not depend on their values
    lines += ["solve", "eval"] if is_labelled(network) else ["solve"]
    if not is_labelled(network):
        lines.insert(4, "method conv* svd")
    tables, said = ranklab(program, *lines, "export onnx '%s'" % out)
    top1 = tables[-1][0]["top1_difference"] if is_labelled(network) else None
    return out, top1, said


def compare(program, node, folder, case):
    network, batch = case.rsplit(":", 1)
    batch = int(batch)
    if is_labelled(network):
        path, size = os.path.join(HERE, "..", "..", "data", network[1:] + ".onnx"), (1, 28, 28)
        opened = network
    else:
        path, size = os.path.join(folder, network + ".onnx"), (3, 224, 224)
        opened = path
    out, top1, said = export(program, opened, batch, folder, "select --speedup-ms 2", "by-ms")
    found = re.search(r"promised: ([0-9.e+]+) ms of ([0-9.e+]+) ms", said)
    if not found:
        sys.exit("no promise in: %s" % said)
    promised = float(found.group(2)) / float(found.group(1))
    measured, text = ratio_in_ort(node, folder, path, out, (batch,) + size)
    print("ms %s batch %d: promised %.2fx, the exported file %s: off by %.1f %% (wanted: 15)"
          % (network, batch, promised, text, 100 * abs(measured / promised - 1)), flush=True)
    if top1 is None:
        return
    print("ms %s: top-1 %+.2f points" % (network, 100 * top1), flush=True)
    for x in SPEEDUPS:
        out, macs_top1, _ = export(program, opened, batch, folder, "select --speedup %g" % x,
                                   "by-macs")
        _, text = ratio_in_ort(node, folder, path, out, (batch,) + size)
        print("ms %s batch %d: %gx by multiply-adds takes %s, top-1 %+.2f points"
              % (network, batch, x, text, 100 * macs_top1), flush=True)


def main(program, node, folder, *cases):
    for case in cases:
        compare(program, node, folder, case)


if __name__ == "__main__":
    main(*sys.argv[1:])
