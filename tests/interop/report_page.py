#!/usr/bin/env python3
"""Checks that the page of a report is nested as it should be, also when a layer's name is made
of markup. Usage: report_page.py RANKLAB NETWORK FOLDER"""
import html.parser
import os
import subprocess
import sys

EMPTY = {"meta", "link", "br", "hr", "img", "input", "col"}
HOSTILE = b"<b>|`"  # as long as the name it replaces


class Nesting(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.problems, self.seen = [], [], {}

    def handle_starttag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.problems.append("%d:%d: </%s>" % (*self.getpos(), tag))


def main(ranklab, network, folder):
    os.makedirs(folder, exist_ok=True)
    with open(network, "rb") as f:
        data = f.read()
    hostile = os.path.join(folder, "hostile.onnx")
    with open(hostile, "wb") as f:
        f.write(data.replace(b"conv2", HOSTILE))
    failed = 0
    for name, model in ("plain", network), ("hostile", hostile):
        report = os.path.join(folder, name)
        commands = ("open '%s'; method all svd; rank all 4; solve; export report '%s'"
                    % (model, report))
        subprocess.run([ranklab, "-b", "-q", "--no-init", "-e", commands], check=True,
                       stdout=subprocess.DEVNULL)
        page = Nesting()
        with open(os.path.join(report, "report.html"), encoding="utf-8") as f:
            page.feed(f.read())
        page.close()
        problems = page.problems + ["not closed: " + t for t in page.open]
        for tag in "b", "script", "iframe", "object":
            if tag in page.seen:
                problems.append("there is a <%s>" % tag)
        if not page.seen.get("table") or not page.seen.get("svg"):
            problems.append("no table or no curve")
        for p in problems:
            print("FAIL report page %s: %s" % (name, p))
        failed += bool(problems)
    print("%d passed, %d failed" % (2 - failed, failed))
    return failed > 0


sys.exit(main(*sys.argv[1:]))
