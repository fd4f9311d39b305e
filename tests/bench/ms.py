#!/usr/bin/python3
"""Whether a choice by milliseconds keeps its word:
  ms.py RANKLAB ENGINE NODE FOLDER CASE...
A CASE is NETWORK:BATCH, or NETWORK:BATCH:THREADS:onnxruntime|onednn. Ranks are chosen for half
of the measured time, the exported file is timed against the original, in turn, and the ratio
compared with the promised one (wanted: within 15 %). A short CASE of an embedded network, in
ONNX Runtime with 2 threads, also compares top-1 with that of the choices by multiply-adds that
take as long, timed the same way."""
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


class Case:
    def __init__(self, text, tools, folder):
        parts = text.split(":")
        if len(parts) not in (2, 4):
            sys.exit("no case: %s" % text)
        self.network, self.batch = parts[0], int(parts[1])
        self.is_short = len(parts) == 2
        self.threads, self.deploy = parts[2:] if not self.is_short else ("2", "onnxruntime")
        self.program, self.engine, self.node = tools
        self.folder = folder
        self.is_embedded = self.network.startswith("@")
        if self.is_embedded:
            self.path = os.path.join(HERE, "..", "..", "data", self.network[1:] + ".onnx")
            size = (1, 28, 28)
        else:
            self.path = os.path.join(folder, self.network + "-random.onnx")
            size = (3, 224, 224)
        self.shape = (self.batch,) + size
        self.name = "%s batch %d" % (self.network, self.batch)
        if not self.is_short:
            self.name += ", %s, %s threads" % (self.deploy, self.threads)

    def export(self, choice, name):
        """Exports the choice; returns the file, what eval found, and what was said."""
        out = os.path.join(self.folder, name + ".onnx")
        lines = ["set deploy-engine %s" % self.deploy, "set deploy-batch %d" % self.batch,
                 "set deploy-threads %s" % self.threads,
                 "open '%s'" % (self.network if self.is_embedded else self.path)]
        has_top1 = self.is_embedded and self.is_short
        if not self.is_embedded:
            lines.append("data calib '%s'" % self.calibration())
        # otherwise filters alone are factored; times do not depend on their values
        lines += [choice, "solve", "eval"] if has_top1 else ["method conv* svd", choice, "solve"]
        tables, said = ranklab(self.program, *lines, "export onnx '%s'" % out)
        return out, tables[-1][0]["top1_difference"] if has_top1 else None, said

    def calibration(self):
        """Images that are noise: as many as make all ranks possible."""
        images = os.path.join(self.folder, "ms-calib.npy")
        shape = (100,) + self.shape[1:]
        np.save(images, np.random.RandomState(2).standard_normal(shape).astype(np.float32))
        return images

    def side(self, model, images):
        dims = ",".join(str(d) for d in self.shape)
        if self.deploy == "onnxruntime":
            argv = [self.node, os.path.join(HERE, "engine_ort.js"), model, images,
                    images + ".out", dims, self.threads]
        else:
            argv = [self.engine, model, images, images + ".out", str(self.batch), self.threads,
                    "direct"]
        return turns.Side(os.path.basename(model), argv)

    def time(self, exported):
        """[times of the original, of the exported file], by round."""
        images = os.path.join(self.folder, "ms.f32")
        np.random.RandomState(1).standard_normal(self.shape).astype(np.float32).tofile(images)
        sides = [self.side(m, images) for m in (self.path, exported)]
        ms = turns.take_turns(sides, 7, 300)
        for s in sides:
            s.close()
        return ms


def median_ratio(ms):
    return turns.median([a / b for a, b in zip(*ms)])


def compare_macs(case, speedup, top1):
    """The choices by multiply-adds, and what one that takes the same time would lose."""
    seen = []
    for x in SPEEDUPS:
        out, macs_top1, _ = case.export("select --speedup %g" % x, "by-macs")
        ms = case.time(out)
        seen.append((median_ratio(ms), 100 * macs_top1))
        print("ms %s: %gx by multiply-adds takes %s, top-1 %+.2f points"
              % (case.name, x, turns.ratio(*ms), seen[-1][1]), flush=True)
    seen.sort()
    same = float(np.interp(speedup, *zip(*seen)))
    where = "at the same time" if seen[0][0] <= speedup <= seen[-1][0] else "at the nearest time"
    print("ms %s: top-1 %+.2f points; by multiply-adds %s %+.2f (wanted: not above)"
          % (case.name, 100 * top1, where, same), flush=True)


def compare(case):
    out, top1, said = case.export("select --speedup-ms 2", "by-ms")
    found = re.search(r"promised: ([0-9.e+]+) ms of ([0-9.e+]+) ms", said)
    if not found:
        sys.exit("no promise in: %s" % said)
    promised = float(found.group(2)) / float(found.group(1))
    ms = case.time(out)
    measured = median_ratio(ms)
    print("ms %s: promised %.2fx, the exported file %s, %.3f ms: off by %.1f %% (wanted: 15)"
          % (case.name, promised, turns.ratio(*ms), turns.median(ms[1]),
             100 * abs(measured / promised - 1)), flush=True)
    if top1 is not None:
        compare_macs(case, measured, top1)


def main(program, engine, node, folder, *cases):
    for text in cases:
        compare(Case(text, (program, engine, node), folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
