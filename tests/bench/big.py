#!/usr/bin/python3
"""A whole job on a large network: open, select, solve, export. Prints the seconds of each
step, and the most memory that was resident beside what solve had stated.

usage: big.py RANKLAB NAME MODEL IMAGES.npy SPEEDUP WORK"""
import os
import re
import subprocess
import sys
import time

ranklab, name, model, images, speedup, work = sys.argv[1:7]
steps = [
    ("open", "open '%s'" % model),
    ("images", "data calib '%s' --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225" % images),
    ("select", "select --speedup %s" % speedup),
    ("solve", "solve"),
    ("export", "export onnx '%s/out.onnx'" % work),
]
settings = os.environ.get("BENCH_SET", "")
lines = [settings] if settings else []
for step, command in steps:
    lines += [command, "echo step %s" % step]
env = dict(os.environ, XDG_CONFIG_HOME=work, XDG_STATE_HOME=work, TMPDIR=work)
process = subprocess.Popen([ranklab, "-b", "--no-init", "-f", "-"], env=env, text=True,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, bufsize=1)
process.stdin.write("\n".join(lines) + "\n")
process.stdin.close()
begin = last = time.monotonic()
stated, peak, spent, told = None, 0, [], []
for line in process.stdout:
    now = time.monotonic()
    match = re.search(r"will hold at most ([0-9.]+) GB", line)
    if match:
        stated = float(match.group(1))
        print("  " + line.strip())
    match = re.match(r"step (\w+)", line)
    if match:
        spent.append("%s %.1f s" % (match.group(1), now - last))
        last = now
    told.append(line)
_, status, usage = os.wait4(process.pid, 0)
if status != 0:
    sys.stderr.write("".join(told[-20:]))
    sys.exit("%s: ranklab failed" % name)
print("".join(l for l in told if l.startswith("solved")).strip())
print("%s: %.1f s (%s); at most %.2f GB resident, %s stated; %.0f s of processor time" % (
    name, last - begin, ", ".join(spent), usage.ru_maxrss * 1024 / 1e9,
    "%.2f GB" % stated if stated else "nothing", usage.ru_utime + usage.ru_stime))
