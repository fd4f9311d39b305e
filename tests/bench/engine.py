#!/usr/bin/python3
"""The engine against ONNX Runtime and PyTorch:
  engine.py ENGINE NODE FOLDER DATA ROUNDS [NETWORK:BATCH ...]
All sides of a comparison are loaded, take turns, and must agree in what they compute. Prints
one line for each of them: the median over the rounds of their time by ours, the extremes, and
medians in milliseconds."""
import os
import sys

import numpy as np

import turns

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS = "2"
CASES = ["vgg16:1", "vgg16:8", "resnet50:1", "resnet50:8", "@fashion:256"]
OURS = ["direct", "winograd", "auto"]


def check(name, got, want):
    worst = float(np.abs(got - want).max() / np.abs(want).max())
    if not worst < 1e-3:
        sys.exit("%s computes something else: %g" % (name, worst))


def open_sides(engine, node, model, images, shape):
    out = images + ".out"
    batch = shape.split(",")[0]
    want, sides = None, []
    all_sides = [("ranklab " + how, [engine, model, images, out, batch, THREADS, how])
                 for how in OURS]
    all_sides.append(("ONNX Runtime", [node, os.path.join(HERE, "engine_ort.js"), model, images,
                                       out, shape, THREADS]))
    all_sides.append(("PyTorch", [sys.executable, os.path.join(HERE, "engine_torch.py"), model,
                                  images, out, shape, THREADS]))
    for name, argv in all_sides:
        sides.append(turns.Side(name, argv))
        got = np.fromfile(out, np.float32)
        if want is None:
            want = got
        check(name, got, want)
    return sides


def compare(network, batch, engine, node, folder, data, rounds):
    if network.startswith("@"):
        model, size = os.path.join(data, network[1:] + ".onnx"), (1, 28, 28)
    else:
        model, size = os.path.join(folder, network + ".onnx"), (3, 224, 224)
    shape = (batch,) + size
    images = os.path.join(folder, "images.f32")
    np.random.RandomState(1).standard_normal(shape).astype(np.float32).tofile(images)
    sides = open_sides(engine, node, model, images, ",".join(str(d) for d in shape))
    ms = turns.take_turns(sides, rounds, 300)
    for s in sides:
        s.close()
    ours = {how: ms[i] for i, how in enumerate(OURS)}
    for k in range(len(OURS), len(sides)):
        text = ", ".join("%s %s" % (how, turns.ratio(ms[k], ours[how])) for how in OURS)
        print("engine %s batch %d: %s / ranklab %s; %.2f ms / %s ms" % (
            network, batch, sides[k].name, text, turns.median(ms[k]),
            ", ".join("%.2f" % turns.median(ours[how]) for how in OURS)), flush=True)


def main(engine, node, folder, data, rounds, *cases):
    for case in cases or CASES:
        network, batch = case.split(":")
        compare(network, int(batch), engine, node, folder, data, int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
