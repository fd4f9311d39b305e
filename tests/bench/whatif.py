#!/usr/bin/python3
"""What a user waits for: a changed rank, the first prompt, a large network, a whole session.
  whatif.py RANKLAB WHATIF FOLDER
FOLDER: where networks are made. Prints one line for each, medians of a few runs."""
import os
import pty
import select
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
LAYERS = 60


def median(x):
    return sorted(x)[len(x) // 2]


def make_deep(path):
    """A chain of LAYERS convolutions."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    nodes, weights, x, c = [], [], "image", 3
    for i in range(LAYERS):
        d = 64 if i < LAYERS // 2 else 128
        w = rng.standard_normal((d, c, 3, 3), dtype=np.float32) * np.float32((2 / (9 * c)) ** 0.5)
        weights += [numpy_helper.from_array(w, "w%d" % i),
                    numpy_helper.from_array(np.zeros(d, np.float32), "b%d" % i)]
        nodes.append(helper.make_node("Conv", [x, "w%d" % i, "b%d" % i], ["c%d" % i],
                                      name="conv%d" % i, kernel_shape=[3, 3], pads=[1] * 4))
        nodes.append(helper.make_node("Relu", ["c%d" % i], ["r%d" % i]))
        x, c = "r%d" % i, d
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "deep", [value("image", TensorProto.FLOAT, ["n", 3, 16, 16])],
                              [value(x, TensorProto.FLOAT, ["n", c, 16, 16])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.save(model, path)


def rank_change(whatif, folder):
    model, images = os.path.join(folder, "deep.onnx"), os.path.join(folder, "deep.npy")
    make_deep(model)
    np.save(images, np.random.RandomState(1).standard_normal((60, 3, 16, 16)).astype(np.float32))
    out = subprocess.run([whatif, model, images, "400"], check=True, stdout=subprocess.PIPE,
                         universal_newlines=True).stdout.split()
    print("whatif rank change to new totals, %s layers: %s ms, 95 %% within %s ms (wanted: 2)"
          % tuple(out), flush=True)


def to_prompt(argv, wanted):
    """Seconds from the start until all wanted is on the terminal."""
    begin = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, dict(os.environ, TERM="xterm"))
    seen, end = b"", None
    while end is None and time.monotonic() - begin < 60:
        if select.select([fd], [], [], 1)[0]:
            seen += os.read(fd, 65536)
            if all(text in seen for text in wanted):
                end = time.monotonic() - begin
    os.write(fd, b"quit\r")
    while True:
        try:
            if not os.read(fd, 65536):
                break
        except OSError:
            break
    os.waitpid(pid, 0)
    os.close(fd)
    if end is None:
        sys.exit("no prompt came: %r" % seen[-300:])
    return end


def seconds(argv):
    begin = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def main(ranklab, whatif, folder):
    rank_change(whatif, folder)
    for name, argv, shown in (("line mode", ["--plain"], [b"ranklab>"]),
                              ("the panes with its layers", [], [b"ranklab>", b"conv1"])):
        s = [to_prompt([ranklab, "--no-init"] + argv + ["@fashion"], shown) for _ in range(5)]
        print("whatif start to first prompt with @fashion, %s: %.3f s, %.3f..%.3f (wanted: 0.3)"
              % (name, median(s), min(s), max(s)), flush=True)
    vgg = os.path.join(folder, "vgg16-random.onnx")
    if not os.path.exists(vgg):
        subprocess.run([sys.executable, os.path.join(HERE, "make_vgg16.py"), vgg], check=True)
    batch = [ranklab, "-b", "-q", "--no-init"]
    s = [seconds(batch + ["-e", "open '%s'" % vgg]) for _ in range(3)]
    print("whatif opening VGG-16: %.2f s, %.2f..%.2f (wanted: 3)"
          % (median(s), min(s), max(s)), flush=True)
    s = seconds(batch + ["-e", "open @fashion; select --speedup 4; solve; eval --again"])
    print("whatif @fashion opened, chosen, solved, evaluated on 10000 images: %.1f s (wanted: 30)"
          % s, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
