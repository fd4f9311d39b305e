#!/usr/bin/python3
"""torchvision's architectures against ONNX Runtime:
  torchvision_check.py RANKLAB NODE FOLDER [--plan] [NAME ...]
FOLDER: files of torchvision_export.py. For each: how many convolutions can be approximated, with
the reasons of the others, the outputs of two images, and whether it is said beforehand that low
rank will hardly pay. --plan: also a network of half the cost, chosen, solved with a short
schedule on a few smooth images, exported, and run in ONNX Runtime; where that cannot be, it must
have been said when the network was opened. A table and "N passed, N failed" at the end."""
import collections
import glob
import json
import os
import subprocess
import sys
import time

import numpy as np

import heads
import torchvision_names as names

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 1e-3
# To calibrate with: as many as come to so many multiply-adds, between these. They are few on
# purpose: what is solved from them must not amplify the rounding of other ones.
IMAGES, IMAGES_MACS = (16, 96), 40e9
WARNINGS = "low rank will hardly pay", "low rank cannot make the network more than"
# deeplab's work is in the head, which is not depthwise; of the last two it is in layers that
# stay whole.
HARDLY = ("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "shufflenet_v2_x1_0",
          "convnext_tiny", "mnasnet1_0", "shufflenet_v2_x0_5", "lraspp_mobilenet_v3_large",
          "ssdlite320_mobilenet_v3_large", "swin_t", "r3d_18")


def command(argv):
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, universal_newlines=True)
    if r.returncode:
        raise RuntimeError((r.stderr or r.stdout).strip()[-300:])
    return r.stdout, r.stderr


def ranklab(program, *lines):
    argv = [program, "-b", "-q", "--no-init", "--threads", "2", "--format", "json"]
    for line in lines:
        argv += ["-e", line]
    return command(argv)


def tables(text):
    return [json.loads(x) for x in text.splitlines() if x.startswith("[")]


def difference(got, want, is_whole=False):
    """The largest, or of all together, relative."""
    if got.shape != want.shape:
        raise RuntimeError("shape %s instead of %s" % (got.shape, want.shape))
    if not np.isfinite(got).all():
        raise RuntimeError("not all outputs are finite")
    if is_whole:
        return float(np.linalg.norm(got - want) / np.linalg.norm(want))
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))


def ort(node, model, data, out):
    command([node, os.path.join(HERE, "ort.js"), "--threads", "2", model, data, out])
    return np.load(out)


def smooth(rng, n, shape):
    """Pictures (or films) of few waves and some grain, normalised as the networks expect."""
    size = shape[-1]
    y, x = np.mgrid[0:size, 0:size] / size
    out = np.empty((n,) + shape, np.float32)
    for i in range(n):
        for c in range(3):
            p = sum(np.sin(6.283 * (a * x + b * y + t))
                    for a, b, t in rng.uniform(-6, 6, (5, 3)))
            out[i, c] = 0.6 * p + rng.normal(0, 0.3, shape[1:])
    return out


class Network:
    def __init__(self, program, node, model):
        self.program, self.node, self.model = program, node, model
        self.work = model[:-5]
        self.name = os.path.basename(self.work)
        self.shape = names.shape_of(self.name)
        self.is_cut = self.name in names.DETECTORS
        self.image = self.work + ".in.npy"
        np.save(self.image, smooth(np.random.RandomState(3), 1 if self.is_cut else 2, self.shape))
        self.row = {"network": self.name}

    def coverage(self):
        out, err = ranklab(self.program, "open '%s'" % self.model, "layers",
                           "run '%s' '%s.out.npy' --original" % (self.image, self.work))
        rows = [r for r in tables(out)[0] if r["layer"] not in ("total", "network")]
        convs = [r for r in rows if r["op"] == "Conv"]
        reasons = collections.Counter(
            r["reason"] for r in convs if r["reason"] not in (None, "full rank", "method keep"))
        self.macs = sum(r["macs_original"] for r in convs)
        n_open = len(convs) - sum(reasons.values())
        self.says = err
        self.warning = next((w for w in WARNINGS if w in err), None)
        self.row.update({"convs": len(convs), "open": n_open,
                         "the others": ", ".join("%s (%d)" % x for x in reasons.items()) or "-"})
        return n_open > 0 or len(self.shape) > 3, \
            "%d of %d convolutions can be approximated" % (n_open, len(convs))

    def outputs(self):
        """Of a detector what stands for them, and that the node is named at which it ends."""
        if self.is_cut and "to its end: /net/NonZero: operator NonZero" not in self.says:
            return False, self.says.splitlines()[-1][:150]
        d = self.off(self.model, self.work + ".out.npy")
        self.row["off"] = "%.1e" % d
        return d <= TOLERANCE, "largest difference %.1e" % d

    def off(self, model, out):
        """How far what ranklab computed is from what the model gives in ONNX Runtime. Of a
        detector's hundred thousands of shares a few hang on the last digit of the image."""
        if self.is_cut:
            ort(self.node, model, self.image, out + ".ort.npy")
            heads.give_out(heads.first_of(self.says), model, self.work + ".heads.part")
            model = self.work + ".heads.part"
        return difference(np.load(out), ort(self.node, model, self.image, out + ".ort.npy"), self.is_cut)

    def said_beforehand(self):
        expected = self.name in HARDLY
        self.row["said"] = "hardly pays" if self.warning else "-"
        return bool(self.warning) == expected, self.warning or "nothing to warn of"

    def plan(self):
        out, export = self.work + ".2x.npy", self.work + ".2x.onnx"
        calib = self.work + ".calib.npy"
        n = min(max(int(IMAGES_MACS / self.macs), IMAGES[0]), IMAGES[1])
        np.save(calib, smooth(np.random.RandomState(4), n, self.shape))
        self.row["2x"] = "no"
        try:
            text, err = ranklab(
                self.program, "open '%s'" % self.model, "set iterations 3,3",
                "data calib '%s'" % calib, "select --speedup 2", "solve all",
                "export onnx '%s'" % export, "run '%s' '%s'" % (self.image, out))
        except RuntimeError as e:
            if "select" in str(e) and self.warning:
                return True, "not at 2x, as was said: %s" % str(e).splitlines()[0][-120:]
            raise
        if self.warning and err.count(self.warning) < 2:
            return False, "the warning is not repeated by select"
        d = self.off(export, out)
        total = next(r for r in tables(text)[0] if r["layer"] == "total")
        self.row.update({"2x": "%.2fx" % total["speedup"], "file off": "%.1e" % d})
        return d <= TOLERANCE, "%s, largest difference %.1e" % (self.row["2x"], d)


COLUMNS = ("network", "convs", "open", "off", "said", "2x", "file off", "s", "the others")


def print_table(rows):
    """convs: convolutions, open: those that can be approximated, off: largest difference of the
    outputs from ONNX Runtime's, said: beforehand; file off: the exported file in ONNX Runtime."""
    cells = [COLUMNS] + [tuple(str(r.get(c, "-")) for c in COLUMNS) for r in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(COLUMNS))]
    for k, row in enumerate(cells):
        print("  ".join(x.ljust(w) if COLUMNS[i] in ("network", "said", "the others")
                        else x.rjust(w) for i, (x, w) in enumerate(zip(row, widths))).rstrip())
        if k == 0:
            print("  ".join("-" * w for w in widths))


def main(argv):
    program, node, folder = argv[:3]
    is_planned = "--plan" in argv
    names = [a for a in argv[3:] if a != "--plan"]
    passed = failed = 0
    rows = []
    for model in sorted(glob.glob(os.path.join(folder, "*.onnx"))):
        name = os.path.basename(model)[:-5]
        if name.endswith(".2x") or (names and name not in names):
            continue
        net, began = Network(program, node, model), time.monotonic()
        rows.append(net.row)
        checks = [("open", net.coverage), ("outputs", net.outputs),
                  ("limits", net.said_beforehand)] + ([("2x", net.plan)] if is_planned else [])
        for what, check in checks:
            try:
                ok, text = check()
            except Exception as e:
                ok, text = False, repr(e)[:300]
            passed, failed = passed + ok, failed + (not ok)
            print("%-6s %s: %s, %s" % ("ok" if ok else "FAILED", name, what, text), flush=True)
            if what == "open" and not ok:
                break
        net.row["s"] = "%.0f" % (time.monotonic() - began)
    print()
    print_table(rows)
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
