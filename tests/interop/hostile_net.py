#!/usr/bin/env python3
"""A network all of whose names are made to do harm: to terminals, gnuplot, spreadsheets, pages,
shells, and to whoever takes a name for a number, a word or a path.
Usage: hostile_net.py FILE.onnx [--broken] [--canary PATH]   (--broken: names that are no UTF-8)"""
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

CHANNELS, SIDE, CLASSES = 4, 6, 3

# what each would do: touch CANARY, where anything obeys it
NAMES = [
    "plain",
    "\x1b[2J\x1b[5;31mred", "\x1b]0;title\x07", "\x1b]52;c;cm0gLXJm\x07", "\x1bP+q544e\x1b\\",
    "\x1b]8;;http://x/\x1b\\link", "bell\x07\x08\x08back", "cr\rover", "line\nfeed", "crlf\r\nend",
    "tab\tbed", "\tstarts", "del\x7f", "c1\u009b2J", "\u0085nel", "ls\u2028ps\u2029",
    "bidi\u202egpj.exe", "iso\u2066late\u2069", "zero\u200bwidth", "joi\u200dner", "soft\u00adhyphen",
    "\ufeffbom", "filler\u3164", "vs\ufe0f16", "tag\U000e0041", "e\u0301" + "\u0335" * 20 + "zalgo",
    "\u0301combining first", "wide\u6f22\u5b57\U0001f600", "half\uff76\uff9e",
    'dq"uote', "sq'uote", "both'\"", "back\\slash", "ends\\", "\\n", "\\x1b[31m",
    "at@home", "100%d%s%n", "{/Symbol a}_{sub}^{sup}", "a_b^c", "{open", "close}",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</title></style><b>", "&lt;&amp;",
    "]]>", "<!--", "<?xml?>", "</svg><svg onload=alert(1)>", ' id="x', "javascript:alert(1)",
    "|pipe|", "`tick`", "[link](http://x)", "![img](http://x)", "**bold**", "# heading", "> quote",
    "- item", "1. one", "---", "~~gone~~", "http://example.org/", "<http://example.org/>", "$x$", "***",
    "=1+1", "+1", "-1", "@SUM(A1)", "=HYPERLINK(\"http://x\")", "'=x", "\uff1d1", "a,b", "a;b", '"', "'",
    "$(touch CANARY)", "`touch CANARY`", "\"`touch CANARY`\"", "'; system('touch CANARY'); '",
    "'.system(\"touch CANARY\").'", "| touch CANARY", "< touch CANARY", "\"\nsystem('touch CANARY')",
    "!touch CANARY", "a; quit", "a # b", "all", "@stale", "@solved", "3", "3..7", "plain..tab", "1e3",
    "conv*", "?", "*", "..", ".", "../../etc/x", "/etc/passwd", "~/x", "--help", "-f", "total",
    "network", "keep", "full", "layers", " ", "  blanks  ", "twice", "twice", "", "", "CANARY",
    "long" + "x" * 4096, "longw" + "\u6f22" * 1500,
]
# written in their place as bytes
BROKEN = [b"bad\xff\xfe", b"over\xc0\xaf\xc0\x9b", b"sur\xed\xa0\x80", b"cut\xe6\xbc", b"c1\x9b2J",
          b"\x90q\x9c", b"big\xf4\x90\x80\x80"]


def placeholder(i, name):
    return "\u00a4%02d" % i + "z" * (len(name) - 4)


def make(names):
    rng = np.random.default_rng(7)
    nodes, init, infos = [], [], []
    value = names[1] + " image"
    x = helper.make_tensor_value_info(value, TensorProto.FLOAT,
                                      ["\x1b[5mN<b>=1", 1, SIDE, SIDE])
    x.doc_string = names[2]
    for i, name in enumerate(names):
        if i == len(names) - 1:
            break
        w = rng.standard_normal((CHANNELS, CHANNELS if i else 1, 3, 3)).astype(np.float32) / 3
        init.append(numpy_helper.from_array(w, "%s w%d" % (name, i)))
        init[-1].doc_string = name
        out = "%s conv%d" % (name, i)
        nodes.append(helper.make_node("Conv", [value, "%s w%d" % (name, i)], [out], name=name,
                                      pads=[1, 1, 1, 1], doc_string=name + "\n\x1b[31mdoc"))
        value = "%s relu%d" % (name, i)
        nodes.append(helper.make_node("Relu", [out], [value], name=name + " relu"))
        infos.append(helper.make_tensor_value_info(out, TensorProto.FLOAT,
                                                   ["\x1b[5mN<b>=1", CHANNELS, SIDE, SIDE]))
    name = names[-1]
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["pool" + name], name="p" + name))
    nodes.append(helper.make_node("Flatten", ["pool" + name], ["flat" + name], name="f" + name))
    w = rng.standard_normal((CLASSES, CHANNELS)).astype(np.float32)
    init.append(numpy_helper.from_array(w, name + " w"))
    nodes.append(helper.make_node("Gemm", ["flat" + name, name + " w"], ["scores" + name], name=name,
                                  transB=1))
    y = helper.make_tensor_value_info("scores" + name, TensorProto.FLOAT,
                                      ["\x1b[5mN<b>=1", CLASSES])
    graph = helper.make_graph(nodes, "\x1b]0;graph\x07<script>", [x], [y], init,
                              doc_string="=doc\n\x1b[31m", value_info=infos)
    m = helper.make_model(graph, producer_name="\x1b[31m`touch CANARY`<b>",
                          producer_version="$(touch CANARY)", domain="\x1b]0;d\x07",
                          doc_string="\u202edoc", opset_imports=[
                              helper.make_opsetid("", 13), helper.make_opsetid("\x1b[31mdom", 1)])
    m.ir_version = 8
    for k in "\x1b[31mkey", "=key", "<b>", "ranklab.plan":
        p = m.metadata_props.add()
        p.key, p.value = k, "\x1b]0;v\x07\n" + k
    return m


def broken_names():
    """As they are written: as long as what stands for them."""
    return [n.ljust(len(placeholder(i, "x" * len(n)).encode()), b"!") for i, n in enumerate(BROKEN)]


def write(path, broken, canary):
    names = [n.replace("CANARY", canary) for n in NAMES]
    if broken:
        names = ["plain"] + [placeholder(i, "x" * len(n)) for i, n in enumerate(BROKEN)] + ["last"]
    data = make(names).SerializeToString()
    if broken:
        for i, n in enumerate(broken_names()):
            mark = placeholder(i, "x" * len(BROKEN[i])).encode()
            assert mark in data and len(mark) == len(n)
            data = data.replace(mark, n)
    with open(path, "wb") as f:
        f.write(data)


if __name__ == "__main__":
    args = sys.argv[1:]
    canary = args[args.index("--canary") + 1] if "--canary" in args else "CANARY"
    write(args[0], "--broken" in args, canary)
