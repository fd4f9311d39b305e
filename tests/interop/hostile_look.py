"""What a terminal would obey or would not show, and what hostile.py and hostile_panes.py share besides:
the environment that programs run in, and the count of what was looked at."""
import os
import sys

UNSEEN = [(0x7f, 0x9f), (0xad, 0xad), (0x34f, 0x34f), (0x61c, 0x61c), (0x115f, 0x1160), (0x17b4, 0x17b5),
          (0x180b, 0x180f), (0x200b, 0x200f), (0x2028, 0x202e), (0x2060, 0x206f), (0x3164, 0x3164),
          (0xfe00, 0xfe0f), (0xfeff, 0xfeff), (0xffa0, 0xffa0), (0xfff9, 0xfffb), (0xe0000, 0xe0fff)]


def is_unsafe(c):
    return c < 0x20 or any(a <= c <= b for a, b in UNSEEN)


def escape(name):
    """A name as text that hides nothing and that nothing obeys."""
    out = ""
    if isinstance(name, str):
        name = name.encode()
    while name:
        for n in 1, 2, 3, 4:
            try:
                c = name[:n].decode()
                break
            except UnicodeDecodeError:
                c = None
        if c is None:
            out, n = out + "\\x%02x" % name[0], 1
        elif ord(c) < 0x20 or ord(c) == 0x7f:
            out += "\\x%02x" % ord(c)
        else:
            out += "\\u{%04x}" % ord(c) if is_unsafe(ord(c)) else c
        name = name[n:]
    return out


def seen_raw(data, allowed="\n"):
    """What of data a terminal would obey, or would not show."""
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        return ["no UTF-8: %s" % data[max(0, e.start - 20):e.end + 20]]
    return ["U+%04X in %s" % (ord(c), text[max(0, i - 20):i + 20]) for i, c in enumerate(text)
            if is_unsafe(ord(c)) and c not in allowed]


def environment(folder, **more):
    """Nothing outside of the folder is read or written."""
    names = {"XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config", "TMPDIR": "tmp"}
    folders = {k: os.path.join(folder, v) for k, v in names.items()}
    return {**os.environ, "HOME": folder, "LC_ALL": "C.UTF-8", **folders, **more}


class Checks:
    """check(NAME, PROBLEMS) counts one that passes when there are none; end() says how many did."""

    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, name, problems):
        problems = list(problems)
        self.passed += not problems
        self.failed += bool(problems)
        for p in problems[:6]:
            print("FAIL hostile names, %s: %s" % (name, ascii(p)[:400]))

    def end(self):
        print("%d passed, %d failed" % (self.passed, self.failed))
        sys.exit(self.failed > 0)
