#!/usr/bin/env python3
"""Names made to do harm (hostile_net.py) on terminals: the panes and the prompt run on one of
their own, every byte that they send is looked at, and so are the screens as text.
Usage: hostile_panes.py RANKLAB FOLDER"""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import hostile_net
from hostile_look import Checks, environment, escape, seen_raw

RANKLAB, FOLDER = sys.argv[1], os.path.abspath(sys.argv[2])
check = Checks()
QUIET, LIMIT = 0.4, 60

# what curses and readline send themselves; no name is made of these
OWN = re.compile(rb"\x1b\[[0-9;?]*[A-HJKLMPSTX@`abdefhlmnrsu]|\x1b\[2[23];0;0t|\x1b[()][0AB]|\x1b[=>78M]|[\r\b\x07\x0e\x0f]")
NEVER = [b"\x1b]", b"\x1bP", b"\x1b[5m", b"\x1b[5;31m", b"\x1b_", b"\x1b^"]


class Terminal:
    def __init__(self, *args, locale="C.UTF-8"):
        self.all = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(FOLDER)
            os.execve(RANKLAB, [RANKLAB, "--no-init", "--threads", "1", *args],
                      environment(FOLDER, TERM="xterm-256color", LC_ALL=locale))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))

    def read(self, word=b""):
        """Until word came and then nothing for a moment; what came."""
        got, end = b"", time.time() + LIMIT
        while time.time() < end:
            if not select.select([self.fd], [], [], QUIET)[0]:
                if word in got:
                    break
                continue
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            got += data
        else:
            check("a terminal", ["%s did not come, but %s" % (word, got[-200:])])
        self.all += got
        return got

    def send(self, keys, word=b""):
        os.write(self.fd, keys)
        return self.read(word)

    def end(self, name, keys):
        os.write(self.fd, keys)
        self.read()
        os.kill(self.pid, signal.SIGKILL) if os.waitpid(self.pid, os.WNOHANG)[0] == 0 else None
        os.close(self.fd)
        check(name + ", sequences", [x for x in NEVER if x in self.all])
        check(name + ", characters", seen_raw(OWN.sub(b"", self.all)))


def panes():
    t = Terminal("h.onnx")
    t.read(b"plain")
    t.send(b"\x1b")  # from the prompt to the panes
    for keys in b"jjjj", b"\x1b[C", b"u", b" j j", b"m", b"/tab\r", b"5", b"1", b"2", b"3", b"4", b"p", b"?", b"q":
        t.send(keys)
    for _ in range(6):
        t.send(b"\x1b[6~")  # pages of all names
    t.send(b"\x1b")
    t.send(b"info li\t\t")
    t.send(b"\x15info \t\t")
    t.send(b"\x15info 'sq\t\t")
    t.send(b"\x15layers 9\r")
    t.send(b"history\r")
    t.send(b"echo '\x16\x1b[5m'\r")
    t.send(b"open \t\t")
    t.end("panes", b"\x15quit\r")


def line_mode():
    t = Terminal("--plain")
    t.read(b"ranklab>")
    t.send(b"open h.onnx\r", b"can be approximated")
    for keys in (b"info li\t\t", b"info \t\tnnn", b"rank c1\t\t", b"data calib \t\t", b"open im\t\t",
                 b"open \t\t", b"layers 2..9\r", b"history\r", b"rank nosuch 1\r", b"\x12line"):
        t.send(keys)
        t.send(b"\x03")
    t.end("prompt", b"\x15quit\r")


def other_locale():
    """Where the terminal is not known to take UTF-8, each byte would be a character."""
    t = Terminal("--plain", "-e", "open h.onnx; layers", "-i", locale="C")
    t.read(b"network")
    check("C locale", [] if t.all.isascii() else [re.findall(rb"[^\n]*[\x80-\xff][^\n]*", t.all)[:3]])
    t.end("C locale", b"quit\r")


def completed():
    """A name that Tab completes is that layer."""
    t = Terminal("--plain")
    t.read(b"ranklab>")
    t.send(b"open h.onnx; method all svd\r", b"can be approximated")
    for typed, name in ((b"dq", 'dq"uote'), (b"both", "both'\""), (b'"ba', "back\\slash"), (b"line", "line\nfeed"),
                        (b"'wid", "wide\u6f22\u5b57\U0001f600"), (b"'$(tou", "$(touch CANARY)"), (b"sq", "sq'uote")):
        got = t.send(b"rank " + typed + b"\t 1\r")
        check("completion of " + name, [] if (escape(name) + ": rank 4 -> 1").encode() in got else [got])
    t.end("completion", b"quit\r")


def screens():
    keys = ["<size 100x40>", "<dump s0.txt>", "<Esc>", "<dump s1.txt>"]
    for i in range(2, 7):
        keys += ["<PageDown>", "<dump s%d.txt>" % i]
    keys += ["<dump s7.txt>"]
    with open(FOLDER + "/k.keys", "w") as f:
        f.write("\n".join(keys) + "\n")
    p = subprocess.run([RANKLAB, "--no-init", "--threads", "1", "--size", "100x40", "--keys", "k.keys", "h.onnx"],
                       cwd=FOLDER, env=environment(FOLDER, TERM="xterm-256color"), stdin=subprocess.DEVNULL, capture_output=True)
    check("keys", [p.stderr + p.stdout] if p.returncode else [])
    text = b""
    for f in sorted(os.listdir(FOLDER)):
        if re.match(r"s\d\.txt", f):
            with open(os.path.join(FOLDER, f), "rb") as g:
                data = g.read()
            check("screen-dump", seen_raw(data))
            text += data
    text = text.decode()
    check("names on the screen", [escape(n) for n in hostile_net.NAMES[:-2]
                                  if len(escape(n)) < 14 and n.isascii() and escape(n) not in text])


shutil.rmtree(FOLDER, ignore_errors=True)
os.makedirs(FOLDER + "/tmp")
os.makedirs(os.path.join(os.fsencode(FOLDER), b"im\x1b]0;x\x07ages\xe2\x80\xae\xc2\x9b"))
os.makedirs(os.path.join(os.fsencode(FOLDER), b"im\x1b[5m\xff"))
hostile_net.write(os.path.join(FOLDER, "h.onnx"), False, "CANARY")
panes()
line_mode()
other_locale()
completed()
screens()
check.end()
