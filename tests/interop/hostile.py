#!/usr/bin/env python3
"""Names made to do harm (hostile_net.py) go in everywhere, and whatever comes out is read by a
parser of its kind: what is said to terminals, tables, plots, reports, scripts, configurations, the
journal, networks. Nothing may be obeyed, and every name must come back.
Usage: hostile.py RANKLAB FOLDER"""
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import html5lib
import markdown_it
import onnx
from PIL import Image

import hostile_net
from hostile_look import Checks, environment, escape, is_unsafe, seen_raw

RANKLAB, FOLDER = sys.argv[1], os.path.abspath(sys.argv[2])
ANY = None
check = Checks()


# ---- running, reading ----

def ranklab(*args, code=0, name="run", env={}, **more):
    env = environment(FOLDER, **env)
    p = subprocess.run([RANKLAB, "-b", "--no-init", "--threads", "1", *args], cwd=FOLDER, env=env,
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=300, **more)
    check(name + ", the exit status", [] if code is ANY or p.returncode == code
          else ["%d, %s" % (p.returncode, (p.stderr or p.stdout).decode(errors="replace")[-300:])])
    check(name + ", stdout", seen_raw(p.stdout))
    check(name + ", stderr", seen_raw(p.stderr))
    return p.stdout, p.stderr


def quote(name):
    """A word of the command language."""
    if "'" not in name and "\n" not in name:
        return "'%s'" % name
    return '"%s"' % name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def read(path):
    with open(os.path.join(FOLDER, path), "rb") as f:
        return f.read()


def formula(text):
    return "'" + text if text[:1] and text[0] in "=+-@'\uff1d\uff0b\uff0d\uff20" else text


MARKS = {"link_open", "image", "html_inline", "html_block", "code_inline", "strong_open", "em_open", "s_open",
         "fence", "blockquote_open", "bullet_list_open", "ordered_list_open", "hr", "lheading_open",
         "heading_open"}


def markdown(text, allowed=()):
    md = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for t in md.parse(text):
        for x in [t] + (t.children or []):
            if x.type in MARKS and x.type not in allowed:
                yield "%s: %s" % (x.type, (x.content or t.content)[:80])


def markdown_cells(text):
    """The first cell of each row."""
    md = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    out, is_first = [], False
    for t in md.parse(text):
        if t.type == "tr_open":
            is_first = True
        elif t.type == "inline" and is_first:
            out.append("".join(c.content for c in t.children))
            is_first = False
    return out


# ---- what goes in ----

def folder_name(i, name):
    """As far as a file system takes it."""
    return (b"%d" % i + name.encode().replace(b"/", b"_"))[:80]


def make():
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER + "/tmp")
    hostile_net.write(os.path.join(FOLDER, "h.onnx"), False, CANARY)
    hostile_net.write(os.path.join(FOLDER, "b.onnx"), True, CANARY)
    k = 0
    for folder in IMAGES, BAD_IMAGES:
        for c in range(hostile_net.CLASSES):
            path = os.path.join(os.fsencode(FOLDER), os.fsencode(folder), folder_name(c, names[1 + 17 * c]))
            os.makedirs(path)
            for i in range(60):
                image = bytes((k * 37 + j * (c + 3) * 7 + i * j) % 256 for j in range(36))
                data = b"P5\n6 6\n255\n" + image
                k += 1
                if folder == BAD_IMAGES and i % 3 == 0:
                    data = data[:20]
                with open(os.path.join(path, folder_name(i, names[i % 100]) + b".pgm"), "wb") as f:
                    f.write(data)
    with open(os.path.join(FOLDER, LABELS), "wb") as f:
        for c, d, files in os.walk(os.path.join(os.fsencode(FOLDER), os.fsencode(IMAGES))):
            for n in files:
                f.write(n + b" 1\n\x1b[31m")


CANARY = FOLDER + "/canary"
IMAGES, BAD_IMAGES, LABELS = "im\x1b[31mages`'<b>", "bad\x1b]0;x\x07", "lab\x1b[1mels"
names = [n.replace("CANARY", CANARY) for n in hostile_net.NAMES]
make()
opened = "open h.onnx; data calib %s; data eval %s" % (quote(IMAGES), quote(IMAGES))
by_text = opened + "; method all svd; rank all 2; solve"

# ---- tables ----

wanted = list(names)
second = wanted.index("twice", wanted.index("twice") + 1)
wanted[second] = "twice_2"
for i, n in enumerate(j for j, x in enumerate(names) if x == ""):
    wanted[n] = "conv%d" % (i + 1)
wanted_broken = [b"plain"] + [n for n in hostile_net.broken_names()] + [b"last"]


def tables(model, raw, in_json):
    def get(form):
        return ranklab("--format", form, "-q", "-e", "open %s; layers" % model, name=form)[0].decode()

    rows = [r["layer"] for r in json.loads(get("json"))]
    check("layers as JSON", differences(in_json, rows[:-2]))
    shown = [escape(n) for n in raw]
    rows = [r[0] for r in csv.reader(io.StringIO(get("csv")))][1:]
    check("layers as CSV", differences([formula(n) for n in shown], rows[:-2]))
    check("formulas in CSV", [r for r in rows if r[:1] in tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")])
    check("layers as Markdown", markdown(get("md")))
    rows = markdown_cells(get("md"))[1:]
    check("layers as Markdown, names", differences([n.strip() for n in shown], rows[:-2]))
    text = get("table").split("\n")[2:]
    check("layers as text", [n for n, r in zip(shown, text) if len(n) < 30 and not r.startswith(n)])


def differences(a, b):
    if len(a) != len(b):
        yield "%d instead of %d" % (len(b), len(a))
    for x, y in zip(a, b):
        if x != y:
            yield "%s instead of %s" % (ascii(y)[:100], ascii(x)[:100])


def lossy(raw):
    out = ""
    while raw:
        for n in range(1, 5):
            try:
                out, raw = out + raw[:n].decode(), raw[n:]
                break
            except UnicodeDecodeError:
                pass
        else:
            out, raw = out + "\ufffd", raw[1:]
    return out


tables("h.onnx", [n.encode() for n in wanted], wanted)
tables("b.onnx", wanted_broken, [lossy(n) for n in wanted_broken])

# ---- what commands say ----

plan = "method all svd; rank all 1; undo; method all pca; rank 5..60 2; solve; eval; keep a; rank 7 1; keep b; use a"
said = ("layers %s; info 3; info %s; cost; error; eval; configs; compare a b; predict; history; "
        "journal list; data; show; rank 3 1; undo; redo; bind x 'rank @here 1'; bind; echo '\x1b[5m'; "
        "sweep 3..6 --points 2; sweep 3,4 --points 2 --metric error; "
        "sweep --speedup 1.1:1.2:0.1 --method svd --rule uniform; select --speedup 1.1; "
        "plot energy 2..9; plot error; plot propagation; plot ranks; plot tradeoff; plot accuracy 3..6; "
        "time --runs 1; time 3..5 --ranks --runs 1; plot latency 3..5; export table layers 'x\x1b[5m.csv'"
        ) % (quote(wanted[1]), quote(wanted[8]))
for form in "table", "csv", "json", "md":
    out, err = ranklab("--format", form, "-x", "-e", "; ".join([opened, plan, said]), name="all as " + form)
    if form == "json":
        check("all as JSON", (line[:60] for line in out.decode().splitlines() if not json.loads(line)))
    if form == "md":
        check("all as Markdown", markdown(out.decode()))
HARM = "no\x1b]52;c;x\x07\u202e\u009b", "a/\x1b[5m\r%s%n`'\"\n{}", "\u00ff" * 3000 + "\x1b[5m"
for n in HARM:
    ranklab(n, code=ANY, name="as an argument")
    ranklab("--" + n, code=2, name="as an option")
    ranklab("-f", n, code=ANY, name="as a script")
for bad in ("rank %s 1", "info %s", "open %s", "source %s", "replay %s", "data calib %s", "keep %s", "use %s",
            "import config %s", "export table layers %s/x.csv", "export report %s/a/b", "help %s", "apropos %s",
            "set %s 1", "assert %s == 1", "%s", "layers --%s", "plot energy --to %s.svg/x", "method 3 %s",
            "journal merge %s %s", "run %s y.npy", "select --rule %s", "data calib . --labels %s", "bind %s x",
            "layers > %s/x", "record %s/x", "screen-dump %s"):
    for n in HARM:
        ranklab("-e", "open h.onnx; " + bad.replace("%s", quote(n)), code=ANY, name=bad)
        with open(os.path.join(FOLDER, "bad\x1b[5m.rl"), "w") as f:
            f.write("open h.onnx\n" + bad.replace("%s", quote(n)) + "\n")
        ranklab("-f", "bad\x1b[5m.rl", code=ANY, name=bad)
ranklab("-e", "open h.onnx; data calib %s; solve" % quote(BAD_IMAGES), name="damaged pictures", code=ANY)
ranklab("-e", "open h.onnx; data calib %s --labels %s" % (quote(IMAGES), quote(LABELS)), name="labels", code=1)

# ---- each name means its layer ----

numbered = {"all", "@stale", "@solved"}  # have another meaning: these layers have their number
commands = ["rank %s 1; layers; undo" % (quote(n) if n not in numbered and not n.startswith("@") else i + 1)
            for i, n in enumerate(wanted[1:-1], 1)]
out, _ = ranklab("--format", "json", "-q", "-e", "open h.onnx; method all svd\n" + "\n".join(commands),
                 name="each name")
for n, line in zip(wanted[1:-1], out.decode().splitlines()):
    check("what a name means", differences([n], [r["layer"] for r in json.loads(line) if r["rank"] == 1]))

# ---- plots ----

SVG = "{http://www.w3.org/2000/svg}"


def svg_problems(text, shown=()):
    try:
        root = ET.fromstring(text)
    except ET.ParseError as e:
        yield "not well-formed: %s" % e
        return
    for x in root.iter():
        tag = x.tag.replace(SVG, "")
        if tag not in SVG_TAGS:
            yield "<%s>" % tag
        for k, v in x.attrib.items():
            if k.startswith("on") or "script:" in v or (k.endswith("href") and not v.startswith("#")):
                yield "%s=%s" % (k, v)
    text = "".join(root.itertext()).replace("\u2019", "'")
    for n in shown:
        if n not in text:
            yield "no %s" % n


SVG_TAGS = {"svg", "g", "path", "defs", "desc", "title", "use", "text", "tspan", "rect", "circle", "line",
            "polyline", "polygon", "ellipse", "clipPath", "mask", "pattern", "linearGradient", "stop",
            "filter", "feFlood", "feComposite"}


def in_plot(name):
    """What cannot be seen is left out; an end of CDATA is taken apart."""
    return "".join(c for c in name if not is_unsafe(ord(c))).replace("]]>", "]] >")


KINDS = ("energy %d..%d", "energy %d..%d --of filters", "error", "propagation", "accuracy 3..6", "tradeoff",
         "ranks", "latency 3..5")
made = opened + "; " + plan + "; sweep 3..6 --points 2; time 3..5 --ranks --runs 1"
commands, files = [made], []
for i in range(1, len(wanted), 8):
    for kind in KINDS[:2] if i > 1 else KINDS:
        k = len(files)
        kind = kind % (i, min(i + 7, len(wanted) - 1)) if "%" in kind else kind
        files.append((kind, [in_plot(n) for n in wanted[i - 1:i + 7]] if "energy" in kind else []))
        commands.append("plot %s --to %d.svg; plot %s --script %d.gp; plot %s" % (kind, k, kind, k, kind))
        if i == 1:
            commands.append("plot %s --to %d.png; plot %s --to %d.pdf" % (kind, k, kind, k))
ranklab("-e", "\n".join(commands), name="plots")
for k, (kind, shown) in enumerate(files):
    check("plot " + kind, svg_problems(read("%d.svg" % k), [n for n in shown if len(n) < 16]))
    if os.path.exists(os.path.join(FOLDER, "%d.png" % k)):
        Image.open(os.path.join(FOLDER, "%d.png" % k)).verify()
    check("script of plot " + kind, seen_raw(read("%d.gp" % k)))
    os.makedirs(FOLDER + "/gnuplot", exist_ok=True)
    p = subprocess.run(["gnuplot", "-d", "-e", "set terminal svg", "../%d.gp" % k], cwd=FOLDER + "/gnuplot",
                       capture_output=True)
    check("gnuplot of plot " + kind, [p.stderr.decode()] if p.returncode else
          svg_problems(p.stdout, [n for n in shown if len(n) < 16]))
check("what gnuplot was made to leave", os.listdir(FOLDER + "/gnuplot") + os.listdir(FOLDER + "/tmp"))

# ---- report ----

ranklab("-e", made + "; export report report", name="report")
report = os.path.join(FOLDER, "report")
HTML = SVG_TAGS | {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "div", "table",
                   "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "pre", "code"}


def page_problems(data):
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(data)
    for place, code, more in parser.errors:
        yield "%s: %s %s" % (place, code, more)
    for x in tree.iter():
        if not isinstance(x.tag, str):
            yield "a comment"
            continue
        tag = x.tag.split("}")[-1]
        if tag not in HTML:
            yield "<%s>" % tag
        for k, v in x.attrib.items():
            if str(k).startswith("on") or "script:" in v or (str(k).endswith(("href", "src")) and v[:1] != "#"):
                yield "%s=%s" % (k, v)
    text = "".join("".join(x.itertext()) for x in tree.iter() if str(x.tag).endswith("svg")).replace("\u2019", "'")
    if re.search(' id="f[0-9]', text):
        yield "a name in a curve was changed"
    cells = {"".join(x.itertext()) for x in tree.iter("td")}
    for n in wanted:
        if escape(n) not in cells:
            yield "no %s" % escape(n)


check("report.html", page_problems(read("report/report.html")))
check("report.html, raw", seen_raw(read("report/report.html"), "\n\t"))
check("report.md", markdown(read("report/report.md").decode(), {"heading_open", "image"}))
check("report.md, raw", seen_raw(read("report/report.md")))
check("sums", [] if subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=report).returncode == 0
      else ["differ"])
for f in os.listdir(report):
    if f.endswith(".svg"):
        check("report, " + f, svg_problems(read("report/" + f)))
    if f.endswith(".csv"):
        rows = [r[0] for r in csv.reader(io.StringIO(read("report/" + f).decode()))][1:]
        check("report, " + f, [r for r in rows if r[:1] and r[0] in "=+-@\t\r"])

# ---- scripts ----

commands = ["rank %s 1" % quote(n) for i, n in enumerate(wanted[1:-1]) if n not in numbered and n[:1] != "@"]
ranklab("-e", "record 'rec\x1b[5mord.rl'; " + opened + "; method all svd\n" + "\n".join(commands) +
        "\nlayers; solve; eval; cost %s; error" % quote(wanted[8]), name="record")
out, err = ranklab("-e", "replay 'rec\x1b[5mord.rl'", name="replay")
check("replay", [] if b"all as recorded" in out and b"4 tables" in out else [out + err])
ranklab("-e", "replay report/session.rl", name="replay of the report")
for f in sorted(os.listdir(FOLDER + "/state/ranklab/sessions"))[-1:]:
    ranklab("-e", "source --check " + quote(FOLDER + "/state/ranklab/sessions/" + f), name="check")

# ---- configurations ----

ranklab("-e", made + "; export config c.json; import config c.json; export config d.json", name="configurations")
check("a configuration comes back", [] if read("c.json") == read("d.json") else ["not the same"])
check("configuration, raw", seen_raw(read("c.json")))
config = json.loads(read("c.json"))
check("names in a configuration", differences(wanted, [x["layer"] for x in config["layers"]]))


def leaves(x, path=()):
    for k in x if isinstance(x, dict) else range(min(len(x), 2)):
        if isinstance(x[k], (dict, list)):
            yield from leaves(x[k], path + (k,))
        else:
            yield path + (k,)


def with_leaf(x, path, value):
    x = json.loads(json.dumps(x))
    at = x
    for k in path[:-1]:
        at = at[k]
    at[path[-1]] = value
    return x


HARM = HARM[0] + HARM[1] + "<b>" + "x" * 300
for path in leaves(config):
    with open(os.path.join(FOLDER, "e.json"), "w") as f:
        json.dump(with_leaf(config, path, HARM), f)
    ranklab("-e", "open h.onnx; import config e.json --force; configs; layers; export config f.json", code=ANY,
            name="configuration, %s" % (path,))

# ---- journal ----

journal = os.path.join(FOLDER, "cache/ranklab/journal.jsonl")
lines = read(journal).splitlines()
check("journal", (line for line in lines if not json.loads(line)))
check("journal, raw", seen_raw(read(journal)))
line = json.loads(lines[-1])
with open(journal, "a") as f:
    for path in leaves(line):
        f.write(json.dumps(with_leaf(line, path, HARM)) + "\n")
        f.write(json.dumps(with_leaf(line, path, HARM), ensure_ascii=False) + "\n")
    f.write(HARM + "\n")
for form in "table", "json":
    ranklab("-k", "--format", form, "-e", opened + "; journal verify; journal list; predict; eval; plot tradeoff",
            code=1, name="journal")
os.remove(journal)

# ---- networks ----


def strip(m):
    x = onnx.ModelProto()
    x.CopyFrom(m)
    del x.graph.node[:], x.graph.initializer[:], x.graph.value_info[:]
    kept = [p for p in x.metadata_props if not p.key.startswith("ranklab.")]
    del x.metadata_props[:]
    x.metadata_props.extend(kept)
    return x.SerializeToString()


for keep in "", " --keep-names":
    ranklab("-e", opened + "; method all svd; rank 5..110 2; solve; export onnx out.onnx" + keep, name="export")
    before, after = (onnx.load(os.path.join(FOLDER, f)) for f in ("h.onnx", "out.onnx"))
    onnx.checker.check_model(after)
    check("what the file says of itself", differences([strip(before)], [strip(after)]))
    kept = {n.SerializeToString() for n in after.graph.node}
    lost = [n for n in before.graph.node if n.SerializeToString() not in kept]
    check("nodes that stay", [n.name for n in lost if n.op_type != "Conv"])
    check("nodes that are split", [] if len(lost) == 106 else [len(lost)])
    made_by = {o: n for n in after.graph.node for o in n.output}
    check("values", [o for n in before.graph.node for o in n.output if o not in made_by])
    check("doc strings", [n.name for n in lost if not made_by[n.output[0]].doc_string.startswith(n.doc_string)])
    value_names = [o for n in after.graph.node for o in n.output] + [t.name for t in after.graph.initializer]
    check("names of values", [n for n in value_names if value_names.count(n) > 1])
ranklab("-e", "open b.onnx; method all svd; rank all 2; solve; export onnx broken.onnx; layers", name="broken export")
check("broken names", [n for n in wanted_broken if read("b.onnx").count(n) > read("broken.onnx").count(n)])

check("what was made to run", [CANARY] if os.path.exists(CANARY) else [])
check.end()
