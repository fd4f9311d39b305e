#!/usr/bin/python3
"""Folders of pictures, and .npy arrays, against Pillow and NumPy:
  images.py RANKLAB PICTURES WORK
PICTURES: build/tests/interop/pictures; WORK: a folder for files. Pictures of all formats, modes
and sizes are resized and cut as pipelines on Pillow do it; damaged ones among good ones; a
folder that does not fit into max-memory; arrays of every type, order and version. Ends with
"N passed, N failed"."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from numpy.lib import format as npy_format
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

LEVELS = 2          # of 255, the largest difference from Pillow
MANY = 20000        # pictures of the folder that does not fit
LIMIT_MB = 160      # max-memory for it
passed = failed = 0


def report(ok, what, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print("%-6s %-46s %s" % ("ok" if ok else "FAILED", what, detail), flush=True)


def guard(what, check, *args):
    try:
        ok, detail = check(*args)
    except Exception as e:
        ok, detail = False, repr(e)[:300]
    report(ok, what, detail)


def photograph(rng, w, h):
    """Slow shades, a few hard edges and some grain."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    out = np.zeros((h, w, 3))
    for c in range(3):
        for _ in range(4):
            fx, fy, p = rng.uniform(0, 8 / max(w, h), 2).tolist() + [rng.uniform(0, 6.3)]
            out[:, :, c] += np.sin(6.283 * (fx * x + fy * y) + p)
    out = 128 + 40 * out
    for _ in range(5):
        x0, y0 = rng.randint(w), rng.randint(h)
        out[y0:y0 + h // 4 + 1, x0:x0 + w // 4 + 1] += rng.uniform(-90, 90, 3)
    out += rng.normal(0, 6, out.shape)
    return Image.fromarray(np.clip(out, 0, 255).astype(np.uint8), "RGB")


def grey_alpha(im):
    rgba = im.convert("RGBA")
    rgba.putalpha(im.convert("L"))
    return rgba


# name, ending, mode made from a photograph, options of save
KINDS = (
    ("jpeg", ".jpg", lambda i: i, dict(quality=90)),
    ("jpeg-75-444", ".JPG", lambda i: i, dict(quality=75, subsampling=0)),
    ("jpeg-progressive", ".jpeg", lambda i: i, dict(progressive=True)),
    ("jpeg-grey", ".jpg", lambda i: i.convert("L"), {}),
    ("jpeg-cmyk", ".jpg", lambda i: i.convert("CMYK"), {}),
    ("png", ".png", lambda i: i, {}),
    ("png-alpha", ".png", grey_alpha, {}),
    ("png-grey", ".png", lambda i: i.convert("L"), {}),
    ("png-grey-alpha", ".png", lambda i: grey_alpha(i).convert("LA"), {}),
    ("png-palette", ".png", lambda i: i.convert("P", palette=Image.ADAPTIVE), {}),
    ("png-bits", ".png", lambda i: i.convert("1"), {}),
    ("webp", ".webp", lambda i: i, dict(quality=80)),
    ("webp-lossless", ".webp", lambda i: i, dict(lossless=True)),
    ("webp-alpha", ".webp", grey_alpha, dict(lossless=True)),
    ("bmp", ".bmp", lambda i: i, {}),
    ("bmp-grey", ".bmp", lambda i: i.convert("L"), {}),
    ("ppm", ".ppm", lambda i: i, {}),
    ("pgm", ".pgm", lambda i: i.convert("L"), {}),
)
SIZES = ((224, 224), (500, 375), (375, 500), (640, 427), (97, 61), (1200, 130), (41, 300))


def dump(program, folder, c, h, w, resize, out):
    r = subprocess.run([program, folder, str(c), str(h), str(w), str(resize[0]), str(resize[1]), out],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if r.returncode:
        raise RuntimeError(r.stderr.strip())
    return np.load(out), r.stdout


def as_pipelines_do(path, c, h, w, resize):
    """Resize by the shorter side (or exactly), then the middle, as torchvision does."""
    im = Image.open(path).convert("RGB" if c == 3 else "L")
    if resize[1]:
        im = im.resize((resize[1], resize[0]), Image.BILINEAR)
    else:
        short, (iw, ih) = resize[0], im.size
        size = (short, int(short * ih / iw)) if iw <= ih else (int(short * iw / ih), short)
        if size != im.size:
            im = im.resize(size, Image.BILINEAR)
    left, top = int(round((im.size[0] - w) / 2.0)), int(round((im.size[1] - h) / 2.0))
    x = np.asarray(im.crop((left, top, left + w, top + h)), np.float32)
    return x.transpose(2, 0, 1) if c == 3 else x[None]


def compare(program, work, kind, c, h, w, resize):
    name, ending, convert, options = kind
    folder = os.path.join(work, "kind")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    rng = np.random.RandomState(5)
    paths = []
    for i, (iw, ih) in enumerate(SIZES):
        paths.append(os.path.join(folder, "%02d%s" % (i, ending)))
        convert(photograph(rng, iw, ih)).save(paths[-1], **options)
    got, said = dump(program, folder, c, h, w, resize, os.path.join(work, "kind.npy"))
    if "skipped 0" not in said or len(got) != len(paths):
        return False, said.strip()
    worst = max(float(np.abs(got[i] - as_pipelines_do(p, c, h, w, resize)).max())
                for i, p in enumerate(paths))
    return worst <= LEVELS, "largest difference %g of 255 in %d pictures" % (worst, len(paths))


def damaged(program, ranklab, work):
    folder = os.path.join(work, "damaged")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    rng = np.random.RandomState(6)
    bad = []
    for i, (name, ending, convert, options) in enumerate(KINDS):
        path = os.path.join(folder, "%02d-%s%s" % (i, name, ending))
        convert(photograph(rng, 64, 48)).save(path, **options)
        data = open(path, "rb").read()
        if i % 2:
            path = os.path.join(folder, "%02d-%s-cut%s" % (i, name, ending))
            open(path, "wb").write(data[:len(data) * 2 // 3])
            bad.append(path)
    for name, data in (("empty.png", b""), ("text.jpg", b"no picture\n"), ("zeros.bmp", bytes(99)),
                       ("es\x1bcape.jpg", b"\xff\xd8\xff\xe0")):
        open(os.path.join(folder, name), "wb").write(data)
        bad.append(os.path.join(folder, name))
    got, said = dump(program, folder, 3, 32, 32, (0, 0), os.path.join(work, "damaged.npy"))
    named = [p for p in bad if os.path.basename(p).replace("\x1b", "\\x1b") in said]
    ok = len(got) == len(KINDS) and "skipped %d" % len(bad) in said and len(named) == len(bad)
    return ok and "\x1b" not in said, "%d read, %d of %d damaged ones named" % (len(got), len(named), len(bad))


def identity(path, c, h, w):
    """A network that gives its input back, of one 1 x 1 convolution; 8 classes by their mean."""
    k = np.eye(c, dtype=np.float32).reshape(c, c, 1, 1)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "k"], ["y"])], "identity",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", c, h, w])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", c, h, w])],
        [numpy_helper.from_array(k, "k")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)


def run(ranklab, *lines):
    """What it printed, and the most memory it held in MB, looked at while it runs: what wait
    reports would include this program's own from before."""
    argv = [ranklab, "-b", "--no-init", "--threads", "2"]
    for line in lines:
        argv += ["-e", line]
    most = 0
    with tempfile.TemporaryFile("w+") as out:
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        while p.poll() is None:
            try:
                text = open("/proc/%d/status" % p.pid).read()
            except OSError:
                text = ""
            held = re.search(r"VmHWM:\s*(\d+)", text)
            name = re.search(r"Name:\s*(\S+)", text)
            if held and name and name.group(1) == "ranklab":
                most = max(most, int(held.group(1)) / 1024)
            time.sleep(0.005)
        out.seek(0)
        text = out.read()
    if p.returncode:
        raise RuntimeError(text[-300:])
    return text, most


def many(ranklab, work):
    """More pictures than fit: opened, and all run through a network."""
    folder, size = os.path.join(work, "many"), 64
    net = os.path.join(work, "identity-64.onnx")
    identity(net, 3, size, size)
    if len(os.listdir(folder) if os.path.isdir(folder) else ()) != MANY:
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        rng = np.random.RandomState(7)
        names = []
        for i in range(20):
            names.append(os.path.join(folder, "%06d.jpg" % i))
            photograph(rng, size, size).save(names[-1], quality=85)
        for i in range(20, MANY):
            os.link(names[i % 20], os.path.join(folder, "%06d.jpg" % i))
    base = run(ranklab, "open '%s'" % net)[1]
    start = time.time()
    text, rss = run(ranklab, "set max-memory %dM" % LIMIT_MB, "open '%s'" % net,
                    "data eval '%s'" % folder, "eval --outputs")
    ok = ("eval: %d images" % MANY) in text and re.search(r"y .*image +%d" % MANY, text)
    decoded = MANY * size * size * 3 / 2**20
    return (ok and decoded > LIMIT_MB and base < rss < base + LIMIT_MB,
            "%d pictures, %.0f MB as bytes: %.0f MB at most (%.0f without), %.1f s" % (
                MANY, decoded, rss, base, time.time() - start))


def large(ranklab, work):
    """Progressive pictures, whose decoder holds much, on more threads than fit at once."""
    folder, count, limit = os.path.join(work, "large"), 12, 120
    net = os.path.join(work, "identity-64.onnx")
    identity(net, 3, 64, 64)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    first = os.path.join(folder, "00.jpg")
    photograph(np.random.RandomState(9), 2500, 1700).save(first, progressive=True, subsampling=0)
    for i in range(1, count):
        os.link(first, os.path.join(folder, "%02d.jpg" % i))
    base = run(ranklab, "open '%s'" % net)[1]
    text, rss = run(ranklab, "set threads 4", "set max-memory %dM" % limit, "open '%s'" % net,
                    "data eval '%s'" % folder)
    return ("eval: %d images" % count in text and base < rss < base + limit,
            "%d of 2500x1700 on 4 threads: %.0f MB at most (%.0f without)" % (count, rss, base))


def arrays(ranklab, work, kind, order, version):
    net, c, h, w = os.path.join(work, "identity-2.onnx"), 2, 3, 5
    identity(net, c, h, w)
    x = np.random.RandomState(8).uniform(0, 255, (4, c, h, w)).astype(kind)
    path, out = os.path.join(work, "array.npy"), os.path.join(work, "array.out.npy")
    with open(path, "wb") as f:
        npy_format.write_array(f, np.asarray(x, order=order), version=version)
    run(ranklab, "open '%s'" % net, "run '%s' '%s'" % (path, out))
    got = np.load(out)
    text = run(ranklab, "open '%s'" % net, "data calib '%s'" % path, "data > '%s.json'" % path)[0]
    sha = json.load(open(path + ".json"))[0]["sha256"]
    with open(path, "wb") as f:
        npy_format.write_array(f, np.ascontiguousarray(x))
    run(ranklab, "open '%s'" % net, "data calib '%s'" % path, "data > '%s.json'" % path)
    same = sha == json.load(open(path + ".json"))[0]["sha256"]
    return (got.shape == x.shape and (got == x.astype(np.float32)).all() and same
            and "4 images" in text), "as images: %s" % ("the same set" if same else "another set")


def main(ranklab, pictures, work):
    os.makedirs(work, exist_ok=True)
    for kind in KINDS:
        guard("%s: shorter side 256, middle 224x224" % kind[0], compare, pictures, work, kind,
              3, 224, 224, (256, 0))
    for kind in KINDS[:1] + KINDS[5:8]:
        guard("%s: exactly 96x64, grey" % kind[0], compare, pictures, work, kind, 1, 96, 64, (96, 64))
        guard("%s: exactly 300x400" % kind[0], compare, pictures, work, kind, 3, 300, 400, (300, 400))
    guard("damaged pictures are named, skipped, counted", damaged, pictures, ranklab, work)
    guard("a folder larger than max-memory", many, ranklab, work)
    guard("large pictures within max-memory", large, ranklab, work)
    for kind in ("<f4", "<f8", "<f2", "|u1"):
        for order in "CF":
            for version in ((1, 0), (2, 0), (3, 0)):
                guard(".npy %s, order %s, version %d" % (kind, order, version[0]), arrays, ranklab,
                      work, kind, order, version)
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
