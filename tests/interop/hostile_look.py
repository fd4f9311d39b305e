"""What a terminal would obey or would not show, for hostile.py and hostile_panes.py."""

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
